//! How far a leader knows a follower to be, and what it may send next.

use alloc::collections::VecDeque;

use crate::types::Index;

/// How far a leader knows a follower to be.
#[derive(Debug)]
pub(super) struct Progress {
    /// The follower's log is known to match, durably, up to here.
    match_index: Index,
    /// The first entry to send next.
    next_index: Index,
    state: State,
    /// The last round of heartbeats it answered.
    pub(super) acked_round: u64,
    /// Whether it was heard from since the leader last looked.
    pub(super) active: bool,
    /// The commit index it was last sent.
    pub(super) told_commit: Index,
    /// A round sent to it, and the `next_index` of that moment: once it answers that round, or a
    /// later one, it should have received everything before.
    watch: Option<(u64, Index)>,
}

#[derive(Debug)]
enum State {
    /// Looking for the last shared entry, one message at a time. Holds the round of heartbeats in
    /// which the outstanding message went out.
    Probe { sent_in: Option<u64> },
    /// Sending ahead of the acknowledgements.
    Replicate { inflight: VecDeque<Flight>, bytes: u64 },
}

/// A message on its way: the last index it carries and what its entries count.
#[derive(Debug)]
struct Flight {
    last: Index,
    bytes: u64,
}

impl Progress {
    pub(super) fn new(last: Index) -> Self {
        Self {
            match_index: Index::ZERO,
            next_index: last.next(),
            state: State::Probe { sent_in: None },
            acked_round: 0,
            active: false,
            told_commit: Index::ZERO,
            watch: None,
        }
    }

    pub(super) fn match_index(&self) -> Index {
        self.match_index
    }

    pub(super) fn next_index(&self) -> Index {
        self.next_index
    }

    pub(super) fn inflight(&self) -> (u64, u64) {
        match &self.state {
            State::Probe { .. } => (0, 0),
            State::Replicate { inflight, bytes } => (inflight.len() as u64, *bytes),
        }
    }

    /// How many bytes of entries may be sent: none at all while an answer is awaited, or the window is
    /// full, or there is nothing new; a probe may go without entries. `has_more` tells whether there
    /// are entries from `next_index` on.
    pub(super) fn room(&self, has_more: bool, max_messages: u64, max_bytes: u64) -> Option<u64> {
        match &self.state {
            State::Probe { sent_in } => sent_in.is_none().then_some(max_bytes),
            State::Replicate { inflight, bytes } => {
                (has_more && (inflight.len() as u64) < max_messages && *bytes < max_bytes)
                    .then(|| max_bytes - bytes)
            }
        }
    }

    /// Whether entries of that size fit into the window; alone on their way, entries of any size do.
    pub(super) fn fits(&self, size: u64, max_bytes: u64) -> bool {
        match &self.state {
            State::Probe { .. } => true,
            State::Replicate { inflight, bytes } => {
                inflight.is_empty() || bytes + size <= max_bytes
            }
        }
    }

    pub(super) fn on_sent(&mut self, last: Index, size: u64, round: u64) {
        match &mut self.state {
            State::Probe { sent_in } => *sent_in = Some(round),
            State::Replicate { inflight, bytes } => {
                inflight.push_back(Flight { last, bytes: size });
                *bytes += size;
                self.next_index = last.next();
            }
        }
    }

    pub(super) fn on_heartbeat_sent(&mut self, round: u64) {
        if self.watch.is_none() {
            self.watch = Some((round, self.next_index));
        }
    }

    /// The follower's log matches, durably, up to `index`; tells whether that is news.
    pub(super) fn on_matched(&mut self, index: Index) -> bool {
        let advanced = index > self.match_index;
        self.match_index = self.match_index.max(index);
        self.on_received(index);
        advanced
    }

    /// The follower answered a round and said how far its log matches, durably or not.
    ///
    /// Tells apart a lost message from a slow disk: what was sent before that round and is not
    /// there now is lost, and goes again.
    pub(super) fn on_heartbeat_reply(&mut self, round: u64, matched: Index) {
        self.acked_round = self.acked_round.max(round);
        match &mut self.state {
            State::Probe { sent_in } => {
                if matched.next() >= self.next_index && matched > Index::ZERO {
                    self.on_received(matched);
                } else if sent_in.is_some_and(|sent| sent < round) {
                    *sent_in = None;
                }
            }
            State::Replicate { .. } => {
                let Some((watched, next)) = self.watch else { return };
                if round >= watched {
                    self.watch = None;
                    if matched.next() < next {
                        self.send_again_after(matched);
                    }
                }
            }
        }
    }

    /// The follower does not hold the entry at `rejected`; the last that may be shared is `hint`.
    /// Tells whether that was the answer to what was sent last.
    pub(super) fn on_conflict(&mut self, rejected: Index, hint: Index) -> bool {
        let timely = match &self.state {
            State::Probe { .. } => rejected.next() == self.next_index,
            State::Replicate { .. } => rejected > self.match_index && rejected < self.next_index,
        };
        if timely {
            self.next_index = hint.max(self.match_index).next();
            self.state = State::Probe { sent_in: None };
            self.watch = None;
        }
        timely
    }

    /// Everything up to `index` has arrived: goes over to sending ahead, and frees the window.
    fn on_received(&mut self, index: Index) {
        match &mut self.state {
            State::Probe { .. } if index.next() >= self.next_index => {
                self.state = State::Replicate { inflight: VecDeque::new(), bytes: 0 };
            }
            State::Probe { .. } => {}
            State::Replicate { inflight, bytes } => {
                let arrived = inflight.iter().take_while(|flight| flight.last <= index).count();
                *bytes -= inflight.drain(..arrived).map(|flight| flight.bytes).sum::<u64>();
            }
        }
        self.next_index = self.next_index.max(index.next());
    }

    fn send_again_after(&mut self, matched: Index) {
        self.state = State::Replicate { inflight: VecDeque::new(), bytes: 0 };
        self.next_index = matched.max(self.match_index).next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(index: u64) -> Index {
        Index::new(index)
    }

    fn replicating(matched: u64) -> Progress {
        let mut progress = Progress::new(index(matched));
        assert!(progress.on_matched(index(matched)));
        progress
    }

    #[test]
    fn a_probe_waits_for_its_answer_or_a_later_round() {
        let mut progress = Progress::new(index(9));
        assert!(progress.room(false, 1, 1).is_some());
        progress.on_sent(index(9), 0, 3);
        assert_eq!(progress.room(true, 1, 1), None);
        progress.on_heartbeat_reply(3, Index::ZERO);
        assert_eq!(progress.room(true, 1, 1), None, "round 3 may have overtaken it");
        progress.on_heartbeat_reply(4, Index::ZERO);
        assert!(progress.room(true, 1, 1).is_some());
    }

    #[test]
    fn a_conflict_moves_the_probe_back_once() {
        let mut progress = Progress::new(index(9));
        progress.on_sent(index(9), 0, 1);
        assert!(progress.on_conflict(index(9), index(4)));
        assert_eq!(progress.next_index(), index(5));
        assert!(!progress.on_conflict(index(9), index(2)), "a duplicate of the same answer");
        assert_eq!(progress.next_index(), index(5));
    }

    #[test]
    fn the_window_fills_and_empties() {
        let mut progress = replicating(3);
        progress.on_sent(index(5), 100, 1);
        progress.on_sent(index(6), 50, 1);
        assert_eq!(progress.inflight(), (2, 150));
        assert_eq!(progress.room(true, 2, 1000), None);
        assert_eq!(progress.room(true, 9, 150), None);
        assert_eq!(progress.room(true, 9, 170), Some(20));
        assert!(progress.fits(20, 170) && !progress.fits(21, 170));
        assert!(progress.on_matched(index(5)));
        assert_eq!(progress.inflight(), (1, 50));
        assert_eq!(progress.room(true, 2, 1000), Some(950));
        assert!(!progress.on_matched(index(4)), "an older acknowledgement");
        assert_eq!(progress.match_index(), index(5));
    }

    #[test]
    fn what_a_round_should_have_found_and_did_not_is_sent_again() {
        let mut progress = replicating(3);
        progress.on_sent(index(5), 100, 7);
        progress.on_heartbeat_sent(8);
        progress.on_sent(index(6), 50, 8);
        progress.on_heartbeat_reply(8, index(5));
        assert_eq!(progress.next_index(), index(7), "5 has arrived, 6 was sent after the round");
        progress.on_heartbeat_sent(9);
        progress.on_heartbeat_reply(9, index(5));
        assert_eq!(progress.next_index(), index(6), "6 is lost");
        assert_eq!(progress.match_index(), index(3), "what arrived is not durable yet");
    }

    #[test]
    fn a_conflict_never_goes_below_what_matched() {
        let mut progress = replicating(3);
        progress.on_sent(index(5), 100, 1);
        assert!(!progress.on_conflict(index(3), index(1)));
        assert!(progress.on_conflict(index(5), index(1)));
        assert_eq!(progress.next_index(), index(4));
    }
}
