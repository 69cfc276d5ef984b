//! What is committed, for the checkers that look at logs which begin with a snapshot: it stands for
//! entries that no log may show any more.

use hamok::{Entry, EntryId, Index, Stored, Term};

use crate::observation::{ClusterSeen, StepSeen};

/// Knows every committed entry, as the first node to commit it had it. Each checker keeps its own.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    terms: Vec<Term>,
    /// The term of the leader who committed each: that of the entry or a later one, never falling.
    during: Vec<Term>,
}

impl Ledger {
    /// Takes up what the step is the first to commit.
    pub(super) fn note(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) {
        let more = newly_committed(cluster, step, self.terms.len() as u64);
        self.terms.extend(more.map(|entry| entry.id().term));
        let during = self.during.last().copied().unwrap_or_default().max(step.after.term);
        self.during.resize(self.terms.len(), during);
    }

    /// What is committed at `index`.
    pub(super) fn committed(&self, index: Index) -> Option<EntryId> {
        let place = usize::try_from(index.get().checked_sub(1)?).ok()?;
        self.terms.get(place).map(|&term| EntryId::new(index, term))
    }

    /// What leaders of terms before `term` have committed last. An entry of an earlier term may be
    /// committed only by a later leader (Raft §5.4.2, Figure 8).
    pub(super) fn last_before(&self, term: Term) -> EntryId {
        let count = self.during.partition_point(|committed| *committed < term);
        self.committed(Index::new(count as u64)).unwrap_or(EntryId::ZERO)
    }

    /// The entry that the log, or the snapshot before it, has at `index`.
    pub(super) fn entry_at(&self, log: &Stored, index: Index) -> Option<EntryId> {
        let start = log.start();
        if index > start.index {
            return log.entry(index).map(Entry::id);
        }
        if index == start.index {
            return Some(start);
        }
        // A snapshot covers what is committed before its last entry, if that is committed itself.
        let genuine = self.committed(start.index) == Some(start);
        self.committed(index).filter(|_| genuine)
    }

    /// Whether the log, or the snapshot before it, holds this entry; all hold the one before the
    /// first.
    pub(super) fn holds(&self, log: &Stored, entry: EntryId) -> bool {
        entry == EntryId::ZERO || self.entry_at(log, entry.index) == Some(entry)
    }
}

/// The entries after the first `known` that the step's node has committed, as far as its log shows
/// them, or showed them before the step put a snapshot in their place.
pub(super) fn newly_committed<'a>(
    cluster: &'a ClusterSeen<'_>,
    step: &'a StepSeen<'_>,
    known: u64,
) -> impl Iterator<Item = &'a Entry> {
    let log = &cluster.node(step.node).issued;
    let shown = move |index| log.entry(index).or_else(|| step.replaced?.entry(index));
    (known..step.after.committed.get()).map_while(move |index| shown(Index::new(index).next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_term_committed_is_not_asked_of_an_earlier_leader() {
        let [one, two, four] = [1, 2, 4].map(Term::new);
        let (terms, during) = (vec![one, one, two, two, four], vec![one, one, two, four, four]);
        let ledger = Ledger { terms, during };
        assert_eq!(ledger.last_before(one), EntryId::ZERO);
        assert_eq!(ledger.last_before(two), EntryId::new(Index::new(2), one));
        let three = Term::new(3);
        assert_eq!(ledger.last_before(three), EntryId::new(Index::new(3), two));
        assert_eq!(ledger.last_before(four), EntryId::new(Index::new(3), two));
        assert_eq!(ledger.last_before(Term::new(9)), EntryId::new(Index::new(5), four));
    }
}
