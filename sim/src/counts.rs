//! What happened in a run, counted.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::settings::Fault;

/// What happened in a run, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Calls of [`Node::step`](hamok::Node::step).
    pub steps: u64,
    /// Envelopes sent.
    pub sent: u64,
    /// Envelopes that reached a running node.
    pub delivered: u64,
    /// Writes asked for.
    pub writes: u64,
    /// Nodes started, for the first time or again.
    pub starts: u64,
    /// Elections won.
    pub elections: u64,
    /// Entries applied, on all nodes together.
    pub applied: u64,
    /// Requests put to nodes, retries included.
    pub requests: u64,
    /// Faults by kind.
    pub faults: BTreeMap<Fault, u64>,
}

impl Counts {
    pub(crate) fn struck(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        self.steps += other.steps;
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.writes += other.writes;
        self.starts += other.starts;
        self.elections += other.elections;
        self.applied += other.applied;
        self.requests += other.requests;
        for (&fault, &count) in &other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
    }
}
