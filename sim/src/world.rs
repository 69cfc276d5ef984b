//! The world of one run: machines, the network between them, and what happens next.

use std::collections::BTreeMap;

use hamok::{Envelope, Event, Input, NodeId, Request, Role, Stored};

use crate::checker::panicked;
use crate::clock::Clock;
use crate::counts::Counts;
use crate::draw::{Draws, Stream};
use crate::faults::{Strike, Trouble, WINDOW, others, strikes};
use crate::guard::guard;
use crate::history::History;
use crate::host::Host;
use crate::keeper::Keeper;
use crate::network::{Endpoint, Link, Network, spoil};
use crate::observation::{Checker, ClusterSeen, Moment, NodeSeen, SimTime, Violation};
use crate::phases::Phases;
use crate::plan::{Past, Plan};
use crate::queue::{Asker, Happening, Parcel, Queue};
use crate::remote_store::RemoteStore;
use crate::settings::Fault;
use crate::trace::Trace;
use crate::transcript::Transcript;
use crate::workload::{Context, Workload};

/// The world of one run.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) draws: Draws,
    pub(crate) now: SimTime,
    pub(crate) queue: Queue,
    pub(crate) network: Network,
    pub(crate) hosts: BTreeMap<NodeId, Host>,
    pub(crate) seen: BTreeMap<NodeId, NodeSeen>,
    pub(crate) checkers: Vec<Box<dyn Checker>>,
    pub(crate) trace: Trace,
    pub(crate) transcript: Option<Transcript>,
    pub(crate) counts: Counts,
    pub(crate) phases: Phases,
    pub(crate) keeper: Keeper,
    pub(crate) remote_store: RemoteStore,
    /// How many quiet times and bursts overlap.
    pub(crate) quiet: u64,
    pub(crate) burst: u64,
    /// No more faults.
    pub(crate) healed: bool,
    /// Events that the workload has yet to be told of.
    pub(crate) notices: Vec<(NodeId, Event)>,
    pub(crate) ended: Option<Ended>,
}

/// Why a run is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It went through all its phases.
    Whole,
    /// It took as many steps as it was given.
    Steps,
    /// It took more steps than any run should.
    Exhausted,
    Violated(Violation, Moment),
}

impl World {
    pub(crate) fn new(plan: Plan, draws: Draws, checkers: Vec<Box<dyn Checker>>) -> Self {
        let now = SimTime::ZERO;
        let clock = Clock::new(now, plan.tick);
        let hosts = plan.node_ids().map(|id| (id, Host::new(clock.clone()))).collect();
        let seen = plan.node_ids().map(|id| {
            let config = plan.config(&draws, (id, 0), Past::default());
            let (issued, confirmed) = (Stored::new(), Stored::new());
            (id, NodeSeen { id, config, up: false, status: None, issued, confirmed })
        });
        let seen = seen.collect();
        Self {
            phases: Phases::new(&draws),
            plan,
            draws,
            now,
            queue: Queue::default(),
            network: Network::default(),
            hosts,
            seen,
            checkers,
            trace: Trace::new(),
            transcript: None,
            counts: Counts::default(),
            keeper: Keeper::default(),
            remote_store: RemoteStore::default(),
            quiet: 0,
            burst: 0,
            healed: false,
            notices: Vec::new(),
            ended: None,
        }
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self, workload: &mut dyn Workload) -> Ended {
        for id in self.plan.node_ids() {
            let at = self.draws.between(0, LATEST_START, Stream::FirstStart, id.get(), 0);
            self.queue.push(SimTime::from_micros(at), Happening::Start { node: id, start: 0 });
        }
        self.queue.push(SimTime::ZERO, Happening::Window(0));
        self.queue.push(SimTime::ZERO, Happening::Assess);
        workload.on_start(&mut Context::new(self));
        loop {
            if let Some(ended) = self.ended.take() {
                return self.finish(ended, workload);
            }
            let (at, happening) = self.queue.pop().expect("the run is assessed until it ends");
            assert!(at >= self.now, "from {} on, time went back to {at}", self.now);
            self.now = at;
            self.happen(happening, workload);
            for (node, event) in std::mem::take(&mut self.notices) {
                workload.on_event(&mut Context::new(self), node, &event);
            }
        }
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment { at: self.now, step: self.counts.steps }
    }

    /// Notes the first violation; it ends the run.
    pub(crate) fn object(&mut self, result: Result<(), Violation>) {
        if let (Err(violation), None) = (result, &self.ended) {
            self.ended = Some(Ended::Violated(violation, self.moment()));
        }
    }

    pub(crate) fn host(&mut self, id: NodeId) -> &mut Host {
        self.hosts.get_mut(&id).expect("every node has a machine")
    }

    pub(crate) fn seen_mut(&mut self, id: NodeId) -> &mut NodeSeen {
        self.seen.get_mut(&id).expect("every node is known from the start")
    }

    /// Sends an envelope over the network.
    pub(crate) fn transport(&mut self, from: NodeId, to: NodeId, bytes: Vec<u8>) {
        self.counts.sent += 1;
        if !self.hosts.contains_key(&to) {
            return;
        }
        let link = Link::new(Endpoint::node(from), Endpoint::node(to));
        let (fate, troubled) =
            (self.network.send(&self.plan, &self.draws, self.now, link), !self.healed);
        if let Some((at, forged)) = self.network.forge(&self.plan, &self.draws, link, &bytes) {
            self.counts.struck(Fault::Forge);
            let parcel = Parcel { from, to, bytes: forged, damaged: false, troubled };
            self.queue.push(self.now.plus(at), Happening::Deliver(parcel));
        }
        if fate.delayed {
            self.counts.struck(Fault::Delay);
        }
        if let Some(at) = fate.again {
            self.counts.struck(Fault::Duplicate);
            let parcel = Parcel { from, to, bytes: bytes.clone(), damaged: false, troubled };
            self.queue.push(at, Happening::Deliver(parcel));
        }
        if fate.dropped {
            self.counts.struck(Fault::Drop);
        }
        let Some(at) = fate.arrives else { return };
        let parcel = match fate.damage {
            Some(damage) => {
                self.counts.struck(Fault::Damage);
                Parcel { from, to, bytes: spoil(&bytes, damage), damaged: true, troubled }
            }
            None => Parcel { from, to, bytes, damaged: false, troubled },
        };
        self.queue.push(at, Happening::Deliver(parcel));
    }

    /// Sends a client's request to a node.
    pub(crate) fn ask(&mut self, client: u64, token: u64, node: NodeId, request: Request) {
        let link = Link::new(Endpoint::client(client), Endpoint::node(node));
        let fate = self.network.send(&self.plan, &self.draws, self.now, link);
        let asker = Asker::Client { client, token };
        if let Some(at) = fate.arrives {
            let request = Box::new(request);
            self.queue.push(at, Happening::Ask { node, asker, request });
        }
    }

    fn happen(&mut self, happening: Happening, workload: &mut dyn Workload) {
        match happening {
            Happening::Deliver(parcel) => self.deliver(&parcel),
            Happening::Wake(node) => self.wake(node),
            Happening::Durable { node, start, write } => self.durable(node, start, write),
            Happening::Failed { node, start, write } => self.write_failed(node, start, write),
            Happening::Call { node, start, call, fate } => self.call(node, start, &call, fate),
            Happening::Called { node, start, call, result } => {
                self.called(node, start, call, *result);
            }
            Happening::Ask { node, asker, request } => self.asked(node, asker, *request),
            Happening::Answer { client, token, reply } => {
                workload.on_reply(&mut Context::new(self), client, token, *reply);
            }
            Happening::Timer { client, token } => {
                workload.on_timer(&mut Context::new(self), client, token);
            }
            Happening::Window(window) => self.window(window),
            Happening::Begin(strike) => self.begin(*strike),
            Happening::End(strike) => self.end(&strike),
            Happening::Start { node, start } => self.start(node, start),
            Happening::Assess => self.assess(workload),
        }
    }

    fn deliver(&mut self, parcel: &Parcel) {
        let Parcel { from, to, ref bytes, damaged, troubled } = *parcel;
        let link = Link::new(Endpoint::node(from), Endpoint::node(to));
        if self.network.is_cut(link) || self.host(to).node.is_none() {
            return;
        }
        match guard(|| Envelope::decode(bytes)) {
            Err(panic) => self.object(Err(panicked(to, &panic))),
            // The transport's checksum does not match: the bytes go no further than this.
            Ok(_) if damaged => {}
            // What was asked of the group in bad times comes to nothing in good ones.
            Ok(Ok(envelope)) if troubled && self.healed && unsettles(&envelope) => {}
            Ok(Ok(envelope)) => {
                self.counts.delivered += 1;
                self.feed(to, Input::Receive(envelope));
            }
            Ok(Err(error)) => {
                let text = format!("bytes that {from} encoded for {to} do not decode: {error}");
                self.object(Err(Violation::new("DT", Some(to), text)));
            }
        }
    }

    fn asked(&mut self, node: NodeId, asker: Asker, request: Request) {
        if let Asker::Client { client, .. } = asker {
            let link = Link::new(Endpoint::client(client), Endpoint::node(node));
            if self.network.is_cut(link) {
                return;
            }
        }
        let host = self.host(node);
        if host.node.is_some() {
            let id = host.ask(asker);
            self.counts.requests += 1;
            self.feed(node, Input::Request(id, request));
        }
    }

    fn window(&mut self, window: u64) {
        if self.healed {
            return;
        }
        for strike in strikes(&self.plan, &self.draws, window) {
            self.queue.push(strike.begins, Happening::Begin(Box::new(strike)));
        }
        let next = SimTime::from_micros((window + 1) * WINDOW);
        self.queue.push(next, Happening::Window(window + 1));
    }

    fn begin(&mut self, mut strike: Strike) {
        if self.healed {
            return;
        }
        if strike.trouble == Trouble::IsolateLeader {
            let Some(links) = self.links_of_leader() else { return };
            strike.trouble = Trouble::Cut(links);
        }
        if let Trouble::Wipe(node) = strike.trouble
            && !self.can_lose(&[node].into())
        {
            return;
        }
        if let Trouble::Churn(churn, dice) = &strike.trouble
            && !self.churn(*churn, dice.clone())
        {
            return;
        }
        if let Some(fault) = strike.fault {
            self.counts.struck(fault);
        }
        let now = self.now;
        match &strike.trouble {
            Trouble::Cut(links) => self.network.cut(links),
            Trouble::Clog(links) => self.network.clog(links, strike.ends),
            Trouble::Crash(nodes) => {
                for &node in nodes {
                    self.crash(node, Some(strike.ends.since(now)));
                }
            }
            Trouble::Stop(node) => self.stop(*node, strike.ends.since(now)),
            Trouble::Wipe(node) => self.wipe(*node, strike.ends.since(now)),
            Trouble::Upgrade(node) => {
                // One that is not running, or cannot be spared, is upgraded when the faults end.
                if self.crash(*node, Some(strike.ends.since(now))) {
                    self.host(*node).past.upgraded = true;
                }
            }
            Trouble::Churn(..) => {}
            Trouble::Pause { node, kind } => {
                let host = self.host(*node);
                if host.node.is_some() {
                    host.pause(*kind);
                }
            }
            Trouble::SlowDisk(node) => self.host(*node).disk.set_slow(true),
            Trouble::DiskBurst(node) => self.host(*node).disk.set_bursty(true),
            Trouble::Drift { node, rate } => self.set_clock(*node, |c| c.set_rate(now, *rate)),
            Trouble::ClockStall(node) => self.set_clock(*node, |c| c.set_stalled(now, true)),
            Trouble::ClockJump { node, by } => self.set_clock(*node, |clock| clock.jump(now, *by)),
            Trouble::Quiet => self.quiet += 1,
            Trouble::Burst => self.burst += 1,
            Trouble::IsolateLeader => unreachable!("it has become a cut"),
        }
        self.queue.push(strike.ends, Happening::End(Box::new(strike)));
    }

    fn end(&mut self, strike: &Strike) {
        if self.healed {
            return;
        }
        let now = self.now;
        match &strike.trouble {
            Trouble::Cut(links) => self.network.join(links),
            Trouble::Clog(_)
            | Trouble::Crash(_)
            | Trouble::Stop(_)
            | Trouble::Wipe(_)
            | Trouble::Upgrade(_)
            | Trouble::Churn(..)
            | Trouble::ClockJump { .. }
            | Trouble::IsolateLeader => {}
            Trouble::Pause { node, .. } => self.resume(*node),
            Trouble::SlowDisk(node) => self.host(*node).disk.set_slow(false),
            Trouble::DiskBurst(node) => self.host(*node).disk.set_bursty(false),
            Trouble::Drift { node, .. } => {
                self.set_clock(*node, |clock| clock.set_rate(now, crate::clock::NOMINAL));
            }
            Trouble::ClockStall(node) => self.set_clock(*node, |c| c.set_stalled(now, false)),
            Trouble::Quiet => self.quiet -= 1,
            Trouble::Burst => self.burst -= 1,
        }
    }

    /// The links between the leader of the latest term that has one and the other nodes.
    fn links_of_leader(&self) -> Option<Vec<Link>> {
        let leads = |seen: &&NodeSeen| seen.status.as_ref().is_some_and(|s| s.role == Role::Leader);
        let term = |seen: &&NodeSeen| seen.status.as_ref().map(|status| status.term);
        let running = self.seen.values().filter(|seen| seen.up);
        let leader = Endpoint::node(running.filter(leads).max_by_key(term)?.id);
        let ids: Vec<NodeId> = self.plan.node_ids().collect();
        Some(others(&ids, leader).flat_map(|other| Link::both_ways(leader, other)).collect())
    }

    fn set_clock(&mut self, node: NodeId, change: impl FnOnce(&mut Clock)) {
        change(&mut self.host(node).clock);
        self.schedule_wake(node);
    }

    fn finish(&mut self, ended: Ended, workload: &mut dyn Workload) -> Ended {
        let judged = match ended {
            Ended::Whole | Ended::Steps if self.plan.is_hostile() => return ended,
            Ended::Whole | Ended::Steps => {
                let result = workload.on_end(&mut Context::new(self));
                result.and_then(|()| self.judge(workload))
            }
            Ended::Exhausted | Ended::Violated(..) => {
                // The history is still wanted, whatever the workload says of it.
                return match workload.on_end(&mut Context::new(self)) {
                    Ok(()) | Err(_) => ended,
                };
            }
        };
        match judged {
            Ok(()) => ended,
            Err(violation) => Ended::Violated(violation, self.moment()),
        }
    }

    /// Lets the checkers judge the whole run.
    fn judge(&mut self, workload: &dyn Workload) -> Result<(), Violation> {
        let none = History::new();
        let history = workload.history().unwrap_or(&none);
        let end = self.phases.end_seen(self.moment(), history);
        let cluster = ClusterSeen { nodes: &self.seen };
        self.checkers.iter_mut().try_for_each(|checker| checker.on_end(&cluster, &end))
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("now", &self.now).finish_non_exhaustive()
    }
}

/// Whether it is the last step to other members or to another leader: a transfer is given up by the leader
/// that began it, but whoever is told of it later stands for election all the same.
fn unsettles(envelope: &Envelope) -> bool {
    matches!(envelope.kind(), "Assign" | "TimeoutNow")
}

/// Nodes come up within this time from the start of a run.
const LATEST_START: u64 = 2_000_000;

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::checker::testing::Nodes;
    use crate::settings::{Profile, Settings};

    /// A world with these nodes in it, as far as they are known from outside.
    pub(crate) fn world_of(nodes: &Nodes) -> World {
        let count = Some(nodes.len() as u64);
        let settings = Settings { profile: Profile::Calm, nodes: count, ..Settings::new() };
        let plan = Plan::draw(&settings, 1);
        let mut world = World::new(plan, Draws::new(1, &[]), Vec::new());
        world.seen = nodes.clone();
        for status in world.seen.values().filter_map(|seen| seen.status.as_ref()) {
            world.keeper.on_status(status);
        }
        world
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::testing::Story;
    use crate::settings::{Profile, Settings};

    /// In swarm seed 32019 the wish of a leader that a follower stand came after the transfer had been
    /// given up, and while another follower was cut off, which was blamed for the new term.
    #[test]
    fn a_transfer_of_bad_times_comes_to_nothing_in_good_ones() {
        let story = Story::of_snapshots();
        let envelope = story.envelope("TimeoutNow");
        let (from, to) = (NodeId::new(1), NodeId::new(2));
        for (troubled, healed, arrives) in
            [(false, false, true), (true, false, true), (false, true, true), (true, true, false)]
        {
            let settings = Settings { profile: Profile::Calm, ..Settings::new() };
            let plan = Plan::draw(&settings, 1);
            let mut world = World::new(plan, Draws::new(1, &[]), Vec::new());
            world.start(to, 0);
            world.healed = healed;
            let bytes = envelope.encode();
            world.deliver(&Parcel { from, to, bytes, troubled, damaged: false });
            assert_eq!(world.counts.delivered, u64::from(arrives), "{troubled} {healed}");
        }
    }
}
