//! The phases of a run: faults, then none and everything must come to work, then perhaps the return
//! of a node that was cut off.

use std::collections::{BTreeMap, BTreeSet};

use hamok::{Index, Map, Membership, Node, NodeId, Outcome, Peer, Reply, Role};

use crate::clock::NOMINAL;
use crate::draw::{Draws, Stream};
use crate::history::History;
use crate::network::{Endpoint, Link};
use crate::observation::{ClusterSeen, EndSeen, LivenessSeen, Moment, Phase, ReunionSeen, SimTime};
use crate::plan::Knobs;
use crate::queue::{Asker, Happening};
use crate::workload::{Context, Workload};
use crate::world::{Ended, World};

/// How far a run has come in its phases.
#[derive(Debug)]
pub(crate) struct Phases {
    stage: Stage,
    liveness: Option<LivenessSeen>,
    reunion: Option<ReunionSeen>,
    /// Nothing is asked of the group until it agrees: some failures to do so heal on the next write.
    silent: bool,
    /// The group has once agreed and served.
    settled: bool,
    /// A follower is to be cut off and let back in the end.
    reunites: bool,
    probes: u64,
    last_probe: SimTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Safety,
    Liveness,
    Isolation { until: SimTime },
    Return { until: SimTime },
}

impl Phases {
    pub(crate) fn new(draws: &Draws) -> Self {
        let mut dice = draws.dice(Stream::Phases, 0, 0);
        Self {
            stage: Stage::Safety,
            liveness: None,
            reunion: None,
            silent: dice.chance(500_000),
            settled: false,
            reunites: dice.chance(500_000),
            probes: 0,
            last_probe: SimTime::ZERO,
        }
    }

    /// Whether clients are to leave the group alone.
    pub(crate) fn is_silent(&self, now: SimTime) -> bool {
        match (self.stage, &self.liveness) {
            (Stage::Safety, _) | (Stage::Liveness, None) => false,
            (Stage::Liveness, Some(liveness)) => {
                let half = liveness.deadline.since(liveness.began) / 2;
                self.silent || liveness.is_served() || now.since(liveness.began) > half
            }
            (Stage::Isolation { .. } | Stage::Return { .. }, _) => true,
        }
    }

    /// A probe was answered.
    pub(crate) fn on_probe(&mut self, probe: Asker, reply: &Reply, now: SimTime) {
        let (Some(liveness), Outcome::Done { .. }) = (&mut self.liveness, reply.outcome()) else {
            return;
        };
        match probe {
            Asker::WriteProbe => _ = liveness.write_served.get_or_insert(now),
            Asker::ReadProbe => _ = liveness.read_served.get_or_insert(now),
            Asker::Client { .. } | Asker::Neighbour { .. } | Asker::Keeper => {}
        }
    }

    pub(crate) fn end_seen<'a>(&'a self, moment: Moment, history: &'a History) -> EndSeen<'a> {
        let (liveness, reunion) = (self.liveness.as_ref(), self.reunion.as_ref());
        EndSeen { moment, liveness, reunion, history }
    }
}

impl LivenessSeen {
    fn is_served(&self) -> bool {
        self.write_served.is_some() && self.read_served.is_some()
    }
}

impl World {
    /// Looks whether the phase is over.
    pub(crate) fn assess(&mut self, workload: &mut dyn Workload) {
        match self.phases.stage {
            Stage::Safety => {
                let did_enough = workload.operations() >= self.plan.operations;
                let time = self.plan.time.micros();
                let late = self.now.micros() >= time.saturating_mul(LENGTHENED);
                if self.now.micros() >= time && (did_enough || late) {
                    self.begin_liveness(workload);
                }
            }
            Stage::Liveness => self.assess_liveness(workload),
            Stage::Isolation { until } if self.now >= until => self.begin_return(workload),
            Stage::Return { until } if self.now >= until => self.end_return(),
            Stage::Isolation { .. } | Stage::Return { .. } => {}
        }
        if self.ended.is_none() {
            self.queue.push(self.now.plus(ASSESSED_EVERY), Happening::Assess);
        }
    }

    fn begin_liveness(&mut self, workload: &mut dyn Workload) {
        if self.plan.is_hostile() {
            self.ended = Some(Ended::Whole); // Nothing is promised to those who believe forgeries.
            return;
        }
        self.repair();
        self.heal();
        let healthy = self.revive();
        let began = self.now;
        let deadline = began.plus(ELECTIONS_TO_RECOVER * self.plan.longest_election());
        let deadline = deadline.plus(self.newcomers(&healthy) * self.joining_time());
        let deadline = deadline.plus(self.crossing_time(&healthy));
        self.phases.liveness = Some(LivenessSeen {
            began,
            deadline,
            healthy,
            write_served: None,
            read_served: None,
            agreed: None,
            disagreement: String::new(),
        });
        self.enter(Stage::Liveness, Phase::Liveness, workload);
    }

    /// Takes down what is to start anew: nodes whose disk failed, and those still to be upgraded.
    fn repair(&mut self) {
        let upgrades = self.plan.upgrades;
        for id in self.plan.node_ids() {
            let host = self.host(id);
            let upgraded = std::mem::replace(&mut host.past.upgraded, upgrades);
            if upgraded != upgrades || host.disk.has_failed() {
                self.crash(id, None);
            }
        }
    }

    /// Ends all faults, for good.
    fn heal(&mut self) {
        self.healed = true;
        self.quiet = 0;
        self.burst = 0;
        self.network.heal();
        let now = self.now;
        for id in self.plan.node_ids() {
            let host = self.host(id);
            host.disk.heal();
            host.clock.set_rate(now, NOMINAL);
            host.clock.set_stalled(now, false);
            while self.host(id).pause.is_some() {
                self.resume(id);
            }
            self.schedule_wake(id);
        }
    }

    /// Starts nodes that are down: all, or as many as the group needs if it was founded; tells who
    /// runs then.
    fn revive(&mut self) -> BTreeSet<NodeId> {
        let mut dice = self.draws.dice(Stream::Phases, 1, 0);
        let most = dice.between(0, self.plan.nodes);
        let most = if dice.chance(STAY_DOWN) { most } else { 0 };
        let mut healthy = BTreeSet::new();
        let mut left_down = BTreeSet::new();
        for id in self.plan.node_ids() {
            let host = self.host(id);
            let start = host.starts;
            if host.node.is_some() {
                healthy.insert(id);
                continue;
            }
            left_down.insert(id);
            if left_down.len() as u64 <= most && self.can_lose(&left_down) {
                // Its start is planned already: it must not come about.
                self.host(id).starts += 1;
            } else {
                left_down.remove(&id);
                healthy.insert(id);
                self.queue.push(self.now, Happening::Start { node: id, start });
            }
        }
        healthy
    }

    /// How many of these nodes are still to become voters.
    fn newcomers(&self, healthy: &BTreeSet<NodeId>) -> u64 {
        let voters: BTreeSet<NodeId> = match self.leader() {
            Some(leader) => leader.configuration.voters().map(|peer| peer.id).collect(),
            None => BTreeSet::new(),
        };
        healthy.difference(&voters).count() as u64
    }

    /// How long one node may take to join: as a learner, then as a voter, each by a change of the
    /// members that waits for others.
    fn joining_time(&self) -> u64 {
        4 * self.plan.longest_election()
    }

    /// How long the entries that the shortest log lacks may take to it.
    fn crossing_time(&self, healthy: &BTreeSet<NodeId>) -> u64 {
        let statuses = || healthy.iter().map(|id| self.seen[id].status.as_ref());
        let lasts = || statuses().map(|status| status.map_or(Index::ZERO, |it| it.last.index));
        let (Some(longest), Some(shortest)) = (lasts().max(), lasts().min()) else { return 0 };
        let bytes = statuses().flatten().map(|it| it.load.log_bytes).max().unwrap_or(0);
        let round_trip = 2 * self.plan.latency.1 + self.plan.disk.1;
        round_trips(longest.since(shortest), bytes, &self.plan.knobs) * round_trip
    }

    fn assess_liveness(&mut self, workload: &mut dyn Workload) {
        let now = self.now;
        let Some(mut liveness) = self.phases.liveness.take() else { return };
        match self.agreement(&liveness.healthy) {
            Ok(()) => _ = liveness.agreed.get_or_insert(now),
            Err(text) => {
                liveness.agreed = None;
                liveness.disagreement = text;
            }
        }
        if liveness.agreed.is_some() {
            liveness.disagreement.clear();
            // From here on writes and reads must be served; that takes time of its own.
            if self.phases.silent {
                self.phases.silent = false;
                liveness.deadline = liveness.deadline.max(now).plus(self.serving_time());
            }
        }
        let served = liveness.is_served();
        if !served && !self.phases.silent {
            self.probe(&liveness.healthy);
        }
        let settled = served && liveness.agreed.is_some();
        let first_settled = settled && !std::mem::replace(&mut self.phases.settled, settled);
        let overdue = now >= liveness.deadline;
        // Calls under way may end, so that as few as possible stay unknown.
        let busy = !workload.is_idle() || self.is_keeper_waiting();
        let waits = busy && now < liveness.deadline.plus(PATIENCE);
        let healthy = liveness.healthy.clone();
        self.phases.liveness = Some(liveness);
        if first_settled {
            self.enter(Stage::Liveness, Phase::Settled, workload);
        } else if settled && !waits {
            self.begin_isolation(&healthy, workload);
        } else if overdue && !settled {
            self.ended = Some(Ended::Whole);
        }
    }

    /// How long a write and a read may take, once the group has a leader.
    fn serving_time(&self) -> u64 {
        4 * self.plan.longest_election() + self.plan.knobs.request_timeout * self.plan.tick
    }

    /// Asks one of the nodes for a write and a read.
    fn probe(&mut self, healthy: &BTreeSet<NodeId>) {
        if self.now.since(self.phases.last_probe) < PROBED_EVERY {
            return;
        }
        self.phases.last_probe = self.now;
        self.phases.probes += 1;
        let number = self.phases.probes;
        let member = |id: &&NodeId| {
            let status = self.seen[*id].status.as_ref();
            status
                .is_some_and(|it| matches!(it.membership, Membership::Voter | Membership::Learner))
        };
        let members: Vec<NodeId> = healthy.iter().filter(member).copied().collect();
        let turn = usize::try_from(number).expect("fewer than memory holds");
        let Some(&node) = members.get(turn % members.len().max(1)) else { return };
        let key = 0;
        let write = PROBE.set(&key, &number).expect("numbers encode").into_parts().0;
        let read = PROBE.read(&key).expect("numbers encode").into_parts().0;
        for (asker, request) in [(Asker::WriteProbe, write), (Asker::ReadProbe, read)] {
            let request = Box::new(request);
            self.queue.push(self.now, Happening::Ask { node, asker, request });
        }
    }

    /// Cuts off a follower, if the rest is a quorum without it and the run is to have this.
    fn begin_isolation(&mut self, healthy: &BTreeSet<NodeId>, workload: &mut dyn Workload) {
        let Some((leader, term)) = healthy.iter().find_map(|&id| {
            let status = self.seen[&id].status.as_ref()?;
            (status.role == Role::Leader).then_some((id, status.term))
        }) else {
            self.ended = Some(Ended::Whole);
            return;
        };
        let mut dice = self.draws.dice(Stream::Phases, 2, 0);
        // One that is no member any more must disturb nobody either.
        let spared = |isolated: NodeId| {
            let configuration = &self.seen[&leader].status.as_ref()?.configuration;
            let stays = |peer: Peer| {
                let seen = &self.seen[&peer.id];
                let same = seen.confirmed.peer() == Some(peer);
                same && peer.id != isolated && healthy.contains(&peer.id)
            };
            configuration.is_quorum(stays).then_some(isolated)
        };
        let others = healthy.iter().copied().filter(|&id| id != leader);
        let followers: Vec<NodeId> = others.filter_map(spared).collect();
        if followers.is_empty() || !self.phases.reunites {
            self.ended = Some(Ended::Whole);
            return;
        }
        let isolated = *dice.pick(&followers);
        let links = self.links_of(isolated);
        self.network.cut(&links);
        self.phases.reunion = Some(ReunionSeen {
            isolated,
            leader_before: leader,
            term_before: term,
            cut: self.now,
            returned: self.now,
            term_after: term,
            leaders_after: BTreeMap::new(),
        });
        let until = self.now.plus(dice.between(2, 8) * self.plan.longest_election());
        self.enter(Stage::Isolation { until }, Phase::Isolation, workload);
    }

    fn begin_return(&mut self, workload: &mut dyn Workload) {
        if let Some(reunion) = &mut self.phases.reunion {
            reunion.returned = self.now;
            let isolated = reunion.isolated;
            let links = self.links_of(isolated);
            self.network.join(&links);
        }
        let until = self.now.plus(3 * self.plan.longest_election());
        self.enter(Stage::Return { until }, Phase::Return, workload);
    }

    fn end_return(&mut self) {
        if let (Some(reunion), Some(liveness)) = (&mut self.phases.reunion, &self.phases.liveness) {
            let statuses = liveness
                .healthy
                .iter()
                .filter_map(|id| self.seen[id].status.as_ref().map(|status| (*id, status)));
            for (id, status) in statuses {
                reunion.term_after = reunion.term_after.max(status.term);
                if matches!(status.membership, Membership::Voter | Membership::Learner) {
                    reunion.leaders_after.insert(id, status.leader);
                }
            }
        }
        self.ended = Some(Ended::Whole);
    }

    fn links_of(&self, node: NodeId) -> Vec<Link> {
        let others = self.plan.node_ids().filter(|&other| other != node);
        others
            .flat_map(|other| Link::both_ways(Endpoint::node(node), Endpoint::node(other)))
            .collect()
    }

    fn enter(&mut self, stage: Stage, phase: Phase, workload: &mut dyn Workload) {
        self.phases.stage = stage;
        let moment = self.moment();
        if let Some(transcript) = &mut self.transcript {
            transcript.phase(moment.at, phase);
        }
        let cluster = ClusterSeen { nodes: &self.seen };
        for checker in &mut self.checkers {
            checker.on_phase(&cluster, phase, moment);
        }
        workload.on_phase(&mut Context::new(self), phase);
    }

    /// The node, to look at.
    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        self.hosts.get(&id)?.node.as_ref()
    }
}

/// How many round trips so many entries of so many bytes take. Windows may be so small that each entry
/// takes one, and faults may leave thousands behind.
fn round_trips(entries: u64, bytes: u64, knobs: &Knobs) -> u64 {
    let messages = knobs.max_inflight_messages.saturating_mul(knobs.max_message_bytes);
    let window = knobs.max_inflight_bytes.min(messages).max(1);
    entries.min(2 * bytes / window)
}

/// The map that probes write to and read from.
const PROBE: Map<u64, u64> = Map::new("hamok-sim probe");
/// Within how many of the longest election time-outs a healthy group must work.
const ELECTIONS_TO_RECOVER: u64 = 20;
/// How many times as long as asked the safety phase may last, for its operations to come together.
const LENGTHENED: u64 = 10;
const ASSESSED_EVERY: u64 = 50_000;
const PROBED_EVERY: u64 = 500_000;
/// How long calls under way are waited for.
const PATIENCE: u64 = 120_000_000;
/// How often a minority that is down stays down.
const STAY_DOWN: u32 = 300_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::settings::Settings;

    #[test]
    fn a_window_of_one_byte_takes_a_round_trip_for_each_entry() {
        let mut knobs = Plan::draw(&Settings::new(), 0).knobs;
        let longest_log = 7_331;
        (knobs.max_inflight_bytes, knobs.max_inflight_messages) = (1, 100);
        assert_eq!(round_trips(longest_log, 700_000, &knobs), longest_log);
        (knobs.max_inflight_bytes, knobs.max_inflight_messages) = (1_000_000, 2);
        knobs.max_message_bytes = 1_000;
        assert_eq!(round_trips(longest_log, 700_000, &knobs), 700);
        assert_eq!(round_trips(0, 700_000, &knobs), 0);
    }
}
