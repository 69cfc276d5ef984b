//! What one committed entry costs after ten thousand, a hundred thousand and a million others.
//!
//! Three nodes in one process, every message encoded and decoded, every write done at once, a map of
//! a thousand keys. Prints the time per entry over the last tenth of each stage, and the memory that
//! each entry of the stage has added: that of three logs, which keep every entry.

#![expect(clippy::disallowed_types, reason = "a benchmark reads the clock")]

use std::collections::VecDeque;
use std::error::Error;
use std::fs;
use std::time::Instant;

use hamok::{
    Birth, Config, Envelope, Incarnation, Input, Map, Node, NodeId, Outcome, Output, RequestId,
    Ticks,
};

const SCORES: Map<u64, u64> = Map::new("scores");
const STAGES: [u64; 3] = [10_000, 100_000, 1_000_000];
const KEYS: u64 = 1_000;

struct Cluster {
    nodes: Vec<Node>,
    inputs: VecDeque<(usize, Input)>,
    done: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut cluster = Cluster::new()?;
    let mut number = 0;
    let mut before = (0, resident_bytes()?);
    println!("{:>10} {:>10} {:>12}", "entries", "ns/entry", "bytes/entry");
    for stage in STAGES {
        let measured_from = stage - stage / 10;
        cluster.set_until(&mut number, measured_from)?;
        let start = Instant::now();
        cluster.set_until(&mut number, stage)?;
        let nanoseconds = start.elapsed().as_nanos() / u128::from(stage - measured_from);
        let resident = resident_bytes()?;
        let bytes = resident.saturating_sub(before.1) / (stage - before.0);
        println!("{stage:>10} {nanoseconds:>10} {bytes:>12}");
        before = (stage, resident);
    }
    Ok(())
}

impl Cluster {
    fn new() -> Result<Self, Box<dyn Error>> {
        let ids: Vec<NodeId> = (1..=3).map(NodeId::new).collect();
        let mut nodes = Vec::new();
        for &id in &ids {
            let birth = Birth::Meet { peers: ids.clone() };
            nodes.push(Node::new(Config::new(id, Incarnation::new(id.get()), birth))?);
        }
        let mut cluster = Self { nodes, inputs: VecDeque::new(), done: 0 };
        while !cluster.nodes.iter().all(|node| node.status().ready) {
            for at in 0..cluster.nodes.len() {
                cluster.inputs.push_back((at, Input::Tick(Ticks::new(1))));
            }
            cluster.run()?;
        }
        Ok(cluster)
    }

    fn set_until(&mut self, number: &mut u64, end: u64) -> Result<(), Box<dyn Error>> {
        while *number < end {
            *number += 1;
            let (request, _) = SCORES.set(&(*number % KEYS), number)?.into_parts();
            self.inputs.push_back((0, Input::Request(RequestId::new(*number), request)));
            self.run()?;
        }
        if self.done == end { Ok(()) } else { Err(format!("{} of {end} done", self.done).into()) }
    }

    fn run(&mut self) -> Result<(), Box<dyn Error>> {
        while let Some((at, input)) = self.inputs.pop_front() {
            for output in self.nodes[at].step(input) {
                match output {
                    Output::Persist(write) => {
                        self.inputs.push_back((at, Input::Persisted(write.id())));
                    }
                    Output::Send(envelope) => {
                        let to = usize::try_from(envelope.to().get() - 1)?;
                        let envelope = Envelope::decode(&envelope.encode())?;
                        self.inputs.push_back((to, Input::Receive(envelope)));
                    }
                    Output::Reply(reply) => {
                        if !matches!(reply.outcome(), Outcome::Done { .. }) {
                            return Err(reply.to_string().into());
                        }
                        self.done += 1;
                    }
                    Output::Event(_) | Output::Remote(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// The resident memory of this process, as Linux tells it; 0 elsewhere.
fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return Ok(0) };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes << 10)
}
