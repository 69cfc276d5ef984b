//! MO: applied ≤ committed ≤ last; committed and applied never go back within one life; and what a
//! node says of its log is so: it ends where the writes asked for make it end, and what it takes for
//! durable is.

use hamok::{EntryId, Index, Status};

use super::holds;
use crate::observation::{Checker, ClusterSeen, NodeSeen, StepSeen, Violation};

/// Compares the marks in a node's status with each other, with those before, and with its disk.
#[derive(Debug)]
pub(super) struct Monotonicity;

impl Checker for Monotonicity {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        let (before, after) = (step.before, step.after);
        let objection = out_of_order(after)
            .or_else(|| gone_back("committed", before.committed, after.committed))
            .or_else(|| gone_back("applied", before.applied, after.applied))
            .or_else(|| not_so(after, cluster.node(step.node)));
        match objection {
            Some(text) => Err(Violation::new(CODE, Some(step.node), text)),
            None => Ok(()),
        }
    }
}

fn out_of_order(status: &Status) -> Option<String> {
    let Status { applied, committed, last, .. } = status;
    (applied > committed || *committed > last.index).then(|| {
        format!(
            "applied ≤ committed ≤ last, but applied is {applied}, committed {committed}, last {last}"
        )
    })
}

fn gone_back(what: &str, before: Index, after: Index) -> Option<String> {
    (after < before).then(|| {
        format!("{what} never goes back within one life, but went from {before} to {after}")
    })
}

fn not_so(status: &Status, node: &NodeSeen) -> Option<String> {
    let end = node.issued.last();
    if status.last != end {
        return Some(format!(
            "a log is what its writes made it, but it is said to end with {}, they make it end with \
             {end}",
            status.last
        ));
    }
    let durable = match status.durable {
        Index::ZERO => EntryId::ZERO,
        index => node.issued.entry(index).map_or(EntryId::new(index, status.term), |e| e.id()),
    };
    (!holds(&node.issued, durable) || !holds(&node.confirmed, durable)).then(|| {
        format!(
            "what a node takes for durable is, but it does so up to {durable}, while its log ends \
             with {end}, what was confirmed with {}",
            node.confirmed.last()
        )
    })
}

const CODE: &str = "MO";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    /// The true story, with the status after some step well into it changed.
    fn story(change: impl Fn(&mut Seen)) -> Story {
        Story::true_one().but(|seen| {
            let found = seen.before.applied.get() > 3;
            if found {
                change(seen);
            }
            found
        })
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(Monotonicity);
    }

    #[test]
    fn marks_out_of_order_are_reported() {
        let story_one = story(|seen| seen.after.applied = seen.after.committed.next());
        assert_objects(Monotonicity, &story_one, "applied ≤ committed ≤ last");
        let story_two = story(|seen| seen.after.committed = seen.after.last.index.next());
        assert_objects(Monotonicity, &story_two, "applied ≤ committed ≤ last");
    }

    #[test]
    fn marks_that_go_back_are_reported() {
        let story_one = story(|seen| {
            let back = seen.before.applied.previous();
            (seen.after.committed, seen.after.applied) = (back, back);
        });
        assert_objects(Monotonicity, &story_one, "committed never goes back");
        let story_two = story(|seen| seen.after.applied = seen.before.applied.previous());
        assert_objects(Monotonicity, &story_two, "applied never goes back");
    }

    #[test]
    fn a_log_that_is_not_what_its_writes_made_it_is_reported() {
        let story = story(|seen| seen.after.last.term = seen.after.last.term.next());
        assert_objects(Monotonicity, &story, "a log is what its writes made it");
    }

    #[test]
    fn a_durable_mark_beyond_what_was_confirmed_is_reported() {
        let story = story(|seen| seen.own().confirmed = hamok::Stored::new());
        assert_objects(Monotonicity, &story, "what a node takes for durable is");
    }
}
