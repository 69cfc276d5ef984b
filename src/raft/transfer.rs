//! Handing leadership on (Raft thesis §3.10).
//!
//! A leader that is to hand leadership on takes no more commands, brings the other's log up to its own,
//! and then tells it to stand for election at once. The others grant that vote although they hear from
//! a leader, since the leader itself wishes it. If the other does not come into office within an
//! election time-out, the leader goes on as if nothing had been.

use super::leader::TaskAsker;
use super::message::{Message, TaskOutcome, TaskRefusal};
use super::progress::Progress;
use super::{Raft, Role};
use crate::config::Priority;
use crate::event::Event;
use crate::reasons::DropReason;
use crate::types::{Identity, NodeId, Peer};

/// Leadership on its way to another node.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) to: Peer,
    pub(super) deadline: u64,
    /// The round of heartbeats in which the other was last told to stand.
    told_in: Option<u64>,
    asked_by: Option<TaskAsker>,
}

impl Raft {
    pub(super) fn is_transferring(&self) -> bool {
        self.transferring_to().is_some()
    }

    pub(crate) fn transferring_to(&self) -> Option<NodeId> {
        let Role::Leader(leader) = &self.role else { return None };
        leader.transfer.as_ref().map(|transfer| transfer.to.id)
    }

    /// Hands leadership on as it was asked to; gives the answer if there is one at once.
    pub(super) fn on_transfer_asked(
        &mut self,
        asker: TaskAsker,
        to: Option<NodeId>,
    ) -> Option<TaskOutcome> {
        if to == Some(self.me.peer.id) {
            return Some(TaskOutcome::Done(self.commit));
        }
        let configuration = self.membership.configuration();
        let target = match to {
            Some(id) => configuration.new_voters().find(|peer| peer.id == id),
            None => self.best_successor(),
        };
        let Some(target) = target else {
            return Some(TaskOutcome::Refused(TaskRefusal::NotAVoter));
        };
        if self.is_transferring() {
            return Some(TaskOutcome::Later);
        }
        self.begin_transfer(target, Some(asker));
        None
    }

    pub(super) fn begin_transfer(&mut self, to: Peer, asked_by: Option<TaskAsker>) {
        let deadline = self.now.saturating_add(self.config.election_timeout.get());
        let Role::Leader(leader) = &mut self.role else { return };
        leader.transfer = Some(Transfer { to, deadline, told_in: None, asked_by });
        self.counters.transfers_begun += 1;
        self.emit(Event::TransferBegan { to: to.id });
    }

    /// The voter that would do best as the next leader: alive, and not behind anyone. One that leads
    /// only as a last resort comes last.
    pub(super) fn best_successor(&self) -> Option<Peer> {
        let Role::Leader(leader) = &self.role else { return None };
        let configuration = self.membership.configuration();
        let voters = configuration.new_voters().filter(|&peer| peer != self.me.peer);
        let fitness = |peer: &Peer| {
            let progress = leader.progress.get(peer)?;
            let willing = progress.speaks.is_some_and(|speaks| !speaks.last_resort);
            Some((self.is_heard(*peer), willing, progress.match_index()))
        };
        voters.filter(|peer| fitness(peer).is_some()).max_by_key(fitness)
    }

    /// Tells the next leader to stand, once it has all that this one has; again in each round, in case
    /// it was lost.
    pub(super) fn send_timeout_now(&mut self) {
        let last = self.log.last().index;
        let Role::Leader(leader) = &mut self.role else { return };
        let round = leader.round;
        let Some(transfer) = &mut leader.transfer else { return };
        let matched = leader.progress.get(&transfer.to).map(Progress::match_index);
        if matched != Some(last) || transfer.told_in == Some(round) {
            return;
        }
        transfer.told_in = Some(round);
        let (to, term) = (transfer.to, self.hard.term);
        self.send_to(to, Message::TimeoutNow { term });
    }

    /// The other did not come into office in time.
    pub(super) fn end_late_transfer(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(transfer) = leader.transfer.take_if(|transfer| transfer.deadline <= self.now)
        else {
            return;
        };
        self.counters.transfers_failed += 1;
        self.emit(Event::TransferFailed { to: transfer.to.id });
        if let Some(asker) = transfer.asked_by {
            // A wish that is still on its way may yet be heeded.
            let outcome = match transfer.told_in {
                Some(_) => TaskOutcome::Unknown,
                None => TaskOutcome::Refused(TaskRefusal::TransferTimedOut),
            };
            self.answer_task(asker, outcome);
        }
        // Commands that were turned away meanwhile may come again.
        self.notices.push(super::Notice::LeaderChanged);
    }

    /// A leader that should not lead hands on to one that may: a leader of the last resort, one that a
    /// committed change has made no voter, or one that met what it cannot apply.
    pub(super) fn yield_leadership(&mut self) {
        let reluctant = self.halted || self.config.priority == Priority::LastResort;
        let voter = self.membership.configuration().is_voter(self.me.peer);
        let Role::Leader(leader) = &self.role else { return };
        if voter && (!reluctant || leader.next_yield > self.now) || leader.transfer.is_some() {
            return;
        }
        let caught_up = |peer: &Peer| {
            leader.progress.get(peer).is_some_and(|progress| {
                let willing = progress.speaks.is_some_and(|speaks| !speaks.last_resort);
                (willing || !voter || self.halted) && progress.match_index() >= leader.round_commit
            })
        };
        let Some(successor) = self.best_successor().filter(caught_up) else { return };
        self.begin_transfer(successor, None);
        let next = self.now.saturating_add(YIELDS_EVERY * self.config.election_timeout.get());
        if let Role::Leader(leader) = &mut self.role {
            leader.next_yield = next;
        }
    }

    pub(super) fn on_timeout_now(&mut self, from: Identity) {
        let led_by_sender = self.leader_identity() == Some(from);
        if led_by_sender && self.may_campaign() {
            self.become_candidate(true);
        } else {
            self.drop_envelope(from, DropReason::Unexpected);
        }
    }

    fn leader_identity(&self) -> Option<Identity> {
        match &self.role {
            Role::Follower(follower) => follower.leader,
            Role::Leader(_) => Some(self.me),
            Role::PreCandidate(_) | Role::Candidate(_) => None,
        }
    }
}

/// How many election time-outs a leader of the last resort waits before it tries again.
const YIELDS_EVERY: u64 = 2;
