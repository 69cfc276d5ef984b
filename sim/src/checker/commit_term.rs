//! CT: a leader commits by counting copies only when the entry is of its own term; what is older
//! commits with it (Raft §5.4.2).

use super::ledger::Ledger;
use super::stays_leader;
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Looks at the entry at the index that a leader moves its commit index to.
#[derive(Debug, Default)]
pub(super) struct CommitTerm {
    ledger: Ledger,
}

impl Checker for CommitTerm {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        self.ledger.note(cluster, step);
        if !stays_leader(step) || step.after.committed <= step.before.committed {
            return Ok(());
        }
        let log = &cluster.node(step.node).issued;
        let term = step.after.term;
        match self.ledger.entry_at(log, step.after.committed) {
            Some(entry) if entry.term != term => {
                let text = format!(
                    "a leader counts copies only of entries of its own term, but that of {term} \
                     committed up to {entry}"
                );
                Err(Violation::new(CODE, Some(step.node), text))
            }
            Some(_) | None => Ok(()),
        }
    }
}

const CODE: &str = "CT";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::testing::{Story, assert_accepts, assert_objects};

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(CommitTerm::default());
    }

    #[test]
    fn a_commit_of_an_earlier_term_by_counting_is_reported() {
        let story = Story::true_one().but(|seen| {
            let found = seen.commits_as_leader();
            if found {
                let later = seen.after.term.next();
                (seen.before.term, seen.after.term) = (later, later);
            }
            found
        });
        assert_objects(
            CommitTerm::default(),
            &story,
            "counts copies only of entries of its own term",
        );
    }
}
