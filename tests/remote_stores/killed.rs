//! Groups of three processes, killed and paused in the midst of operations, as is their server.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hamok::{Codec, Postcard};
use rustix::process::Signal;

use crate::gates::{Gate, Held, Moment};
use crate::processes::{Processes, wait_until};
use crate::servers::Server;

const CLIENTS: usize = 4;
/// Longer than all of it takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

const REDIS: Moments = Moments {
    late: Moment { words: &["EVALSHA"], held: Held::Call },
    others: &[
        Moment { words: &["EVALSHA"], held: Held::Call },
        Moment { words: &["EVALSHA"], held: Held::Answer },
    ],
};
/// Before the next transaction (one that only reads begins otherwise), in it without and with changes, when it is to be committed, and after that.
const POSTGRES: Moments = Moments {
    late: Moment { words: &["UPDATE hamok_rows", "START TRANSACTION\0"], held: Held::Call },
    others: &[
        Moment { words: &["FOR UPDATE"], held: Held::Call },
        Moment { words: &["UPDATE hamok_rows"], held: Held::Call },
        Moment { words: &["UPDATE hamok_rows", "COMMIT"], held: Held::Call },
        Moment { words: &["UPDATE hamok_rows", "COMMIT"], held: Held::Answer },
    ],
};

#[test]
fn each_operation_takes_effect_once_in_redis_when_leading_processes_are_killed() {
    if let Some(server) = Server::redis() {
        each_operation_takes_effect_once("redis_remote_map", server, &REDIS);
    }
}

#[test]
fn each_operation_takes_effect_once_in_postgres_when_leading_processes_are_killed() {
    if let Some(server) = Server::postgres() {
        each_operation_takes_effect_once("postgres_remote_map", server, &POSTGRES);
    }
}

/// When an operation may be interrupted.
struct Moments {
    /// Before the server knows of it.
    late: Moment,
    others: &'static [Moment],
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The leader is killed at that moment.
    Killed(Moment),
    /// It is paused there until another leads, and then goes on.
    Paused(Moment),
    /// It is paused there until another has led for a while; then its call comes to the server, too late.
    Late(Moment),
    /// The server is killed at that moment.
    ServerKilled(Moment),
}

/// Clients work; meanwhile whoever leads is killed or paused, or the server is killed, in an order and
/// after times that the seed decides, each time when an operation is certain to be on its way. In the end
/// the server has what the clients were told, and nothing twice.
fn each_operation_takes_effect_once(example: &'static str, mut server: Server, moments: &Moments) {
    let seed = std::env::var("HAMOK_SEED").map_or(7, |seed| seed.parse().expect("a number"));
    eprintln!("HAMOK_SEED={seed}");
    server.start();
    let gates = [0; 3].map(|_| Gate::new(server.port()));
    let urls = gates.each_ref().map(|gate| vec![server.url_through(gate.port())]);
    let nodes = Processes::start(example, urls);
    let mut scene = Scene {
        server,
        gates,
        nodes: &nodes,
        rounds: &AtomicU64::new(0),
        random: Random(seed),
        begun: Instant::now(),
    };
    let first = Client::new(0, &nodes);
    assert_eq!(first.once("INSERT counter 0"), "NONE");

    let stopping = AtomicBool::new(false);
    let found: Vec<Found> = thread::scope(|scope| {
        let (rounds, stopping, nodes) = (scene.rounds, &stopping, &nodes);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || Client::new(number, nodes).work(rounds, stopping)))
            .collect();
        // Also when a fault panics: else the clients would be waited for.
        let stop = Stop(stopping);
        for fault in scene.faults(moments) {
            scene.work(12);
            scene.inflict(fault);
        }
        scene.work(12);
        drop(stop);
        clients.into_iter().map(|client| client.join().expect("no client panics")).collect()
    });
    check(&scene.server, &found);

    nodes.wait_until_all_are_equal();
    (0..3).for_each(|node| nodes.kill(node));
    (0..3).for_each(|node| nodes.spawn(node));
    let counted: u64 = found.iter().map(|found| found.counted).sum();
    assert_eq!(first.insist("GET counter"), format!("VALUE {counted}"));
    assert_eq!(first.once("INSERT after all"), "NONE");
}

/// Compares what the server has with what the clients were told.
fn check(server: &Server, found: &[Found]) {
    let text = |bytes: &[u8]| -> String { Postcard::decode(bytes).expect("an example encoded it") };
    let entries = server.entries("shared");
    let entries: BTreeMap<String, String> =
        entries.iter().map(|(key, value)| (text(key), text(value))).collect();

    let counted: u64 = found.iter().map(|found| found.counted).sum();
    let last = entries.get("last").expect("it was set");
    let mut expected = BTreeMap::from([
        ("counter".to_owned(), counted.to_string()),
        ("last".to_owned(), last.clone()),
    ]);
    expected.extend(found.iter().flat_map(|found| found.inserted.clone()));
    assert_eq!(entries, expected);
    assert!(counted > 0, "someone comes first");

    // All that was set was found by the next, but for the last one: nothing is missing, and nothing came
    // back.
    let set = found.iter().flat_map(|found| &found.set);
    let values: BTreeSet<&str> = set.clone().map(|(value, _)| value.as_str()).collect();
    let mut before: Vec<&str> = set.map(|(_, before)| before.as_str()).collect();
    before.sort_unstable();
    let mut overwritten: Vec<&str> = values.iter().copied().filter(|value| value != last).collect();
    overwritten.push("NONE");
    overwritten.sort_unstable();
    assert_eq!(before, overwritten);
    assert!(values.contains(last.as_str()));
}

/// Everything but the clients.
struct Scene<'a> {
    server: Server,
    gates: [Gate; 3],
    nodes: &'a Processes,
    /// How many rounds the clients have done together.
    rounds: &'a AtomicU64,
    random: Random,
    begun: Instant,
}

impl Scene<'_> {
    /// All that is to happen, twice, in an order of its own.
    fn faults(&mut self, moments: &Moments) -> Vec<Fault> {
        let mut faults = Vec::new();
        for _ in 0..2 {
            faults.push(Fault::Late(moments.late));
            faults.extend(moments.others.iter().copied().map(Fault::Killed));
            faults.push(Fault::Paused(self.random.one_of(moments.others)));
            faults.push(Fault::ServerKilled(self.random.one_of(moments.others)));
        }
        for at in (1..faults.len()).rev() {
            faults.swap(at, self.random.below(at + 1));
        }
        faults
    }

    /// Lets the clients do some rounds, up to so many.
    fn work(&mut self, most: usize) {
        let enough = self.rounds.load(Ordering::Relaxed) + 1 + self.random.below(most) as u64;
        wait_until("clients have worked", || self.rounds.load(Ordering::Relaxed) >= enough);
    }

    fn inflict(&mut self, fault: Fault) {
        let (Fault::Killed(moment)
        | Fault::Paused(moment)
        | Fault::Late(moment)
        | Fault::ServerKilled(moment)) = fault;
        let leader = self.hold(moment);
        let others: Vec<usize> = (0..3).filter(|node| *node != leader).collect();
        let gate = self.gates[leader].clone();
        eprintln!("{:?}: {fault:?}, node {leader}", self.begun.elapsed());
        match fault {
            Fault::Killed(_) => {
                self.nodes.kill(leader);
                // What it called for last comes to the server now, or when another leads already.
                if self.random.below(2) == 0 {
                    gate.open();
                }
                self.nodes.leader_of(&others);
                gate.open();
                self.work(12);
                self.nodes.spawn(leader);
            }
            Fault::Paused(_) => {
                self.nodes.signal(leader, Signal::STOP);
                self.nodes.leader_of(&others);
                self.nodes.signal(leader, Signal::CONT);
                gate.open();
            }
            Fault::Late(_) => {
                self.nodes.signal(leader, Signal::STOP);
                self.nodes.leader_of(&others);
                // Not many: each waits in vain for the paused node now and then.
                self.work(4);
                // By the node, if it heard of it.
                let refused = |said: String| said.matches("refused: a leader of").count();
                let before = refused(self.nodes.said(leader));
                self.nodes.signal(leader, Signal::CONT);
                gate.open();
                wait_until("the late call is refused", || {
                    gate.has_refused() || refused(self.nodes.said(leader)) > before
                });
            }
            Fault::ServerKilled(_) => {
                self.server.kill();
                gate.cut();
                thread::sleep(Duration::from_millis(self.random.below(400) as u64));
                self.server.start();
            }
        }
    }

    /// Waits until an operation is at that moment. Whose it is.
    fn hold(&self, moment: Moment) -> usize {
        self.gates.iter().for_each(|gate| gate.hold(moment));
        let mut holding = None;
        wait_until("an operation is on its way", || {
            holding = self.gates.iter().position(Gate::is_holding);
            holding.is_some()
        });
        let holding = holding.expect("it was waited for");
        let others = self.gates.iter().enumerate().filter(|(node, _)| *node != holding);
        others.for_each(|(_, gate)| gate.open());
        holding
    }
}

/// Has every command executed once, through whichever node answers.
struct Client<'a> {
    number: usize,
    nodes: &'a Processes,
    /// Which node is asked next.
    next: Cell<usize>,
    session: String,
    /// How many commands there were in the session.
    commands: Cell<u64>,
}

/// What a client was told.
#[derive(Default)]
struct Found {
    inserted: BTreeMap<String, String>,
    /// How often it has counted the counter up.
    counted: u64,
    /// What it has set, and what it has found there.
    set: Vec<(String, String)>,
}

impl<'a> Client<'a> {
    fn new(number: usize, nodes: &'a Processes) -> Self {
        let (next, session, commands) = (Cell::new(number), String::new(), Cell::new(0));
        let mut client = Self { number, nodes, next, session, commands };
        client.session = client.insist("OPEN").replace("SESSION ", "");
        client
    }

    /// Again and again inserts a key of its own, tries to count the counter up and sets what all set.
    fn work(&self, rounds: &AtomicU64, stopping: &AtomicBool) -> Found {
        let mut found = Found::default();
        for round in 0.. {
            let name = format!("{}-{round}", self.number);
            let existing = self.once(&format!("INSERT key-{name} {name}"));
            assert_eq!(existing, "NONE", "{name} was inserted once, and not in its own way");
            found.inserted.insert(format!("key-{name}"), name.clone());

            let count = self.insist("GET counter").replace("VALUE ", "");
            let count: u64 = count.parse().expect("the counter is there from the beginning");
            found.counted +=
                u64::from(self.once(&format!("UPDATE counter {} {count}", count + 1)) == "true");

            let before = self.once(&format!("SET last {name}")).replace("VALUE ", "");
            found.set.push((name, before));
            rounds.fetch_add(1, Ordering::Relaxed);
            if stopping.load(Ordering::Relaxed) {
                break;
            }
        }
        found
    }

    /// Has a command executed once, however often it has to be sent.
    fn once(&self, command: &str) -> String {
        self.commands.set(self.commands.get() + 1);
        self.insist(&format!("AS {} {} {command}", self.session, self.commands.get()))
    }

    /// Asks one node after the other until one answers with something else than an error.
    fn insist(&self, line: &str) -> String {
        let begun = Instant::now();
        let mut error = None;
        loop {
            let node = self.next.get() % 3;
            self.next.set(node + 1);
            match self.nodes.ask(node, line) {
                Some(answer) if !answer.starts_with("ERROR") => return answer,
                said => error = said.or(error),
            }
            assert!(begun.elapsed() < PATIENCE, "asked for {line} in vain: {error:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Tells the clients to stop when it is dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Small numbers that a seed decides.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}
