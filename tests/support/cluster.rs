//! The machines and the network between them.

use std::collections::{BTreeMap, BTreeSet};

use hamok::{
    Birth, Codec, Config, Emitter, EncodeError, Incarnation, Input, Map, NodeId, Output, Peer,
    Request, RequestId, Role, Status, Stored, Ticks, ValueError, Write,
};

use super::machine::{Machine, Speed};
use super::network::{Choice, Network};
use super::remote::Outside;
use super::transcript::Transcript;

/// Some machines, the network between them, and the transcript of what they did.
pub(crate) struct Cluster {
    machines: BTreeMap<NodeId, Machine>,
    pub(super) network: Network,
    pub(super) transcript: Transcript,
    last_request: u64,
    pub(super) outside: Outside,
}

/// Keys and values are their own text, so that a transcript shows them as they are.
pub(crate) struct Text;

pub(crate) const MAP: Map<String, String, Text> = Map::new("map");
pub(crate) const EMITTER: Emitter<String, String, Text> = Emitter::new("emitter");

/// More steps than any script needs before all is quiet.
const ENDLESS: usize = 100_000;
/// More elections than any script needs before one is won.
const MANY_ELECTIONS: usize = 10;
const ELECTION: [&str; 7] = [
    "Hello",
    "HelloReply",
    "PreVote",
    "PreVoteGranted",
    "PreVoteRefused",
    "RequestVote",
    "RequestVoteReply",
];

impl Cluster {
    pub(crate) fn new() -> Self {
        Self {
            machines: BTreeMap::new(),
            network: Network::default(),
            transcript: Transcript::new(),
            last_request: 0,
            outside: Outside::default(),
        }
    }

    /// The commands so far and what came of them.
    pub(crate) fn transcript(&self) -> &str {
        self.transcript.text()
    }

    /// The status of a node that runs.
    pub(crate) fn status(&self, id: NodeId) -> Status {
        self.machine(id).node().unwrap_or_else(|| panic!("{id} is down")).status()
    }

    /// What a restart of a machine would find.
    pub(crate) fn stored(&self, id: NodeId) -> Stored {
        self.machine(id).stored()
    }

    pub(super) fn ids(&self) -> Vec<NodeId> {
        self.machines.keys().copied().collect()
    }

    pub(super) fn running(&self) -> Vec<NodeId> {
        let up = self.machines.iter().filter(|(_, machine)| machine.node().is_some());
        up.map(|(id, _)| *id).collect()
    }

    pub(super) fn machine(&self, id: NodeId) -> &Machine {
        self.machines.get(&id).unwrap_or_else(|| panic!("there is no {id}"))
    }

    fn machine_mut(&mut self, id: NodeId) -> &mut Machine {
        self.machines.get_mut(&id).unwrap_or_else(|| panic!("there is no {id}"))
    }

    /// Adds `count` machines, to be started, that are to meet each other. Their incarnations are
    /// 0x11, 0x21, 0x31 and so on.
    pub(super) fn add(&mut self, count: u64, configure: impl Fn(&mut Config)) {
        let ids: Vec<NodeId> = (1..=count).map(NodeId::new).collect();
        for &id in &ids {
            let birth = match count {
                1 => Birth::Found,
                _ => Birth::Meet { peers: ids.clone() },
            };
            let mut config = Config::new(id, Incarnation::new(id.get() * 16 + 1), birth);
            configure(&mut config);
            self.machines.insert(id, Machine::new(config));
        }
    }

    /// Adds a machine that is to join the group of `contacts`, configured like the first but for what
    /// `configure` changes. Not started yet.
    pub(super) fn add_newcomer(
        &mut self,
        id: NodeId,
        contacts: Vec<NodeId>,
        voter: bool,
        configure: impl Fn(&mut Config),
    ) {
        let like = self.machines.values().next().expect("a group to join");
        let mut config = like.config.clone();
        config.id = id;
        config.incarnation = Incarnation::new(id.get() * 16 + 1);
        config.birth = Birth::Join { contacts, voter };
        configure(&mut config);
        let before = self.machines.insert(id, Machine::new(config));
        assert!(before.is_none(), "{id} is there already");
    }

    /// Changes what a machine is configured to from its next start on.
    pub(super) fn configure(&mut self, id: NodeId, configure: impl Fn(&mut Config)) {
        configure(&mut self.machine_mut(id).config);
    }

    /// The incarnation under which a machine runs, or would start anew.
    pub(super) fn peer(&self, id: NodeId) -> Peer {
        let known = self.machines.get(&id).map(|machine| machine.config.incarnation);
        Peer { id, incarnation: known.unwrap_or(Incarnation::new(id.get() * 16 + 1)) }
    }

    pub(super) fn start(&mut self, id: NodeId) {
        if let Err(because) = self.machine_mut(id).start() {
            return self.transcript.note(format!("{id} cannot be restored: {because}"));
        }
        self.feed(id, Input::Tick(Ticks::ZERO));
    }

    pub(super) fn fail(&mut self, id: NodeId) {
        let failed = self.machine_mut(id).fail();
        self.feed(id, failed);
    }

    pub(super) fn lose(&mut self, id: NodeId, count: usize) {
        self.machine_mut(id).lose(count);
    }

    pub(super) fn recover(&mut self, id: NodeId, others: &[NodeId]) {
        let members = others.iter().chain([&id]).map(|&member| self.peer(member)).collect();
        if let Err(because) = self.machine_mut(id).recover(members) {
            self.transcript.note(format!("{id} cannot be recovered: {because}"));
        }
    }

    pub(super) fn crash(&mut self, id: NodeId, kept: usize, torn: bool) -> Vec<Write> {
        self.machine_mut(id).crash(kept, torn)
    }

    pub(super) fn wipe(&mut self, id: NodeId) {
        self.machine_mut(id).wipe();
    }

    /// One input to one node, and all that the node and its disk then do by themselves.
    pub(super) fn feed(&mut self, id: NodeId, input: Input) {
        let mut next = Some(input);
        for _ in 0..ENDLESS {
            let Some(input) = next else { return };
            for output in self.machine_mut(id).step(input) {
                self.transcript.output(id, &output);
                match &output {
                    Output::Send(envelope) => self.network.send(envelope),
                    Output::Remote(call) => self.outside.calls.push((id, call.clone())),
                    Output::Persist(_) | Output::Reply(_) | Output::Event(_) => {}
                }
            }
            next = self.machine_mut(id).next_input();
        }
        panic!("{id} does not come to rest");
    }

    pub(super) fn set_disk(&mut self, id: NodeId, speed: Speed) {
        let machine = self.machine_mut(id);
        machine.set_speed(speed);
        if let Some(input) = machine.next_input() {
            self.feed(id, input);
        }
    }

    pub(super) fn confirm(&mut self, id: NodeId, count: Option<usize>) {
        if let Some(input) = self.machine_mut(id).confirm(count) {
            self.feed(id, input);
        }
    }

    pub(super) fn request(&mut self, id: NodeId, request: Request) {
        self.last_request += 1;
        let request_id = RequestId::new(self.last_request);
        self.feed(id, Input::Request(request_id, request));
    }

    pub(super) fn deliver(&mut self, choice: &Choice) {
        for envelope in self.network.take(choice) {
            self.feed(envelope.to(), Input::Receive(envelope));
        }
    }

    /// Delivers until nothing is on its way.
    pub(super) fn settle(&mut self) {
        let next = Choice { first_only: true, ..Choice::default() };
        for _ in 0..ENDLESS {
            let Some(envelope) = self.network.take(&next).pop() else { return };
            self.feed(envelope.to(), Input::Receive(envelope));
        }
        panic!("the cluster does not come to rest");
    }

    /// Lets time pass for all nodes alike and everything arrive within a tick.
    pub(super) fn run(&mut self, ticks: u64) {
        for _ in 0..ticks {
            for id in self.running() {
                self.feed(id, Input::Tick(Ticks::new(1)));
            }
            self.settle();
        }
    }

    /// Lets time pass for one node until it stands for election, which is when it next speaks up or
    /// takes another role.
    pub(super) fn campaign(&mut self, id: NodeId) {
        let stands = |status: Status| (status.role, status.term, status.counters.envelopes_sent);
        let before = stands(self.status(id));
        let limit = 2 * self.machine(id).config.election_timeout.get();
        for _ in 0..limit {
            self.feed(id, Input::Tick(Ticks::new(1)));
            if stands(self.status(id)) != before {
                return;
            }
        }
        panic!("{id} does not stand for election");
    }

    /// Lets one node stand for election until it leads; nothing arrives but what elections need.
    pub(super) fn elect(&mut self, id: NodeId) {
        for _ in 0..MANY_ELECTIONS {
            self.campaign(id);
            for kind in ELECTION.iter().cycle().take(3 * ELECTION.len()) {
                self.deliver(&Choice { kind: Some((*kind).to_owned()), ..Choice::default() });
            }
            if self.status(id).role == Role::Leader {
                return;
            }
        }
        panic!("{id} is not elected");
    }

    /// Runs `work` without showing what comes of it.
    pub(super) fn silently(&mut self, work: impl FnOnce(&mut Self)) {
        let shown = self.transcript.show_only(BTreeSet::new());
        work(self);
        self.transcript.show_only(shown);
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
