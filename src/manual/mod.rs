//! The manual: what each kind of collection is for, and how it behaves when things go wrong.
//!
//! | chapter | what it is about |
//! |---|---|
//! | [`maps`] | [`Map`](crate::Map): keys and values |
//! | [`queues`] | [`Queue`](crate::Queue): first in, first out, each value to one |
//! | [`records`] | [`Record`](crate::Record): one object with named fields |
//! | [`emitters`] | [`Emitter`](crate::Emitter): events from node to node |
//! | [`remote_maps`] | [`RemoteMap`](crate::RemoteMap): a map whose entries are in an outside store |
//! | [`group`] | what is asked of the group itself; its events and its status |
//! | [`coming_from_typescript`] | each name of the TypeScript library, and ours |
//!
//! How a node is driven, and what it asks of a disk, is on the [front page](crate). The rest of this page
//! holds for collections of all kinds.
//!
//! # A collection is its name and its kind
//!
//! A handle is a constant with a name and some types. Nothing has to be created or closed: a
//! collection comes to be with the first command that names it, it is replicated to every node whether or
//! not that node ever has a handle, and a node that names it late sees all of it at once.
//! [`Node::collections`](crate::Node::collections) lists what there is, [`Node::exists`](crate::Node::exists)
//! looks one up. A name has up to 255 bytes of any text, and is compared byte for byte.
//!
//! A name that is in use as another kind is refused: a call is answered
//! [`Refusal::WrongKind`](crate::Refusal), the same on every node, and the reads of a view that may fail
//! say [`ViewError::WrongKind`](crate::ViewError). Nothing is changed.
//!
//! # Calls, tickets and replies
//!
//! A method of a handle that asks for something gives a [`Call`](crate::Call): the
//! [`Request`](crate::Request) for [`Input::Request`](crate::Input), and the [`Ticket`](crate::Ticket) that
//! makes a typed result of its [`Reply`](crate::Reply). Any node may be asked. Every request has exactly one
//! reply, within its time-out, and it is one of these:
//!
//! | [`Failure`](crate::Failure) | has it taken effect? | ask again? |
//! |---|---|---|
//! | none: a result | yes | |
//! | `Refused` | no, and the same on every node | once the reason is gone, and in a session of your own under another number |
//! | `NotExecuted` | no, and it never will | yes, freely |
//! | `Unknown` | perhaps, or it may yet | in [a session of your own](#what-is-unknown-and-asking-again), or if twice is as good as once |
//! | `Partial` | its beginning has | [the rest](#many-keys-or-values-at-once) |
//! | `Value` | yes | no: what it changed or found was written with another codec or type. A clone of the reply gives its result to a ticket that can read it |
//! | `Store` | no | only of a remote map: its outside store refused for good |
//! | `WrongReply` | | the ticket belongs to another request |
//!
//! A time-out is [`Config::request_timeout`](crate::Config), in ticks, unless the call brings
//! [its own](crate::Call::with_timeout). At its end a request is told the truth as far as it is known:
//! `NotExecuted` only when it is proved that no copy of the command can come to stand in the log any more.
//! Without a leader that is [`NotExecuted::NoLeader`](crate::NotExecuted), with one that does not answer
//! [`NotExecuted::TimedOut`](crate::NotExecuted); at a bound [`NotExecuted::Busy`](crate::NotExecuted), without
//! waiting for the time-out.
//!
//! ## What is unknown, and asking again
//!
//! A node hands a command over again, to the same leader or the next, until it is answered; it runs in a
//! session of the node, and so takes effect at most once. That ends with the node's life and with the
//! request's time. An application that must know opens a session of its own with
//! [`open_session`](crate::open_session), numbers its commands with
//! [`Call::in_session`](crate::Call::in_session), and asks again under the same number, through any node and
//! from any process: the first copy takes effect, and every later one is answered with its result. The
//! [queue's chapter](queues#a-pop-that-must-not-be-lost) has an example.
//!
//! Results are kept within [`SessionLimits`](crate::SessionLimits): of so many numbers, so many bytes, and
//! for so many entries of the log. What is not kept any more is answered
//! [`Unknown::ResultForgotten`](crate::Unknown) or [`Unknown::SessionExpired`](crate::Unknown), and never
//! executed a second time.
//!
//! # Reads
//!
//! | | local | linearizable |
//! |---|---|---|
//! | where | on a view: [`Node::map`](crate::Node::map) and its like | calls named `read`, or `has_subscribers` |
//! | what it sees | what this node has applied; it may lag | every change answered before it was asked for |
//! | what it costs | nothing but looking | a round of heartbeats, shared by all who ask meanwhile |
//! | without a majority | goes on | is not executed |
//!
//! [`sync`](crate::sync) is between the two: after its answer local reads see at least what was committed when
//! it was asked. After a restart a view stands at the last snapshot until the node has learnt what is
//! committed ([`Status::ready`](crate::Status)).
//!
//! # Events
//!
//! Every node tells of every change as [`Event::Changed`](crate::Event), whoever asked for it: in the order of
//! the log, the same on all nodes, once per change in each life of the node. A call on many keys tells of each,
//! in the order given. The handle's `event` gives a [`Change`](crate::Change) its types, or says that it is
//! another collection's. Whatever does not decode is an error of the reader, and of nobody else.
//!
//! A node that has fallen far behind is sent a snapshot. It tells one
//! [`Event::Restored`](crate::Event) for each collection instead of the changes it missed; with
//! [`Config::report_differences`](crate::Config) there follows, as [`Event::Difference`](crate::Event), what
//! leads from what it held to what it holds, entry by entry. That need not be what happened. A node that is
//! restarted tells `Restored` for what its snapshot has, and the changes after that again.
//!
//! # Many keys or values at once
//!
//! A call on many keys or values is one command: atomic, with nothing in between, and at most
//! [`Config::max_entry_bytes`](crate::Config), beyond which it is
//! [`NotExecuted::TooLarge`](crate::NotExecuted). With [`Config::max_keys`](crate::Config) or
//! [`Config::max_values`](crate::Config) a call that has more is split into several commands, run one after
//! the other. Each is atomic, **the call is not**: others may come in between, and it may end in the middle.
//! Its results are merged. The first command that is not done ends it, and none after that one is begun:
//!
//! ```
//! use hamok::{Failure, Redeemed, Reply, Ticket};
//!
//! /// What came of a `set_all`, and how many of its entries need not be given again.
//! fn redeem(ticket: Ticket<Vec<(String, u64)>>, reply: Reply) -> Result<u64, Failure> {
//!     match ticket.redeem_partial(reply)? {
//!         Redeemed::Done(previous) => Ok(previous.len() as u64),
//!         // `next` of the entries were set, and `results` are those of them that had a value. The
//!         // command after them was not executed, or, if that is what `because` says, it may have been.
//!         Redeemed::Partial { results, next, because } => {
//!             println!("{} replaced; {because}; go on with entry {next}", results.len());
//!             Ok(next)
//!         }
//!     }
//! }
//! # let _ = redeem;
//! ```
//!
//! [`Ticket::redeem`](crate::Ticket::redeem) makes a [`Failure::Partial`](crate::Failure) of it, which has
//! `next` and the reason but no results. Entries count against both limits, keys against the first, values of
//! a queue against the second. Split are `set_all`, `insert_all`, `remove_all`, `delete_all`, `push_all`,
//! `pop_many` and `insert_instance`; `update_instance_if`, `create` and `import` are always one command. A
//! call in a session of the application's has one number and cannot be split:
//! [`NotExecuted::TooMany`](crate::NotExecuted).
//!
//! # Initial contents
//!
//! `create` of a map, queue or record brings contents that count only if this very command creates the
//! collection. Of two nodes that start at once one wins, nothing is overwritten, and nothing that was taken
//! out comes back when a node starts again. Its result is whether it was this call.
//!
//! # Exports
//!
//! `export` of a view is a copy of one collection as this node has applied it, as an
//! [`Export`](crate::Export): its bytes have a version and a checksum and say nothing of the group.
//! `import` puts one in the place of all there is, by one command, atomically; sessions are kept. The export
//! may be of another name, another group or another time, but not of
//! [another kind](crate::ImportError). With events, it is told as a clearing and the coming in of each entry. An
//! export larger than [`Config::max_entry_bytes`](crate::Config) is `NotExecuted::TooLarge`. A name that means
//! nothing has an export without entries: ask [`Node::exists`](crate::Node::exists) where that matters. One that means
//! another kind has none ([`ViewError::WrongKind`](crate::ViewError)).
//! Emitters and remote maps have no exports: subscriptions belong to nodes, and the entries of a remote map
//! are in its store.
//!
//! # Closing, reopening, dropping
//!
//! These are methods of [`Collection`](crate::Collection), which every handle is.
//!
//! - [`close`](crate::Collection::close) is of one node only: its requests on the collection end, each with
//!   what is true of it (`NotExecuted::Closed` or `Unknown::Closed`); later ones are answered
//!   [`NotExecuted::Closed`](crate::NotExecuted); changes are not told any more. It tells
//!   [`Event::Closed`](crate::Event). The collection goes on, here too, and so do local reads. It is the name that is
//!   closed, whatever it means, and stays so when it comes to mean another kind.
//! - [`reopen`](crate::Collection::reopen) undoes it. What changed meanwhile is not told. Another life of the
//!   node has nothing closed.
//! - [`drop_collection`](crate::Collection::drop_collection) is for everyone: a committed command that takes
//!   the collection out with all it holds, told as one event. The next command that names it makes it anew, as
//!   any kind.
//! - [`ready`](crate::Collection::ready) answers once the node is a member, has applied what was committed when
//!   it was asked, and can use the collection.
//!
//! # Bounds
//!
//! | what | bound | beyond it |
//! |---|---|---|
//! | a command | [`Config::max_entry_bytes`](crate::Config) | `NotExecuted::TooLarge`, with its size |
//! | values that one command pops | 1,024 | the call is split |
//! | commands of a node without an answer, from the oldest on | [`SessionLimits::window`](crate::SessionLimits) | `NotExecuted::Busy` |
//! | keys or values of a command | [`Config::max_keys`](crate::Config), [`max_values`](crate::Config) | the call is split |
//! | requests pending at a node | [`Config::max_pending_requests`](crate::Config), [`max_pending_bytes`](crate::Config) | `NotExecuted::Busy` |
//! | what the leader has not committed | [`Config::max_uncommitted_bytes`](crate::Config) | `NotExecuted::Busy` |
//! | linearizable reads | [`Config::max_pending_reads`](crate::Config) | `NotExecuted::Busy` |
//! | results kept for a session | [`SessionLimits`](crate::SessionLimits) | `Unknown::ResultForgotten`, for those who ask again |
//! | operations of a remote map | [`RemoteQueueLimits`](crate::RemoteQueueLimits) | `Refusal::RemoteQueueFull` |
//! | a collection | the memory of each node | |

pub mod coming_from_typescript;
pub mod emitters;
pub mod group;
pub mod maps;
pub mod queues;
pub mod records;
pub mod remote_maps;
