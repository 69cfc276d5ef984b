//! What a call asks for, whatever the kind of its collection.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CallResult, MapOperation, QueueOperation, RecordOperation};

/// The kind of a collection, and with it how it has to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Model {
    /// Maps of text to text.
    Map,
    /// Queues of text.
    Queue,
    /// Records whose fields hold text.
    Record,
    /// Maps of text to text that an outside store holds.
    RemoteMap,
}

/// A linearizable operation on one collection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Operation {
    /// On a map.
    Map(MapOperation),
    /// On a queue.
    Queue(QueueOperation),
    /// On a record.
    Record(RecordOperation),
    /// On a map that an outside store holds.
    RemoteMap(MapOperation),
}

impl Model {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Map, Self::Queue, Self::Record, Self::RemoteMap];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Queue => "queue",
            Self::Record => "record",
            Self::RemoteMap => "remote-map",
        }
    }
}

impl Operation {
    /// The kind of collection that it is about.
    #[must_use]
    pub const fn model(&self) -> Model {
        match self {
            Self::Map(_) => Model::Map,
            Self::Queue(_) => Model::Queue,
            Self::Record(_) => Model::Record,
            Self::RemoteMap(_) => Model::RemoteMap,
        }
    }

    /// The kind of collection and the method, such as `queue.pop`.
    #[must_use]
    pub fn kind(&self) -> String {
        let method = match self {
            Self::Map(operation) | Self::RemoteMap(operation) => operation.name(),
            Self::Queue(operation) => operation.name(),
            Self::Record(operation) => operation.name(),
        };
        format!("{}.{method}", self.model())
    }

    /// Whether it only reads.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        match self {
            Self::Map(operation) | Self::RemoteMap(operation) => operation.is_read(),
            Self::Queue(operation) => operation.is_read(),
            Self::Record(operation) => operation.is_read(),
        }
    }

    /// The keys or fields it is about; none when it is about the whole collection.
    #[must_use]
    pub fn keys(&self) -> Option<Vec<&str>> {
        match self {
            Self::Map(operation) | Self::RemoteMap(operation) => operation.keys(),
            Self::Queue(_) => None,
            Self::Record(operation) => operation.fields(),
        }
    }

    /// The values it may write.
    #[must_use]
    pub fn values(&self) -> Vec<&str> {
        match self {
            Self::Map(operation) | Self::RemoteMap(operation) => operation.values(),
            Self::Queue(operation) => operation.values(),
            Self::Record(operation) => operation.values(),
        }
    }

    /// The values it may write, to be replaced.
    pub(crate) fn values_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::Map(operation) | Self::RemoteMap(operation) => operation.values_mut(),
            Self::Queue(operation) => operation.values_mut(),
            Self::Record(operation) => operation.values_mut(),
        }
    }

    /// The values it compares what it finds with.
    pub(crate) fn expected(&self) -> Vec<&str> {
        match self {
            Self::Map(operation) | Self::RemoteMap(operation) => operation.expected(),
            Self::Queue(_) => Vec::new(),
            Self::Record(operation) => operation.expected(),
        }
    }

    /// Whether `result` is of the kind that this operation answers.
    pub(super) const fn may_answer(&self, result: &CallResult) -> bool {
        match self {
            Self::Map(operation) | Self::RemoteMap(operation) => operation.may_answer(result),
            Self::Queue(operation) => operation.may_answer(result),
            Self::Record(operation) => operation.may_answer(result),
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map(operation) | Self::RemoteMap(operation) => operation.fmt(f),
            Self::Queue(operation) => operation.fmt(f),
            Self::Record(operation) => operation.fmt(f),
        }
    }
}
