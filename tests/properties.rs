//! Properties of a node seen from outside: what is on disk restores, a retry takes effect once, and a
//! snapshot with the log after it is worth as much as the whole log.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hamok::{
    Birth, Config, Envelope, Event, Incarnation, Index, Input, Map, MapEvent, Node, NodeId,
    Outcome, Output, Request, RequestId, Sequence, SessionId, Stored, Ticks, Write,
};
use proptest::prelude::*;

const SCORES: Map<u8, u64> = Map::new("scores");
const NODES: usize = 3;

/// What a schedule does next. Positions are taken modulo what there is.
#[derive(Clone, Debug)]
enum Act {
    Tick {
        node: usize,
        ticks: u64,
    },
    Deliver {
        envelope: usize,
    },
    Duplicate {
        envelope: usize,
    },
    Drop {
        envelope: usize,
    },
    Confirm {
        node: usize,
    },
    /// Loses the unconfirmed writes but the first few, and starts again.
    Crash {
        node: usize,
        kept: usize,
    },
    /// Sends the command of this number of the application's session through a node, again or not.
    Send {
        node: usize,
        sequence: u64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let node = || 0..NODES;
    prop_oneof![
        6 => (node(), 1..8_u64).prop_map(|(node, ticks)| Act::Tick { node, ticks }),
        20 => any::<usize>().prop_map(|envelope| Act::Deliver { envelope }),
        2 => any::<usize>().prop_map(|envelope| Act::Duplicate { envelope }),
        2 => any::<usize>().prop_map(|envelope| Act::Drop { envelope }),
        8 => node().prop_map(|node| Act::Confirm { node }),
        1 => (node(), 0..4_usize).prop_map(|(node, kept)| Act::Crash { node, kept }),
        4 => (node(), 1..6_u64).prop_map(|(node, sequence)| Act::Send { node, sequence }),
    ]
}

/// A node, its disk, and what has been seen of it.
struct Machine {
    node: Node,
    disk: Vec<u8>,
    /// How much of that is the image it began with, which is put in place as a whole.
    image: usize,
    unconfirmed: VecDeque<Write>,
    /// How often each command took effect in this life of the node, by the value it sets.
    effects: Vec<u64>,
}

struct Cluster {
    config: fn(usize) -> Config,
    machines: Vec<Machine>,
    wire: Vec<Envelope>,
    outcomes: Vec<Outcome>,
    /// The number that each command sent through the present life of a node sets.
    asked: BTreeMap<(usize, RequestId), u64>,
    /// How each command ended, by its number, for all the times it was sent.
    ended: BTreeMap<u64, Vec<Outcome>>,
    /// Commands sent through a node that crashed before it answered.
    unanswered: BTreeSet<u64>,
    session: Option<SessionId>,
    requests: u64,
}

fn config(node: usize) -> Config {
    let id = |node: usize| NodeId::new(node as u64 + 1);
    let peers = (0..NODES).map(id).collect();
    let incarnation = Incarnation::new(node as u64 + 1);
    let mut config = Config::new(id(node), incarnation, Birth::Meet { peers });
    config.seed = 3;
    config
}

/// One that takes a snapshot every few entries and keeps next to nothing beside it.
fn compacting(node: usize) -> Config {
    let mut config = config(node);
    config.max_log_entries = 3;
    config.trailing_log_bytes = 100 * node as u64;
    config.step_budget_bytes = 100;
    config
}

fn at(value: u64) -> usize {
    usize::try_from(value).expect("small")
}

impl Machine {
    fn new(node: Node) -> Self {
        Self { node, disk: Vec::new(), image: 0, unconfirmed: VecDeque::new(), effects: vec![0; 8] }
    }

    /// Puts the oldest unconfirmed write on disk.
    fn store(&mut self) -> Option<Write> {
        let write = self.unconfirmed.pop_front()?;
        if write.starts_file() {
            self.disk.clear();
            self.image = write.encode().len();
        }
        self.disk.extend(write.encode());
        Some(write)
    }
}

impl Cluster {
    fn new(config: fn(usize) -> Config) -> Self {
        let node = |at| Node::new(config(at)).expect("a valid configuration");
        let machines = (0..NODES).map(|at| Machine::new(node(at))).collect();
        let mut cluster = Self {
            config,
            machines,
            wire: Vec::new(),
            outcomes: Vec::new(),
            asked: BTreeMap::new(),
            ended: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            session: None,
            requests: 0,
        };
        cluster.settle(60);
        cluster.request(0, hamok::open_session().into_parts().0);
        cluster.settle(10);
        let outcome = cluster.outcomes.pop().expect("a healthy group answers");
        let Outcome::Done { index, .. } = outcome else { panic!("{outcome}") };
        cluster.session = Some(SessionId::new(index));
        cluster
    }

    /// Ticks all nodes, delivering and confirming everything.
    fn settle(&mut self, ticks: u64) {
        for _ in 0..ticks {
            for node in 0..NODES {
                self.input(node, Input::Tick(Ticks::new(1)));
            }
            loop {
                for node in 0..NODES {
                    while self.confirm(node) {}
                }
                if self.wire.is_empty() {
                    break;
                }
                self.deliver(0);
            }
        }
    }

    /// How far each node has applied, and what state that made.
    fn states(&self) -> Vec<(Index, u64)> {
        let statuses = self.machines.iter().map(|machine| machine.node.status());
        statuses.map(|status| (status.applied, status.digest)).collect()
    }

    fn act(&mut self, act: &Act) {
        let at = |envelope: usize, wire: &[Envelope]| envelope.checked_rem(wire.len());
        match act {
            Act::Tick { node, ticks } => self.input(*node, Input::Tick(Ticks::new(*ticks))),
            Act::Deliver { envelope } => {
                if let Some(at) = at(*envelope, &self.wire) {
                    self.deliver(at);
                }
            }
            Act::Duplicate { envelope } => {
                if let Some(at) = at(*envelope, &self.wire) {
                    self.wire.push(self.wire[at].clone());
                }
            }
            Act::Drop { envelope } => {
                if let Some(at) = at(*envelope, &self.wire) {
                    self.wire.remove(at);
                }
            }
            Act::Confirm { node } => {
                self.confirm(*node);
            }
            Act::Crash { node, kept } => self.crash(*node, *kept),
            Act::Send { node, sequence } => self.send(*node, *sequence),
        }
    }

    fn send(&mut self, node: usize, sequence: u64) {
        let session = self.session.expect("opened at the start");
        let key = u8::try_from(sequence % 2).expect("small");
        let (request, _) = SCORES.set(&key, &sequence).expect("small").into_parts();
        let request = request.in_session(session, Sequence::new(sequence), Sequence::new(1));
        self.asked.insert((node, RequestId::new(self.requests + 1)), sequence);
        self.request(node, request);
    }

    fn request(&mut self, node: usize, request: Request) {
        self.requests += 1;
        self.input(node, Input::Request(RequestId::new(self.requests), request));
    }

    fn deliver(&mut self, at: usize) {
        let envelope = self.wire.remove(at);
        let to = usize::try_from(envelope.to().get() - 1).expect("small");
        self.input(to, Input::Receive(envelope));
    }

    fn confirm(&mut self, node: usize) -> bool {
        let Some(write) = self.machines[node].store() else { return false };
        self.input(node, Input::Persisted(write.id()));
        true
    }

    fn crash(&mut self, node: usize, kept: usize) {
        let machine = &mut self.machines[node];
        for _ in 0..kept {
            machine.store();
        }
        machine.unconfirmed.clear();
        let stored = Stored::decode(&machine.disk).expect("what was written can be read");
        let restored = Node::restore((self.config)(node), stored);
        let restored = restored.expect("a prefix of writes restores");
        machine.node = restored;
        machine.effects.fill(0);
        let lost = self.asked.iter().filter(|((through, _), _)| *through == node);
        self.unanswered.extend(lost.map(|(_, number)| *number));
        self.asked.retain(|(through, _), _| *through != node);
        self.input(node, Input::Tick(Ticks::ZERO));
    }

    fn input(&mut self, node: usize, input: Input) {
        let mut outputs = self.machines[node].node.step(input);
        while self.machines[node].node.idle_ticks() == Ticks::ZERO {
            outputs.extend(self.machines[node].node.step(Input::Tick(Ticks::ZERO)));
        }
        let machine = &mut self.machines[node];
        for output in outputs {
            match output {
                Output::Persist(write) => machine.unconfirmed.push_back(write),
                Output::Send(envelope) => self.wire.push(envelope),
                Output::Reply(reply) => {
                    if let Some(number) = self.asked.remove(&(node, reply.id())) {
                        self.ended.entry(number).or_default().push(reply.outcome().clone());
                    }
                    self.outcomes.push(reply.outcome().clone());
                }
                Output::Event(Event::Changed(change)) => {
                    let change = SCORES.event(&change).expect("the only map").expect("our bytes");
                    let value = match change {
                        MapEvent::Insert { value, .. } => value,
                        MapEvent::Update { new, .. } => new,
                        other @ (MapEvent::Remove { .. } | MapEvent::Clear | _) => {
                            panic!("nothing else is asked for: {other:?}")
                        }
                    };
                    machine.effects[at(value)] += 1;
                }
                Output::Event(_) | Output::Remote(_) => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// However often a command is sent, through whichever nodes, and whatever is lost on the way, no
    /// node sees it take effect more than once; and once the network is whole, all agree.
    #[test]
    fn a_retry_takes_effect_once(acts in prop::collection::vec(act(), 50..300)) {
        let mut cluster = Cluster::new(config);
        for act in &acts {
            cluster.act(act);
            for machine in &cluster.machines {
                prop_assert!(machine.effects.iter().all(|&times| times <= 1));
            }
        }
        cluster.settle(150);
        let states = cluster.states();
        prop_assert!(states.windows(2).all(|pair| pair[0] == pair[1]), "{states:?}");
        prop_assert!(cluster.asked.is_empty(), "no reply to {:?}", cluster.asked);
        for (number, outcomes) in &cluster.ended {
            let took_effect = cluster.machines.iter().any(|machine| machine.effects[at(*number)] > 0);
            let without = |outcome: &Outcome| {
                matches!(outcome, Outcome::NotExecuted(_) | Outcome::Refused { .. })
            };
            if outcomes.iter().all(without) && !cluster.unanswered.contains(number) {
                prop_assert!(!took_effect, "{number} took effect, against {outcomes:?}");
            }
            if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Done { .. })) {
                prop_assert!(took_effect, "{number} had no effect, against {outcomes:?}");
            }
        }
    }

    /// Whatever part of its file a node is left with, it starts, and with a whole image at once.
    #[test]
    fn any_prefix_of_a_file_restores(
        acts in prop::collection::vec(act(), 50..200),
        node in 0..NODES,
        position: prop::sample::Index,
    ) {
        let mut cluster = Cluster::new(config);
        acts.iter().for_each(|act| cluster.act(act));
        let disk = &cluster.machines[node].disk;
        let whole = Stored::decode(disk).expect("what was written can be read");
        let length = position.index(disk.len() + 1);
        let stored = Stored::decode(&disk[..length]).expect("a cut is never damage");
        prop_assert!(stored.term() <= whole.term());
        prop_assert!(stored.last().index <= whole.last().index || stored.term() < whole.term());
        prop_assert!(length < disk.len() || stored == whole);
        prop_assume!(stored.peer().is_some());
        let (life, term, vote, last) =
            (stored.life(), stored.term(), stored.vote(), stored.last());
        let mut restored = Node::restore(config(node), stored).expect("an image with an identity");
        let outputs = restored.step(Input::Tick(Ticks::ZERO));
        let Some(Output::Persist(write)) = outputs.first() else { panic!("{outputs:?}") };
        prop_assert!(write.starts_file());
        let image = Stored::decode(&write.encode()).expect("our own bytes");
        prop_assert_eq!(image.life().get(), life.get() + 1);
        prop_assert_eq!((image.term(), image.vote(), image.last()), (term, vote, last));
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The same with snapshots in the place of the log: a node that is sent one does not see what it
    /// covers take effect, but never sees anything twice.
    #[test]
    fn a_retry_takes_effect_once_whatever_is_compacted(
        acts in prop::collection::vec(act(), 50..300),
    ) {
        let mut cluster = Cluster::new(compacting);
        for act in &acts {
            cluster.act(act);
            for machine in &cluster.machines {
                prop_assert!(machine.effects.iter().all(|&times| times <= 1));
            }
        }
        cluster.settle(150);
        let states = cluster.states();
        prop_assert!(states.windows(2).all(|pair| pair[0] == pair[1]), "{states:?}");
        prop_assert!(cluster.asked.is_empty(), "no reply to {:?}", cluster.asked);
        let compacted = |machine: &Machine| machine.node.status().compacted.index > Index::ZERO;
        prop_assert!(cluster.machines.iter().all(compacted));
    }

    /// Whatever part of its file after the image a node is left with, snapshot or not, it starts, with
    /// all that the image covers.
    #[test]
    fn any_prefix_of_writes_restores_with_its_snapshot(
        acts in prop::collection::vec(act(), 50..200),
        node in 0..NODES,
        position: prop::sample::Index,
    ) {
        let mut cluster = Cluster::new(compacting);
        acts.iter().for_each(|act| cluster.act(act));
        let Machine { disk, image, .. } = &cluster.machines[node];
        let whole = Stored::decode(disk).expect("what was written can be read");
        let length = image + position.index(disk.len() - image + 1);
        let stored = Stored::decode(&disk[..length]).expect("a cut is never damage");
        prop_assert_eq!(stored.snapshot(), whole.snapshot());
        prop_assert!(stored.term() <= whole.term());
        let (start, last) = (stored.start(), stored.last());
        let digest = stored.snapshot().map(|head| head.digest());
        let mut restored = Node::restore(compacting(node), stored).expect("an image");
        let outputs = restored.step(Input::Tick(Ticks::ZERO));
        while restored.idle_ticks() == Ticks::ZERO {
            let _ = restored.step(Input::Tick(Ticks::ZERO));
        }
        let Some(Output::Persist(write)) = outputs.first() else { panic!("{outputs:?}") };
        let image = Stored::decode(&write.encode()).expect("our own bytes");
        prop_assert_eq!((image.start(), image.last()), (start, last));
        let status = restored.status();
        prop_assert_eq!((status.applied, status.committed), (start.index, start.index));
        if let Some(digest) = digest {
            prop_assert_eq!(status.digest, digest);
        }
    }

    /// A node that takes snapshots, one that takes none, and one that is restored from what the first
    /// has written at any moment come to the same state at the same entry.
    #[test]
    fn a_snapshot_and_the_log_after_it_are_worth_the_whole_log(
        commands in prop::collection::vec((0..6_u8, 0..5_u64), 1..30),
        limit in 1..8_u64,
        trailing in 0..500_u64,
        budget in 50..2000_u64,
        restart: prop::sample::Index,
    ) {
        let restart = restart.index(commands.len());
        let mut config = alone();
        let mut plain = Alone::new(config.clone());
        config.max_log_entries = limit;
        config.trailing_log_bytes = trailing;
        config.step_budget_bytes = budget;
        let mut compacting = Alone::new(config.clone());
        for (at, &(key, value)) in commands.iter().enumerate() {
            plain.command(key, value);
            compacting.command(key, value);
            prop_assert_eq!(plain.state(), compacting.state());
            if at == restart {
                plain = plain.restart(alone());
                compacting = compacting.restart(config.clone());
                prop_assert_eq!(plain.state(), compacting.state());
            }
        }
        let status = compacting.node.status();
        prop_assert!(status.applied.since(status.snapshot.index) < 2 * limit);
        prop_assert_eq!(plain.node.status().snapshot.index, Index::ZERO);
    }
}

/// The only member of its group, and its disk.
struct Alone {
    node: Node,
    disk: Stored,
    requests: u64,
}

fn alone() -> Config {
    Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found)
}

impl Alone {
    fn new(config: Config) -> Self {
        let node = Node::new(config).expect("a valid configuration");
        let mut alone = Self { node, disk: Stored::new(), requests: 0 };
        alone.input(Input::Tick(Ticks::ZERO));
        alone
    }

    fn restart(self, config: Config) -> Self {
        let node = Node::restore(config, self.disk.clone()).expect("an image");
        let mut alone = Self { node, ..self };
        alone.input(Input::Tick(Ticks::ZERO));
        alone
    }

    /// Values of 0 remove, of 1 clear.
    fn command(&mut self, key: u8, value: u64) {
        let request = match value {
            0 => SCORES.remove(&key).expect("small").into_parts().0,
            1 => SCORES.clear().into_parts().0,
            value => SCORES.set(&key, &value).expect("small").into_parts().0,
        };
        self.requests += 1;
        self.input(Input::Request(RequestId::new(self.requests), request));
    }

    /// One input, and all that the node and its disk then do by themselves.
    fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for output in self.node.step(input) {
                if let Output::Persist(write) = output {
                    self.disk.apply(&write).expect("writes come in order");
                    inputs.push_back(Input::Persisted(write.id()));
                }
            }
            if inputs.is_empty() && self.node.idle_ticks() == Ticks::ZERO {
                inputs.push_back(Input::Tick(Ticks::ZERO));
            }
        }
    }

    fn state(&self) -> (Index, u64) {
        (self.node.status().applied, self.node.status().digest)
    }
}
