//! LC: every committed entry is in the log of every later leader at its election (Raft §5.4).

use hamok::{EntryId, Index, Term};

use super::{elections, holds};
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Knows the term of every committed entry. Of a new leader it looks at the last one committed in an
/// earlier term; by log matching, what stands before it is right when it is.
#[derive(Debug, Default)]
pub(super) struct LeaderCompleteness {
    /// In order of the index, hence of the term.
    committed: Vec<Term>,
}

impl LeaderCompleteness {
    /// The last entry committed in a term before `term`.
    fn last_before(&self, term: Term) -> EntryId {
        let count = self.committed.partition_point(|committed| *committed < term);
        match self.committed[..count].last() {
            Some(&committed) => EntryId::new(Index::new(count as u64), committed),
            None => EntryId::ZERO,
        }
    }
}

impl Checker for LeaderCompleteness {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        let log = &cluster.node(step.node).issued;
        for term in elections(step) {
            let committed = self.last_before(term);
            if !holds(log, committed) {
                let text = format!(
                    "a leader's log holds all that was committed before its term, but the leader of \
                     {term} lacks {committed}; its log ends with {}",
                    log.last()
                );
                return Err(Violation::new(CODE, Some(step.node), text));
            }
        }
        let known = self.committed.len() as u64;
        let more = (known..step.after.committed.get()).map(|index| Index::new(index).next());
        self.committed.extend(more.map_while(|index| Some(log.entry(index)?.id().term)));
        Ok(())
    }
}

const CODE: &str = "LC";

#[cfg(test)]
mod tests {
    use hamok::{Event, Output, Role, Stored};

    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    fn elects_second_leader(seen: &Seen) -> bool {
        seen.outputs.iter().any(|output| {
            matches!(
                output,
                Output::Event(Event::RoleChanged { term, role: Role::Leader }) if term.get() > 2
            )
        })
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(LeaderCompleteness::default());
    }

    #[test]
    fn a_leader_that_lacks_what_was_committed_is_reported() {
        let story = Story::true_one().but(|seen| {
            let found = elects_second_leader(seen);
            if found {
                seen.own().issued = Stored::new();
            }
            found
        });
        assert_objects(LeaderCompleteness::default(), &story, "its log ends with 0@0");
    }

    #[test]
    fn what_a_later_term_committed_is_not_asked_of_an_earlier_leader() {
        let [one, two, four] = [1, 2, 4].map(Term::new);
        let checker = LeaderCompleteness { committed: vec![one, one, two, four] };
        assert_eq!(checker.last_before(one), EntryId::ZERO);
        assert_eq!(checker.last_before(two), EntryId::new(Index::new(2), one));
        assert_eq!(checker.last_before(four), EntryId::new(Index::new(3), two));
        assert_eq!(checker.last_before(Term::new(9)), EntryId::new(Index::new(4), four));
    }
}
