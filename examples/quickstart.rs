//! Two nodes in one process, sharing a map: one sets `key-1`, the other `key-2`, both read both.
//!
//! ```text
//! cargo run --example quickstart
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;

use hamok::{
    Birth, Call, Config, Envelope, Incarnation, Input, Map, Node, NodeId, Output, Reply, RequestId,
    Ticket, Ticks, sync,
};

const STORAGE: Map<String, u64> = Map::new("my-replicated-storage");
const SERVER_1: NodeId = NodeId::new(1);
const SERVER_2: NodeId = NodeId::new(2);

fn main() -> Result<(), Box<dyn Error>> {
    let mut servers = Servers::default();
    servers.add(SERVER_1, SERVER_2)?;
    servers.add(SERVER_2, SERVER_1)?;
    servers.run_until("both know a leader", |servers| {
        servers.nodes.values().all(|node| node.status().leader.is_some())
    })?;

    println!("Setting value in storage on server_1 for key-1 to 1");
    println!("Setting value in storage on server_2 for key-2 to 2");
    let first = servers.ask(SERVER_1, STORAGE.set(&"key-1".into(), &1)?);
    let second = servers.ask(SERVER_2, STORAGE.set(&"key-2".into(), &2)?);
    assert_eq!(servers.answer(first)?, None, "there was no value before");
    assert_eq!(servers.answer(second)?, None, "there was no value before");

    // A view is this node's own copy, which may lag. `sync` answers once it has applied all that was
    // committed when it was asked.
    let first = servers.ask(SERVER_1, sync());
    let second = servers.ask(SERVER_2, sync());
    servers.answer(first)?;
    servers.answer(second)?;
    for (name, id, key) in [("server_1", SERVER_1, "key-2"), ("server_2", SERVER_2, "key-1")] {
        let value = servers.nodes[&id].map(&STORAGE).get(&key.into())?;
        println!("value for {key} by {name}: {}", value.ok_or("the value is missing")?);
    }
    Ok(())
}

/// The nodes, what is on its way to them, and the replies that nobody has fetched yet.
#[derive(Default)]
struct Servers {
    nodes: BTreeMap<NodeId, Node>,
    inputs: VecDeque<(NodeId, Input)>,
    replies: BTreeMap<RequestId, Reply>,
    requests: u64,
}

impl Servers {
    fn add(&mut self, id: NodeId, other: NodeId) -> Result<(), Box<dyn Error>> {
        // Nothing is kept on disk here, so every start is another incarnation: a random number.
        let incarnation = Incarnation::new(getrandom::u64()?);
        let config = Config::new(id, incarnation, Birth::Meet { peers: vec![other] });
        self.nodes.insert(id, Node::new(config)?);
        Ok(())
    }

    /// Asks one node for something. The ticket tells what the reply will mean.
    fn ask<R>(&mut self, id: NodeId, call: Call<R>) -> (RequestId, Ticket<R>) {
        self.requests += 1;
        let request_id = RequestId::new(self.requests);
        let (request, ticket) = call.into_parts();
        self.inputs.push_back((id, Input::Request(request_id, request)));
        (request_id, ticket)
    }

    /// Waits for a reply. Every request gets exactly one, whatever happens.
    fn answer<R>(&mut self, asked: (RequestId, Ticket<R>)) -> Result<R, Box<dyn Error>> {
        let (id, ticket) = asked;
        self.run_until("the reply is there", |servers| servers.replies.contains_key(&id))?;
        let reply = self.replies.remove(&id).ok_or("the reply is missing")?;
        Ok(ticket.redeem(reply)?)
    }

    /// Lets time pass until something holds. A program with a clock would tick every 50 ms, say.
    fn run_until(
        &mut self,
        what: &str,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<(), Box<dyn Error>> {
        for _ in 0..1_000 {
            if holds(self) {
                return Ok(());
            }
            for id in [SERVER_1, SERVER_2] {
                self.inputs.push_back((id, Input::Tick(Ticks::new(1))));
            }
            self.work_off();
        }
        Err(format!("gave up waiting until {what}").into())
    }

    /// Feeds each node what is for it, and carries out what it asks for in return.
    fn work_off(&mut self) {
        while let Some((id, input)) = self.inputs.pop_front() {
            let Some(node) = self.nodes.get_mut(&id) else { continue };
            for output in node.step(input) {
                match output {
                    // This is where a program writes to its disk. One that keeps nothing says at
                    // once that it is done.
                    Output::Persist(write) => {
                        self.inputs.push_back((id, Input::Persisted(write.id())));
                    }
                    Output::Send(envelope) => self.send(envelope),
                    Output::Reply(reply) => {
                        self.replies.insert(reply.id(), reply);
                    }
                    Output::Event(_) | Output::Remote(_) => {}
                }
            }
        }
    }

    /// This is where a program sends `envelope.encode()` over its network.
    fn send(&mut self, envelope: Envelope) {
        self.inputs.push_back((envelope.to(), Input::Receive(envelope)));
    }
}
