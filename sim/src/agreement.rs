//! Whether a healthy group has come to rest: one leader, one configuration, one state, and nobody on the
//! way in or out.

use std::collections::BTreeSet;

use hamok::{Membership, NodeId, Peer, Priority, Role, Standing, Status};

use crate::world::World;

impl World {
    /// Whether these nodes, as far as they are members, have one leader, one configuration and one
    /// state, and the others are at rest; else what is amiss.
    pub(crate) fn agreement(&self, healthy: &BTreeSet<NodeId>) -> Result<(), String> {
        let mut all: Vec<(NodeId, &Status)> = Vec::new();
        for &id in healthy {
            match &self.seen[&id] {
                seen if !seen.up => return Err(format!("{id} is down")),
                seen => all.extend(seen.status.as_ref().map(|status| (id, status))),
            }
        }
        let leaders: Vec<_> = all.iter().filter(|(_, s)| s.role == Role::Leader).collect();
        let &[&(leader, first)] = leaders.as_slice() else {
            let text: Vec<String> =
                all.iter().map(|(id, s)| format!("{id} is {} in {}", s.role, s.term)).collect();
            return Err(format!("{} leaders: {}", leaders.len(), text.join(", ")));
        };
        for (id, status) in all {
            if first.configuration.contains(status.identity.peer) {
                agree((leader, first), (id, status))?;
            } else {
                self.is_at_rest(id, status)?;
            }
        }
        self.is_settled(healthy, first)
    }

    /// A node that is no member knows that, unless it is still to become one.
    fn is_at_rest(&self, id: NodeId, status: &Status) -> Result<(), String> {
        let comes = self.hosts[&id].rejoins || !self.keeper.has_named(status.identity.peer);
        let own = status.membership;
        if comes {
            Err(format!("{id} has not joined"))
        } else if own == Membership::Removed {
            Ok(())
        } else {
            Err(format!("{id} is no member, but takes itself for {own:?}"))
        }
    }

    /// Nobody is on the way in or out, or on the way to lead.
    fn is_settled(&self, healthy: &BTreeSet<NodeId>, leader: &Status) -> Result<(), String> {
        let configuration = &leader.configuration;
        if configuration.is_joint() {
            return Err(format!("{configuration} is joint"));
        }
        let is_here = |peer: Peer| {
            healthy.contains(&peer.id)
                && self.seen[&peer.id].status.as_ref().is_some_and(|s| s.identity.peer == peer)
        };
        for (peer, member) in configuration.members() {
            if matches!(member.standing, Standing::Learner { promote: true, .. }) && is_here(peer) {
                return Err(format!("{peer} is not promoted"));
            }
        }
        if let Some(to) = leader.transferring_to {
            return Err(format!("leadership is on its way to {to}"));
        }
        let me = leader.identity.peer;
        if !configuration.is_voter(me) {
            return Err(format!("{me} leads, and is no voter"));
        }
        let reluctant = |id: NodeId| self.seen[&id].config.priority == Priority::LastResort;
        let willing = configuration.voters().any(|it| is_here(it) && it != me && !reluctant(it.id));
        if reluctant(me.id) && willing {
            return Err(format!("{me} leads only as a last resort"));
        }
        Ok(())
    }
}

fn agree(
    (leader, first): (NodeId, &Status),
    (id, status): (NodeId, &Status),
) -> Result<(), String> {
    let differs = |what: &str| Err(format!("{what} of {id} differs from that of {leader}"));
    if status.leader != Some(leader) || status.term != first.term {
        return Err(format!(
            "{id} in {} takes {:?} for the leader, not {leader} of {}",
            status.term, status.leader, first.term
        ));
    }
    if status.group != first.group {
        return differs("the group");
    }
    if status.configuration != first.configuration
        || status.configuration_index != first.configuration_index
    {
        return differs("the configuration");
    }
    if (status.applied, status.committed) != (first.last.index, first.last.index) {
        return Err(format!(
            "{id} applied {} of {} committed, the leader's log ends at {}",
            status.applied, status.committed, first.last
        ));
    }
    if status.digest != first.digest {
        return differs("the state");
    }
    if status.version != first.version {
        return differs("the version");
    }
    if !status.ready {
        return Err(format!("{id} is not ready"));
    }
    Ok(())
}
