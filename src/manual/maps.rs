//! Maps: keys and values that all nodes share.
//!
//! A [`Map`](crate::Map) is for what several processes must agree on by name: who holds which lease, the
//! settings of a service, which player has which coin. It is kept in memory, on every node, in the order in
//! which its keys came. A call that changes it is linearizable and takes effect at most once.
//!
//! # A complete example
//!
//! A node that founds a group of one, and is asked one thing after the other. With several nodes all that
//! changes is that envelopes are sent.
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use hamok::{
//!     Birth, Call, Config, Event, Failure, Incarnation, Input, Map, MapEvent, Node, NodeId, Output,
//!     RequestId, Ticks,
//! };
//!
//! const SCORES: Map<String, u64> = Map::new("scores");
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut node = Node::new(Config::new(NodeId::new(1), Incarnation::new(0x5eed), Birth::Found))?;
//! let events = &mut Vec::new();
//! let (ada, bob) = ("ada".to_string(), "bob".to_string());
//!
//! assert_eq!(drive(&mut node, SCORES.set(&ada, &7)?, events)?, None);
//! assert_eq!(drive(&mut node, SCORES.insert(&ada, &1)?, events)?, Some(7)); // it stays
//! assert_eq!(drive(&mut node, SCORES.update_if(&ada, &8, &7)?, events)?, true);
//! let entries = [(&bob, 0), (&ada, 9)];
//! assert_eq!(drive(&mut node, SCORES.set_all(entries)?, events)?, [(ada.clone(), 8)]);
//!
//! // Local reads: at once, of what this node has applied.
//! let view = node.map(&SCORES);
//! assert_eq!(view.get(&bob)?, Some(0)); // zero is a value like any other
//! assert_eq!(view.keys().collect::<Result<Vec<_>, _>>()?, [ada.clone(), bob.clone()]);
//! // A linearizable read: of what the group has committed.
//! assert_eq!(drive(&mut node, SCORES.read(&ada)?, events)?, Some(9));
//!
//! assert_eq!(drive(&mut node, SCORES.remove_if(&ada, &1)?, events)?, false); // at once
//! assert_eq!(drive(&mut node, SCORES.remove(&ada)?, events)?, Some(9));
//! assert_eq!(drive(&mut node, SCORES.clear(), events)?, 1);
//!
//! // What happened, as every node of the group tells it.
//! let told = events.iter().filter_map(|event| match event {
//!     Event::Changed(change) => SCORES.event(change),
//!     _ => None,
//! });
//! let told = told.collect::<Result<Vec<_>, _>>()?;
//! let (a, b) = (|| ada.clone(), || bob.clone());
//! assert_eq!(told, [
//!     MapEvent::Insert { key: a(), value: 7 },
//!     MapEvent::Update { key: a(), old: 7, new: 8 },
//!     MapEvent::Insert { key: b(), value: 0 },
//!     MapEvent::Update { key: a(), old: 8, new: 9 },
//!     MapEvent::Remove { key: a(), value: 9 },
//!     MapEvent::Clear,
//! ]);
//! # Ok(())
//! # }
//!
//! /// Asks, and steps the node until it has answered. What it tells meanwhile is added to `events`.
//! fn drive<R>(node: &mut Node, call: Call<R>, events: &mut Vec<Event>) -> Result<R, Failure> {
//!     let (request, ticket) = call.into_parts();
//!     let mut inputs = VecDeque::from([Input::Request(RequestId::new(1), request)]);
//!     let mut answer = None;
//!     while answer.is_none() || !inputs.is_empty() {
//!         for output in node.step(inputs.pop_front().unwrap_or(Input::Tick(Ticks::new(1)))) {
//!             match output {
//!                 // A program that keeps nothing on disk says at once that it is done.
//!                 Output::Persist(write) => inputs.push_back(Input::Persisted(write.id())),
//!                 Output::Reply(reply) => answer = Some(reply),
//!                 Output::Event(event) => events.push(event),
//!                 // It is alone, and has no outside store.
//!                 Output::Send(_) | Output::Remote(_) => {}
//!             }
//!         }
//!     }
//!     ticket.redeem(answer.expect("the loop ends with one"))
//! }
//! ```
//!
//! # Changing
//!
//! | call | does | result |
//! |---|---|---|
//! | [`set`](crate::Map::set), [`set_all`](crate::Map::set_all) | gives keys their values | the previous ones |
//! | [`insert`](crate::Map::insert), [`insert_all`](crate::Map::insert_all) | only keys that have none | what was in the way, and stays |
//! | [`update_if`](crate::Map::update_if) | if the value is the expected one | whether it was |
//! | [`update_if_by`](crate::Map::update_if_by) | if the value satisfies you | whether it still was the one you saw |
//! | [`remove`](crate::Map::remove), [`remove_all`](crate::Map::remove_all) | takes keys out | the values they had |
//! | [`remove_if`](crate::Map::remove_if) | if the value is the expected one | whether it was |
//! | [`delete`](crate::Map::delete), [`delete_all`](crate::Map::delete_all) | takes keys out | which were there, without the values |
//! | [`clear`](crate::Map::clear) | takes all out | how many there were |
//! | [`create`](crate::Map::create) | [brings initial contents](super#initial-contents) | whether it did |
//! | [`import`](crate::Map::import) | [takes an export's place](super#exports) | |
//!
//! Two values are equal when their bytes are. Where that is too strict, `update_if_by` runs a predicate at the
//! caller, on the value this node holds, and makes the change conditional on that very version of the entry:
//! any change in between, even to an equal value, is a mismatch.
//!
//! # Reading
//!
//! The [`MapView`](crate::MapView) of [`Node::map`](crate::Node::map) has `get`, `get_all`, `contains_key`,
//! `len`, `is_empty`, `keys`, `values`, `iter` and `export`: local, immediate, and as far as this node has
//! applied. [`read`](crate::Map::read), [`read_all`](crate::Map::read_all) and
//! [`read_len`](crate::Map::read_len) are linearizable, through any node. Iteration has the order in which the
//! keys came, the same on all nodes: an update keeps a key's place, and one that was taken out comes back at
//! the end.
//!
//! # Events
//!
//! One [`MapEvent`](crate::MapEvent) for each entry of a call, in the order given: `Insert`, `Update` with the
//! old value and the new (equal ones, too), `Remove`; `Clear` for all at once, unless the map was empty;
//! `Dropped` when the map itself is taken out. A call that changes nothing tells nothing.
//!
//! # Atomicity and bounds
//!
//! A call is one command, and atomic, unless it has more keys than
//! [`Config::max_keys`](crate::Config), or more entries than that or
//! [`Config::max_values`](crate::Config): then it is [split](super#many-keys-or-values-at-once), and may end as
//! [`Failure::Partial`](crate::Failure). A key that is named twice is changed, and told, twice. A call on nothing
//! is done, and changes nothing. A command, and so any one value, may have up to
//! [`Config::max_entry_bytes`](crate::Config).
//!
//! # Initial contents, copies, closing
//!
//! ```
//! use hamok::{Collection, Export, ImportError, Map, Node};
//!
//! const SCORES: Map<String, u64> = Map::new("scores");
//! const OLD_SCORES: Map<String, u64> = Map::new("scores of last season");
//!
//! fn calls(node: &Node) -> Result<(), Box<dyn std::error::Error>> {
//!     // Done by the first node that asks; the others are told `false`.
//!     let create = SCORES.create([("ada".to_string(), 0)])?;
//!     // A copy, kept as bytes, under another name.
//!     let bytes = node.map(&SCORES).export()?.encode();
//!     let import = OLD_SCORES.import(&Export::decode(&bytes)?, true)?;
//!     // This node is not interested any more; then it is again; then nobody is.
//!     let (close, reopen, drop) = (SCORES.close(), SCORES.reopen(), SCORES.drop_collection());
//! #   let _ = (create, import, close, reopen, drop);
//!     Ok(())
//! }
//! # let _ = calls;
//! ```
//!
//! All of that is [the same for every kind](super), as is what happens when the name is
//! [one of another kind](super#a-collection-is-its-name-and-its-kind), and what a call is told
//! [whose time is up](super#what-is-unknown-and-asking-again).
