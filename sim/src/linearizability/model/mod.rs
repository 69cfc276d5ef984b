//! The references: what a collection of each kind does when one operation happens after another.

mod answered;
mod entries;
mod map;
mod queue;
mod record;
#[cfg(test)]
mod testing;

use std::fmt;

pub(crate) use answered::Answered;
pub(crate) use entries::{Entries, EntryChange};
pub(crate) use queue::{Items, QueueChange};

use crate::history::{Model, Operation};

/// One collection, as it would be in a single process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum State<'a> {
    /// A map, wherever it is held.
    Map(Entries<'a>),
    Queue(Items<'a>),
    Record(Entries<'a>),
}

/// How an operation changes a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// Of a map or a record.
    Entry(EntryChange<'a>),
    Queue(QueueChange<'a>),
}

impl<'a> State<'a> {
    /// A collection of this kind in which nothing has happened.
    pub(crate) fn empty(model: Model) -> Self {
        match model {
            Model::Map | Model::RemoteMap => Self::Map(Entries::default()),
            Model::Queue => Self::Queue(Items::default()),
            Model::Record => Self::Record(Entries::default()),
        }
    }

    /// Runs one operation; tells each change it makes, in order.
    ///
    /// # Panics
    /// If the operation is about another kind of collection.
    pub(crate) fn apply(
        &mut self,
        operation: &'a Operation,
        mut changed: impl FnMut(Change<'a>),
    ) -> Answered<'a> {
        let mut entry = |change| changed(Change::Entry(change));
        match (self, operation) {
            (Self::Map(map), Operation::Map(operation) | Operation::RemoteMap(operation)) => {
                map::apply(map, operation, &mut entry)
            }
            (Self::Record(record), Operation::Record(operation)) => {
                record::apply(record, operation, &mut entry)
            }
            (Self::Queue(queue), Operation::Queue(operation)) => {
                queue::apply(queue, operation, &mut |change| changed(Change::Queue(change)))
            }
            (
                Self::Map(_) | Self::Queue(_) | Self::Record(_),
                Operation::Map(_)
                | Operation::Queue(_)
                | Operation::Record(_)
                | Operation::RemoteMap(_),
            ) => panic!("the oracles judge the calls of each collection on their own"),
        }
    }

    /// Makes a change that was seen to happen; tells whether it could.
    pub(crate) fn force(&mut self, change: Change<'a>) -> bool {
        match (self, change) {
            (Self::Map(entries) | Self::Record(entries), Change::Entry(change)) => {
                entries.force(change)
            }
            (Self::Queue(items), Change::Queue(change)) => items.force(change),
            (Self::Map(_) | Self::Record(_), Change::Queue(_))
            | (Self::Queue(_), Change::Entry(_)) => false,
        }
    }

    /// What it holds: values, each with the key or field it is under, or none in a queue.
    pub(crate) fn values(&self) -> Vec<(&'a str, &'a str)> {
        match self {
            Self::Map(entries) | Self::Record(entries) => entries.iter().collect(),
            Self::Queue(items) => items.iter().map(|value| ("", value)).collect(),
        }
    }
}

impl<'a> Change<'a> {
    /// The value that it writes.
    pub(crate) fn written(self) -> Option<&'a str> {
        match self {
            Self::Entry(
                EntryChange::Insert { value, .. } | EntryChange::Update { new: value, .. },
            )
            | Self::Queue(QueueChange::Add { value }) => Some(value),
            Self::Entry(EntryChange::Remove { .. } | EntryChange::Clear)
            | Self::Queue(QueueChange::Remove { .. } | QueueChange::Clear) => None,
        }
    }
}

impl<'a> From<EntryChange<'a>> for Change<'a> {
    fn from(change: EntryChange<'a>) -> Self {
        Self::Entry(change)
    }
}

impl<'a> From<QueueChange<'a>> for Change<'a> {
    fn from(change: QueueChange<'a>) -> Self {
        Self::Queue(change)
    }
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(change) => change.fmt(f),
            Self::Queue(change) => change.fmt(f),
        }
    }
}

/// Says what it holds, such as `the items are ["1"]`.
impl fmt::Display for State<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map(entries) => write!(f, "the entries are {entries}"),
            Self::Queue(items) => write!(f, "the items are {items}"),
            Self::Record(entries) => write!(f, "the fields are {entries}"),
        }
    }
}
