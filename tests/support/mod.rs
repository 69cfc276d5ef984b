//! A cluster of real nodes under a script's hand.
//!
//! Everything goes through the public API: envelopes cross as bytes, disks hold the bytes of the
//! writes, and a crash leaves what a file would hold. The script decides what is delivered, what is
//! lost, when a disk confirms and whose time passes; nothing happens that it does not say.

mod cluster;
mod machine;
mod network;
mod remote;
mod report;
mod request;
mod script;
mod settings;
mod store;
mod transcript;

pub(crate) use cluster::Cluster;
