//! A group outlives its machines: all members of a group of five are replaced one after the other by
//! empty machines, again and again, while clients use it and the network is bad. No acknowledged write
//! is lost, and writes never stop for longer than a few election time-outs.

use hamok::{Event, Map, Node, NodeId, Outcome, Reply, Role, Status};
use hamok_sim::{
    Clients, Context, Fault, Phase, Plan, Profile, Settings, SimTime, Simulation, Violation,
    Workload,
};

#[test]
fn all_members_are_replaced_under_load_and_partitions() {
    let (mut replaced, mut leaders, mut longest) = (0, 0, 0);
    for seed in 0..SEEDS {
        let plan = plan(seed);
        let unit = plan.longest_election();
        let bound = MOST_ELECTIONS * unit + plan.longest_fault;
        let mut rolling = Rolling::default();
        let report = Simulation::new(seed).plan(plan).run(&mut rolling);
        assert!(report.passed(), "{report}");
        println!("seed {seed}: {rolling}");
        assert_eq!(report.counts.faults[&Fault::Wipe], rolling.replaced);
        assert!(rolling.replaced >= NODES, "{rolling}: {report}");
        assert!(rolling.writer.longest_gap <= bound, "{rolling}: {report}");
        replaced += rolling.replaced;
        leaders += rolling.leaders;
        longest = longest.max(rolling.writer.longest_gap);
    }
    let unit = plan(0).longest_election();
    println!(
        "{replaced} replacements, {leaders} of leaders; at most {} s without an acknowledged write, \
         which is {}.{:02} of the longest election time-outs",
        seconds(longest),
        longest / unit,
        longest % unit * 100 / unit,
    );
    assert!(leaders >= SEEDS, "each round replaces a leader, and there were only {leaders}");
}

/// Storms on the network alone, none of which lasts longer than the longest election time-out.
fn plan(seed: u64) -> Plan {
    let mut settings = Settings::new();
    (settings.profile, settings.nodes) = (Profile::Storm, Some(NODES));
    // Clients take their time; no more operations are waited for than fit.
    (settings.time, settings.operations) = (SimTime::from_secs(40), 100);
    let mut plan = Plan::draw(&settings, seed);
    plan.faults.retain(|fault, _| NETWORK.contains(fault));
    (plan.spares, plan.upgrades) = (0, false);
    (plan.load.quiet, plan.load.burst) = (0, 0);
    plan.longest_fault = plan.longest_election();
    plan.knobs.snapshot_part_bytes = 1_000;
    plan
}

/// Replaces the members one after the other, next to the clients of the simulator, and keeps on writing.
#[derive(Default)]
struct Rolling {
    clients: Clients,
    writer: Writer,
    /// When the group was whole for the first time.
    began: Option<SimTime>,
    /// Who is still to be replaced in this round.
    due: Vec<NodeId>,
    /// When the one was replaced that the group is not yet whole with.
    under_way: Option<SimTime>,
    longest_replacement: u64,
    replaced: u64,
    leaders: u64,
}

/// Writes all the time, each key once, through any node. Faults do not cut it off: it measures the group.
#[derive(Default)]
struct Writer {
    begun: u64,
    acknowledged: Vec<u64>,
    last: SimTime,
    longest_gap: u64,
    stopped: bool,
}

impl Rolling {
    /// Replaces the next one, if the group is whole.
    fn roll(&mut self, context: &mut Context<'_>) {
        let Some(leader) = leader_of_whole(context) else { return };
        let now = context.now();
        if self.began.is_none() {
            (self.began, self.writer.last) = (Some(now), now);
        }
        if let Some(since) = self.under_way.take() {
            self.longest_replacement = self.longest_replacement.max(now.since(since));
        }
        if now >= context.plan().time && self.replaced >= NODES {
            return;
        }
        if self.due.is_empty() {
            self.due = context.plan().node_ids().collect();
        }
        // Each round begins with the leader; whoever leads after it will have its turn.
        let begins = self.due.len() as u64 == NODES;
        let position = self.due.iter().position(|&id| begins && id == leader).unwrap_or(0);
        let id = self.due[position];
        if context.replace(id, context.draw(1, self.replaced) % LONGEST_ABSENCE) {
            self.due.remove(position);
            self.replaced += 1;
            self.leaders += u64::from(id == leader);
            self.under_way = Some(now);
        }
    }
}

impl Writer {
    fn write(&mut self, context: &mut Context<'_>, client: u64) {
        self.begun += 1;
        let call = WRITTEN.set(&self.begun, &client).expect("numbers encode");
        let node = NodeId::new(1 + context.draw(0, self.begun) % NODES);
        context.request(client, self.begun, node, call.into_parts().0);
    }

    fn on_reply(&mut self, now: SimTime, number: u64, reply: &Reply) {
        if !matches!(reply.outcome(), Outcome::Done { .. }) {
            return;
        }
        // One that others have overtaken may have been done long ago, and says nothing of now.
        let news = self.acknowledged.iter().all(|&other| other < number);
        self.acknowledged.push(number);
        if news && !self.stopped {
            self.note_gap(now);
            self.last = now;
        }
    }

    fn note_gap(&mut self, now: SimTime) {
        self.longest_gap = self.longest_gap.max(now.since(self.last));
    }
}

impl Workload for Rolling {
    fn on_start(&mut self, context: &mut Context<'_>) {
        self.clients.on_start(context);
        let own = own_client(context);
        context.timer(own, ROLL, ROLLED_EVERY);
        context.timer(own, WRITE, WRITTEN_EVERY);
    }

    fn on_reply(&mut self, context: &mut Context<'_>, client: u64, token: u64, reply: Reply) {
        if client == own_client(context) {
            self.writer.on_reply(context.now(), token, &reply);
        } else {
            self.clients.on_reply(context, client, token, reply);
        }
    }

    fn on_timer(&mut self, context: &mut Context<'_>, client: u64, token: u64) {
        if client != own_client(context) {
            return self.clients.on_timer(context, client, token);
        }
        if self.writer.stopped {
            return;
        }
        if token == ROLL {
            self.roll(context);
            context.timer(client, ROLL, ROLLED_EVERY);
        } else {
            if self.began.is_some() {
                self.writer.write(context, client);
            }
            context.timer(client, WRITE, WRITTEN_EVERY);
        }
    }

    fn on_event(&mut self, context: &mut Context<'_>, node: NodeId, event: &Event) {
        self.clients.on_event(context, node, event);
    }

    fn on_phase(&mut self, context: &mut Context<'_>, phase: Phase) {
        if phase == Phase::Liveness {
            self.writer.note_gap(context.now());
            self.writer.stopped = true;
        }
        self.clients.on_phase(context, phase);
    }

    /// None as long as something is to be replaced.
    fn operations(&self) -> u64 {
        let finished = self.replaced >= NODES && self.under_way.is_none();
        if finished { self.clients.operations() } else { 0 }
    }

    fn is_idle(&self) -> bool {
        self.clients.is_idle()
    }

    fn history(&self) -> Option<&hamok_sim::history::History> {
        Some(self.clients.history())
    }

    fn on_end(&mut self, context: &mut Context<'_>) -> Result<(), Violation> {
        self.clients.on_end(context)?;
        let object = |node, text: &str| Err(Violation::new("WL", node, text));
        if self.under_way.is_some() || leader_of_whole(context).is_none() {
            return object(None, "the group is not whole again");
        }
        for id in context.plan().node_ids() {
            let node = context.node(id).expect("the group is whole");
            let written = node.map(&WRITTEN);
            let is_there = |key: &u64| written.get(key).is_ok_and(|value| value.is_some());
            if !self.writer.acknowledged.iter().all(is_there) {
                return object(Some(id), "a write was acknowledged, and is lost");
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Rolling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Writer { begun, ref acknowledged, longest_gap, .. } = self.writer;
        write!(
            f,
            "{} replaced, {} of them leaders, each within {} s; {} of {begun} writes acknowledged, \
             at most {} s apart",
            self.replaced,
            self.leaders,
            seconds(self.longest_replacement),
            acknowledged.len(),
            seconds(longest_gap),
        )
    }
}

/// The leader, if the group is whole: five voters, each of which is what runs under its id.
fn leader_of_whole(context: &Context<'_>) -> Option<NodeId> {
    let statuses: Option<Vec<Status>> =
        context.plan().node_ids().map(|id| context.node(id).map(Node::status)).collect();
    let statuses = statuses?;
    let leaders = statuses.iter().filter(|status| status.role == Role::Leader);
    let leader = leaders.max_by_key(|status| status.term)?;
    let configuration = &leader.configuration;
    let whole = !configuration.is_joint()
        && configuration.voters().count() == statuses.len()
        && statuses.iter().all(|status| configuration.is_voter(status.identity.peer));
    whole.then_some(leader.identity.peer.id)
}

/// The client beyond those that faults cut off.
fn own_client(context: &Context<'_>) -> u64 {
    context.plan().clients + 1
}

fn seconds(micros: u64) -> String {
    format!("{}.{:03}", micros / 1_000_000, micros / 1_000 % 1_000)
}

const WRITTEN: Map<u64, u64> = Map::new("written");
const SEEDS: u64 = 20;
const NODES: u64 = 5;
const NETWORK: [Fault; 6] =
    [Fault::Drop, Fault::Delay, Fault::Partition, Fault::OneWay, Fault::IsolateLeader, Fault::Flap];
/// For how many of the longest election time-outs, beyond the longest fault, no write may be done.
const MOST_ELECTIONS: u64 = 3;
const ROLL: u64 = 0;
const WRITE: u64 = 1;
const ROLLED_EVERY: u64 = 100_000;
const WRITTEN_EVERY: u64 = 50_000;
/// The longest until another machine is in place.
const LONGEST_ABSENCE: u64 = 2_000_000;
