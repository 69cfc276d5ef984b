//! RM: the outside store executes each operation of a remote map once, in the order of the log and only for
//! a leader that was not deposed when it did; and no outcome is reported of what it has not executed.
//!
//! What the store keeps to make sure of that is not looked at: this keeps its own book.

use std::collections::BTreeMap;

use hamok::{
    Change, Event, Fence, GroupId, Index, RemoteCall, RemoteOutcome, RemoteResult, RemoteWork, Term,
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
            if let Event::Changed(change) = event
                && !self.accounts_for(change)
            {
                let text = format!("the outside store has not executed what is reported: {change}");
                return Err(Violation::new(CODE, Some(step.node), text));
            }
        }
        Ok(())
    }
}

impl RemoteCalls {
    /// Whether what made a change was executed, if it is a change in a remote map.
    fn accounts_for(&self, change: &Change) -> bool {
        let Some(operation) = change.operation() else { return true };
        let book = self.maps.get(change.collection());
        book.is_some_and(|book| book.executed.contains_key(&operation))
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

#[cfg(test)]
mod tests {
    use hamok::{
        Birth, Config, Event, Incarnation, Input, Node, NodeId, Output, RemoteMap, RequestId, Ticks,
    };

    use super::*;
    use crate::checker::testing::assert_accepts;
    use crate::remote_store::RemoteStore;

    const FAR: RemoteMap<String, String> = RemoteMap::new("far");

    /// The calls that a group of one makes for three operations, what an honest store makes of them, and the
    /// changes that the node then reports.
    fn calls() -> (Vec<(RemoteCall, RemoteResult)>, Vec<Change>) {
        let config = Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found);
        let mut node = Node::new(config).expect("the defaults are valid");
        let mut store = RemoteStore::default();
        let (mut calls, mut changes) = (Vec::new(), Vec::new());
        let mut inputs = vec![Input::Tick(Ticks::new(1))];
        for number in 1..=3 {
            let call = FAR.set(&number.to_string(), &"v".to_owned()).expect("text encodes");
            inputs.push(Input::Request(RequestId::new(number), call.into_parts().0));
        }
        for _ in 0..40 {
            inputs.push(Input::Tick(Ticks::new(1)));
            for input in std::mem::take(&mut inputs) {
                for output in node.step(input) {
                    match output {
                        Output::Persist(write) => inputs.push(Input::Persisted(write.id())),
                        Output::Remote(call) => {
                            let result = store.execute(&call, false);
                            inputs.push(Input::Remote(call.id(), result.clone()));
                            calls.push((call, result));
                        }
                        Output::Event(Event::Changed(change)) => changes.push(change),
                        Output::Send(_) | Output::Reply(_) | Output::Event(_) => {}
                    }
                }
            }
        }
        assert_eq!((calls.len(), changes.len()), (3, 3));
        (calls, changes)
    }

    fn shown(calls: &[(RemoteCall, RemoteResult)]) -> Result<(), Violation> {
        let mut checker = RemoteCalls::default();
        calls.iter().try_for_each(|(call, result)| checker.on_call(call, result))
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(RemoteCalls::default());
        let (calls, _) = calls();
        assert_eq!(shown(&calls), Ok(()));
        let repeated: Vec<_> = calls.iter().flat_map(|call| [call.clone(), call.clone()]).collect();
        assert_eq!(shown(&repeated), Ok(()), "an operation may be asked for again");
    }

    #[test]
    fn operations_out_of_their_order_or_with_another_end_are_reported() {
        let (calls, _) = calls();
        let [first, second, third] = [0, 1, 2].map(|place| calls[place].clone());
        let other = RemoteResult::Ended(RemoteOutcome::Done(hamok::RemoteAnswer::Count(7)));
        let stories = [
            vec![first.clone(), third.clone()],
            vec![second.clone()],
            vec![first.clone(), (first.0.clone(), other.clone())],
        ];
        for story in stories {
            assert!(shown(&story).is_err(), "{story:?}");
        }
        // What the store refuses changes nothing.
        let refused =
            |(call, _): &(RemoteCall, RemoteResult)| (call.clone(), RemoteResult::Unanswered);
        assert_eq!(shown(&[refused(&third), first, second, third.clone()]), Ok(()));
    }

    #[test]
    fn a_call_of_a_deposed_leader_is_reported() {
        let (RemoteWork::Execute { fence, .. }, outcome) =
            (calls().0[0].0.work().clone(), RemoteOutcome::Done(hamok::RemoteAnswer::Nothing))
        else {
            panic!("it is no read");
        };
        let mut book = Book::default();
        book.enter(&fence, &outcome).expect("the first");
        book.highest = Term::new(fence.term.get() + 1);
        let text = book.enter(&fence, &outcome).expect_err("it was deposed");
        assert!(text.contains("had been called for before"), "{text}");
    }

    #[test]
    fn a_change_of_what_was_not_executed_is_reported() {
        let (calls, changes) = calls();
        let mut checker = RemoteCalls::default();
        for ((call, result), change) in calls.iter().zip(&changes) {
            assert!(!checker.accounts_for(change), "{change}");
            checker.on_call(call, result).expect("a true story");
            assert!(checker.accounts_for(change), "{change}");
        }
    }
}
