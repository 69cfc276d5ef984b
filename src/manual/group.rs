//! The group: what is asked of it as a whole, what it tells, and its status.
//!
//! # Requests
//!
//! They are calls like those of a collection, given to any node, with one reply each.
//!
//! | call | is done when |
//! |---|---|
//! | [`ready`](crate::ready) | the node is a member, by what is committed, and has applied what was committed when it was asked |
//! | [`sync`](crate::sync) | the node has applied what was committed when it was asked |
//! | [`submit`](crate::submit) | the bytes stand in the log; every node tells them as [`Event::Message`](crate::Event), in the same order |
//! | [`open_session`](crate::open_session) | a session [of the application's own](super#what-is-unknown-and-asking-again) is open |
//! | [`change_members`](crate::change_members) | the change of the members is over and committed |
//! | [`join`](crate::join) | the node it was given to is a member again |
//! | [`leave`](crate::leave) | the node it was given to is no member any more |
//! | [`transfer_leadership`](crate::transfer_leadership) | the node knows the other for the leader |
//! | [`stop`](crate::stop) | at once: all the node's requests have ended, and it takes no more |
//!
//! A node without a group, or without a leader, keeps a request until its time is up, and then says
//! [`NotExecuted::NoGroup`](crate::NotExecuted) or [`NoLeader`](crate::NotExecuted); one whose leader did not
//! answer in time, [`TimedOut`](crate::NotExecuted).
//!
//! # A complete example
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use hamok::{
//!     Birth, Call, Collection, Config, Event, Failure, Incarnation, Input, Map, Membership, Node,
//!     NodeId, NotExecuted, Output, RequestId, Role, Ticks, ready, stop, submit, sync,
//! };
//!
//! const SCORES: Map<String, u64> = Map::new("scores");
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut node = Node::new(Config::new(NodeId::new(1), Incarnation::new(0x5eed), Birth::Found))?;
//! let events = &mut Vec::new();
//!
//! // Asked at once, answered as soon as there is a group to belong to.
//! drive(&mut node, ready(), events)?;
//! let status = node.status();
//! assert_eq!((status.role, status.membership), (Role::Leader, Membership::Voter));
//! assert_eq!((status.leader, status.ready), (Some(NodeId::new(1)), true));
//!
//! // The application's own log.
//! let index = drive(&mut node, submit(b"hello".to_vec()), events)?;
//! let told = events.iter().any(|event| {
//!     matches!(event, Event::Message { index: at, payload } if *at == index && **payload == *b"hello")
//! });
//! assert!(told);
//!
//! // What there is, by what this node has applied.
//! drive(&mut node, SCORES.set(&"ada".into(), &7)?, events)?;
//! drive(&mut node, sync(), events)?;
//! let listed = node.collections().next().ok_or("there is one")?;
//! assert_eq!((listed.name, listed.kind, listed.len), ("scores", SCORES.kind(), 1));
//!
//! // The end of this life's requests, each with what is true of it.
//! drive(&mut node, stop(), events)?;
//! assert_eq!(events.last(), Some(&Event::Stopped));
//! let stopped = Failure::NotExecuted(NotExecuted::Stopped);
//! assert_eq!(drive(&mut node, SCORES.read_len(), events), Err(stopped));
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
//! # Members
//!
//! A group is [founded](crate::Birth) by one node, or by several that meet; others
//! [join](crate::Birth::Join) while it runs, as learners that become voters by themselves once they have caught up.
//! [`change_members`](crate::change_members) adds, removes, promotes and demotes any number at once
//! ([`MemberChange`](crate::MemberChange)); what is asked for is a state, so that asking again changes nothing. A node
//! that was cut off takes up where it was when it is reachable again. One that was removed asks no more until it is
//! told to [`join`](crate::join). A node that must never lead is a learner; one that should lead only if nobody else
//! can has [`Priority::LastResort`](crate::Priority). Addresses are the embedder's affair; members may carry a few
//! bytes of metadata for them. The front page has [more](crate#members).
//!
//! # Work for one node at a time
//!
//! [`Status::leader`](crate::Status) says who leads, [`Event::LeaderChanged`](crate::Event) when that changes. A leader
//! that was cut off does not know at once that it is none any more. So a task that only the leader may do carries
//! [`Status::term`](crate::Status) as a fencing token to whatever it touches, which refuses a lower one; or it is
//! claimed in a [`Map`](crate::Map) by `insert`.
//!
//! # Stopping
//!
//! [`stop`](crate::stop) ends requests truthfully and closes all collections on this node, with an
//! [`Event::Closed`](crate::Event) for each. The node stays a member and takes its part as long as it is stepped; to be
//! removed it asks to [`leave`](crate::leave) first. A program may as well just stop stepping it: the contract of
//! persistence holds at any moment.
//!
//! # Events
//!
//! | [`Event`](crate::Event) | when |
//! |---|---|
//! | `RoleChanged`, `LeaderChanged` | this node takes another role; it knows of another leader, or of none |
//! | `PeerSilent` | a member does not answer this leader |
//! | `GroupFounded`, `GroupEntered`, `GroupExists` | how this node came to its group |
//! | `MembersChanged`, `Removed`, `JoinAsked`, `JoinRefused` | members come and go |
//! | `TransferBegan`, `TransferFailed` | leadership is handed on |
//! | `PeerStarted` | a peer is heard from in a new life, or for the first time |
//! | `Changed` | a collection changed |
//! | `Message` | what was [submitted](crate::submit) |
//! | `Emitted` | an event of an [emitter](super::emitters) |
//! | `SnapshotLoaded`, `Restored`, `Difference` | collections stand as a snapshot has them |
//! | `SnapshotTaken`, `SnapshotSent`, `SnapshotInstalled`, `SnapshotRefused` | what snapshots are about |
//! | `Closed`, `Stopped` | this node uses a collection no more, or takes no more requests |
//! | `RemoteRefused`, `RemoteResultIgnored` | of an [outside store](super::remote_maps) |
//! | `SessionExpired` | a session was dropped |
//! | `StorageFailed`, `StorageLost` | this node's disk failed, or lost what it had confirmed |
//! | `CommandUnreadable`, `CommandTooNew` | what is committed cannot be applied |
//! | `VoteRefused`, `AppendRefused`, `LogTruncated`, `EnvelopeDropped`, `RequestIdInUse`, `ConfirmationIgnored` | the reason for each refusal |
//! | `Heartbeat`, `Committed`, `Applied` | with [`Config::verbose`](crate::Config) only: the leader is heard, the log moves |
//!
//! # Status
//!
//! [`Node::status`](crate::Node::status) is a copy of the node's state in numbers: identity, group, role, term, leader,
//! members, how far the log is durable, committed and applied, a digest of the replicated state,
//! [`ready`](crate::Status), [`Load`](crate::Load) (how full the queues are) and
//! [`Counters`](crate::Counters) (what has happened in this life).
//! [`Node::collections`](crate::Node::collections) lists the collections, with kind, size, and whether they are closed
//! here.
