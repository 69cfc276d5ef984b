//! Rebuilding the replicated state from the parts of a snapshot.

use super::Store;
use super::collections::{Collections, Slot};
use super::emitter::Subscription;
use super::kind::CollectionKind;
use super::remote_map::{Operations, Queued};
use super::reply::Reply;
use super::session::Session;
use super::snapshot::{Item, VERSION};
use super::waste::Waste;

/// A state being rebuilt.
///
/// After an error it is of no more use.
#[derive(Debug)]
pub(crate) struct Loader {
    store: Store,
    within: Section,
}

/// Why a snapshot cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is of this later version.
    TooNew(u8),
    /// It is cut short, or what it consists of is no items.
    Malformed,
    /// Its items do not follow from any state.
    Impossible,
}

/// Which items may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Start,
    Sessions,
    Collections,
    End,
}

impl Loader {
    pub(crate) fn new() -> Self {
        Self { store: Store::new(), within: Section::Start }
    }

    /// Reads the next part.
    pub(crate) fn load(&mut self, part: &[u8]) -> Result<(), Unreadable> {
        let (version, mut rest) = part.split_first().ok_or(Unreadable::Malformed)?;
        if *version > VERSION {
            return Err(Unreadable::TooNew(*version));
        }
        if *version < VERSION || rest.is_empty() {
            return Err(Unreadable::Malformed);
        }
        while !rest.is_empty() {
            let (item, behind) =
                postcard::take_from_bytes(rest).map_err(|_| Unreadable::Malformed)?;
            self.within = self.add(item).ok_or(Unreadable::Impossible)?;
            rest = behind;
        }
        Ok(())
    }

    /// The state, once all parts are read.
    pub(crate) fn finish(self) -> Result<Store, Unreadable> {
        match self.within {
            Section::End => Ok(self.store),
            Section::Start | Section::Sessions | Section::Collections => Err(Unreadable::Malformed),
        }
    }

    /// Throws away what was read. O(1).
    pub(crate) fn into_waste(self) -> Waste {
        self.store.into_waste()
    }

    /// Adds one item, if there is a state that has it there. The section it is in.
    fn add(&mut self, item: Item) -> Option<Section> {
        let Store { sessions, collections, remote_queue, queued, .. } = &mut self.store;
        let (first, in_sessions, in_collections) = match self.within {
            Section::Start => (true, false, false),
            Section::Sessions => (false, true, false),
            Section::Collections => (false, false, true),
            Section::End => (false, false, false),
        };
        let (fits, section) = match item {
            Item::Limits(limits, queues) => {
                if first {
                    sessions.limit(limits);
                    *remote_queue = queues;
                }
                (first, Section::Sessions)
            }
            Item::Session { id, owner, last_used, answered_below } => {
                let session = Session::new(owner, last_used, answered_below);
                (in_sessions && sessions.load(id, session), Section::Sessions)
            }
            Item::Reply { sequence, index, end } => {
                let reply = Reply { index, end: end.into() };
                (in_sessions && sessions.load_reply(sequence, reply), Section::Sessions)
            }
            Item::Forgotten(sequence) => {
                (in_sessions && sessions.load_forgotten(sequence), Section::Sessions)
            }
            Item::Collection { name, body, next_position } => {
                let may = in_sessions || in_collections;
                (may && collections.load(name, body, next_position), Section::Collections)
            }
            Item::Slot { position, key, value, version } => {
                let slot = Slot { key, value, version };
                let fits = in_collections && may_hold(collections, queued, &slot);
                (fits && collections.load_slot(position, slot), Section::Collections)
            }
            Item::End { digest } => {
                let may = in_sessions || in_collections;
                (may && digest == self.store.digest(), Section::End)
            }
        };
        fits.then_some(section)
    }
}

/// Whether the collection loaded last may have such a slot, by what its kind keeps in one. An operation
/// that is queued is noted.
fn may_hold(collections: &Collections, queued: &mut Operations, slot: &Slot) -> bool {
    match collections.loaded_last() {
        None => false,
        Some((_, CollectionKind::Map | CollectionKind::Queue | CollectionKind::Record)) => true,
        Some((_, CollectionKind::Emitter)) => Subscription::of(slot).is_some(),
        Some((name, CollectionKind::RemoteMap)) => {
            Queued::of(slot).is_some() && queued.insert(slot.version, name.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::super::kind::Body;
    use super::super::name::Name;
    use super::super::snapshot::ReplyEnd;
    use super::*;
    use crate::Bytes;
    use crate::config::{RemoteQueueLimits, SessionLimits};
    use crate::types::{Identity, Incarnation, Index, Life, NodeId, Peer, Sequence, SessionId};

    fn limits() -> Item {
        let sessions =
            SessionLimits { max_sessions: 2, window: 4, max_reply_bytes: 40, lifetime_entries: 9 };
        Item::Limits(sessions, RemoteQueueLimits::default())
    }

    fn session(opened: u64, node: Option<u64>) -> Item {
        let owner = node.map(|id| Identity {
            peer: Peer { id: NodeId::new(id), incarnation: Incarnation::new(1) },
            life: Life::FIRST,
        });
        Item::Session {
            id: SessionId::new(Index::new(opened)),
            owner,
            last_used: Index::new(5),
            answered_below: Sequence::new(3),
        }
    }

    fn reply(sequence: u64) -> Item {
        Item::Reply {
            sequence: Sequence::new(sequence),
            index: Index::new(5),
            end: ReplyEnd::Awaited,
        }
    }

    fn forgotten(sequence: u64) -> Item {
        Item::Forgotten(Sequence::new(sequence))
    }

    fn collection(name: &str, next_position: u64) -> Item {
        let name = Name::new(name).expect("short");
        Item::Collection { name, body: Body::Map, next_position }
    }

    fn slot(position: u64, key: &str) -> Item {
        let bytes = |text: &str| text.as_bytes().into();
        Item::Slot { position, key: bytes(key), value: bytes("v"), version: Index::new(4) }
    }

    /// Loads the limits and these items.
    fn load(items: &[Item]) -> (Loader, Result<(), Unreadable>) {
        let mut part = Vec::from([VERSION]);
        for item in [&limits()].into_iter().chain(items) {
            part = postcard::to_extend(item, part).expect("an item serialises into memory");
        }
        let mut loader = Loader::new();
        let result = loader.load(&part);
        (loader, result)
    }

    #[test]
    fn items_that_follow_from_no_state_are_refused() {
        let after_end = |item| {
            let digest = load(&[]).0.store.digest();
            vec![Item::End { digest }, item]
        };
        // What may be, and what may not come behind it.
        let cases = [
            (vec![], vec![limits(), reply(3), forgotten(3), slot(0, "k"), session(6, None)]),
            (vec![], vec![collection("m", u64::MAX), Item::End { digest: 0 }]),
            (vec![session(2, Some(1))], vec![session(2, None), session(1, None)]),
            (vec![session(2, Some(1))], vec![session(3, Some(1)), limits(), slot(0, "k")]),
            (vec![session(2, Some(1)), session(3, Some(2))], vec![session(4, None)]),
            (vec![session(2, None)], vec![reply(2), reply(7), forgotten(2), forgotten(7)]),
            (vec![session(2, None), reply(4)], vec![reply(4), reply(3), forgotten(4)]),
            (vec![session(2, None), reply(3), reply(6)], vec![reply(5)]),
            (vec![session(2, None), reply(3), reply(4)], vec![reply(5)]),
            (vec![session(2, None), forgotten(4)], vec![forgotten(4), forgotten(3), reply(5)]),
            (vec![session(2, None), collection("m", 0)], vec![session(3, None), reply(3)]),
            (vec![session(2, None), collection("m", 0)], vec![forgotten(3), limits()]),
            (vec![collection("m", 2)], vec![collection("m", 2), collection("l", 2), slot(2, "k")]),
            (vec![collection("m", 9), slot(4, "k")], vec![slot(4, "l"), slot(3, "l")]),
            (vec![collection("m", 9), slot(4, "k")], vec![slot(5, "k"), slot(9, "l")]),
            (after_end(session(2, None)), vec![]),
            (after_end(collection("m", 0)), vec![]),
            (after_end(limits()), vec![]),
        ];
        for (items, refused) in cases {
            if refused.is_empty() {
                assert_eq!(load(&items).1, Err(Unreadable::Impossible), "{items:?}");
                continue;
            }
            assert_eq!(load(&items).1, Ok(()), "{items:?}");
            for item in refused {
                let items = [&*items, &[item]].concat();
                assert_eq!(load(&items).1, Err(Unreadable::Impossible), "{items:?}");
            }
        }
    }

    #[test]
    fn a_snapshot_has_an_end() {
        let items = [session(2, Some(1)), reply(3), forgotten(4), collection("m", 2), slot(1, "")];
        let (loader, result) = load(&items);
        assert_eq!(result, Ok(()));
        let digest = loader.store.digest();
        assert_eq!(loader.finish().map(drop), Err(Unreadable::Malformed));
        let (loader, result) = load(&[&items[..], &[Item::End { digest }]].concat());
        assert_eq!(result, Ok(()));
        let store = loader.finish().expect("it came to its end");
        assert_eq!(store.digest(), digest);
        assert_eq!(
            store
                .collection("m")
                .and_then(|map| map.get(&Bytes::default()))
                .map(|slot| slot.version),
            Some(Index::new(4))
        );
    }

    #[test]
    fn a_later_version_is_told_from_nonsense() {
        let cases: [(&[u8], Unreadable); 5] = [
            (&[], Unreadable::Malformed),
            (&[VERSION], Unreadable::Malformed),
            (&[0, 0, 1, 1, 1, 1], Unreadable::Malformed),
            (&[VERSION, 9], Unreadable::Malformed),
            (&[VERSION + 1], Unreadable::TooNew(VERSION + 1)),
        ];
        for (part, error) in cases {
            assert_eq!(Loader::new().load(part), Err(error), "{part:?}");
        }
    }
}
