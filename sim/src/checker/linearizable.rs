//! RL: the clients' history is linearizable, by the witness of the log; what the black box makes of
//! the same history, [`search`](crate::linearizability::search) tells.

use super::journal::Journal;
use crate::linearizability::witness;
use crate::observation::{Checker, ClusterSeen, EndSeen, StepSeen, Violation};

/// Collects what the log did, and in the end compares it with what the clients were told.
#[derive(Debug, Default)]
pub(super) struct Linearizable {
    journal: Journal,
}

impl Checker for Linearizable {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_step(&mut self, _: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        self.journal.note(step);
        Ok(())
    }

    fn on_end(&mut self, _: &ClusterSeen<'_>, end: &EndSeen<'_>) -> Result<(), Violation> {
        let reported = self.journal.read(end.history);
        let judged =
            reported.and_then(|reported| witness(end.history, &self.journal.effects(&reported)?));
        judged.map_err(|text| {
            Violation::new(CODE, None, format!("the history is not linearizable: {text}"))
        })
    }
}

const CODE: &str = "RL";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::testing::{Story, assert_accepts, assert_objects};
    use crate::history::{CallOutcome, CallResult, History, HistoryEvent};
    use crate::observation::Moment;

    /// The true story, with what one client was told changed.
    fn told(change: impl Fn(&mut CallOutcome) -> bool) -> Story {
        let mut story = Story::true_one();
        let mut history = History::new();
        let mut changed = false;
        for event in story.history.events() {
            let moment = Moment { at: event.at(), step: 0 };
            match event.clone() {
                HistoryEvent::Invoke { call, name, operation, .. } => {
                    history.invoke(call, moment, &name, operation);
                }
                HistoryEvent::Complete { call, mut outcome, .. } => {
                    changed = changed || change(&mut outcome);
                    history.complete(call, moment, outcome);
                }
            }
        }
        assert!(changed, "no outcome is like that");
        story.history = history;
        story
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(Linearizable::default());
    }

    #[test]
    fn another_result_is_reported() {
        let story = told(|outcome| match outcome {
            CallOutcome::Done { result, .. } if *result == CallResult::Value(Some("1".into())) => {
                *result = CallResult::Value(None);
                true
            }
            CallOutcome::Done { .. }
            | CallOutcome::Refused { .. }
            | CallOutcome::NotExecuted
            | CallOutcome::Unknown => false,
        });
        assert_objects(Linearizable::default(), &story, "this call answers \"1\"");
    }

    #[test]
    fn a_done_call_said_not_to_be_is_reported() {
        let story = told(|outcome| {
            *outcome = CallOutcome::NotExecuted;
            true
        });
        assert_objects(Linearizable::default(), &story, "nobody can have asked for");
    }

    #[test]
    fn another_position_is_reported() {
        let story = told(|outcome| match outcome {
            CallOutcome::Done { index: Some(index), .. } => {
                *index += 1;
                true
            }
            CallOutcome::Done { index: None, .. }
            | CallOutcome::Refused { .. }
            | CallOutcome::NotExecuted
            | CallOutcome::Unknown => false,
        });
        assert_objects(Linearizable::default(), &story, "not linearizable");
    }
}
