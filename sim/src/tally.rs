//! How the clients' operations ended, counted.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::history::CallOutcome;

/// How operations ended, counted: all together, and by kind of collection and operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tally {
    /// All of them.
    pub total: Outcomes,
    /// Those of each kind, such as `queue.pop`.
    pub by_operation: BTreeMap<String, Outcomes>,
}

/// How some operations ended, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outcomes {
    /// Begun.
    pub begun: u64,
    /// Done.
    pub done: u64,
    /// Refused, the same on every node.
    pub refused: u64,
    /// Without effect.
    pub not_executed: u64,
    /// Perhaps done.
    pub unknown: u64,
}

impl Tally {
    /// An operation begins.
    pub(crate) fn begin(&mut self, operation: &str) {
        self.total.begun += 1;
        self.of(operation).begun += 1;
    }

    /// An operation that was begun has come to its end.
    pub(crate) fn end(&mut self, operation: &str, outcome: &CallOutcome) {
        self.total.count(outcome);
        self.of(operation).count(outcome);
    }

    fn of(&mut self, operation: &str) -> &mut Outcomes {
        self.by_operation.entry(operation.to_owned()).or_default()
    }
}

impl Outcomes {
    fn count(&mut self, outcome: &CallOutcome) {
        match outcome {
            CallOutcome::Done { .. } => self.done += 1,
            CallOutcome::Refused { .. } => self.refused += 1,
            CallOutcome::NotExecuted => self.not_executed += 1,
            CallOutcome::Unknown => self.unknown += 1,
        }
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        self.total += other.total;
        for (operation, outcomes) in &other.by_operation {
            *self.of(operation) += *outcomes;
        }
    }
}

impl AddAssign for Outcomes {
    fn add_assign(&mut self, other: Self) {
        self.begun += other.begun;
        self.done += other.done;
        self.refused += other.refused;
        self.not_executed += other.not_executed;
        self.unknown += other.unknown;
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { begun, done, refused, not_executed, unknown } = self;
        write!(
            f,
            "{begun} begun: {done} done, {refused} refused, {not_executed} not executed, {unknown} \
             unknown"
        )
    }
}
