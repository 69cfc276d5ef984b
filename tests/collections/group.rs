//! A group of nodes in one process: nothing is lost but what goes to or comes from a node that is cut
//! off, and disks are done at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hamok::{
    Birth, Call, Change, Config, Event, Failure, Incarnation, Input, Map, MapView, Node, NodeId,
    Output, Reply, RequestId, Ticket, Ticks, sync,
};

#[derive(Default)]
pub(crate) struct Group {
    nodes: BTreeMap<u64, Node>,
    inputs: VecDeque<(u64, Input)>,
    replies: BTreeMap<RequestId, Reply>,
    events: BTreeMap<u64, Vec<Event>>,
    cut_off: BTreeSet<u64>,
    requests: u64,
}

/// A request that was made, and what its reply will mean.
pub(crate) struct Asked<R> {
    id: RequestId,
    ticket: Ticket<R>,
}

/// More ticks than anything here takes.
const ENDLESS: usize = 2_000;

impl Group {
    /// A group of that many nodes, 1 and on, all of which are ready.
    pub(crate) fn of(count: u64, configure: impl Fn(&mut Config)) -> Self {
        let mut group = Self::default();
        let peers: Vec<NodeId> = (1..=count).map(NodeId::new).collect();
        for id in 1..=count {
            let birth = match count {
                1 => Birth::Found,
                _ => Birth::Meet { peers: peers.clone() },
            };
            group.add(id, birth, &configure);
        }
        group.run_until(|group| group.nodes.values().all(|node| node.status().ready));
        group.events.clear();
        group
    }

    pub(crate) fn add(&mut self, id: u64, birth: Birth, configure: impl Fn(&mut Config)) {
        let mut config = Config::new(NodeId::new(id), Incarnation::new(16 * id), birth);
        configure(&mut config);
        self.nodes.insert(id, Node::new(config).expect("a valid configuration"));
    }

    pub(crate) fn node(&self, id: u64) -> &Node {
        &self.nodes[&id]
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        self.nodes.keys().copied().collect()
    }

    pub(crate) fn leader(&self) -> u64 {
        self.nodes[&1].status().leader.expect("there is a leader").get()
    }

    /// One that does not lead.
    pub(crate) fn follower(&self) -> u64 {
        self.nodes.keys().copied().find(|&id| id != self.leader()).expect("there are several")
    }

    pub(crate) fn map<K, V, C>(&self, id: u64, map: &Map<K, V, C>) -> MapView<'_, K, V, C> {
        self.nodes[&id].map(map)
    }

    /// Asks a node for something.
    pub(crate) fn ask<R>(&mut self, id: u64, call: Call<R>) -> Asked<R> {
        self.requests += 1;
        let (request, ticket) = call.into_parts();
        let asked = RequestId::new(self.requests);
        self.inputs.push_back((id, Input::Request(asked, request)));
        Asked { id: asked, ticket }
    }

    pub(crate) fn is_answered<R>(&self, asked: &Asked<R>) -> bool {
        self.replies.contains_key(&asked.id)
    }

    /// Lets time pass until the reply is there.
    pub(crate) fn reply<R>(&mut self, asked: Asked<R>) -> (Ticket<R>, Reply) {
        self.run_until(|group| group.is_answered(&asked));
        (asked.ticket, self.replies.remove(&asked.id).expect("it is answered"))
    }

    pub(crate) fn answer<R>(&mut self, asked: Asked<R>) -> Result<R, Failure> {
        let (ticket, reply) = self.reply(asked);
        ticket.redeem(reply)
    }

    /// Asks a node for something and waits for its answer.
    pub(crate) fn run<R>(&mut self, id: u64, call: Call<R>) -> Result<R, Failure> {
        let asked = self.ask(id, call);
        self.answer(asked)
    }

    /// Waits until all nodes have applied all that is committed.
    pub(crate) fn sync(&mut self) {
        for id in self.ids() {
            self.run(id, sync()).expect("there is a leader");
        }
    }

    /// Neither sends nor receives from now on.
    pub(crate) fn cut_off(&mut self, id: u64) {
        self.cut_off.insert(id);
    }

    pub(crate) fn heal(&mut self) {
        self.cut_off.clear();
    }

    /// What a node told since it was last asked for that.
    pub(crate) fn take_events(&mut self, id: u64) -> Vec<Event> {
        self.events.remove(&id).unwrap_or_default()
    }

    /// The changes of collections among it.
    pub(crate) fn take_changes(&mut self, id: u64) -> Vec<Change> {
        let change = |event| if let Event::Changed(change) = event { Some(change) } else { None };
        self.take_events(id).into_iter().filter_map(change).collect()
    }

    pub(crate) fn run_until(&mut self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..ENDLESS {
            self.work_off_until(&holds);
            if holds(self) {
                return;
            }
            self.tick();
        }
        panic!("it does not come about");
    }

    /// Lets everything happen that is under way, input by input, or as much of it as it takes.
    pub(crate) fn work_off_until(&mut self, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            let left_over = |(_, node): &(&u64, &Node)| node.idle_ticks() == Ticks::ZERO;
            let (id, input) = match self.inputs.pop_front() {
                Some(next) => next,
                None => match self.nodes.iter().find(left_over) {
                    Some((&id, _)) => (id, Input::Tick(Ticks::ZERO)),
                    None => return,
                },
            };
            self.step(id, input);
        }
    }

    fn tick(&mut self) {
        let ids = self.ids();
        self.inputs.extend(ids.into_iter().map(|id| (id, Input::Tick(Ticks::new(1)))));
    }

    fn step(&mut self, id: u64, input: Input) {
        let is_cut_off = self.cut_off.contains(&id);
        if is_cut_off && matches!(input, Input::Receive(_)) {
            return;
        }
        for output in self.nodes.get_mut(&id).expect("a node").step(input) {
            match output {
                Output::Persist(write) => {
                    self.inputs.push_back((id, Input::Persisted(write.id())));
                }
                Output::Send(envelope) => {
                    let to = envelope.to().get();
                    if !is_cut_off && self.nodes.contains_key(&to) {
                        self.inputs.push_back((to, Input::Receive(envelope)));
                    }
                }
                Output::Reply(reply) => {
                    let before = self.replies.insert(reply.id(), reply);
                    assert!(before.is_none(), "one reply to each request");
                }
                Output::Event(event) => self.events.entry(id).or_default().push(event),
                Output::Remote(call) => panic!("there is no outside store: {call}"),
            }
        }
    }
}
