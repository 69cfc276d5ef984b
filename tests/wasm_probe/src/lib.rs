//! A group of three nodes that a host drives by integers, and a hash of all that they put out.
//!
//! On wasm the host calls [`new`](wasm::new) and then [`step`](wasm::step) as often as it likes;
//! natively `src/main.rs` does the same through [`Probe`].

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod probe;
#[cfg(target_arch = "wasm32")]
mod wasm;

pub use probe::Probe;
