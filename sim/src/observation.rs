//! What a checker is shown: every call of [`Node::step`](hamok::Node::step), and what the world
//! knows of every node around it.
//!
//! A checker sees nothing that an embedder could not see. It judges inputs, outputs, the
//! [`Status`] before and after, and two images of each node's disk: what the node has *issued* to
//! be written, and what has been *confirmed* to it and so must survive any crash.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hamok::{Config, Input, Life, NodeId, Output, RemoteCall, RemoteResult, Status, Stored, Term};
use serde::{Deserialize, Serialize};

use crate::history::History;

/// Watches a run and objects to what must not happen.
pub trait Checker {
    /// The invariant's code: two letters.
    fn code(&self) -> &'static str;

    /// A node took one step. `cluster` is the state after it.
    ///
    /// # Errors
    /// The violation, which ends the run.
    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation>;

    /// A node began a life: it was created, or restored from its disk. Its image is both `issued`
    /// and `confirmed`, and its [`NodeSeen::status`] is the one before its first step.
    ///
    /// # Errors
    /// The violation, which ends the run.
    fn on_start(&mut self, cluster: &ClusterSeen<'_>, node: NodeId) -> Result<(), Violation> {
        let _ = (cluster, node);
        Ok(())
    }

    /// A call on the outside store reached it, and this is what it made of it; the node may never be told,
    /// and may be down by then.
    ///
    /// # Errors
    /// The violation, which ends the run.
    fn on_call(&mut self, call: &RemoteCall, result: &RemoteResult) -> Result<(), Violation> {
        let _ = (call, result);
        Ok(())
    }

    /// A node crashed. Its [`NodeSeen`] still shows what it was just before.
    fn on_crash(&mut self, cluster: &ClusterSeen<'_>, node: NodeId) {
        let _ = (cluster, node);
    }

    /// Nobody holds anything of the group any more, be it on disk or in memory. What is founded next is
    /// another group: its terms, entries and leaders have nothing to do with those before.
    fn on_loss(&mut self) {}

    /// Another phase of the run begins.
    fn on_phase(&mut self, cluster: &ClusterSeen<'_>, phase: Phase, moment: Moment) {
        let _ = (cluster, phase, moment);
    }

    /// The run is over.
    ///
    /// # Errors
    /// The violation.
    fn on_end(&mut self, cluster: &ClusterSeen<'_>, end: &EndSeen<'_>) -> Result<(), Violation> {
        let _ = (cluster, end);
        Ok(())
    }
}

/// A point in simulated time, in microseconds from the start of the run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SimTime(u64);

/// When something happened: the simulated time, and how many steps had been taken by all nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    /// Simulated time.
    pub at: SimTime,
    /// The step it happened in, counted from 1 over all nodes.
    pub step: u64,
}

/// One call of [`Node::step`](hamok::Node::step) and all around it.
///
/// A crash between two outputs does not show here: the node did put out all of them, and what the
/// world then did with them it sees in the steps that follow.
#[derive(Clone, Copy, Debug)]
pub struct StepSeen<'a> {
    /// When.
    pub moment: Moment,
    /// Which node.
    pub node: NodeId,
    /// Which of its lives.
    pub life: Life,
    /// What it was fed.
    pub input: &'a Input,
    /// What it put out.
    pub outputs: &'a [Output],
    /// Its state before.
    pub before: &'a Status,
    /// Its state after.
    pub after: &'a Status,
    /// What its writes had come to before the step, if the step began a new file in its place: a
    /// snapshot may cover entries that only the old one shows.
    pub replaced: Option<&'a Stored>,
}

/// What the world knows of one node.
#[derive(Clone, Debug)]
pub struct NodeSeen {
    /// Which node.
    pub id: NodeId,
    /// How it is configured.
    pub config: Config,
    /// Whether it is running; a paused node is.
    pub up: bool,
    /// Its last status, kept after a crash; none before its first start.
    pub status: Option<Status>,
    /// Every write issued in this life, folded over the image it started from. It includes the
    /// [`Output::Persist`] of the step being checked.
    pub issued: Stored,
    /// The writes among them whose confirmation was fed to the node, that of the step being checked
    /// included: what must survive. While the node is down, what did survive.
    pub confirmed: Stored,
}

/// What the world knows of every node.
#[derive(Clone, Copy, Debug)]
pub struct ClusterSeen<'a> {
    /// The nodes by id, those that are down included.
    pub nodes: &'a BTreeMap<NodeId, NodeSeen>,
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Faults as drawn; nothing may go wrong.
    Safety,
    /// All faults are over; the group must come to work.
    Liveness,
    /// It does: all agree, and a write and a read were served. Nothing new is asked of the group but what
    /// is to be seen to work now.
    Settled,
    /// One follower is cut off, the rest being healthy.
    Isolation,
    /// That follower is back.
    Return,
}

/// What the end of a run is judged by.
#[derive(Clone, Copy, Debug)]
pub struct EndSeen<'a> {
    /// When the run ended.
    pub moment: Moment,
    /// What clients asked for and how it ended; empty when the workload keeps none.
    pub history: &'a History,
    /// The liveness phase, if the run had one.
    pub liveness: Option<&'a LivenessSeen>,
    /// The return of an isolated node, if the run had one.
    pub reunion: Option<&'a ReunionSeen>,
}

/// How the liveness phase went.
#[derive(Clone, Debug)]
pub struct LivenessSeen {
    /// When the last fault was over.
    pub began: SimTime,
    /// When the group must work: 20 maximum election time-outs later.
    pub deadline: SimTime,
    /// The nodes that ran from then on. They hold a majority of the group, or all its founders if it
    /// was not founded yet.
    pub healthy: BTreeSet<NodeId>,
    /// When a write invoked in this phase was first answered `Done`.
    pub write_served: Option<SimTime>,
    /// When a linearizable read invoked in this phase was first answered `Done`.
    pub read_served: Option<SimTime>,
    /// Since when, without a break up to the end of the phase, the healthy nodes agree: one leader,
    /// known to all; the same configuration; the same applied index and digest. None if they do not.
    pub agreed: Option<SimTime>,
    /// What they do not agree on at the deadline, in words; empty if they agree.
    pub disagreement: String,
}

/// How a group with a healthy quorum took the return of a node that had been cut off.
#[derive(Clone, Debug)]
pub struct ReunionSeen {
    /// The node that was cut off; a follower at that time.
    pub isolated: NodeId,
    /// The leader when it was cut off.
    pub leader_before: NodeId,
    /// The leader's term at that time.
    pub term_before: Term,
    /// When it was cut off.
    pub cut: SimTime,
    /// When it was let back.
    pub returned: SimTime,
    /// The highest term of any node when the phase ended.
    pub term_after: Term,
    /// Whom each healthy node took for the leader when the phase ended.
    pub leaders_after: BTreeMap<NodeId, Option<NodeId>>,
}

/// Something that must not happen, and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's code.
    pub code: &'static str,
    /// The node that broke it, if one did.
    pub node: Option<NodeId>,
    /// The clause in words, with what clashes.
    pub text: String,
}

impl SimTime {
    /// The start of a run.
    pub const ZERO: Self = Self(0);

    /// That many microseconds from the start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// That many seconds from the start.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// Microseconds from the start.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// This moved on by that many microseconds.
    #[must_use]
    pub const fn plus(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds since `earlier`; none if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl ClusterSeen<'_> {
    /// What is known of that node, which must exist.
    ///
    /// # Panics
    /// When the run has no such node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &NodeSeen {
        self.nodes.get(&id).expect("every node of a run is known from its start")
    }
}

impl Violation {
    /// An objection of the checker for `code`.
    #[must_use]
    pub fn new(code: &'static str, node: Option<NodeId>, text: impl Into<String>) -> Self {
        Self { code, node, text: text.into() }
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} at {}", self.step, self.at)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node {
            Some(node) => write!(f, "{} on {node}: {}", self.code, self.text),
            None => write!(f, "{}: {}", self.code, self.text),
        }
    }
}

impl std::error::Error for Violation {}
