//! What goes into a [`Node`](crate::Node) and what comes out of it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::bytes::Bytes;
use crate::event::Event;
use crate::raft::MemberChange;
use crate::raft::message::TaskRefusal;
use crate::remote_call::{RemoteCall, RemoteResult};
use crate::store::{
    Answer, CollectionKind, Name, Operation, Query, RemoteQuery, SubscriptionChange,
};
use crate::types::{Index, NodeId, RemoteCallId, RequestId, Sequence, SessionId, Ticks, WriteId};
use crate::{Envelope, Write};

/// One thing that happened to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time passed. `Tick(n)` is exactly n times `Tick(1)`, for n up to 2³². If that wakes the node more
    /// often than a step may, the rest goes on at the next tick; as long as
    /// [`Node::idle_ticks`](crate::Node::idle_ticks) says 0, feed `Tick(0)` before anything else.
    Tick(Ticks),
    /// An envelope addressed to this node arrived.
    Receive(Envelope),
    /// This write, and every one before it, is durable.
    Persisted(WriteId),
    /// This write failed, and with it every one after it. The node takes no further part, says so in
    /// [`Event::StorageFailed`], and may be restored from what is on disk once that can be written.
    PersistFailed(WriteId),
    /// The application asks for something. The id must not belong to a request still pending.
    Request(RequestId, Request),
    /// This came of a call on an outside store. Each call is answered for once, to the life of the node that
    /// made it; another life numbers its calls anew.
    Remote(RemoteCallId, RemoteResult),
}

/// One thing the embedder is to do. Apart from the order of the writes among themselves, no output
/// waits for another.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Perform this write; feed [`Input::Persisted`] once it and all before it are durable.
    Persist(Write),
    /// Send this envelope to [`Envelope::to`]. It may be lost, late, duplicated or reordered.
    Send(Envelope),
    /// The one reply to a request.
    Reply(Reply),
    /// Something happened that may be of interest.
    Event(Event),
    /// Make this call on an outside store; feed [`Input::Remote`] with what came of it. Only those who use
    /// a [`RemoteMap`](crate::RemoteMap) see any.
    Remote(RemoteCall),
}

/// Something asked of the group. Made by the typed handles and by the functions below.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub(crate) what: What,
    pub(crate) timeout: Option<Ticks>,
}

/// A request's kind: what must be ordered by the log, what only reads, what goes from node to node, or
/// what concerns this node or the group itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Command {
        operation: Operation,
        place: Option<Place>,
    },
    /// A command about the subscriptions of the node it is given to.
    Subscription {
        emitter: Name,
        change: SubscriptionChange,
        place: Option<Place>,
    },
    Read(Query),
    /// A read that waits until this node is a member.
    Ready(Query),
    RemoteRead(RemoteRead),
    Publish(Publish),
    Local(Local),
    Upkeep(Upkeep),
}

/// A read of an outside store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RemoteRead {
    pub(crate) map: Name,
    /// None only waits for the operations that come before.
    pub(crate) query: Option<RemoteQuery>,
    /// Whether it waits for all operations that are committed when it is asked for.
    pub(crate) ordered: bool,
}

/// An event to be sent to those who subscribed to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Publish {
    pub(crate) emitter: Name,
    pub(crate) event: Bytes,
    pub(crate) payload: Bytes,
    /// Whether it is sent again until it is answered for.
    pub(crate) answered: bool,
}

/// What concerns this node alone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Local {
    /// To use a collection no more.
    Close(Name),
    /// To use it again.
    Reopen(Name),
    Stop,
}

/// What is asked concerning the group itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Upkeep {
    Change(Vec<MemberChange>),
    /// This node is to belong to the group, again perhaps.
    Join {
        voter: bool,
    },
    /// This node is to belong to the group no more.
    Leave,
    Transfer(Option<NodeId>),
}

/// A command's place in a session that the application keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) session: SessionId,
    pub(crate) sequence: Sequence,
    pub(crate) answered_below: Sequence,
}

impl Upkeep {
    /// How many bytes it holds beside itself.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Change(changes) => changes.iter().map(MemberChange::size).sum(),
            Self::Join { .. } | Self::Leave | Self::Transfer(_) => 0,
        }
    }

    /// Whether it says how this node is to stand to its group. The last that is said counts.
    pub(crate) fn is_wish(&self) -> bool {
        match self {
            Self::Join { .. } | Self::Leave => true,
            Self::Change(_) | Self::Transfer(_) => false,
        }
    }
}

impl RemoteRead {
    /// How many bytes it holds beside itself.
    pub(crate) fn size(&self) -> u64 {
        self.map.len_u64() + self.query.as_ref().map_or(0, RemoteQuery::size)
    }
}

impl Request {
    pub(crate) const fn new(what: What) -> Self {
        Self { what, timeout: None }
    }

    pub(crate) const fn command(operation: Operation) -> Self {
        Self::new(What::Command { operation, place: None })
    }

    pub(crate) const fn read(query: Query) -> Self {
        Self::new(What::Read(query))
    }

    pub(crate) const fn upkeep(upkeep: Upkeep) -> Self {
        Self::new(What::Upkeep(upkeep))
    }

    /// Ends the request after `timeout` instead of [`Config::request_timeout`](crate::Config).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Ticks) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes this command the `sequence`-th of a session which the application opened itself with
    /// [`open_session`](crate::open_session), so that it may be sent again, through any node and
    /// from any process, and still take effect at most once.
    ///
    /// `answered_below` promises that nobody waits for a reply of a lower sequence any more; the
    /// group then forgets those replies. It must not exceed `sequence`. A read has no effect to
    /// protect and ignores this.
    #[must_use]
    pub fn in_session(
        mut self,
        session: SessionId,
        sequence: Sequence,
        answered_below: Sequence,
    ) -> Self {
        if let What::Command { place, .. } | What::Subscription { place, .. } = &mut self.what {
            *place = Some(Place { session, sequence, answered_below });
        }
        self
    }
}

/// The one reply to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub(crate) id: RequestId,
    pub(crate) outcome: Outcome,
}

impl Reply {
    /// The request this answers.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// How it ended. A [`Ticket`](crate::Ticket) turns this into a typed result.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was executed, once.
    Done {
        /// A command: the log position at which it took effect; of one on a remote map, the position
        /// that orders it among the others. A linearizable read: the position whose state it saw; of an
        /// outside store, the operation that was executed last. A change of the members or of
        /// leadership: a committed position by which it was so. An event that was published: how far this
        /// node had applied.
        index: Index,
        /// The result.
        answer: Answer,
    },
    /// It was ordered and refused, the same on every node; it has no effect.
    Refused {
        /// The log position at which it was refused.
        index: Index,
        /// Why.
        because: Refusal,
    },
    /// It has no effect, and this copy of it never will: safe to send again.
    NotExecuted(NotExecuted),
    /// It may have taken effect, or may yet. Sending it again is safe only in the same session with
    /// the same sequence number.
    Unknown(Unknown),
    /// A bulk call that was split by [`Config::max_keys`](crate::Config) or
    /// [`Config::max_values`](crate::Config) was done in part: the commands before one that was not.
    Partial {
        /// The log position of the last command that was done.
        index: Index,
        /// The results of those that were done, merged.
        answer: Answer,
        /// How many of the call's entries, keys or values they were, counted from the first: where to go
        /// on.
        next: u64,
        /// How the first command that was not done ended. No later one was begun.
        because: Box<Outcome>,
    },
}

/// Why a command was refused by the replicated state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// The sequence number lies too far above `answered_below`, or below it.
    OutsideWindow {
        /// How many numbers, counted from `answered_below`, a session may use.
        window: u64,
    },
    /// There is a collection of that name, and it is of another kind.
    WrongKind {
        /// What it is.
        is: CollectionKind,
    },
    /// A node that is no member of the group, or is none any more, cannot subscribe to events.
    NotAMember,
    /// The queue of the remote map has as much as it may hold
    /// ([`RemoteQueueLimits`](crate::RemoteQueueLimits)): the outside store is behind.
    RemoteQueueFull {
        /// How many operations wait.
        operations: u64,
    },
    /// A remote map cannot be dropped while the outside store is still to execute operations on it.
    OperationsQueued {
        /// How many wait.
        operations: u64,
    },
}

/// Why a request was not executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotExecuted {
    /// This node belongs to no group yet.
    NoGroup,
    /// The request's time was up, and this node knows of no leader.
    NoLeader,
    /// The request's time was up. There is a leader, which has not answered in time for this to go on.
    TimedOut,
    /// A queue was full, here or at the leader.
    Busy,
    /// This node met something that it cannot apply ([`Status::halted`](crate::Status)): it can run
    /// nothing and answer nothing. Ask another.
    Halted,
    /// The leader declined, and says why.
    Declined(TaskRefusal),
    /// The collection is closed on this node.
    Closed,
    /// This node was [stopped](crate::stop).
    Stopped,
    /// A bulk call with more keys or values than one command may have cannot be split in a session of
    /// the application's, where it has a single number.
    TooMany {
        /// How many it has.
        count: u64,
        /// How many one command may have.
        limit: u64,
    },
    /// The outside store did not answer this node's read in time, or did not execute in time what the read
    /// has to wait for, or has the entries of another group, which the read does not show
    /// ([`Event::RemoteRefused`](crate::Event)).
    StoreSilent,
    /// The command is larger than one log entry may be.
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit: [`Config::max_entry_bytes`](crate::Config).
        limit: u64,
    },
}

/// Why it is not known whether a command took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unknown {
    /// The request's time was up while a copy of it was on its way, or while it waited for an outside store.
    TimedOut,
    /// The group does not know the session: it never did, or has dropped it.
    SessionExpired,
    /// The result is no longer kept: the command was executed before, or its number lies below what the
    /// session was told nobody waits for. Or it was executed by an outside store, and its result is
    /// larger than an entry of the log may be
    /// ([`RemoteAnswer::TooLarge`](crate::RemoteAnswer::TooLarge)); of a call that is run as several commands,
    /// that one was, and none after it.
    ResultForgotten,
    /// The collection was closed on this node while a copy of it was on its way.
    Closed,
    /// This node was stopped while a copy of it was on its way.
    Stopped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { index, answer } => write!(f, "done at {index}: {answer}"),
            Self::Refused { index, because } => write!(f, "refused at {index}: {because}"),
            Self::NotExecuted(because) => write!(f, "not executed: {because}"),
            Self::Unknown(because) => write!(f, "unknown: {because}"),
            Self::Partial { index, answer, next, because } => {
                write!(f, "done before {next} at {index}: {answer}, then {because}")
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutsideWindow { window } => {
                write!(f, "sequence outside the session's window of {window}")
            }
            Self::WrongKind { is } => write!(f, "the name means a {is}"),
            Self::NotAMember => f.write_str("the node is no member"),
            Self::RemoteQueueFull { operations } => {
                write!(f, "{operations} operations wait for the outside store already")
            }
            Self::OperationsQueued { operations } => {
                write!(f, "{operations} operations still wait for the outside store")
            }
        }
    }
}

impl fmt::Display for NotExecuted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGroup => f.write_str("the node belongs to no group"),
            Self::NoLeader => f.write_str("no leader"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Busy => f.write_str("busy"),
            Self::Halted => f.write_str("this node has stopped applying"),
            Self::Declined(because) => write!(f, "declined: {because}"),
            Self::Closed => f.write_str("the collection is closed here"),
            Self::Stopped => f.write_str("this node was stopped"),
            Self::TooMany { count, limit } => {
                write!(f, "{count} are more than one command may have ({limit})")
            }
            Self::StoreSilent => f.write_str("the outside store did not answer in time"),
            Self::TooLarge { bytes, limit } => {
                write!(f, "{bytes} bytes are more than an entry may have ({limit})")
            }
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "timed out on its way",
            Self::SessionExpired => "session expired",
            Self::ResultForgotten => "executed before, result no longer kept",
            Self::Closed => "the collection was closed here meanwhile",
            Self::Stopped => "this node was stopped meanwhile",
        })
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.outcome)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Persist(write) => write!(f, "persist {write}"),
            Self::Send(envelope) => write!(f, "send {envelope}"),
            Self::Reply(reply) => write!(f, "reply {reply}"),
            Self::Event(event) => write!(f, "event {event}"),
            Self::Remote(call) => write!(f, "call {call}"),
        }
    }
}
