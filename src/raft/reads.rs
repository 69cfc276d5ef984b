//! Linearizable reads that wait for a leader to know that it still leads (Raft thesis §6.4).
//!
//! A leader's commit index is a safe point to read at once two things are known: an entry of its own
//! term is committed, so that the index covers everything earlier leaders committed; and a quorum has
//! answered a round of heartbeats that began after the read was asked for, so that no later leader
//! had been elected by then. Rounds are numbered by the leader; a number is never used twice.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::types::{Identity, Index};

/// The reads a leader holds, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Reads {
    queue: VecDeque<Waiting>,
}

/// Who asked for a read, and under which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    /// None for this node itself.
    pub(super) node: Option<Identity>,
    pub(super) read: u64,
}

#[derive(Debug)]
struct Waiting {
    asker: Asker,
    /// The commit index to read at, and the round that must be answered; none until an entry of this
    /// term is committed and a round has begun since.
    at: Option<(Index, u64)>,
}

impl Reads {
    pub(super) fn len(&self) -> u64 {
        self.queue.len() as u64
    }

    pub(super) fn push(&mut self, asker: Asker) {
        self.queue.push_back(Waiting { asker, at: None });
    }

    /// Whether any read waits for a round to begin.
    pub(super) fn want_round(&self) -> bool {
        self.queue.back().is_some_and(|waiting| waiting.at.is_none())
    }

    /// Whether any read waits for a round to be answered.
    pub(super) fn await_round(&self) -> bool {
        self.queue.front().is_some_and(|waiting| waiting.at.is_some())
    }

    /// A round begins, when everything up to `commit` is committed.
    pub(super) fn on_round(&mut self, round: u64, commit: Index) {
        for waiting in self.queue.iter_mut().rev().take_while(|waiting| waiting.at.is_none()) {
            waiting.at = Some((commit, round));
        }
    }

    /// A quorum has answered `round`: takes out the reads that may be served.
    pub(super) fn confirm(&mut self, round: u64) -> Vec<(Asker, Index)> {
        let ready = |waiting: &Waiting| waiting.at.is_some_and(|(_, begun)| begun <= round);
        let count = self.queue.iter().take_while(|waiting| ready(waiting)).count();
        let ready = self
            .queue
            .drain(..count)
            .filter_map(|waiting| waiting.at.map(|(index, _)| (waiting.asker, index)))
            .collect();
        // What a burst took is given back.
        if self.queue.is_empty() && self.queue.capacity() > SPARE_READS {
            self.queue = VecDeque::new();
        }
        ready
    }
}

/// Room for so many reads is kept whatever happens.
const SPARE_READS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(read: u64) -> Asker {
        Asker { node: None, read }
    }

    #[test]
    fn a_read_is_served_by_a_round_that_began_after_it() {
        let mut reads = Reads::default();
        reads.push(asker(1));
        reads.on_round(4, Index::new(10));
        reads.push(asker(2));
        assert!(reads.want_round());
        assert_eq!(reads.confirm(3), []);
        assert_eq!(reads.confirm(4), [(asker(1), Index::new(10))]);
        assert_eq!(reads.confirm(9), [], "no round has begun since the second was asked for");
        reads.on_round(5, Index::new(12));
        assert!(!reads.want_round());
        assert_eq!(reads.confirm(6), [(asker(2), Index::new(12))]);
        assert_eq!(reads.len(), 0);
    }
}
