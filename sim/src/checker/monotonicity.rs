//! MO: applied ≤ committed ≤ last; committed and applied never go back within one life; and what a
//! node says of its log is so: it ends where the writes asked for make it end, and what it takes for
//! durable is.

use hamok::{EntryId, Index, Membership, Status};

use super::ledger::Ledger;
use crate::observation::{Checker, ClusterSeen, NodeSeen, StepSeen, Violation};

/// Compares the marks in a node's status with each other, with those before, and with its disk.
#[derive(Debug, Default)]
pub(super) struct Monotonicity {
    ledger: Ledger,
}

impl Checker for Monotonicity {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        self.ledger.note(cluster, step);
        let (before, after) = (step.before, step.after);
        let objection = out_of_order(after)
            .or_else(|| gone_back("committed", before.committed, after.committed))
            .or_else(|| gone_back("applied", before.applied, after.applied))
            .or_else(|| self.not_so(after, cluster.node(step.node)));
        match objection {
            Some(text) => Err(Violation::new(CODE, Some(step.node), text)),
            None => Ok(()),
        }
    }
}

impl Monotonicity {
    /// What the node says of its log must be what its writes made that.
    fn not_so(&self, status: &Status, node: &NodeSeen) -> Option<String> {
        if status.membership == Membership::OutOfService {
            return None; // It writes no more.
        }
        let (start, end) = (node.issued.start(), node.issued.last());
        if (status.snapshot, status.last) != (start, end) {
            return Some(format!(
                "a log is what its writes made it, but it is said to go on after {} up to {}, they make \
                 it go on after {start} up to {end}",
                status.snapshot, status.last
            ));
        }
        let durable = match status.durable {
            Index::ZERO => EntryId::ZERO,
            index => {
                let held = self.ledger.entry_at(&node.issued, index);
                held.unwrap_or(EntryId::new(index, status.term))
            }
        };
        let held = |log| self.ledger.holds(log, durable);
        (!held(&node.issued) || !held(&node.confirmed)).then(|| {
            format!(
                "what a node takes for durable is, but it does so up to {durable}, while its log ends \
                 with {end}, what was confirmed with {}",
                node.confirmed.last()
            )
        })
    }
}

/// After a restart the snapshot is yet to be loaded: what is applied may lag behind it.
fn out_of_order(status: &Status) -> Option<String> {
    let Status { compacted, snapshot, applied, committed, last, .. } = status;
    let marks = [compacted.index, snapshot.index, *committed, last.index];
    (applied > committed || !marks.is_sorted()).then(|| {
        format!(
            "compacted ≤ snapshot ≤ committed ≤ last and applied ≤ committed, but compacted is \
             {compacted}, snapshot {snapshot}, applied {applied}, committed {committed}, last {last}"
        )
    })
}

fn gone_back(what: &str, before: Index, after: Index) -> Option<String> {
    (after < before).then(|| {
        format!("{what} never goes back within one life, but went from {before} to {after}")
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
        assert_accepts(Monotonicity::default());
    }

    #[test]
    fn marks_out_of_order_are_reported() {
        let story_one = story(|seen| seen.after.applied = seen.after.committed.next());
        assert_objects(Monotonicity::default(), &story_one, "applied ≤ committed, but");
        let story_two = story(|seen| seen.after.committed = seen.after.last.index.next());
        assert_objects(Monotonicity::default(), &story_two, "applied ≤ committed, but");
    }

    #[test]
    fn marks_that_go_back_are_reported() {
        let story_one = story(|seen| {
            let back = seen.before.applied.previous();
            (seen.after.committed, seen.after.applied) = (back, back);
        });
        assert_objects(Monotonicity::default(), &story_one, "committed never goes back");
        let story_two = story(|seen| seen.after.applied = seen.before.applied.previous());
        assert_objects(Monotonicity::default(), &story_two, "applied never goes back");
    }

    #[test]
    fn a_log_that_is_not_what_its_writes_made_it_is_reported() {
        let story = story(|seen| seen.after.last.term = seen.after.last.term.next());
        assert_objects(Monotonicity::default(), &story, "a log is what its writes made it");
    }

    #[test]
    fn a_durable_mark_beyond_what_was_confirmed_is_reported() {
        let story = story(|seen| seen.own().confirmed = hamok::Stored::new());
        assert_objects(Monotonicity::default(), &story, "what a node takes for durable is");
    }
}
