//! The group and its trace.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use hamok::{
    Birth, Config, Envelope, Incarnation, Input, Map, Node, NodeId, Outcome, Output, RequestId,
    Stored, Ticks, WriteId,
};

/// Three nodes, what is on its way between them, and a hash over everything so far.
pub struct Probe {
    seed: u64,
    machines: BTreeMap<NodeId, Machine>,
    in_flight: Vec<Envelope>,
    requests: u64,
    done: u64,
    trace: u64,
}

struct Machine {
    node: Node,
    /// What is durable once the last write has been confirmed.
    file: Vec<u8>,
    unconfirmed: Option<WriteId>,
}

const NODES: u64 = 3;
const SCORES: Map<u64, u64> = Map::new("scores");
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

impl Probe {
    /// Creates the nodes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let machines = (1..=NODES).map(|id| {
            let id = NodeId::new(id);
            let node = Node::new(config(seed, id)).expect("the defaults are valid");
            (id, Machine { node, file: Vec::new(), unconfirmed: None })
        });
        let machines = machines.collect();
        Self { seed, machines, in_flight: Vec::new(), requests: 0, done: 0, trace: FNV_OFFSET }
    }

    /// Does one thing and returns the trace so far. `argument` chooses the node, the key and the
    /// envelope, as far as `kind` needs them.
    pub fn step(&mut self, kind: u32, argument: u64) -> u64 {
        let id = NodeId::new(argument % NODES + 1);
        let key = argument / NODES;
        match kind % 16 {
            0 => self.feed(id, Input::Tick(Ticks::new(1))),
            1..=4 => self.confirm(id),
            5 => {
                let call = SCORES.set(&(key % 16), &key).expect("integers can be encoded");
                self.request(id, call.into_parts().0);
            }
            6 => {
                let call = SCORES.read(&(key % 16)).expect("integers can be encoded");
                self.request(id, call.into_parts().0);
            }
            7 if key.is_multiple_of(64) => self.restart(id),
            _ => self.deliver(key),
        }
        self.trace
    }

    /// How many requests were executed.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    fn request(&mut self, id: NodeId, request: hamok::Request) {
        self.requests += 1;
        self.feed(id, Input::Request(RequestId::new(self.requests), request));
    }

    fn confirm(&mut self, id: NodeId) {
        let machine = self.machines.get_mut(&id).expect("the nodes are numbered from 1");
        if let Some(write) = machine.unconfirmed.take() {
            self.feed(id, Input::Persisted(write));
        }
    }

    /// The node stops once its disk is done, and starts from there.
    fn restart(&mut self, id: NodeId) {
        self.confirm(id);
        let seed = self.seed;
        let machine = self.machines.get_mut(&id).expect("the nodes are numbered from 1");
        if machine.unconfirmed.is_none() && !machine.file.is_empty() {
            let stored = Stored::decode(&machine.file).expect("what was written is read back");
            machine.node = Node::restore(config(seed, id), stored).expect("it is this node's file");
            self.feed(id, Input::Tick(Ticks::ZERO));
        }
    }

    /// Delivers one of the oldest envelopes.
    fn deliver(&mut self, which: u64) {
        if let Some(position) = which.checked_rem(self.in_flight.len().min(4) as u64) {
            let position = usize::try_from(position).expect("it is less than a length");
            let envelope = self.in_flight.remove(position);
            self.feed(envelope.to(), Input::Receive(envelope));
        }
    }

    fn feed(&mut self, id: NodeId, input: Input) {
        let machine = self.machines.get_mut(&id).expect("the nodes are numbered from 1");
        let mut trace = Vec::new();
        for output in machine.node.step(input) {
            trace.extend_from_slice(format!("{output}").as_bytes());
            match output {
                Output::Persist(write) => {
                    let bytes = write.encode();
                    trace.extend_from_slice(&bytes);
                    if write.starts_file() {
                        machine.file.clear();
                    }
                    machine.file.extend_from_slice(&bytes);
                    machine.unconfirmed = Some(write.id());
                }
                Output::Send(envelope) => {
                    let bytes = envelope.encode();
                    trace.extend_from_slice(&bytes);
                    let read = Envelope::decode(&bytes).expect("what was encoded is decoded");
                    self.in_flight.push(read);
                }
                Output::Reply(reply) => {
                    self.done += u64::from(matches!(reply.outcome(), Outcome::Done { .. }));
                }
                Output::Event(_) | Output::Remote(_) => {}
            }
        }
        let status = machine.node.status();
        trace.extend_from_slice(format!("{:?}", (status.applied, status.digest)).as_bytes());
        for byte in trace {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
    }
}

fn config(seed: u64, id: NodeId) -> Config {
    let peers = (1..=NODES).map(NodeId::new).collect();
    let mut config = Config::new(id, Incarnation::new(id.get()), Birth::Meet { peers });
    config.seed = seed;
    config.max_log_entries = 20;
    config.verbose = true;
    config
}
