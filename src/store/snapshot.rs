//! Snapshots of the replicated state, written part by part while it goes on being changed.
//!
//! A part is a version and items, each a postcard body, in an order that follows from the state: the
//! limits; the sessions by id, each followed by its replies and its forgotten numbers; the
//! collections by name, each followed by its slots; the digest of all this. Items are append-only: the
//! position of a variant is its code in every snapshot there is.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Store;
use super::answer::{Answer, Content};
use super::collections::{Collection, CollectionId, Collections, Slot};
use super::kind::Body;
use super::name::Name;
use super::reply::{End, Reply};
use super::session::{Session, Sessions};
use crate::bytes::Bytes;
use crate::config::{RemoteQueueLimits, SessionLimits};
use crate::io::Refusal;
use crate::types::{Identity, Index, Sequence, SessionId};

/// What snapshots consist of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Item {
    Limits(SessionLimits, RemoteQueueLimits),
    Session {
        id: SessionId,
        owner: Option<Identity>,
        last_used: Index,
        answered_below: Sequence,
    },
    /// Of the last session before it.
    Reply {
        sequence: Sequence,
        index: Index,
        end: ReplyEnd,
    },
    /// Of the last session before it.
    Forgotten(Sequence),
    Collection {
        name: Name,
        body: Body,
        next_position: u64,
    },
    /// Of the last collection before it.
    Slot {
        position: u64,
        key: Bytes,
        value: Bytes,
        version: Index,
    },
    /// The last one: the digest of the state.
    End {
        digest: u64,
    },
}

/// How the command ended that a reply is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum ReplyEnd {
    Answer(Content),
    Refused(Refusal),
    Awaited,
}

/// A snapshot being written.
#[derive(Debug)]
pub(super) struct Writer {
    next: Stage,
    limits: (SessionLimits, RemoteQueueLimits),
    digest: u64,
    /// An item that did not fit into the part before.
    left_over: Vec<u8>,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Limits,
    Sessions,
    Replies(SessionId),
    Forgotten(SessionId),
    Collections,
    Slots(CollectionId),
    End,
    Nothing,
}

impl Store {
    /// Fixes the present state as what the parts to come describe. O(1).
    ///
    /// # Panics
    /// If a snapshot is being written.
    pub(crate) fn freeze(&mut self) {
        assert!(!self.is_frozen(), "one snapshot is written at a time");
        self.writer = Some(Writer {
            next: Stage::Limits,
            limits: (self.sessions.limits(), self.remote_queue),
            digest: self.digest(),
            left_over: Vec::new(),
        });
        self.sessions.freeze();
        self.collections.freeze();
    }

    /// Whether a snapshot is being written.
    pub(crate) fn is_frozen(&self) -> bool {
        self.writer.is_some()
    }

    /// The next part of the snapshot, of about as many `bytes`; longer, if a single item is. After the
    /// last one there is none and the snapshot is done.
    ///
    /// The parts follow from the state at the freeze and from the `bytes` asked for, from nothing else.
    pub(crate) fn next_part(&mut self, bytes: u64) -> Option<Bytes> {
        let Self { writer, sessions, collections, .. } = self;
        let writer = writer.as_mut()?;
        let mut part = Vec::from([VERSION]);
        part.append(&mut writer.left_over);
        let mut filled = counted(part.len());
        while let Some(item) = writer.next_item(sessions, collections) {
            let before = part.len();
            part = postcard::to_extend(&item, part).expect("an item serialises into memory");
            filled += counted(part.len() - before);
            if filled > bytes && before > 1 {
                writer.left_over = part.split_off(before);
                break;
            }
        }
        if part.len() == 1 {
            self.thaw();
            return None;
        }
        Some(part.into())
    }

    /// Gives up the snapshot that is being written, if one is. O(1).
    pub(crate) fn thaw(&mut self) {
        self.writer = None;
        self.sessions.thaw(&mut self.waste);
        self.collections.thaw(&mut self.waste);
    }
}

impl Writer {
    fn next_item(
        &mut self,
        sessions: &mut Sessions,
        collections: &mut Collections,
    ) -> Option<Item> {
        loop {
            let (item, next) = match self.next {
                Stage::Limits => {
                    (Some(Item::Limits(self.limits.0, self.limits.1)), Stage::Sessions)
                }
                Stage::Sessions => match sessions.next_frozen() {
                    Some((id, session)) => {
                        let Session { owner, last_used, answered_below, .. } = session;
                        let item = Item::Session { id, owner, last_used, answered_below };
                        (Some(item), Stage::Replies(id))
                    }
                    None => (None, Stage::Collections),
                },
                Stage::Replies(id) => match sessions.next_frozen_reply(id) {
                    Some((sequence, Reply { index, end })) => {
                        let end = ReplyEnd::from(end);
                        (Some(Item::Reply { sequence, index, end }), self.next)
                    }
                    None => (None, Stage::Forgotten(id)),
                },
                Stage::Forgotten(id) => match sessions.next_frozen_forgotten(id) {
                    Some(sequence) => (Some(Item::Forgotten(sequence)), self.next),
                    None => (None, Stage::Sessions),
                },
                Stage::Collections => match collections.next_frozen() {
                    Some((name, Collection { body, id, next_position, .. })) => {
                        let item = Item::Collection { name, body, next_position };
                        (Some(item), Stage::Slots(id))
                    }
                    None => (None, Stage::End),
                },
                Stage::Slots(id) => match collections.next_frozen_slot(id) {
                    Some((position, Slot { key, value, version })) => {
                        (Some(Item::Slot { position, key, value, version }), self.next)
                    }
                    None => (None, Stage::Collections),
                },
                Stage::End => (Some(Item::End { digest: self.digest }), Stage::Nothing),
                Stage::Nothing => return None,
            };
            self.next = next;
            if item.is_some() {
                return item;
            }
        }
    }
}

impl From<End> for ReplyEnd {
    fn from(end: End) -> Self {
        match end {
            End::Answer(answer) => Self::Answer(Answer::clone(&answer).0),
            End::Refused(because) => Self::Refused(because),
            End::Awaited => Self::Awaited,
        }
    }
}

impl From<ReplyEnd> for End {
    fn from(end: ReplyEnd) -> Self {
        match end {
            ReplyEnd::Answer(content) => Self::Answer(Arc::new(Answer(content))),
            ReplyEnd::Refused(because) => Self::Refused(because),
            ReplyEnd::Awaited => Self::Awaited,
        }
    }
}

/// What an encoded item counts: small ones take as long to read and write as larger ones.
fn counted(bytes: usize) -> u64 {
    (bytes as u64).max(32)
}

/// In front of every part.
pub(super) const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec;

    use proptest::prelude::*;

    use super::super::CollectionKind;
    use super::super::command::{
        CollectionCommand, Command, Contents, MapCommand, Operation, QueueCommand, RecordCommand,
        RemoteCommand, SubscriptionChange,
    };
    use super::super::loader::Unreadable;
    use super::super::remote_operation::{
        RemoteAnswer, RemoteOperation, RemoteOutcome, StoreError,
    };
    use super::super::{CollectionRef, Loader};
    use super::*;
    use crate::types::{Incarnation, Life, NodeId, Peer};

    /// What a test does next, with small numbers so that they often meet.
    #[derive(Clone, Debug)]
    enum Step {
        Open {
            node: u64,
            life: u32,
        },
        Execute {
            back: usize,
            sequence: u64,
            answered_below: u64,
            operation: Operation,
        },
        /// Ends the operation that was queued so many entries ago, if one was.
        End {
            back: u64,
            name: Name,
            outcome: RemoteOutcome,
        },
        Seat(BTreeSet<Peer>),
        Advance,
        Sweep(u64),
        Part,
    }

    /// What an entry of the log is to the store.
    type Entry = (Index, What);

    #[derive(Clone, Debug)]
    enum What {
        Nothing,
        Command(Command),
        Members(BTreeSet<Peer>),
    }

    const MEMBERS: [Peer; 2] = [
        Peer { id: NodeId::new(0), incarnation: Incarnation::new(1) },
        Peer { id: NodeId::new(1), incarnation: Incarnation::new(1) },
    ];
    const LIMITS: SessionLimits =
        SessionLimits { max_sessions: 4, window: 6, max_reply_bytes: 100, lifetime_entries: 25 };

    fn name(name: &str) -> Name {
        Name::new(name).expect("short")
    }

    fn on(map: &str, command: MapCommand) -> Operation {
        Operation::Collection { name: name(map), command: CollectionCommand::Map(command) }
    }

    fn bytes(text: &str) -> Bytes {
        text.as_bytes().into()
    }

    fn any_bytes() -> impl Strategy<Value = Bytes> {
        prop::sample::select(vec!["", "a", "b", "c", "longer than most"]).prop_map(bytes)
    }

    fn any_map_command() -> impl Strategy<Value = MapCommand> {
        let pairs = || prop::collection::vec((any_bytes(), any_bytes()), 0..4);
        prop_oneof![
            4 => pairs().prop_map(MapCommand::Set),
            2 => pairs().prop_map(MapCommand::Insert),
            2 => (any_bytes(), any_bytes(), any_bytes())
                .prop_map(|(key, value, expected)| MapCommand::UpdateIf { key, value, expected }),
            1 => prop::collection::vec(any_bytes(), 0..3).prop_map(MapCommand::Remove),
            1 => (any_bytes(), any_bytes())
                .prop_map(|(key, expected)| MapCommand::RemoveIf { key, expected }),
            1 => Just(MapCommand::Clear),
        ]
    }

    fn any_queue_command() -> impl Strategy<Value = QueueCommand> {
        prop_oneof![
            3 => prop::collection::vec(any_bytes(), 0..4).prop_map(QueueCommand::Push),
            2 => (0..3_u64).prop_map(QueueCommand::Pop),
            1 => Just(QueueCommand::Clear),
        ]
    }

    fn any_record_command() -> impl Strategy<Value = RecordCommand> {
        let fields = || prop::collection::vec((any_bytes(), any_bytes()), 0..3);
        prop_oneof![
            3 => (any_bytes(), any_bytes())
                .prop_map(|(field, value)| RecordCommand::Set { field, value }),
            1 => fields().prop_map(RecordCommand::Insert),
            1 => (fields(), fields())
                .prop_map(|(fields, expected)| RecordCommand::UpdateIf { fields, expected }),
            1 => any_bytes().prop_map(|field| RecordCommand::Delete { field }),
            1 => Just(RecordCommand::Clear),
        ]
    }

    fn any_subscription() -> impl Strategy<Value = CollectionCommand> {
        let change = prop_oneof![
            3 => (any_bytes(), any_bytes())
                .prop_map(|(event, metadata)| SubscriptionChange::Subscribe { event, metadata }),
            1 => any_bytes().prop_map(|event| SubscriptionChange::Unsubscribe { event }),
            1 => Just(SubscriptionChange::Clear),
        ];
        (any_peer(), change)
            .prop_map(|(subscriber, change)| CollectionCommand::Emitter { subscriber, change })
    }

    fn any_remote_command() -> impl Strategy<Value = RemoteCommand> {
        let entries = prop::collection::vec((any_bytes(), any_bytes()), 0..3);
        let run = |operation, events| RemoteCommand::Run { operation, events };
        prop_oneof![
            3 => (entries.prop_map(RemoteOperation::Set), any::<bool>())
                .prop_map(move |(operation, events)| run(operation, events)),
            2 => Just(run(RemoteOperation::Clear, true)),
            1 => Just(RemoteCommand::Adopt),
        ]
    }

    fn any_contents() -> impl Strategy<Value = Contents> {
        let pairs = || prop::collection::vec((any_bytes(), any_bytes()), 0..4);
        prop_oneof![
            pairs().prop_map(Contents::Map),
            pairs().prop_map(Contents::Record),
            prop::collection::vec(any_bytes(), 0..4).prop_map(Contents::Queue),
        ]
    }

    fn any_kind() -> impl Strategy<Value = CollectionKind> {
        use CollectionKind::{Emitter, Map, Queue, Record, RemoteMap};
        prop::sample::select(vec![Map, Queue, Record, Emitter, RemoteMap])
    }

    fn any_collection_command() -> impl Strategy<Value = CollectionCommand> {
        prop_oneof![
            6 => any_map_command().prop_map(CollectionCommand::Map),
            4 => any_queue_command().prop_map(CollectionCommand::Queue),
            3 => any_record_command().prop_map(CollectionCommand::Record),
            3 => any_subscription(),
            4 => any_remote_command().prop_map(CollectionCommand::RemoteMap),
            1 => any_contents().prop_map(CollectionCommand::Create),
            1 => (any_contents(), any::<bool>())
                .prop_map(|(contents, events)| CollectionCommand::Import { contents, events }),
            3 => any_kind().prop_map(CollectionCommand::Drop),
        ]
    }

    /// One of the few members there ever are.
    fn any_peer() -> impl Strategy<Value = Peer> {
        (0..3_u64, 1..3_u64).prop_map(|(id, incarnation)| Peer {
            id: NodeId::new(id),
            incarnation: Incarnation::new(incarnation),
        })
    }

    fn any_operation() -> impl Strategy<Value = Operation> {
        let names = prop::sample::select(vec!["", "m", "n", "q", "r"]).prop_map(name);
        prop_oneof![
            1 => Just(Operation::OpenSession),
            1 => any_bytes().prop_map(Operation::Submit),
            12 => (names, any_collection_command())
                .prop_map(|(name, command)| Operation::Collection { name, command }),
        ]
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let execute = (0..3_usize, 0..9_u64, 0..6_u64, any_operation()).prop_map(
            |(back, sequence, answered_below, operation)| Step::Execute {
                back,
                sequence,
                answered_below,
                operation,
            },
        );
        let outcomes = prop::sample::select(vec![
            RemoteOutcome::Done(RemoteAnswer::Values(vec![])),
            RemoteOutcome::Done(RemoteAnswer::Values(vec![None, Some(Bytes::default())])),
            RemoteOutcome::Done(RemoteAnswer::Count(2)),
            RemoteOutcome::Done(RemoteAnswer::Nothing),
            RemoteOutcome::Failed(StoreError::new("full")),
        ]);
        let names = prop::sample::select(vec!["", "m", "n", "q", "r"]).prop_map(name);
        prop_oneof![
            1 => (0..3_u64, 1..4_u32).prop_map(|(node, life)| Step::Open { node, life }),
            12 => execute,
            4 => (1..9_u64, names, outcomes)
                .prop_map(|(back, name, outcome)| Step::End { back, name, outcome }),
            1 => prop::collection::btree_set(any_peer(), 0..5).prop_map(Step::Seat),
            1 => Just(Step::Advance),
            2 => (0..6_u64).prop_map(Step::Sweep),
            3 => Just(Step::Part),
        ]
    }

    fn any_steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
        prop::collection::vec(any_step(), 0..most)
    }

    /// Makes the entries of a log from steps.
    struct Log {
        last: Index,
        opened: Vec<Index>,
    }

    impl Log {
        fn new() -> Self {
            Self { last: Index::new(1), opened: vec![Index::new(1)] }
        }

        fn entry(&mut self, step: &Step) -> Option<Entry> {
            let index = self.last.next();
            let what = match step.clone() {
                Step::Open { node, life } => {
                    self.opened.push(index);
                    let peer = Peer { id: NodeId::new(node), incarnation: Incarnation::new(1) };
                    let owner = Identity { peer, life: Life::new(life) };
                    What::Command(Command::OpenSession { owner })
                }
                Step::End { back, name, outcome } => {
                    let operation = Index::new(index.get().saturating_sub(back));
                    What::Command(Command::EndRemote { name, operation, outcome })
                }
                Step::Seat(members) => What::Members(members),
                Step::Execute { back, sequence, answered_below, operation } => {
                    let session = self.opened[self.opened.len().saturating_sub(1 + back)];
                    if operation == Operation::OpenSession {
                        self.opened.push(index);
                    }
                    What::Command(Command::Execute {
                        session: SessionId::new(session),
                        sequence: Sequence::new(sequence),
                        answered_below: Sequence::new(answered_below),
                        operation,
                    })
                }
                Step::Advance => What::Nothing,
                Step::Sweep(_) | Step::Part => return None,
            };
            self.last = index;
            Some((index, what))
        }
    }

    fn founded() -> Store {
        let mut store = Store::new();
        store.found(LIMITS, RemoteQueueLimits { operations: 3, bytes: 60 });
        store.seat(Index::new(1), MEMBERS.into());
        store
    }

    /// Everything that an entry does, as text.
    fn apply(store: &mut Store, (index, what): &Entry) -> alloc::string::String {
        match what {
            What::Command(command) => alloc::format!("{:?}", store.apply(*index, command.clone())),
            What::Members(members) => {
                let changes = store.seat(*index, members.clone());
                alloc::format!("{changes:?} {:?}", store.advance(*index))
            }
            What::Nothing => alloc::format!("{:?}", store.advance(*index)),
        }
    }

    fn parts(store: &mut Store, bytes: u64) -> Vec<Bytes> {
        store.freeze();
        core::iter::from_fn(|| store.next_part(bytes)).collect()
    }

    fn load(parts: &[impl AsRef<[u8]>]) -> Result<Store, Unreadable> {
        let mut loader = Loader::new();
        parts.iter().try_for_each(|part| loader.load(part.as_ref()))?;
        loader.finish()
    }

    fn assert_alike(left: &Store, right: &Store) {
        for store in [left, right] {
            store.sessions.check();
            store.collections.check();
        }
        assert_eq!(left.digest(), right.digest());
        assert_eq!(left.sessions(), right.sessions());
        assert!(left.collections().eq(right.collections()));
        for (name, _, len) in left.collections() {
            let [ours, theirs] = [left, right].map(|store| store.collection(name.as_str()));
            let slots = |map: Option<CollectionRef<'_>>| -> Vec<(Bytes, Bytes, Index)> {
                let slots = map.into_iter().flat_map(CollectionRef::slots);
                slots.map(|slot| (slot.key.clone(), slot.value.clone(), slot.version)).collect()
            };
            let held = slots(ours);
            assert_eq!(held.len() as u64, len);
            assert_eq!(held, slots(theirs));
            for (key, value, _) in held.iter().filter(|(key, ..)| !key.is_empty()) {
                for found in [ours, theirs].map(|it| it.and_then(|it| it.get(key))) {
                    assert_eq!(found.map(|slot| &slot.value), Some(value));
                }
            }
        }
        assert_eq!(left.queued, right.queued);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn a_snapshot_is_the_state_at_the_freeze_and_goes_on_like_it(
            before in any_steps(60),
            meanwhile in any_steps(60),
            part_bytes in 0..400_u64,
        ) {
            let mut log = Log::new();
            let (mut store, mut reference) = (founded(), founded());
            for step in &before {
                if let Some(entry) = log.entry(step) {
                    prop_assert_eq!(apply(&mut store, &entry), apply(&mut reference, &entry));
                } else if let Step::Sweep(elements) = step {
                    store.sweep(*elements);
                }
            }
            store.freeze();
            let (mut written, mut rest) = (Vec::new(), Vec::new());
            for step in &meanwhile {
                if let Some(entry) = log.entry(step) {
                    apply(&mut store, &entry);
                    rest.push(entry);
                } else if let Step::Sweep(elements) = step {
                    store.sweep(*elements);
                } else {
                    written.extend(store.next_part(part_bytes));
                }
            }
            written.extend(core::iter::from_fn(|| store.next_part(part_bytes)));
            prop_assert!(!store.is_frozen());

            let mut loaded = load(&written).expect("what a store wrote");
            loaded.seat(log.last, reference.members().clone());
            assert_alike(&loaded, &reference);
            prop_assert_eq!(&parts(&mut reference, part_bytes), &written);
            prop_assert_eq!(&parts(&mut loaded, part_bytes), &written);
            for entry in &rest {
                prop_assert_eq!(apply(&mut loaded, entry), apply(&mut reference, entry));
                assert_alike(&loaded, &reference);
            }
            assert_alike(&store, &loaded);
            while store.sweep(1) {}
            assert_alike(&store, &loaded);
        }

        #[test]
        fn damaged_parts_are_refused_or_make_a_sound_state(
            steps in any_steps(40),
            part_bytes in 0..200_u64,
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut log = Log::new();
            let mut store = founded();
            let entries: Vec<_> = steps.iter().filter_map(|step| log.entry(step)).collect();
            entries.iter().for_each(|entry| drop(apply(&mut store, entry)));
            let whole: Vec<Vec<u8>> =
                parts(&mut store, part_bytes).iter().map(|part| part.to_vec()).collect();
            let place = cut.index(whole.len());

            let mut missing = whole.clone();
            missing.remove(place);
            prop_assert!(load(&missing).is_err());
            let mut repeated = whole.clone();
            repeated.insert(place, whole[place].clone());
            prop_assert!(load(&repeated).is_err());
            let mut truncated = whole.clone();
            truncated[place].pop();
            prop_assert!(load(&truncated).is_err());
            let mut longer = whole.clone();
            longer[place].push(0);
            prop_assert!(load(&longer).is_err());

            let mut damaged = whole.clone();
            for (at, byte) in &damage {
                let part = at.get_mut(&mut damaged);
                let at = at.index(part.len());
                part[at] = *byte;
            }
            if let Ok(loaded) = load(&damaged) {
                assert_alike(&loaded, &load(&parts(&mut store, 1 << 20)).expect("its own"));
            }
        }

        #[test]
        fn arbitrary_bytes_are_no_snapshot(parts in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
            prop_assert!(load(&parts).is_err());
        }
    }

    #[test]
    fn snapshots_keep_their_bytes() {
        let mut store = founded();
        let mut log = Log::new();
        let set = |key, value| MapCommand::Set(vec![(bytes(key), bytes(value))]);
        let execute = |sequence, command| Step::Execute {
            back: 0,
            sequence,
            answered_below: 0,
            operation: on("m", command),
        };
        let steps = [
            Step::Open { node: 7, life: 1 },
            execute(0, set("k", &"v".repeat(60))),
            execute(1, set("k", "v")),
            execute(2, set("l", "")),
            execute(3, MapCommand::Delete(vec![bytes("k")])),
        ];
        for step in steps {
            apply(&mut store, &log.entry(&step).expect("an entry"));
        }
        let golden: [&[u8]; 9] = [
            // The limits.
            &[1, 0, 4, 6, 100, 25, 3, 60],
            // The session that entry 2 opened for n7#1.1, used last by entry 6, answered below 0.
            &[1, 1, 2, 1, 7, 1, 1, 6, 0],
            // Number 2 had no entries in the way at 5, number 3 the key "k" at 6.
            &[1, 2, 2, 5, 0, 1, 0],
            &[1, 2, 3, 6, 0, 2, 1, 1, b'k'],
            // Numbers 0 and 1 are forgotten.
            &[1, 3, 0],
            &[1, 3, 1],
            // The map "m" goes on at position 2; at 1 it holds the key "l", written at 5.
            &[1, 4, 1, b'm', 0, 2],
            &[1, 5, 1, 1, b'l', 0, 5],
            // The digest.
            &[1, 6, 150, 194, 129, 134, 244, 215, 225, 150, 235, 1],
        ];
        let written = parts(&mut store, 0);
        assert_eq!(written.iter().map(|part| &**part).collect::<Vec<_>>(), golden);
        let bodies: Vec<&[u8]> = golden.iter().map(|part| &part[1..]).collect();
        let whole = [&[VERSION], &*bodies.concat()].concat();
        assert!(parts(&mut store, 1000).iter().map(|part| &**part).eq([&*whole]));
    }

    #[test]
    fn answers_keep_their_bytes() {
        let golden: [(Content, &[u8]); 10] = [
            (Content::Nothing, &[0]),
            (Content::Entries(vec![(bytes("k"), bytes("v"))]), b"\x01\x01\x01k\x01v"),
            (Content::Keys(vec![bytes("k"), bytes("")]), b"\x02\x02\x01k\x00"),
            (Content::Flag(true), &[3, 1]),
            (Content::Count(300), &[4, 0xac, 2]),
            (Content::Session(SessionId::new(Index::new(9))), &[5, 9]),
            (Content::Values(vec![bytes("v"), bytes("")]), b"\x06\x02\x01v\x00"),
            (Content::Index(Index::new(300)), &[7, 0xac, 2]),
            (Content::Remote(RemoteOutcome::Done(RemoteAnswer::Nothing)), &[8, 0, 0]),
            (
                Content::Delivered { received: vec![NodeId::new(1)], unanswered: vec![] },
                &[9, 1, 1, 0],
            ),
        ];
        for (content, bytes) in golden {
            let written = postcard::to_allocvec(&content).expect("it serialises into memory");
            assert_eq!(written, bytes, "{content:?}");
            assert_eq!(postcard::from_bytes(bytes), Ok(content));
        }
    }

    #[test]
    fn an_item_that_is_larger_than_a_part_has_one_to_itself() {
        let mut store = founded();
        let mut log = Log::new();
        let large: Bytes = vec![7; 500].into();
        let entries = vec![(bytes("a"), bytes("")), (bytes("b"), large), (bytes("c"), bytes(""))];
        let operation = on("m", MapCommand::Set(entries));
        let steps = [
            Step::Open { node: 7, life: 1 },
            Step::Execute { back: 0, sequence: 0, answered_below: 0, operation },
        ];
        for step in steps {
            apply(&mut store, &log.entry(&step).expect("an entry"));
        }
        let lengths: Vec<usize> = parts(&mut store, 200).iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [33, 508, 18]);
        let lengths: Vec<usize> = parts(&mut store, 0).iter().map(|part| part.len()).collect();
        assert_eq!(lengths.len(), 8);
    }

    #[test]
    fn a_snapshot_that_is_given_up_leaves_nothing_but_waste() {
        let mut store = founded();
        assert_eq!(store.next_part(100), None);
        store.thaw();
        let whole = parts(&mut store, 100);
        assert_eq!(whole.len(), 1);
        store.freeze();
        store.thaw();
        assert!(!store.is_frozen() && !store.sweep(0));
        assert_eq!(parts(&mut store, 100), whole);
        let mut loader = Loader::new();
        loader.load(&whole[0]).expect("its own");
        store.discard(loader.into_waste());
        store.discard(store_with_one_entry().into_waste());
        assert!(store.sweep(2));
        while store.sweep(1) {}
        assert_eq!(parts(&mut store, 100), whole);
    }

    fn store_with_one_entry() -> Store {
        let mut store = founded();
        let mut log = Log::new();
        let command = MapCommand::Set(vec![(bytes("k"), bytes("v"))]);
        let operation = on("m", command);
        let execute = Step::Execute { back: 0, sequence: 0, answered_below: 0, operation };
        for step in [Step::Open { node: 7, life: 1 }, execute] {
            apply(&mut store, &log.entry(&step).expect("an entry"));
        }
        store
    }
}
