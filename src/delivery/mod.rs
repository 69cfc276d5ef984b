//! Events on their way from the node that publishes them to those that subscribed: node to node, not
//! through the log.
//!
//! Which node subscribed to what is replicated ([`Store::subscribers`](crate::store::Store)). Whoever
//! publishes looks the subscribers up in what it has applied, and sends each of them a [`Parcel`].
//!
//! What is *published* is sent again until it is answered for or its time is up. Between two lives of
//! two nodes it is delivered at most once and in order. The sender numbers what it offers a receiver,
//! and says with each parcel the lowest number that it still offers ([`Links`]). The receiver takes
//! them in turn, begins at the lowest offered, passes over what is offered no more, and keeps what comes
//! too early, as far as it has room ([`Inboxes`]). It answers in the very step that hands the event to the
//! application, so that nothing is acknowledged that was not handed over.
//!
//! What is *notified* is sent once; its numbers only keep copies and latecomers out. For a member of
//! which no life is known yet it is held, for as long as the answer to the question may take.
//!
//! # What a receiver may forget
//!
//! The lives of its peers, and how far it has come with them, must not pile up with members that come
//! and go. It forgets those that are no members when a new one is heard from. One that was removed may
//! be taken in again in the same life, and old copies of its parcels may still be about; so the receiver
//! remembers the highest `as_of` of all it has forgotten, and takes from those it has no memory of only
//! what was published on later knowledge. That may leave a parcel unanswered, and none is delivered twice.

mod inboxes;
mod links;
mod parcel;

pub(crate) use self::inboxes::Inboxes;
pub(crate) use self::links::{Links, Offer};
pub(crate) use self::parcel::Parcel;
