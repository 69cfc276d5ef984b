//! Leaders: they order commands, send them out, and decide what is committed.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::configuration::Configuration;
use super::entries::{Entry, Payload};
use super::members::Applicant;
use super::message::{Message, ProposeOutcome, ProposeRefusal, Speaks};
use super::progress::Progress;
use super::reads::{Asker, Reads};
use super::transfer::Transfer;
use super::{Notice, Raft, Role, quorum};
use crate::Bytes;
use crate::event::Event;
use crate::reasons::{DropReason, Impossible};
use crate::types::{EntryId, Identity, Index, Life, NodeId, Peer};

#[derive(Debug)]
pub(super) struct Leader {
    pub(super) progress: BTreeMap<Peer, Progress>,
    /// Which copies of commands have come from each incarnation of a node, of which two may be members at
    /// once. That of one that goes is kept: it may return, and copies of its commands, too.
    arrivals: BTreeMap<Peer, Arrivals>,
    /// The last round of heartbeats. Numbers are never used twice in a term.
    pub(super) round: u64,
    /// The commit index when that round began: whoever has come so far has caught up.
    pub(super) round_commit: Index,
    next_heartbeat: u64,
    next_quorum_check: u64,
    pub(super) reads: Reads,
    /// The first entry of this term.
    pub(super) first: Index,
    pub(super) uncommitted_bytes: u64,
    /// The last task that came from each incarnation of a node, by its life and number.
    pub(super) tasks: BTreeMap<Peer, (Life, u64)>,
    /// Who waits for the change of the members under way.
    pub(super) change_asked_by: Option<TaskAsker>,
    /// Who is to be told, once that is committed, that it is no member any more.
    pub(super) dismissed: Vec<Identity>,
    /// Who wishes to join and was asked whether it is there, and how often any was.
    pub(super) applicants: BTreeMap<NodeId, Applicant>,
    pub(super) asked: u64,
    pub(super) transfer: Option<Transfer>,
    /// When a leader of the last resort may next try to hand leadership on.
    pub(super) next_yield: u64,
}

/// Who asked for a task, and under which number; none for this node itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct TaskAsker {
    pub(super) node: Option<Identity>,
    pub(super) number: u64,
}

/// Tells copies that have come before from new ones, by a window over their numbers.
#[derive(Debug)]
struct Arrivals {
    life: Life,
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
        let transfer = self.transfer.as_ref().map_or(u64::MAX, |transfer| transfer.deadline);
        self.next_heartbeat.min(self.next_quorum_check).min(transfer)
    }
}

impl Raft {
    pub(super) fn become_leader(&mut self) {
        self.counters.elections_won += 1;
        let last = self.log.last().index;
        let uncommitted_bytes = self.log.after(self.commit).map(Entry::size).sum();
        let others = self.membership.others();
        let progress = others.iter().map(|&peer| (peer, Progress::new(last, self.now))).collect();
        self.incoming = None;
        self.take_role(Role::Leader(Box::new(Leader {
            progress,
            arrivals: BTreeMap::new(),
            round: 0,
            round_commit: Index::ZERO,
            next_heartbeat: self.now,
            next_quorum_check: self.now.saturating_add(self.config.election_timeout.get()),
            reads: Reads::default(),
            first: last.next(),
            uncommitted_bytes,
            tasks: BTreeMap::new(),
            change_asked_by: None,
            dismissed: Vec::new(),
            applicants: BTreeMap::new(),
            asked: 0,
            transfer: None,
            next_yield: self.now,
        })));
        self.append_entry(Payload::Noop);
        self.begin_round();
    }

    // --- commands ---------------------------------------------------------------------------------

    pub(super) fn append_command(&mut self, command: Bytes) -> Result<EntryId, ProposeRefusal> {
        let (bytes, limit) = (command.len_u64(), self.config.max_entry_bytes);
        if bytes > limit {
            return Err(ProposeRefusal::TooLarge { bytes, limit });
        }
        self.append_if_free(command)
    }

    /// Takes a command, if leadership is not being handed on and there is room for more that is not
    /// committed.
    pub(super) fn append_if_free(&mut self, command: Bytes) -> Result<EntryId, ProposeRefusal> {
        if self.is_transferring() {
            return Err(ProposeRefusal::Transferring);
        }
        if self.is_overloaded() {
            return Err(ProposeRefusal::Busy);
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
        if !self.membership.configuration().contains(from.peer) {
            return self.answer_stranger(from);
        }
        let new = match &mut self.role {
            Role::Leader(leader) => leader
                .arrivals
                .entry(from.peer)
                .or_insert_with(|| Arrivals::new(from.life))
                .is_new(from.life, number),
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

    /// A configuration is in force as soon as it is appended (Raft §6).
    pub(super) fn append_configuration(&mut self, configuration: Configuration) {
        self.counters.changes_begun += 1;
        let gone = self.membership.others();
        let gone = gone.iter().filter(|&&peer| !configuration.contains(peer));
        let dismissed: Vec<Identity> = gone.filter_map(|&peer| self.peers.run_of(peer)).collect();
        if let Role::Leader(leader) = &mut self.role {
            leader.dismissed.extend(dismissed);
        }
        let id = self.append_entry(Payload::Members(Box::new(configuration)));
        let entry = self.log.entry(id.index).expect("it was just appended").clone();
        self.membership.on_append(&[entry]);
        self.on_members_changed();
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

    // --- heartbeats and reads ---------------------------------------------------------------------

    pub(super) fn tick_leader(&mut self) {
        self.end_late_transfer();
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.next_quorum_check <= self.now {
            let me = self.me.peer;
            let configuration = self.membership.configuration();
            let active = configuration.is_quorum(|peer| {
                peer == me || leader.progress.get(&peer).is_some_and(|progress| progress.active)
            });
            if !active {
                // Raft thesis §6.2: a leader that no quorum answers steps down by itself.
                self.become_follower(None);
                return self.note_own_removal();
            }
            let silent: Vec<Peer> = leader
                .progress
                .iter_mut()
                .filter_map(|(peer, progress)| progress.falls_silent().then_some(*peer))
                .collect();
            leader.next_quorum_check = self.now.saturating_add(self.config.election_timeout.get());
            silent.into_iter().for_each(|peer| self.emit(Event::PeerSilent { peer }));
        }
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.next_heartbeat <= self.now {
            self.begin_round();
            self.demote_silent();
            self.yield_leadership();
        }
    }

    /// Figure 2, leaders: heartbeats. Reads that came before this round may be served once a quorum
    /// has answered it.
    pub(super) fn begin_round(&mut self) {
        let (term, commit) = (self.hard.term, self.commit);
        let Role::Leader(leader) = &mut self.role else { return };
        leader.round += 1;
        let round = leader.round;
        leader.round_commit = commit;
        leader.next_heartbeat = self.now.saturating_add(self.config.heartbeat_interval.get());
        if commit >= leader.first {
            leader.reads.on_round(round, commit);
        }
        for progress in leader.progress.values_mut() {
            progress.on_heartbeat_sent(round);
        }
        for &peer in self.membership.others().iter() {
            self.send_to(peer, Message::Heartbeat { term, commit, round });
        }
        self.serve_reads();
    }

    pub(super) fn on_heartbeat_reply(
        &mut self,
        from: Identity,
        round: u64,
        (matched, durable): (Index, Index),
        speaks: Speaks,
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
        progress.on_heard(self.now);
        progress.speaks = Some(speaks);
        progress.on_heartbeat_reply(round, matched);
        if progress.on_matched(durable) {
            self.advance_commit();
        }
        self.serve_reads();
    }

    pub(super) fn on_read_index(&mut self, from: Identity, read: u64) {
        if !self.membership.configuration().contains(from.peer) {
            return self.answer_stranger(from);
        }
        if !matches!(self.role, Role::Leader(_)) {
            // Whoever asked asks again.
            return self.drop_envelope(from, DropReason::Unexpected);
        }
        if !self.push_read(Some(from), read) {
            let term = self.hard.term;
            self.send_in_group(from, Message::ReadIndexReply { term, read, index: None });
        }
    }

    /// Takes up a read, this node's own or another's; false if there are too many.
    pub(super) fn push_read(&mut self, node: Option<Identity>, read: u64) -> bool {
        let Role::Leader(leader) = &mut self.role else { return false };
        if leader.reads.len() >= self.config.max_pending_reads {
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
            let (read, index) = (asker.read, Some(index));
            match asker.node {
                None => self.notices.push(Notice::ReadAnswered { read, index }),
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
    fn new(life: Life) -> Self {
        Self { life, highest: 0, seen: 0 }
    }

    /// Whether this copy has not come before; one too old to tell counts as having come.
    fn is_new(&mut self, life: Life, number: u64) -> bool {
        match life.cmp(&self.life) {
            Ordering::Less => return false,
            Ordering::Equal => {}
            Ordering::Greater => *self = Self::new(life),
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

    #[test]
    fn a_copy_is_new_once() {
        let mut arrivals = Arrivals::new(Life::FIRST);
        let taken = [5, 5, 3, 5, 3, 70, 6, 5, 7, 200, 199, 136, 137]
            .map(|number| arrivals.is_new(Life::FIRST, number));
        assert_eq!(
            taken,
            [true, false, true, false, false, true, false, false, true, true, true, false, true]
        );
        assert!(arrivals.is_new(Life::new(2), 5), "another life numbers its copies anew");
        assert!(!arrivals.is_new(Life::FIRST, 201), "the earlier one is over");
        assert!(!arrivals.is_new(Life::new(2), 5));
    }
}
