//! Random schedules in which nodes publish and notify, subscribe and unsubscribe, and start again, over a
//! network that loses, duplicates and reorders: every event is handed to each life of a subscriber at
//! most once and in order, whoever is said to have received it has, every request has one reply, and
//! once all is whole again what is published reaches all who subscribed.

use std::collections::{BTreeMap, BTreeSet};

use hamok::{
    Birth, Call, Config, Delivered, Emitted, Emitter, Envelope, Event, Failure, Identity,
    Incarnation, Input, Node, NodeId, Output, RequestId, Stored, Ticket, Ticks,
};
use proptest::prelude::*;

const NEWS: Emitter<u64> = Emitter::new("news");
const NODES: usize = 3;

/// What a schedule does next. Positions are taken modulo what there is.
#[derive(Clone, Debug)]
enum Act {
    Tick { node: usize, ticks: u64 },
    Deliver { envelope: usize },
    Duplicate { envelope: usize },
    Drop { envelope: usize },
    Restart { node: usize },
    Publish { node: usize, timeout: u64 },
    Notify { node: usize },
    Subscribe { node: usize, subscribes: bool },
}

fn act() -> impl Strategy<Value = Act> {
    let node = || 0..NODES;
    prop_oneof![
        8 => (node(), 1..8_u64).prop_map(|(node, ticks)| Act::Tick { node, ticks }),
        24 => any::<usize>().prop_map(|envelope| Act::Deliver { envelope }),
        4 => any::<usize>().prop_map(|envelope| Act::Duplicate { envelope }),
        4 => any::<usize>().prop_map(|envelope| Act::Drop { envelope }),
        1 => node().prop_map(|node| Act::Restart { node }),
        6 => (node(), 5..60_u64).prop_map(|(node, timeout)| Act::Publish { node, timeout }),
        3 => node().prop_map(|node| Act::Notify { node }),
        1 => (node(), any::<bool>())
            .prop_map(|(node, subscribes)| Act::Subscribe { node, subscribes }),
    ]
}

fn id(node: usize) -> NodeId {
    NodeId::new(node as u64 + 1)
}

fn config(node: usize) -> Config {
    let birth = Birth::Meet { peers: (0..NODES).map(id).collect() };
    let mut config = Config::new(id(node), Incarnation::new(node as u64 + 1), birth);
    config.max_inflight_messages = 2;
    config
}

/// A node, what it has on disk, and the last event of each name that a life of another handed to it.
struct Machine {
    node: Node,
    disk: Stored,
    last: BTreeMap<(Identity, String), u64>,
}

/// The number of what was published, and what its reply will mean.
type Asked = (u64, Ticket<Delivered>);

struct World {
    machines: Vec<Machine>,
    wire: Vec<Envelope>,
    /// Requests without a reply, of the present lives, and the number that was published.
    asked: BTreeMap<(usize, RequestId), Option<Asked>>,
    requests: u64,
    /// Who was handed what, in any life.
    handed: BTreeSet<(NodeId, u64)>,
    /// What became of the numbers that were published.
    outcomes: BTreeMap<u64, Delivered>,
    /// Whether ticks are fed one by one.
    one_by_one: bool,
    /// All that was put out.
    log: Vec<String>,
}

impl World {
    fn new(one_by_one: bool) -> Self {
        let machines = (0..NODES).map(|at| Machine {
            node: Node::new(config(at)).expect("a valid configuration"),
            disk: Stored::new(),
            last: BTreeMap::new(),
        });
        let mut world = Self {
            machines: machines.collect(),
            wire: Vec::new(),
            asked: BTreeMap::new(),
            requests: 0,
            handed: BTreeSet::new(),
            outcomes: BTreeMap::new(),
            one_by_one,
            log: Vec::new(),
        };
        world.settle(40);
        for node in 0..NODES {
            world.subscribe(node, true);
        }
        world.settle(40);
        world
    }

    /// Ticks all nodes and delivers everything.
    fn settle(&mut self, ticks: u64) {
        for _ in 0..ticks {
            for node in 0..NODES {
                self.tick(node, 1);
            }
            while !self.wire.is_empty() {
                self.deliver(0);
            }
        }
    }

    fn act(&mut self, act: &Act) {
        let chosen = |envelope: &usize, wire: &[Envelope]| envelope.checked_rem(wire.len());
        match act {
            Act::Tick { node, ticks } => self.tick(*node, *ticks),
            Act::Deliver { envelope } => {
                if let Some(at) = chosen(envelope, &self.wire) {
                    self.deliver(at);
                }
            }
            Act::Duplicate { envelope } => {
                if let Some(at) = chosen(envelope, &self.wire) {
                    self.wire.push(self.wire[at].clone());
                }
            }
            Act::Drop { envelope } => {
                if let Some(at) = chosen(envelope, &self.wire) {
                    self.wire.remove(at);
                }
            }
            Act::Restart { node } => self.restart(*node),
            Act::Publish { node, timeout } => self.publish(*node, *timeout),
            Act::Notify { node } => {
                self.requests += 1;
                let notify = NEWS.notify("notified", &self.requests).expect("a number encodes");
                self.ask(*node, notify, None);
            }
            Act::Subscribe { node, subscribes } => self.subscribe(*node, *subscribes),
        }
    }

    fn tick(&mut self, node: usize, ticks: u64) {
        let step = |machine: &mut Machine, ticks| {
            let idle = machine.node.idle_ticks();
            let outputs = machine.node.step(Input::Tick(Ticks::new(ticks)));
            assert!(outputs.is_empty() || idle.get() <= ticks, "{} woke too early", id(node));
            outputs
        };
        let machine = &mut self.machines[node];
        let outputs: Vec<Output> = if self.one_by_one {
            (0..ticks).flat_map(|_| step(machine, 1)).collect()
        } else {
            step(machine, ticks)
        };
        self.put_out(node, outputs);
    }

    fn deliver(&mut self, at: usize) {
        let envelope = self.wire.remove(at);
        let node = usize::try_from(envelope.to().get() - 1).expect("small");
        self.input(node, Input::Receive(envelope));
    }

    fn restart(&mut self, node: usize) {
        let disk = self.machines[node].disk.clone();
        self.machines[node].node = Node::restore(config(node), disk).expect("it was running");
        self.machines[node].last.clear();
        self.asked.retain(|(at, _), _| *at != node);
        self.input(node, Input::Tick(Ticks::ZERO));
    }

    fn subscribe(&mut self, node: usize, subscribes: bool) {
        self.requests += 1;
        for event in ["published", "notified"] {
            if subscribes {
                self.ask(node, NEWS.subscribe(event, &()).expect("nothing encodes"), None);
            } else {
                self.ask(node, NEWS.unsubscribe(event), None);
            }
            self.requests += 1;
        }
    }

    fn publish(&mut self, node: usize, timeout: u64) {
        self.requests += 1;
        let call = NEWS.publish("published", &self.requests).expect("a number encodes");
        let call = call.with_timeout(Ticks::new(timeout));
        let ticket = call.clone().into_parts().1;
        self.ask(node, call, Some((self.requests, ticket)));
    }

    fn ask<R>(&mut self, node: usize, call: Call<R>, publish: Option<(u64, Ticket<Delivered>)>) {
        let request = RequestId::new(self.requests);
        self.asked.insert((node, request), publish);
        self.input(node, Input::Request(request, call.into_parts().0));
    }

    fn input(&mut self, node: usize, input: Input) {
        let outputs = self.machines[node].node.step(input);
        self.put_out(node, outputs);
    }

    fn put_out(&mut self, node: usize, outputs: Vec<Output>) {
        let mut written = None;
        for output in outputs {
            self.log.push(format!("{}: {output}", id(node)));
            match output {
                Output::Persist(write) => {
                    written = Some(write.id());
                    self.machines[node].disk.apply(&write).expect("writes come in order");
                }
                Output::Send(envelope) => self.wire.push(envelope),
                Output::Reply(reply) => {
                    let asked = self.asked.remove(&(node, reply.id()));
                    let asked = asked.expect("each request of this life has one reply");
                    if let Some((number, ticket)) = asked {
                        self.on_published(number, ticket.redeem(reply));
                    }
                }
                Output::Event(Event::Emitted(emission)) => {
                    let emitted = NEWS.emitted(&emission).expect("there is no other emitter");
                    self.on_emitted(node, emission.from(), emitted.expect("a number decodes"));
                }
                Output::Event(_) => {}
                Output::Remote(call) => panic!("there is no remote map: {call}"),
            }
        }
        if let Some(write) = written {
            self.input(node, Input::Persisted(write));
        }
    }

    fn on_emitted(&mut self, node: usize, from: Identity, emitted: Emitted<u64>) {
        let Emitted { event, payload, .. } = emitted;
        self.handed.insert((id(node), payload));
        let before = self.machines[node].last.insert((from, event.clone()), payload);
        let is_later = before.is_none_or(|before| before < payload);
        assert!(is_later, "{} was handed {event} {payload} of {from} after {before:?}", id(node));
    }

    fn on_published(&mut self, number: u64, delivered: Result<Delivered, Failure>) {
        match delivered {
            Ok(delivered) => {
                for node in &delivered.received {
                    assert!(
                        self.handed.contains(&(*node, number)),
                        "{node} was not handed {number}"
                    );
                }
                self.outcomes.insert(number, delivered);
            }
            Err(Failure::NotExecuted(_)) => {
                let handed = self.handed.iter().any(|(_, handed)| *handed == number);
                assert!(!handed, "{number} was published all the same");
            }
            Err(other) => panic!("a publish does not end so: {other}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn events_are_delivered_at_most_once_in_order_and_acknowledged_truly(
        acts in prop::collection::vec(act(), 0..200),
    ) {
        let mut world = World::new(false);
        for act in &acts {
            world.act(act);
        }
        world.settle(120);
        prop_assert!(world.asked.is_empty(), "{:?} unanswered", world.asked.keys());
        for node in 0..NODES {
            let subscribers = world.machines[node].node.emitter(&NEWS).subscribers("published");
            let before = world.machines[node].node.status().counters;
            world.publish(node, 50);
            let number = world.requests;
            world.settle(20);
            let Delivered { received, unanswered, .. } = &world.outcomes[&number];
            prop_assert_eq!((received, unanswered.len()), (&subscribers, 0));
            let others = received.iter().filter(|receiver| **receiver != id(node)).count() as u64;
            let after = world.machines[node].node.status().counters;
            prop_assert_eq!(after.events_acknowledged - before.events_acknowledged, others);
            prop_assert_eq!(world.machines[node].node.status().load.offered_events, 0);
        }
    }

    #[test]
    fn many_ticks_are_that_many_single_ones_when_events_are_published(
        acts in prop::collection::vec(act(), 0..100),
    ) {
        let [mut many, mut single] = [false, true].map(World::new);
        for act in &acts {
            many.act(act);
            single.act(act);
        }
        prop_assert_eq!(many.log, single.log);
    }
}
