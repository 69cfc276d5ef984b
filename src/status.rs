//! A node's state in numbers.

use alloc::sync::Arc;

use crate::event::Role;
use crate::raft::Configuration;
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

/// How full a node's queues are. What a limit of [`Config`](crate::Config) bounds says so; the log
/// keeps every entry.
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
    /// Bytes of their commands.
    pub log_bytes: u64,
    /// Client sessions.
    pub sessions: u64,
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
    /// Envelopes dropped for any reason.
    pub envelopes_dropped: u64,
    /// Envelopes dropped since no correct member sends them.
    pub impossible_messages: u64,
    /// Entries appended to the log.
    pub entries_appended: u64,
    /// Entries cut off the log's end.
    pub entries_truncated: u64,
    /// Commands applied a second time, without effect.
    pub duplicates_suppressed: u64,
    /// Requests that were turned away because a queue was full.
    pub refused_busy: u64,
}
