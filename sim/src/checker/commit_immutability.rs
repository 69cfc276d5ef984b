//! CI: what was committed at an index never changes, on any node, over all history (Raft §5.4.3, State
//! Machine Safety).

use std::collections::BTreeMap;

use hamok::{Entry, EntryId, Index, NodeId, Stored, Term};

use super::ledger::newly_committed;
use super::writes;
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Knows every committed entry. Each life of each node is followed from its first entry on, or from
/// the snapshot before that.
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
    fn first(&self, index: Index) -> Option<&Committed> {
        self.committed.get(usize::try_from(index.get().checked_sub(1)?).ok()?)
    }

    /// The step's node is the first to commit these.
    fn learn(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) {
        let this = |entry: &Entry| Committed {
            term: entry.id().term,
            digest: entry.digest(),
            first: step.node,
        };
        let more = newly_committed(cluster, step, self.committed.len() as u64);
        self.committed.extend(more.map(this));
    }

    fn compare(&self, node: NodeId, log: &Stored, index: Index) -> Result<(), Violation> {
        let (Some(entry), Some(first)) = (log.entry(index), self.first(index)) else {
            let text = format!(
                "what is committed stays in the log, but {index} is not in it; it ends with {}",
                log.last()
            );
            return Err(Violation::new(CODE, Some(node), text));
        };
        let (term, digest) = (entry.id().term, entry.digest());
        if (first.term, first.digest) == (term, digest) {
            return Ok(());
        }
        let text = format!(
            "what is committed never changes, but {index} is an entry of {term} ({digest:016x}) here, \
             and was one of {} ({:016x}) on {}",
            first.term, first.digest, first.first
        );
        Err(Violation::new(CODE, Some(node), text))
    }

    /// A snapshot covers what is committed, up to its last entry.
    fn compare_start(&self, node: NodeId, start: EntryId) -> Result<(), Violation> {
        let first = self.first(start.index).map(|first| EntryId::new(start.index, first.term));
        if start == EntryId::ZERO || first == Some(start) {
            return Ok(());
        }
        let first = first.map_or_else(|| "nothing".to_owned(), |first| first.to_string());
        let text = format!(
            "a snapshot covers what is committed, but this one ends with {start}, where {first} is \
             committed"
        );
        Err(Violation::new(CODE, Some(node), text))
    }
}

impl Checker for CommitImmutability {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        self.learn(cluster, step);
        let log = &cluster.node(step.node).issued;
        let start = log.start();
        if step.replaced.is_some() {
            self.compare_start(step.node, start)?;
        }
        let followed = self.followed.get(&step.node).copied().unwrap_or(0);
        let committed = step.after.committed.get();
        // A write may have cut off or replaced what was committed: the last of it tells.
        let from = if writes(step) { followed.saturating_sub(1) } else { followed };
        let from = from.max(start.index.get());
        if from >= committed {
            return Ok(());
        }
        self.followed.insert(step.node, committed);
        (from..committed)
            .try_for_each(|index| self.compare(step.node, log, Index::new(index).next()))
    }

    fn on_start(&mut self, cluster: &ClusterSeen<'_>, node: NodeId) -> Result<(), Violation> {
        self.followed.remove(&node);
        self.compare_start(node, cluster.node(node).issued.start())
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
