//! One node per process, on TCP and a file.
//!
//! Started by `cargo run --example tcp_cluster -- ID FOLDER CLIENTS PEER_1 PEER_2 …`. `PEER_1` is the
//! address at which node 1 is reached by its peers, and so on; `ID` says which of them this one is;
//! `FOLDER` exists and is this node's alone; `CLIENTS` is the address for clients, who write lines:
//! `printf 'SET colour blue\nGET colour\nSTATUS\n' | nc -N 127.0.0.1 8001`. `SET key value` is
//! answered by `OK`; `GET key`, a linearizable read, by `VALUE value` or `NONE`; `STATUS` by role,
//! term, applied index and digest; and whatever fails by `ERROR` and why.
//!
//! Peers are trusted here: on a network that is not, put TLS around their connections.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use hamok::{
    Birth, Call, Config, Envelope, Incarnation, Input, MAX_ENVELOPE_BYTES, Map, Node, NodeId,
    Output, Reply, RequestId, Stored, Ticks, Write,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, oneshot};

const MAP: Map<String, String> = Map::new("tcp_cluster");
const TICK: Duration = Duration::from_millis(20);
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
type Shared = Arc<Mutex<Server>>;

/// The node and where its outputs go.
struct Server {
    node: Node,
    to_disk: Sender<Write>,
    to_peers: BTreeMap<NodeId, mpsc::Sender<Envelope>>,
    waiting: BTreeMap<RequestId, oneshot::Sender<Reply>>,
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "a program is told what to do by its arguments")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [id, folder, clients, peers @ ..] = arguments.as_slice() else {
        return Err("usage: tcp_cluster ID FOLDER CLIENTS PEER_1 PEER_2 …".into());
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
        tokio::spawn(keep_sending(address.clone(), envelopes));
        to_peers.insert(peer, sender);
    }
    let (to_disk, writes) = channel();
    let server = Arc::new(Mutex::new(Server { node, to_disk, to_peers, waiting: BTreeMap::new() }));
    let disk = server.clone();
    let mut disk = tokio::task::spawn_blocking(move || keep_writing(&disk, &folder, &writes));
    let mut clock = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            _ = clock.tick() => server.lock().await.step(Input::Tick(Ticks::new(1))),
            peer = peers.accept() => drop(tokio::spawn(receive(server.clone(), peer?.0))),
            client = clients.accept() => drop(tokio::spawn(serve(server.clone(), client?.0))),
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
                Output::Event(event) => eprintln!("{event}"),
                Output::Remote(_) => {} // No remote map is used here.
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

/// Sends a peer what comes, connecting as often as it takes.
async fn keep_sending(address: String, mut envelopes: mpsc::Receiver<Envelope>) {
    let mut connection = None;
    while let Some(envelope) = envelopes.recv().await {
        if connection.is_none() {
            connection = TcpStream::connect(&address).await.ok();
        }
        let bytes = envelope.encode();
        let frame = [&(bytes.len() as u64).to_le_bytes(), bytes.as_slice()].concat();
        if let Some(stream) = &mut connection
            && (stream.set_nodelay(true).is_err() || stream.write_all(&frame).await.is_err())
        {
            connection = None;
        }
    }
}

/// Reads a peer's envelopes, until the connection ends or brings something else.
async fn receive(server: Shared, mut stream: TcpStream) -> Result<()> {
    loop {
        let length = stream.read_u64_le().await?;
        if length > MAX_ENVELOPE_BYTES {
            return Err("a peer sent a frame too long for an envelope".into());
        }
        let mut bytes = vec![0; usize::try_from(length)?];
        stream.read_exact(&mut bytes).await?;
        server.lock().await.step(Input::Receive(Envelope::decode(&bytes)?));
    }
}

/// Answers a client's lines, one after the other.
async fn serve(server: Shared, mut stream: TcpStream) -> Result<()> {
    let (reading, mut writing) = stream.split();
    let mut lines = BufReader::new(reading).lines();
    while let Some(line) = lines.next_line().await? {
        let text = answer(&server, &line).await.unwrap_or_else(|error| format!("ERROR {error}"));
        writing.write_all(format!("{text}\n").as_bytes()).await?;
    }
    Ok(())
}

async fn answer(server: &Shared, line: &str) -> Result<String> {
    Ok(match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["SET", key, value] => {
            ask(server, MAP.set(&key.into(), &value.into())?).await?;
            "OK".into()
        }
        ["GET", key] => match ask(server, MAP.read(&key.into())?).await? {
            Some(value) => format!("VALUE {value}"),
            None => "NONE".into(),
        },
        ["STATUS"] => {
            let s = server.lock().await.node.status();
            format!("{} {} {} {:x}", s.role, s.term, s.applied, s.digest)
        }
        _ => return Err("expected SET key value, GET key or STATUS".into()),
    })
}

/// Asks the group for something and waits for the one reply.
async fn ask<R>(server: &Shared, call: Call<R>) -> Result<R> {
    let (request, ticket) = call.into_parts();
    let (reply_to, reply) = oneshot::channel();
    let mut locked = server.lock().await;
    // An id is free again once its reply is there.
    let id = locked.waiting.last_key_value().map_or(1, |(last, _)| last.get() + 1).into();
    locked.waiting.insert(id, reply_to);
    locked.step(Input::Request(id, request));
    drop(locked);
    Ok(ticket.redeem(reply.await?)?)
}
