//! The phases of a run: faults, then none and everything must come to work, then perhaps the return
//! of a node that was cut off.

use std::collections::{BTreeMap, BTreeSet};

use hamok::{Map, Node, NodeId, Outcome, Reply, Role, Status};

use crate::clock::NOMINAL;
use crate::draw::{Draws, Stream};
use crate::history::History;
use crate::network::{Endpoint, Link};
use crate::observation::{ClusterSeen, EndSeen, LivenessSeen, Moment, Phase, ReunionSeen, SimTime};
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
            Asker::Client { .. } => {}
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
        self.heal();
        let healthy = self.revive();
        let began = self.now;
        let deadline = began.plus(ELECTIONS_TO_RECOVER * self.plan.longest_election());
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
        let founded = self.seen.values().any(|seen| seen.confirmed.last().index.get() > 0);
        let mut dice = self.draws.dice(Stream::Phases, 1, 0);
        let minority = (self.plan.nodes - 1) / 2;
        let mut may_stay_down =
            if founded && dice.chance(STAY_DOWN) { dice.between(0, minority) } else { 0 };
        let mut healthy = BTreeSet::new();
        for id in self.plan.node_ids() {
            let host = self.host(id);
            let start = host.starts;
            if host.node.is_some() {
                healthy.insert(id);
            } else if may_stay_down > 0 {
                may_stay_down -= 1;
                // Its start is planned already: it must not come about.
                host.starts += 1;
            } else {
                healthy.insert(id);
                self.queue.push(self.now, Happening::Start { node: id, start });
            }
        }
        healthy
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
        let overdue = now >= liveness.deadline;
        // Calls under way may end, so that as few as possible stay unknown.
        let waits = !workload.is_idle() && now < liveness.deadline.plus(PATIENCE);
        let healthy = liveness.healthy.clone();
        self.phases.liveness = Some(liveness);
        if settled && !waits {
            self.begin_isolation(&healthy, workload);
        } else if overdue && !settled {
            self.ended = Some(Ended::Whole);
        }
    }

    /// How long a write and a read may take, once the group has a leader.
    fn serving_time(&self) -> u64 {
        4 * self.plan.longest_election() + self.plan.knobs.request_timeout * self.plan.tick
    }

    /// Whether these nodes have one leader, one configuration and one state; else what differs.
    fn agreement(&self, healthy: &BTreeSet<NodeId>) -> Result<(), String> {
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
            if !status.ready {
                return Err(format!("{id} is not ready"));
            }
        }
        Ok(())
    }

    /// Asks one of the nodes for a write and a read.
    fn probe(&mut self, healthy: &BTreeSet<NodeId>) {
        if self.now.since(self.phases.last_probe) < PROBED_EVERY {
            return;
        }
        self.phases.last_probe = self.now;
        self.phases.probes += 1;
        let number = self.phases.probes;
        let turn = usize::try_from(number % healthy.len() as u64).expect("fewer than memory holds");
        let Some(&node) = healthy.iter().nth(turn) else { return };
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
        let followers: Vec<NodeId> = healthy.iter().copied().filter(|&id| id != leader).collect();
        let mut dice = self.draws.dice(Stream::Phases, 2, 0);
        let rest_is_quorum = (healthy.len() as u64).saturating_sub(1) > self.plan.nodes / 2;
        if followers.is_empty() || !rest_is_quorum || !self.phases.reunites {
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
                reunion.leaders_after.insert(id, status.leader);
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
