//! A node's state in numbers.

use alloc::sync::Arc;

use crate::event::Role;
use crate::raft::Configuration;
use crate::reasons::DropReason;
use crate::store::CollectionKind;
use crate::types::{EntryId, GroupId, Identity, Index, NodeId, Term, Ticks};

/// A copy of a node's state in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// This node.
    pub identity: Identity,
    /// The group it belongs to.
    pub group: Option<GroupId>,
    /// Its role.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// The leader of that term, if known.
    pub leader: Option<NodeId>,
    /// The configuration in force: the latest in the log.
    pub configuration: Arc<Configuration>,
    /// The entry that configuration stands in.
    pub configuration_index: Index,
    /// How this node belongs to its group, or does not.
    pub membership: Membership,
    /// Whether the node met something that it cannot apply, a newer command or an unreadable snapshot: its
    /// collections stand still, and it does not stand for election. It takes in entries until its log
    /// has reached its bound, and goes on with a newer version of this library or a snapshot it can read.
    pub halted: bool,
    /// The node that leadership is being handed on to, as a leader.
    pub transferring_to: Option<NodeId>,
    /// The format version in which the group's commands are written, by what is applied here.
    pub version: u8,
    /// The last entry that the snapshot covers; before the first if there is none.
    pub snapshot: EntryId,
    /// The last entry that the log does not hold any more; not beyond the snapshot's.
    pub compacted: EntryId,
    /// The last entry of the log.
    pub last: EntryId,
    /// All entries up to here are durable on this node.
    pub durable: Index,
    /// All entries up to here are known to be committed.
    pub committed: Index,
    /// All entries up to here are applied to the collections.
    pub applied: Index,
    /// A digest of the replicated state: the same on every node that has applied as far.
    pub digest: u64,
    /// Whether the node knows a leader and has, in this life, applied what that leader had committed
    /// when it was first heard from.
    pub ready: bool,
    /// How many ticks until a tick can have an effect: 0 when work is left over from this step,
    /// [`Ticks::FOREVER`] when only another input can.
    pub idle_ticks: Ticks,
    /// How full the queues are.
    pub load: Load,
    /// What has happened in this life.
    pub counters: Counters,
}

/// How a node belongs to a group, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Membership {
    /// It has no group yet.
    Outside,
    /// It votes, by the configuration it knows of.
    Voter,
    /// It is a learner, by the configuration it knows of.
    Learner,
    /// It is in the group and does not know of a configuration that names it: one that names it has
    /// not arrived, or it was removed.
    NotNamed,
    /// It was told that it was removed.
    Removed,
    /// Its disk failed, or lost what it had acknowledged: it takes no part.
    OutOfService,
}

/// One collection, as [`Node::collections`](crate::Node::collections) lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectionStatus<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub kind: CollectionKind,
    /// How many entries, values, fields or subscriptions it has; of a remote map, how many operations
    /// wait for the outside store.
    pub len: u64,
    /// Whether it is closed on this node.
    pub closed: bool,
}

/// How full a node's queues are. What a limit of [`Config`](crate::Config) bounds says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Requests without a reply.
    pub pending_requests: u64,
    /// Bytes of names, keys and values in them.
    pub pending_bytes: u64,
    /// As a leader: linearizable reads of all nodes that wait for a round of heartbeats.
    pub pending_reads: u64,
    /// As a leader: bytes of entries not committed.
    pub uncommitted_bytes: u64,
    /// As a leader: the most bytes of entries on their way to any one follower.
    pub inflight_bytes: u64,
    /// As a leader: the most messages with entries on their way to any one follower.
    pub inflight_messages: u64,
    /// Messages held back until a write is durable.
    pub deferred_messages: u64,
    /// Writes not confirmed. A leader takes no commands while those hold more bytes of entries than
    /// [`Config::max_uncommitted_bytes`](crate::Config).
    pub unconfirmed_writes: u64,
    /// Entries in the log.
    pub log_entries: u64,
    /// Bytes of their commands, and 64 for each.
    pub log_bytes: u64,
    /// Bytes of the snapshot, and of one that is being taken.
    pub snapshot_bytes: u64,
    /// Bytes of a snapshot that a leader is sending.
    pub incoming_bytes: u64,
    /// Client sessions.
    pub sessions: u64,
    /// Operations on remote maps that wait to be executed, by what is applied. Each map has at most
    /// [`RemoteQueueLimits::operations`](crate::RemoteQueueLimits).
    pub queued_operations: u64,
    /// Calls on outside stores that have not been answered for, those included that nobody waits for any
    /// more: for operations at most [`Config::max_remote_calls`](crate::Config). While there are
    /// [`Config::max_pending_requests`](crate::Config) for reads, further reads are refused as busy.
    pub remote_calls: u64,
    /// Answers of other nodes that are waited for by those who publish events here.
    pub offered_events: u64,
    /// Events published by other members that came before their turn, and are kept until it comes. Of each
    /// publisher at most [`Config::max_inflight_messages`](crate::Config).
    pub early_events: u64,
    /// Bytes of those events and their payloads. Of each publisher at most
    /// [`Config::max_inflight_bytes`](crate::Config).
    pub early_bytes: u64,
}

/// Envelopes that were dropped, by [`DropReason`](crate::DropReason).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// Addressed to another node.
    pub not_for_this_node: u64,
    /// Addressed to another incarnation or life of this node.
    pub not_for_this_life: u64,
    /// About another group.
    pub other_group: u64,
    /// Sent by a life that is over.
    pub sender_gone: u64,
    /// Come before this life's first write was durable.
    pub starting: u64,
    /// Come after the disk failed.
    pub failed: u64,
    /// Come while there was more to apply than a node takes in.
    pub busy: u64,
    /// Sent by a node that is no member.
    pub not_a_member: u64,
    /// Of a past term.
    pub stale_term: u64,
    /// Answers to what was not asked, or does not matter any more.
    pub unexpected: u64,
    /// What no correct member sends.
    pub impossible: u64,
}

impl Drops {
    /// How many there are in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self {
            not_for_this_node,
            not_for_this_life,
            other_group,
            sender_gone,
            starting,
            failed,
            busy,
            not_a_member,
            stale_term,
            unexpected,
            impossible,
        } = *self;
        let addressed = not_for_this_node + not_for_this_life + other_group + sender_gone;
        let untimely = starting + failed + busy + stale_term + unexpected;
        addressed + untimely + not_a_member + impossible
    }

    pub(crate) fn count(&mut self, because: DropReason) {
        let counter = match because {
            DropReason::NotForThisNode => &mut self.not_for_this_node,
            DropReason::NotForThisLife { .. } => &mut self.not_for_this_life,
            DropReason::OtherGroup => &mut self.other_group,
            DropReason::SenderGone { .. } => &mut self.sender_gone,
            DropReason::Starting => &mut self.starting,
            DropReason::Failed => &mut self.failed,
            DropReason::Busy => &mut self.busy,
            DropReason::NotAMember => &mut self.not_a_member,
            DropReason::StaleTerm { .. } => &mut self.stale_term,
            DropReason::Unexpected => &mut self.unexpected,
            DropReason::Impossible(_) => &mut self.impossible,
        };
        *counter += 1;
    }
}

/// What has happened in this life of a node, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Elections begun, pre-votes not counted.
    pub elections_started: u64,
    /// Elections won.
    pub elections_won: u64,
    /// Envelopes sent.
    pub envelopes_sent: u64,
    /// Envelopes received, dropped ones included.
    pub envelopes_received: u64,
    /// Of those, the dropped ones.
    pub drops: Drops,
    /// Entries appended to the log.
    pub entries_appended: u64,
    /// Entries cut off the log's end.
    pub entries_truncated: u64,
    /// Commands applied a second time, without effect.
    pub duplicates_suppressed: u64,
    /// Requests that were turned away because a queue was full.
    pub refused_busy: u64,
    /// Snapshots taken.
    pub snapshots_taken: u64,
    /// Snapshots that were begun to be sent, as a leader.
    pub snapshots_sent: u64,
    /// Those of them that a node had a part of already.
    pub snapshots_resumed: u64,
    /// Pieces of snapshots sent.
    pub snapshot_pieces_sent: u64,
    /// Snapshots of a leader's that took the place of the log.
    pub snapshots_installed: u64,
    /// Configurations appended, as a leader.
    pub changes_begun: u64,
    /// Nodes let into the group, as a leader.
    pub admissions: u64,
    /// Learners made voters, as a leader.
    pub promotions: u64,
    /// Silent voters made learners, as a leader.
    pub demotions: u64,
    /// Times that leadership began to be handed on.
    pub transfers_begun: u64,
    /// Times that this came to nothing.
    pub transfers_failed: u64,
    /// Calls made on outside stores, reads included.
    pub remote_calls_made: u64,
    /// Those that repeat one which was not answered, or turned away.
    pub remote_calls_repeated: u64,
    /// Those that a store turned away, since its row did not allow them.
    pub remote_calls_refused: u64,
    /// Events of emitters that this node published, to be answered for or not, also those that had no
    /// subscriber.
    pub events_published: u64,
    /// Events of emitters that were handed to this node's application, its own included.
    pub events_delivered: u64,
    /// Answers of other nodes that an event of this node's was handed to their applications.
    pub events_acknowledged: u64,
}
