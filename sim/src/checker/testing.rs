//! What checkers, and what else looks at nodes, are tested on: the story of a real group, true or with
//! one thing changed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hamok::{
    Birth, Collection, Config, Configuration, Envelope, Incarnation, Input, Map, MemberChange,
    Node, NodeId, Outcome, Output, Reply, Request, RequestId, Role, Status, Stored, Ticket, Ticks,
    Write, change_members, join, leave, transfer_leadership,
};

use crate::history::{CallId, CallOutcome, CallResult, History, MapOperation, Operation};
use crate::observation::{
    Checker, ClusterSeen, EndSeen, Moment, NodeSeen, SimTime, StepSeen, Violation,
};

/// Everything that happened in a group, as checkers are shown it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    pub(super) told: Vec<Told>,
    pub(super) history: History,
}

#[derive(Clone, Debug)]
pub(super) enum Told {
    Start(NodeId, Nodes),
    Crash(NodeId, Nodes),
    Step(Box<Seen>),
}

/// One step, and the nodes after it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) moment: Moment,
    pub(super) node: NodeId,
    pub(super) input: Input,
    pub(super) outputs: Vec<Output>,
    pub(super) before: Status,
    pub(super) after: Status,
    /// What the step began a new file in place of.
    pub(super) replaced: Option<Stored>,
    pub(super) nodes: Nodes,
}

pub(crate) type Nodes = BTreeMap<NodeId, NodeSeen>;

impl Story {
    /// A group of three in which much happens: elections, a slow disk, a crash, and a leader that is
    /// cut off with an entry that is then replaced.
    pub(super) fn true_one() -> Self {
        let mut group = Group::founded(3, |_| {});
        let first = group.leader();
        let [second, third] = group.others(first);
        group.set(first, "a", "1");
        group.set(second, "b", "2");
        group.set(third, "a", "3");
        group.set(third, "e", &"long".repeat(200));
        group.read(second, "a");
        group.hold_disk(first);
        group.set(second, "c", "4");
        group.release_disk(first);
        group.crash(third);
        group.set(first, "b", "5");
        group.start(third);
        group.pass_time(20);
        group.cut_off(first);
        let _unanswered = group.begin_set(first, "a", "lost");
        group.pass_time(60);
        let next = group.leader_but(first);
        group.set(next, "d", "6");
        group.rejoin(first);
        group.pass_time(60);
        group.remove(third, "a");
        group.story
    }

    /// A group of three whose logs are short: a node that was cut off is sent a snapshot, one that
    /// crashed loads its own, one leaves and is back, and leadership is handed on.
    pub(crate) fn of_snapshots() -> Self {
        let mut group = Group::founded(3, |config| {
            config.max_log_entries = 5;
            config.trailing_log_bytes = 0;
            config.step_budget_bytes = 300;
        });
        let first = group.leader();
        let [second, third] = group.others(first);
        group.cut_off(third);
        for (key, value) in ["a", "b", "c", "a", "d", "e"].into_iter().zip(1_u32..) {
            group.set(second, key, &value.to_string());
        }
        group.rejoin(third);
        group.pass_time(60);
        group.crash(second);
        group.set(first, "f", "7");
        group.start(second);
        group.pass_time(20);
        group.demand(third, leave());
        group.set(first, "b", "8");
        group.demand(third, join(true));
        group.pass_time(20);
        group.demand(first, transfer_leadership(None));
        group.pass_time(20);
        for value in 10..16_u32 {
            group.set(second, "g", &value.to_string());
        }
        group.pass_time(20);
        group.story
    }

    /// A shorter one, of a group in which that node is the second leader.
    pub(super) fn led_next_by(next: NodeId) -> Self {
        let mut group = Group::founded(3, |_| {});
        let first = group.leader();
        group.set(first, "a", "another");
        let [one, other] = group.others(first);
        let voter = if one == next { other } else { one };
        group.cut_off(first);
        // The voter has waited just long enough to let go of the old leader.
        group.pass_time_at(voter, 10);
        for _ in 0..60 {
            group.pass_time_at(next, 1);
        }
        assert_eq!(group.leader_but(first), next);
        group.story
    }

    /// A group of so many nodes, whose members then are changed as `changes` says when told who leads.
    pub(crate) fn of_change(size: u64, changes: impl FnOnce(NodeId) -> Vec<MemberChange>) -> Self {
        let mut group = Group::founded(size, |_| {});
        let changes = changes(group.leader());
        if !changes.is_empty() {
            group.demand(group.leader(), change_members(changes));
            group.pass_time(20);
        }
        group.story
    }

    /// A group of so many nodes, of which the last leaves and then joins again.
    pub(crate) fn of_return(size: u64) -> Self {
        let mut group = Group::founded(size, |_| {});
        group.demand(NodeId::new(size), leave());
        group.demand(NodeId::new(size), join(true));
        group.pass_time(20);
        group.story
    }

    /// All nodes as they were in the end.
    pub(crate) fn nodes(&self) -> &Nodes {
        &self.steps().last().expect("something happened").nodes
    }

    /// All nodes as they were when one of them first knew of such a configuration.
    pub(crate) fn nodes_when(&self, is_such: impl Fn(&Configuration) -> bool) -> &Nodes {
        let found = self.steps().find(|seen| is_such(&seen.after.configuration));
        &found.expect("there is such a configuration").nodes
    }

    /// The first envelope of this kind that was sent.
    pub(crate) fn envelope(&self, kind: &str) -> &Envelope {
        let mut sent = self.steps().flat_map(Seen::envelopes);
        sent.find(|envelope| envelope.kind() == kind).expect("one of that kind is sent")
    }

    pub(super) fn steps(&self) -> impl Iterator<Item = &Seen> {
        self.told.iter().filter_map(|told| match told {
            Told::Step(seen) => Some(&**seen),
            Told::Start(..) | Told::Crash(..) => None,
        })
    }

    /// The story with one step changed: the first for which `change` says that it did.
    #[track_caller]
    pub(super) fn but(mut self, mut change: impl FnMut(&mut Seen) -> bool) -> Self {
        let changed = self.told.iter_mut().any(|told| match told {
            Told::Step(seen) => change(seen),
            Told::Start(..) | Told::Crash(..) => false,
        });
        assert!(changed, "no step is like that");
        self
    }

    /// The image of that node's disk at the end of the story.
    pub(super) fn last_image(&self, node: NodeId) -> Stored {
        self.nodes()[&node].issued.clone()
    }

    pub(super) fn told_to(&self, checker: &mut dyn Checker) -> Result<(), Violation> {
        for told in &self.told {
            match told {
                Told::Start(node, nodes) => checker.on_start(&ClusterSeen { nodes }, *node)?,
                Told::Crash(node, nodes) => checker.on_crash(&ClusterSeen { nodes }, *node),
                Told::Step(seen) => {
                    checker.on_step(&ClusterSeen { nodes: &seen.nodes }, &seen.shown())?;
                }
            }
        }
        let last = self.steps().last().expect("something happened");
        let end =
            EndSeen { moment: last.moment, history: &self.history, liveness: None, reunion: None };
        checker.on_end(&ClusterSeen { nodes: &last.nodes }, &end)
    }
}

impl Seen {
    /// The step as checkers are shown it.
    pub(super) fn shown(&self) -> StepSeen<'_> {
        let Self { moment, node, input, outputs, before, after, replaced, .. } = self;
        let (life, replaced) = (after.identity.life, replaced.as_ref());
        StepSeen { moment: *moment, node: *node, life, input, outputs, before, after, replaced }
    }

    /// The node that took the step, to change what is known of it.
    pub(super) fn own(&mut self) -> &mut NodeSeen {
        self.nodes.get_mut(&self.node).expect("a node that steps is known")
    }

    pub(super) fn writes(&self) -> bool {
        self.outputs.iter().any(|output| matches!(output, Output::Persist(_)))
    }

    pub(super) fn commits_as_leader(&self) -> bool {
        self.after.role == Role::Leader
            && self.before.role == Role::Leader
            && self.after.committed > self.before.committed
    }

    pub(super) fn envelopes(&self) -> impl Iterator<Item = &Envelope> {
        self.outputs.iter().filter_map(|output| match output {
            Output::Send(envelope) => Some(envelope),
            Output::Persist(_) | Output::Reply(_) | Output::Event(_) | Output::Remote(_) => None,
        })
    }
}

/// The checker has nothing against the true stories.
#[track_caller]
pub(super) fn assert_accepts<C: Checker + Default>(_: C) {
    for story in [Story::true_one(), Story::of_snapshots()] {
        assert_eq!(story.told_to(&mut C::default()), Ok(()));
    }
}

/// The checker objects, under its own code, in these words among others.
#[track_caller]
pub(super) fn assert_objects(mut checker: impl Checker, story: &Story, words: &str) {
    let violation = story.told_to(&mut checker).expect_err(words);
    assert_eq!(violation.code, checker.code());
    assert!(violation.text.contains(words), "{violation}");
}

/// Real nodes on a perfect network with perfect disks, except where told otherwise.
struct Group {
    nodes: BTreeMap<NodeId, Node>,
    seen: Nodes,
    mail: VecDeque<Envelope>,
    writes: BTreeMap<NodeId, VecDeque<Write>>,
    held: BTreeSet<NodeId>,
    cut_off: BTreeSet<NodeId>,
    replies: BTreeMap<RequestId, Reply>,
    asked: u64,
    story: Story,
}

impl Group {
    /// Nodes that have met and have a leader.
    fn founded(size: u64, change: impl Fn(&mut Config)) -> Self {
        let ids: Vec<NodeId> = (1..=size).map(NodeId::new).collect();
        let seen = ids.iter().map(|&id| {
            let birth = Birth::Meet { peers: ids.clone() };
            let mut config = Config::new(id, Incarnation::new(100 + id.get()), birth);
            config.verbose = true;
            change(&mut config);
            let (issued, confirmed) = (Stored::new(), Stored::new());
            (id, NodeSeen { id, config, up: false, status: None, issued, confirmed })
        });
        let mut group = Self {
            nodes: BTreeMap::new(),
            seen: seen.collect(),
            mail: VecDeque::new(),
            writes: BTreeMap::new(),
            held: BTreeSet::new(),
            cut_off: BTreeSet::new(),
            replies: BTreeMap::new(),
            asked: 0,
            story: Story::default(),
        };
        ids.iter().for_each(|&id| group.start(id));
        group.pass_time(60);
        group
    }

    fn start(&mut self, id: NodeId) {
        let seen = self.seen.get_mut(&id).expect("it is one of the group");
        let (config, image) = (seen.config.clone(), seen.confirmed.clone());
        let node = match image.peer() {
            None => Node::new(config).expect("the configuration is valid"),
            Some(_) => Node::restore(config, image.clone()).expect("the image is whole"),
        };
        seen.up = true;
        seen.status = Some(node.status());
        seen.issued = image;
        self.nodes.insert(id, node);
        self.story.told.push(Told::Start(id, self.seen.clone()));
        self.step(id, Input::Tick(Ticks::ZERO));
        self.settle();
    }

    fn crash(&mut self, id: NodeId) {
        self.story.told.push(Told::Crash(id, self.seen.clone()));
        self.nodes.remove(&id);
        self.writes.remove(&id);
        self.seen.get_mut(&id).expect("it is one of the group").up = false;
    }

    fn step(&mut self, id: NodeId, input: Input) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let fed = input.clone();
        let outputs = node.step(input);
        let seen = self.seen.get_mut(&id).expect("it is one of the group");
        let mut replaced = None;
        for output in &outputs {
            match output {
                Output::Persist(write) => {
                    if write.starts_file() {
                        replaced.get_or_insert(seen.issued.clone());
                    }
                    seen.issued.apply(write).expect("writes follow each other");
                    self.writes.entry(id).or_default().push_back(write.clone());
                }
                Output::Send(envelope) => self.mail.push_back(envelope.clone()),
                Output::Reply(reply) => _ = self.replies.insert(reply.id(), reply.clone()),
                Output::Event(_) | Output::Remote(_) => {}
            }
        }
        let before = seen.status.replace(node.status()).expect("it was started");
        self.story.told.push(Told::Step(Box::new(Seen {
            moment: self.moment(),
            node: id,
            input: fed,
            outputs,
            before,
            after: self.nodes[&id].status(),
            replaced,
            nodes: self.seen.clone(),
        })));
    }

    fn moment(&self) -> Moment {
        let step = self.story.told.len() as u64;
        Moment { at: SimTime::from_micros(step), step }
    }

    /// Delivers and confirms until nothing is left to do.
    fn settle(&mut self) {
        loop {
            if let Some(envelope) = self.mail.pop_front() {
                let (from, to) = (envelope.from().peer.id, envelope.to());
                if !self.cut_off.contains(&from) && !self.cut_off.contains(&to) {
                    self.step(to, Input::Receive(envelope));
                }
            } else if let Some(id) = self.due_disk() {
                self.confirm(id);
            } else if let Some(id) = self.busy() {
                self.step(id, Input::Tick(Ticks::ZERO));
            } else {
                return;
            }
        }
    }

    /// A node that has work left over.
    fn busy(&self) -> Option<NodeId> {
        let busy = |(_, node): &(&NodeId, &Node)| node.idle_ticks() == Ticks::ZERO;
        self.nodes.iter().find(busy).map(|(id, _)| *id)
    }

    fn due_disk(&self) -> Option<NodeId> {
        let due = |(id, writes): &(&NodeId, &VecDeque<Write>)| {
            !writes.is_empty() && !self.held.contains(id)
        };
        self.writes.iter().find(due).map(|(id, _)| *id)
    }

    fn confirm(&mut self, id: NodeId) {
        let write = self.writes.get_mut(&id).and_then(VecDeque::pop_front);
        let write = write.expect("a write is due");
        let seen = self.seen.get_mut(&id).expect("it is one of the group");
        seen.confirmed.apply(&write).expect("writes follow each other");
        self.step(id, Input::Persisted(write.id()));
    }

    fn pass_time(&mut self, ticks: u64) {
        for _ in 0..ticks {
            let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
            ids.into_iter().for_each(|id| self.pass_time_at(id, 1));
        }
    }

    fn pass_time_at(&mut self, id: NodeId, ticks: u64) {
        self.step(id, Input::Tick(Ticks::new(ticks)));
        self.settle();
    }

    fn leader(&self) -> NodeId {
        let leads = |id: &&NodeId| self.nodes[*id].status().role == Role::Leader;
        *self.nodes.keys().find(leads).expect("there is a leader")
    }

    fn leader_but(&self, deposed: NodeId) -> NodeId {
        let leads = |id: &&NodeId| **id != deposed && self.nodes[*id].status().role == Role::Leader;
        *self.nodes.keys().find(leads).expect("there is another leader")
    }

    fn others(&self, one: NodeId) -> [NodeId; 2] {
        let others: Vec<NodeId> = self.seen.keys().copied().filter(|id| *id != one).collect();
        others.try_into().expect("the group has three nodes")
    }

    fn hold_disk(&mut self, id: NodeId) {
        self.held.insert(id);
    }

    fn release_disk(&mut self, id: NodeId) {
        self.held.remove(&id);
        self.settle();
    }

    fn cut_off(&mut self, id: NodeId) {
        self.cut_off.insert(id);
    }

    fn rejoin(&mut self, id: NodeId) {
        self.cut_off.remove(&id);
    }

    fn set(&mut self, node: NodeId, key: &str, value: &str) {
        let ticket = self.begin_set(node, key, value);
        self.end(ticket, CallResult::Value);
    }

    fn begin_set(&mut self, node: NodeId, key: &str, value: &str) -> (u64, Ticket<Option<String>>) {
        let (key, value) = (key.to_owned(), value.to_owned());
        let call = MAP.set(&key, &value).expect("text encodes");
        self.begin(node, call.into_parts(), MapOperation::Set { key, value })
    }

    fn read(&mut self, node: NodeId, key: &str) {
        let key = key.to_owned();
        let call = MAP.read(&key).expect("text encodes");
        let ticket = self.begin(node, call.into_parts(), MapOperation::Read { key });
        self.end(ticket, CallResult::Value);
    }

    /// Asks for something that concerns the group itself, and waits until it is so.
    fn demand(&mut self, node: NodeId, call: hamok::Call<()>) {
        self.asked += 1;
        let id = RequestId::new(self.asked);
        self.step(node, Input::Request(id, call.into_parts().0));
        self.settle();
        self.pass_time(40);
        let reply = self.replies.remove(&id).expect("the group is healthy");
        assert!(matches!(reply.outcome(), Outcome::Done { .. }), "{reply}");
    }

    fn remove(&mut self, node: NodeId, key: &str) {
        let key = key.to_owned();
        let call = MAP.remove(&key).expect("text encodes");
        let ticket = self.begin(node, call.into_parts(), MapOperation::Remove { key });
        self.end(ticket, CallResult::Value);
    }

    fn begin<R>(
        &mut self,
        node: NodeId,
        (request, ticket): (Request, Ticket<R>),
        operation: MapOperation,
    ) -> (u64, Ticket<R>) {
        self.asked += 1;
        let number = self.asked;
        let call = CallId { client: number, number: 1 };
        self.story.history.invoke(call, self.moment(), MAP.name(), Operation::Map(operation));
        self.step(node, Input::Request(RequestId::new(number), request));
        self.settle();
        (number, ticket)
    }

    fn end<R>(&mut self, (number, ticket): (u64, Ticket<R>), result: impl Fn(R) -> CallResult) {
        // Followers ask a leader for a read, and learn of a commit, with its heartbeats.
        self.pass_time(4);
        let reply = self.replies.remove(&RequestId::new(number)).expect("the group is healthy");
        let Outcome::Done { index, .. } = reply.outcome() else { panic!("{reply}") };
        let index = Some(index.get());
        let result = result(ticket.redeem(reply).expect("it was done"));
        let call = CallId { client: number, number: 1 };
        let outcome = CallOutcome::Done { index, result };
        self.story.history.complete(call, self.moment(), outcome);
    }
}

const MAP: Map<String, String> = Map::new("m");
