//! A group of nodes in one process, with a disk that confirms at once and an outside store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hamok::{
    Birth, Call, Codec, Config, EncodeError, Envelope, Event, Failure, Incarnation, Input, Node,
    NodeId, Output, RemoteCall, RemoteResult, Reply, RequestId, Role, Status, Stored, Ticket,
    Ticks, ValueError,
};

use crate::store::Store;

/// Keys and values are their own text.
pub(crate) struct Text;

pub(crate) struct Group {
    machines: Vec<Machine>,
    wire: VecDeque<Envelope>,
    /// Links that are cut, by the places of their ends.
    cuts: BTreeSet<(usize, usize)>,
    pub(crate) store: Store,
    /// Whether calls are performed at once; else they are kept for the test to answer.
    pub(crate) at_once: bool,
    /// Calls not answered for, and who made them.
    pub(crate) calls: VecDeque<(usize, RemoteCall)>,
    replies: BTreeMap<RequestId, Reply>,
    /// The events that are about remote maps, node by node.
    pub(crate) events: Vec<(usize, Event)>,
    requests: u64,
    pub(crate) now: u64,
}

struct Machine {
    node: Option<Node>,
    disk: Stored,
    config: Config,
    life: u64,
}

/// A call that was asked for.
pub(crate) struct Asked<R> {
    pub(crate) id: RequestId,
    pub(crate) ticket: Ticket<R>,
}

impl Group {
    /// A group of so many, of which one leads.
    pub(crate) fn new(count: u64, configure: impl Fn(&mut Config)) -> Self {
        let ids: Vec<NodeId> = (1..=count).map(NodeId::new).collect();
        let machine = |&id: &NodeId| {
            let birth = match count {
                1 => Birth::Found,
                _ => Birth::Meet { peers: ids.clone() },
            };
            let mut config = Config::new(id, Incarnation::new(id.get() + 16), birth);
            configure(&mut config);
            let node = Node::new(config.clone()).expect("a valid configuration");
            Machine { node: Some(node), disk: Stored::new(), config, life: 0 }
        };
        let mut group = Self {
            machines: ids.iter().map(machine).collect(),
            wire: VecDeque::new(),
            cuts: BTreeSet::new(),
            store: Store::default(),
            at_once: true,
            calls: VecDeque::new(),
            replies: BTreeMap::new(),
            events: Vec::new(),
            requests: 0,
            now: 0,
        };
        group.run(100);
        group
    }

    pub(crate) fn node(&self, at: usize) -> &Node {
        self.machines[at].node.as_ref().expect("it runs")
    }

    pub(crate) fn status(&self, at: usize) -> Status {
        self.node(at).status()
    }

    /// Whoever leads in the highest term.
    pub(crate) fn leader(&self) -> usize {
        let up = (0..self.machines.len()).filter(|&at| self.machines[at].node.is_some());
        let leaders = up.filter(|&at| self.status(at).role == Role::Leader);
        leaders.max_by_key(|&at| self.status(at).term).expect("one leads")
    }

    /// One that does not.
    pub(crate) fn follower(&self) -> usize {
        (self.leader() + 1) % self.machines.len()
    }

    pub(crate) fn ask<R>(&mut self, at: usize, call: Call<R>) -> Asked<R> {
        let (request, ticket) = call.into_parts();
        self.requests += 1;
        let id = RequestId::new(self.requests);
        self.input(at, Input::Request(id, request));
        self.settle();
        Asked { id, ticket }
    }

    /// The reply, if there is one.
    pub(crate) fn reply(&self, id: RequestId) -> Option<&Reply> {
        self.replies.get(&id)
    }

    /// What came of a call, if anything has.
    pub(crate) fn redeem<R>(&mut self, asked: &Asked<R>) -> Option<Result<R, Failure>> {
        let reply = self.reply(asked.id)?.clone();
        Some(asked.ticket.clone().redeem(reply))
    }

    /// Asks, and waits for what comes of it.
    pub(crate) fn get<R>(&mut self, at: usize, call: Call<R>) -> Result<R, Failure> {
        let asked = self.ask(at, call);
        for _ in 0..1000 {
            if let Some(result) = self.redeem(&asked) {
                return result;
            }
            self.run(1);
        }
        panic!("no reply to {}", asked.id);
    }

    /// Answers for the call that was made first, as the store does.
    pub(crate) fn perform(&mut self) {
        let (at, call) = self.calls.pop_front().expect("a call was made");
        let result = self.store.perform(&call);
        self.answer(at, &call, result);
    }

    pub(crate) fn answer(&mut self, at: usize, call: &RemoteCall, result: RemoteResult) {
        self.input(at, Input::Remote(call.id(), result));
        self.settle();
    }

    pub(crate) fn is_up(&self, at: usize) -> bool {
        self.machines[at].node.is_some()
    }

    /// In which of its lives a node is.
    pub(crate) fn life(&self, at: usize) -> u64 {
        self.machines[at].life
    }

    /// Takes out the only call there is.
    pub(crate) fn only_call(&mut self) -> (usize, RemoteCall) {
        assert_eq!(self.calls.len(), 1, "{:?}", self.calls);
        self.calls.pop_front().expect("one")
    }

    /// Lets time pass and everything arrive.
    pub(crate) fn run(&mut self, ticks: u64) {
        for _ in 0..ticks {
            self.now += 1;
            for at in 0..self.machines.len() {
                self.input(at, Input::Tick(Ticks::new(1)));
            }
            self.settle();
        }
    }

    /// Lets time pass for one node, in one input.
    pub(crate) fn tick(&mut self, at: usize, ticks: u64) {
        self.now += ticks;
        self.input(at, Input::Tick(Ticks::new(ticks)));
        self.settle();
    }

    /// Lets time pass until it is so.
    pub(crate) fn run_until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        for _ in 0..1000 {
            if holds(self) {
                return;
            }
            self.run(1);
        }
        panic!("in vain: {what}");
    }

    /// Cuts all links of a node.
    pub(crate) fn isolate(&mut self, at: usize) {
        let others = (0..self.machines.len()).filter(|&other| other != at);
        self.cuts.extend(others.flat_map(|other| [(at, other), (other, at)]));
    }

    pub(crate) fn heal(&mut self) {
        self.cuts.clear();
    }

    /// Ends a node; its disk stays.
    pub(crate) fn kill(&mut self, at: usize) {
        self.machines[at].node = None;
    }

    pub(crate) fn restore(&mut self, at: usize) {
        let Machine { node, disk, config, life } = &mut self.machines[at];
        *life += 1;
        let restored = Node::restore(config.clone(), disk.clone());
        *node = Some(restored.expect("what was written can be restored"));
        self.input(at, Input::Tick(Ticks::ZERO));
        self.settle();
    }

    /// What is told of remote maps by a node, as text.
    pub(crate) fn told(&self, by: usize) -> Vec<String> {
        let told = self.events.iter().filter(|(at, _)| *at == by);
        told.map(|(_, event)| event.to_string()).collect()
    }

    pub(crate) fn input(&mut self, at: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Machine { node: Some(node), disk, .. } = &mut self.machines[at] else { return };
            for output in node.step(input) {
                match output {
                    Output::Persist(write) => {
                        disk.apply(&write).expect("writes come in order");
                        inputs.push_back(Input::Persisted(write.id()));
                    }
                    Output::Send(envelope) => self.wire.push_back(envelope),
                    Output::Reply(reply) => {
                        let before = self.replies.insert(reply.id(), reply);
                        assert!(before.is_none(), "a second reply: {before:?}");
                    }
                    Output::Event(event) => {
                        if matches!(
                            event,
                            Event::Changed(_)
                                | Event::RemoteRefused { .. }
                                | Event::RemoteResultIgnored { .. }
                        ) {
                            self.events.push((at, event));
                        }
                    }
                    Output::Remote(call) if self.at_once => {
                        let result = self.store.perform(&call);
                        inputs.push_back(Input::Remote(call.id(), result));
                    }
                    Output::Remote(call) => self.calls.push_back((at, call)),
                }
            }
            if inputs.is_empty() && self.node(at).idle_ticks() == Ticks::ZERO {
                inputs.push_back(Input::Tick(Ticks::ZERO));
            }
        }
    }

    /// Lets what is on its way arrive, and what is sent in answer, for so many rounds; the rest is lost.
    pub(crate) fn settle_rounds(&mut self, rounds: u64) {
        for _ in 0..rounds {
            let mut later = std::mem::take(&mut self.wire);
            for envelope in later.drain(..) {
                let to = usize::try_from(envelope.to().get() - 1).expect("small");
                self.input(to, Input::Receive(envelope));
            }
        }
        self.wire.clear();
    }

    pub(crate) fn settle(&mut self) {
        while let Some(envelope) = self.wire.pop_front() {
            let place = |id: NodeId| usize::try_from(id.get() - 1).expect("small");
            let (from, to) = (place(envelope.from().peer.id), place(envelope.to()));
            if !self.cuts.contains(&(from, to)) {
                self.input(to, Input::Receive(envelope));
            }
        }
    }
}

impl Codec<String> for Text {
    fn encode(value: &String) -> Result<Vec<u8>, EncodeError> {
        Ok(value.clone().into_bytes())
    }

    fn decode(bytes: &[u8]) -> Result<String, ValueError> {
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}
