//! Changes of the members: what a leader does about them, one at a time.
//!
//! A change is begun only when the one before it is committed, and only after an entry of the leader's
//! own term is (Raft thesis §4.1 and the correction to it of 2015: else two leaders could each change
//! the members by one and find majorities that do not overlap). A joint configuration is left as soon
//! as it is committed, by whoever leads then.

use alloc::vec::Vec;

use super::change::{ChangeRefusal, MemberChange};
use super::configuration::{Configuration, Standing};
use super::leader::TaskAsker;
use super::message::{JoinRefusal, Message, Speaks, Task, TaskOutcome, TaskRefusal};
use super::progress::Progress;
use super::{Notice, Raft, Role};
use crate::bytes::Bytes;
use crate::config::{Admission, MAX_MEMBERS, MAX_METADATA_BYTES};
use crate::event::Event;
use crate::reasons::DropReason;
use crate::types::{GroupId, Identity, Peer};

/// A node that wishes to join, and was asked whether it is there.
#[derive(Debug)]
pub(super) struct Applicant {
    joiner: Identity,
    voter: bool,
    metadata: Bytes,
    speaks: Speaks,
    /// The number of that question.
    asked: u64,
}

impl Raft {
    /// Whether this node leads and may change the members now.
    fn may_change_members(&self) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        // An entry of this term is committed, and so is the last change.
        self.commit >= leader.first && self.commit >= self.membership.index()
    }

    /// Goes on with whatever change is due: ends a joint configuration, makes learners voters, goes
    /// over to a newer format version.
    pub(super) fn tend_members(&mut self) {
        if !self.may_change_members() {
            return;
        }
        self.tell_dismissed();
        let configuration = self.membership.configuration();
        if configuration.is_joint() {
            let settled = configuration.settled();
            return self.append_configuration(settled);
        }
        self.answer_change_asker();
        if let Some(promoted) = self.promotion() {
            return self.append_configuration(promoted);
        }
        if let Some(version) = self.next_version() {
            let raised = self.membership.configuration().with_version(version);
            self.append_configuration(raised);
        }
    }

    /// Another configuration is in force.
    pub(super) fn on_members_changed(&mut self) {
        self.peers.keep_members(self.membership.configuration());
        self.note_vote();
        self.follow_members();
        self.emit_members();
    }

    // --- tasks ------------------------------------------------------------------------------------

    pub(super) fn on_assign(&mut self, from: Identity, number: u64, task: Task) {
        if !self.membership.configuration().contains(from.peer) {
            return self.answer_stranger(from);
        }
        // One that comes late, or again, could undo what was done since.
        let news = match &mut self.role {
            Role::Leader(leader) => {
                let last = leader.tasks.entry(from.peer).or_insert((from.life, 0));
                let news = *last < (from.life, number);
                if news {
                    *last = (from.life, number);
                }
                news
            }
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => false,
        };
        if news {
            self.on_task(Some(from), number, task);
        } else {
            self.drop_envelope(from, DropReason::Unexpected);
        }
    }

    /// A member, or this node itself, asks its leader for something.
    pub(super) fn on_task(&mut self, node: Option<Identity>, number: u64, task: Task) {
        let asker = TaskAsker { node, number };
        let outcome = match task {
            Task::Change(changes) => self.on_change_asked(asker, &changes),
            Task::Transfer(to) => self.on_transfer_asked(asker, to),
        };
        if let Some(outcome) = outcome {
            self.answer_task(asker, outcome);
        }
    }

    pub(super) fn answer_task(&mut self, asker: TaskAsker, outcome: TaskOutcome) {
        let TaskAsker { node, number } = asker;
        match node {
            None => self.notices.push(Notice::TaskAnswered { number, outcome }),
            Some(node) => {
                let term = self.hard.term;
                self.send_in_group(node, Message::AssignReply { term, number, outcome });
            }
        }
    }

    /// Begins a change; gives the answer if there is one at once.
    fn on_change_asked(
        &mut self,
        asker: TaskAsker,
        changes: &[MemberChange],
    ) -> Option<TaskOutcome> {
        if !self.may_change_members() || self.membership.configuration().is_joint() {
            return Some(TaskOutcome::Later);
        }
        match self.membership.configuration().changed(changes) {
            Err(because) => Some(TaskOutcome::Refused(TaskRefusal::Change(because))),
            Ok(target) if target == **self.membership.configuration() => {
                Some(TaskOutcome::Done(self.membership.index()))
            }
            Ok(target) if !self.is_alive(&target) => {
                Some(TaskOutcome::Refused(TaskRefusal::NoLiveMajority))
            }
            Ok(target) => {
                self.append_configuration(target);
                if let Role::Leader(leader) = &mut self.role {
                    leader.change_asked_by = Some(asker);
                }
                None
            }
        }
    }

    /// Whether a majority of the voters that there would be answers.
    fn is_alive(&self, target: &Configuration) -> bool {
        let (heard, all) = target.new_voters().fold((0, 0), |(heard, all), peer| {
            (heard + u64::from(peer == self.me.peer || self.is_heard(peer)), all + 1)
        });
        heard > all / 2
    }

    /// Whether this leader has lately heard from a member.
    pub(super) fn is_heard(&self, peer: Peer) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        let patience = self.config.election_timeout.get();
        leader
            .progress
            .get(&peer)
            .is_some_and(|progress| self.now.saturating_sub(progress.heard) < patience)
    }

    fn answer_change_asker(&mut self) {
        let index = self.membership.index();
        let Role::Leader(leader) = &mut self.role else { return };
        if let Some(asker) = leader.change_asked_by.take() {
            self.answer_task(asker, TaskOutcome::Done(index));
        }
    }

    // --- joining ----------------------------------------------------------------------------------

    /// A node asks to be let in, by itself or through the member it asked.
    pub(super) fn on_join(
        &mut self,
        from: Identity,
        joiner: Identity,
        (voter, metadata): (bool, Bytes),
        speaks: Speaks,
    ) {
        let bytes = metadata.len_u64();
        if bytes > MAX_METADATA_BYTES {
            let because = JoinRefusal::Change(ChangeRefusal::MetadataTooLong { bytes });
            return self.send_in(self.hard.group, joiner, Message::JoinRefused { because });
        }
        match &self.role {
            Role::Leader(_) => {}
            Role::Follower(follower) => {
                // A request goes through one member at most, so that it cannot go round in circles.
                let direct = from == joiner;
                let leader = follower.leader.filter(|&leader| direct && leader.peer != joiner.peer);
                match leader {
                    Some(leader) => self
                        .send_in_group(leader, Message::Join { joiner, voter, metadata, speaks }),
                    None => self.drop_envelope(from, DropReason::Unexpected),
                }
                return;
            }
            Role::PreCandidate(_) | Role::Candidate(_) => {
                return self.drop_envelope(from, DropReason::Unexpected);
            }
        }
        self.examine(Applicant { joiner, voter, metadata, speaks, asked: 0 });
    }

    /// Asks whether the very run that wishes to join is there: its wish may have been under way for
    /// long, and another incarnation of that node may have come since.
    fn examine(&mut self, mut applicant: Applicant) {
        let joiner = applicant.joiner;
        let Role::Leader(leader) = &mut self.role else { return };
        leader.asked += 1;
        applicant.asked = leader.asked;
        leader.applicants.insert(joiner.peer.id, applicant);
        if leader.applicants.len() > MAX_MEMBERS {
            // Whoever has not answered for longest is the least likely to be there.
            let oldest = leader.applicants.iter().min_by_key(|(_, applicant)| applicant.asked);
            let oldest = oldest.map(|(id, _)| *id);
            oldest.and_then(|id| leader.applicants.remove(&id));
        }
        let asked = leader.asked;
        self.send_in(self.hard.group, joiner, Message::Hello { asked });
    }

    /// A node answered; it may be one that wishes to join and was asked whether it is there.
    pub(super) fn on_applicant_there(&mut self, from: Identity, asked: u64) {
        let Role::Leader(leader) = &mut self.role else { return };
        let id = from.peer.id;
        let there = |applicant: &Applicant| applicant.joiner == from && applicant.asked == asked;
        if !leader.applicants.get(&id).is_some_and(there) {
            return;
        }
        let Some(applicant) = leader.applicants.remove(&id) else { return };
        if let Err(because) = self.let_in(applicant) {
            self.send_in(self.hard.group, from, Message::JoinRefused { because });
        }
    }

    /// Takes a node in as a learner, unless it is a member already or another change is under way: it
    /// asks again.
    fn let_in(&mut self, applicant: Applicant) -> Result<(), JoinRefusal> {
        let Applicant { joiner, voter, metadata, speaks, .. } = applicant;
        let configuration = self.membership.configuration();
        if configuration.contains(joiner.peer) {
            if !metadata.is_empty() {
                self.describe(joiner.peer, &metadata);
            }
            return Ok(());
        }
        let group = configuration.version();
        if speaks.version < group {
            return Err(JoinRefusal::Version { group });
        }
        match &self.config.admission {
            Admission::Open => {}
            Admission::Only(listed) if listed.contains(&joiner.peer.id) => {}
            Admission::Only(_) => return Err(JoinRefusal::NotAdmitted),
            Admission::Manual => {
                self.emit(Event::JoinAsked { identity: joiner, voter, metadata });
                return Err(JoinRefusal::NotAdmitted);
            }
        }
        if !self.may_change_members() || configuration.is_joint() {
            return Ok(());
        }
        let change = MemberChange::Add { peer: joiner.peer, metadata, voter, replaces: None };
        let target = configuration.changed(&[change]).map_err(JoinRefusal::Change)?;
        self.counters.admissions += 1;
        self.append_configuration(target);
        self.peers.learn(joiner);
        Ok(())
    }

    /// The group is to know something else of a member than it does.
    pub(super) fn describe(&mut self, peer: Peer, metadata: &Bytes) {
        if !self.may_change_members() || metadata.len_u64() > MAX_METADATA_BYTES {
            return;
        }
        let described = self.membership.configuration().with_metadata(peer, metadata);
        if !described.is_joint() && described != **self.membership.configuration() {
            self.append_configuration(described);
        }
    }

    /// Someone who is no member speaks as if it were: it is told, if that is committed.
    pub(super) fn answer_stranger(&mut self, stranger: Identity) {
        self.tell_if_removed(self.hard.group, stranger);
        self.drop_envelope(stranger, DropReason::NotAMember);
    }

    /// Tells a node of this group that it is no member, if that is committed as far as is known here.
    pub(super) fn tell_if_removed(&mut self, group: Option<GroupId>, node: Identity) {
        let (_, committed) = self.membership.at(self.commit);
        let known = committed.is_empty()
            || committed.contains(node.peer)
            || self.membership.configuration().contains(node.peer);
        if group.is_some() && group == self.hard.group && !known {
            let by = self.removal();
            self.send_in_group(node, Message::Removed { by });
        }
    }

    /// Whoever a committed change has removed is told, since it will not get the entry that says so.
    fn tell_dismissed(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        let dismissed = core::mem::take(&mut leader.dismissed);
        let by = self.removal();
        for node in dismissed {
            self.send_in_group(node, Message::Removed { by });
        }
    }

    // --- promotion and demotion -------------------------------------------------------------------

    /// What comes of making voters of all learners that have caught up and wait for it.
    fn promotion(&mut self) -> Option<Configuration> {
        let configuration = self.membership.configuration();
        if !configuration.promotes() {
            return None;
        }
        let Role::Leader(leader) = &self.role else { return None };
        let version = configuration.version();
        let caught_up = |peer: &Peer| {
            leader.progress.get(peer).is_some_and(|progress: &Progress| {
                progress.is_replicating()
                    && progress.active
                    && progress.match_index() >= leader.round_commit.max(leader.first)
                    && progress.speaks.is_some_and(|speaks| speaks.version >= version)
            })
        };
        let ready: Vec<Peer> = configuration
            .members()
            .filter(|(_, member)| {
                matches!(member.standing, Standing::Learner { promote: true, .. })
            })
            .map(|(peer, _)| peer)
            .filter(caught_up)
            .collect();
        if ready.is_empty() {
            return None;
        }
        let promoted = configuration.promoted(&ready).ok()?;
        self.counters.promotions += ready.len() as u64;
        Some(promoted)
    }

    /// Makes a learner of a voter that has been silent for too long, as long as enough are left.
    pub(super) fn demote_silent(&mut self) {
        let Some(patience) = self.config.demote_after else { return };
        if !self.may_change_members() || self.membership.configuration().is_joint() {
            return;
        }
        let configuration = self.membership.configuration();
        if configuration.voters().count() as u64 <= self.config.min_voters {
            return;
        }
        let Role::Leader(leader) = &self.role else { return };
        let silent = |peer: &Peer| {
            let heard = leader.progress.get(peer).map(|progress| progress.heard);
            heard.is_some_and(|heard| self.now.saturating_sub(heard) >= patience.get())
        };
        let Some(demoted) = configuration.voters().find(silent) else { return };
        let target: Result<Configuration, ChangeRefusal> = configuration.demoted(demoted);
        if let Ok(target) = target {
            self.counters.demotions += 1;
            self.append_configuration(target);
        }
    }

    /// The format version that the group may go over to, now that all members speak it.
    fn next_version(&self) -> Option<u8> {
        let configuration = self.membership.configuration();
        let next = configuration.version().checked_add(1)?;
        if next > self.config.newest_version {
            return None;
        }
        let Role::Leader(leader) = &self.role else { return None };
        let speaks = |peer: Peer| {
            peer == self.me.peer
                || leader.progress.get(&peer).is_some_and(|progress| {
                    progress.speaks.is_some_and(|speaks| speaks.version >= next)
                })
        };
        configuration.peers().all(speaks).then_some(next)
    }
}
