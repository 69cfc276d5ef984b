//! What members say to each other about events.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::store::Name;
use crate::types::{Index, Sequence};

/// What one member sends another beside consensus. Append-only: the position of a variant is its code
/// on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Parcel {
    /// An event, to be answered for. `lowest` is the lowest number that the sender still offers the
    /// receiver, and `as_of` how far it had applied when it found that the receiver had subscribed.
    Publish {
        emitter: Name,
        event: Bytes,
        payload: Bytes,
        sequence: Sequence,
        lowest: Sequence,
        as_of: Index,
    },
    /// The event of that number was handed to the application, or the receiver had not subscribed to it.
    PublishReply { sequence: Sequence, delivered: bool },
    /// An event that nobody answers for. `number` is higher than that of all notified before it.
    Notify { emitter: Name, event: Bytes, payload: Bytes, number: Sequence, as_of: Index },
}

impl Parcel {
    /// How many bytes of names and payload it has.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Publish { event, payload, .. } | Self::Notify { event, payload, .. } => {
                event.len_u64().saturating_add(payload.len_u64())
            }
            Self::PublishReply { .. } => 0,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Publish { .. } => "Publish",
            Self::PublishReply { .. } => "PublishReply",
            Self::Notify { .. } => "Notify",
        }
    }
}

/// Without its name.
impl fmt::Display for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish { emitter, event, payload, sequence, lowest, as_of } => {
                write!(
                    f,
                    "#{sequence} from #{lowest} on: {emitter:?} {event} {payload} as of {as_of}"
                )
            }
            Self::PublishReply { sequence, delivered: true } => write!(f, "#{sequence} delivered"),
            Self::PublishReply { sequence, delivered: false } => {
                write!(f, "#{sequence} declined")
            }
            Self::Notify { emitter, event, payload, number, as_of } => {
                write!(f, "#{number}: {emitter:?} {event} {payload} as of {as_of}")
            }
        }
    }
}
