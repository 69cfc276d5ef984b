//! A remote map in PostgreSQL.
//!
//! Started by `cargo run --example postgres_remote_map -- postgres://user@127.0.0.1:5432/database alice
//! bob`, it counts a visit of each, and prints how often all that came were there. The adapter is in
//! `adapter.rs`, with the SQL of the entries in `entries.rs`; what is done with the map is in `../outside_store/visits.rs`.

mod adapter;
mod entries;
#[path = "../outside_store/visits.rs"]
mod visits;

#[expect(clippy::disallowed_methods, reason = "a program is told what to do by its arguments")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("usage: postgres_remote_map URL [VISITOR …]")?;
    let mut store = adapter::PostgresStore::new(&url)?;
    visits::run(move |call| store.perform(call), arguments)
}
