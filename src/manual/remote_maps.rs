//! Remote maps: the entries in an outside store, the order from the group.
//!
//! A [`RemoteMap`](crate::RemoteMap) is for more entries than fit into the memory of each node, or for those
//! that live in Redis, PostgreSQL or a file already. The group orders the operations and makes sure that each
//! takes effect exactly once; one node, the leader, has them executed. Every node that may lead must be able to
//! reach the store, and every node that is asked to read.
//!
//! # What the embedder does
//!
//! 1. [`Node::step`](crate::Node::step) gives [`Output::Remote`](crate::Output::Remote)`(call)`. The embedder makes the
//!    [call](crate::RemoteCall), on the map of [that name](crate::RemoteCall::map), in its own time: nothing else
//!    waits for it, and the node is stepped on meanwhile.
//! 2. It feeds [`Input::Remote`](crate::Input::Remote) with the call's id and what came of it, once for each call.
//!
//! | what came of it | [`RemoteResult`](crate::RemoteResult) | then |
//! |---|---|---|
//! | the operation was executed, or was before | `Ended(Done(answer))` | that is committed; the asker has its answer |
//! | the store refused it for good, and changed nothing | `Ended(Failed(error))` | that is committed; the asker has [`Failure::Store`](crate::Failure) |
//! | the row does not allow the call | `Refused(because)` | [`Event::RemoteRefused`](crate::Event); the call is made again later |
//! | a read | `Read { row, outcome }` | the asker has its answer |
//! | nobody knows: no connection, no answer | `Unanswered` | the call is made again later |
//!
//! **No answer is never a failure.** The call may have taken effect, or may yet. An adapter says `Failed` only when
//! the transaction was rolled back for a reason that will stay, a value that the store cannot hold for instance.
//! The pause before a call is made again is [`Config::remote_retry`](crate::Config), doubled each time up to
//! [`Config::max_remote_retry`](crate::Config). A call that is never answered for holds up the operations of its
//! map, and takes up one of the [`Config::max_remote_calls`](crate::Config) that may be under way at once; other
//! maps go on, and nothing is lost.
//!
//! # The fence row
//!
//! A leader may be deposed while its call is on the way; an answer may be lost after the call took effect. So the
//! next leader may make the same call again. What keeps that from doing harm is kept by the store itself: for each
//! map one [row](crate::FenceRow), apart from the entries (clearing the map leaves it alone) and changed in the same
//! transaction with them. It says which group's entries these are, the highest term of any call, the operation
//! that was executed last, and how it ended. With each call comes a [`Fence`](crate::Fence), and
//! [`Fence::judge`](crate::Fence::judge) compares the two. The first line that holds gives the verdict:
//!
//! | the row | verdict |
//! |---|---|
//! | there is none | execute if the operation is the map's first, or the group has [adopted](#adopting) the entries; else refuse: the row was lost |
//! | another group's | execute if the group has adopted the entries, else refuse |
//! | a higher term has called | refuse: this leader was deposed |
//! | the last operation is this one | answer as the row has it, and put the term into the row |
//! | the last operation is the one before this | execute |
//! | an earlier operation was the last | execute if the group has adopted the entries, else refuse: the store is not what it was |
//! | any other last operation | refuse: this call is late |
//!
//! Whoever executes puts this group, its term, this operation and its outcome into the row.
//!
//! # A complete example
//!
//! A store in memory, which does in one function what an adapter does in one transaction, and loses an answer. An
//! adapter whose store can run no Rust does the same in the store's language; the repository has one in Redis's
//! and one in PostgreSQL's among its examples.
//!
//! ```
//! use std::collections::{BTreeMap, VecDeque};
//!
//! use hamok::{
//!     Birth, Bytes, Call, Config, Event, Failure, FenceRow, FenceVerdict, Incarnation, Index, Input, Node,
//!     NodeId, Output, RemoteAnswer, RemoteCall, RemoteMap, RemoteMapEvent, RemoteOperation, RemoteOutcome,
//!     RemoteQuery, RemoteResult, RemoteWork, RequestId, StoreError, Ticks,
//! };
//!
//! const USERS: RemoteMap<String, String> = RemoteMap::new("users");
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut node = Node::new(Config::new(NodeId::new(1), Incarnation::new(0x5eed), Birth::Found))?;
//! let mut store = Store::default();
//! let events = &mut Vec::new();
//! let (ada, bob) = ("ada".to_string(), "bob".to_string());
//!
//! // The answer to the first call is lost, after it took effect. The call is made again, the store tells a
//! // repetition by its row, and the insertion reports what it reported the first time.
//! store.loses_an_answer = true;
//! let insert = USERS.insert(&ada, &"Ada".into())?;
//! assert_eq!(drive((&mut node, &mut store), insert, events)?, None);
//! assert_eq!((store.calls, store.executed), (2, 1));
//!
//! let entries = [(&ada, "Lady Ada".to_string()), (&bob, "Bob".into())];
//! let before = drive((&mut node, &mut store), USERS.set_all(entries)?, events)?;
//! assert_eq!(before, [(ada.clone(), "Ada".into())]);
//!
//! // Read directly from the store; and in line with the writes.
//! assert_eq!(drive((&mut node, &mut store), USERS.get(&bob)?, events)?, Some("Bob".into()));
//! assert_eq!(drive((&mut node, &mut store), USERS.read_len(), events)?, 2);
//!
//! // What this store refuses for good is a typed error, and nothing is changed.
//! let removed = drive((&mut node, &mut store), USERS.remove(&bob)?, events);
//! assert!(matches!(removed, Err(Failure::Store(_))));
//!
//! // Every node tells what has changed, from the committed outcomes.
//! let told = events.iter().filter_map(|event| match event {
//!     Event::Changed(change) => USERS.event(change),
//!     _ => None,
//! });
//! let told = told.collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(told[0], RemoteMapEvent::Insert { key: ada.clone(), value: "Ada".into() });
//! assert!(matches!(&told[1], RemoteMapEvent::Update { key, .. } if *key == ada));
//! assert!(matches!(&told[2], RemoteMapEvent::Insert { key, .. } if *key == bob));
//! assert!(matches!(&told[3], RemoteMapEvent::ApplyFailed { .. }));
//! assert_eq!(node.remote_map(&USERS).queued(), 0);
//! # Ok(())
//! # }
//!
//! /// What the outside store keeps for one map: its entries, and beside them its row.
//! #[derive(Default)]
//! struct Store {
//!     entries: BTreeMap<Bytes, Bytes>,
//!     row: Option<FenceRow>,
//!     calls: u64,
//!     executed: u64,
//!     loses_an_answer: bool,
//! }
//!
//! impl Store {
//!     /// One transaction.
//!     fn perform(&mut self, call: &RemoteCall) -> RemoteResult {
//!         self.calls += 1;
//!         let result = match call.work() {
//!             RemoteWork::Execute { fence, operation } => match fence.judge(self.row.as_ref()) {
//!                 FenceVerdict::Execute => {
//!                     let outcome = self.execute(operation);
//!                     // Whatever the outcome is, a failure, too.
//!                     self.row = Some(fence.row(outcome.clone()));
//!                     RemoteResult::Ended(outcome)
//!                 }
//!                 FenceVerdict::Repeat(outcome) => {
//!                     self.row = Some(fence.row(outcome.clone()));
//!                     RemoteResult::Ended(outcome)
//!                 }
//!                 FenceVerdict::Refuse(because) => RemoteResult::Refused(because),
//!             },
//!             RemoteWork::Read(query) => {
//!                 let row = self.row.as_ref().map(|row| (row.group, row.last));
//!                 RemoteResult::Read { row, outcome: self.read(query) }
//!             }
//!             _ => RemoteResult::Unanswered,
//!         };
//!         let is_lost = std::mem::take(&mut self.loses_an_answer);
//!         if is_lost { RemoteResult::Unanswered } else { result }
//!     }
//!
//!     fn execute(&mut self, operation: &RemoteOperation) -> RemoteOutcome {
//!         self.executed += 1;
//!         let entries = &mut self.entries;
//!         RemoteOutcome::Done(match operation {
//!             RemoteOperation::Set(new) => {
//!                 let set = |(key, value): &(Bytes, Bytes)| entries.insert(key.clone(), value.clone());
//!                 RemoteAnswer::Values(new.iter().map(set).collect())
//!             }
//!             RemoteOperation::Insert(new) => {
//!                 let insert = |(key, value): &(Bytes, Bytes)| match entries.get(key) {
//!                     Some(there) => Some(there.clone()),
//!                     None => entries.insert(key.clone(), value.clone()),
//!                 };
//!                 RemoteAnswer::Values(new.iter().map(insert).collect())
//!             }
//!             RemoteOperation::Clear => {
//!                 let count = entries.len() as u64;
//!                 entries.clear();
//!                 RemoteAnswer::Count(count)
//!             }
//!             RemoteOperation::Adopt => RemoteAnswer::Nothing,
//!             // The others are like these. This store cannot do them, and never will.
//!             _ => return RemoteOutcome::Failed(StoreError::new("this store takes nothing out")),
//!         })
//!     }
//!
//!     fn read(&self, query: &RemoteQuery) -> RemoteOutcome {
//!         RemoteOutcome::Done(match query {
//!             RemoteQuery::Get(keys) => {
//!                 RemoteAnswer::Values(keys.iter().map(|key| self.entries.get(key).cloned()).collect())
//!             }
//!             RemoteQuery::Len => RemoteAnswer::Count(self.entries.len() as u64),
//!             _ => return RemoteOutcome::Failed(StoreError::new("this store has no pages")),
//!         })
//!     }
//! }
//!
//! /// Asks, and steps the node until it has answered. What it tells meanwhile is added to `events`.
//! fn drive<R>(
//!     (node, store): (&mut Node, &mut Store),
//!     call: Call<R>,
//!     events: &mut Vec<Event>,
//! ) -> Result<R, Failure> {
//!     let (request, ticket) = call.into_parts();
//!     let mut inputs = VecDeque::from([Input::Request(RequestId::new(1), request)]);
//!     let mut answer = None;
//!     while answer.is_none() || !inputs.is_empty() {
//!         for output in node.step(inputs.pop_front().unwrap_or(Input::Tick(Ticks::new(1)))) {
//!             match output {
//!                 // A program that keeps nothing on disk says at once that it is done.
//!                 Output::Persist(write) => inputs.push_back(Input::Persisted(write.id())),
//!                 // A program with a network would send the call off, and feed its result when it is there.
//!                 Output::Remote(call) => {
//!                     inputs.push_back(Input::Remote(call.id(), store.perform(&call)));
//!                 }
//!                 Output::Reply(reply) => answer = Some(reply),
//!                 Output::Event(event) => events.push(event),
//!                 // It is alone.
//!                 Output::Send(_) => {}
//!             }
//!         }
//!     }
//!     ticket.redeem(answer.expect("the loop ends with one"))
//! }
//! ```
//!
//! # What is exactly once, and why
//!
//! - An operation is **queued** by a committed entry. That takes effect once, as any command does, however often
//!   it is handed over.
//! - It is **executed** when it is the first in its map's queue, by a leader that has applied the entry which
//!   opened its term: by then it has applied every outcome that leaders before it committed. So at most the one
//!   operation whose outcome was not committed is called for again, and the row answers for it.
//! - A leader that was **deposed** and does not know it may still call. Either its call arrives first, and then it
//!   is the very operation that is next; or the new leader's does, and the row has a higher term.
//! - Its **outcome** is committed by another entry, and applied once: a second one finds the operation ended.
//!
//! So the effect on the store is exactly once as long as the store keeps the row with the entries, and nobody
//! else writes the row. What is *not* promised: that the asker learns of it. A call whose time is up while its
//! operation waits ends as [`Unknown::TimedOut`](crate::Unknown), and may take effect later; so does one whose
//! node ends. As with any command, [a session of your own](super#what-is-unknown-and-asking-again) makes it safe to ask
//! again. Others may write the entries behind the group's back; the operations then work on what they find, and no
//! event tells of it.
//!
//! # Methods
//!
//! | call | does | result |
//! |---|---|---|
//! | [`set`](crate::RemoteMap::set), [`set_all`](crate::RemoteMap::set_all) | gives keys their values | the previous ones |
//! | [`insert`](crate::RemoteMap::insert), [`insert_all`](crate::RemoteMap::insert_all) | only keys that have none | what was in the way, and stays |
//! | [`update_if`](crate::RemoteMap::update_if) | if the value is the expected one | whether it was |
//! | [`update_held`](crate::RemoteMap::update_held) | if the value is still the one you [read](crate::RemoteMap::get_held) | whether it was |
//! | [`remove`](crate::RemoteMap::remove), [`remove_all`](crate::RemoteMap::remove_all) | takes keys out | the values they had |
//! | [`remove_if`](crate::RemoteMap::remove_if) | if the value is the expected one | whether it was |
//! | [`delete`](crate::RemoteMap::delete), [`delete_all`](crate::RemoteMap::delete_all) | takes keys out | which were there |
//! | [`clear`](crate::RemoteMap::clear) | takes all out | how many there were |
//! | [`adopt`](crate::RemoteMap::adopt) | [takes the entries over](#adopting) | |
//! | [`sync`](crate::RemoteMap::sync) | waits until all that was committed before has been executed | |
//!
//! # Reads
//!
//! | direct: the store is asked at once | linearizable: in line with the writes |
//! |---|---|
//! | [`get`](crate::RemoteMap::get), [`get_all`](crate::RemoteMap::get_all), [`get_held`](crate::RemoteMap::get_held) | [`read`](crate::RemoteMap::read), [`read_all`](crate::RemoteMap::read_all) |
//! | [`contains_key`](crate::RemoteMap::contains_key) | [`read_contains_key`](crate::RemoteMap::read_contains_key) |
//! | [`len`](crate::RemoteMap::len), [`is_empty`](crate::RemoteMap::is_empty) | [`read_len`](crate::RemoteMap::read_len), [`read_is_empty`](crate::RemoteMap::read_is_empty) |
//! | [`keys`](crate::RemoteMap::keys), [`entries`](crate::RemoteMap::entries) | [`read_keys`](crate::RemoteMap::read_keys), [`read_entries`](crate::RemoteMap::read_entries) |
//!
//! All are requests, and the node that is asked makes the call. A direct read needs no leader; it sees every
//! operation that is done and maybe some that are not yet, or less through a copy of the store that lags. A
//! linearizable one waits for a round of heartbeats and for the operations queued by then, and takes neither the
//! answer of a copy that has not come so far nor another group's entries. A store that does not answer in time is
//! [`NotExecuted::StoreSilent`](crate::NotExecuted). Keys and entries come in [pages](crate::Page), in the store's own
//! order: `keys(None, 100)`, then `keys(page.next.as_ref(), 100)` until there is no next.
//! The view, of [`Node::remote_map`](crate::Node::remote_map), tells how far the operations have come.
//!
//! # Events
//!
//! [`RemoteMapEvent`](crate::RemoteMapEvent), on every node, in the order of the operations, from the committed
//! outcomes: as a map's, and `ApplyFailed` when the store refused an operation for good. They need the previous
//! values, so a deletion carries them through the log, too, although its result does not have them.
//! [`without_events`](crate::RemoteMap::without_events) gives a handle whose operations are not told, and whose
//! deletions carry keys only.
//!
//! # Adopting
//!
//! When the row is another group's, or an earlier operation than the previous one was the last, every operation is
//! refused, with an [`Event::RemoteRefused`](crate::Event), and made again: the group was founded anew, the map was
//! dropped and named again, or the store was restored from a copy or emptied.
//! [`adopt`](crate::RemoteMap::adopt) is a committed decision to take the entries as they are; it lets through itself
//! and what was queued before it. It is for a person to decide: if two groups that both live adopt the same entries
//! in turn, the operations of both take effect; and an operation in the queue of a group that was
//! [recovered](crate::Node::recover), which the old group had executed, takes effect again.
//!
//! # Atomicity and bounds
//!
//! An operation is one transaction of the store, however many keys it names, unless it has more than
//! [`Config::max_keys`](crate::Config) or [`Config::max_values`](crate::Config): then it is
//! [split](super#many-keys-or-values-at-once). The queue of a map is bounded by
//! [`RemoteQueueLimits`](crate::RemoteQueueLimits), and beyond it a call is
//! [`Refusal::RemoteQueueFull`](crate::Refusal). A result larger than
//! [`Config::max_entry_bytes`](crate::Config) is not carried: the operation is done, its call ends as
//! [`Unknown::ResultForgotten`](crate::Unknown), and no event is told. Of a call that is split, a command
//! that ends so is the last: none after it is begun.
//!
//! # The rest
//!
//! Initial contents and exports are the store's affair. A map that is
//! [closed](super#closing-reopening-dropping) on the leader is executed all the same: the operations are the group's.
//! One that is dropped leaves its entries and its row in the store, so that the next map of that name begins with
//! [`adopt`](crate::RemoteMap::adopt); while operations wait it is not dropped
//! ([`Refusal::OperationsQueued`](crate::Refusal)).
//! [A name of another kind](super#a-collection-is-its-name-and-its-kind) is refused.
