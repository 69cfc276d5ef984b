//! Our own invariants: a broken one is a bug here, and stops the node before it can do harm.

use super::Raft;

impl Raft {
    /// What one node can tell by itself. What takes several to see, the simulator's checkers tell.
    pub(super) fn check_invariants(&self) {
        let last = self.log.last();
        assert!(self.commit <= last.index, "commit {} beyond last {last}", self.commit);
        assert!(self.durable() <= last.index, "durable {} beyond last {last}", self.durable());
        assert!(last.term <= self.hard.term, "last {last} beyond term {}", self.hard.term);
        let (start, snapshot) = (self.log.start(), self.snapshot());
        assert!(
            start.index <= snapshot.index && snapshot.index <= self.commit,
            "the log starts after {start}, the snapshot ends with {snapshot}, committed is {}",
            self.commit
        );
        assert!(
            self.hard.group.is_some() || last.index.get() == 0,
            "entries up to {last} without a group"
        );
    }
}
