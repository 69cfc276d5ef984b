//! Groups whose nodes keep nothing on disk, and that are lost: all nodes start again at once, or two of
//! three do and the third follows. By the rules of meeting, nothing is founded while anybody still holds
//! the old group; once nobody does, a new one is founded, which works and knows nothing of the old.
//!
//! The writes of a lost group are gone although they were acknowledged, so there is no history here for
//! the check of linearizability. All other checkers watch, and begin anew with each group.

use std::collections::BTreeSet;

use hamok::{GroupId, Map, Membership, Node, NodeId, Outcome, Reply};
use hamok_sim::{
    Context, Fault, Phase, Plan, Profile, Settings, SimTime, Simulation, Violation, Workload,
};

#[test]
fn all_nodes_start_again_at_once() {
    for nodes in [3, 5] {
        for seed in 0..SEEDS {
            assert_eq!(run(seed, nodes, Losses { first: nodes, apart: 0 }), 0);
        }
    }
}

#[test]
fn two_of_three_are_lost_and_then_the_third() {
    let losses = Losses { first: 2, apart: 8 };
    let let_in: usize = (0..SEEDS).map(|seed| run(seed, 3, losses)).sum();
    println!("{let_in} nodes of {SEEDS} runs were let into a group that had lost its majority");
}

/// Nodes are lost together, and the others some of the longest election time-outs later.
#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    first: u64,
    apart: u64,
}

/// Gives how many nodes had to be lost twice.
fn run(seed: u64, nodes: u64, losses: Losses) -> usize {
    let mut losing = Losing { losses, ..Losing::default() };
    let report = Simulation::new(seed).plan(plan(seed, nodes)).run(&mut losing);
    assert!(report.passed(), "{report}");
    assert_eq!(losing.groups.len(), 1 + GENERATIONS, "each loss leads to a new group: {report}");
    losing.let_in
}

/// A storm for nodes without disks.
fn plan(seed: u64, nodes: u64) -> Plan {
    let mut settings = Settings::new();
    (settings.profile, settings.nodes) = (Profile::Storm, Some(nodes));
    settings.time = SimTime::from_secs(30);
    let mut plan = Plan::draw(&settings, seed);
    plan.faults.retain(|fault, _| !CHURN.contains(fault));
    plan.diskless = true;
    (plan.spares, plan.upgrades) = (0, false);
    (plan.load.quiet, plan.load.burst) = (0, 0);
    plan.longest_fault = plan.longest_election();
    plan
}

/// Writes each key once, and has the group lost as soon as it has taken some writes.
#[derive(Debug, Default)]
struct Losing {
    losses: Losses,
    groups: BTreeSet<GroupId>,
    begun: u64,
    /// The first write begun since all of the last group was lost.
    first: u64,
    /// How many writes begun since then were acknowledged.
    taken: u64,
    /// The writes that were acknowledged up to now, and those of them that were by groups now lost.
    acknowledged: Vec<u64>,
    gone: Vec<u64>,
    /// Some were lost, and nothing can be taken until the others are.
    between: bool,
    lost: usize,
    /// How many were let in between, and were lost once more.
    let_in: usize,
    objection: Option<Violation>,
    stopped: bool,
}

impl Losing {
    fn go_on(&mut self, context: &mut Context<'_>) {
        let nodes = context.plan().nodes;
        if self.between || self.lost == GENERATIONS || self.taken < ENOUGH {
            return;
        }
        let Losses { first, apart } = self.losses;
        // Those that are left hold the group.
        let is_voter = |node: &Node| node.status().membership == Membership::Voter;
        let holds = |id| context.node(NodeId::new(id)).is_some_and(is_voter);
        if !(first + 1..=nodes).all(holds) {
            return;
        }
        if !context.lose((1..=nodes).map(NodeId::new).take(first as usize), ABSENCE) {
            return;
        }
        self.between = true;
        self.first = self.begun + 1;
        context.timer(CLIENT, LOSE_OTHERS, apart * context.plan().longest_election());
    }

    /// Whoever still holds the old group is lost, too: the others, and any that those have let in again.
    /// A leader may do so before it knows that it lost its majority; what it then lets in has a copy of
    /// a group that will never decide anything, and keeps another from being founded.
    fn lose_others(&mut self, context: &mut Context<'_>) {
        let nodes = context.plan().node_ids();
        let has_group =
            |id: &NodeId| context.node(*id).is_some_and(|it| it.status().group.is_some());
        let others: Vec<NodeId> = nodes.filter(has_group).collect();
        self.let_in += others.iter().filter(|id| id.get() <= self.losses.first).count();
        if context.lose(others, ABSENCE) {
            (self.first, self.taken, self.between) = (self.begun + 1, 0, false);
            self.lost += 1;
            self.gone.clone_from(&self.acknowledged);
        }
    }

    fn write(&mut self, context: &mut Context<'_>) {
        self.begun += 1;
        let call = WRITTEN.set(&self.begun, &0).expect("numbers encode");
        let node = 1 + context.draw(0, self.begun) % context.plan().nodes;
        context.request(CLIENT, self.begun, NodeId::new(node), call.into_parts().0);
    }

    fn object(&mut self, node: Option<NodeId>, text: &str) {
        self.objection.get_or_insert_with(|| Violation::new("WL", node, text));
    }
}

impl Workload for Losing {
    fn on_start(&mut self, context: &mut Context<'_>) {
        context.timer(CLIENT, WRITE, WRITTEN_EVERY);
    }

    fn on_timer(&mut self, context: &mut Context<'_>, _: u64, token: u64) {
        if token == LOSE_OTHERS {
            return self.lose_others(context);
        }
        if !self.stopped {
            self.write(context);
            self.go_on(context);
            context.timer(CLIENT, WRITE, WRITTEN_EVERY);
        }
    }

    fn on_reply(&mut self, _: &mut Context<'_>, _: u64, number: u64, reply: Reply) {
        if !matches!(reply.outcome(), Outcome::Done { .. }) {
            return;
        }
        self.acknowledged.push(number);
        let begun_since = number >= self.first;
        self.taken += u64::from(begun_since);
        if begun_since && self.between {
            self.object(None, "a write was done while the old group was neither whole nor gone");
        }
    }

    fn on_phase(&mut self, _: &mut Context<'_>, phase: Phase) {
        self.stopped |= phase == Phase::Liveness;
    }

    fn operations(&self) -> u64 {
        if self.lost == GENERATIONS && self.taken >= ENOUGH { u64::MAX } else { 0 }
    }

    /// Learns the groups from nodes that have applied something of them.
    fn on_event(&mut self, context: &mut Context<'_>, id: NodeId, event: &hamok::Event) {
        if !matches!(event, hamok::Event::Changed(_)) {
            return;
        }
        self.groups.extend(context.node(id).and_then(|node| node.status().group));
    }

    fn on_end(&mut self, context: &mut Context<'_>) -> Result<(), Violation> {
        for id in context.plan().node_ids() {
            let Some(written) = context.node(id).map(|node: &Node| node.map(&WRITTEN)) else {
                continue;
            };
            let is_there = |key: &u64| written.get(key).is_ok_and(|value| value.is_some());
            // One that was not acknowledged may have been on its way until there was a new group.
            if self.gone.iter().any(is_there) {
                self.object(Some(id), "a write done by a lost group is in one founded after it");
            }
        }
        self.objection.take().map_or(Ok(()), Err)
    }
}

const WRITTEN: Map<u64, u64> = Map::new("written");
const SEEDS: u64 = 20;
/// How often a group is lost in a run.
const GENERATIONS: usize = 3;
/// After how many writes.
const ENOUGH: u64 = 40;
const CHURN: [Fault; 4] = [Fault::Wipe, Fault::RemoveNode, Fault::AddNode, Fault::Transfer];
const CLIENT: u64 = 1;
const WRITE: u64 = 0;
const LOSE_OTHERS: u64 = 1;
const WRITTEN_EVERY: u64 = 100_000;
/// How long it takes until a node that was lost is back.
const ABSENCE: u64 = 500_000;
