//! One node of a group, on TCP and a file: what the examples with one process per node share.
//!
//! A node is told `ID FOLDER CLIENTS PEER_1 PEER_2 …`. `PEER_1` is the address at which node 1 is reached
//! by its peers, and so on; `ID` says which of them this one is; `FOLDER` exists and is this node's alone;
//! `CLIENTS` is the address for clients, who write lines, each answered by a line: `STATUS` by role, term,
//! applied index and digest, others as the example says, and whatever fails by `ERROR` and why.
//!
//! Peers are trusted here: on a network that is not, put TLS around their connections.

mod network;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use hamok::{
    Birth, Call, Config, Envelope, Incarnation, Input, Node, NodeId, Output, RemoteCall,
    RemoteResult, Reply, Request, RequestId, Stored, Ticks, Write,
};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};

const TICK: Duration = Duration::from_millis(20);
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
type Shared = Arc<Mutex<Server>>;

/// What a client's words ask for.
pub(crate) type Understand = fn(&[&str]) -> Result<Asked>;

/// A request, and how to tell the client of its reply.
pub(crate) struct Asked {
    request: Request,
    tell: Box<dyn FnOnce(Reply) -> Result<String> + Send>,
}

/// The node and where its outputs go.
struct Server {
    node: Node,
    to_disk: Sender<Write>,
    to_store: Sender<RemoteCall>,
    to_peers: BTreeMap<NodeId, mpsc::Sender<Envelope>>,
    waiting: BTreeMap<RequestId, oneshot::Sender<Reply>>,
}

impl Asked {
    pub(crate) fn new<R: 'static>(call: Call<R>, tell: fn(R) -> String) -> Self {
        let (request, ticket) = call.into_parts();
        Self { request, tell: Box::new(move |reply| Ok(tell(ticket.redeem(reply)?))) }
    }
}

/// Runs a node whose remote maps are kept by what `perform` calls.
#[expect(clippy::disallowed_methods, reason = "a call may take its time, on a thread of its own")]
pub(crate) async fn run(
    arguments: &[String],
    perform: impl FnMut(&RemoteCall) -> RemoteResult + Send + 'static,
    understand: Understand,
) -> Result<()> {
    let [id, folder, clients, peers @ ..] = arguments else {
        return Err("a node is told ID FOLDER CLIENTS PEER_1 PEER_2 …".into());
    };
    let (id, folder) = (NodeId::new(id.parse()?), folder.clone());
    let addresses: BTreeMap<NodeId, &String> = (1..).map(NodeId::new).zip(peers).collect();
    let peers = TcpListener::bind(addresses.get(&id).ok_or("no peer has this ID")?).await?;
    let clients = TcpListener::bind(clients).await?;
    // Counts for a new node only; a restored one goes on under the number in its file.
    let incarnation = Incarnation::new(getrandom::u64()?);
    let birth = Birth::Meet { peers: addresses.keys().copied().collect() };
    let config = Config::new(id, incarnation, birth);
    let node = match fs::exists(format!("{folder}/log"))? {
        true => Node::restore(config, Stored::decode(&fs::read(format!("{folder}/log"))?)?)?,
        false => Node::new(config)?,
    };
    let mut to_peers = BTreeMap::new();
    for (&peer, &address) in addresses.iter().filter(|(peer, _)| **peer != id) {
        let (sender, envelopes) = mpsc::channel(1024);
        tokio::spawn(network::keep_sending(address.clone(), envelopes));
        to_peers.insert(peer, sender);
    }
    let ((to_disk, writes), (to_store, calls)) = (channel(), channel());
    let server = Server { node, to_disk, to_store, to_peers, waiting: BTreeMap::new() };
    let server = Arc::new(Mutex::new(server));
    let (disk, store) = (server.clone(), server.clone());
    let mut disk = tokio::task::spawn_blocking(move || keep_writing(&disk, &folder, &writes));
    thread::spawn(move || keep_calling(&store, perform, &calls));
    let mut clock = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            _ = clock.tick() => server.lock().await.step(Input::Tick(Ticks::new(1))),
            peer = peers.accept() => drop(tokio::spawn(network::receive(server.clone(), peer?.0))),
            client = clients.accept() => {
                drop(tokio::spawn(network::serve(server.clone(), client?.0, understand)));
            }
            // What a failed write left on the disk is not known: stop, and restart from there.
            failed = &mut disk => return failed?,
        }
    }
}

impl Server {
    fn step(&mut self, input: Input) {
        let mut outputs = self.node.step(input);
        // A step does a bounded amount of work; zero idle ticks mean that some is left.
        while self.node.idle_ticks() == Ticks::ZERO {
            outputs.extend(self.node.step(Input::Tick(Ticks::ZERO)));
        }
        for output in outputs {
            match output {
                Output::Persist(write) => drop(self.to_disk.send(write)),
                // Lost when a slow or dead peer's queue is full. The node can bear that.
                Output::Send(envelope) => {
                    if let Some(peer) = self.to_peers.get(&envelope.to()) {
                        drop(peer.try_send(envelope));
                    }
                }
                Output::Reply(reply) => {
                    drop(self.waiting.remove(&reply.id()).map(|client| client.send(reply)));
                }
                Output::Remote(call) => drop(self.to_store.send(call)),
                Output::Event(event) => eprintln!("{event}"),
            }
        }
    }
}

/// Performs writes in order, as many as have come together under one sync.
fn keep_writing(server: &Shared, folder: &str, writes: &Receiver<Write>) -> Result<()> {
    let (log, new) = (format!("{folder}/log"), format!("{folder}/log.new"));
    let mut file = File::create(&new)?;
    while let Ok(first) = writes.recv() {
        let (mut last, mut image) = (first.id(), false);
        for write in std::iter::once(first).chain(writes.try_iter()) {
            if write.starts_file() {
                (file, image) = (File::create(&new)?, true);
            }
            file.write_all(&write.encode())?;
            last = write.id();
        }
        file.sync_all()?;
        if image {
            fs::rename(&new, &log)?;
            File::open(folder)?.sync_all()?;
        }
        server.blocking_lock().step(Input::Persisted(last));
    }
    Ok(())
}

/// Makes calls on the outside store, one after the other. Each is answered for, once; if it cannot be told
/// what came of it, by `Unanswered`.
fn keep_calling(
    server: &Shared,
    mut perform: impl FnMut(&RemoteCall) -> RemoteResult,
    calls: &Receiver<RemoteCall>,
) {
    while let Ok(call) = calls.recv() {
        let result = perform(&call);
        if let RemoteResult::Refused(_) = result {
            eprintln!("{call}: {result}");
        }
        server.blocking_lock().step(Input::Remote(call.id(), result));
    }
}
