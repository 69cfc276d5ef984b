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
    /// For members of which no life is known yet, since when.
    held: BTreeMap<Peer, Vec<(u64, Parcel)>>,
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
            held: BTreeMap::new(),
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

    /// A receiver runs anew, or was heard from for the first time: what was sent did not reach it. What
    /// was held for it goes, if that was not before `since`.
    pub(crate) fn on_peer_started(&mut self, peer: Peer, since: u64) {
        self.forget_held(since);
        if let Some(link) = self.links.get_mut(&peer) {
            link.sent_below = link.lowest();
        }
        self.due.insert(peer);
    }

    /// Holds a notification for a member that has just been asked who it is, as far as its window has
    /// room; what was held before `since` is lost.
    pub(crate) fn hold(&mut self, to: Peer, notification: Parcel, (since, now): (u64, u64)) {
        self.forget_held(since);
        let held = self.held.entry(to).or_default();
        let bytes: u64 = held.iter().map(|(_, parcel)| parcel.size()).sum();
        let has_room = (held.len() as u64) < self.window.messages && bytes < self.window.bytes;
        if has_room {
            held.push((now, notification));
        }
    }

    fn forget_held(&mut self, since: u64) {
        self.held.retain(|_, held| {
            held.retain(|(at, _)| *at >= since);
            !held.is_empty()
        });
    }

    /// It was answered for. Who offered it, if it was offered still.
    pub(crate) fn answered(&mut self, to: Peer, sequence: Sequence) -> Option<A> {
        self.withdraw(to, sequence, Some(sequence.next()))
    }

    /// It is offered no more, though nobody has answered for it.
    pub(crate) fn give_up(&mut self, to: Peer, sequence: Sequence) {
        self.withdraw(to, sequence, None);
    }

    /// The receiver goes on with `next` by itself.
    fn withdraw(&mut self, to: Peer, sequence: Sequence, next: Option<Sequence>) -> Option<A> {
        let link = self.links.get_mut(&to)?;
        let was_lowest = link.lowest() == sequence;
        let (by, _) = link.offers.remove(&sequence)?;
        let lowest = link.lowest();
        if was_lowest && next != Some(lowest) {
            link.again.insert(lowest); // It does not know that it need not wait for those before.
        }
        if link.offers.is_empty() {
            self.unused = self.unused.max(link.next);
            self.links.remove(&to);
            self.due.remove(&to);
        } else {
            self.due.insert(to); // The window has moved.
        }
        Some(by)
    }

    /// What is to be sent. What is held for a member stays so until that one `is_known`.
    pub(crate) fn take_due(&mut self, is_known: impl Fn(Peer) -> bool) -> Vec<(Peer, Parcel)> {
        let mut parcels = Vec::new();
        while let Some(to) = self.due.pop_first() {
            if is_known(to) {
                let held = self.held.remove(&to).unwrap_or_default();
                parcels.extend(held.into_iter().map(|(_, parcel)| (to, parcel)));
            }
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

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;
    use crate::config::Birth;
    use crate::types::{Incarnation, NodeId};

    fn peer(id: u64) -> Peer {
        Peer { id: NodeId::new(id), incarnation: Incarnation::new(id) }
    }

    fn offer(bytes: usize) -> Offer {
        let (event, payload) = (Bytes::default(), Bytes::from(alloc::vec![b'x'; bytes]));
        Offer { emitter: Name::new("e").expect("short"), event, payload, as_of: Index::new(7) }
    }

    fn links(messages: u64, bytes: u64) -> Links<&'static str> {
        let mut config = Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found);
        config.max_inflight_messages = messages;
        config.max_inflight_bytes = bytes;
        Links::new(&config)
    }

    /// What is sent: receiver, number and lowest number of each parcel.
    fn due(links: &mut Links<&'static str>) -> String {
        let parcels = links.take_due(|_| true).into_iter().map(|(to, parcel)| match &parcel {
            Parcel::Publish { sequence, lowest, .. } => {
                alloc::format!("{}:{sequence}/{lowest}", to.id)
            }
            Parcel::PublishReply { .. } | Parcel::Notify { .. } => panic!("{parcel} is not due"),
        });
        parcels.collect::<Vec<_>>().join(" ")
    }

    fn sequence(number: u64) -> Sequence {
        Sequence::new(number)
    }

    #[test]
    fn each_receiver_has_its_own_numbers() {
        let mut links = links(8, 100);
        let offered = [1, 2, 1].map(|id| links.offer(peer(id), "a", offer(1)).to_string());
        assert_eq!(offered, ["0", "0", "1"]);
        assert_eq!(due(&mut links), "n1:0/0 n1:1/0 n2:0/0");
        assert_eq!((due(&mut links), links.len()), (String::new(), 3));
    }

    #[test]
    fn no_more_than_the_window_is_sent_and_the_rest_when_it_moves() {
        let cases = [(2, 100, 1), (9, 8, 4), (9, 3, 4)];
        let sent = ["n2:0/0 n2:1/0", "n2:0/0 n2:1/0", "n2:0/0"];
        let then = ["n2:2/1", "n2:2/1", "n2:1/1"];
        for (at, (messages, bytes, size)) in cases.into_iter().enumerate() {
            let mut links = links(messages, bytes);
            for by in ["a", "b", "c", "d"] {
                links.offer(peer(2), by, offer(size));
            }
            assert_eq!(due(&mut links), sent[at], "{messages} messages, {bytes} bytes");
            assert_eq!(links.answered(peer(2), sequence(0)), Some("a"));
            assert_eq!(due(&mut links), then[at], "{messages} messages, {bytes} bytes");
        }
    }

    #[test]
    fn only_what_was_sent_is_sent_again() {
        let mut links = links(2, 100);
        for by in ["a", "b", "c"] {
            links.offer(peer(2), by, offer(1));
        }
        assert_eq!(due(&mut links), "n2:0/0 n2:1/0");
        links.repeat(peer(2), sequence(1));
        links.repeat(peer(2), sequence(2));
        assert_eq!(due(&mut links), "n2:1/0");
        links.on_peer_started(peer(2), 0);
        assert_eq!(due(&mut links), "n2:0/0 n2:1/0");
        links.on_peer_started(peer(3), 0);
        assert_eq!(due(&mut links), "");
    }

    #[test]
    fn an_answer_counts_once_and_out_of_turn() {
        let mut links = links(8, 100);
        for by in ["a", "b"] {
            links.offer(peer(2), by, offer(1));
        }
        due(&mut links);
        assert_eq!(links.answered(peer(2), sequence(1)), Some("b"));
        assert_eq!(links.answered(peer(2), sequence(1)), None);
        assert_eq!(links.answered(peer(3), sequence(0)), None);
        links.offer(peer(2), "c", offer(1));
        assert_eq!(due(&mut links), "n2:2/0");
    }

    #[test]
    fn a_receiver_that_waits_for_what_is_given_up_is_told() {
        let mut links = links(3, 100);
        for by in ["a", "b", "c", "d", "e"] {
            links.offer(peer(2), by, offer(1));
        }
        assert_eq!(due(&mut links), "n2:0/0 n2:1/0 n2:2/0");
        links.give_up(peer(2), sequence(0));
        assert_eq!(due(&mut links), "n2:1/1 n2:3/1");
        links.give_up(peer(2), sequence(2));
        assert_eq!(due(&mut links), "n2:4/1", "it waits for the first yet");
        links.answered(peer(2), sequence(1));
        assert_eq!(due(&mut links), "n2:3/3", "it waits for the one after");
        links.answered(peer(2), sequence(3));
        assert_eq!(due(&mut links), "", "the next is in its turn");
    }

    #[test]
    fn a_notification_is_held_for_a_while_and_as_far_as_there_is_room() {
        let held = |links: &mut Links<&'static str>, id| {
            let taken = links.take_due(|_| true).into_iter();
            let taken = taken.filter(|(to, _)| *to == peer(id)).map(|(_, parcel)| parcel);
            taken.map(|parcel| parcel.to_string()).collect::<Vec<_>>().join(" ")
        };
        let mut links = links(2, 100);
        for (to, now) in [(2, 5), (2, 6), (2, 7), (3, 9)] {
            let notification = links.notification(offer(0));
            links.hold(peer(to), notification, (5, now));
        }
        assert_eq!(held(&mut links, 2), "", "nobody was heard from");
        links.on_peer_started(peer(2), 6);
        assert_eq!(held(&mut links, 2), r#"#1: "e" "" "" as of 7"#);
        links.on_peer_started(peer(2), 6);
        assert_eq!(held(&mut links, 2), "");
        links.on_peer_started(peer(3), 10);
        assert_eq!(held(&mut links, 3), "", "too late");
        assert!(links.held.is_empty());
    }

    #[test]
    fn a_number_is_never_used_again() {
        let mut links = links(8, 100);
        for to in [2, 2, 3] {
            links.offer(peer(to), "a", offer(1));
        }
        for (to, number) in [(2, 0), (2, 1), (3, 0)] {
            links.give_up(peer(to), sequence(number));
        }
        assert_eq!(links.len(), 0);
        links.offer(peer(3), "b", offer(1));
        assert_eq!(due(&mut links), "n3:2/2");
    }
}
