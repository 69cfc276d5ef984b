//! RM: the outside store executes each operation of a remote map once, in the order of the log and only for
//! a leader that was not deposed when it did; and no outcome is reported of what it has not executed.
//!
//! What the store keeps to make sure of that is not looked at: this keeps its own book.

use std::collections::BTreeMap;

use hamok::{
    Event, Fence, GroupId, Index, RemoteCall, RemoteOutcome, RemoteResult, RemoteWork, Term,
};

use super::events;
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// What was executed, by map.
#[derive(Debug, Default)]
pub(super) struct RemoteCalls {
    maps: BTreeMap<String, Book>,
}

#[derive(Debug, Default)]
struct Book {
    group: Option<GroupId>,
    /// The highest term of any call that was allowed.
    highest: Term,
    executed: BTreeMap<Index, RemoteOutcome>,
}

impl Checker for RemoteCalls {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_call(&mut self, call: &RemoteCall, result: &RemoteResult) -> Result<(), Violation> {
        let (RemoteWork::Execute { fence, .. }, RemoteResult::Ended(outcome)) =
            (call.work(), result)
        else {
            return Ok(());
        };
        let book = self.maps.entry(call.map().to_owned()).or_default();
        book.enter(fence, outcome)
            .map_err(|text| Violation::new(CODE, None, format!("{text}: {call}")))
    }

    fn on_step(&mut self, _: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        for event in events(step) {
            let Event::Changed(change) = event else { continue };
            let Some(operation) = change.operation() else { continue };
            let book = self.maps.get(change.collection());
            if !book.is_some_and(|book| book.executed.contains_key(&operation)) {
                let text = format!("the outside store has not executed what is reported: {change}");
                return Err(Violation::new(CODE, Some(step.node), text));
            }
        }
        Ok(())
    }
}

impl Book {
    /// A call was allowed, be it that the operation was executed then or before.
    fn enter(&mut self, fence: &Fence, outcome: &RemoteOutcome) -> Result<(), String> {
        if self.group != Some(fence.group) {
            *self = Self { group: Some(fence.group), ..Self::default() };
        }
        if fence.term < self.highest {
            return Err(format!("a leader of {} had been called for before", self.highest));
        }
        self.highest = fence.term;
        if let Some(before) = self.executed.get(&fence.index) {
            return match before == outcome {
                true => Ok(()),
                false => Err(format!("it ended as {before} before, and now as {outcome}")),
            };
        }
        let last = self.executed.last_key_value().map_or(Index::ZERO, |(index, _)| *index);
        if fence.index <= last {
            return Err(format!("operation {last}, a later one, was executed before"));
        }
        if fence.previous != last {
            return Err(format!("the operation executed last is {last}"));
        }
        self.executed.insert(fence.index, outcome.clone());
        Ok(())
    }
}

const CODE: &str = "RM";
