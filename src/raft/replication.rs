//! Replication: what a leader sends to each member, and what it makes of the answers.

use super::entries::Entry;
use super::message::{AppendOutcome, Message};
use super::progress::Progress;
use super::{Raft, Role, quorum};
use crate::reasons::{DropReason, Impossible};
use crate::types::{Identity, Index, Peer};

impl Raft {
    /// Sends out what the step has brought: a round for reads that wait for one, entries, and the
    /// commit index.
    pub(super) fn send_what_is_due(&mut self) {
        let Role::Leader(leader) = &self.role else { return };
        let readable = self.commit >= leader.first;
        if readable && leader.reads.want_round() && !leader.reads.await_round() {
            self.begin_round();
        }
        for &peer in self.membership.others().iter() {
            if let Some(run) = self.peers.run_of(peer) {
                self.send_entries(run);
            }
        }
        self.send_timeout_now();
    }

    pub(super) fn on_append_reply(&mut self, from: Identity, outcome: AppendOutcome) {
        let last = self.log.last().index;
        let log = &self.log;
        let Role::Leader(leader) = &mut self.role else {
            return self.drop_envelope(from, DropReason::Unexpected);
        };
        let Some(progress) = leader.progress.get_mut(&from.peer) else {
            return self.drop_envelope(from, DropReason::Unexpected);
        };
        progress.on_heard(self.now);
        match outcome {
            AppendOutcome::Matched(index) if index > last => {
                let because = DropReason::Impossible(Impossible::AcknowledgesUnsent);
                self.drop_envelope(from, because);
            }
            AppendOutcome::Matched(index) => {
                if progress.on_matched(index) {
                    self.advance_commit();
                }
            }
            AppendOutcome::Conflict { rejected, hint } => {
                let acknowledged = progress.acknowledged();
                let lost = progress.contradicts(hint.index);
                // Where the log does not reach back so far, only the snapshot can help.
                let shared = log.last_not_above(hint.index.min(rejected.previous()), hint.term);
                if !progress.on_conflict(rejected, shared.unwrap_or_default().index) {
                    self.drop_envelope(from, DropReason::Unexpected);
                }
                if lost {
                    self.tell_entries_lost(from, acknowledged);
                }
            }
        }
    }

    /// Figure 2, leaders: the highest index that a majority holds is committed, if its entry is of
    /// this term. The leader's own copy counts once it is durable, like any other.
    pub(super) fn advance_commit(&mut self) {
        let Role::Leader(leader) = &self.role else { return };
        let (me, own) = (self.me.peer, self.durable());
        let held = quorum::reached(self.membership.configuration(), |peer| {
            let matched = if peer == me {
                Some(own)
            } else {
                leader.progress.get(&peer).map(Progress::match_index)
            };
            matched.unwrap_or_default().get()
        });
        let held = Index::new(held);
        // Raft §5.4.2: an entry of an earlier term commits only under one of ours.
        if held <= self.commit || self.log.term_at(held) != Some(self.hard.term) {
            return;
        }
        let before = self.commit;
        self.commit_to(held);
        self.caught_up_at.get_or_insert(held);
        let newly = self.log.after(before).take_while(|entry| entry.id.index <= held);
        let bytes: u64 = newly.map(Entry::size).sum();
        if let Role::Leader(leader) = &mut self.role {
            leader.uncommitted_bytes -= bytes;
        }
    }

    /// A member runs anew: what its last run acknowledged is asked for again.
    pub(super) fn on_peer_started(&mut self, peer: Peer) {
        let (last, now) = (self.log.last().index, self.now);
        match &mut self.role {
            Role::Leader(leader) => {
                if let Some(progress) = leader.progress.get_mut(&peer) {
                    progress.restart(last, now);
                }
            }
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => self.ask_again(peer),
        }
    }

    /// A leader keeps track of exactly the members there are.
    pub(super) fn follow_members(&mut self) {
        let (last, now) = (self.log.last().index, self.now);
        let others = self.membership.others();
        let Role::Leader(leader) = &mut self.role else { return };
        leader.progress.retain(|peer, _| others.contains(peer));
        for &peer in others.iter() {
            leader.progress.entry(peer).or_insert_with(|| Progress::new(last, now));
        }
    }

    fn send_entries(&mut self, to: Identity) {
        let (last, start) = (self.log.last().index, self.log.start().index);
        loop {
            let Role::Leader(leader) = &mut self.role else { return };
            let Some(progress) = leader.progress.get_mut(&to.peer) else { return };
            let next = progress.next_index();
            if progress.is_sending_snapshot() || next.previous() < start {
                return self.send_snapshot(to);
            }
            let limits = (self.config.max_inflight_messages, self.config.max_inflight_bytes);
            let room = progress.room(next <= last, limits.0, limits.1);
            let run = room.map(|room| {
                self.log.run_after(next.previous(), self.config.max_message_bytes.min(room))
            });
            let Some(run) = run.filter(|run| progress.fits(run.size(), limits.1)) else {
                return self.send_commit(to);
            };
            progress.on_sent(run.last().index, run.size(), leader.round);
            progress.told_commit = self.commit;
            let (term, commit) = (self.hard.term, self.commit);
            self.send_in_group(to, Message::AppendEntries { term, run, commit });
        }
    }

    /// Tells a follower that more is committed than it was last told.
    fn send_commit(&mut self, to: Identity) {
        let (term, commit) = (self.hard.term, self.commit);
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(&to.peer) else { return };
        if progress.told_commit < commit {
            progress.told_commit = commit;
            self.send_in_group(to, Message::Commit { term, commit });
        }
    }
}
