//! The subscriptions of an emitter: which node wants which events, and what it says of itself.
//!
//! A subscription stands under the subscriber and then the event, so that those of a member that leaves
//! are found together, and those of one event by asking for each member in turn: there are few.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::answer::{Answer, Content};
use super::change::EmitterChange;
use super::collections::{CollectionMut, CollectionRef, Slot};
use super::command::{EmitterQuery, SubscriptionChange};
use crate::bytes::Bytes;
use crate::types::{Incarnation, Index, NodeId, Peer};

/// Reads the subscriptions. An emitter that no command has named has none.
pub(super) fn query(
    emitter: Option<CollectionRef<'_>>,
    members: &BTreeSet<Peer>,
    query: &EmitterQuery,
) -> Answer {
    let EmitterQuery::HasSubscribers(event) = query;
    Answer(Content::Flag(subscribers(emitter, members, event).next().is_some()))
}

/// Who has subscribed to an event. O(m log n) for m members and n subscriptions.
pub(crate) fn subscribers<'a>(
    emitter: Option<CollectionRef<'a>>,
    members: &'a BTreeSet<Peer>,
    event: &'a Bytes,
) -> impl Iterator<Item = Peer> + use<'a> {
    let emitter = emitter.into_iter();
    emitter.flat_map(move |emitter| {
        members.iter().copied().filter(move |peer| emitter.get(&key(*peer, event)).is_some())
    })
}

/// A subscription, taken apart.
pub(crate) struct Subscription {
    pub(crate) event: Bytes,
    pub(crate) subscriber: Peer,
}

impl Subscription {
    /// The subscription that a slot of an emitter holds.
    pub(crate) fn of(slot: &Slot) -> Option<Self> {
        let (id, rest) = slot.key.split_first_chunk::<8>()?;
        let (incarnation, event) = rest.split_first_chunk::<8>()?;
        let id = NodeId::new(u64::from_be_bytes(*id));
        let incarnation = Incarnation::new(u64::from_be_bytes(*incarnation));
        Some(Self { event: event.into(), subscriber: Peer { id, incarnation } })
    }
}

/// One command on an emitter's subscriptions being run.
#[derive(Debug)]
pub(super) struct EmitterRun<'a> {
    pub(super) emitter: CollectionMut<'a>,
    pub(super) index: Index,
    pub(super) changes: Vec<EmitterChange>,
}

impl EmitterRun<'_> {
    pub(super) fn execute(&mut self, subscriber: Peer, change: SubscriptionChange) -> Answer {
        Answer(match change {
            SubscriptionChange::Subscribe { event, metadata } => {
                Content::Flag(self.subscribe(subscriber, event, metadata))
            }
            SubscriptionChange::Unsubscribe { event } => {
                Content::Flag(self.unsubscribe(subscriber, event))
            }
            SubscriptionChange::UpdateMetadata { event, new, expected } => {
                let held = self.emitter.get(&key(subscriber, &event));
                let holds = held.is_some_and(|slot| slot.value == expected);
                Content::Flag(holds && !self.subscribe(subscriber, event, new))
            }
            SubscriptionChange::Clear => Content::Count(self.clear(subscriber)),
        })
    }

    /// Ends all subscriptions of a node. How many there were.
    pub(super) fn clear(&mut self, subscriber: Peer) -> u64 {
        let held = self.emitter.as_ref().with_prefix(key(subscriber, &Bytes::default()));
        let events: Vec<Bytes> =
            held.filter_map(|slot| Some(Subscription::of(slot)?.event)).collect();
        let count = events.len() as u64;
        for event in events {
            self.unsubscribe(subscriber, event);
        }
        count
    }

    /// Whether it had not before.
    fn subscribe(&mut self, subscriber: Peer, event: Bytes, metadata: Bytes) -> bool {
        let key = key(subscriber, &event);
        let old = self.emitter.write(key, metadata.clone(), self.index);
        let is_new = old.is_none();
        self.changes.push(match old {
            Some(old) => EmitterChange::MetadataUpdated { event, subscriber, old, new: metadata },
            None => EmitterChange::Subscribed { event, subscriber, metadata },
        });
        is_new
    }

    /// Whether it had.
    fn unsubscribe(&mut self, subscriber: Peer, event: Bytes) -> bool {
        let Some(slot) = self.emitter.remove(&key(subscriber, &event)) else { return false };
        let metadata = slot.value;
        self.changes.push(EmitterChange::Unsubscribed { event, subscriber, metadata });
        true
    }
}

/// Under what a subscription stands.
pub(super) fn key(subscriber: Peer, event: &Bytes) -> Bytes {
    let Peer { id, incarnation } = subscriber;
    [&id.get().to_be_bytes()[..], &incarnation.get().to_be_bytes(), event].concat().into()
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::super::collections::Collections;
    use super::super::kind::CollectionKind;
    use super::super::name::Name;
    use super::*;

    fn bytes(text: &str) -> Bytes {
        text.as_bytes().into()
    }

    fn peer(id: u64, incarnation: u64) -> Peer {
        Peer { id: NodeId::new(id), incarnation: Incarnation::new(incarnation) }
    }

    fn run(
        emitters: &mut Collections,
        subscriber: Peer,
        change: SubscriptionChange,
    ) -> (String, String) {
        let name = Name::new("e").expect("short");
        let edit = |emitter: CollectionMut<'_>| {
            let mut run = EmitterRun { emitter, index: Index::new(1), changes: Vec::new() };
            (run.execute(subscriber, change), run.changes)
        };
        let (answer, changes) = emitters.edit(&name, CollectionKind::Emitter, edit).expect("new");
        emitters.check();
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        (answer.to_string(), changes.join("; "))
    }

    #[test]
    fn each_operation_answers_and_reports_what_it_did() {
        use SubscriptionChange::{Clear, Subscribe, Unsubscribe, UpdateMetadata};

        let subscribe =
            |event, metadata| Subscribe { event: bytes(event), metadata: bytes(metadata) };
        let update = |event, new, expected| UpdateMetadata {
            event: bytes(event),
            new: bytes(new),
            expected: bytes(expected),
        };
        let (one, again, two) = (peer(1, 7), peer(1, 8), peer(2, 7));
        #[rustfmt::skip]
        let script = [
            (one, subscribe("tick", "m"), "true", r#""tick" subscribed by n1#7 ("m")"#),
            (one, subscribe("tick", "m"), "false", r#""tick" of n1#7 is "m", was "m""#),
            (one, subscribe("", ""), "true", r#""" subscribed by n1#7 ("")"#),
            (again, subscribe("tick", "x"), "true", r#""tick" subscribed by n1#8 ("x")"#),
            (two, subscribe("tick", "y"), "true", r#""tick" subscribed by n2#7 ("y")"#),
            (two, update("tick", "z", "m"), "false", ""),
            (two, update("tock", "z", ""), "false", ""),
            (two, update("tick", "z", "y"), "true", r#""tick" of n2#7 is "z", was "y""#),
            (two, Unsubscribe { event: bytes("tock") }, "false", ""),
            (one, Clear, "2", r#""" unsubscribed by n1#7 (""); "tick" unsubscribed by n1#7 ("m")"#),
            (one, Clear, "0", ""),
            (two, Unsubscribe { event: bytes("tick") }, "true", r#""tick" unsubscribed by n2#7 ("z")"#),
        ];
        let mut emitters = Collections::new();
        for (subscriber, change, answer, changes) in script {
            let shown = alloc::format!("{subscriber}: {change:?}");
            let (was_answered, was_changed) = run(&mut emitters, subscriber, change);
            assert_eq!((&*was_answered, &*was_changed), (answer, changes), "{shown}");
        }
        let members = BTreeSet::from([one, again, two]);
        let event = bytes("tick");
        assert!(subscribers(emitters.get("e"), &members, &event).eq([again]));
        let asks = |event| EmitterQuery::HasSubscribers(bytes(event));
        assert_eq!(query(emitters.get("e"), &members, &asks("tick")).to_string(), "true");
        assert_eq!(query(emitters.get("e"), &members, &asks("tock")).to_string(), "false");
        assert_eq!(query(None, &members, &asks("tick")).to_string(), "false");
    }

    #[test]
    fn a_subscription_is_read_back_from_its_key() {
        let slot =
            Slot { key: key(peer(3, 9), &bytes("é")), value: bytes(""), version: Index::ZERO };
        let Subscription { event, subscriber } = Subscription::of(&slot).expect("long enough");
        assert_eq!((event, subscriber), (bytes("é"), peer(3, 9)));
        let slot = Slot { key: bytes("too short"), ..slot };
        assert!(Subscription::of(&slot).is_none());
    }
}
