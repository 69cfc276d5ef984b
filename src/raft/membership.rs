//! Who belongs to the group.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Deserialize as DeriveDeserialize, Serialize as DeriveSerialize};

use super::entries::{Entry, Payload};
use crate::config::MAX_MEMBERS;
use crate::types::{Incarnation, Index, NodeId, Peer};

/// The members of a group, each named by its id and incarnation.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveSerialize)]
pub struct Configuration {
    voters: BTreeMap<NodeId, Incarnation>,
}

/// The configuration in force: the latest in the log, committed or not (Raft §6).
#[derive(Debug)]
pub(super) struct Membership {
    me: Peer,
    configuration: Arc<Configuration>,
    index: Index,
    /// The voters but for this node.
    others: Arc<[Peer]>,
}

impl Configuration {
    pub(crate) fn of_voters(voters: impl IntoIterator<Item = Peer>) -> Self {
        Self { voters: voters.into_iter().map(|peer| (peer.id, peer.incarnation)).collect() }
    }

    /// The members whose copies and votes count, in order of their ids.
    pub fn voters(&self) -> impl Iterator<Item = Peer> + '_ {
        self.voters.iter().map(|(&id, &incarnation)| Peer { id, incarnation })
    }

    /// Whether this very incarnation votes.
    #[must_use]
    pub fn is_voter(&self, peer: Peer) -> bool {
        self.voters.get(&peer.id) == Some(&peer.incarnation)
    }

    /// Which incarnation of that node is a member.
    #[must_use]
    pub fn member(&self, id: NodeId) -> Option<Peer> {
        self.voters.get(&id).map(|&incarnation| Peer { id, incarnation })
    }

    /// Whether `holds` is true of a quorum of the members.
    pub fn is_quorum(&self, mut holds: impl FnMut(Peer) -> bool) -> bool {
        super::quorum::reached(self, |peer| u64::from(holds(peer))) == 1
    }

    /// Whether it has no members: so it is until the founding entry arrives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.voters.is_empty()
    }

    pub(crate) fn len(&self) -> u64 {
        self.voters.len() as u64
    }
}

impl Membership {
    pub(super) fn new(me: Peer) -> Self {
        Self { me, configuration: Arc::default(), index: Index::ZERO, others: Arc::default() }
    }

    pub(super) fn configuration(&self) -> &Arc<Configuration> {
        &self.configuration
    }

    pub(super) fn index(&self) -> Index {
        self.index
    }

    /// The voters but for this node, in order of their ids.
    pub(super) fn others(&self) -> Arc<[Peer]> {
        Arc::clone(&self.others)
    }

    /// Takes up what appended entries say about the members; tells whether they changed.
    pub(super) fn on_append(&mut self, entries: &[Entry]) -> bool {
        let founding = entries.iter().rev().find_map(|entry| match &entry.payload {
            Payload::Founding(founding) => Some((entry.id.index, &founding.configuration)),
            Payload::Noop | Payload::Command(_) => None,
        });
        let Some((index, configuration)) = founding else { return false };
        self.others = configuration.voters().filter(|&peer| peer != self.me).collect();
        self.configuration = Arc::new(configuration.clone());
        self.index = index;
        true
    }
}

// The wire form is a list, so that a peer cannot send members twice or none at all.
impl<'de> Deserialize<'de> for Configuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(DeriveDeserialize)]
        struct Wire {
            voters: Vec<(NodeId, Incarnation)>,
        }

        let Wire { voters } = Wire::deserialize(deserializer)?;
        let ascending = voters.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if voters.is_empty() || voters.len() > MAX_MEMBERS || !ascending {
            return Err(D::Error::custom(
                "members must be ascending, and neither none nor too many",
            ));
        }
        Ok(Self { voters: voters.into_iter().collect() })
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (position, id) in self.voters.keys().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{id}")?;
        }
        f.write_str("}")
    }
}
