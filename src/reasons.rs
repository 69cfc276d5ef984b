//! Why a node refuses a vote, or drops an envelope.

use core::fmt;

use crate::types::{EntryId, Life, NodeId, Peer, Term};

/// Why a vote was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VoteRefusal {
    /// The candidate's term is past.
    StaleTerm {
        /// The term here.
        ours: Term,
    },
    /// A leader was heard from within the least election time-out (Raft §6, last paragraph).
    LeaderAlive {
        /// The leader.
        leader: NodeId,
    },
    /// The candidate's log is not as up to date as the one here (Raft §5.4.1).
    LogBehind {
        /// The last entry here.
        ours: EntryId,
        /// The last entry there.
        theirs: EntryId,
    },
    /// The vote of this term went to another (Raft §5.2).
    AlreadyVoted {
        /// To whom.
        candidate: Peer,
    },
}

/// Why an envelope was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// It is addressed to another node.
    NotForThisNode,
    /// It is addressed to another incarnation or life of this node.
    NotForThisLife {
        /// The present one.
        ours: Life,
    },
    /// It is about another group.
    OtherGroup,
    /// It was sent by a life of that peer which is over.
    SenderGone {
        /// The newest life known.
        newest: Life,
    },
    /// This node's first write of this life is not durable yet.
    Starting,
    /// This node's disk failed: it takes no further part.
    Failed,
    /// This node has more to apply than it takes in.
    Busy,
    /// Its sender is no member of the group.
    NotAMember,
    /// Its term is past.
    StaleTerm {
        /// The term here.
        ours: Term,
    },
    /// It answers what was not asked, or no longer matters.
    Unexpected,
    /// No correct member sends this.
    Impossible(Impossible),
}

/// What makes a message one that no correct member sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Impossible {
    /// It claims to lead the term that this node leads.
    SecondLeader,
    /// It would replace entries that are committed, or that its leader has sent itself.
    RewritesLog,
    /// It acknowledges entries that were never sent.
    AcknowledgesUnsent,
    /// It answers a round that was never begun.
    AnswersUnasked,
    /// It claims to be this very node.
    FromMyself,
    /// Its entries cannot stand where it puts them.
    MisplacedEntries,
    /// It says that this node lost what it holds.
    NotLost,
}

impl fmt::Display for VoteRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StaleTerm { ours } => write!(f, "stale term, ours is {ours}"),
            Self::LeaderAlive { leader } => write!(f, "leader {leader} is alive"),
            Self::LogBehind { ours, theirs } => write!(f, "log behind, {theirs} against {ours}"),
            Self::AlreadyVoted { candidate } => write!(f, "already voted for {candidate}"),
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForThisNode => f.write_str("not for this node"),
            Self::NotForThisLife { ours } => write!(f, "not for this life ({ours})"),
            Self::OtherGroup => f.write_str("other group"),
            Self::SenderGone { newest } => write!(f, "sender gone, newest life is {newest}"),
            Self::Starting => f.write_str("starting"),
            Self::Failed => f.write_str("failed"),
            Self::Busy => f.write_str("busy"),
            Self::NotAMember => f.write_str("not a member"),
            Self::StaleTerm { ours } => write!(f, "stale term, ours is {ours}"),
            Self::Unexpected => f.write_str("unexpected"),
            Self::Impossible(what) => write!(f, "impossible: {what}"),
        }
    }
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecondLeader => "a second leader of this term",
            Self::RewritesLog => "rewrites what is committed or its own",
            Self::AcknowledgesUnsent => "acknowledges what was not sent",
            Self::AnswersUnasked => "answers a round not begun",
            Self::FromMyself => "from myself",
            Self::MisplacedEntries => "misplaced entries",
            Self::NotLost => "nothing was lost",
        })
    }
}
