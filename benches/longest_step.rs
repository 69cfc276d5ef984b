//! How long a single step takes at most, with a million entries of 64 bytes in a map: while nothing
//! else goes on, while snapshots are written, while one is installed, and after a restart.
//!
//! What is measured is [`Node::step`] alone, since encoding what it puts out is the program's own time,
//! and in time of the processor, since a shared machine interrupts whom it likes. A step that frees
//! memory also has the allocator's time in it.

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use hamok::{
    Birth, Config, Incarnation, Input, Map, Node, NodeId, Outcome, Output, Request, RequestId,
    Stored, Ticks,
};
use rustix::time::{ClockId, clock_gettime};

const VALUES: Map<u64, [[u8; 32]; 2]> = Map::new("first half");
const MORE: Map<u64, [[u8; 32]; 2]> = Map::new("second half");
const ENTRIES: u64 = 1_000_000;
const BULK: u64 = 50;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Nodes 1 and 2, of which the second joins late, and how long their steps took.
struct Pair {
    nodes: Vec<Node>,
    disks: Vec<Stored>,
    inputs: VecDeque<(usize, Input)>,
    requests: u64,
    pending: u64,
    steps: Vec<Vec<Duration>>,
}

fn main() -> Result<()> {
    println!("{:<34} {:>8} {:>9} {:>9} {:>9}", "", "steps", "median", "99.9 %", "longest");
    let mut pair = Pair::founded(u64::MAX)?;
    pair.fill()?;
    pair.report("filling, no snapshot", 0);
    pair.set_singly(50_000)?;
    pair.report("single sets, no snapshot", 0);
    drop(pair);

    let mut pair = Pair::founded(8 << 20)?;
    pair.fill()?;
    pair.report("filling, snapshots on the way", 0);
    let before = pair.nodes[0].status().counters.snapshots_taken;
    pair.set_singly(200_000)?;
    let taken = pair.nodes[0].status().counters.snapshots_taken - before;
    pair.report(&format!("single sets, {taken} snapshots written"), 0);

    pair.join()?;
    pair.report("sending a snapshot", 0);
    pair.report("installing a snapshot", 1);

    pair.clear()?;
    pair.report("clearing half, and after", 0);
    pair.restart()?;
    pair.report("restoring a snapshot", 0);
    Ok(())
}

impl Pair {
    fn founded(max_log_bytes: u64) -> Result<Self> {
        let mut config = config(1, Birth::Found);
        config.max_log_bytes = max_log_bytes;
        config.max_log_entries = u64::MAX;
        let mut pair = Self {
            nodes: vec![Node::new(config)?],
            disks: vec![Stored::new()],
            inputs: VecDeque::new(),
            requests: 0,
            pending: 0,
            steps: vec![Vec::new()],
        };
        pair.tick_until(|pair| pair.nodes[0].status().ready)?;
        Ok(pair)
    }

    fn fill(&mut self) -> Result<()> {
        for first in (0..ENTRIES).step_by(usize::try_from(BULK)?) {
            let half = if first < ENTRIES / 2 { &VALUES } else { &MORE };
            let entries = (first..first + BULK).map(|key| (scatter(key), value(key)));
            self.ask(half.set_all(entries)?.into_parts().0)?;
        }
        Ok(())
    }

    fn set_singly(&mut self, count: u64) -> Result<()> {
        for key in 0..count {
            let half = if key % 2 == 0 { &VALUES } else { &MORE };
            self.ask(half.set(&scatter(key), &value(key + 1))?.into_parts().0)?;
        }
        Ok(())
    }

    /// The second node joins, and is done when it is in the same state.
    fn join(&mut self) -> Result<()> {
        let contacts = vec![NodeId::new(1)];
        self.nodes.push(Node::new(config(2, Birth::Join { contacts, voter: true }))?);
        self.disks.push(Stored::new());
        self.steps.push(Vec::new());
        self.tick_until(|pair| {
            let [first, second] = &pair.nodes[..] else { return false };
            first.status().digest == second.status().digest
                && second.idle_ticks() > Ticks::ZERO
                && second.status().configuration.voters().count() == 2
        })
    }

    fn clear(&mut self) -> Result<()> {
        self.ask(VALUES.clear().into_parts().0)?;
        self.tick_until(|pair| pair.nodes[0].idle_ticks() > Ticks::ZERO)
    }

    fn restart(&mut self) -> Result<()> {
        let digest = self.nodes[0].status().digest;
        self.nodes[0] = Node::restore(config(1, Birth::Found), self.disks[0].clone())?;
        self.tick_until(|pair| pair.nodes[0].status().digest == digest)
    }

    /// One request, and all that follows from it at once.
    fn ask(&mut self, request: Request) -> Result<()> {
        self.requests += 1;
        self.pending += 1;
        self.inputs.push_back((0, Input::Request(RequestId::new(self.requests), request)));
        self.run()?;
        self.tick_until(|pair| pair.pending == 0)
    }

    fn tick_until(&mut self, done: impl Fn(&Self) -> bool) -> Result<()> {
        for _ in 0..1_000_000 {
            if done(self) {
                return Ok(());
            }
            for at in 0..self.nodes.len() {
                // A step that left work over goes on without time passing.
                let busy = self.nodes[at].idle_ticks() == Ticks::ZERO;
                self.inputs.push_back((at, Input::Tick(Ticks::new(u64::from(!busy)))));
            }
            self.run()?;
        }
        Err("it does not come to an end".into())
    }

    fn run(&mut self) -> Result<()> {
        while let Some((at, input)) = self.inputs.pop_front() {
            let start = processor_time()?;
            let outputs = self.nodes[at].step(input);
            self.steps[at].push(processor_time()? - start);
            for output in outputs {
                match output {
                    Output::Persist(write) => {
                        self.disks[at].apply(&write)?;
                        self.inputs.push_back((at, Input::Persisted(write.id())));
                    }
                    Output::Send(envelope) => {
                        let to = usize::try_from(envelope.to().get() - 1)?;
                        if to < self.nodes.len() {
                            self.inputs.push_back((to, Input::Receive(envelope)));
                        }
                    }
                    Output::Reply(reply) => {
                        if !matches!(reply.outcome(), Outcome::Done { .. }) {
                            return Err(reply.to_string().into());
                        }
                        self.pending -= 1;
                    }
                    Output::Event(_) | Output::Remote(_) => {}
                }
            }
        }
        Ok(())
    }

    fn report(&mut self, what: &str, at: usize) {
        let steps = &mut self.steps[at];
        steps.sort_unstable();
        let count = steps.len();
        let [median, most, longest] =
            [500, 999, 1000].map(|share| micros(steps[(count - 1) * share / 1000]));
        println!("{what:<34} {count:>8} {median:>9} {most:>9} {longest:>9}");
        steps.clear();
    }
}

/// How long this thread has been running.
fn processor_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::ThreadCPUTime).try_into()?)
}

fn config(id: u64, birth: Birth) -> Config {
    Config::new(NodeId::new(id), Incarnation::new(id), birth)
}

/// Keys in no particular order.
fn scatter(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn value(key: u64) -> [[u8; 32]; 2] {
    let mut value = [[0; 32]; 2];
    value[0][..8].copy_from_slice(&key.to_le_bytes());
    value
}

fn micros(duration: Duration) -> String {
    format!("{:.1} µs", duration.as_secs_f64() * 1e6)
}
