//! A seeded simulator for [`hamok`]: clusters in simulated time, with lost, late, duplicated and
//! reordered messages, partitions, crashes and bad disks, under checkers that see all of it.
//!
//! A run follows from its seed and its [`Settings`] alone. One thread jumps from one happening to
//! the next, so that a minute of a calm cluster takes milliseconds. Every decision left to chance is
//! drawn by its own name (the n-th message on a link, the n-th operation of a client) and not in
//! turn, so that taking one fault out of a run leaves all others where they were.
//!
//! A run has two phases, or four. In the *safety* phase faults strike and nothing may go wrong. Then
//! all faults end, a majority at least is up, and in the *liveness* phase the group must come to one
//! leader, one state and working calls within 20 of the longest election time-outs; in half of the
//! runs nothing is asked of it until it agrees. In half of the runs a follower is then *isolated* and
//! *returns*, which must disturb nobody.
//!
//! Apart from what happens to machines and messages, whoever keeps the group has members removed,
//! demoted, let in again and made leaders, nodes join that did not found it, and disks are lost for good:
//! never so that the group could not go on. Logs are short, so that snapshots take their place all the
//! time. In some runs nodes keep nothing on disk, go over to another format version one after the other,
//! or lead only as a last resort.
//!
//! Clients use maps, queues, records and remote maps at once, most of them in sessions of their own, and
//! note what they asked for and how it ended. The outside store of the remote maps is slow, cannot be
//! reached, refuses for good, or applies a call and loses the answer. A task beside each node subscribes to
//! events and publishes some; another carries copies of collections from one name to another.
//!
//! In the profile `hostile` somebody forges messages in the names of members. Members trust each other,
//! so such a run is checked for panics, bounds and repetition alone, and has no second phase.
//!
//! The invariants have two letters each and stand in [`checker`]. The simulator itself adds some, and so
//! does its own workload:
//!
//! | code | invariant |
//! |---|---|
//! | FD | what a crash leaves of a file, any part of a write included, reads back as a fold of its writes, and a node starts from it |
//! | EM | whoever is said to have received a published event did, at most once in each of its lives and in the order in which each publisher sent them; no departed member stays subscribed; once the group has settled, what is published reaches all who subscribed and run |
//! | EV | a copy of the collections that is kept by a node's events alone, over snapshots too, is what the node holds |
//! | EX | what is exported from one collection and imported into another is exported from there again |
//! | IT | before the tick that [`Node::idle_ticks`](hamok::Node::idle_ticks) foretells, ticks put out nothing |
//!
//! To run your own workload against simulated nodes, write a [`Workload`] and give it to a
//! [`Simulation`], which has an example. It may do to machines what no fault does:
//! [replace](Context::replace) them one after the other, or have a whole group [lost](Context::lose).
//! The command `hamok-sim` runs the simulator's own clients.

mod agreement;
mod calls;
pub mod checker;
mod clients;
mod clock;
mod counts;
mod disk;
mod draw;
mod emitters;
mod exports;
mod faults;
mod guard;
pub mod history;
mod host;
mod keeper;
pub mod linearizability;
mod lives;
mod mirror;
mod network;
mod observation;
mod operations;
mod phases;
mod plan;
mod queue;
mod remote_store;
pub mod report;
mod schedule;
mod settings;
mod simulation;
mod stepping;
mod swarm;
mod tally;
mod trace;
mod transcript;
mod workload;
mod world;

pub use clients::Clients;
pub use counts::Counts;
pub use draw::{Override, Stream};
pub use observation::{
    Checker, ClusterSeen, EndSeen, LivenessSeen, Moment, NodeSeen, Phase, ReunionSeen, SimTime,
    StepSeen, Violation,
};
pub use plan::{Knobs, Load, Plan};
pub use schedule::{Expected, Schedule, ScheduleError};
pub use settings::{Fault, Profile, Settings, UnknownName};
pub use simulation::{Report, RunVerdict, Simulation};
pub use swarm::{Finding, Stopwatch, Swarm, SwarmReport};
pub use tally::{Outcomes, Tally};
pub use workload::{Context, Workload};
