//! A small program on a remote map, whatever its outside store is: it counts visits.
//!
//! The node steps on the main thread, and calls are made on another, which may take its time. One node
//! is a group by itself here, and keeps nothing on disk: each start is a new group, which adopts the
//! entries that the one before has left. A group that lasts keeps its disks (see `tcp_cluster.rs`), has
//! more members (give each such a thread of its own), and adopts only what was another's.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use hamok::{
    Birth, Call, Config, Incarnation, Input, Node, NodeId, Output, RemoteCall, RemoteMap,
    RemoteResult, Reply, RequestId, Ticks,
};

/// How often each visitor was here.
const VISITS: RemoteMap<String, u64> = RemoteMap::new("visits");
const TICK: Duration = Duration::from_millis(20);
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Member {
    node: Node,
    to_worker: Sender<RemoteCall>,
    results: Receiver<Input>,
    requests: u64,
}

/// Counts a visit of each visitor, and prints all that were ever counted.
#[expect(clippy::disallowed_methods, reason = "a program has threads")]
pub(crate) fn run(
    mut perform: impl FnMut(&RemoteCall) -> RemoteResult + Send + 'static,
    visitors: impl Iterator<Item = String>,
) -> Result<()> {
    let (to_worker, calls) = channel::<RemoteCall>();
    let (to_node, results) = channel();
    thread::spawn(move || {
        for call in calls {
            // Each call is answered for, once; if it cannot be told what came of it, by `Unanswered`.
            let result = perform(&call);
            if to_node.send(Input::Remote(call.id(), result)).is_err() {
                return;
            }
        }
    });
    let incarnation = Incarnation::new(getrandom::u64()?);
    let node = Node::new(Config::new(NodeId::new(1), incarnation, Birth::Found))?;
    let mut member = Member { node, to_worker, results, requests: 0 };

    member.ask(VISITS.adopt())?;
    for visitor in visitors {
        member.count(&visitor)?;
    }
    let mut from = None;
    loop {
        let page = member.ask(VISITS.read_entries(from.as_ref(), 100))?;
        for (visitor, visits) in page.items {
            println!("{visitor} was here {visits} times");
        }
        from = page.next;
        if from.is_none() {
            return Ok(());
        }
    }
}

impl Member {
    /// Counts a visit. Others may count at the same time: whoever comes second reads again.
    fn count(&mut self, visitor: &String) -> Result<()> {
        loop {
            let counted = match self.ask(VISITS.get_held(visitor)?)? {
                Some(visits) => {
                    self.ask(VISITS.update_held(visitor, &(visits.value + 1), &visits)?)?
                }
                None => self.ask(VISITS.insert(visitor, &1)?)?.is_none(),
            };
            if counted {
                return Ok(());
            }
        }
    }

    /// Asks the group for something and waits for the one reply.
    fn ask<R>(&mut self, call: Call<R>) -> Result<R> {
        let (request, ticket) = call.into_parts();
        self.requests += 1;
        let mut input = Input::Request(RequestId::new(self.requests), request);
        loop {
            if let Some(reply) = self.step(input)? {
                return Ok(ticket.redeem(reply)?);
            }
            input = match self.results.recv_timeout(TICK) {
                Ok(result) => result,
                Err(RecvTimeoutError::Timeout) => Input::Tick(Ticks::new(1)),
                Err(RecvTimeoutError::Disconnected) => return Err("the worker has ended".into()),
            };
        }
    }

    /// One input and all that follows from it. The reply, if it came; only one is ever waited for.
    fn step(&mut self, input: Input) -> Result<Option<Reply>> {
        let mut replied = None;
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for output in self.node.step(input) {
                match output {
                    // Nothing is kept: a group of one that ends is no more.
                    Output::Persist(write) => inputs.push(Input::Persisted(write.id())),
                    Output::Remote(call) => self.to_worker.send(call)?,
                    Output::Reply(reply) => replied = Some(reply),
                    Output::Event(event) => eprintln!("{event}"),
                    Output::Send(_) => {} // There is nobody else.
                }
            }
            // A step does a bounded amount of work; zero idle ticks mean that some is left.
            if inputs.is_empty() && self.node.idle_ticks() == Ticks::ZERO {
                inputs.push(Input::Tick(Ticks::ZERO));
            }
        }
        Ok(replied)
    }
}
