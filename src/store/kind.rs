//! The kinds of collections.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::remote_map::RemoteProgress;

/// What a collection is. A name means one collection of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CollectionKind {
    /// A [`Map`](crate::Map).
    Map,
    /// A [`Queue`](crate::Queue).
    Queue,
    /// A [`Record`](crate::Record).
    Record,
    /// An [`Emitter`](crate::Emitter).
    Emitter,
    /// A [`RemoteMap`](crate::RemoteMap).
    RemoteMap,
}

/// A collection's kind, and what one of that kind is beside its slots. The order is that of the codes
/// in snapshots: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Body {
    Map,
    Queue,
    Record,
    Emitter,
    RemoteMap(RemoteProgress),
}

impl CollectionKind {
    /// Whether its slots are found by keys.
    pub(super) fn has_keys(self) -> bool {
        match self {
            Self::Map | Self::Record | Self::Emitter => true,
            Self::Queue | Self::RemoteMap => false,
        }
    }
}

impl fmt::Display for CollectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Map => "map",
            Self::Queue => "queue",
            Self::Record => "record",
            Self::Emitter => "emitter",
            Self::RemoteMap => "remote map",
        })
    }
}

impl Body {
    pub(super) fn new(kind: CollectionKind) -> Self {
        match kind {
            CollectionKind::Map => Self::Map,
            CollectionKind::Queue => Self::Queue,
            CollectionKind::Record => Self::Record,
            CollectionKind::Emitter => Self::Emitter,
            CollectionKind::RemoteMap => Self::RemoteMap(RemoteProgress::default()),
        }
    }

    pub(super) fn kind(&self) -> CollectionKind {
        match self {
            Self::Map => CollectionKind::Map,
            Self::Queue => CollectionKind::Queue,
            Self::Record => CollectionKind::Record,
            Self::Emitter => CollectionKind::Emitter,
            Self::RemoteMap(_) => CollectionKind::RemoteMap,
        }
    }
}
