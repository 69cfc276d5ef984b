//! Leaders: they order commands, send them out, and decide what is committed.

use alloc::collections::BTreeMap;

use super::entries::{Entry, Payload};
use super::message::{AppendOutcome, Message, ProposeOutcome, ProposeRefusal};
use super::progress::Progress;
use super::reads::{Asker, Reads};
use super::{Notice, Raft, Role, quorum};
use crate::Bytes;
use crate::event::{DropReason, Impossible};
use crate::types::{EntryId, Identity, Index, NodeId, Peer};

#[derive(Debug)]
pub(super) struct Leader {
    progress: BTreeMap<Peer, Progress>,
    /// Which copies of commands have come from each node.
    arrivals: BTreeMap<NodeId, Arrivals>,
    /// The last round of heartbeats. Numbers are never used twice in a term.
    round: u64,
    next_heartbeat: u64,
    next_quorum_check: u64,
    reads: Reads,
    /// The first entry of this term.
    first: Index,
    uncommitted_bytes: u64,
}

/// Tells copies that have come before from new ones, by a window over their numbers.
#[derive(Debug)]
struct Arrivals {
    from: Identity,
    highest: u64,
    /// Bit n stands for `highest - n`.
    seen: u64,
}

/// How full a leader's queues are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LeaderLoad {
    pub(crate) pending_reads: u64,
    pub(crate) uncommitted_bytes: u64,
    pub(crate) inflight_bytes: u64,
    pub(crate) inflight_messages: u64,
}

impl Leader {
    pub(super) fn next_tick(&self) -> u64 {
        self.next_heartbeat.min(self.next_quorum_check)
    }
}

impl Raft {
    pub(super) fn become_leader(&mut self) {
        self.counters.elections_won += 1;
        let last = self.log.last().index;
        let uncommitted = self.log.entries().iter().rev();
        let uncommitted_bytes =
            uncommitted.take_while(|entry| entry.id.index > self.commit).map(Entry::size).sum();
        let progress =
            self.membership.others().iter().map(|&peer| (peer, Progress::new(last))).collect();
        self.take_role(Role::Leader(Leader {
            progress,
            arrivals: BTreeMap::new(),
            round: 0,
            next_heartbeat: self.now,
            next_quorum_check: self.now.saturating_add(self.config.election_timeout.get()),
            reads: Reads::default(),
            first: last.next(),
            uncommitted_bytes,
        }));
        self.append_entry(Payload::Noop);
        self.begin_round();
    }

    // --- commands ---------------------------------------------------------------------------------

    pub(super) fn append_command(&mut self, command: Bytes) -> Result<EntryId, ProposeRefusal> {
        let (bytes, limit) = (command.len_u64(), self.config.max_entry_bytes);
        if bytes > limit {
            return Err(ProposeRefusal::TooLarge { bytes, limit });
        }
        // A leader commits on the others' copies while its own disk hangs: what that disk has still
        // to write is bounded, too.
        let held = self.leader_load().uncommitted_bytes.max(self.outbox.unconfirmed_bytes());
        let payload = Payload::Command(command);
        // A single command is taken however large, or it never could be.
        if held > 0 && held.saturating_add(payload.size()) > self.config.max_uncommitted_bytes {
            return Err(ProposeRefusal::Busy);
        }
        Ok(self.append_entry(payload))
    }

    /// Takes a command that another node hands over. One that comes when this node does not lead, or
    /// comes again, is not answered: of another copy something else may be true.
    pub(super) fn on_propose(&mut self, from: Identity, number: u64, command: Bytes) {
        let member = self.membership.configuration().is_voter(from.peer);
        let new = member
            && match &mut self.role {
                Role::Leader(leader) => leader
                    .arrivals
                    .entry(from.peer.id)
                    .or_insert_with(|| Arrivals::new(from))
                    .is_new(from, number),
                Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => false,
            };
        if !new {
            return self.drop_envelope(from, DropReason::Unexpected);
        }
        let outcome = match self.append_command(command) {
            Ok(id) => ProposeOutcome::Appended(id),
            Err(because) => ProposeOutcome::Refused(because),
        };
        let term = self.hard.term;
        self.send_in_group(from, Message::ProposeReply { term, number, outcome });
    }

    /// Figure 2, leaders: append to the local log. Sent out at the step's end, with what else came.
    fn append_entry(&mut self, payload: Payload) -> EntryId {
        let previous = self.log.last();
        let id = self.log.append(self.hard.term, payload);
        let run = self.log.run_after(previous.index, 0);
        if let Role::Leader(leader) = &mut self.role {
            leader.uncommitted_bytes += run.size();
        }
        self.counters.entries_appended += 1;
        self.outbox.append(&run);
        id
    }

    // --- replication ------------------------------------------------------------------------------

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
        progress.active = true;
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
                let shared = log.last_not_above(hint.index.min(rejected.previous()), hint.term);
                if !progress.on_conflict(rejected, shared.index) {
                    self.drop_envelope(from, DropReason::Unexpected);
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
        let newly = self.log.between(before, held);
        let bytes: u64 = newly.iter().map(Entry::size).sum();
        if let Role::Leader(leader) = &mut self.role {
            leader.uncommitted_bytes -= bytes;
        }
    }

    /// A member runs anew: what its last run acknowledged is asked for again.
    pub(super) fn on_peer_started(&mut self, peer: Peer) {
        let last = self.log.last().index;
        match &mut self.role {
            Role::Leader(leader) => {
                if let Some(progress) = leader.progress.get_mut(&peer) {
                    *progress = Progress::new(last);
                }
            }
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => self.ask_again(peer),
        }
    }

    fn send_entries(&mut self, to: Identity) {
        let last = self.log.last().index;
        loop {
            let Role::Leader(leader) = &mut self.role else { return };
            let Some(progress) = leader.progress.get_mut(&to.peer) else { return };
            let next = progress.next_index();
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

    // --- heartbeats and reads ---------------------------------------------------------------------

    pub(super) fn tick_leader(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.next_quorum_check <= self.now {
            let me = self.me.peer;
            let configuration = self.membership.configuration();
            let active = configuration.is_quorum(|peer| {
                peer == me || leader.progress.get(&peer).is_some_and(|progress| progress.active)
            });
            if !active {
                // Raft thesis §6.2: a leader that no quorum answers steps down by itself.
                return self.become_follower(None);
            }
            for progress in leader.progress.values_mut() {
                progress.active = false;
            }
            leader.next_quorum_check = self.now.saturating_add(self.config.election_timeout.get());
        }
        if leader.next_heartbeat <= self.now {
            self.begin_round();
        }
    }

    /// Figure 2, leaders: heartbeats. Reads that came before this round may be served once a quorum
    /// has answered it.
    pub(super) fn begin_round(&mut self) {
        let (term, commit) = (self.hard.term, self.commit);
        let Role::Leader(leader) = &mut self.role else { return };
        leader.round += 1;
        let round = leader.round;
        leader.next_heartbeat = self.now.saturating_add(self.config.heartbeat_interval.get());
        if commit >= leader.first {
            leader.reads.on_round(round, commit);
        }
        for progress in leader.progress.values_mut() {
            progress.on_heartbeat_sent(round);
        }
        for &peer in self.membership.others().iter() {
            self.send_to(peer.id, Message::Heartbeat { term, commit, round });
        }
        self.serve_reads();
    }

    pub(super) fn on_heartbeat_reply(
        &mut self,
        from: Identity,
        round: u64,
        matched: Index,
        durable: Index,
    ) {
        let last = self.log.last().index;
        let Role::Leader(leader) = &mut self.role else {
            return self.drop_envelope(from, DropReason::Unexpected);
        };
        let Some(progress) = leader.progress.get_mut(&from.peer) else {
            return self.drop_envelope(from, DropReason::Unexpected);
        };
        if round > leader.round || matched > last || durable > matched {
            let because = DropReason::Impossible(Impossible::AnswersUnasked);
            return self.drop_envelope(from, because);
        }
        progress.active = true;
        progress.on_heartbeat_reply(round, matched);
        if progress.on_matched(durable) {
            self.advance_commit();
        }
        self.serve_reads();
    }

    pub(super) fn on_read_index(&mut self, from: Identity, read: u64) {
        let leads = matches!(self.role, Role::Leader(_));
        let member = self.membership.configuration().is_voter(from.peer);
        if !leads || !member || !self.push_read(Some(from), read) {
            // Whoever asked asks again.
            self.drop_envelope(from, DropReason::Unexpected);
        }
    }

    /// Takes up a read, this node's own or another's; false if there are too many.
    pub(super) fn push_read(&mut self, node: Option<Identity>, read: u64) -> bool {
        let Role::Leader(leader) = &mut self.role else { return false };
        if leader.reads.len() >= self.config.max_pending_reads {
            self.counters.refused_busy += 1;
            return false;
        }
        leader.reads.push(Asker { node, read });
        true
    }

    fn serve_reads(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        let (me, round) = (self.me.peer, leader.round);
        let answered = quorum::reached(self.membership.configuration(), |peer| {
            if peer == me {
                return round;
            }
            leader.progress.get(&peer).map_or(0, |progress| progress.acked_round)
        });
        for (asker, index) in leader.reads.confirm(answered) {
            let read = asker.read;
            match asker.node {
                None => self.notices.push(Notice::ReadReady { read, index }),
                Some(node) => {
                    let term = self.hard.term;
                    self.send_in_group(node, Message::ReadIndexReply { term, read, index });
                }
            }
        }
    }

    pub(crate) fn leader_load(&self) -> LeaderLoad {
        let Role::Leader(leader) = &self.role else { return LeaderLoad::default() };
        let inflight = leader.progress.values().map(Progress::inflight);
        let (inflight_messages, inflight_bytes) =
            inflight.fold((0, 0), |most, of| (most.0.max(of.0), most.1.max(of.1)));
        LeaderLoad {
            pending_reads: leader.reads.len(),
            uncommitted_bytes: leader.uncommitted_bytes,
            inflight_bytes,
            inflight_messages,
        }
    }
}

impl Arrivals {
    fn new(from: Identity) -> Self {
        Self { from, highest: 0, seen: 0 }
    }

    /// Whether this copy has not come before; one too old to tell counts as having come.
    fn is_new(&mut self, from: Identity, number: u64) -> bool {
        if self.from != from {
            *self = Self::new(from);
        }
        if number > self.highest {
            let shift = number - self.highest;
            self.seen =
                u32::try_from(shift).ok().and_then(|by| self.seen.checked_shl(by)).unwrap_or(0);
            self.highest = number;
        }
        let age = self.highest - number;
        if age >= u64::BITS.into() || self.seen & (1 << age) != 0 {
            return false;
        }
        self.seen |= 1 << age;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Incarnation, Life};

    #[test]
    fn a_copy_is_new_once() {
        let peer = Peer { id: NodeId::new(1), incarnation: Incarnation::new(7) };
        let from = Identity { peer, life: Life::FIRST };
        let mut arrivals = Arrivals::new(from);
        let taken = [5, 5, 3, 5, 3, 70, 6, 5, 7, 200, 199, 136, 137]
            .map(|number| arrivals.is_new(from, number));
        assert_eq!(
            taken,
            [true, false, true, false, false, true, false, false, true, true, true, false, true]
        );
        let reborn = Identity { life: Life::new(2), ..from };
        assert!(arrivals.is_new(reborn, 5), "another life numbers its copies anew");
    }
}
