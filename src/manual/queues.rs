//! Queues: first in, first out, and each value to exactly one who asks.
//!
//! A [`Queue`](crate::Queue) is for work that is handed out: any node puts jobs in, any node takes them, and
//! none is given to two. The order is that of the whole group. Concurrent pops cost one command each.
//!
//! # A complete example
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use hamok::{
//!     Birth, Call, Config, Event, Failure, Incarnation, Input, Node, NodeId, Output, Queue,
//!     QueueEvent, RequestId, Sequence, Ticks, open_session,
//! };
//!
//! const JOBS: Queue<String> = Queue::new("jobs");
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut node = Node::new(Config::new(NodeId::new(1), Incarnation::new(0x5eed), Birth::Found))?;
//! let events = &mut Vec::new();
//!
//! drive(&mut node, JOBS.push(&"sweep".into())?, events)?;
//! drive(&mut node, JOBS.push_all(["wash".to_string(), "dry".into(), "iron".into()])?, events)?;
//!
//! // Local reads, and linearizable ones.
//! assert_eq!(node.queue(&JOBS).peek()?, Some("sweep".into()));
//! assert_eq!(drive(&mut node, JOBS.read_len(), events)?, 4);
//!
//! assert_eq!(drive(&mut node, JOBS.pop(), events)?, Some("sweep".into()));
//! assert_eq!(drive(&mut node, JOBS.pop_many(2), events)?, ["wash", "dry"]);
//!
//! // Asked twice under one number of a session, a pop gives the same value twice and takes one out.
//! let session = drive(&mut node, open_session(), events)?;
//! let pop = || JOBS.pop().in_session(session, Sequence::new(1), Sequence::new(1));
//! assert_eq!(drive(&mut node, pop(), events)?, Some("iron".into()));
//! assert_eq!(drive(&mut node, pop(), events)?, Some("iron".into()));
//! assert_eq!(drive(&mut node, JOBS.pop(), events)?, None);
//!
//! // The queue came to hold something once, and came to hold nothing once.
//! let told = events.iter().filter_map(|event| match event {
//!     Event::Changed(change) => JOBS.event(change),
//!     _ => None,
//! });
//! let told = told.collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(told[..2], [QueueEvent::Add { value: "sweep".into() }, QueueEvent::NotEmpty]);
//! assert_eq!(told.len(), 4 + 1 + 4 + 1);
//! assert_eq!(told.last(), Some(&QueueEvent::Empty));
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
//! | [`push`](crate::Queue::push), [`push_all`](crate::Queue::push_all) | puts values at the end, in order | |
//! | [`pop`](crate::Queue::pop) | takes the one at the front | it, or none |
//! | [`pop_many`](crate::Queue::pop_many) | takes up to so many | them, in order |
//! | [`clear`](crate::Queue::clear) | takes all out | how many there were |
//! | [`create`](crate::Queue::create) | [brings initial contents](super#initial-contents) | whether it did |
//! | [`import`](crate::Queue::import) | [takes an export's place](super#exports) | |
//!
//! # A pop that must not be lost
//!
//! A node asks the group for a pop until it is answered, and the value is taken once. But when the call's
//! time is up, or the node that asked ends, the value may have been taken and reached nobody: the reply is
//! [`Unknown`](crate::Failure::Unknown), or there is none to read it. It is not given to another.
//!
//! Who cannot bear that opens a session, remembers it outside (with the number it has come to), and asks again
//! under the same number, as above, from whichever process takes over: it is given the value that was taken.
//! `answered_below` says which results are not needed any more. A session keeps them within
//! [`SessionLimits`](crate::SessionLimits), and a `pop_many` of more than
//! [`max_reply_bytes`](crate::SessionLimits) cannot be asked for again.
//!
//! A pop is for work that is done at most once: whoever took a job may fail at it. Where a job must be done at
//! least once, keep jobs in a [`Map`](crate::Map), with who works on each, and take them out when they are done.
//!
//! # Reading
//!
//! The [`QueueView`](crate::QueueView) of [`Node::queue`](crate::Node::queue) has `peek`, `len`, `is_empty`,
//! `iter` from the front on, and `export`. [`read_front`](crate::Queue::read_front) and
//! [`read_len`](crate::Queue::read_len) are linearizable. To look and then to pop are two things: by then the
//! front may be another's.
//!
//! # Events
//!
//! [`QueueEvent`](crate::QueueEvent)`::Add` and `Remove`, one for each value, in order; `Clear` for all at once.
//! Last of a command's comes `NotEmpty` if the queue was empty before it and is not after it, or `Empty` the
//! other way round: it says when there is a reason to look, and is the same on every node. `Dropped` when the
//! queue itself is taken out.
//!
//! # Atomicity and bounds
//!
//! `push_all` and `pop_many` are one command each, with nothing in between, unless they have more values than
//! [`Config::max_values`](crate::Config), or a `pop_many` more than 1,024: then they are
//! [split](super#many-keys-or-values-at-once), others may come in between, and they may end as
//! [`Failure::Partial`](crate::Failure); of a `pop_many` [`redeem_partial`](crate::Ticket::redeem_partial) gives
//! the values that were taken, which [`redeem`](crate::Ticket::redeem) would lose. A command may have up to
//! [`Config::max_entry_bytes`](crate::Config). Positions are 64-bit numbers and never used again.
//!
//! # The rest
//!
//! [Initial contents](super#initial-contents), [exports](super#exports),
//! [closing, reopening and dropping](super#closing-reopening-dropping) and
//! [a name of another kind](super#a-collection-is-its-name-and-its-kind) are the same for every kind. A queue
//! that was created and emptied is there: `create` does not fill it again.
