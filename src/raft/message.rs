//! What nodes say to each other.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::change::{ChangeRefusal, MemberChange};
use super::entries::Run;
use super::snapshot::SnapshotId;
use crate::bytes::Bytes;
use crate::delivery::Parcel;
use crate::types::{EntryId, Identity, Index, NodeId, Term};

/// What nodes say to each other. Append-only: the position of a variant is its code on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// Asks who is there: incarnation, life, group.
    /// `asked` numbers the askings of one life.
    Hello {
        asked: u64,
    },
    /// Answers by the envelope's own header; 0 when it was not asked.
    HelloReply {
        asked: u64,
    },
    /// Asks whether a vote in `term`, which has not begun, would be granted.
    PreVote {
        term: Term,
        last: EntryId,
    },
    /// Carries the term that was asked about.
    PreVoteGranted {
        term: Term,
    },
    /// Carries the voter's own term, so that a candidate who is behind learns of it.
    PreVoteRefused {
        term: Term,
    },
    RequestVote {
        term: Term,
        last: EntryId,
        /// The leader itself wishes this election (Raft thesis §3.10): that it is alive is no reason
        /// to refuse.
        transfer: bool,
    },
    RequestVoteReply {
        term: Term,
        granted: bool,
    },
    AppendEntries {
        term: Term,
        run: Run,
        commit: Index,
    },
    AppendEntriesReply {
        term: Term,
        outcome: AppendOutcome,
    },
    /// Keeps a leader in office and carries the commit index; `round` counts them.
    Heartbeat {
        term: Term,
        commit: Index,
        round: u64,
    },
    /// `matched` is how far the sender's log, durable or not, is known to match the leader's, and
    /// `durable` how far it does durably: an acknowledgement said again, in case it was lost.
    HeartbeatReply {
        term: Term,
        round: u64,
        matched: Index,
        durable: Index,
        speaks: Speaks,
    },
    /// Carries the commit index as soon as it moves; asks for no answer.
    Commit {
        term: Term,
        commit: Index,
    },
    /// Tells one who leads a past term that it is past.
    TermPassed {
        term: Term,
    },
    /// Hands a command to the leader of `term`; `number` names this copy within the sender's life.
    Propose {
        term: Term,
        number: u64,
        command: Bytes,
    },
    ProposeReply {
        term: Term,
        number: u64,
        outcome: ProposeOutcome,
    },
    /// Asks the leader of `term` for an index at which a linearizable read may be served.
    ReadIndex {
        term: Term,
        read: u64,
    },
    /// Everything committed when `read` was asked for lies at or below `index`; none if the leader has as
    /// many reads as it may hold.
    ReadIndexReply {
        term: Term,
        read: u64,
        index: Option<Index>,
    },
    /// One piece of a snapshot: its head is piece 0.
    InstallSnapshot {
        term: Term,
        snapshot: SnapshotId,
        piece: u64,
        bytes: Bytes,
    },
    /// So many pieces of that snapshot, counted from the first, have arrived.
    InstallSnapshotReply {
        term: Term,
        snapshot: SnapshotId,
        pieces: u64,
    },
    /// The leader wishes the receiver to lead (Raft thesis §3.10).
    TimeoutNow {
        term: Term,
    },
    /// Asks for membership. A member that does not lead passes it on to the leader.
    Join {
        joiner: Identity,
        voter: bool,
        metadata: Bytes,
        speaks: Speaks,
    },
    JoinRefused {
        because: JoinRefusal,
    },
    /// Tells a node that it is no member by this entry, which is committed. Where only a snapshot holds
    /// that entry, its term is not known, and that of the snapshot's last stands for it.
    Removed {
        by: EntryId,
    },
    /// The receiver, in this incarnation, acknowledged the entry at this index, and does not hold it.
    /// Its term is not given when the leader has it only in the snapshot.
    EntriesLost {
        term: Term,
        acknowledged: Index,
        of: Option<Term>,
    },
    /// Asks the leader of `term` for something that is not a command.
    Assign {
        term: Term,
        number: u64,
        task: Task,
    },
    AssignReply {
        term: Term,
        number: u64,
        outcome: TaskOutcome,
    },
    /// What members say to each other beside consensus, which does not look into it.
    Parcel(Parcel),
}

/// What a node can do, for the leader to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Speaks {
    /// The newest format version it reads and writes.
    pub(crate) version: u8,
    /// It should lead only as a last resort.
    pub(crate) last_resort: bool,
}

/// Why a node is not taken into the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum JoinRefusal {
    /// The leader's [`Config::admission`](crate::Config) does not let it in.
    NotAdmitted,
    /// It does not speak the version in which the group writes its commands.
    Version {
        /// The group's.
        group: u8,
    },
    /// The change would not be possible.
    Change(ChangeRefusal),
}

/// What is asked of a leader beside commands and reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Task {
    Change(Vec<MemberChange>),
    /// To hand leadership on: to that node, or to whom it finds best.
    Transfer(Option<NodeId>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TaskOutcome {
    /// It is so, by what is committed at this index.
    Done(Index),
    /// It is not so, and will not be by this asking.
    Refused(TaskRefusal),
    /// Something else is under way; the task may be asked for again.
    Later,
    /// It may be so yet.
    Unknown,
}

/// Why a leader did not do what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TaskRefusal {
    /// The change of the members is not possible.
    Change(ChangeRefusal),
    /// The voters that there would be have no majority that answers: the change could neither be
    /// finished nor taken back.
    NoLiveMajority,
    /// Leadership cannot be handed to a node that is no voter, or there is no other.
    NotAVoter,
    /// The node that was to lead did not come into office in time.
    TransferTimedOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AppendOutcome {
    /// The log matches up to here, durably.
    Matched(Index),
    /// The entry at `rejected` differs or is missing; `hint` is the last that may be shared.
    Conflict { rejected: Index, hint: EntryId },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ProposeOutcome {
    Appended(EntryId),
    /// This copy was not appended and never will be.
    Refused(ProposeRefusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ProposeRefusal {
    Busy,
    TooLarge {
        bytes: u64,
        limit: u64,
    },
    /// Leadership is being handed on: the next leader will take it.
    Transferring,
}

impl Message {
    /// The sender's term, or the one asked about in a pre-vote.
    pub(crate) fn term(&self) -> Option<Term> {
        match self {
            Self::Hello { .. }
            | Self::HelloReply { .. }
            | Self::Join { .. }
            | Self::JoinRefused { .. }
            | Self::Removed { .. }
            | Self::Parcel(_) => None,
            Self::PreVote { term, .. }
            | Self::PreVoteGranted { term }
            | Self::PreVoteRefused { term }
            | Self::RequestVote { term, .. }
            | Self::RequestVoteReply { term, .. }
            | Self::AppendEntries { term, .. }
            | Self::AppendEntriesReply { term, .. }
            | Self::Heartbeat { term, .. }
            | Self::HeartbeatReply { term, .. }
            | Self::Commit { term, .. }
            | Self::TermPassed { term }
            | Self::Propose { term, .. }
            | Self::ProposeReply { term, .. }
            | Self::ReadIndex { term, .. }
            | Self::ReadIndexReply { term, .. }
            | Self::InstallSnapshot { term, .. }
            | Self::InstallSnapshotReply { term, .. }
            | Self::TimeoutNow { term }
            | Self::EntriesLost { term, .. }
            | Self::Assign { term, .. }
            | Self::AssignReply { term, .. } => Some(*term),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "Hello",
            Self::HelloReply { .. } => "HelloReply",
            Self::PreVote { .. } => "PreVote",
            Self::PreVoteGranted { .. } => "PreVoteGranted",
            Self::PreVoteRefused { .. } => "PreVoteRefused",
            Self::RequestVote { .. } => "RequestVote",
            Self::RequestVoteReply { .. } => "RequestVoteReply",
            Self::AppendEntries { .. } => "AppendEntries",
            Self::AppendEntriesReply { .. } => "AppendEntriesReply",
            Self::Heartbeat { .. } => "Heartbeat",
            Self::HeartbeatReply { .. } => "HeartbeatReply",
            Self::Commit { .. } => "Commit",
            Self::TermPassed { .. } => "TermPassed",
            Self::Propose { .. } => "Propose",
            Self::ProposeReply { .. } => "ProposeReply",
            Self::ReadIndex { .. } => "ReadIndex",
            Self::ReadIndexReply { .. } => "ReadIndexReply",
            Self::InstallSnapshot { .. } => "InstallSnapshot",
            Self::InstallSnapshotReply { .. } => "InstallSnapshotReply",
            Self::TimeoutNow { .. } => "TimeoutNow",
            Self::Join { .. } => "Join",
            Self::JoinRefused { .. } => "JoinRefused",
            Self::Removed { .. } => "Removed",
            Self::EntriesLost { .. } => "EntriesLost",
            Self::Assign { .. } => "Assign",
            Self::AssignReply { .. } => "AssignReply",
            Self::Parcel(parcel) => parcel.name(),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Some(term) = self.term() {
            write!(f, " {term}")?;
        }
        match self {
            Self::PreVoteGranted { .. }
            | Self::PreVoteRefused { .. }
            | Self::TermPassed { .. }
            | Self::TimeoutNow { .. } => Ok(()),
            Self::Hello { asked } | Self::HelloReply { asked } => write!(f, " #{asked}"),
            Self::PreVote { last, .. } | Self::RequestVote { last, transfer: false, .. } => {
                write!(f, " last {last}")
            }
            Self::RequestVote { last, transfer: true, .. } => {
                write!(f, " last {last} by the leader's wish")
            }
            Self::RequestVoteReply { granted: true, .. } => f.write_str(" granted"),
            Self::RequestVoteReply { granted: false, .. } => f.write_str(" refused"),
            Self::AppendEntries { run, commit, .. } => write!(f, " {run} commit {commit}"),
            Self::AppendEntriesReply { outcome, .. } => match outcome {
                AppendOutcome::Matched(index) => write!(f, " matched {index}"),
                AppendOutcome::Conflict { rejected, hint } => {
                    write!(f, " conflict at {rejected} hint {hint}")
                }
            },
            Self::Commit { commit, .. } => write!(f, " {commit}"),
            Self::Heartbeat { commit, round, .. } => write!(f, " commit {commit} round {round}"),
            Self::HeartbeatReply { round, matched, durable, .. } => {
                write!(f, " round {round} matched {matched} durable {durable}")
            }
            Self::Propose { number, command, .. } => {
                write!(f, " #{number} of {} bytes", command.len())
            }
            Self::ProposeReply { number, outcome, .. } => match outcome {
                ProposeOutcome::Appended(id) => write!(f, " #{number} appended {id}"),
                ProposeOutcome::Refused(because) => write!(f, " #{number} refused: {because}"),
            },
            Self::ReadIndex { read, .. } => write!(f, " #{read}"),
            Self::ReadIndexReply { read, index: Some(index), .. } => {
                write!(f, " #{read} at {index}")
            }
            Self::ReadIndexReply { read, index: None, .. } => write!(f, " #{read} refused: busy"),
            Self::InstallSnapshot { .. }
            | Self::InstallSnapshotReply { .. }
            | Self::Join { .. }
            | Self::JoinRefused { .. }
            | Self::Removed { .. }
            | Self::EntriesLost { .. }
            | Self::Assign { .. }
            | Self::AssignReply { .. } => self.fmt_upkeep(f),
            Self::Parcel(parcel) => write!(f, " {parcel}"),
        }
    }
}

impl Message {
    /// The messages by which a group is kept in order: snapshots, members, leadership.
    fn fmt_upkeep(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InstallSnapshot { snapshot, piece, bytes, .. } => {
                write!(f, " {} piece {piece} of {} bytes", snapshot.last, bytes.len())
            }
            Self::InstallSnapshotReply { snapshot, pieces, .. } => {
                write!(f, " {} has {pieces}", snapshot.last)
            }
            Self::Join { joiner, voter: true, .. } => write!(f, " {joiner}"),
            Self::Join { joiner, voter: false, .. } => write!(f, " {joiner} as a learner"),
            Self::JoinRefused { because } => write!(f, ": {because}"),
            Self::Removed { by } => write!(f, " by {by}"),
            Self::EntriesLost { acknowledged, .. } => write!(f, " {acknowledged}"),
            Self::Assign { number, task, .. } => write!(f, " #{number} {task}"),
            Self::AssignReply { number, outcome, .. } => match outcome {
                TaskOutcome::Done(index) => write!(f, " #{number} done at {index}"),
                TaskOutcome::Refused(because) => write!(f, " #{number} refused: {because}"),
                TaskOutcome::Later => write!(f, " #{number} later"),
                TaskOutcome::Unknown => write!(f, " #{number} unknown"),
            },
            Self::Hello { .. }
            | Self::HelloReply { .. }
            | Self::PreVote { .. }
            | Self::PreVoteGranted { .. }
            | Self::PreVoteRefused { .. }
            | Self::RequestVote { .. }
            | Self::RequestVoteReply { .. }
            | Self::AppendEntries { .. }
            | Self::AppendEntriesReply { .. }
            | Self::Heartbeat { .. }
            | Self::HeartbeatReply { .. }
            | Self::Commit { .. }
            | Self::TermPassed { .. }
            | Self::Propose { .. }
            | Self::ProposeReply { .. }
            | Self::ReadIndex { .. }
            | Self::ReadIndexReply { .. }
            | Self::TimeoutNow { .. }
            | Self::Parcel(_) => Ok(()),
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(changes) => {
                f.write_str("change")?;
                changes.iter().try_for_each(|change| write!(f, " {change}"))
            }
            Self::Transfer(Some(to)) => write!(f, "transfer to {to}"),
            Self::Transfer(None) => f.write_str("transfer"),
        }
    }
}

impl fmt::Display for JoinRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAdmitted => f.write_str("not admitted"),
            Self::Version { group } => write!(f, "the group writes version {group}"),
            Self::Change(because) => because.fmt(f),
        }
    }
}

impl fmt::Display for TaskRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(because) => because.fmt(f),
            Self::NoLiveMajority => f.write_str("no majority of the new voters answers"),
            Self::NotAVoter => f.write_str("no such voter to lead"),
            Self::TransferTimedOut => f.write_str("the transfer took too long"),
        }
    }
}

impl fmt::Display for ProposeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("busy"),
            Self::TooLarge { bytes, limit } => write!(f, "{bytes} bytes, limit {limit}"),
            Self::Transferring => f.write_str("transferring"),
        }
    }
}
