//! What nodes say to each other.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::entries::Run;
use crate::bytes::Bytes;
use crate::types::{EntryId, Index, Term};

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
    /// Everything committed when `read` was asked for lies at or below `index`.
    ReadIndexReply {
        term: Term,
        read: u64,
        index: Index,
    },
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
    TooLarge { bytes: u64, limit: u64 },
}

impl Message {
    /// The sender's term, or the one asked about in a pre-vote.
    pub(crate) fn term(&self) -> Option<Term> {
        match self {
            Self::Hello { .. } | Self::HelloReply { .. } => None,
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
            | Self::ReadIndexReply { term, .. } => Some(*term),
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
            Self::PreVoteGranted { .. } | Self::PreVoteRefused { .. } | Self::TermPassed { .. } => {
                Ok(())
            }
            Self::Hello { asked } | Self::HelloReply { asked } => write!(f, " #{asked}"),
            Self::PreVote { last, .. } | Self::RequestVote { last, .. } => {
                write!(f, " last {last}")
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
            Self::ReadIndexReply { read, index, .. } => write!(f, " #{read} at {index}"),
        }
    }
}

impl fmt::Display for ProposeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("busy"),
            Self::TooLarge { bytes, limit } => write!(f, "{bytes} bytes, limit {limit}"),
        }
    }
}
