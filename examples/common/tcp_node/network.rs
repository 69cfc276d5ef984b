//! Connections: to peers, from peers and from clients.

use hamok::{Envelope, Input, MAX_ENVELOPE_BYTES};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::{Asked, Result, Shared, Understand};

/// Sends a peer what comes, connecting as often as it takes.
pub(super) async fn keep_sending(address: String, mut envelopes: mpsc::Receiver<Envelope>) {
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
pub(super) async fn receive(server: Shared, mut stream: TcpStream) -> Result<()> {
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
pub(super) async fn serve(
    server: Shared,
    mut stream: TcpStream,
    understand: Understand,
) -> Result<()> {
    let (reading, mut writing) = stream.split();
    let mut lines = BufReader::new(reading).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split_whitespace().collect();
        let text = if words == ["STATUS"] {
            let s = server.lock().await.node.status();
            format!("{} {} {} {:x}", s.role, s.term, s.applied, s.digest)
        } else {
            let asked = understand(&words);
            answer(&server, asked).await.unwrap_or_else(|error| format!("ERROR {error}"))
        };
        writing.write_all(format!("{text}\n").as_bytes()).await?;
    }
    Ok(())
}

/// Asks the group for something and waits for the one reply.
async fn answer(server: &Shared, asked: Result<Asked>) -> Result<String> {
    let Asked { request, tell } = asked?;
    let (reply_to, reply) = oneshot::channel();
    let mut locked = server.lock().await;
    // An id is free again once its reply is there.
    let id = locked.waiting.last_key_value().map_or(1, |(last, _)| last.get() + 1).into();
    locked.waiting.insert(id, reply_to);
    locked.step(Input::Request(id, request));
    drop(locked);
    tell(reply.await?)
}
