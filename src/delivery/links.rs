//! What this node offers to others and has no answer for.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::parcel::Parcel;
use crate::bytes::Bytes;
use crate::config::Config;
use crate::store::Name;
use crate::types::{Index, Peer, Sequence};

/// What this life of a node offers to each of the others. Those that are offered nothing have no link.
///
/// `A` tells who offers. How much is offered is bounded by those who do.
#[derive(Debug)]
pub(crate) struct Links<A> {
    window: Window,
    links: BTreeMap<Peer, Link<A>>,
    /// Those with something to be sent.
    due: BTreeSet<Peer>,
    /// Above all numbers of links that are over: a receiver may remember them.
    unused: Sequence,
    next_notification: Sequence,
}

/// An event and what it says, as it is sent to one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Offer {
    pub(crate) emitter: Name,
    pub(crate) event: Bytes,
    pub(crate) payload: Bytes,
    /// How far this node had applied when it looked the subscribers up.
    pub(crate) as_of: Index,
}

/// How much may be on its way to one receiver.
#[derive(Clone, Copy, Debug)]
struct Window {
    messages: u64,
    bytes: u64,
}

/// What is offered to one receiver, by its number.
#[derive(Debug)]
struct Link<A> {
    next: Sequence,
    offers: BTreeMap<Sequence, (A, Offer)>,
    /// All below were sent.
    sent_below: Sequence,
    /// To be sent again.
    again: BTreeSet<Sequence>,
}

impl<A: Copy> Links<A> {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            window: Window {
                messages: config.max_inflight_messages,
                bytes: config.max_inflight_bytes,
            },
            links: BTreeMap::new(),
            due: BTreeSet::new(),
            unused: Sequence::new(0),
            next_notification: Sequence::new(0),
        }
    }

    /// Offers an event to a receiver, after all that it is offered already. Its number.
    pub(crate) fn offer(&mut self, to: Peer, by: A, offer: Offer) -> Sequence {
        let first = self.unused;
        let link = self.links.entry(to).or_insert_with(|| Link::new(first));
        let sequence = link.next;
        link.next = sequence.next();
        link.offers.insert(sequence, (by, offer));
        self.due.insert(to);
        sequence
    }

    /// It is to be sent again, if it has been sent.
    pub(crate) fn repeat(&mut self, to: Peer, sequence: Sequence) {
        if let Some(link) = self.links.get_mut(&to) {
            link.again.insert(sequence);
            self.due.insert(to);
        }
    }

    /// A receiver runs anew, or was heard from for the first time: what was sent did not reach it.
    pub(crate) fn on_peer_started(&mut self, peer: Peer) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.sent_below = link.lowest();
            self.due.insert(peer);
        }
    }

    /// It is offered no more, be it answered for or not. Who offered it, if it was.
    pub(crate) fn withdraw(&mut self, to: Peer, sequence: Sequence) -> Option<A> {
        let link = self.links.get_mut(&to)?;
        let (by, _) = link.offers.remove(&sequence)?;
        if link.offers.is_empty() {
            self.unused = self.unused.max(link.next);
            self.links.remove(&to);
            self.due.remove(&to);
        } else {
            self.due.insert(to); // The window has moved.
        }
        Some(by)
    }

    /// What is to be sent.
    pub(crate) fn take_due(&mut self) -> Vec<(Peer, Parcel)> {
        let mut parcels = Vec::new();
        while let Some(to) = self.due.pop_first() {
            if let Some(link) = self.links.get_mut(&to) {
                parcels.extend(link.take_due(self.window).into_iter().map(|parcel| (to, parcel)));
            }
        }
        parcels
    }

    /// The parcel for an event that nobody will answer for.
    pub(crate) fn notification(&mut self, offer: Offer) -> Parcel {
        let number = self.next_notification;
        self.next_notification = number.next();
        let Offer { emitter, event, payload, as_of } = offer;
        Parcel::Notify { emitter, event, payload, number, as_of }
    }

    /// How many answers are waited for.
    pub(crate) fn len(&self) -> u64 {
        self.links.values().map(|link| link.offers.len() as u64).sum()
    }
}

impl<A> Link<A> {
    fn new(first: Sequence) -> Self {
        Self { next: first, offers: BTreeMap::new(), sent_below: first, again: BTreeSet::new() }
    }

    /// The lowest number offered.
    fn lowest(&self) -> Sequence {
        self.offers.first_key_value().map_or(self.next, |(sequence, _)| *sequence)
    }

    /// Of what the window has room for, what was not sent yet and what is to be sent again. Only the
    /// first is sent when it is larger than the window.
    fn take_due(&mut self, window: Window) -> Vec<Parcel> {
        let lowest = self.lowest();
        let again = core::mem::take(&mut self.again);
        let (mut room, mut bytes) = (window.messages, 0_u64);
        let mut parcels = Vec::new();
        for (&sequence, (_, offer)) in &self.offers {
            bytes = bytes.saturating_add(offer.size());
            let fits = sequence == lowest || bytes <= window.bytes;
            if room == 0 || !fits {
                break;
            }
            room -= 1;
            if sequence >= self.sent_below || again.contains(&sequence) {
                parcels.push(offer.clone().published(sequence, lowest));
            }
            self.sent_below = self.sent_below.max(sequence.next());
        }
        parcels
    }
}

impl Offer {
    /// How many bytes of names and payload it has.
    pub(crate) fn size(&self) -> u64 {
        self.event.len_u64().saturating_add(self.payload.len_u64())
    }

    fn published(self, sequence: Sequence, lowest: Sequence) -> Parcel {
        let Self { emitter, event, payload, as_of } = self;
        Parcel::Publish { emitter, event, payload, sequence, lowest, as_of }
    }
}
