//! A remote map in Redis.
//!
//! Started by `cargo run --example redis_remote_map -- redis://127.0.0.1:6379 alice bob`, it counts a
//! visit of each, and prints how often all that came were there. The adapter is in `adapter.rs`, with a
//! script that runs inside Redis in `execute.lua`; what is done with the map is in
//! `../outside_store/visits.rs`.

mod adapter;
#[path = "../outside_store/visits.rs"]
mod visits;

#[expect(clippy::disallowed_methods, reason = "a program is told what to do by its arguments")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("usage: redis_remote_map URL [VISITOR …]")?;
    let mut store = adapter::RedisStore::new(&url)?;
    visits::run(move |call| store.perform(call), arguments)
}
