//! What is asked of the simulated nodes: a trait for workloads, and what they may do.

use std::collections::BTreeSet;

use hamok::{Event, Identity, Node, NodeId, Reply, Request};

use crate::draw::Stream;
use crate::history::History;
use crate::observation::{Moment, Phase, SimTime, Violation};
use crate::plan::Plan;
use crate::queue::{Asker, Happening};
use crate::world::World;

/// Something that uses the simulated nodes.
///
/// It acts for clients, which are numbered from 1 and speak with nodes over the simulated network: a
/// request may be lost, and so may its reply. All it does must follow from what it is told and from
/// [`Context::draw`], so that the run can be repeated.
pub trait Workload {
    /// The run begins: the place to set the first timers.
    fn on_start(&mut self, context: &mut Context<'_>);

    /// A reply reached a client. `token` is what it called the request.
    fn on_reply(&mut self, context: &mut Context<'_>, client: u64, token: u64, reply: Reply);

    /// A timer that was set has run out.
    fn on_timer(&mut self, context: &mut Context<'_>, client: u64, token: u64) {
        let _ = (context, client, token);
    }

    /// A node emitted an event.
    fn on_event(&mut self, context: &mut Context<'_>, node: NodeId, event: &Event) {
        let _ = (context, node, event);
    }

    /// Another phase of the run begins.
    fn on_phase(&mut self, context: &mut Context<'_>, phase: Phase) {
        let _ = (context, phase);
    }

    /// How many operations have begun. The safety phase waits until they are as many as the settings
    /// ask for; a workload that does not count is not waited for.
    fn operations(&self) -> u64 {
        u64::MAX
    }

    /// Whether nothing is under way. The end of the run waits for this a while.
    fn is_idle(&self) -> bool {
        true
    }

    /// What its clients asked for and how it ended, if it is to be checked for linearizability.
    fn history(&self) -> Option<&History> {
        None
    }

    /// The run is over.
    ///
    /// # Errors
    /// What went wrong, by the workload's own judgement.
    fn on_end(&mut self, context: &mut Context<'_>) -> Result<(), Violation> {
        let _ = context;
        Ok(())
    }
}

/// What a workload may see and do.
#[derive(Debug)]
pub struct Context<'a> {
    world: &'a mut World,
}

impl<'a> Context<'a> {
    pub(crate) fn new(world: &'a mut World) -> Self {
        Self { world }
    }

    /// The simulated time.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.world.now
    }

    /// The simulated time and the number of the step.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.world.moment()
    }

    /// What the run does.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.world.plan
    }

    /// The node, for its local views; none while it is down.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.world.node(id)
    }

    /// Which run of which replica the node is, or was when it was last up; none before its first start.
    #[must_use]
    pub fn identity(&self, id: NodeId) -> Option<Identity> {
        self.world.seen.get(&id)?.status.as_ref().map(|status| status.identity)
    }

    /// Whether clients should leave the group alone for now, so that what only heals on the next
    /// write is found.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.world.quiet > 0 || self.world.phases.is_silent(self.world.now)
    }

    /// Whether clients should ask without a pause for now.
    #[must_use]
    pub fn is_burst(&self) -> bool {
        self.world.burst > 0
    }

    /// A number that follows from the seed and the two keys alone: the one source of chance.
    #[must_use]
    pub fn draw(&self, a: u64, b: u64) -> u64 {
        self.world.draws.raw(Stream::Embedder, a, b)
    }

    /// Sends `request` from a client to a node. The reply, if both get through, comes back with the
    /// same `token`.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn request(&mut self, client: u64, token: u64, node: NodeId, request: Request) {
        assert!(self.world.hosts.contains_key(&node), "there is no node {node}");
        self.world.ask(client, token, node, request);
    }

    /// Like [`request`](Context::request) from a client that lives in the node's own process: neither the
    /// request nor its reply crosses the network. A node that is down gets nothing.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn request_here(&mut self, client: u64, token: u64, node: NodeId, request: Request) {
        assert!(self.world.hosts.contains_key(&node), "there is no node {node}");
        let (asker, request) = (Asker::Neighbour { client, token }, Box::new(request));
        self.world.queue.push(self.world.now, Happening::Ask { node, asker, request });
    }

    /// Has [`Workload::on_timer`] called after that many microseconds.
    pub fn timer(&mut self, client: u64, token: u64, after: u64) {
        let at = self.world.now.plus(after);
        self.world.queue.push(at, Happening::Timer { client, token });
    }

    /// Puts another machine in the place of a node's: what the node had on disk is gone, and within
    /// that many microseconds an empty one comes under its id, as a new incarnation that asks to
    /// [join](hamok::Birth::Join). It counts as [`Fault::Wipe`](crate::Fault::Wipe).
    ///
    /// Does nothing and gives `false` when the group could not go on without what the node holds, and
    /// once all faults are over.
    ///
    /// # Panics
    /// If there is no such node.
    #[must_use = "whether it was done"]
    pub fn replace(&mut self, id: NodeId, within: u64) -> bool {
        assert!(self.world.hosts.contains_key(&id), "there is no node {id}");
        self.world.replace(id, within)
    }

    /// Takes nodes down at once, with all they hold, whether or not the group can go on without them;
    /// within that many microseconds they come again with nothing, as if for the first time: founders
    /// [meet](hamok::Birth::Meet). Each counts as [`Fault::Wipe`](crate::Fault::Wipe).
    ///
    /// When nobody is left who holds anything of the group, what is founded then is another, and the
    /// checkers take it for that: acknowledged writes are gone with the group. A [`history`] that goes on
    /// over such a loss is not linearizable.
    ///
    /// Does nothing and gives `false` once all faults are over.
    ///
    /// # Panics
    /// If there is no such node.
    ///
    /// [`history`]: Workload::history
    #[must_use = "whether it was done"]
    pub fn lose(&mut self, ids: impl IntoIterator<Item = NodeId>, within: u64) -> bool {
        let ids: BTreeSet<NodeId> = ids.into_iter().collect();
        let stranger = ids.iter().find(|id| !self.world.hosts.contains_key(id));
        assert!(stranger.is_none(), "there is no node {stranger:?}");
        self.world.lose(&ids, within)
    }

    /// How often a node has started. A start that crashes before its first write is durable is not
    /// counted as a life of its own.
    pub(crate) fn starts(&self, id: NodeId) -> u64 {
        self.world.hosts.get(&id).map_or(0, |host| host.starts)
    }

    pub(crate) fn dice(&self, stream: Stream, a: u64, b: u64) -> crate::draw::Dice {
        self.world.draws.dice(stream, a, b)
    }
}
