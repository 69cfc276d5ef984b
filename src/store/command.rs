//! Commands as they stand in the log, and queries, which never do.
//!
//! The bytes of a command are a version and a postcard body. Enums here are append-only: the
//! position of a variant is its code in every log there is.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::kind::CollectionKind;
use super::name::Name;
use super::remote_operation::{RemoteOperation, RemoteOutcome};
use crate::bytes::Bytes;
use crate::config::OLDEST_VERSION;
use crate::types::{Identity, Index, Peer, Sequence, SessionId};

/// What a log entry asks of the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Opens the session of one life of a node, once.
    OpenSession { owner: Identity },
    /// Runs an operation as the `sequence`-th of a session. Nobody waits for an answer to one below
    /// `answered_below` any more.
    Execute {
        session: SessionId,
        sequence: Sequence,
        answered_below: Sequence,
        operation: Operation,
    },
    /// The first operation in the queue of a remote map, if it is that one, has ended so.
    EndRemote { name: Name, operation: Index, outcome: RemoteOutcome },
}

/// What a session executes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Operation {
    /// Opens a session that belongs to no node.
    OpenSession,
    /// Hands bytes of the application's to every node.
    Submit(Bytes),
    Collection {
        name: Name,
        command: CollectionCommand,
    },
}

/// An operation on one collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum CollectionCommand {
    Map(MapCommand),
    Queue(QueueCommand),
    Record(RecordCommand),
    Emitter {
        subscriber: Peer,
        change: SubscriptionChange,
    },
    RemoteMap(RemoteCommand),
    /// Fills the collection if it is not there yet, and does nothing if it is.
    Create(Contents),
    /// Puts other contents in the place of all there are.
    Import {
        contents: Contents,
        events: bool,
    },
    Drop(CollectionKind),
}

/// What a collection of one kind holds, all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Contents {
    Map(Vec<(Bytes, Bytes)>),
    Queue(Vec<Bytes>),
    Record(Vec<(Bytes, Bytes)>),
}

/// An operation on a map. The bulk forms serve the single ones too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum MapCommand {
    Set(Vec<(Bytes, Bytes)>),
    Insert(Vec<(Bytes, Bytes)>),
    UpdateIf { key: Bytes, value: Bytes, expected: Bytes },
    UpdateIfVersion { key: Bytes, value: Bytes, version: Index },
    Remove(Vec<Bytes>),
    RemoveIf { key: Bytes, expected: Bytes },
    Delete(Vec<Bytes>),
    Clear,
}

/// An operation on a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum QueueCommand {
    Push(Vec<Bytes>),
    /// So many from the front.
    Pop(u64),
    Clear,
}

/// An operation on a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum RecordCommand {
    Set { field: Bytes, value: Bytes },
    Insert(Vec<(Bytes, Bytes)>),
    UpdateIf { fields: Vec<(Bytes, Bytes)>, expected: Vec<(Bytes, Bytes)> },
    Delete { field: Bytes },
    Clear,
}

/// How a node's subscriptions to an emitter are to change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum SubscriptionChange {
    Subscribe { event: Bytes, metadata: Bytes },
    Unsubscribe { event: Bytes },
    UpdateMetadata { event: Bytes, new: Bytes, expected: Bytes },
    Clear,
}

/// What is to be done with the queue of a remote map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum RemoteCommand {
    Run {
        operation: RemoteOperation,
        /// Whether its changes are to be reported.
        events: bool,
    },
    /// The calls up to this one take the outside store's row over.
    Adopt,
}

/// A read of the applied state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Query {
    Nothing,
    Map {
        name: Name,
        query: MapQuery,
    },
    Queue {
        name: Name,
        query: QueueQuery,
    },
    Record {
        name: Name,
        query: RecordQuery,
    },
    Emitter {
        name: Name,
        query: EmitterQuery,
    },
    /// Whether the collection, if it is there, is of this kind.
    Usable {
        name: Name,
        kind: CollectionKind,
    },
}

/// A read of a map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MapQuery {
    Get(Vec<Bytes>),
    Len,
}

/// A read of a queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum QueueQuery {
    Front,
    Len,
}

/// A read of a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RecordQuery {
    Get(Vec<Bytes>),
}

/// A read of an emitter's subscriptions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum EmitterQuery {
    HasSubscribers(Bytes),
}

/// Why the bytes of a command cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandError {
    /// They are of this later version.
    TooNew(u8),
    /// They are no command.
    Unreadable,
}

impl Operation {
    /// How many bytes of names, keys and values it holds.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::OpenSession => 0,
            Self::Submit(payload) => payload.len_u64(),
            Self::Collection { name, command } => name.len_u64() + command.size(),
        }
    }

    /// The collection it is about.
    pub(crate) fn collection(&self) -> Option<&Name> {
        match self {
            Self::OpenSession | Self::Submit(_) => None,
            Self::Collection { name, .. } => Some(name),
        }
    }
}

impl Query {
    /// How many bytes of names and keys it holds.
    pub(crate) fn size(&self) -> u64 {
        let keys = match self {
            Self::Map { query: MapQuery::Get(keys), .. }
            | Self::Record { query: RecordQuery::Get(keys), .. } => bytes_in(keys),
            Self::Emitter { query: EmitterQuery::HasSubscribers(event), .. } => event.len_u64(),
            Self::Nothing
            | Self::Map { query: MapQuery::Len, .. }
            | Self::Queue { .. }
            | Self::Usable { .. } => 0,
        };
        keys + self.collection().map_or(0, Name::len_u64)
    }

    /// The collection it is about.
    pub(crate) fn collection(&self) -> Option<&Name> {
        match self {
            Self::Nothing => None,
            Self::Map { name, .. }
            | Self::Queue { name, .. }
            | Self::Record { name, .. }
            | Self::Emitter { name, .. }
            | Self::Usable { name, .. } => Some(name),
        }
    }

    /// The kind that the collection must be of, if it is there.
    pub(super) fn kind(&self) -> Option<CollectionKind> {
        match self {
            Self::Nothing => None,
            Self::Map { .. } => Some(CollectionKind::Map),
            Self::Queue { .. } => Some(CollectionKind::Queue),
            Self::Record { .. } => Some(CollectionKind::Record),
            Self::Emitter { .. } => Some(CollectionKind::Emitter),
            Self::Usable { kind, .. } => Some(*kind),
        }
    }
}

impl CollectionCommand {
    fn size(&self) -> u64 {
        match self {
            Self::Map(command) => command.size(),
            Self::Queue(QueueCommand::Push(values)) => bytes_in(values),
            Self::Record(command) => command.size(),
            Self::Emitter { change, .. } => change.size(),
            Self::RemoteMap(RemoteCommand::Run { operation, .. }) => operation.size(),
            Self::Create(contents) | Self::Import { contents, .. } => contents.size(),
            Self::Queue(QueueCommand::Pop(_) | QueueCommand::Clear)
            | Self::RemoteMap(RemoteCommand::Adopt)
            | Self::Drop(_) => 0,
        }
    }
}

impl Contents {
    pub(crate) fn kind(&self) -> CollectionKind {
        match self {
            Self::Map(_) => CollectionKind::Map,
            Self::Queue(_) => CollectionKind::Queue,
            Self::Record(_) => CollectionKind::Record,
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Map(entries) | Self::Record(entries) => bytes_of(entries),
            Self::Queue(values) => bytes_in(values),
        }
    }
}

impl MapCommand {
    fn size(&self) -> u64 {
        match self {
            Self::Set(entries) | Self::Insert(entries) => bytes_of(entries),
            Self::UpdateIf { key, value, expected } => {
                key.len_u64() + value.len_u64() + expected.len_u64()
            }
            Self::UpdateIfVersion { key, value, .. } => key.len_u64() + value.len_u64(),
            Self::Remove(keys) | Self::Delete(keys) => bytes_in(keys),
            Self::RemoveIf { key, expected } => key.len_u64() + expected.len_u64(),
            Self::Clear => 0,
        }
    }
}

impl RecordCommand {
    fn size(&self) -> u64 {
        match self {
            Self::Set { field, value } => field.len_u64() + value.len_u64(),
            Self::Insert(fields) => bytes_of(fields),
            Self::UpdateIf { fields, expected } => bytes_of(fields) + bytes_of(expected),
            Self::Delete { field } => field.len_u64(),
            Self::Clear => 0,
        }
    }
}

impl SubscriptionChange {
    /// How many bytes of event names and metadata it holds.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Subscribe { event, metadata } => event.len_u64() + metadata.len_u64(),
            Self::Unsubscribe { event } => event.len_u64(),
            Self::UpdateMetadata { event, new, expected } => {
                event.len_u64() + new.len_u64() + expected.len_u64()
            }
            Self::Clear => 0,
        }
    }
}

fn bytes_in(values: &[Bytes]) -> u64 {
    values.iter().map(Bytes::len_u64).sum()
}

fn bytes_of(entries: &[(Bytes, Bytes)]) -> u64 {
    entries.iter().map(|(key, value)| key.len_u64() + value.len_u64()).sum()
}

impl Command {
    /// Its bytes, in the format version in which the group writes.
    pub(crate) fn encode(&self, version: u8) -> Bytes {
        postcard::to_extend(self, Vec::from([version]))
            .expect("a command serialises into memory")
            .into()
    }

    /// The command that these bytes are, if they are of a format version up to `newest`.
    pub(crate) fn decode(bytes: &[u8], newest: u8) -> Result<Self, CommandError> {
        let (&version, body) = bytes.split_first().ok_or(CommandError::Unreadable)?;
        if version > newest {
            return Err(CommandError::TooNew(version));
        }
        match postcard::take_from_bytes(body) {
            Ok((command, [])) if version >= OLDEST_VERSION => Ok(command),
            Ok(_) | Err(_) => Err(CommandError::Unreadable),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::super::remote_operation::{RemoteAnswer, StoreError};
    use super::*;
    use crate::types::{Incarnation, Life, NodeId};

    fn bytes(text: &str) -> Bytes {
        text.as_bytes().into()
    }

    fn execute(operation: Operation) -> Command {
        Command::Execute {
            session: SessionId::new(Index::new(2)),
            sequence: Sequence::new(5),
            answered_below: Sequence::new(4),
            operation,
        }
    }

    fn on_map(command: MapCommand) -> Command {
        on(CollectionCommand::Map(command))
    }

    fn on(command: CollectionCommand) -> Command {
        execute(Operation::Collection { name: Name::new("m").expect("short"), command })
    }

    /// One command of each kind and the bytes that stand for it in logs: they must never change.
    fn golden() -> Vec<(Command, &'static [u8])> {
        let peer = Peer { id: NodeId::new(7), incarnation: Incarnation::new(300) };
        let pair = || (bytes("k"), bytes("v"));
        vec![
            (
                Command::OpenSession { owner: Identity { peer, life: Life::new(1) } },
                &[1, 0, 7, 0xac, 2, 1],
            ),
            (execute(Operation::OpenSession), &[1, 1, 2, 5, 4, 0]),
            (
                on_map(MapCommand::Set(vec![pair(), (bytes(""), bytes(""))])),
                b"\x01\x01\x02\x05\x04\x02\x01m\x00\x00\x02\x01k\x01v\x00\x00",
            ),
            (
                on_map(MapCommand::Insert(vec![pair()])),
                b"\x01\x01\x02\x05\x04\x02\x01m\x00\x01\x01\x01k\x01v",
            ),
            (
                on_map(MapCommand::UpdateIf {
                    key: bytes("k"),
                    value: bytes("v"),
                    expected: bytes("e"),
                }),
                b"\x01\x01\x02\x05\x04\x02\x01m\x00\x02\x01k\x01v\x01e",
            ),
            (
                on_map(MapCommand::UpdateIfVersion {
                    key: bytes("k"),
                    value: bytes("v"),
                    version: Index::new(9),
                }),
                b"\x01\x01\x02\x05\x04\x02\x01m\x00\x03\x01k\x01v\x09",
            ),
            (
                on_map(MapCommand::Remove(vec![bytes("k")])),
                b"\x01\x01\x02\x05\x04\x02\x01m\x00\x04\x01\x01k",
            ),
            (
                on_map(MapCommand::RemoveIf { key: bytes("k"), expected: bytes("e") }),
                b"\x01\x01\x02\x05\x04\x02\x01m\x00\x05\x01k\x01e",
            ),
            (
                on_map(MapCommand::Delete(vec![bytes("k")])),
                b"\x01\x01\x02\x05\x04\x02\x01m\x00\x06\x01\x01k",
            ),
            (on_map(MapCommand::Clear), b"\x01\x01\x02\x05\x04\x02\x01m\x00\x07"),
            (execute(Operation::Submit(bytes("p"))), b"\x01\x01\x02\x05\x04\x01\x01p"),
            (
                on(CollectionCommand::Drop(CollectionKind::RemoteMap)),
                b"\x01\x01\x02\x05\x04\x02\x01m\x07\x04",
            ),
            (
                on(CollectionCommand::Create(Contents::Map(vec![pair()]))),
                b"\x01\x01\x02\x05\x04\x02\x01m\x05\x00\x01\x01k\x01v",
            ),
            (
                on(CollectionCommand::Import {
                    contents: Contents::Record(vec![pair()]),
                    events: true,
                }),
                b"\x01\x01\x02\x05\x04\x02\x01m\x06\x02\x01\x01k\x01v\x01",
            ),
        ]
    }

    /// Those of queues, records and emitters.
    fn golden_of_other_kinds() -> Vec<(Command, &'static [u8])> {
        let pairs = || vec![(bytes("k"), bytes("v"))];
        let queue = |command| on(CollectionCommand::Queue(command));
        let record = |command| on(CollectionCommand::Record(command));
        let subscriber = Peer { id: NodeId::new(7), incarnation: Incarnation::new(300) };
        let emitter = |change| on(CollectionCommand::Emitter { subscriber, change });
        let (event, k, v) = (|| bytes("e"), || bytes("k"), || bytes("v"));
        vec![
            (
                queue(QueueCommand::Push(vec![v(), bytes("")])),
                b"\x01\x01\x02\x05\x04\x02\x01m\x01\x00\x02\x01v\x00",
            ),
            (queue(QueueCommand::Pop(300)), b"\x01\x01\x02\x05\x04\x02\x01m\x01\x01\xac\x02"),
            (queue(QueueCommand::Clear), b"\x01\x01\x02\x05\x04\x02\x01m\x01\x02"),
            (
                on(CollectionCommand::Create(Contents::Queue(vec![v()]))),
                b"\x01\x01\x02\x05\x04\x02\x01m\x05\x01\x01\x01v",
            ),
            (
                record(RecordCommand::Set { field: k(), value: v() }),
                b"\x01\x01\x02\x05\x04\x02\x01m\x02\x00\x01k\x01v",
            ),
            (
                record(RecordCommand::Insert(pairs())),
                b"\x01\x01\x02\x05\x04\x02\x01m\x02\x01\x01\x01k\x01v",
            ),
            (
                record(RecordCommand::UpdateIf { fields: pairs(), expected: vec![] }),
                b"\x01\x01\x02\x05\x04\x02\x01m\x02\x02\x01\x01k\x01v\x00",
            ),
            (
                record(RecordCommand::Delete { field: k() }),
                b"\x01\x01\x02\x05\x04\x02\x01m\x02\x03\x01k",
            ),
            (record(RecordCommand::Clear), b"\x01\x01\x02\x05\x04\x02\x01m\x02\x04"),
            (
                emitter(SubscriptionChange::Subscribe { event: event(), metadata: v() }),
                b"\x01\x01\x02\x05\x04\x02\x01m\x03\x07\xac\x02\x00\x01e\x01v",
            ),
            (
                emitter(SubscriptionChange::Unsubscribe { event: event() }),
                b"\x01\x01\x02\x05\x04\x02\x01m\x03\x07\xac\x02\x01\x01e",
            ),
            (
                emitter(SubscriptionChange::UpdateMetadata {
                    event: event(),
                    new: k(),
                    expected: v(),
                }),
                b"\x01\x01\x02\x05\x04\x02\x01m\x03\x07\xac\x02\x02\x01e\x01k\x01v",
            ),
            (
                emitter(SubscriptionChange::Clear),
                b"\x01\x01\x02\x05\x04\x02\x01m\x03\x07\xac\x02\x03",
            ),
        ]
    }

    /// Those of remote maps.
    fn golden_of_remote_maps() -> Vec<(Command, &'static [u8])> {
        let run = |operation| {
            on(CollectionCommand::RemoteMap(RemoteCommand::Run { operation, events: true }))
        };
        let end = |outcome| Command::EndRemote {
            name: Name::new("m").expect("short"),
            operation: Index::new(9),
            outcome,
        };
        let answered = |answer| end(RemoteOutcome::Done(answer));
        let (k, v) = (|| bytes("k"), || bytes("v"));
        vec![
            (
                run(RemoteOperation::Set(vec![(k(), v())])),
                b"\x01\x01\x02\x05\x04\x02\x01m\x04\x00\x00\x01\x01k\x01v\x01",
            ),
            (
                run(RemoteOperation::Insert(vec![])),
                b"\x01\x01\x02\x05\x04\x02\x01m\x04\x00\x01\x00\x01",
            ),
            (
                run(RemoteOperation::UpdateIf { key: k(), value: v(), expected: bytes("e") }),
                b"\x01\x01\x02\x05\x04\x02\x01m\x04\x00\x02\x01k\x01v\x01e\x01",
            ),
            (
                run(RemoteOperation::Remove(vec![k()])),
                b"\x01\x01\x02\x05\x04\x02\x01m\x04\x00\x03\x01\x01k\x01",
            ),
            (
                run(RemoteOperation::RemoveIf { key: k(), expected: v() }),
                b"\x01\x01\x02\x05\x04\x02\x01m\x04\x00\x04\x01k\x01v\x01",
            ),
            (
                run(RemoteOperation::Delete(vec![k()])),
                b"\x01\x01\x02\x05\x04\x02\x01m\x04\x00\x05\x01\x01k\x01",
            ),
            (run(RemoteOperation::Clear), b"\x01\x01\x02\x05\x04\x02\x01m\x04\x00\x06\x01"),
            (
                on(CollectionCommand::RemoteMap(RemoteCommand::Adopt)),
                b"\x01\x01\x02\x05\x04\x02\x01m\x04\x01",
            ),
            (answered(RemoteAnswer::Nothing), b"\x01\x02\x01m\x09\x00\x00"),
            (
                answered(RemoteAnswer::Values(vec![None, Some(v())])),
                b"\x01\x02\x01m\x09\x00\x01\x02\x00\x01\x01v",
            ),
            (answered(RemoteAnswer::Flags(vec![true])), b"\x01\x02\x01m\x09\x00\x02\x01\x01"),
            (answered(RemoteAnswer::Count(3)), b"\x01\x02\x01m\x09\x00\x03\x03"),
            (end(RemoteOutcome::Failed(StoreError::new("x"))), b"\x01\x02\x01m\x09\x01\x01x"),
        ]
    }

    fn all_golden() -> impl Iterator<Item = (Command, &'static [u8])> {
        golden().into_iter().chain(golden_of_other_kinds()).chain(golden_of_remote_maps())
    }

    #[test]
    fn commands_keep_their_bytes() {
        for (command, bytes) in all_golden() {
            assert_eq!(&*command.encode(1), bytes, "{command:?}");
            assert_eq!(Command::decode(bytes, 1), Ok(command));
        }
    }

    #[test]
    fn no_part_of_a_command_and_nothing_longer_is_one() {
        for (command, bytes) in all_golden() {
            for end in 0..bytes.len() {
                let read = Command::decode(&bytes[..end], 1);
                assert_eq!(read, Err(CommandError::Unreadable), "{end} bytes of {command:?}");
            }
            let longer = [bytes, &[0]].concat();
            assert_eq!(Command::decode(&longer, 1), Err(CommandError::Unreadable), "{command:?}");
        }
    }

    #[test]
    fn a_later_version_is_told_from_nonsense() {
        let cases: [(&[u8], CommandError); 5] = [
            (&[], CommandError::Unreadable),
            (&[0, 1, 2, 5, 4, 0], CommandError::Unreadable),
            (&[1, 9], CommandError::Unreadable),
            (&[2], CommandError::TooNew(2)),
            (&[255, 1, 2, 5, 4, 0], CommandError::TooNew(255)),
        ];
        for (bytes, error) in cases {
            assert_eq!(Command::decode(bytes, 1), Err(error), "{bytes:?}");
        }
    }
}
