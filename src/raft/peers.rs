//! Which run of each other node was last heard from.

use alloc::collections::BTreeMap;

use crate::types::{Identity, Life, NodeId, Peer};

/// The latest run known of each other member. Bounded by the number of members.
#[derive(Debug, Default)]
pub(super) struct Peers {
    known: BTreeMap<NodeId, Identity>,
    greeted: BTreeMap<NodeId, u64>,
}

impl Peers {
    /// Takes note of a run; tells whether it is news.
    pub(super) fn learn(&mut self, identity: Identity) -> bool {
        self.known.insert(identity.peer.id, identity) != Some(identity)
    }

    /// A later life of the same incarnation, if one is known.
    pub(super) fn newer_than(&self, identity: Identity) -> Option<Life> {
        let known = self.known.get(&identity.peer.id)?;
        (known.peer == identity.peer && known.life > identity.life).then_some(known.life)
    }

    pub(super) fn identity(&self, id: NodeId) -> Option<Identity> {
        self.known.get(&id).copied()
    }

    /// The latest run of this incarnation.
    pub(super) fn run_of(&self, peer: Peer) -> Option<Identity> {
        self.identity(peer.id).filter(|identity| identity.peer == peer)
    }

    /// Whether a node may be asked who it is at this tick; true once per tick.
    pub(super) fn may_greet(&mut self, id: NodeId, now: u64) -> bool {
        self.greeted.insert(id, now) != Some(now)
    }
}
