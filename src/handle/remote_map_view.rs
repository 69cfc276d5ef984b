//! What one node knows of a remote map.

use crate::store::{CollectionKind, CollectionRef};
use crate::types::Index;

/// How far a remote map's operations have come, by what one node has applied: possibly behind the group.
///
/// This is all that the group itself holds of a remote map; the entries are in the outside store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoteMapView {
    executed: Index,
    queued: u64,
}

impl RemoteMapView {
    pub(crate) fn new(map: Option<CollectionRef<'_>>) -> Self {
        let map = map.filter(|map| map.kind() == CollectionKind::RemoteMap);
        let view =
            |map: CollectionRef<'_>| Self { executed: map.progress().executed, queued: map.len() };
        map.map_or_else(Self::default, view)
    }

    /// The operation that came to its end last: its index in the log, as
    /// [`Outcome::Done`](crate::Outcome::Done) gives it. [`Index::ZERO`] before the first.
    #[must_use]
    pub fn executed(&self) -> Index {
        self.executed
    }

    /// How many operations wait to be executed, the one under way included.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.queued
    }
}
