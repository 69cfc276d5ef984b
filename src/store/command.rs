//! Commands as they stand in the log, and queries, which never do.
//!
//! The bytes of a command are a version and a postcard body. Enums here are append-only: the
//! position of a variant is its code in every log there is.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::name::Name;
use crate::bytes::Bytes;
use crate::config::OLDEST_VERSION;
use crate::types::{Identity, Index, Sequence, SessionId};

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
}

/// What a session executes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Operation {
    /// Opens a session that belongs to no node.
    OpenSession,
    Map {
        name: Name,
        command: MapCommand,
    },
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

/// A read of the applied state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Query {
    Nothing,
    Map { name: Name, query: MapQuery },
}

/// A read of a map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MapQuery {
    Get(Vec<Bytes>),
    Len,
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
            Self::Map { name, command } => name.as_str().len() as u64 + command.size(),
        }
    }
}

impl Query {
    /// How many bytes of names and keys it holds.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Map { name, query: MapQuery::Get(keys) } => {
                name.as_str().len() as u64 + keys.iter().map(Bytes::len_u64).sum::<u64>()
            }
            Self::Map { name, query: MapQuery::Len } => name.as_str().len() as u64,
        }
    }
}

impl MapCommand {
    fn size(&self) -> u64 {
        match self {
            Self::Set(entries) | Self::Insert(entries) => {
                entries.iter().map(|(key, value)| key.len_u64() + value.len_u64()).sum()
            }
            Self::UpdateIf { key, value, expected } => {
                key.len_u64() + value.len_u64() + expected.len_u64()
            }
            Self::UpdateIfVersion { key, value, .. } => key.len_u64() + value.len_u64(),
            Self::Remove(keys) | Self::Delete(keys) => keys.iter().map(Bytes::len_u64).sum(),
            Self::RemoveIf { key, expected } => key.len_u64() + expected.len_u64(),
            Self::Clear => 0,
        }
    }
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

    use super::*;
    use crate::types::{Incarnation, Life, NodeId, Peer};

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
        execute(Operation::Map { name: Name::new("m").expect("short"), command })
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
                b"\x01\x01\x02\x05\x04\x01\x01m\x00\x02\x01k\x01v\x00\x00",
            ),
            (
                on_map(MapCommand::Insert(vec![pair()])),
                b"\x01\x01\x02\x05\x04\x01\x01m\x01\x01\x01k\x01v",
            ),
            (
                on_map(MapCommand::UpdateIf {
                    key: bytes("k"),
                    value: bytes("v"),
                    expected: bytes("e"),
                }),
                b"\x01\x01\x02\x05\x04\x01\x01m\x02\x01k\x01v\x01e",
            ),
            (
                on_map(MapCommand::UpdateIfVersion {
                    key: bytes("k"),
                    value: bytes("v"),
                    version: Index::new(9),
                }),
                b"\x01\x01\x02\x05\x04\x01\x01m\x03\x01k\x01v\x09",
            ),
            (
                on_map(MapCommand::Remove(vec![bytes("k")])),
                b"\x01\x01\x02\x05\x04\x01\x01m\x04\x01\x01k",
            ),
            (
                on_map(MapCommand::RemoveIf { key: bytes("k"), expected: bytes("e") }),
                b"\x01\x01\x02\x05\x04\x01\x01m\x05\x01k\x01e",
            ),
            (
                on_map(MapCommand::Delete(vec![bytes("k")])),
                b"\x01\x01\x02\x05\x04\x01\x01m\x06\x01\x01k",
            ),
            (on_map(MapCommand::Clear), b"\x01\x01\x02\x05\x04\x01\x01m\x07"),
        ]
    }

    #[test]
    fn commands_keep_their_bytes() {
        for (command, bytes) in golden() {
            assert_eq!(&*command.encode(1), bytes, "{command:?}");
            assert_eq!(Command::decode(bytes, 1), Ok(command));
        }
    }

    #[test]
    fn no_part_of_a_command_and_nothing_longer_is_one() {
        for (command, bytes) in golden() {
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
