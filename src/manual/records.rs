//! Records: one object, whose fields are stored one by one.
//!
//! A [`Record`](crate::Record) is for one thing with a fixed set of properties that different nodes change: the
//! state of a game, the configuration of a service. Two nodes may set different fields at once without
//! conflict; fields that belong together are changed together, by one command.
//!
//! # A complete example
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use hamok::{
//!     Birth, Call, Config, Event, Failure, Field, Incarnation, Input, Node, NodeId, Output, Record,
//!     RecordEvent, RequestId, Ticks,
//! };
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Profile {
//!     name: String,
//!     age: u32,
//! }
//!
//! /// Some of the fields.
//! #[derive(Serialize)]
//! struct Age {
//!     age: u32,
//! }
//!
//! const PROFILE: Record<Profile> = Record::new("profile");
//! const AGE: Field<u32> = Field::new("age");
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut node = Node::new(Config::new(NodeId::new(1), Incarnation::new(0x5eed), Birth::Found))?;
//! let events = &mut Vec::new();
//!
//! assert_eq!(drive(&mut node, PROFILE.set(&AGE, &7)?, events)?, None);
//! assert_eq!(drive(&mut node, PROFILE.update_if(&AGE, &8, &7)?, events)?, true);
//! assert!(node.record(&PROFILE).instance().is_err(), "there is no name yet");
//!
//! // Only what is missing is inserted; what was there is told, and stays.
//! let ada = Profile { name: "Ada".into(), age: 0 };
//! let there = drive(&mut node, PROFILE.insert_instance(&ada)?, events)?;
//! assert_eq!(there.get(&AGE)?, Some(8));
//!
//! // All of it compared, some of it changed, in one command.
//! let ada = Profile { age: 8, ..ada };
//! assert_eq!(drive(&mut node, PROFILE.update_instance_if(&Age { age: 9 }, &ada)?, events)?, true);
//!
//! // Local reads, and linearizable ones.
//! assert_eq!(node.record(&PROFILE).get(&AGE)?, Some(9));
//! assert_eq!(node.record(&PROFILE).instance()?, Profile { name: "Ada".into(), age: 9 });
//! assert_eq!(drive(&mut node, PROFILE.read(&AGE), events)?, Some(9));
//! let read: Profile = drive(&mut node, PROFILE.read_instance()?, events)?.instance()?;
//! assert_eq!(read.name, "Ada");
//!
//! // A value in an event is bytes until its field decodes it.
//! let told = events.iter().filter_map(|event| match event {
//!     Event::Changed(change) => PROFILE.event(change),
//!     _ => None,
//! });
//! let Some(RecordEvent::Update { field, old, new }) = told.last() else { panic!() };
//! assert_eq!((field.as_str(), AGE.decode(&old)?, AGE.decode(&new)?), ("age", 8, 9));
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
//! # Fields
//!
//! The fields of a struct are found by serde, by the names that serde gives them; each has bytes of its own, by
//! postcard. A [`Field`](crate::Field) names one of them with its type, and with another
//! [`Codec`](crate::Codec) if need be: `Field<u32, MyCodec>`. Such a field is read and written through its
//! handle only, not with whole structs. A record may have fields that its struct does not name: they are left
//! alone, so that an older version of a program keeps what a newer one wrote. A field without a value is not
//! the same as a field of `None`; a struct field with `#[serde(default)]` may be without.
//!
//! # Changing
//!
//! | call | does | result |
//! |---|---|---|
//! | [`set`](crate::Record::set) | gives a field its value | the previous one |
//! | [`insert`](crate::Record::insert) | only if it has none | what was in the way, and stays |
//! | [`update_if`](crate::Record::update_if) | if the value is the expected one | whether it was |
//! | [`delete`](crate::Record::delete) | takes a field's value out | whether it had one |
//! | [`insert_instance`](crate::Record::insert_instance) | inserts those fields of a struct that have no value | those that had |
//! | [`update_instance_if`](crate::Record::update_instance_if) | sets some fields if some have the expected values | whether they had |
//! | [`clear`](crate::Record::clear) | takes all values out | how many there were |
//! | [`create`](crate::Record::create) | [brings initial contents](super#initial-contents) | whether it did |
//! | [`import`](crate::Record::import) | [takes an export's place](super#exports) | |
//!
//! # Reading
//!
//! The [`RecordView`](crate::RecordView) of [`Node::record`](crate::Node::record) has `get` of a field,
//! `instance` of the whole (or [what is missing](crate::InstanceError)), `len`, `is_empty`, `iter` over
//! names and bytes, and `export`. [`read`](crate::Record::read) and
//! [`read_instance`](crate::Record::read_instance), which sees all fields at one moment, are linearizable.
//!
//! # Events
//!
//! One [`RecordEvent`](crate::RecordEvent) for each field of a call, in the order in which the struct names
//! them: `Insert`, `Update` (to an equal value, too), `Remove`; `Clear` for all at once; `Dropped` when the
//! record itself is taken out.
//!
//! # Atomicity and bounds
//!
//! A call is one command, and atomic, however many fields it has. Only `insert_instance` of more fields than
//! [`Config::max_keys`](crate::Config) or [`Config::max_values`](crate::Config) is
//! [split](super#many-keys-or-values-at-once), and may end as [`Failure::Partial`](crate::Failure). A command
//! may have up to [`Config::max_entry_bytes`](crate::Config).
//!
//! # The rest
//!
//! [Initial contents](super#initial-contents), [exports](super#exports),
//! [closing, reopening and dropping](super#closing-reopening-dropping),
//! [a name of another kind](super#a-collection-is-its-name-and-its-kind) and
//! [what is unknown](super#what-is-unknown-and-asking-again) are the same for every kind. `create` counts for the
//! record, not for each field: a field that is missing from a record that is there is not added; for that there
//! is `insert_instance`.
