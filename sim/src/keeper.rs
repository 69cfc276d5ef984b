//! Whoever keeps the group: asks for changes of its members and of its leader, and takes disks away, but
//! never so that the group could not go on.
//!
//! A node that lost its disk cannot vote for the incarnation it was. As long as a majority of the voters
//! still is what it was, on each side of every configuration that may come to be in force, the group goes
//! on. Whoever was lately asked to be removed may cease to be a voter at any time, and makes the others
//! weigh more.

use std::collections::BTreeSet;

use hamok::{
    Configuration, Input, MemberChange, Membership, NodeId, NotExecuted, Outcome, Peer, Reply,
    Request, Role, Status, change_members, join, leave, transfer_leadership,
};

use crate::draw::Dice;
use crate::faults::Churn;
use crate::observation::{NodeSeen, SimTime};
use crate::queue::Asker;
use crate::world::World;

/// What was asked of the group, as far as it may still come about.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    /// Who was to be no voter any more, and when that was asked for.
    removals: Vec<(SimTime, NodeId)>,
    /// Incarnations that a committed configuration named.
    named: BTreeSet<Peer>,
    /// The highest version that a group has gone over to.
    version: u8,
}

impl Keeper {
    /// Takes up what a node says of its group; tells whether that has gone over to a later version.
    pub(crate) fn on_status(&mut self, status: &Status) -> bool {
        if is_committed(status) {
            self.named.extend(status.configuration.peers());
        }
        let raised = self.version > 0 && status.version > self.version;
        self.version = self.version.max(status.version);
        raised
    }

    /// Whether a committed configuration has ever named this incarnation.
    pub(crate) fn has_named(&self, peer: Peer) -> bool {
        self.named.contains(&peer)
    }

    fn removed_since(&self, since: SimTime) -> BTreeSet<NodeId> {
        self.removals.iter().filter(|(at, _)| *at >= since).map(|(_, id)| *id).collect()
    }
}

/// Whether what a node says of its members is committed, as far as it knows.
pub(crate) fn is_committed(status: &Status) -> bool {
    status.configuration_index <= status.committed
}

impl World {
    /// Whether the group can go on although these nodes are gone.
    pub(crate) fn can_lose(&self, gone: &BTreeSet<NodeId>) -> bool {
        let settled = self.plan.founders().all(|id| {
            let is_known = |seen: &NodeSeen| seen.confirmed.last().index.get() > 0;
            self.hosts[&id].past.wiped || is_known(&self.seen[&id])
        });
        settled && self.is_majority_left(gone, &BTreeSet::new())
    }

    /// Whether a majority of the voters is left without these nodes, even when those others are asked
    /// to be removed as well.
    fn is_majority_left(&self, gone: &BTreeSet<NodeId>, removed: &BTreeSet<NodeId>) -> bool {
        let since = SimTime::from_micros(self.now.micros().saturating_sub(REMOVAL_TAKES));
        let mut leaving = self.keeper.removed_since(since);
        leaving.extend(removed);
        let remains = |peer: &Peer| {
            let disk = self.seen.get(&peer.id).map(|seen| &seen.confirmed);
            disk.is_some_and(|disk| disk.peer() == Some(*peer)) && !gone.contains(&peer.id)
        };
        let holds = |voters: &mut dyn Iterator<Item = Peer>, promoted: usize| {
            let voters: Vec<Peer> = voters.collect();
            let left = voters.iter().filter(|peer| remains(peer));
            // At worst it is those that remain who are removed, or taken for silent by a leader.
            let leaving = left.clone().filter(|peer| leaving.contains(&peer.id)).count();
            let demoted = usize::from(self.plan.knobs.demote_after.is_some() && voters.len() > 3);
            let (left, all) = (left.count(), voters.len() + promoted);
            let lost = leaving + demoted;
            all == 0 || left.saturating_sub(lost) > all.saturating_sub(lost) / 2
        };
        let configurations = self.possible_configurations();
        !configurations.is_empty()
            && configurations.iter().all(|configuration| {
                // A leader may make voters of learners that it does not yet know to be gone.
                let promoted = configuration.learners().filter(|peer| !remains(peer)).count();
                holds(&mut configuration.old_voters(), promoted)
                    && holds(&mut configuration.new_voters(), promoted)
            })
    }

    /// The configurations that are in force or may come to be: the last one that is known to be
    /// committed, and all that stand after it in any log.
    fn possible_configurations(&self) -> Vec<&Configuration> {
        let up = || self.seen.values().filter(|seen| seen.up);
        let committed = up().filter_map(|seen| seen.status.as_ref()).map(|it| it.committed).max();
        let committed = committed.unwrap_or_default();
        let mut found = Vec::new();
        for image in self.seen.values().map(|seen| &seen.confirmed).chain(up().map(|s| &s.issued)) {
            let head =
                image.snapshot().map(|head| (head.configuration_index(), head.configuration()));
            let log = image.entries().iter();
            let all: Vec<_> = head
                .into_iter()
                .chain(log.filter_map(|entry| Some((entry.id().index, entry.configuration()?))))
                .collect();
            let last = all.iter().rposition(|(index, _)| *index <= committed).unwrap_or(0);
            // A log that does not reach so far says nothing about what is in force.
            let reaches = image.last().index >= committed;
            let last = if reaches { last } else { all.len() };
            found
                .extend(all[last.min(all.len())..].iter().map(|(_, configuration)| *configuration));
        }
        found
    }

    /// The latest status of a leader.
    pub(crate) fn leader(&self) -> Option<&Status> {
        let running = self.seen.values().filter(|seen| seen.up);
        let leaders = running.filter_map(|seen| seen.status.as_ref());
        leaders.filter(|status| status.role == Role::Leader).max_by_key(|status| status.term)
    }

    /// Whether something is still asked of the group.
    pub(crate) fn is_keeper_waiting(&self) -> bool {
        self.hosts.values().any(|host| host.asked.values().any(|asker| *asker == Asker::Keeper))
    }

    /// Asks for what the dice say; tells whether there was anything to ask for.
    pub(crate) fn churn(&mut self, churn: Churn, mut dice: Dice) -> bool {
        let ids: Vec<NodeId> = self.plan.node_ids().collect();
        let asked = *dice.pick(&ids);
        let request = match churn {
            Churn::Remove => self.removal(asked, &mut dice),
            Churn::Add => self.addition(asked, &mut dice),
            Churn::Transfer => {
                let to = dice.chance(600_000).then(|| *dice.pick(&ids));
                Some((asked, transfer_leadership(to).into_parts().0))
            }
        };
        let Some((asked, request)) = request else { return false };
        self.keep(asked, request)
    }

    /// Puts a request to a node in the keeper's name, if that node runs.
    pub(crate) fn keep(&mut self, node: NodeId, request: Request) -> bool {
        let host = self.host(node);
        if host.node.is_none() {
            return false;
        }
        let id = host.ask(Asker::Keeper);
        self.counts.requests += 1;
        self.feed(node, Input::Request(id, request));
        true
    }

    /// What was asked for shows in the group. Only that a node was too busy to ask does not.
    pub(crate) fn on_kept(&mut self, node: NodeId, reply: &Reply) {
        if *reply.outcome() == Outcome::NotExecuted(NotExecuted::Busy) {
            self.host(node).rejoins = false;
        }
    }

    /// Fewer voters, as long as enough are left.
    fn removal(&mut self, asked: NodeId, dice: &mut Dice) -> Option<(NodeId, Request)> {
        let leader = self.leader()?;
        let voters: Vec<NodeId> = leader.configuration.new_voters().map(|peer| peer.id).collect();
        let others: Vec<NodeId> = leader.configuration.learners().map(|peer| peer.id).collect();
        if voters.is_empty() {
            return None;
        }
        let first =
            if dice.chance(200_000) { leader.identity.peer.id } else { *dice.pick(&voters) };
        let second = dice.chance(250_000).then(|| *dice.pick(&voters));
        let leaving: BTreeSet<NodeId> = [first].into_iter().chain(second).collect();
        let since = SimTime::from_micros(self.now.micros().saturating_sub(REMOVAL_TAKES));
        let mut all = self.keeper.removed_since(since);
        all.extend(&leaving);
        let staying = voters.iter().filter(|id| !all.contains(id)).count() as u64;
        if staying < self.plan.nodes.min(FEWEST_VOTERS)
            || !self.is_majority_left(&BTreeSet::new(), &leaving)
        {
            return None;
        }
        let now = self.now;
        self.keeper.removals.extend(leaving.iter().map(|&id| (now, id)));
        // One that is not what the group knows has yet to join, and would stop asking for that.
        let is_known = self.is_voter_itself(first);
        if leaving.len() == 1 && is_known && dice.chance(250_000) {
            return Some((first, leave().into_parts().0));
        }
        let mut changes: Vec<MemberChange> = Vec::new();
        for &id in &leaving {
            let demoted = dice.chance(300_000);
            changes.push(if demoted { MemberChange::Demote(id) } else { MemberChange::Remove(id) });
        }
        if let Some(&learner) = others.first() {
            changes.push(MemberChange::Promote(learner));
        }
        Some((asked, change_members(changes).into_parts().0))
    }

    /// Whether what runs under this id is the very incarnation that votes.
    fn is_voter_itself(&self, id: NodeId) -> bool {
        let status = self.seen[&id].status.as_ref().filter(|_| self.seen[&id].up);
        status.is_some_and(|status| status.membership == Membership::Voter)
    }

    /// More voters: nodes that are none ask to join, or are let in by whoever keeps the group.
    fn addition(&mut self, asked: NodeId, dice: &mut Dice) -> Option<(NodeId, Request)> {
        let leader = self.leader()?;
        let configuration = std::sync::Arc::clone(&leader.configuration);
        let none = |status: &&Status| !configuration.is_voter(status.identity.peer);
        let statuses = self.seen.values().filter(|seen| seen.up).filter_map(|s| s.status.as_ref());
        let idle: Vec<(Peer, Membership)> =
            statuses.filter(none).map(|status| (status.identity.peer, status.membership)).collect();
        if idle.is_empty() {
            return None;
        }
        let (peer, membership) = *dice.pick(&idle);
        if configuration.contains(peer) {
            let change = MemberChange::Promote(peer.id);
            return Some((asked, change_members([change]).into_parts().0));
        }
        // Whether a node speaks the group's version is asked only of one that asks to join.
        let asks = self.plan.upgrades || dice.chance(500_000);
        if membership != Membership::Outside && asks {
            let now = self.now;
            let host = self.host(peer.id);
            if host.rejoins && dice.chance(300_000) {
                // It is not to belong after all. It may be let in all the same, and leave then.
                host.rejoins = false;
                self.keeper.removals.push((now, peer.id));
                return Some((peer.id, leave().into_parts().0));
            }
            // One that is paused may never hear of it.
            host.rejoins |= host.pause.is_none();
            return host.rejoins.then(|| (peer.id, join(true).into_parts().0));
        }
        if membership == Membership::Outside {
            return None; // It asks by itself.
        }
        let metadata = peer.id.get().to_le_bytes().as_slice().into();
        let change = MemberChange::Add { peer, metadata, voter: true, replaces: None };
        Some((asked, change_members([change]).into_parts().0))
    }
}

/// How long a removal that was asked for may take to come about: a message can be that late.
const REMOVAL_TAKES: u64 = 100_000_000;
/// Nobody asks for fewer voters, unless the group began with fewer.
const FEWEST_VOTERS: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::testing::Story;
    use crate::draw::{Draws, Stream};
    use crate::plan::Plan;
    use crate::settings::Settings;
    use crate::world::testing::world_of;

    fn voters(count: u64) -> World {
        world_of(Story::of_change(count, |_| Vec::new()).nodes())
    }

    fn ids(numbers: &[u64]) -> BTreeSet<NodeId> {
        numbers.iter().map(|&number| NodeId::new(number)).collect()
    }

    fn can_lose(world: &World, numbers: &[u64]) -> bool {
        world.can_lose(&ids(numbers))
    }

    #[test]
    fn a_group_bears_the_loss_of_a_minority() {
        for (count, bearable, too_many) in [
            (2, &[][..], &[1][..]),
            (3, &[2], &[2, 3]),
            (4, &[4], &[1, 4]),
            (5, &[1, 5], &[1, 3, 5]),
        ] {
            let world = voters(count);
            assert!(can_lose(&world, bearable), "{bearable:?} of {count}");
            assert!(!can_lose(&world, too_many), "{too_many:?} of {count}");
        }
    }

    #[test]
    fn a_group_yet_to_be_founded_bears_no_loss() {
        let plan = Plan::draw(&Settings { nodes: Some(5), ..Settings::new() }, 1);
        let world = World::new(plan, Draws::new(1, &[]), Vec::new());
        assert!(!can_lose(&world, &[]) && !can_lose(&world, &[1]));
    }

    #[test]
    fn a_founder_that_has_yet_to_hear_of_the_group_is_waited_for() {
        let mut world = voters(5);
        let late = NodeId::new(5);
        world.seen_mut(late).confirmed = hamok::Stored::new();
        assert!(!can_lose(&world, &[]) && !can_lose(&world, &[5]));
        world.host(late).past.wiped = true;
        assert!(can_lose(&world, &[]), "it did hear of it, and forgot");
    }

    #[test]
    fn an_incarnation_that_is_gone_is_lost_already() {
        let mut world = voters(5);
        for lost in [2, 3].map(NodeId::new) {
            world.seen_mut(lost).confirmed = hamok::Stored::new();
            world.host(lost).past.wiped = true;
        }
        assert!(can_lose(&world, &[]) && can_lose(&world, &[2, 3]));
        assert!(!can_lose(&world, &[1]));
    }

    #[test]
    fn a_majority_is_left_on_both_sides_of_a_joint_configuration() {
        let gone =
            |_| vec![MemberChange::Remove(NodeId::new(4)), MemberChange::Remove(NodeId::new(5))];
        let story = Story::of_change(5, gone);
        let joint = world_of(story.nodes_when(Configuration::is_joint));
        // The old side would bear the loss of any two, the new one of one.
        assert!(can_lose(&joint, &[4, 5]) && can_lose(&joint, &[1, 4]));
        assert!(!can_lose(&joint, &[1, 2]), "one of three would be left on the new side");
        assert!(!can_lose(&joint, &[1, 4, 5]), "two of five would be left on the old side");
        let mut committed = world_of(story.nodes_when(Configuration::is_joint));
        for status in committed.seen.values_mut().filter_map(|seen| seen.status.as_mut()) {
            status.committed = status.configuration_index;
        }
        assert!(!can_lose(&committed, &[1, 4, 5]) && can_lose(&committed, &[4, 5]));
        let settled = world_of(story.nodes());
        assert!(can_lose(&settled, &[1, 4, 5]) && !can_lose(&settled, &[1, 2]));
    }

    #[test]
    fn whoever_was_lately_to_be_removed_does_not_count() {
        let mut world = voters(5);
        assert!(can_lose(&world, &[1, 2]));
        world.keeper.removals.push((world.now, NodeId::new(5)));
        assert!(can_lose(&world, &[1]) && !can_lose(&world, &[1, 2]));
        // Lost itself, it weighs no more than any other.
        assert!(can_lose(&world, &[1, 5]));
        world.now = world.now.plus(REMOVAL_TAKES + 1);
        assert!(can_lose(&world, &[1, 2]), "what has not come about by then never will");
    }

    #[test]
    fn no_removal_is_asked_for_that_leaves_too_few() {
        let none = ids(&[]);
        let world = voters(5);
        assert!(world.is_majority_left(&none, &ids(&[1, 2])));
        assert!(!world.is_majority_left(&ids(&[3, 4]), &ids(&[1])));
        for (count, fewest) in [(3, 3), (5, 3), (7, 3)] {
            let mut world = voters(count);
            for number in 0..200 {
                let mut dice = world.draws.dice(Stream::RemoveNode, 0, number);
                world.removal(NodeId::new(1), &mut dice);
            }
            let removed = world.keeper.removed_since(SimTime::ZERO).len() as u64;
            assert_eq!(count - removed, fewest, "of {count}");
        }
    }

    #[test]
    fn one_voter_more_may_be_demoted_while_there_are_enough() {
        let mut five = voters(5);
        five.plan.knobs.demote_after = Some(30);
        assert!(can_lose(&five, &[1]) && !can_lose(&five, &[1, 2]));
        let mut three = voters(3);
        three.plan.knobs.demote_after = Some(30);
        assert!(can_lose(&three, &[1]), "three are never made fewer");
    }

    #[test]
    fn a_dead_learner_may_be_made_a_voter() {
        let story = Story::of_change(4, |_| vec![MemberChange::Demote(NodeId::new(4))]);
        let world = world_of(story.nodes());
        assert!(can_lose(&world, &[1]), "two of three voters are left, and a learner that lives");
        assert!(can_lose(&world, &[4]), "three of four would be left");
        assert!(!can_lose(&world, &[1, 4]), "two of four would be left");
    }

    #[test]
    fn a_later_version_is_noticed_once() {
        let story = Story::of_change(1, |_| Vec::new());
        let mut status = story.nodes()[&NodeId::new(1)].status.clone().expect("it was started");
        let mut keeper = Keeper::default();
        for (version, raised) in [(1, false), (1, false), (2, true), (1, false), (2, false)] {
            status.version = version;
            assert_eq!(keeper.on_status(&status), raised);
        }
        assert!(keeper.has_named(status.identity.peer));
    }
}
