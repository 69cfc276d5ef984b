//! NP: no panic on any input; and what a correct world feeds a node, the node does not take for
//! something that cannot happen.

use hamok::{DropReason, Event, NodeId};

use super::events;
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Looks for events that say that no correct member, disk or client does this: here all are correct.
#[derive(Debug, Default)]
pub(super) struct NoPanic;

impl Checker for NoPanic {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, _: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        let Some(event) = events(step).find(|event| is_impossible(event)) else { return Ok(()) };
        let text = format!("nobody here does what is impossible, but {} finds: {event}", step.node);
        Err(Violation::new(CODE, Some(step.node), text))
    }
}

/// The violation that a panic is.
#[must_use]
pub fn panicked(node: NodeId, message: &str) -> Violation {
    Violation::new(CODE, Some(node), format!("no input makes a node panic, but: {message}"))
}

fn is_impossible(event: &Event) -> bool {
    matches!(
        event,
        Event::EnvelopeDropped { because: DropReason::Impossible(_), .. }
            | Event::CommandUnreadable { .. }
            | Event::CommandTooNew { .. }
            | Event::RequestIdInUse { .. }
            | Event::ConfirmationIgnored
    )
}

const CODE: &str = "NP";

#[cfg(test)]
mod tests {
    use hamok::{Impossible, Output};

    use super::*;
    use crate::checker::testing::{Story, assert_accepts, assert_objects};

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(NoPanic);
    }

    #[test]
    fn what_a_node_finds_impossible_is_reported() {
        let dropped = |seen: &crate::checker::testing::Seen| Event::EnvelopeDropped {
            from: seen.after.identity,
            because: DropReason::Impossible(Impossible::SecondLeader),
        };
        let story = Story::true_one().but(|seen| {
            seen.outputs.push(Output::Event(dropped(seen)));
            true
        });
        assert_objects(NoPanic, &story, "impossible: a second leader of this term");
        let story = Story::true_one().but(|seen| {
            seen.outputs.push(Output::Event(Event::ConfirmationIgnored));
            true
        });
        assert_objects(NoPanic, &story, "confirmation ignored");
    }

    #[test]
    fn a_panic_is_reported_with_its_words() {
        let violation = panicked(NodeId::new(2), "index out of bounds");
        assert_eq!(
            violation.to_string(),
            "NP on n2: no input makes a node panic, but: index out of bounds"
        );
    }
}
