//! What happened in a run, counted.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use hamok::Counters;
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
    /// Calls on the outside store, repetitions included.
    pub remote_calls: u64,
    /// Snapshots taken.
    pub snapshots_taken: u64,
    /// Snapshots that leaders began to send.
    pub snapshots_sent: u64,
    /// Those of them of which the receiver had a part already.
    pub snapshots_resumed: u64,
    /// Snapshots that took the place of a log.
    pub snapshots_installed: u64,
    /// Nodes let into the group at their own asking.
    pub admissions: u64,
    /// Nodes that learnt that they are no members any more.
    pub removals: u64,
    /// Learners made voters.
    pub promotions: u64,
    /// Silent voters made learners.
    pub demotions: u64,
    /// Times that leadership began to be handed on.
    pub transfers_begun: u64,
    /// Times that this came to nothing.
    pub transfers_failed: u64,
    /// Times that a group went over to a later format version.
    pub versions_raised: u64,
    /// Faults by kind.
    pub faults: BTreeMap<Fault, u64>,
}

impl Counts {
    /// Adds what a step of a node brought, by its own counters.
    pub(crate) fn add_step(&mut self, before: &Counters, after: &Counters) {
        for (sum, before, after) in [
            (&mut self.snapshots_taken, before.snapshots_taken, after.snapshots_taken),
            (&mut self.snapshots_sent, before.snapshots_sent, after.snapshots_sent),
            (&mut self.snapshots_resumed, before.snapshots_resumed, after.snapshots_resumed),
            (&mut self.snapshots_installed, before.snapshots_installed, after.snapshots_installed),
            (&mut self.admissions, before.admissions, after.admissions),
            (&mut self.promotions, before.promotions, after.promotions),
            (&mut self.demotions, before.demotions, after.demotions),
            (&mut self.transfers_begun, before.transfers_begun, after.transfers_begun),
            (&mut self.transfers_failed, before.transfers_failed, after.transfers_failed),
        ] {
            *sum += after - before;
        }
    }

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
        self.remote_calls += other.remote_calls;
        self.snapshots_taken += other.snapshots_taken;
        self.snapshots_sent += other.snapshots_sent;
        self.snapshots_resumed += other.snapshots_resumed;
        self.snapshots_installed += other.snapshots_installed;
        self.admissions += other.admissions;
        self.removals += other.removals;
        self.promotions += other.promotions;
        self.demotions += other.demotions;
        self.transfers_begun += other.transfers_begun;
        self.transfers_failed += other.transfers_failed;
        self.versions_raised += other.versions_raised;
        for (&fault, &count) in &other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
    }
}
