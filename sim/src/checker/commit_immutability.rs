//! CI: what was committed at an index never changes, on any node, over all history (Raft §5.4.3, State
//! Machine Safety).

use std::collections::BTreeMap;

use hamok::{Index, NodeId, Stored, Term};

use super::writes;
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Knows every committed entry. Each life of each node is followed from its first entry on.
#[derive(Debug, Default)]
pub(super) struct CommitImmutability {
    committed: Vec<Committed>,
    /// How far each node's present life was followed.
    followed: BTreeMap<NodeId, u64>,
}

#[derive(Clone, Copy, Debug)]
struct Committed {
    term: Term,
    digest: u64,
    first: NodeId,
}

impl CommitImmutability {
    fn follow(&mut self, node: NodeId, log: &Stored, index: u64) -> Result<(), Violation> {
        let position = Index::new(index).next();
        let Some(entry) = log.entry(position) else {
            let text = format!(
                "what is committed stays in the log, but {position} is not in it; it ends with {}",
                log.last()
            );
            return Err(Violation::new(CODE, Some(node), text));
        };
        let this = Committed { term: entry.id().term, digest: entry.digest(), first: node };
        let place = usize::try_from(index).expect("an index of a log in memory");
        let Some(first) = self.committed.get(place) else {
            self.committed.push(this);
            return Ok(());
        };
        if (first.term, first.digest) == (this.term, this.digest) {
            return Ok(());
        }
        let text = format!(
            "what is committed never changes, but {position} is an entry of {} ({:016x}) here, and \
             was one of {} ({:016x}) on {}",
            this.term, this.digest, first.term, first.digest, first.first
        );
        Err(Violation::new(CODE, Some(node), text))
    }
}

impl Checker for CommitImmutability {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        let followed = self.followed.get(&step.node).copied().unwrap_or(0);
        let committed = step.after.committed.get();
        // A write may have cut off or replaced what was committed: the last of it tells.
        let from = if writes(step) { followed.saturating_sub(1) } else { followed };
        if from >= committed {
            return Ok(());
        }
        self.followed.insert(step.node, committed);
        let log = &cluster.node(step.node).issued;
        (from..committed).try_for_each(|index| self.follow(step.node, log, index))
    }

    fn on_start(&mut self, _: &ClusterSeen<'_>, node: NodeId) -> Result<(), Violation> {
        self.followed.remove(&node);
        Ok(())
    }
}

const CODE: &str = "CI";

#[cfg(test)]
mod tests {
    use hamok::Stored;

    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(CommitImmutability::default());
    }

    #[test]
    fn another_entry_committed_at_the_same_index_is_reported() {
        let other = Story::led_next_by(NodeId::new(2)).last_image(NodeId::new(1));
        let story = Story::true_one().but(|seen| {
            let (before, after) = (seen.before.committed, seen.after.committed);
            let found = before < other.last().index
                && after == other.last().index
                && !Seen::commits_as_leader(seen);
            if found {
                seen.own().issued = other.clone();
            }
            found
        });
        assert_objects(CommitImmutability::default(), &story, "what is committed never changes");
    }

    #[test]
    fn a_log_that_loses_what_was_committed_is_reported() {
        let story = Story::true_one().but(|seen| {
            let found = seen.writes() && seen.before.committed.get() > 3;
            if found {
                seen.own().issued = Stored::new();
            }
            found
        });
        assert_objects(CommitImmutability::default(), &story, "what is committed stays in the log");
    }
}
