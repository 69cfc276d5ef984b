//! The replicated log: in memory from where the snapshot leaves off, or a little before; never re-read
//! from disk while running.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::entries::{Entry, Payload, Run};
use crate::types::{EntryId, Index, Term};

#[derive(Debug, Default)]
pub(super) struct Log {
    /// The last entry that is not held any more: a snapshot covers it and all before it.
    start: EntryId,
    entries: VecDeque<Entry>,
    bytes: u64,
}

/// What a leader's run did to the log.
#[derive(Debug, PartialEq)]
pub(super) struct Spliced {
    /// The last index kept, when entries after it had to go.
    pub(super) kept: Option<Index>,
    /// How many entries went.
    pub(super) dropped: u64,
    /// What was added at the end.
    pub(super) appended: Run,
}

impl Log {
    /// The log that goes on after `start`.
    pub(super) fn new(start: EntryId, entries: Vec<Entry>) -> Self {
        let bytes = entries.iter().map(Entry::size).sum();
        Self { start, entries: entries.into(), bytes }
    }

    pub(super) fn start(&self) -> EntryId {
        self.start
    }

    pub(super) fn last(&self) -> EntryId {
        self.entries.back().map_or(self.start, Entry::id)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn entry(&self, index: Index) -> Option<&Entry> {
        self.entries.get(self.position(index)?)
    }

    /// The term of the entry at `index`, if it is known: what lies before the start is not.
    pub(super) fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.start.index {
            return Some(self.start.term);
        }
        self.entry(index).map(|entry| entry.id.term)
    }

    pub(super) fn holds(&self, id: EntryId) -> bool {
        self.term_at(id.index) == Some(id.term)
    }

    pub(super) fn append(&mut self, term: Term, payload: Payload) -> EntryId {
        assert!(term >= self.last().term, "appending {term} after {}", self.last());
        let id = EntryId::new(self.last().index.next(), term);
        let entry = Entry { id, payload };
        self.bytes += entry.size();
        self.entries.push_back(entry);
        id
    }

    /// Makes the log hold `run`, which follows an entry that it holds.
    ///
    /// Raft §5.3, and Figure 2, AppendEntries 3 and 4: entries go only when one conflicts, with all
    /// that follow it; what is there already stays, however late the message.
    pub(super) fn splice(&mut self, run: Run) -> Spliced {
        let previous = run.previous();
        assert!(self.holds(previous), "splicing after {previous}, which is not in the log");
        let shared = run.entries().iter().take_while(|entry| self.holds(entry.id)).count();
        let start = run.entries()[..shared].last().map_or(previous, Entry::id);
        let added: Vec<Entry> = run.into_entries().split_off(shared);
        let dropped = if added.is_empty() { 0 } else { self.last().index.since(start.index) };
        if dropped > 0 {
            self.truncate(start.index);
        }
        self.bytes += added.iter().map(Entry::size).sum::<u64>();
        self.entries.extend(added.iter().cloned());
        Spliced {
            kept: (dropped > 0).then_some(start.index),
            dropped,
            appended: Run::from_log(start, added),
        }
    }

    /// The entries after `previous`, as many as fit into `bytes` but at least one if there is any.
    pub(super) fn run_after(&self, previous: Index, bytes: u64) -> Run {
        let mut budget = bytes;
        let mut entries = Vec::new();
        for entry in self.after(previous) {
            let size = entry.size();
            if size > budget && !entries.is_empty() {
                break;
            }
            budget = budget.saturating_sub(size);
            entries.push(entry.clone());
        }
        let term = self.term_at(previous).expect("a run starts after an entry of the log");
        Run::from_log(EntryId::new(previous, term), entries)
    }

    /// The entries after `index`, of which the log holds all.
    pub(super) fn after(&self, index: Index) -> impl Iterator<Item = &Entry> {
        assert!(
            index >= self.start.index,
            "after {index}, but the log goes on after {}",
            self.start
        );
        let position = usize::try_from(index.since(self.start.index));
        let position = position.expect("an index of the log fits").min(self.entries.len());
        self.entries.range(position..)
    }

    /// The last entry at or before `index` whose term is not above `term`, if the log reaches back so
    /// far.
    ///
    /// Everything after it up to `index` is of a later term, and so cannot be shared with a log that
    /// has `term` at `index` (Raft §5.3, the optimisation of conflict replies).
    pub(super) fn last_not_above(&self, index: Index, term: Term) -> Option<EntryId> {
        let held = index.min(self.last().index);
        if held < self.start.index || self.start.term > term {
            return None;
        }
        let upto = usize::try_from(held.since(self.start.index)).expect("an index of the log fits");
        let count = self.entries.partition_point(|entry| entry.id.term <= term).min(upto);
        let last = count.checked_sub(1).and_then(|position| self.entries.get(position));
        Some(last.map_or(self.start, Entry::id))
    }

    /// Lets go of entries up to `upto`, oldest first, but not of more than `most` at a time.
    pub(super) fn compact(&mut self, upto: Index, most: usize) {
        for _ in 0..most {
            let Some(first) = self.entries.front().filter(|first| first.id.index <= upto) else {
                break;
            };
            self.start = first.id;
            self.bytes -= first.size();
            self.entries.pop_front();
        }
        // A burst must not hold on to its memory for good.
        if self.entries.capacity() > SPARE_ENTRIES
            && self.entries.len() < self.entries.capacity() / 4
        {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }

    /// Forgets all of it: what a snapshot covers goes on after `start`. Gives what was held.
    pub(super) fn reset(&mut self, start: EntryId) -> VecDeque<Entry> {
        core::mem::replace(self, Self { start, ..Self::default() }).entries
    }

    fn truncate(&mut self, kept: Index) {
        let length =
            usize::try_from(kept.since(self.start.index)).expect("an index of the log fits");
        self.bytes -= self.entries.range(length..).map(Entry::size).sum::<u64>();
        self.entries.truncate(length);
    }

    /// Where the entry at `index` stands in memory.
    fn position(&self, index: Index) -> Option<usize> {
        usize::try_from(index.since(self.start.index).checked_sub(1)?).ok()
    }
}

/// Room for so many entries is kept whatever happens.
const SPARE_ENTRIES: usize = 256;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::bytes::Bytes;

    fn id(index: u64, term: u64) -> EntryId {
        EntryId::new(Index::new(index), Term::new(term))
    }

    /// A log whose entries have these terms; the first founds nothing here.
    fn log(terms: &[u64]) -> Log {
        let mut log = Log::default();
        for &term in terms {
            log.append(Term::new(term), Payload::Noop);
        }
        log
    }

    fn run(previous: EntryId, terms: &[u64]) -> Run {
        Run::new(previous, terms.iter().map(|&term| (Term::new(term), Payload::Noop))).unwrap()
    }

    fn terms(log: &Log) -> Vec<u64> {
        log.entries.iter().map(|entry| entry.id.term.get()).collect()
    }

    #[test]
    fn splicing_cuts_only_at_a_conflict() {
        for (before, previous, added, after, kept) in [
            (&[1, 1][..], id(2, 1), &[2, 2][..], &[1, 1, 2, 2][..], None),
            (&[1, 1, 1], id(1, 1), &[1], &[1, 1, 1], None),
            (&[1, 1, 1], id(1, 1), &[], &[1, 1, 1], None),
            (&[1, 1, 1], id(1, 1), &[1, 1, 3], &[1, 1, 1, 3], None),
            (&[1, 1, 1], id(1, 1), &[2], &[1, 2], Some(1)),
            (&[1, 1, 2, 2], id(2, 1), &[2, 3], &[1, 1, 2, 3], Some(3)),
        ] {
            let mut log = log(before);
            let spliced = log.splice(run(previous, added));
            assert_eq!(terms(&log), after, "{before:?} + {added:?} after {previous}");
            assert_eq!(spliced.kept.map(Index::get), kept);
            let size: u64 = log.entries.iter().map(Entry::size).sum();
            assert_eq!(log.bytes(), size);
        }
    }

    #[test]
    fn a_run_holds_what_fits_but_never_nothing() {
        let mut log = log(&[1]);
        for _ in 0..3 {
            log.append(Term::new(1), Payload::Command(Bytes::copy_from(&[0; 100])));
        }
        let one = log.entry(Index::new(2)).unwrap().size();
        assert_eq!(log.run_after(Index::new(1), 1).last(), id(2, 1));
        assert_eq!(log.run_after(Index::new(1), 2 * one).last(), id(3, 1));
        assert_eq!(log.run_after(Index::new(1), 3 * one - 1).last(), id(3, 1));
        assert_eq!(log.run_after(Index::new(4), 1).last(), id(4, 1));
    }

    #[test]
    fn a_hint_skips_the_terms_that_cannot_be_shared() {
        let log = log(&[1, 1, 2, 4, 4, 6]);
        for (index, term, expected) in [
            (6, 6, id(6, 6)),
            (6, 5, id(5, 4)),
            (5, 3, id(3, 2)),
            (4, 1, id(2, 1)),
            (9, 9, id(6, 6)),
            (2, 0, EntryId::ZERO),
            (0, 7, EntryId::ZERO),
        ] {
            assert_eq!(log.last_not_above(Index::new(index), Term::new(term)), Some(expected));
        }
    }

    #[test]
    fn a_compacted_log_knows_its_start_and_nothing_before() {
        let mut log = log(&[1, 1, 2, 4, 4, 6]);
        log.compact(Index::new(4), 3);
        assert_eq!((log.start(), log.len()), (id(3, 2), 3), "no more than three at a time");
        log.compact(Index::new(4), 3);
        assert_eq!((log.start(), log.last()), (id(4, 4), id(6, 6)));
        assert!(log.holds(id(4, 4)) && !log.holds(id(4, 2)) && !log.holds(id(3, 2)));
        assert_eq!(log.term_at(Index::new(3)), None, "not the same as equal");
        assert_eq!(log.last_not_above(Index::new(6), Term::new(5)), Some(id(5, 4)));
        assert_eq!(log.last_not_above(Index::new(6), Term::new(3)), None);
        assert_eq!(log.last_not_above(Index::new(3), Term::new(9)), None);
        assert_eq!(log.run_after(Index::new(4), u64::MAX).last(), id(6, 6));
        log.compact(Index::new(9), 9);
        assert_eq!((log.start(), log.last(), log.bytes()), (id(6, 6), id(6, 6), 0));
        assert_eq!(log.append(Term::new(7), Payload::Noop), id(7, 7));
        log.reset(id(20, 7));
        assert_eq!((log.last(), log.len()), (id(20, 7), 0));
    }

    proptest::proptest! {
        /// Two logs that obey log matching: a leader's, and a follower's that shares a prefix of it
        /// and has a tail of its own. Whatever parts of the leader's log arrive, in any order and
        /// more than once, what has arrived stays, and the two agree up to there.
        #[test]
        fn splicing_is_idempotent_and_never_loses_what_arrived(
            shared in 1..10_usize,
            tail in proptest::collection::vec(3..5_u64, 0..6),
            news in proptest::collection::vec(5..8_u64, 1..10),
            parts in proptest::collection::vec((0..20_usize, 0..8_usize), 1..12),
        ) {
            let mut news = news;
            news.sort_unstable();
            let mut tail = tail;
            tail.sort_unstable();
            let leader = log(&[vec![2; shared], news].concat());
            let mut follower = log(&[vec![2; shared], tail].concat());
            let mut arrived = shared;
            for (from, count) in parts {
                let from = from % leader.entries.len();
                let whole = leader.run_after(Index::new(from as u64), u64::MAX);
                let entries = whole.entries().iter().take(count).cloned().collect();
                let part = Run::from_log(whole.previous(), entries);
                if !follower.holds(part.previous()) {
                    continue;
                }
                let end = usize::try_from(part.last().index.get()).unwrap();
                let before = follower.entries.clone();
                follower.splice(part.clone());
                let once = follower.entries.clone();
                follower.splice(part);
                proptest::prop_assert_eq!(&follower.entries, &once);
                arrived = arrived.max(end);
                proptest::prop_assert!(once.range(..arrived).eq(leader.entries.range(..arrived)));
                let conflict = (from..end.min(before.len()))
                    .any(|at| before[at] != leader.entries[at]);
                proptest::prop_assert!(conflict || once.len() >= before.len());
            }
        }
    }
}
