//! How far a leader knows a follower to be, and what it may send next.

use alloc::collections::VecDeque;

use super::message::Speaks;
use super::snapshot::{Outgoing, SnapshotId};
use crate::bytes::Bytes;
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
    /// It did not answer in the whole of the one before.
    silent: bool,
    /// The commit index it was last sent.
    pub(super) told_commit: Index,
    /// A round sent to it, and the `next_index` of that moment: once it answers that round, or a
    /// later one, it should have received everything before.
    watch: Option<(u64, Index)>,
    /// How far this incarnation has ever acknowledged, to this leader and in whichever life.
    acknowledged: Index,
    /// When it was last heard from.
    pub(super) heard: u64,
    /// What it said it can do.
    pub(super) speaks: Option<Speaks>,
}

#[derive(Debug)]
enum State {
    /// Looking for the last shared entry, one message at a time. Holds the round of heartbeats in
    /// which the outstanding message went out.
    Probe { sent_in: Option<u64> },
    /// Sending ahead of the acknowledgements.
    Replicate { inflight: VecDeque<Flight>, bytes: u64 },
    /// Sending a snapshot, since the log does not reach back to what it lacks.
    Snapshot(Sending),
}

/// A snapshot on its way, piece by piece.
#[derive(Debug)]
struct Sending {
    snapshot: Outgoing,
    /// Pieces that have arrived; none until the first answer.
    arrived: Option<u64>,
    /// The piece to send next.
    next: u64,
    /// Pieces on their way, and their bytes.
    inflight: VecDeque<u64>,
    bytes: u64,
    /// The round in which a piece was last sent, or had to be waited for.
    sent_in: u64,
}

/// A message on its way: the last index it carries and what its entries count.
#[derive(Debug)]
struct Flight {
    last: Index,
    bytes: u64,
}

impl Progress {
    pub(super) fn new(last: Index, now: u64) -> Self {
        Self {
            match_index: Index::ZERO,
            next_index: last.next(),
            state: State::Probe { sent_in: None },
            acked_round: 0,
            active: false,
            silent: false,
            told_commit: Index::ZERO,
            watch: None,
            acknowledged: Index::ZERO,
            heard: now,
            speaks: None,
        }
    }

    /// It runs anew: what its last run acknowledged is asked for again.
    pub(super) fn restart(&mut self, last: Index, now: u64) {
        let acknowledged = self.acknowledged;
        *self = Self { acknowledged, ..Self::new(last, now) };
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
            State::Snapshot(sending) => (sending.inflight.len() as u64, sending.bytes),
        }
    }

    /// An election time-out is over. Whether it has stopped answering in it.
    pub(super) fn falls_silent(&mut self) -> bool {
        let answered = core::mem::replace(&mut self.active, false);
        !core::mem::replace(&mut self.silent, !answered) && !answered
    }

    /// It was heard from.
    pub(super) fn on_heard(&mut self, now: u64) {
        self.active = true;
        self.heard = now;
    }

    /// How far this incarnation has acknowledged in any of its lives.
    pub(super) fn acknowledged(&self) -> Index {
        self.acknowledged
    }

    /// Whether a log that is shared up to `hint` at most contradicts what an earlier life acknowledged.
    pub(super) fn contradicts(&self, hint: Index) -> bool {
        self.match_index < self.acknowledged && hint < self.acknowledged
    }

    pub(super) fn is_replicating(&self) -> bool {
        matches!(self.state, State::Replicate { .. })
    }

    pub(super) fn is_sending_snapshot(&self) -> bool {
        matches!(self.state, State::Snapshot(_))
    }

    /// The last entry of the snapshot that it is being sent.
    pub(super) fn snapshot_index(&self) -> Option<Index> {
        match &self.state {
            State::Snapshot(sending) => Some(sending.snapshot.last().index),
            State::Probe { .. } | State::Replicate { .. } => None,
        }
    }

    /// The log does not reach back to what it lacks.
    pub(super) fn begin_snapshot(&mut self, snapshot: Outgoing, round: u64) {
        self.watch = None;
        self.next_index = snapshot.last().index.next();
        self.state = State::Snapshot(Sending {
            snapshot,
            arrived: None,
            next: 0,
            inflight: VecDeque::new(),
            bytes: 0,
            sent_in: round,
        });
    }

    /// The next piece to send, if one may be: the first goes alone, since its answer tells how much of
    /// the snapshot is there already.
    pub(super) fn next_piece(
        &mut self,
        round: u64,
        max_messages: u64,
        max_bytes: u64,
    ) -> Option<(SnapshotId, u64, Bytes)> {
        let State::Snapshot(sending) = &mut self.state else { return None };
        let alone = sending.inflight.is_empty();
        let first = sending.arrived.unwrap_or(0) == 0;
        if (first && !alone) || sending.inflight.len() as u64 >= max_messages {
            return None;
        }
        let piece = sending.snapshot.piece(sending.next)?;
        if !alone && sending.bytes.saturating_add(piece.len_u64()) > max_bytes {
            return None;
        }
        let number = sending.next;
        sending.next += 1;
        sending.bytes += piece.len_u64();
        sending.inflight.push_back(piece.len_u64());
        sending.sent_in = round;
        Some((sending.snapshot.id(), number, piece))
    }

    /// So many pieces of a snapshot have arrived. Tells, at the first answer, how many had before.
    pub(super) fn on_pieces(&mut self, id: SnapshotId, pieces: u64, round: u64) -> Option<u64> {
        let State::Snapshot(sending) = &mut self.state else { return None };
        if sending.snapshot.id() != id || pieces > sending.snapshot.pieces() {
            return None;
        }
        // What arrived stays, unless all is to be sent anew: a lower number is an old answer.
        if sending.arrived.is_some_and(|before| 0 < pieces && pieces < before) {
            return None;
        }
        let before = sending.arrived.replace(pieces);
        if pieces == 0 && before.unwrap_or(0) == 0 {
            // It does not take the first one. Perhaps in the next round.
            return before.is_none().then_some(0);
        }
        if before.is_none() || pieces == 0 || pieces > sending.next {
            sending.go_on_from(pieces);
        } else {
            let first = sending.next - sending.inflight.len() as u64;
            for _ in first..pieces.max(first) {
                sending.bytes -= sending.inflight.pop_front().unwrap_or(0);
            }
        }
        sending.sent_in = round;
        before.is_none().then_some(pieces)
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
            State::Snapshot(_) => None,
        }
    }

    /// Whether entries of that size fit into the window; alone on their way, entries of any size do.
    pub(super) fn fits(&self, size: u64, max_bytes: u64) -> bool {
        match &self.state {
            State::Probe { .. } => true,
            State::Replicate { inflight, bytes } => {
                inflight.is_empty() || bytes + size <= max_bytes
            }
            State::Snapshot(_) => false,
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
            State::Snapshot(_) => unreachable!("entries go to nobody who is sent a snapshot"),
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
        self.acknowledged = self.acknowledged.max(index);
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
            State::Snapshot(sending) => {
                if matched >= sending.snapshot.last().index {
                    self.on_received(matched);
                } else if sending.sent_in < round {
                    sending.go_on_from(sending.arrived.unwrap_or(0));
                    sending.sent_in = round;
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
            State::Snapshot(_) => false,
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
                // What a burst took is given back.
                if inflight.is_empty() && inflight.capacity() > SPARE_FLIGHTS {
                    *inflight = VecDeque::new();
                }
            }
            State::Snapshot(sending) if index >= sending.snapshot.last().index => {
                self.state = State::Replicate { inflight: VecDeque::new(), bytes: 0 };
            }
            State::Snapshot(_) => return,
        }
        self.next_index = self.next_index.max(index.next());
    }

    fn send_again_after(&mut self, matched: Index) {
        self.state = State::Replicate { inflight: VecDeque::new(), bytes: 0 };
        self.next_index = matched.max(self.match_index).next();
    }
}

impl Sending {
    fn go_on_from(&mut self, piece: u64) {
        self.next = piece;
        self.inflight.clear();
        self.bytes = 0;
    }
}

/// Room for so many messages on their way is kept whatever happens.
const SPARE_FLIGHTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::entries::Payload;
    use crate::raft::log::Log;
    use crate::types::{EntryId, Term};

    fn index(index: u64) -> Index {
        Index::new(index)
    }

    fn replicating(matched: u64) -> Progress {
        let mut progress = Progress::new(index(matched), 0);
        assert!(progress.on_matched(index(matched)));
        progress
    }

    #[test]
    fn a_probe_waits_for_its_answer_or_a_later_round() {
        let mut progress = Progress::new(index(9), 0);
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
        let mut progress = Progress::new(index(9), 0);
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

    fn log(terms: &[u64]) -> Log {
        let mut log = Log::default();
        for &term in terms {
            log.append(Term::new(term), Payload::Noop);
        }
        log
    }

    /// How many probes it takes to find the last shared entry, and which that is.
    fn probe(leader: &[u64], follower: &[u64]) -> (usize, u64) {
        let (leader, follower) = (log(leader), log(follower));
        let mut progress = Progress::new(leader.last().index, 0);
        for probes in 1.. {
            let previous = progress.next_index().previous();
            progress.on_sent(previous, 0, 1);
            let term = leader.term_at(previous).expect("the logs go back to their beginning");
            if follower.holds(EntryId::new(previous, term)) {
                return (probes, previous.get());
            }
            let hint = follower.last_not_above(previous, term).expect("it goes back so far");
            let shared = leader.last_not_above(hint.index.min(previous.previous()), hint.term);
            let shared = shared.expect("it goes back so far").index;
            assert!(progress.on_conflict(previous, shared), "the answer to what was sent");
        }
        unreachable!("the beginning is shared")
    }

    /// Raft §5.3, Figure 7, and how a conflict passes over whole terms at a time.
    #[test]
    fn the_last_shared_entry_is_found_in_a_few_probes_whatever_the_logs() {
        let figure_7 = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
        for (leader, follower, expected) in [
            (&figure_7[..], &[1, 1, 1, 4, 4, 5, 5, 6, 6][..], (2, 9)),
            (&figure_7, &[1, 1, 1, 4], (2, 4)),
            (&figure_7, &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6], (1, 10)),
            (&figure_7, &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7], (1, 10)),
            (&figure_7, &[1, 1, 1, 4, 4, 4, 4], (2, 5)),
            (&figure_7, &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3], (2, 3)),
            (&[1, 2, 2, 4, 4, 4, 4], &[1, 2, 2, 4, 4, 4, 4, 4, 4], (1, 7)),
            (&[1, 3, 3, 3, 5, 5, 5, 5, 5], &[1, 3, 3, 3, 3, 4, 4, 4, 4], (2, 4)),
            (&[1, 2, 3, 4, 5, 6, 7], &[1, 1, 1, 1, 1, 1, 1], (2, 1)),
            (&[1, 1, 1, 1, 1, 9], &[1, 2, 3, 4, 5, 6], (3, 1)),
            (&[1, 2, 2, 2, 6, 6], &[1, 2, 3, 3, 5, 5], (3, 2)),
            (&[1, 4, 4, 7, 7, 7], &[1, 2, 2, 5, 5, 5], (3, 1)),
            (&[5, 5, 5], &[], (2, 0)),
            (&[5, 5, 5], &[1, 1, 1, 1], (2, 0)),
        ] {
            assert_eq!(probe(leader, follower), expected, "{leader:?} {follower:?}");
        }
    }
}
