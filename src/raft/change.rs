//! What may be asked for concerning the members, and why it may be refused.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::configuration::MEMBER_BYTES;
use crate::bytes::Bytes;
use crate::config::{MAX_MEMBERS, MAX_METADATA_BYTES};
use crate::types::{NodeId, Peer};

/// A change of the members, asked for by the application or by a node that joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MemberChange {
    /// Takes in a node in this incarnation, as a learner first. If it is a member already, its
    /// metadata are replaced.
    ///
    /// Whether it speaks the group's format version is not asked, as it is of one that asks to join: a
    /// node that does not becomes no voter, and stops at the first newer command.
    Add {
        /// Who.
        peer: Peer,
        /// What the group shall know of it: an address, for instance. At most 1 KiB.
        metadata: Bytes,
        /// Whether it becomes a voter as soon as it has caught up.
        voter: bool,
        /// The node that is removed when this one becomes a voter. Another incarnation of the same
        /// node always is.
        replaces: Option<NodeId>,
    },
    /// Removes a node, in whatever incarnation.
    Remove(NodeId),
    /// Makes a learner a voter as soon as it has caught up.
    Promote(NodeId),
    /// Makes a voter a learner, which it stays.
    Demote(NodeId),
}

/// Why a change of the members is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChangeRefusal {
    /// No voter would be left.
    NoVoterLeft,
    /// There would be more members than a group may have: 63, those that are leaving included.
    TooManyMembers,
    /// The metadata are longer than 1 KiB.
    MetadataTooLong {
        /// Their length.
        bytes: u64,
    },
    /// There is no such member.
    NoSuchMember {
        /// Whom the change names.
        id: NodeId,
    },
}

impl MemberChange {
    /// What it counts against byte limits.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Add { metadata, .. } => MEMBER_BYTES + metadata.len_u64(),
            Self::Remove(_) | Self::Promote(_) | Self::Demote(_) => MEMBER_BYTES,
        }
    }
}

impl fmt::Display for MemberChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { peer, voter: true, .. } => write!(f, "+{}", peer.id),
            Self::Add { peer, voter: false, .. } => write!(f, "~{}", peer.id),
            Self::Remove(id) => write!(f, "-{id}"),
            Self::Promote(id) => write!(f, "promote {id}"),
            Self::Demote(id) => write!(f, "demote {id}"),
        }
    }
}

impl fmt::Display for ChangeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVoterLeft => f.write_str("no voter would be left"),
            Self::TooManyMembers => write!(f, "a group has at most {MAX_MEMBERS} members"),
            Self::MetadataTooLong { bytes } => {
                write!(f, "{bytes} bytes of metadata are more than {MAX_METADATA_BYTES}")
            }
            Self::NoSuchMember { id } => write!(f, "{id} is not a member"),
        }
    }
}
