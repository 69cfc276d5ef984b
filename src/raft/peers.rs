//! Which run of each other member was last heard from.

use alloc::collections::BTreeMap;

use super::configuration::Configuration;
use crate::types::{Identity, Life, NodeId, Peer};

/// The latest run known of each other member, and of those that ask to become one. Bounded by the
/// number of members.
#[derive(Debug, Default)]
pub(super) struct Peers {
    known: BTreeMap<Peer, Life>,
    greeted: BTreeMap<NodeId, u64>,
}

impl Peers {
    /// Takes note of a run; tells whether it is news.
    pub(super) fn learn(&mut self, identity: Identity) -> bool {
        self.known.insert(identity.peer, identity.life) != Some(identity.life)
    }

    /// A later life of the same incarnation, if one is known.
    pub(super) fn newer_than(&self, identity: Identity) -> Option<Life> {
        self.known.get(&identity.peer).copied().filter(|life| *life > identity.life)
    }

    /// The latest run of this incarnation.
    pub(super) fn run_of(&self, peer: Peer) -> Option<Identity> {
        self.known.get(&peer).map(|&life| Identity { peer, life })
    }

    /// Whether a node may be asked who it is at this tick; true once per tick.
    pub(super) fn may_greet(&mut self, id: NodeId, now: u64) -> bool {
        self.greeted.insert(id, now) != Some(now)
    }

    /// Only the members matter from now on.
    pub(super) fn keep_members(&mut self, configuration: &Configuration) {
        self.known.retain(|&peer, _| configuration.contains(peer));
        self.greeted.retain(|&id, _| configuration.incarnations(id).next().is_some());
    }
}
