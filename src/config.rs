//! What the embedder decides about a node.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::types::{Incarnation, NodeId, Ticks};

/// What the embedder decides about a node.
///
/// Times are in ticks. All nodes of a group should use the same times; nothing unsafe happens if
/// they do not. [`Config::sessions`] and [`Config::remote_queue`] count only at the node that founds the
/// group: they become part of the replicated state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// This node.
    pub id: NodeId,
    /// A fresh random number for [`Node::new`](crate::Node::new);
    /// [`Node::restore`](crate::Node::restore) ignores it and goes on under the stored one.
    pub incarnation: Incarnation,
    /// How a node without a group comes to one.
    pub birth: Birth,
    /// Seeds every random choice, together with the node's id, incarnation and life.
    pub seed: u64,
    /// The least time without word from a leader after which a follower stands for election. The
    /// actual time is drawn anew each time, up to but not including twice this. Default 10.
    pub election_timeout: Ticks,
    /// The time between a leader's heartbeats; less than the election time-out. Default 2.
    pub heartbeat_interval: Ticks,
    /// The time after which a request that does not bring its own ends. Default 50.
    pub request_timeout: Ticks,
    /// The most bytes of log entries one message carries, unless a single entry is larger. At most
    /// 16 MiB; default 64 KiB.
    pub max_message_bytes: u64,
    /// The most bytes of log entries on their way to one follower. Default 1 MiB.
    pub max_inflight_bytes: u64,
    /// The most messages with entries on their way to one follower. Default 64.
    pub max_inflight_messages: u64,
    /// The most bytes one command may have. At most 16 MiB; default 1 MiB. What an outside store answers
    /// is a command, too: one that is larger is not carried
    /// ([`RemoteAnswer::TooLarge`](crate::RemoteAnswer::TooLarge)).
    pub max_entry_bytes: u64,
    /// The most bytes a leader holds in entries that are not committed, or that its own disk has not
    /// confirmed. Default 4 MiB.
    pub max_uncommitted_bytes: u64,
    /// The most requests pending at this node. Default 1024.
    pub max_pending_requests: u64,
    /// The most bytes of names, keys and values in requests pending at this node. A request that is alone is
    /// taken however large. The results of a call that is run as several commands count, too: at the bound
    /// it ends as [`Outcome::Partial`](crate::Outcome). Default 8 MiB.
    pub max_pending_bytes: u64,
    /// The most linearizable reads a leader holds for all nodes together. Default 4096.
    pub max_pending_reads: u64,
    /// About how many bytes of log entries one step applies, with 32 more for each change they make, and of
    /// a snapshot it takes or loads, and of operations it hands to outside stores. What is left goes on at
    /// the next input. The end of a node's subscriptions is not divided. Default 128 KiB.
    pub step_budget_bytes: u64,
    /// How many bytes of applied entries bring about a snapshot, which takes their place. Default
    /// 8 MiB.
    pub max_log_bytes: u64,
    /// How many applied entries bring about a snapshot, which takes their place. Default 65,536.
    pub max_log_entries: u64,
    /// How many bytes of entries that a snapshot covers are kept in memory all the same, so that a
    /// node that lags a little need not be sent the snapshot. 0 keeps none. Default 1 MiB.
    pub trailing_log_bytes: u64,
    /// About how many bytes of a snapshot one message carries, and one step writes or loads at least.
    /// Best the same on all nodes: a snapshot begun under one leader goes on under the next if both have
    /// cut theirs alike. At most 16 MiB; default 32 KiB.
    pub snapshot_part_bytes: u64,
    /// The most bytes of a snapshot that a node takes from a leader. Default 1 GiB.
    pub max_snapshot_bytes: u64,
    /// Whom this node lets join the group when it leads. Default [`Admission::Open`].
    pub admission: Admission,
    /// What the group shall know of this node: an address, for instance. At most 1 KiB. A node that
    /// starts again with something else tells the group.
    pub metadata: Bytes,
    /// How readily it stands for election. Default [`Priority::Normal`].
    pub priority: Priority,
    /// A voter that a leader has not heard from for so long becomes a learner, one at a time, until it
    /// is back; none, the default, leaves all as they are.
    pub demote_after: Option<Ticks>,
    /// A leader demotes no silent voter if fewer than this would be left. Default 3.
    pub min_voters: u64,
    /// The newest format version that this node writes and reads. The group goes over to a version
    /// once all of its members speak it. Default 1, the only version there is so far; a higher one has
    /// the same format under another number, so that a rolling upgrade can be rehearsed.
    pub newest_version: u8,
    /// Limits on client sessions, fixed when the group is founded.
    pub sessions: SessionLimits,
    /// Limits on the queue of each remote map, fixed when the group is founded.
    pub remote_queue: RemoteQueueLimits,
    /// How long a node waits before it makes a call on an outside store again that was not answered or was
    /// turned away; twice as long after each further one. Also how long a leader waits before it proposes
    /// an outcome again for which there was no room. Default 2.
    pub remote_retry: Ticks,
    /// The longest it waits between two such calls. Default 100.
    pub max_remote_retry: Ticks,
    /// The most calls for operations that this node has under way with outside stores, one for each remote
    /// map. While so many are not answered for, the others wait for their turn. Default 1,024.
    pub max_remote_calls: u64,
    /// The most keys that one command of a bulk call has: beyond it the call is split into several
    /// commands, and is not atomic. 0, the default, sets no limit.
    pub max_keys: u64,
    /// The most values that one command of a bulk call has, as `max_keys` for keys. 0, the default, sets
    /// no limit but the 1,024 values that one command may pop from a queue.
    pub max_values: u64,
    /// Whether a snapshot that takes the place of the collections is followed by what differs, entry by
    /// entry: see [`Event::Difference`](crate::Event::Difference). Default no.
    pub report_differences: bool,
    /// Whether the events marked verbose are emitted. Default no.
    pub verbose: bool,
}

/// How a node without a group comes to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Birth {
    /// Founds a group of one.
    Found,
    /// Asks these nodes, whichever can be reached, to be taken into their group, until it is. A node that
    /// was told that it was removed does not: that is for the application to wish, by
    /// [`join`](crate::join).
    Join {
        /// Members of the group, one at least that can be reached.
        contacts: Vec<NodeId>,
        /// Whether it is to become a voter once it has caught up; else it stays a learner.
        voter: bool,
    },
    /// Meets these peers and founds a group with them once *each* has answered, under its present
    /// incarnation, that it has no group. The lowest id founds. If any has a group, none is founded,
    /// and this node asks to join that one.
    ///
    /// The node itself may be listed or not. There are no static member lists: two wiped nodes of
    /// three would elect each other and erase what the third holds.
    Meet {
        /// The other nodes.
        peers: Vec<NodeId>,
    },
}

/// Whom a leader lets join the group without being told to by the application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// Anyone who asks.
    Open,
    /// These.
    Only(Vec<NodeId>),
    /// Nobody: [`Event::JoinAsked`](crate::Event) tells the application, which may
    /// [`change_members`](crate::change_members).
    Manual,
}

/// How readily a node stands for election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Priority {
    /// Like any other.
    Normal,
    /// Only when no other has stood for several election time-outs, and then it hands leadership on to
    /// another as soon as one has caught up. (A node that must never lead is a learner.)
    LastResort,
}

/// Limits on client sessions. Part of the replicated state, so the same on all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionLimits {
    /// The most sessions, at least 2: one a node keeps and one it may open for the application.
    /// Opening one more drops the one unused for longest. Default 1024.
    pub max_sessions: u64,
    /// How many sequence numbers, counted from the lowest unanswered, a session may use. Default
    /// 1024.
    pub window: u64,
    /// The most bytes of replies kept per session; beyond it those of the lowest sequence numbers are
    /// forgotten. At most 16 MiB; default 1 MiB.
    pub max_reply_bytes: u64,
    /// A session unused for this many log entries is dropped. Default 1,000,000.
    pub lifetime_entries: u64,
}

/// Limits on the queue of operations of each [`RemoteMap`](crate::RemoteMap). Part of the replicated
/// state, so the same on all nodes. Beyond them an operation is
/// [refused](crate::Refusal::RemoteQueueFull).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RemoteQueueLimits {
    /// The most operations that wait to be executed. Default 4,096.
    pub operations: u64,
    /// The most bytes they have together, unless one has more by itself. Default 16 MiB.
    pub bytes: u64,
}

/// What is wrong with a [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that must be at least 1 is 0.
    Zero {
        /// The field's name.
        field: &'static str,
    },
    /// The heartbeat interval is not less than the election time-out.
    HeartbeatTooLong {
        /// [`Config::heartbeat_interval`].
        heartbeat: Ticks,
        /// [`Config::election_timeout`].
        election: Ticks,
    },
    /// A time-out is longer than 2³² ticks, so that sums of it could overflow.
    TooLong {
        /// The field's name.
        field: &'static str,
    },
    /// [`Config::max_entry_bytes`] is above what an envelope can carry.
    EntryTooLarge {
        /// The limit.
        limit: u64,
    },
    /// The session window is smaller than the number of requests a node may have pending.
    WindowTooSmall {
        /// [`SessionLimits::window`].
        window: u64,
        /// [`Config::max_pending_requests`].
        pending: u64,
    },
    /// [`SessionLimits::max_sessions`] is below 2.
    TooFewSessions,
    /// [`Config::max_message_bytes`] or [`Config::snapshot_part_bytes`] is above what an envelope can
    /// carry.
    MessageTooLarge {
        /// The limit.
        limit: u64,
    },
    /// [`SessionLimits::max_reply_bytes`] is above what a piece of a snapshot can carry.
    RepliesTooLarge {
        /// The limit.
        limit: u64,
    },
    /// [`Birth::Join`] names nobody to ask but the node itself.
    NoContacts,
    /// [`Config::metadata`] are longer than 1 KiB.
    MetadataTooLong {
        /// Their length.
        bytes: u64,
    },
    /// [`Birth::Meet`] or [`Birth::Join`] lists more peers than a group may have members.
    TooManyPeers {
        /// How many are listed.
        listed: u64,
        /// The limit.
        limit: u64,
    },
}

/// The largest [`Config::max_entry_bytes`].
pub(crate) const MAX_ENTRY_BYTES: u64 = 16 << 20;
/// The most members of one group.
pub(crate) const MAX_MEMBERS: usize = 63;
/// The most bytes of metadata of one member.
pub(crate) const MAX_METADATA_BYTES: u64 = 1 << 10;
/// The format version that every group begins with.
pub(crate) const OLDEST_VERSION: u8 = 1;
const MAX_TICKS: u64 = 1 << 32;

impl Config {
    /// A configuration with the defaults given at each field and seed 0.
    #[must_use]
    pub fn new(id: NodeId, incarnation: Incarnation, birth: Birth) -> Self {
        Self {
            id,
            incarnation,
            birth,
            seed: 0,
            election_timeout: Ticks::new(10),
            heartbeat_interval: Ticks::new(2),
            request_timeout: Ticks::new(50),
            max_message_bytes: 64 << 10,
            max_inflight_bytes: 1 << 20,
            max_inflight_messages: 64,
            max_entry_bytes: 1 << 20,
            max_uncommitted_bytes: 4 << 20,
            max_pending_requests: 1024,
            max_pending_bytes: 8 << 20,
            max_pending_reads: 4096,
            step_budget_bytes: 128 << 10,
            max_log_bytes: 8 << 20,
            max_log_entries: 1 << 16,
            trailing_log_bytes: 1 << 20,
            snapshot_part_bytes: 32 << 10,
            max_snapshot_bytes: 1 << 30,
            admission: Admission::Open,
            metadata: Bytes::default(),
            priority: Priority::Normal,
            demote_after: None,
            min_voters: 3,
            newest_version: OLDEST_VERSION,
            sessions: SessionLimits::default(),
            remote_queue: RemoteQueueLimits::default(),
            remote_retry: Ticks::new(2),
            max_remote_retry: Ticks::new(100),
            max_remote_calls: 1024,
            max_keys: 0,
            max_values: 0,
            report_differences: false,
            verbose: false,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let at_least_one = [
            ("election_timeout", self.election_timeout.get()),
            ("heartbeat_interval", self.heartbeat_interval.get()),
            ("request_timeout", self.request_timeout.get()),
            ("max_message_bytes", self.max_message_bytes),
            ("max_inflight_bytes", self.max_inflight_bytes),
            ("max_inflight_messages", self.max_inflight_messages),
            ("max_entry_bytes", self.max_entry_bytes),
            ("max_uncommitted_bytes", self.max_uncommitted_bytes),
            ("max_pending_requests", self.max_pending_requests),
            ("max_pending_bytes", self.max_pending_bytes),
            ("max_pending_reads", self.max_pending_reads),
            ("step_budget_bytes", self.step_budget_bytes),
            ("max_log_bytes", self.max_log_bytes),
            ("max_log_entries", self.max_log_entries),
            ("snapshot_part_bytes", self.snapshot_part_bytes),
            ("max_snapshot_bytes", self.max_snapshot_bytes),
            ("min_voters", self.min_voters),
            ("newest_version", u64::from(self.newest_version)),
            ("demote_after", self.demote_after.map_or(1, Ticks::get)),
            ("remote_queue.operations", self.remote_queue.operations),
            ("remote_queue.bytes", self.remote_queue.bytes),
            ("remote_retry", self.remote_retry.get()),
            ("max_remote_retry", self.max_remote_retry.get()),
            ("max_remote_calls", self.max_remote_calls),
            ("sessions.window", self.sessions.window),
            ("sessions.lifetime_entries", self.sessions.lifetime_entries),
        ];
        if let Some((field, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Zero { field });
        }
        let times = [
            ("election_timeout", self.election_timeout),
            ("request_timeout", self.request_timeout),
            ("demote_after", self.demote_after.unwrap_or_default()),
            ("remote_retry", self.remote_retry),
            ("max_remote_retry", self.max_remote_retry),
        ];
        if let Some((field, _)) = times.into_iter().find(|(_, ticks)| ticks.get() > MAX_TICKS) {
            return Err(ConfigError::TooLong { field });
        }
        if self.heartbeat_interval >= self.election_timeout {
            return Err(ConfigError::HeartbeatTooLong {
                heartbeat: self.heartbeat_interval,
                election: self.election_timeout,
            });
        }
        self.check_sizes()?;
        self.check_birth()
    }

    fn check_sizes(&self) -> Result<(), ConfigError> {
        if self.max_entry_bytes > MAX_ENTRY_BYTES {
            return Err(ConfigError::EntryTooLarge { limit: MAX_ENTRY_BYTES });
        }
        if self.max_message_bytes.max(self.snapshot_part_bytes) > MAX_ENTRY_BYTES {
            return Err(ConfigError::MessageTooLarge { limit: MAX_ENTRY_BYTES });
        }
        if self.sessions.max_reply_bytes > MAX_ENTRY_BYTES {
            return Err(ConfigError::RepliesTooLarge { limit: MAX_ENTRY_BYTES });
        }
        if self.sessions.max_sessions < 2 {
            return Err(ConfigError::TooFewSessions);
        }
        if self.sessions.window < self.max_pending_requests {
            return Err(ConfigError::WindowTooSmall {
                window: self.sessions.window,
                pending: self.max_pending_requests,
            });
        }
        if self.metadata.len_u64() > MAX_METADATA_BYTES {
            return Err(ConfigError::MetadataTooLong { bytes: self.metadata.len_u64() });
        }
        Ok(())
    }

    fn check_birth(&self) -> Result<(), ConfigError> {
        let (Birth::Meet { peers: listed } | Birth::Join { contacts: listed, .. }) = &self.birth
        else {
            return Ok(());
        };
        // The node itself may or may not be among them.
        if listed.len() >= MAX_MEMBERS {
            let listed = listed.len() as u64;
            return Err(ConfigError::TooManyPeers { listed, limit: MAX_MEMBERS as u64 - 1 });
        }
        let joins = matches!(self.birth, Birth::Join { .. });
        if joins && listed.iter().all(|id| *id == self.id) {
            return Err(ConfigError::NoContacts);
        }
        Ok(())
    }
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            max_sessions: 1024,
            window: 1024,
            max_reply_bytes: 1 << 20,
            lifetime_entries: 1_000_000,
        }
    }
}

impl Default for RemoteQueueLimits {
    fn default() -> Self {
        Self { operations: 4096, bytes: 16 << 20 }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero { field } => write!(f, "{field} must be at least 1"),
            Self::HeartbeatTooLong { heartbeat, election } => write!(
                f,
                "heartbeat_interval ({heartbeat}) must be less than election_timeout ({election})"
            ),
            Self::TooLong { field } => write!(f, "{field} must be at most {MAX_TICKS} ticks"),
            Self::EntryTooLarge { limit } => {
                write!(f, "max_entry_bytes must be at most {limit}")
            }
            Self::TooFewSessions => f.write_str("sessions.max_sessions must be at least 2"),
            Self::MessageTooLarge { limit } => {
                write!(f, "max_message_bytes and snapshot_part_bytes must be at most {limit}")
            }
            Self::RepliesTooLarge { limit } => {
                write!(f, "sessions.max_reply_bytes must be at most {limit}")
            }
            Self::WindowTooSmall { window, pending } => write!(
                f,
                "sessions.window ({window}) must be at least max_pending_requests ({pending})"
            ),
            Self::NoContacts => f.write_str("there is nobody to ask for joining"),
            Self::MetadataTooLong { bytes } => {
                write!(f, "{bytes} bytes of metadata are more than {MAX_METADATA_BYTES}")
            }
            Self::TooManyPeers { listed, limit } => {
                write!(f, "{listed} peers are more than a group may have ({limit})")
            }
        }
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn config() -> Config {
        Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found)
    }

    fn ids(count: u64) -> Vec<NodeId> {
        (1..=count).map(NodeId::new).collect()
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        type Change = fn(&mut Config);
        let limit = MAX_ENTRY_BYTES;
        let (heartbeat, election) = (Ticks::new(10), Ticks::new(10));
        let cases: [(Change, ConfigError); 16] = [
            (|it| it.max_inflight_bytes = 0, ConfigError::Zero { field: "max_inflight_bytes" }),
            (|it| it.demote_after = Some(Ticks::ZERO), ConfigError::Zero { field: "demote_after" }),
            (|it| it.sessions.window = 0, ConfigError::Zero { field: "sessions.window" }),
            (|it| it.remote_queue.bytes = 0, ConfigError::Zero { field: "remote_queue.bytes" }),
            (
                |it| it.request_timeout = Ticks::new(MAX_TICKS + 1),
                ConfigError::TooLong { field: "request_timeout" },
            ),
            (
                |it| it.heartbeat_interval = it.election_timeout,
                ConfigError::HeartbeatTooLong { heartbeat, election },
            ),
            (|it| it.max_entry_bytes += 16 << 20, ConfigError::EntryTooLarge { limit }),
            (|it| it.max_message_bytes = 17 << 20, ConfigError::MessageTooLarge { limit }),
            (|it| it.snapshot_part_bytes = 17 << 20, ConfigError::MessageTooLarge { limit }),
            (|it| it.sessions.max_reply_bytes = 17 << 20, ConfigError::RepliesTooLarge { limit }),
            (|it| it.sessions.max_sessions = 1, ConfigError::TooFewSessions),
            (
                |it| it.sessions.window = 1_023,
                ConfigError::WindowTooSmall { window: 1_023, pending: 1_024 },
            ),
            (
                |it| it.metadata = Bytes::from(vec![0; 1_025]),
                ConfigError::MetadataTooLong { bytes: 1_025 },
            ),
            (
                |it| it.birth = Birth::Meet { peers: ids(63) },
                ConfigError::TooManyPeers { listed: 63, limit: 62 },
            ),
            (
                |it| it.birth = Birth::Join { contacts: ids(1), voter: true },
                ConfigError::NoContacts,
            ),
            (
                |it| it.birth = Birth::Join { contacts: ids(63), voter: true },
                ConfigError::TooManyPeers { listed: 63, limit: 62 },
            ),
        ];
        assert_eq!(config().check(), Ok(()));
        for (change, error) in cases {
            let mut config = config();
            change(&mut config);
            assert_eq!(config.check(), Err(error), "{error}");
        }
    }

    #[test]
    fn what_is_at_a_limit_is_taken() {
        let mut config = config();
        config.max_entry_bytes = 16 << 20;
        config.max_message_bytes = 16 << 20;
        config.snapshot_part_bytes = 16 << 20;
        config.sessions.max_reply_bytes = 16 << 20;
        config.sessions.max_sessions = 2;
        config.sessions.window = config.max_pending_requests;
        config.request_timeout = Ticks::new(MAX_TICKS);
        config.metadata = Bytes::from(vec![0; 1_024]);
        config.birth = Birth::Meet { peers: ids(62) };
        assert_eq!(config.check(), Ok(()));
    }
}
