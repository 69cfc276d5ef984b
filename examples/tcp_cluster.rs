//! One node per process, on TCP and a file.
//!
//! Started by `cargo run --example tcp_cluster -- ID FOLDER CLIENTS PEER_1 PEER_2 …`, as
//! `common/tcp_node/mod.rs` tells, which is what runs the node. Clients write lines:
//! `printf 'SET colour blue\nGET colour\nSTATUS\n' | nc -N 127.0.0.1 8001`. `SET key value` is
//! answered by `OK`; `GET key`, a linearizable read, by `VALUE value` or `NONE`.

#[path = "common/tcp_node/mod.rs"]
mod tcp_node;

use hamok::{Map, RemoteResult};
use tcp_node::{Asked, Result};

const MAP: Map<String, String> = Map::new("tcp_cluster");

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "a program is told what to do by its arguments")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // No remote map is used here.
    tcp_node::run(&arguments, |_| RemoteResult::Unanswered, understand).await
}

fn understand(words: &[&str]) -> Result<Asked> {
    Ok(match *words {
        ["SET", key, value] => Asked::new(MAP.set(&key.into(), &value.into())?, |_| "OK".into()),
        ["GET", key] => Asked::new(MAP.read(&key.into())?, |value| match value {
            Some(value) => format!("VALUE {value}"),
            None => "NONE".into(),
        }),
        _ => return Err("expected SET key value, GET key or STATUS".into()),
    })
}
