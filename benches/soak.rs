//! A group of three that runs for days of its own time: does its memory stay where it is?
//!
//! A hundred operations a second, with ten ticks to the second, limits small enough that snapshots are
//! taken all the time, a node restarted from its disk every hour, and leadership handed on every ten
//! minutes. Prints the memory of the process after each day, and how full the fullest node is. Takes
//! the number of days as an argument: `cargo bench --bench soak -- 10`; one by default.

#![expect(clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![expect(clippy::disallowed_methods, reason = "and its arguments")]

use std::collections::VecDeque;
use std::error::Error;
use std::fs;
use std::time::Instant;

use hamok::{
    Birth, Config, Incarnation, Input, Map, Node, NodeId, Outcome, Output, Request, RequestId,
    Stored, Ticks, transfer_leadership,
};

const MAP: Map<u64, u64> = Map::new("soak");
const NODES: u64 = 3;
const KEYS: u64 = 1_000;
const OPERATIONS_PER_TICK: u64 = 10;
const TICKS_PER_MINUTE: u64 = 600;
const MINUTES_PER_DAY: u64 = 24 * 60;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Group {
    nodes: Vec<Node>,
    disks: Vec<Stored>,
    inputs: VecDeque<(usize, Input)>,
    requests: u64,
    done: u64,
    failed: u64,
}

fn main() -> Result<()> {
    let days: u64 = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(1);
    let start = Instant::now();
    let mut group = Group::new()?;
    println!("{:>4} {:>11} {:>9} {:>12} {:>9}  fullest", "day", "done", "not done", "memory", "s");
    for day in 1..=days {
        for minute in 0..MINUTES_PER_DAY {
            group.pass_a_minute(day * MINUTES_PER_DAY + minute)?;
        }
        let seconds = start.elapsed().as_secs();
        let (memory, fullest) = (resident_bytes()?, group.fullest());
        let Group { done, failed, .. } = group;
        println!("{day:>4} {done:>11} {failed:>9} {memory:>12} {seconds:>9}  {fullest}");
    }
    Ok(())
}

impl Group {
    fn new() -> Result<Self> {
        let nodes =
            (1..=NODES).map(|id| Node::new(config(id))).collect::<std::result::Result<_, _>>()?;
        let mut group = Self {
            nodes,
            disks: vec![Stored::new(); usize::try_from(NODES)?],
            inputs: VecDeque::new(),
            requests: 0,
            done: 0,
            failed: 0,
        };
        while !group.nodes.iter().all(|node| node.status().ready) {
            group.tick()?;
        }
        Ok(group)
    }

    fn pass_a_minute(&mut self, minute: u64) -> Result<()> {
        if minute.is_multiple_of(60) {
            let at = usize::try_from(minute / 60 % NODES)?;
            let config = config(at as u64 + 1);
            self.nodes[at] = Node::restore(config, self.disks[at].clone())?;
        }
        if minute % 10 == 5 {
            self.ask(transfer_leadership(None).into_parts().0)?;
        }
        for _ in 0..TICKS_PER_MINUTE {
            for _ in 0..OPERATIONS_PER_TICK {
                let (key, number) = (self.requests % KEYS, self.requests);
                let request = match number % 10 {
                    0 => MAP.remove(&key)?.into_parts().0,
                    1 => MAP.read(&key)?.into_parts().0,
                    _ => MAP.set(&key, &number)?.into_parts().0,
                };
                self.ask(request)?;
            }
            self.tick()?;
        }
        Ok(())
    }

    fn ask(&mut self, request: Request) -> Result<()> {
        self.requests += 1;
        let at = usize::try_from(self.requests % NODES)?;
        self.inputs.push_back((at, Input::Request(RequestId::new(self.requests), request)));
        self.run()
    }

    fn tick(&mut self) -> Result<()> {
        for at in 0..self.nodes.len() {
            self.inputs.push_back((at, Input::Tick(Ticks::new(1))));
        }
        self.run()
    }

    fn run(&mut self) -> Result<()> {
        while let Some((at, input)) = self.inputs.pop_front() {
            for output in self.nodes[at].step(input) {
                match output {
                    Output::Persist(write) => {
                        self.disks[at].apply(&write)?;
                        self.inputs.push_back((at, Input::Persisted(write.id())));
                    }
                    Output::Send(envelope) => {
                        let to = usize::try_from(envelope.to().get() - 1)?;
                        self.inputs.push_back((to, Input::Receive(envelope)));
                    }
                    Output::Reply(reply) => {
                        let done = matches!(reply.outcome(), Outcome::Done { .. });
                        self.done += u64::from(done);
                        self.failed += u64::from(!done);
                    }
                    Output::Remote(_) | Output::Event(_) => {}
                }
            }
        }
        Ok(())
    }

    /// The load of the node with the longest log.
    fn fullest(&self) -> String {
        let loads = self.nodes.iter().map(|node| node.status().load);
        let Some(load) = loads.max_by_key(|load| load.log_bytes) else { return String::new() };
        format!(
            "log {} entries {} bytes, snapshot {} bytes, {} sessions, {} pending",
            load.log_entries,
            load.log_bytes,
            load.snapshot_bytes,
            load.sessions,
            load.pending_requests
        )
    }
}

fn config(id: u64) -> Config {
    let peers = (1..=NODES).map(NodeId::new).collect();
    let mut config = Config::new(NodeId::new(id), Incarnation::new(id), Birth::Meet { peers });
    config.max_log_bytes = 64 << 10;
    config.trailing_log_bytes = 8 << 10;
    config.sessions.max_sessions = 8;
    config.sessions.max_reply_bytes = 16 << 10;
    config
}

/// The resident memory of this process, as Linux tells it; 0 elsewhere.
fn resident_bytes() -> Result<u64> {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return Ok(0) };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes << 10)
}
