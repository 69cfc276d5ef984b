//! Changes of collections, as every node reports them.

use core::fmt;

use super::name::Name;
use crate::bytes::Bytes;
use crate::types::Index;

/// A change of one entry of a collection, or the clearing of the whole.
///
/// The collection's handle gives it its type: [`Map::event`](crate::Map::event).
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub(crate) index: Index,
    pub(crate) name: Name,
    pub(crate) kind: ChangeKind,
}

/// Which kind of collection changed, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ChangeKind {
    Map(MapChange),
}

/// How a map changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MapChange {
    Insert { key: Bytes, value: Bytes },
    Update { key: Bytes, old: Bytes, new: Bytes },
    Remove { key: Bytes, value: Bytes },
    Clear,
}

impl Change {
    /// The log entry that made it.
    #[must_use]
    pub fn index(&self) -> Index {
        self.index
    }

    /// The name of the collection that changed.
    #[must_use]
    pub fn collection(&self) -> &str {
        self.name.as_str()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ChangeKind::Map(change) => {
                write!(f, "map {:?} at {}: {change}", self.name, self.index)
            }
        }
    }
}

impl fmt::Display for MapChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert { key, value } => write!(f, "insert {key} = {value}"),
            Self::Update { key, old, new } => write!(f, "update {key} = {new}, was {old}"),
            Self::Remove { key, value } => write!(f, "remove {key}, was {value}"),
            Self::Clear => f.write_str("clear"),
        }
    }
}
