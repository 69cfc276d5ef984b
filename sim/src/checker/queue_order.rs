//! QO: what is pushed into a queue comes out in the order in which it went in, each value once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hamok::{CollectionKind, Event, Index, Queue, QueueEvent};

use super::{events, stops};
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// What is in each queue, by the changes that the first node to apply each entry told.
#[derive(Debug, Default)]
pub(super) struct QueueOrder {
    lines: BTreeMap<String, Line>,
    applied: Index,
}

/// What stands in one queue, and what has left it.
#[derive(Debug, Default)]
struct Line {
    standing: VecDeque<String>,
    left: BTreeSet<String>,
}

impl Checker for QueueOrder {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_step(&mut self, _: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        if step.after.applied <= self.applied || stops(step) {
            return Ok(());
        }
        for event in events(step) {
            let Event::Changed(change) = event else { continue };
            if change.kind() != CollectionKind::Queue || change.index() <= self.applied {
                continue;
            }
            let name = change.collection();
            let queue = Queue::<String>::named(name.to_owned());
            // What is no text was not put there by the clients.
            let Ok(Some(Ok(event))) = queue.map(|queue| queue.event(change)) else { continue };
            let line = self.lines.entry(name.to_owned()).or_default();
            line.take(event).map_err(|text| {
                Violation::new(CODE, Some(step.node), format!("{change}: {text}"))
            })?;
        }
        self.applied = step.after.applied;
        Ok(())
    }
}

impl Line {
    fn take(&mut self, event: QueueEvent<String>) -> Result<(), String> {
        match event {
            QueueEvent::Add { value } => {
                if self.left.contains(&value) || self.standing.contains(&value) {
                    return Err("it was pushed before, by the same call".to_owned());
                }
                self.standing.push_back(value);
            }
            QueueEvent::Remove { value } => {
                if self.standing.front() != Some(&value) {
                    return Err(format!("at the front is {:?}", self.standing.front()));
                }
                self.standing.pop_front();
                self.left.insert(value);
            }
            QueueEvent::Clear => self.left.extend(std::mem::take(&mut self.standing)),
            QueueEvent::Dropped => *self = Self::default(),
            QueueEvent::NotEmpty if self.standing.is_empty() => {
                return Err("nothing stands in it".to_owned());
            }
            QueueEvent::Empty if !self.standing.is_empty() => {
                return Err(format!("{} values stand in it", self.standing.len()));
            }
            QueueEvent::NotEmpty | QueueEvent::Empty | _ => {}
        }
        Ok(())
    }
}

const CODE: &str = "QO";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::testing::assert_accepts;

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(QueueOrder::default());
    }

    fn line(events: &[QueueEvent<String>]) -> Result<(), String> {
        let mut line = Line::default();
        events.iter().try_for_each(|event| line.take(event.clone()))
    }

    #[test]
    fn values_leave_in_their_order_and_once() {
        use QueueEvent::{Clear, Empty, NotEmpty};

        let add = |value: &str| QueueEvent::Add { value: value.to_owned() };
        let remove = |value: &str| QueueEvent::Remove { value: value.to_owned() };
        let fine =
            [add("a"), add("b"), NotEmpty, remove("a"), add("c"), remove("b"), remove("c"), Empty];
        assert_eq!(line(&fine), Ok(()));
        assert_eq!(line(&[add("a"), add("b"), Clear, Empty, add("c"), remove("c")]), Ok(()));
        let wrong = [
            vec![add("a"), add("b"), remove("b")],
            vec![add("a"), remove("a"), remove("a")],
            vec![add("a"), remove("a"), add("a")],
            vec![add("a"), add("a")],
            vec![add("a"), Clear, remove("a")],
            vec![remove("a")],
            vec![add("a"), Empty],
            vec![NotEmpty],
        ];
        for events in wrong {
            assert!(line(&events).is_err(), "{events:?}");
        }
    }
}
