//! What a node reports of itself: the log, as data.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use crate::bytes::Bytes;
use crate::raft::Configuration;
use crate::raft::message::JoinRefusal;
use crate::reasons::{DropReason, VoteRefusal};
use crate::remote_call::FenceRefusal;
use crate::store::{Change, Name};
use crate::types::{
    EntryId, GroupId, Identity, Index, NodeId, Peer, RemoteCallId, RequestId, SessionId, Term,
    WriteId,
};

/// Something that happened inside a node.
///
/// Those marked *verbose* are emitted only when [`Config::verbose`](crate::Config) is set.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The node took a new role, or kept its role in a new term.
    RoleChanged {
        /// The term it is in.
        term: Term,
        /// Its role.
        role: Role,
    },
    /// The node knows of another leader than before, or of none.
    LeaderChanged {
        /// The term it is in.
        term: Term,
        /// The leader of that term, if known.
        leader: Option<NodeId>,
    },
    /// This node founded a group.
    GroupFounded {
        /// The new group.
        group: GroupId,
    },
    /// This node was taken into a group.
    GroupEntered {
        /// The group.
        group: GroupId,
    },
    /// While looking for peers to meet, the node learnt that one of them has a group already; no new
    /// one will be founded.
    GroupExists {
        /// The peer that has one.
        peer: Peer,
        /// Its group.
        group: GroupId,
    },
    /// A heartbeat of the leader arrived. *Verbose.*
    Heartbeat {
        /// Who leads.
        leader: Identity,
    },
    /// As a leader: a member has not answered for an election time-out. It is told once, until the member
    /// answers again.
    PeerSilent {
        /// The member.
        peer: Peer,
    },
    /// Another configuration is in force.
    MembersChanged {
        /// The configuration.
        configuration: Arc<Configuration>,
    },
    /// By the committed configuration at this index, this node is no member of the group. It stands for
    /// election no more, and may ask to [`join`](crate::join) again.
    Removed {
        /// Where that configuration stands.
        index: Index,
    },
    /// A node asks to join, and this leader's [`Config::admission`](crate::Config) leaves that to the
    /// application: see [`change_members`](crate::change_members). It asks again until it is let in.
    JoinAsked {
        /// Who asks.
        identity: Identity,
        /// Whether it wishes to become a voter.
        voter: bool,
        /// What it says of itself.
        metadata: Bytes,
    },
    /// This node was not let into the group. It asks again.
    JoinRefused {
        /// The leader who refused.
        leader: Peer,
        /// Why.
        because: JoinRefusal,
    },
    /// A leader began to hand leadership on.
    TransferBegan {
        /// To whom.
        to: NodeId,
    },
    /// The node that was to lead did not come into office in time; this leader goes on.
    TransferFailed {
        /// Who was to lead.
        to: NodeId,
    },
    /// A snapshot took the place of the log up to its last entry.
    SnapshotTaken {
        /// The last entry it covers.
        last: EntryId,
        /// How large it is.
        bytes: u64,
    },
    /// A leader began to send a snapshot to a node that lacks what the log begins with.
    SnapshotSent {
        /// To whom.
        to: NodeId,
        /// The last entry it covers.
        last: EntryId,
        /// With how many pieces that the node had already from an earlier attempt.
        resumed_at: u64,
    },
    /// A snapshot that was sent by a leader takes the place of this node's whole log.
    SnapshotInstalled {
        /// The last entry it covers.
        last: EntryId,
    },
    /// A snapshot cannot be taken from a leader, or cannot be read: it is damaged, or larger than
    /// [`Config::max_snapshot_bytes`](crate::Config).
    SnapshotRefused {
        /// The last entry it covers, by its own word.
        last: EntryId,
    },
    /// The replicated state stands as a snapshot has it: an [`Event::Restored`] for each collection
    /// follows, before anything else is applied.
    SnapshotLoaded {
        /// The last entry it covers.
        last: EntryId,
    },
    /// A collection stands as a snapshot has it, after a restart or since this node had fallen far
    /// behind: instead of the changes in between, this. One event for each collection, and for each
    /// that was there before and is not in the snapshot.
    Restored {
        /// The last entry that the snapshot covers.
        index: Index,
        /// The collection's name.
        collection: String,
    },
    /// What differs in a collection between what this node held and a snapshot that took its place:
    /// after [`Event::Restored`], entry by entry, if [`Config::report_differences`](crate::Config) is
    /// set. It need not be what happened in between.
    Difference(Change),
    /// The application's bytes, handed to every node in the order of the log by
    /// [`submit`](crate::submit). Those that a snapshot covers are not handed over again.
    Message {
        /// Where they stand in the log.
        index: Index,
        /// What was submitted.
        payload: Bytes,
    },
    /// An event of an [`Emitter`](crate::Emitter) to which this node subscribed, sent by a member of the
    /// group. [`Emitter::emitted`](crate::Emitter::emitted) gives it its type.
    Emitted(Emission),
    /// A collection is closed on this node: its changes are not reported until it is
    /// [reopened](crate::Collection::reopen).
    Closed {
        /// The collection's name.
        collection: String,
    },
    /// This node was [stopped](crate::stop).
    Stopped,
    /// An outside store does not allow calls of this group, or of this leader, or has another group's
    /// entries. They are made again, with ever longer pauses.
    RemoteRefused {
        /// The remote map.
        collection: String,
        /// The operation; none if it is a linearizable read.
        operation: Option<Index>,
        /// Why.
        because: FenceRefusal,
    },
    /// An answer for a call that nobody waits for any more, or that is none to it.
    RemoteResultIgnored {
        /// The call.
        call: RemoteCallId,
    },
    /// A write failed: this node takes no further part.
    StorageFailed {
        /// Which.
        write: WriteId,
    },
    /// A leader showed that this node's disk lost an entry which the node had acknowledged. It takes
    /// no further part: start it with [`Node::new`](crate::Node::new), as a new incarnation.
    StorageLost {
        /// Where it stood.
        acknowledged: Index,
    },
    /// A peer was heard from in a new life or for the first time.
    PeerStarted {
        /// Who.
        identity: Identity,
    },
    /// The commit index moved. *Verbose.*
    Committed {
        /// All entries up to here are committed.
        index: Index,
    },
    /// An entry was applied. *Verbose.*
    Applied {
        /// The entry.
        entry: EntryId,
        /// The digest of the replicated state after it.
        digest: u64,
        /// A digest of the entry's outcome: what its asker is answered.
        outcome: u64,
    },
    /// A collection changed: one event per entry of it, or one for all of it, in log order, on every node.
    Changed(Change),
    /// A session was dropped: unused for too long, crowded out, or that of an earlier life of a node
    /// that has opened another.
    SessionExpired {
        /// Which.
        session: SessionId,
    },
    /// A committed command could not be read, by this node or any other; it has no effect.
    CommandUnreadable {
        /// Where it stands.
        index: Index,
    },
    /// A committed command, or the state in a snapshot, is of a newer version than this node knows. The
    /// node stops applying.
    CommandTooNew {
        /// Where it stands.
        index: Index,
        /// Its version.
        version: u8,
    },
    /// A vote was refused.
    VoteRefused {
        /// Who asked.
        candidate: NodeId,
        /// The term it asked for.
        term: Term,
        /// Whether it was only asking what an election would bring.
        pre_vote: bool,
        /// Why.
        because: VoteRefusal,
    },
    /// Entries could not be appended: the log does not hold the entry they follow.
    AppendRefused {
        /// The leader.
        leader: NodeId,
        /// The entry that should have come before.
        previous: EntryId,
        /// The last entry here that may be shared.
        hint: EntryId,
    },
    /// Entries of the log's end were replaced by a leader's.
    LogTruncated {
        /// The last index that was kept.
        kept: Index,
    },
    /// An envelope was dropped.
    EnvelopeDropped {
        /// Who sent it, by its own word.
        from: Identity,
        /// Why.
        because: DropReason,
    },
    /// A request was ignored since its id belongs to one that is pending; that one goes on.
    RequestIdInUse {
        /// The id.
        id: RequestId,
    },
    /// A confirmation was ignored: no such write was asked for in this life.
    ConfirmationIgnored,
}

/// An event of an emitter, as it reaches a node that subscribed to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Emission {
    pub(crate) emitter: Name,
    pub(crate) event: Bytes,
    pub(crate) payload: Bytes,
    pub(crate) from: Identity,
}

impl Emission {
    /// The name of the emitter.
    #[must_use]
    pub fn emitter(&self) -> &str {
        self.emitter.as_str()
    }

    /// Who published it.
    #[must_use]
    pub fn from(&self) -> Identity {
        self.from
    }
}

/// What a node is in its term (Raft §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Follows a leader or waits for one.
    Follower,
    /// Asks whether it could win an election, without disturbing anyone (Raft thesis §9.6).
    PreCandidate,
    /// Stands for election.
    Candidate,
    /// Leads.
    Leader,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Follower => "follower",
            Self::PreCandidate => "pre-candidate",
            Self::Candidate => "candidate",
            Self::Leader => "leader",
        })
    }
}

impl fmt::Display for Emission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { emitter, event, payload, from } = self;
        write!(f, "emitter {emitter:?}: {event} {payload} from {from}")
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoleChanged { term, role } => write!(f, "{role} in {term}"),
            Self::LeaderChanged { term, leader } => fmt_leader(f, *term, *leader),
            Self::GroupFounded { group } => write!(f, "founded {group}"),
            Self::GroupEntered { group } => write!(f, "entered {group}"),
            Self::GroupExists { peer, group } => write!(f, "{peer} has {group} already"),
            Self::MembersChanged { configuration } => write!(f, "members {configuration}"),
            Self::Removed { index } => write!(f, "no member any more, by {index}"),
            Self::JoinAsked { identity, .. } => write!(f, "{identity} asks to join"),
            Self::JoinRefused { leader: by, because } => {
                write!(f, "not taken in by {by}: {because}")
            }
            Self::TransferBegan { to } => write!(f, "handing leadership on to {to}"),
            Self::TransferFailed { to } => write!(f, "{to} did not take leadership over"),
            Self::SnapshotTaken { last, bytes } => {
                write!(f, "snapshot {last} of {bytes} bytes taken")
            }
            Self::SnapshotSent { to, last, resumed_at } => fmt_sending(f, *last, *to, *resumed_at),
            Self::SnapshotInstalled { last } => write!(f, "snapshot {last} installed"),
            Self::SnapshotRefused { last } => write!(f, "snapshot {last} refused"),
            Self::SnapshotLoaded { last } => write!(f, "snapshot {last} loaded"),
            Self::Restored { index, collection } => write!(f, "{collection:?} restored at {index}"),
            Self::Difference(change) => write!(f, "difference in {change}"),
            Self::Message { index, payload } => write!(f, "message {index} {payload}"),
            Self::Emitted(emission) => write!(f, "{emission}"),
            Self::Closed { collection } => write!(f, "{collection:?} closed"),
            Self::Stopped => f.write_str("stopped"),
            Self::RemoteRefused { collection, operation, because } => {
                fmt_refused(f, collection, *operation, *because)
            }
            Self::RemoteResultIgnored { call } => write!(f, "result of {call} ignored"),
            Self::StorageFailed { write } => write!(f, "write {write} failed: out of service"),
            Self::StorageLost { acknowledged } => {
                write!(f, "the disk lost {acknowledged}, acknowledged before: out of service")
            }
            Self::Heartbeat { leader } => write!(f, "heartbeat of {leader}"),
            Self::PeerSilent { peer } => write!(f, "{peer} does not answer"),
            Self::PeerStarted { identity } => write!(f, "peer {identity} started"),
            Self::Committed { index } => write!(f, "committed {index}"),
            Self::Applied { entry, .. } => write!(f, "applied {entry}"),
            Self::Changed(change) => write!(f, "{change}"),
            Self::SessionExpired { session } => write!(f, "session {session} expired"),
            Self::CommandUnreadable { index } => write!(f, "command {index} is unreadable"),
            Self::CommandTooNew { index, version } => fmt_too_new(f, *index, *version),
            Self::VoteRefused { candidate, term, pre_vote, because } => {
                let pre = if *pre_vote { "pre-" } else { "" };
                write!(f, "{pre}vote refused to {candidate} for {term}: {because}")
            }
            Self::AppendRefused { leader, previous, hint } => {
                write!(f, "append from {leader} refused: no {previous} here, hint {hint}")
            }
            Self::LogTruncated { kept } => write!(f, "log truncated after {kept}"),
            Self::EnvelopeDropped { from, because } => {
                write!(f, "dropped envelope from {from}: {because}")
            }
            Self::RequestIdInUse { id } => write!(f, "request id {id} is in use"),
            Self::ConfirmationIgnored => f.write_str("confirmation ignored"),
        }
    }
}

fn fmt_leader(f: &mut fmt::Formatter<'_>, term: Term, leader: Option<NodeId>) -> fmt::Result {
    match leader {
        Some(leader) => write!(f, "leader of {term} is {leader}"),
        None => write!(f, "no leader in {term}"),
    }
}

fn fmt_sending(
    f: &mut fmt::Formatter<'_>,
    last: EntryId,
    to: NodeId,
    resumed_at: u64,
) -> fmt::Result {
    write!(f, "sending snapshot {last} to {to}")?;
    if resumed_at > 0 { write!(f, " from piece {resumed_at} on") } else { Ok(()) }
}

fn fmt_refused(
    f: &mut fmt::Formatter<'_>,
    collection: &str,
    operation: Option<Index>,
    because: FenceRefusal,
) -> fmt::Result {
    match operation {
        Some(operation) => write!(f, "operation {operation} on")?,
        None => f.write_str("reading")?,
    }
    write!(f, " {collection:?} not allowed: {because}")
}

fn fmt_too_new(f: &mut fmt::Formatter<'_>, index: Index, version: u8) -> fmt::Result {
    write!(f, "command {index} is of version {version}, too new: applying stops")
}
