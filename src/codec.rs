//! Envelopes and their bytes.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::config::MAX_ENTRY_BYTES;
use crate::raft::message::{AppendOutcome, Message};
use crate::types::{GroupId, Identity, Incarnation, Index, Life, NodeId, Peer, Term};

/// One message between two nodes.
///
/// Typed but opaque: the embedder carries it to the node that [`to`](Envelope::to) names, as a value
/// or as the bytes of [`encode`](Envelope::encode).
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    pub(crate) header: Header,
    pub(crate) message: Message,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The sender's group, if it has one.
    pub(crate) group: Option<GroupId>,
    pub(crate) from: Identity,
    pub(crate) to: Address,
}

/// Whom an envelope is for. Only a `Hello` may leave open which run of that node it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) id: NodeId,
    pub(crate) run: Option<(Incarnation, Life)>,
}

/// What a message asserts about things its sender must have made durable before it spoke.
///
/// For those who check a node from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// The sender's vote in `term` is `candidate`'s.
    Voted {
        /// The term of the vote.
        term: Term,
        /// Who has it.
        candidate: Peer,
    },
    /// The sender's log matches that of the leader of `term` up to `index`.
    Matched {
        /// The leader's term.
        term: Term,
        /// The last index that matches.
        index: Index,
    },
}

/// Why bytes are not an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// There is nothing.
    Empty,
    /// They are of a format version this library does not speak.
    Version {
        /// The version they claim.
        found: u8,
    },
    /// They are more than any envelope has.
    TooLong {
        /// How many they are.
        bytes: u64,
    },
    /// They are cut short, hold values out of range, or go on after the end.
    Malformed,
}

/// The most bytes an envelope may have.
pub const MAX_ENVELOPE_BYTES: u64 = 4 * MAX_ENTRY_BYTES;
/// The format version written in front of every envelope.
const VERSION: u8 = 1;

impl Envelope {
    /// Who sends it.
    #[must_use]
    pub fn from(&self) -> Identity {
        self.header.from
    }

    /// Which node it is for.
    #[must_use]
    pub fn to(&self) -> NodeId {
        self.header.to.id
    }

    /// What kind of message it is, in the words of the Raft paper.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.message.name()
    }

    /// What it asserts about what its sender has made durable, if anything.
    #[must_use]
    pub fn claim(&self) -> Option<Claim> {
        match &self.message {
            Message::RequestVote { term, .. } => {
                Some(Claim::Voted { term: *term, candidate: self.header.from.peer })
            }
            Message::RequestVoteReply { term, granted: true } => {
                let (incarnation, _) = self.header.to.run?;
                let candidate = Peer { id: self.header.to.id, incarnation };
                Some(Claim::Voted { term: *term, candidate })
            }
            Message::AppendEntriesReply { term, outcome: AppendOutcome::Matched(index) } => {
                Some(Claim::Matched { term: *term, index: *index })
            }
            // 0 claims nothing, not even the term.
            Message::HeartbeatReply { term, durable, .. } => {
                (*durable > Index::ZERO).then_some(Claim::Matched { term: *term, index: *durable })
            }
            Message::AppendEntriesReply { outcome: AppendOutcome::Conflict { .. }, .. }
            | Message::RequestVoteReply { granted: false, .. }
            | Message::Hello { .. }
            | Message::HelloReply { .. }
            | Message::PreVote { .. }
            | Message::PreVoteGranted { .. }
            | Message::PreVoteRefused { .. }
            | Message::AppendEntries { .. }
            | Message::Heartbeat { .. }
            | Message::Commit { .. }
            | Message::TermPassed { .. }
            | Message::Propose { .. }
            | Message::ProposeReply { .. }
            | Message::ReadIndex { .. }
            | Message::ReadIndexReply { .. }
            | Message::InstallSnapshot { .. }
            | Message::InstallSnapshotReply { .. }
            | Message::TimeoutNow { .. }
            | Message::Join { .. }
            | Message::JoinRefused { .. }
            | Message::Removed { .. }
            | Message::EntriesLost { .. }
            | Message::Assign { .. }
            | Message::AssignReply { .. }
            | Message::Parcel(_) => None,
        }
    }

    /// The bytes to put on the wire: at most [`MAX_ENVELOPE_BYTES`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Most messages carry no entries and fit without growing.
        let mut bytes = Vec::with_capacity(96);
        bytes.push(VERSION);
        postcard::to_extend(&(&self.header, &self.message), bytes)
            .expect("an envelope serialises into memory")
    }

    /// Reads what [`encode`](Envelope::encode) wrote.
    ///
    /// # Errors
    /// Whatever the bytes are, the worst outcome is a [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() as u64 > MAX_ENVELOPE_BYTES {
            return Err(DecodeError::TooLong { bytes: bytes.len() as u64 });
        }
        let (version, body) = bytes.split_first().ok_or(DecodeError::Empty)?;
        if *version != VERSION {
            return Err(DecodeError::Version { found: *version });
        }
        match postcard::take_from_bytes(body) {
            Ok(((header, message), [])) => Ok(Self { header, message }),
            Ok(_) | Err(_) => Err(DecodeError::Malformed),
        }
    }
}

impl Address {
    pub(crate) fn of(identity: Identity) -> Self {
        Self { id: identity.peer.id, run: Some((identity.peer.incarnation, identity.life)) }
    }
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}→{} {}", self.header.from.peer.id, self.header.to.id, self.message)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no bytes"),
            Self::Version { found } => {
                write!(f, "format version {found}, this library speaks {VERSION}")
            }
            Self::TooLong { bytes } => {
                write!(f, "{bytes} bytes are more than {MAX_ENVELOPE_BYTES}")
            }
            Self::Malformed => f.write_str("malformed"),
        }
    }
}

impl core::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use super::*;
    use crate::Bytes;
    use crate::delivery::Parcel;
    use crate::raft::entries::{Payload, Run};
    use crate::raft::message::{
        JoinRefusal, ProposeOutcome, ProposeRefusal, Speaks, Task, TaskOutcome, TaskRefusal,
    };
    use crate::raft::snapshot::SnapshotId;
    use crate::raft::testing::any_message;
    use crate::raft::{ChangeRefusal, MemberChange};
    use crate::store::Name;
    use crate::types::{EntryId, Sequence};
    use proptest::prelude::*;

    fn identity(id: u64) -> Identity {
        let peer = Peer { id: NodeId::new(id), incarnation: Incarnation::new(0x100 + id) };
        Identity { peer, life: Life::new(2) }
    }

    fn envelope(message: Message) -> Envelope {
        let header = Header {
            group: Some(GroupId::new(0xfeed)),
            from: identity(1),
            to: Address::of(identity(2)),
        };
        Envelope { header, message }
    }

    /// One message of each kind, in the order of their codes, and the bytes after the header.
    fn pinned() -> Vec<(Message, &'static str)> {
        let term = Term::new(5);
        let last = EntryId::new(Index::new(300), Term::new(4));
        let index = Index::new(300);
        let run = Run::new(
            last,
            [(term, Payload::Noop), (term, Payload::Command(Bytes::copy_from(b"xy")))],
        )
        .unwrap();
        let matched = AppendOutcome::Matched(index);
        let conflict = AppendOutcome::Conflict { rejected: index, hint: last };
        let appended = ProposeOutcome::Appended(last);
        let refused = |because| ProposeOutcome::Refused(because);
        let large = ProposeRefusal::TooLarge { bytes: 9, limit: 8 };
        let command = Bytes::copy_from(b"xy");
        let speaks = Speaks { version: 2, last_resort: false };
        let snapshot = SnapshotId { last, checksum: 0x63 };
        let changes = vec![MemberChange::Remove(NodeId::new(9))];
        let left = TaskRefusal::Change(ChangeRefusal::NoVoterLeft);
        vec![
            (Message::Hello { asked: 7 }, "0007"),
            (Message::HelloReply { asked: 7 }, "0107"),
            (Message::PreVote { term, last }, "0205ac0204"),
            (Message::PreVoteGranted { term }, "0305"),
            (Message::PreVoteRefused { term }, "0405"),
            (Message::RequestVote { term, last, transfer: true }, "0505ac020401"),
            (Message::RequestVoteReply { term, granted: true }, "060501"),
            (
                Message::AppendEntries { term, run, commit: index },
                "0705ac020402050005020278 79ac02",
            ),
            (Message::AppendEntriesReply { term, outcome: matched }, "080500ac02"),
            (Message::AppendEntriesReply { term, outcome: conflict }, "080501ac02ac0204"),
            (Message::Heartbeat { term, commit: index, round: 9 }, "0905ac0209"),
            (
                Message::HeartbeatReply {
                    term,
                    round: 9,
                    matched: index,
                    durable: Index::new(7),
                    speaks,
                },
                "0a0509ac02070200",
            ),
            (Message::Commit { term, commit: index }, "0b05ac02"),
            (Message::TermPassed { term }, "0c05"),
            (Message::Propose { term, number: 7, command: command.clone() }, "0d0507027879"),
            (Message::ProposeReply { term, number: 7, outcome: appended }, "0e050700ac0204"),
            (
                Message::ProposeReply { term, number: 7, outcome: refused(ProposeRefusal::Busy) },
                "0e05070100",
            ),
            (Message::ProposeReply { term, number: 7, outcome: refused(large) }, "0e050701010908"),
            (Message::ReadIndex { term, read: 7 }, "0f0507"),
            (Message::ReadIndexReply { term, read: 7, index: Some(index) }, "10050701ac02"),
            (Message::ReadIndexReply { term, read: 7, index: None }, "10050700"),
            (
                Message::InstallSnapshot { term, snapshot, piece: 3, bytes: command.clone() },
                "1105ac020463030278 79",
            ),
            (Message::InstallSnapshotReply { term, snapshot, pieces: 3 }, "1205ac02046303"),
            (Message::TimeoutNow { term }, "1305"),
            (
                Message::Join { joiner: identity(3), voter: true, metadata: command, speaks },
                "1403830202010278790200",
            ),
            (Message::JoinRefused { because: JoinRefusal::NotAdmitted }, "1500"),
            (Message::JoinRefused { because: JoinRefusal::Version { group: 2 } }, "150102"),
            (Message::Removed { by: last }, "16ac0204"),
            (Message::EntriesLost { term, acknowledged: index, of: Some(term) }, "1705ac020105"),
            (Message::Assign { term, number: 7, task: Task::Change(changes) }, "180507000101 09"),
            (Message::Assign { term, number: 7, task: Task::Transfer(None) }, "1805070100"),
            (
                Message::AssignReply { term, number: 7, outcome: TaskOutcome::Done(index) },
                "19050700ac02",
            ),
            (
                Message::AssignReply { term, number: 7, outcome: TaskOutcome::Refused(left) },
                "190507010000",
            ),
            (Message::AssignReply { term, number: 7, outcome: TaskOutcome::Later }, "19050702"),
        ]
        .into_iter()
        .chain(parcels())
        .collect()
    }

    fn parcels() -> [(Message, &'static str); 3] {
        let text = |text: &str| Bytes::copy_from(text.as_bytes());
        let emitter = Name::new("em").unwrap();
        let as_of = Index::new(300);
        [
            (
                Message::Parcel(Parcel::Publish {
                    emitter: emitter.clone(),
                    event: text("e"),
                    payload: text("xy"),
                    sequence: Sequence::new(9),
                    lowest: Sequence::new(8),
                    as_of,
                }),
                "1a00 02656d 0165 027879 09 08 ac02",
            ),
            (
                Message::Parcel(Parcel::PublishReply {
                    sequence: Sequence::new(9),
                    delivered: true,
                }),
                "1a01 09 01",
            ),
            (
                Message::Parcel(Parcel::Notify {
                    emitter,
                    event: text("e"),
                    payload: text("xy"),
                    number: Sequence::new(9),
                    as_of,
                }),
                "1a02 02656d 0165 027879 09 ac02",
            ),
        ]
    }

    #[test]
    fn the_bytes_on_the_wire_are_pinned() {
        let header = "0101edfd03018102020201820202";
        for (message, body) in pinned() {
            let envelope = envelope(message);
            let bytes = envelope.encode();
            let hex: String = bytes.iter().map(|byte| alloc::format!("{byte:02x}")).collect();
            let expected: String = [header, body].concat().replace(' ', "");
            assert_eq!(hex, expected, "{envelope}");
            assert_eq!(Envelope::decode(&bytes), Ok(envelope));
        }
    }

    #[test]
    fn what_is_not_an_envelope_is_told_apart() {
        let bytes = envelope(Message::TermPassed { term: Term::new(5) }).encode();
        assert_eq!(Envelope::decode(&[]), Err(DecodeError::Empty));
        assert_eq!(Envelope::decode(&[9, 9]), Err(DecodeError::Version { found: 9 }));
        for length in 1..bytes.len() {
            assert_eq!(Envelope::decode(&bytes[..length]), Err(DecodeError::Malformed));
        }
        let more = [bytes.as_slice(), &[0]].concat();
        assert_eq!(Envelope::decode(&more), Err(DecodeError::Malformed));
        let long = vec![1; usize::try_from(MAX_ENVELOPE_BYTES).unwrap() + 1];
        let bytes = MAX_ENVELOPE_BYTES + 1;
        assert_eq!(Envelope::decode(&long), Err(DecodeError::TooLong { bytes }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn an_envelope_survives_its_bytes(message in any_message(3, GroupId::new(7))) {
            let envelope = envelope(message);
            prop_assert_eq!(Envelope::decode(&envelope.encode()), Ok(envelope));
        }

        #[test]
        fn arbitrary_bytes_are_an_envelope_or_refused(mut bytes: Vec<u8>, versioned: bool) {
            if let (true, Some(first)) = (versioned, bytes.first_mut()) {
                *first = VERSION;
            }
            let _ = Envelope::decode(&bytes);
        }

        #[test]
        fn a_damaged_envelope_is_an_envelope_or_refused(
            message in any_message(3, GroupId::new(7)),
            position: proptest::sample::Index,
            byte: u8,
        ) {
            let mut bytes = envelope(message).encode();
            let position = position.index(bytes.len());
            bytes[position] = byte;
            let _ = Envelope::decode(&bytes);
        }
    }
}
