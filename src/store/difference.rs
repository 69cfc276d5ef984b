//! What differs between the state before and after a snapshot took its place, told a little at a time.
//!
//! What was there before and is not any more comes first, then what is there: entry by entry, in the
//! order of their positions. It is what leads from the one state to the other, not what happened.

use super::Store;
use super::change::{Change, ChangeKind, EmitterChange, EntryChange, QueueChange};
use super::collections::{CollectionRef, Slot};
use super::emitter::Subscription;
use super::kind::CollectionKind;
use super::name::Name;
use crate::types::Index;

/// The state before, and how far it has been compared with the one after.
#[derive(Debug)]
pub(crate) struct Comparison {
    before: Store,
    index: Index,
    /// Whether entries are compared, or only collections told.
    entries: bool,
    at: Place,
}

#[derive(Debug)]
enum Place {
    /// Behind the collection of that name; before all if there is none.
    Behind(Option<Name>),
    /// Within a collection, from that position on, among what was there before or what is there now.
    Within { name: Name, old: bool, position: u64 },
}

/// One thing to be told.
#[derive(Debug, PartialEq)]
pub(crate) enum Told {
    /// This collection stands as the snapshot has it.
    Collection(Name),
    Difference(Change),
    /// What was looked at is the same.
    Nothing,
}

impl Comparison {
    pub(crate) fn new(before: Store, index: Index, entries: bool) -> Self {
        Self { before, index, entries, at: Place::Behind(None) }
    }

    /// The state before, when all is told.
    pub(crate) fn into_before(self) -> Store {
        self.before
    }

    /// Goes one collection, or one entry, further. Nothing is left to be told when there is none.
    pub(crate) fn next(&mut self, after: &Store) -> Option<Told> {
        match &self.at {
            Place::Behind(name) => {
                let ours = self.before.collection_after(name.as_ref()).map(|(name, _)| name);
                let theirs = after.collection_after(name.as_ref()).map(|(name, _)| name);
                let name = ours.into_iter().chain(theirs).min()?.clone();
                self.at = if self.entries {
                    Place::Within { name: name.clone(), old: true, position: 0 }
                } else {
                    Place::Behind(Some(name.clone()))
                };
                Some(Told::Collection(name))
            }
            Place::Within { name, old: true, position } => {
                let (name, position) = (name.clone(), *position);
                Some(self.compare_old(after, name, position))
            }
            Place::Within { name, old: false, position } => {
                let (name, position) = (name.clone(), *position);
                Some(self.compare_new(after, name, position))
            }
        }
    }

    fn compare_old(&mut self, after: &Store, name: Name, position: u64) -> Told {
        let before = self.before.collection(name.as_str());
        let now = after.collection(name.as_str());
        let gone = match (before, now) {
            (Some(before), Some(now)) if before.kind() == now.kind() => None,
            (before, _) => before.map(|before| ChangeKind::Dropped(before.kind())),
        };
        let (next, told) = match (gone, before.and_then(|before| before.slot_from(position))) {
            (Some(kind), _) => (None, Some(kind)),
            (None, None) => (None, None),
            (None, Some((position, slot))) => {
                let still = now.and_then(|now| counterpart(now, position, slot));
                let kind = before.map(CollectionRef::kind);
                let told = kind.filter(|_| still.is_none()).and_then(|kind| removed(kind, slot));
                (Some(position + 1), told)
            }
        };
        self.at = match next {
            Some(position) => Place::Within { name: name.clone(), old: true, position },
            None => Place::Within { name: name.clone(), old: false, position: 0 },
        };
        self.told(name, told)
    }

    fn compare_new(&mut self, after: &Store, name: Name, position: u64) -> Told {
        let now = after.collection(name.as_str());
        let Some((now, (position, slot))) =
            now.and_then(|now| Some((now, now.slot_from(position)?)))
        else {
            self.at = Place::Behind(Some(name));
            return Told::Nothing;
        };
        let before = self.before.collection(name.as_str());
        let before = before.filter(|before| before.kind() == now.kind());
        let old = before.and_then(|before| counterpart(before, position, slot));
        let told = match old {
            Some(old) if old.value == slot.value => None,
            old => written(now.kind(), slot, old),
        };
        self.at = Place::Within { name: name.clone(), old: false, position: position + 1 };
        self.told(name, told)
    }

    fn told(&self, name: Name, kind: Option<ChangeKind>) -> Told {
        match kind {
            Some(kind) => Told::Difference(Change { index: self.index, name, kind }),
            None => Told::Nothing,
        }
    }
}

/// What stands for a slot in the other state: the one of its key, or of a queue the very same.
fn counterpart<'a>(other: CollectionRef<'a>, position: u64, slot: &Slot) -> Option<&'a Slot> {
    match other.kind() {
        CollectionKind::Map | CollectionKind::Record | CollectionKind::Emitter => {
            other.get(&slot.key)
        }
        CollectionKind::Queue | CollectionKind::RemoteMap => {
            let (found, other) = other.slot_from(position)?;
            (found == position && other.version == slot.version).then_some(other)
        }
    }
}

fn removed(kind: CollectionKind, slot: &Slot) -> Option<ChangeKind> {
    let Slot { key, value, .. } = slot.clone();
    Some(match kind {
        CollectionKind::Map => ChangeKind::Map(EntryChange::Remove { key, value }),
        CollectionKind::Record => ChangeKind::Record(EntryChange::Remove { key, value }),
        CollectionKind::Queue => ChangeKind::Queue(QueueChange::Remove { value }),
        CollectionKind::Emitter => {
            let Subscription { event, subscriber } = Subscription::of(slot)?;
            let metadata = value;
            ChangeKind::Emitter(EmitterChange::Unsubscribed { event, subscriber, metadata })
        }
        // Its entries are not here, and what waits for them is no event.
        CollectionKind::RemoteMap => return None,
    })
}

fn written(kind: CollectionKind, slot: &Slot, old: Option<&Slot>) -> Option<ChangeKind> {
    let Slot { key, value, .. } = slot.clone();
    let old = old.map(|old| old.value.clone());
    let entry = |key, value| match old.clone() {
        Some(old) => EntryChange::Update { key, old, new: value },
        None => EntryChange::Insert { key, value },
    };
    Some(match kind {
        CollectionKind::Map => ChangeKind::Map(entry(key, value)),
        CollectionKind::Record => ChangeKind::Record(entry(key, value)),
        CollectionKind::Queue => ChangeKind::Queue(QueueChange::Add { value }),
        CollectionKind::Emitter => {
            let Subscription { event, subscriber } = Subscription::of(slot)?;
            ChangeKind::Emitter(match old {
                Some(old) => EmitterChange::MetadataUpdated { event, subscriber, old, new: value },
                None => EmitterChange::Subscribed { event, subscriber, metadata: value },
            })
        }
        CollectionKind::RemoteMap => return None,
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec;
    use alloc::vec::Vec;

    use super::super::command::{
        CollectionCommand, Command, MapCommand, Operation, QueueCommand, RecordCommand,
        RemoteCommand, SubscriptionChange,
    };
    use super::super::remote_operation::RemoteOperation;
    use super::*;
    use crate::bytes::Bytes;
    use crate::types::{Identity, Incarnation, Life, NodeId, Peer, Sequence, SessionId};

    fn bytes(text: &str) -> Bytes {
        text.as_bytes().into()
    }

    const PEER: Peer = Peer { id: NodeId::new(1), incarnation: Incarnation::new(1) };

    /// What a store holds after these commands, the first of which is entry 2.
    fn store(commands: &[(&str, CollectionCommand)]) -> Store {
        let mut store = Store::new();
        store.seat(Index::new(1), [PEER].into());
        let owner = Identity { peer: PEER, life: Life::FIRST };
        store.apply(Index::new(1), Command::OpenSession { owner });
        for (index, (name, command)) in (2..).zip(commands) {
            let operation = Operation::Collection {
                name: Name::new(name).expect("short"),
                command: command.clone(),
            };
            let sequence = Sequence::new(index);
            let session = SessionId::new(Index::new(1));
            let command =
                Command::Execute { session, sequence, answered_below: sequence, operation };
            store.apply(Index::new(index), command);
        }
        store
    }

    /// What is told of two states.
    fn told(before: Store, after: &Store, entries: bool) -> Vec<String> {
        let mut comparison = Comparison::new(before, Index::new(9), entries);
        let all = core::iter::from_fn(|| comparison.next(after));
        all.filter_map(|told| match told {
            Told::Collection(name) => Some(name.as_str().to_string()),
            Told::Difference(change) => Some(change.to_string()),
            Told::Nothing => None,
        })
        .collect()
    }

    fn set(entries: &[(&str, &str)]) -> CollectionCommand {
        let entries = entries.iter().map(|(key, value)| (bytes(key), bytes(value)));
        CollectionCommand::Map(MapCommand::Set(entries.collect()))
    }

    fn remove(key: &str) -> CollectionCommand {
        CollectionCommand::Map(MapCommand::Remove(vec![bytes(key)]))
    }

    fn push(values: &[&str]) -> CollectionCommand {
        let values = values.iter().map(|value| bytes(value)).collect();
        CollectionCommand::Queue(QueueCommand::Push(values))
    }

    fn pop(count: u64) -> CollectionCommand {
        CollectionCommand::Queue(QueueCommand::Pop(count))
    }

    fn field(field: &str, value: &str) -> CollectionCommand {
        let command = RecordCommand::Set { field: bytes(field), value: bytes(value) };
        CollectionCommand::Record(command)
    }

    fn subscribe(event: &str, metadata: &str) -> CollectionCommand {
        let (event, metadata) = (bytes(event), bytes(metadata));
        let change = SubscriptionChange::Subscribe { event, metadata };
        CollectionCommand::Emitter { subscriber: PEER, change }
    }

    #[test]
    fn the_difference_of_each_kind_is_told_entry_by_entry() {
        let run = || {
            CollectionCommand::RemoteMap(RemoteCommand::Run {
                operation: RemoteOperation::Clear,
                events: true,
            })
        };
        let before = [
            ("m", set(&[("a", "1"), ("b", "2"), ("c", "3")])),
            ("q", push(&["x", "y"])),
            ("r", field("age", "1")),
            ("e", subscribe("tick", "m")),
            ("x", run()),
            ("gone", set(&[("k", "v")])),
            ("other", push(&["v"])),
        ];
        let more = [
            ("m", set(&[("c", "4"), ("d", "5"), ("b", "2")])),
            ("m", remove("a")),
            ("q", pop(1)),
            ("q", push(&["z"])),
            ("r", field("age", "2")),
            ("r", field("name", "")),
            ("e", subscribe("tick", "n")),
            ("e", subscribe("tock", "")),
            ("gone", CollectionCommand::Drop(CollectionKind::Map)),
            ("other", CollectionCommand::Drop(CollectionKind::Queue)),
            ("other", set(&[("k", "v")])),
        ];
        let after = store(&[&before[..], &more[..]].concat());
        assert_eq!(
            told(store(&before), &after, true),
            [
                "e",
                r#"emitter "e" at 9: "tick" of n1#1 is "n", was "m""#,
                r#"emitter "e" at 9: "tock" subscribed by n1#1 ("")"#,
                "gone",
                r#"map "gone" at 9: dropped"#,
                "m",
                r#"map "m" at 9: remove "a", was "1""#,
                r#"map "m" at 9: update "c" = "4", was "3""#,
                r#"map "m" at 9: insert "d" = "5""#,
                "other",
                r#"queue "other" at 9: dropped"#,
                r#"map "other" at 9: insert "k" = "v""#,
                "q",
                r#"queue "q" at 9: remove "x""#,
                r#"queue "q" at 9: add "z""#,
                "r",
                r#"record "r" at 9: update "age" = "2", was "1""#,
                r#"record "r" at 9: insert "name" = """#,
                "x",
            ]
        );
        let names = ["e", "gone", "m", "other", "q", "r", "x"];
        assert_eq!(told(store(&before), &after, false), names);
        let backwards = told(after, &store(&before), true);
        assert!(
            backwards.contains(&r#"emitter "e" at 9: "tock" unsubscribed by n1#1 ("")"#.into())
        );
        assert!(backwards.contains(&r#"map "m" at 9: insert "a" = "1""#.into()));
        assert_eq!(
            told(store(&before), &store(&before), true),
            ["e", "gone", "m", "other", "q", "r", "x"]
        );
    }
}
