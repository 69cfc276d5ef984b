//! A remote map in Redis, of a group with one process per node, on TCP and a file.
//!
//! Started by `cargo run --example redis_remote_map -- redis://127.0.0.1:6379
//! ID FOLDER CLIENTS PEER_1 PEER_2 …` for each node, all with the same server. Clients write lines, which
//! `../common/remote_map.rs` lists: `printf 'SET colour blue\nGET colour\n' | nc -N 127.0.0.1 8001`.
//!
//! The adapter is in `adapter.rs`, with a script that runs inside Redis in `execute.lua`; the node is run by
//! `../common/tcp_node/mod.rs`, which tells of its arguments.

mod adapter;
#[path = "../common/remote_map.rs"]
mod remote_map;
#[path = "../common/tcp_node/mod.rs"]
mod tcp_node;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "a program is told what to do by its arguments")]
async fn main() -> tcp_node::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, arguments @ ..] = arguments.as_slice() else {
        return Err("usage: redis_remote_map URL ID FOLDER CLIENTS PEER_1 PEER_2 …".into());
    };
    let mut store = adapter::RedisStore::new(url)?;
    tcp_node::run(arguments, move |call| store.perform(call), remote_map::understand).await
}
