//! Changes of collections, as every node reports them.

use core::fmt;

use super::kind::CollectionKind;
use super::name::Name;
use super::remote_operation::StoreError;
use crate::bytes::Bytes;
use crate::types::{Index, Peer};

/// A change of one entry of a collection, or of the whole.
///
/// The collection's handle gives it its type: [`Map::event`](crate::Map::event),
/// [`Queue::event`](crate::Queue::event), [`Record::event`](crate::Record::event),
/// [`Emitter::event`](crate::Emitter::event), [`RemoteMap::event`](crate::RemoteMap::event).
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub(crate) index: Index,
    pub(crate) name: Name,
    pub(crate) kind: ChangeKind,
}

/// Which kind of collection changed, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ChangeKind {
    Map(EntryChange),
    Queue(QueueChange),
    Record(EntryChange),
    Emitter(EmitterChange),
    /// By the operation of that index, which the outside store has executed.
    RemoteMap {
        operation: Index,
        change: EntryChange,
    },
    /// The operation of that index was refused by the outside store.
    RemoteFailed {
        operation: Index,
        error: StoreError,
    },
    /// The collection is there no more.
    Dropped(CollectionKind),
}

/// How an entry changed, or all of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum EntryChange {
    Insert { key: Bytes, value: Bytes },
    Update { key: Bytes, old: Bytes, new: Bytes },
    Remove { key: Bytes, value: Bytes },
    Clear,
}

/// How a queue changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum QueueChange {
    Add {
        value: Bytes,
    },
    Remove {
        value: Bytes,
    },
    /// It was empty, and is not.
    NotEmpty,
    /// It was not empty, and is.
    Empty,
    Clear,
}

/// How an emitter's subscriptions changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum EmitterChange {
    Subscribed { event: Bytes, subscriber: Peer, metadata: Bytes },
    Unsubscribed { event: Bytes, subscriber: Peer, metadata: Bytes },
    MetadataUpdated { event: Bytes, subscriber: Peer, old: Bytes, new: Bytes },
}

impl Change {
    /// The log entry that made it. Of a change in a remote map, it is the entry that carries the
    /// operation's outcome.
    #[must_use]
    pub fn index(&self) -> Index {
        self.index
    }

    /// The name of the collection that changed.
    #[must_use]
    pub fn collection(&self) -> &str {
        self.name.as_str()
    }

    /// Of a change in a remote map, or of one that came to nothing: the operation, by the index of its
    /// entry.
    #[must_use]
    pub fn operation(&self) -> Option<Index> {
        match &self.kind {
            ChangeKind::RemoteMap { operation, .. }
            | ChangeKind::RemoteFailed { operation, .. } => Some(*operation),
            ChangeKind::Map(_)
            | ChangeKind::Queue(_)
            | ChangeKind::Record(_)
            | ChangeKind::Emitter(_)
            | ChangeKind::Dropped(_) => None,
        }
    }

    /// The kind of the collection that changed.
    #[must_use]
    pub fn kind(&self) -> CollectionKind {
        match &self.kind {
            ChangeKind::Map(_) => CollectionKind::Map,
            ChangeKind::Queue(_) => CollectionKind::Queue,
            ChangeKind::Record(_) => CollectionKind::Record,
            ChangeKind::Emitter(_) => CollectionKind::Emitter,
            ChangeKind::RemoteMap { .. } | ChangeKind::RemoteFailed { .. } => {
                CollectionKind::RemoteMap
            }
            ChangeKind::Dropped(kind) => *kind,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} at {}: ", self.kind(), self.name, self.index)?;
        match &self.kind {
            ChangeKind::Map(change) | ChangeKind::Record(change) => change.fmt(f),
            ChangeKind::Queue(change) => change.fmt(f),
            ChangeKind::Emitter(change) => change.fmt(f),
            ChangeKind::RemoteMap { operation, change } => write!(f, "{change} by {operation}"),
            ChangeKind::RemoteFailed { operation, error } => {
                write!(f, "operation {operation} failed: {error}")
            }
            ChangeKind::Dropped(_) => f.write_str("dropped"),
        }
    }
}

impl fmt::Display for EntryChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert { key, value } => write!(f, "insert {key} = {value}"),
            Self::Update { key, old, new } => write!(f, "update {key} = {new}, was {old}"),
            Self::Remove { key, value } => write!(f, "remove {key}, was {value}"),
            Self::Clear => f.write_str("clear"),
        }
    }
}

impl fmt::Display for QueueChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { value } => write!(f, "add {value}"),
            Self::Remove { value } => write!(f, "remove {value}"),
            Self::NotEmpty => f.write_str("not empty"),
            Self::Empty => f.write_str("empty"),
            Self::Clear => f.write_str("clear"),
        }
    }
}

impl fmt::Display for EmitterChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscribed { event, subscriber, metadata } => {
                write!(f, "{event} subscribed by {subscriber} ({metadata})")
            }
            Self::Unsubscribed { event, subscriber, metadata } => {
                write!(f, "{event} unsubscribed by {subscriber} ({metadata})")
            }
            Self::MetadataUpdated { event, subscriber, old, new } => {
                write!(f, "{event} of {subscriber} is {new}, was {old}")
            }
        }
    }
}
