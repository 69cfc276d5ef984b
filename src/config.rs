//! What the embedder decides about a node.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::types::{Incarnation, NodeId, Ticks};

/// What the embedder decides about a node.
///
/// Times are in ticks. All nodes of a group should use the same times; nothing unsafe happens if
/// they do not. [`Config::sessions`] counts only at the node that founds the group: it becomes part
/// of the replicated state.
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
    /// The most bytes one command may have. At most 16 MiB; default 1 MiB.
    pub max_entry_bytes: u64,
    /// The most bytes a leader holds in entries that are not committed, or that its own disk has not
    /// confirmed. Default 4 MiB.
    pub max_uncommitted_bytes: u64,
    /// The most requests pending at this node. Default 1024.
    pub max_pending_requests: u64,
    /// The most bytes of names, keys and values in requests pending at this node. Default 8 MiB.
    pub max_pending_bytes: u64,
    /// The most linearizable reads a leader holds for all nodes together. Default 4096.
    pub max_pending_reads: u64,
    /// About how many bytes of log entries one step applies; what is left goes on at the next input.
    /// Default 256 KiB.
    pub step_budget_bytes: u64,
    /// Limits on client sessions, fixed when the group is founded.
    pub sessions: SessionLimits,
    /// Whether the events marked verbose are emitted. Default no.
    pub verbose: bool,
}

/// How a node without a group comes to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Birth {
    /// Founds a group of one.
    Found,
    /// Meets these peers and founds a group with them once *each* has answered, under its present
    /// incarnation, that it has no group. The lowest id founds. If any has a group, none is founded.
    ///
    /// The node itself may be listed or not. There are no static member lists: two wiped nodes of
    /// three would elect each other and erase what the third holds.
    Meet {
        /// The other nodes.
        peers: Vec<NodeId>,
    },
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
    /// forgotten. Default
    /// 1 MiB.
    pub max_reply_bytes: u64,
    /// A session unused for this many log entries is dropped. Default 1,000,000.
    pub lifetime_entries: u64,
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
    /// [`Config::max_message_bytes`] is above what an envelope can carry.
    MessageTooLarge {
        /// The limit.
        limit: u64,
    },
    /// [`Birth::Meet`] lists more peers than a group may have members.
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
            step_budget_bytes: 256 << 10,
            sessions: SessionLimits::default(),
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
            ("sessions.window", self.sessions.window),
            ("sessions.lifetime_entries", self.sessions.lifetime_entries),
        ];
        if let Some((field, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Zero { field });
        }
        let times = [
            ("election_timeout", self.election_timeout),
            ("request_timeout", self.request_timeout),
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
        if self.max_entry_bytes > MAX_ENTRY_BYTES {
            return Err(ConfigError::EntryTooLarge { limit: MAX_ENTRY_BYTES });
        }
        if self.max_message_bytes > MAX_ENTRY_BYTES {
            return Err(ConfigError::MessageTooLarge { limit: MAX_ENTRY_BYTES });
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
        match &self.birth {
            // The node itself may or may not be among them.
            Birth::Meet { peers } if peers.len() >= MAX_MEMBERS => {
                let listed = peers.len() as u64;
                Err(ConfigError::TooManyPeers { listed, limit: MAX_MEMBERS as u64 - 1 })
            }
            Birth::Meet { .. } | Birth::Found => Ok(()),
        }
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
                write!(f, "max_message_bytes must be at most {limit}")
            }
            Self::WindowTooSmall { window, pending } => write!(
                f,
                "sessions.window ({window}) must be at least max_pending_requests ({pending})"
            ),
            Self::TooManyPeers { listed, limit } => {
                write!(f, "{listed} peers are more than a group may have ({limit})")
            }
        }
    }
}

impl core::error::Error for ConfigError {}
