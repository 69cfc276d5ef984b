//! A group of nodes in one thread, each with a thread of its own that makes its calls, and its clients.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use hamok::{
    Birth, Call, Config, Envelope, Failure, Incarnation, Input, Node, NodeId, Output, RemoteCall,
    RemoteResult, RemoteWork, Reply, RequestId, Role, StoreError, Stored, Ticket, Ticks,
};

use crate::servers::Perform;

const TICK: Duration = Duration::from_millis(5);
/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(50);

/// Three nodes that run as fast as they can.
pub(crate) struct Group {
    connect: Box<dyn Fn() -> Perform>,
    machines: Vec<Machine>,
    wire: VecDeque<Envelope>,
    to_group: Sender<Answered>,
    answered: Receiver<Answered>,
    replies: BTreeMap<RequestId, Reply>,
    requests: u64,
    begun: Instant,
}

/// The result of a call: whose, in which of its lives, and what.
type Answered = (usize, u64, Input);

struct Machine {
    config: Config,
    disk: Stored,
    node: Option<Node>,
    life: u64,
    to_worker: Sender<RemoteCall>,
    /// Operations that were called for and not answered for.
    under_way: Vec<RemoteCall>,
}

impl Group {
    /// A group whose nodes make their calls through what `connect` gives.
    pub(crate) fn new(connect: impl Fn() -> Perform + 'static) -> Self {
        let ids: Vec<NodeId> = (1..=3).map(NodeId::new).collect();
        let machine = |&id: &NodeId| {
            let birth = Birth::Meet { peers: ids.clone() };
            let mut config = Config::new(id, Incarnation::new(id.get()), birth);
            config.request_timeout = Ticks::new(300);
            config.max_remote_retry = Ticks::new(20);
            let (to_worker, _) = channel();
            let (node, disk) = (None, Stored::new());
            Machine { config, disk, node, life: 0, to_worker, under_way: Vec::new() }
        };
        let (to_group, answered) = channel();
        let mut group = Self {
            connect: Box::new(connect),
            machines: ids.iter().map(machine).collect(),
            wire: VecDeque::new(),
            to_group,
            answered,
            replies: BTreeMap::new(),
            requests: 0,
            begun: Instant::now(),
        };
        (0..3).for_each(|at| group.start(at));
        group
    }

    /// Creates a node, or restores it, with a worker of its own.
    pub(crate) fn start(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        let config = machine.config.clone();
        let node = match machine.disk.peer() {
            None => Node::new(config).expect("a valid configuration"),
            Some(_) => Node::restore(config, machine.disk.clone()).expect("its own writes"),
        };
        (machine.node, machine.life) = (Some(node), machine.life + 1);
        let (to_worker, calls) = channel::<RemoteCall>();
        machine.to_worker = to_worker;
        let (life, results, mut perform) = (machine.life, self.to_group.clone(), (self.connect)());
        thread::spawn(move || {
            for call in calls {
                let result = perform(&call);
                if results.send((at, life, Input::Remote(call.id(), result))).is_err() {
                    return;
                }
            }
        });
        self.input(at, Input::Tick(Ticks::ZERO));
    }

    /// Ends a node. The call it has under way goes on, and nobody hears of its result.
    pub(crate) fn kill(&mut self, at: usize) -> Vec<RemoteCall> {
        self.machines[at].node = None;
        std::mem::take(&mut self.machines[at].under_way)
    }

    pub(crate) fn is_up(&self, at: usize) -> bool {
        self.machines[at].node.is_some()
    }

    pub(crate) fn node(&self, at: usize) -> &Node {
        self.machines[at].node.as_ref().expect("it runs")
    }

    /// Whoever leads.
    pub(crate) fn leader(&self) -> Option<usize> {
        let statuses = (0..3).filter(|&at| self.is_up(at)).map(|at| (at, self.node(at).status()));
        let leaders = statuses.filter(|(_, status)| status.role == Role::Leader);
        leaders.max_by_key(|(_, status)| status.term).map(|(at, _)| at)
    }

    /// Whoever leads and is in the midst of an operation.
    pub(crate) fn executing(&self) -> Option<usize> {
        self.leader().filter(|&at| !self.machines[at].under_way.is_empty())
    }

    pub(crate) fn ask<R>(&mut self, at: usize, call: Call<R>) -> (RequestId, Ticket<R>) {
        let (request, ticket) = call.into_parts();
        self.requests += 1;
        let id = RequestId::new(self.requests);
        self.input(at, Input::Request(id, request));
        (id, ticket)
    }

    pub(crate) fn reply(&mut self, id: RequestId) -> Option<Reply> {
        self.replies.remove(&id)
    }

    /// Asks whichever node is up until it is done; for what may be done twice.
    pub(crate) fn get<R>(&mut self, call: Call<R>) -> R {
        self.try_to(call).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, or what the store says when it refuses for good.
    pub(crate) fn try_to<R>(&mut self, call: Call<R>) -> Result<R, StoreError> {
        loop {
            let at = (0..3).find(|&at| self.is_up(at)).expect("one is up");
            let (id, ticket) = self.ask(at, call.clone());
            loop {
                self.run();
                match self.reply(id).map(|reply| ticket.clone().redeem(reply)) {
                    None => {}
                    Some(Ok(result)) => return Ok(result),
                    Some(Err(Failure::Store(error))) => return Err(error),
                    Some(Err(Failure::NotExecuted(_) | Failure::Unknown(_))) => break,
                    Some(Err(failure)) => panic!("{failure}"),
                }
            }
        }
    }

    /// Lets a tick pass, and all that happens meanwhile.
    pub(crate) fn run(&mut self) {
        assert!(self.begun.elapsed() < PATIENCE, "it takes too long");
        let end = Instant::now() + TICK;
        self.settle();
        while let Ok(result) = self.answered.recv_timeout(end - Instant::now().min(end)) {
            let (at, life, input) = result;
            if self.machines[at].life == life {
                if let Input::Remote(id, _) = &input {
                    self.machines[at].under_way.retain(|call| call.id() != *id);
                }
                self.input(at, input);
                self.settle();
            }
        }
        for at in 0..3 {
            self.input(at, Input::Tick(Ticks::new(1)));
        }
        self.settle();
    }

    fn input(&mut self, at: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        let machine = &mut self.machines[at];
        let Some(node) = &mut machine.node else { return };
        while let Some(input) = inputs.pop_front() {
            for output in node.step(input) {
                match output {
                    Output::Persist(write) => {
                        machine.disk.apply(&write).expect("writes come in order");
                        inputs.push_back(Input::Persisted(write.id()));
                    }
                    Output::Send(envelope) => self.wire.push_back(envelope),
                    Output::Reply(reply) => drop(self.replies.insert(reply.id(), reply)),
                    Output::Remote(call) => {
                        if let RemoteWork::Execute { .. } = call.work() {
                            machine.under_way.push(call.clone());
                        }
                        machine.to_worker.send(call).expect("the worker waits for calls");
                    }
                    Output::Event(_) => {}
                }
            }
            if inputs.is_empty() && node.idle_ticks() == Ticks::ZERO {
                inputs.push_back(Input::Tick(Ticks::ZERO));
            }
        }
    }

    fn settle(&mut self) {
        while let Some(envelope) = self.wire.pop_front() {
            let to = usize::try_from(envelope.to().get() - 1).expect("small");
            self.input(to, Input::Receive(envelope));
        }
    }
}

/// Makes a call until it is answered for.
pub(crate) fn insist(perform: &mut Perform, call: &RemoteCall) -> RemoteResult {
    let begun = Instant::now();
    loop {
        match perform(call) {
            RemoteResult::Unanswered => thread::sleep(TICK),
            result @ (RemoteResult::Ended(_)
            | RemoteResult::Refused(_)
            | RemoteResult::Read { .. }
            | _) => return result,
        }
        assert!(begun.elapsed() < PATIENCE, "the store does not answer");
    }
}
