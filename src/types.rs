//! The numbers of the protocol, each a type of its own.
//!
//! Nothing here is a bare integer: a term cannot be compared with an index, and arithmetic goes
//! through named methods. Indexes and terms that arrive from outside are bounded by [`Index::MAX`]
//! and [`Term::MAX`] when they are decoded, so that counting onwards from them cannot overflow.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Names one node of a group. Chosen by the embedder; the same for every incarnation of that node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(u64);

/// Tells apart the histories of one node id.
///
/// A node that starts without what it had stored is another incarnation: nothing it once promised
/// binds it, and nothing it once acknowledged may be counted. The embedder gives a fresh random
/// number to every [`Node::new`](crate::Node::new).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(u64);

/// Counts the starts of one incarnation: 1 when new, one more at each restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Life(u32);

/// A replica as a configuration names it: a node id in one incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// The node's id.
    pub id: NodeId,
    /// The incarnation that is meant.
    pub incarnation: Incarnation,
}

/// One run of one replica: who exactly speaks, or is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The replica.
    pub peer: Peer,
    /// Which of its starts.
    pub life: Life,
}

/// Names one group, drawn at random when it is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId(u64);

/// A position in the log. The first entry, which founds the group, has index 1; 0 is before it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u64")]
pub struct Index(u64);

/// An election period (Raft §5.1). At most one leader exists in each.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u64")]
pub struct Term(u64);

/// What identifies an entry: by log matching (Raft §5.3), two logs that hold the same index and
/// term hold the same entry there and the same entries before it.
///
/// Shown as `7@3`: index 7, term 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EntryId {
    /// Where it stands.
    pub index: Index,
    /// The term in which a leader created it.
    pub term: Term,
}

/// A span of logical time. How long a tick lasts is the embedder's choice; only ratios matter here.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Ticks(u64);

/// Correlates a request with its reply within one life of a node. Chosen by the embedder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(u64);

/// Names one [`RemoteCall`](crate::RemoteCall) of one life of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RemoteCallId(u64);

/// Names one [`Write`](crate::Write) of one life. Writes are numbered in the order in which they
/// must be performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId {
    pub(crate) life: Life,
    pub(crate) number: u64,
}

/// A client session: the index of the entry that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(Index);

/// Numbers the commands of one session, or the events that one node publishes to another. A command is
/// executed, and an event delivered, at most once per number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64")]
pub struct Sequence(u64);

/// A number that came from outside and lies beyond what the protocol can count to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange(u64);

/// Far beyond what any group reaches, and far enough below `u64::MAX` to count on from.
const LARGEST: u64 = 1 << 62;

macro_rules! number {
    ($name:ident, $inner:ty) => {
        impl $name {
            /// Wraps the number.
            #[must_use]
            pub const fn new(number: $inner) -> Self {
                Self(number)
            }

            /// The bare number.
            #[must_use]
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl From<$inner> for $name {
            fn from(number: $inner) -> Self {
                Self(number)
            }
        }
    };
}

macro_rules! bounded_number {
    ($name:ident) => {
        impl $name {
            /// The largest value accepted from outside: 2⁶².
            pub const MAX: Self = Self(LARGEST);

            /// Wraps the number.
            ///
            /// # Panics
            /// Above [`Self::MAX`].
            #[must_use]
            pub const fn new(number: u64) -> Self {
                assert!(number <= LARGEST, "number beyond 2^62");
                Self(number)
            }

            /// The bare number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl TryFrom<u64> for $name {
            type Error = OutOfRange;

            fn try_from(number: u64) -> Result<Self, OutOfRange> {
                if number <= LARGEST { Ok(Self(number)) } else { Err(OutOfRange(number)) }
            }
        }
    };
}

number!(NodeId, u64);
number!(Incarnation, u64);
number!(Life, u32);
number!(GroupId, u64);
number!(Ticks, u64);
number!(RequestId, u64);
number!(RemoteCallId, u64);
bounded_number!(Index);
bounded_number!(Term);
bounded_number!(Sequence);

impl Life {
    /// The first life of an incarnation.
    pub const FIRST: Self = Self(1);

    pub(crate) fn checked_next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl Index {
    /// Before the first entry.
    pub const ZERO: Self = Self(0);

    /// The one before this; [`Index::ZERO`] stays where it is.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// This index moved on by `count` entries.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }

    /// How many entries lie after `earlier` up to and including this one; none if `earlier` is not
    /// earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Term {
    /// Before the first term.
    pub const ZERO: Self = Self(0);
}

impl EntryId {
    /// Before the first entry.
    pub const ZERO: Self = Self { index: Index::ZERO, term: Term::ZERO };

    /// The entry at `index` of `term`.
    #[must_use]
    pub const fn new(index: Index, term: Term) -> Self {
        Self { index, term }
    }
}

impl Ticks {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than anything: nothing will happen without another input.
    pub const FOREVER: Self = Self(u64::MAX);
}

impl WriteId {
    /// Its number within the life, from 1 on.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }
}

impl SessionId {
    /// The session opened by the entry at `index`.
    #[must_use]
    pub const fn new(index: Index) -> Self {
        Self(index)
    }

    /// The index of the entry that opened it.
    #[must_use]
    pub const fn opened_at(self) -> Index {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.id, self.incarnation)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.peer, self.life)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{:016x}", self.0)
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.index.0, self.term.0)
    }
}

impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::FOREVER { f.write_str("forever") } else { write!(f, "{}", self.0) }
    }
}

impl fmt::Display for RemoteCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x{}", self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}.{}", self.life, self.number)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is beyond 2^62", self.0)
    }
}

impl core::error::Error for OutOfRange {}
