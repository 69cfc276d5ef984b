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
        if leader.load.queued_operations > 0 {
            let queued = leader.load.queued_operations;
            return Err(format!("{queued} operations wait for the outside store"));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hamok::{Configuration, Index, MemberChange, Term};

    use super::*;
    use crate::checker::testing::Story;
    use crate::world::testing::world_of;

    /// A world at rest: what a group of four came to.
    fn at_rest() -> World {
        world_of(Story::of_change(4, |_| Vec::new()).nodes())
    }

    fn all(world: &World) -> BTreeSet<NodeId> {
        world.plan.node_ids().collect()
    }

    fn leader(world: &World) -> NodeId {
        world.leader().expect("the story ends with one").identity.peer.id
    }

    fn follower(world: &World) -> NodeId {
        let leader = leader(world);
        world.plan.node_ids().find(|&id| id != leader).expect("there are several nodes")
    }

    fn status(world: &mut World, id: NodeId) -> &mut Status {
        world.seen_mut(id).status.as_mut().expect("every node was started")
    }

    /// Lets all nodes be of this configuration.
    fn give(world: &mut World, configuration: &Arc<Configuration>) {
        for id in all(world) {
            status(world, id).configuration = Arc::clone(configuration);
        }
    }

    #[track_caller]
    fn assert_amiss(world: &World, words: &str) {
        let text = world.agreement(&all(world)).expect_err(words);
        assert!(text.contains(words), "{text}");
    }

    #[test]
    fn a_group_at_rest_agrees() {
        let world = at_rest();
        assert_eq!(world.agreement(&all(&world)), Ok(()));
        assert_eq!(at_rest().agreement(&BTreeSet::from([leader(&world)])), Ok(()));
        assert!(world.agreement(&BTreeSet::from([follower(&world)])).is_err(), "it does not lead");
    }

    #[test]
    fn whoever_is_down_is_told() {
        let mut world = at_rest();
        let id = follower(&world);
        world.seen_mut(id).up = false;
        assert_amiss(&world, &format!("{id} is down"));
        let rest = all(&world).into_iter().filter(|&other| other != id).collect();
        assert_eq!(world.agreement(&rest), Ok(()), "nobody asked about it");
    }

    #[test]
    fn there_is_one_leader() {
        let mut world = at_rest();
        let (leader, follower) = (leader(&world), follower(&world));
        status(&mut world, follower).role = Role::Leader;
        assert_amiss(&world, "2 leaders");
        for id in [leader, follower] {
            status(&mut world, id).role = Role::Follower;
        }
        assert_amiss(&world, "0 leaders");
    }

    #[test]
    fn whatever_differs_is_told() {
        type Change = fn(&mut Status);
        let changes: [(Change, &str); 10] = [
            (|it| it.leader = None, "for the leader"),
            (|it| it.term = Term::new(it.term.get() + 1), "for the leader"),
            (|it| it.group = None, "the group of"),
            (|it| it.configuration_index = Index::new(0), "the configuration of"),
            (|it| it.applied = Index::new(it.applied.get() - 1), "applied"),
            (|it| it.committed = Index::new(it.committed.get() + 1), "applied"),
            (|it| it.digest ^= 1, "the state of"),
            (|it| it.version += 1, "the version of"),
            (|it| it.ready = false, "is not ready"),
            (|it| it.configuration = Arc::default(), "the configuration of"),
        ];
        for (change, words) in changes {
            let mut world = at_rest();
            let id = follower(&world);
            change(status(&mut world, id));
            assert_amiss(&world, words);
        }
    }

    #[test]
    fn a_change_that_is_under_way_is_no_rest() {
        let mut world = at_rest();
        let story = Story::of_change(4, |leader| {
            let others = (1..=4).map(NodeId::new).filter(|&id| id != leader);
            others.take(1).map(MemberChange::Remove).collect()
        });
        let joint = story.nodes_when(Configuration::is_joint);
        give(&mut world, &world_of(joint).leader().expect("one leads").configuration.clone());
        assert_amiss(&world, "is joint");
    }

    #[test]
    fn a_learner_that_lives_is_to_be_promoted() {
        let promoted = |configuration: &Configuration| {
            let learners = configuration.members().map(|(_, member)| member.standing);
            learners.into_iter().any(|it| matches!(it, Standing::Learner { promote: true, .. }))
        };
        let story = Story::of_return(4);
        let mut world = world_of(story.nodes());
        assert_eq!(world.agreement(&all(&world)), Ok(()));
        let learning = world_of(story.nodes_when(promoted));
        give(&mut world, &learning.leader().expect("one leads").configuration.clone());
        assert_amiss(&world, "is not promoted");
        let rest = all(&world).into_iter().filter(|id| id.get() != 4).collect();
        assert_eq!(world.agreement(&rest), Ok(()), "one that is down is not waited for");
    }

    #[test]
    fn leadership_has_come_to_rest_with_a_voter() {
        let mut world = at_rest();
        let (leader, follower) = (leader(&world), follower(&world));
        status(&mut world, leader).transferring_to = Some(follower);
        assert_amiss(&world, "leadership is on its way");
        status(&mut world, leader).transferring_to = None;
        let demoted = Story::of_change(4, |leader| vec![MemberChange::Demote(leader)]);
        let demoted = world_of(demoted.nodes()).leader().expect("one leads").configuration.clone();
        give(&mut world, &demoted);
        assert_amiss(&world, "leads, and is no voter");
    }

    #[test]
    fn the_last_resort_leads_only_when_nobody_else_would() {
        let mut world = at_rest();
        let leader = leader(&world);
        world.seen_mut(leader).config.priority = Priority::LastResort;
        assert_amiss(&world, "only as a last resort");
        assert_eq!(world.agreement(&BTreeSet::from([leader])), Ok(()));
    }

    #[test]
    fn one_that_is_no_member_knows_it_or_is_to_become_one() {
        let story = Story::of_change(4, |leader| {
            let others = (1..=4).map(NodeId::new).filter(|&id| id != leader);
            others.take(1).map(MemberChange::Remove).collect()
        });
        let removed = |world: &World| {
            let out = |seen: &&crate::observation::NodeSeen| {
                seen.status.as_ref().is_some_and(|it| it.membership == Membership::Removed)
            };
            world.seen.values().find(out).expect("it was told").id
        };
        let world = || {
            let mut world = world_of(story.nodes());
            for seen in story.nodes_when(Configuration::is_joint).values() {
                world.keeper.on_status(seen.status.as_ref().expect("they run"));
            }
            world
        };
        let knowing = world();
        assert_eq!(knowing.agreement(&all(&knowing)), Ok(()));
        let mut unaware = world();
        let id = removed(&unaware);
        status(&mut unaware, id).membership = Membership::NotNamed;
        assert_amiss(&unaware, "takes itself for NotNamed");
        let mut asking = world();
        asking.host(id).rejoins = true;
        assert_amiss(&asking, "has not joined");
        let mut new = world();
        new.keeper = crate::keeper::Keeper::default();
        assert_amiss(&new, "has not joined");
    }
}
