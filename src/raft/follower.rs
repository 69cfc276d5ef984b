//! Followers: they take entries from the leader, and grant votes.

use super::entries::{Payload, Run};
use super::message::{AppendOutcome, Message};
use super::outbox::OwedMatch;
use super::{Notice, Raft, Role};
use crate::event::Event;
use crate::reasons::{DropReason, Impossible, VoteRefusal};
use crate::types::{EntryId, GroupId, Identity, Index, NodeId, Term};

#[derive(Debug)]
pub(super) struct Follower {
    pub(super) leader: Option<Identity>,
    /// When the leader was last heard from, or a vote granted.
    heard: u64,
    timeout: u64,
}

impl Follower {
    pub(super) fn new(leader: Option<Identity>, now: u64, timeout: u64) -> Self {
        Self { leader, heard: now, timeout }
    }

    pub(super) fn deadline(&self) -> u64 {
        self.heard.saturating_add(self.timeout)
    }
}

impl Raft {
    /// Whether it has no leader to wait for: it is in no group, or was removed and follows nobody.
    pub(super) fn is_out_of_sight(&self) -> bool {
        self.hard.group.is_none() || (self.hard.removed.is_some() && self.leader().is_none())
    }

    /// A node that may not stand for election has not heard of a leader for long: it asks the members
    /// it knows, of which one may have to tell that it is none any more.
    pub(super) fn lose_sight(&mut self) {
        if self.is_out_of_sight() {
            return;
        }
        self.become_follower(None);
        if self.hard.removed.is_some() {
            return; // It asks by itself, or not at all.
        }
        for peer in self.membership.others().iter() {
            self.send_hello(peer.id, 0);
        }
    }

    // --- entries ----------------------------------------------------------------------------------

    pub(super) fn on_append_entries(&mut self, from: Identity, run: Run, commit: Index) {
        if let Some(because) = self.misplaced(&run) {
            return self.drop_envelope(from, DropReason::Impossible(because));
        }
        if !self.follow(from) {
            return;
        }
        let previous = run.previous();
        let start = self.log.start().index;
        if previous.index < start {
            // What is compacted is committed, and so is in the log of whoever leads. The leader goes
            // on from there.
            self.matched = self.matched.max(start);
            return self.acknowledge(from, start);
        }
        if !run.entries().is_empty() && self.is_overloaded() {
            return self.drop_envelope(from, DropReason::Busy);
        }
        if !self.log.holds(previous) {
            return self.refuse_append(from, previous);
        }
        let matched = run.last().index;
        self.store_run(run);
        self.matched = self.matched.max(matched);
        self.acknowledge(from, matched);
        self.on_leader_commit(commit);
    }

    pub(super) fn on_heartbeat(&mut self, from: Identity, commit: Index, round: u64) {
        if !self.follow(from) {
            return;
        }
        if self.config.verbose {
            self.emit(Event::Heartbeat { leader: from });
        }
        self.on_leader_commit(commit);
        let (term, matched) = (self.hard.term, self.matched);
        let durable = if self.outbox.hard_state_durable() {
            self.durable().min(matched)
        } else {
            Index::ZERO
        };
        let speaks = self.speaks();
        // Waits for no write, so a slow disk deposes nobody.
        self.send_in_group(from, Message::HeartbeatReply { term, round, matched, durable, speaks });
    }

    pub(super) fn on_commit(&mut self, from: Identity, commit: Index) {
        if self.follow(from) {
            self.on_leader_commit(commit);
        }
    }

    /// Sends what has become durable of the acknowledgement that is owed.
    pub(super) fn acknowledge_durable(&mut self) {
        let durable = self.durable();
        let Some(owed) = &mut self.outbox.owed_match else { return };
        let (leader, index) = (owed.leader, owed.upto.min(durable));
        let news = index > owed.said;
        owed.said = index;
        if index == owed.upto {
            self.outbox.owed_match = None;
        }
        if news {
            self.send_matched(leader, index);
        }
    }

    /// Takes the sender for the leader of this term; false if it cannot be.
    pub(super) fn follow(&mut self, from: Identity) -> bool {
        match &mut self.role {
            Role::Follower(follower) if follower.leader == Some(from) => {
                follower.heard = self.now;
                return true;
            }
            Role::Follower(Follower { leader: None, .. })
            | Role::PreCandidate(_)
            | Role::Candidate(_) => {}
            Role::Follower(_) | Role::Leader(_) => {
                let because = DropReason::Impossible(Impossible::SecondLeader);
                self.drop_envelope(from, because);
                return false;
            }
        }
        // Raft §5.2: a candidate that hears from a leader of its term becomes a follower.
        self.become_follower(Some(from));
        true
    }

    /// What makes a run one that no leader of this term sends, if anything. A leader never rewrites its
    /// log (Figure 3), so what matched it once in this term matches it still.
    fn misplaced(&self, run: &Run) -> Option<Impossible> {
        let foreign = run.entries().iter().any(|entry| match &entry.payload {
            Payload::Founding(founding) => Some(founding.group) != self.hard.group,
            Payload::Noop | Payload::Command(_) | Payload::Members(_) => false,
        });
        if foreign || run.last().term > self.hard.term {
            return Some(Impossible::MisplacedEntries);
        }
        let rewrites = self.log.holds(run.previous())
            && run
                .entries()
                .iter()
                .take_while(|entry| entry.id.index <= self.commit.max(self.matched))
                .any(|entry| !self.log.holds(entry.id));
        rewrites.then_some(Impossible::RewritesLog)
    }

    fn refuse_append(&mut self, from: Identity, previous: EntryId) {
        let shared = self.log.last_not_above(previous.index, previous.term);
        // Its start is committed, and so shared with whoever leads.
        let hint = shared.unwrap_or(self.log.start());
        self.emit(Event::AppendRefused { leader: from.peer.id, previous, hint });
        let outcome = AppendOutcome::Conflict { rejected: previous.index, hint };
        let term = self.hard.term;
        self.send_in_group(from, Message::AppendEntriesReply { term, outcome });
    }

    fn store_run(&mut self, run: Run) {
        let spliced = self.log.splice(run);
        if let Some(kept) = spliced.kept {
            assert!(kept >= self.commit, "truncating to {kept} below commit {}", self.commit);
            self.counters.entries_truncated += spliced.dropped;
            self.outbox.truncate(kept);
            self.emit(Event::LogTruncated { kept });
        }
        let added = spliced.appended.entries();
        self.counters.entries_appended += added.len() as u64;
        let rolled_back = spliced.kept.is_some_and(|kept| self.membership.on_truncate(kept));
        if self.membership.on_append(added) || rolled_back {
            self.on_members_changed();
        }
        self.outbox.append(&spliced.appended);
    }

    /// Acknowledges `index` at once if it is durable, or owes it.
    pub(super) fn acknowledge(&mut self, leader: Identity, index: Index) {
        if self.outbox.hard_state_durable() && index <= self.durable() {
            return self.send_matched(leader, index);
        }
        let owed = self.outbox.owed_match.get_or_insert(OwedMatch {
            leader,
            upto: index,
            said: Index::ZERO,
        });
        owed.upto = owed.upto.max(index);
    }

    fn send_matched(&mut self, leader: Identity, index: Index) {
        let (term, outcome) = (self.hard.term, AppendOutcome::Matched(index));
        self.send_in_group(leader, Message::AppendEntriesReply { term, outcome });
    }

    /// Figure 2, `AppendEntries` 5: what lies beyond the last entry known to match may be another
    /// leader's, so the commit index goes no further.
    pub(super) fn on_leader_commit(&mut self, commit: Index) {
        let matched = self.matched;
        // Short of an entry of its own term, the leader does not know itself what is committed.
        if commit <= matched && self.log.term_at(commit) == Some(self.hard.term) {
            self.caught_up_at.get_or_insert(commit);
        }
        self.commit_to(commit.min(matched));
    }

    pub(super) fn commit_to(&mut self, index: Index) {
        if index <= self.commit {
            return;
        }
        let last = self.log.last();
        assert!(index <= last.index, "committing {index} beyond the last entry {last}");
        let configured = self.membership.at(self.commit).0;
        let before = self.commit;
        self.commit = index;
        if self.membership.at(index).0 != configured {
            self.note_membership(before);
            self.notices.push(Notice::MembersChanged);
        }
        if self.incoming.as_ref().is_some_and(|incoming| incoming.head().last.index <= index) {
            self.incoming = None;
        }
        if self.config.verbose {
            self.emit(Event::Committed { index });
        }
    }

    // --- votes ------------------------------------------------------------------------------------

    /// Answers what an election would bring, changing nothing here (Raft thesis §9.6).
    pub(super) fn on_pre_vote(
        &mut self,
        group: Option<GroupId>,
        from: Identity,
        term: Term,
        last: EntryId,
    ) {
        let ours = self.hard.term;
        let stale = (term <= ours).then_some(VoteRefusal::StaleTerm { ours });
        match self.stickiness().or(stale).or_else(|| self.behind(last)) {
            Some(because) => {
                self.refuse_vote(from.peer.id, term, true, because);
                // It could not win here in any case, and need not go on trying if it was removed.
                self.tell_if_removed(group, from);
                // What is committed here may be long ago: it may be the one whose log is the longest,
                // and nobody can win before it knows the term.
                self.send_in(group, from, Message::PreVoteRefused { term: ours });
            }
            None => self.send_in(group, from, Message::PreVoteGranted { term }),
        }
    }

    pub(super) fn on_request_vote(&mut self, from: Identity, last: EntryId) {
        if let Some(because) = self.vote_refusal(from, last) {
            let term = self.hard.term;
            self.refuse_vote(from.peer.id, term, false, because);
            return self.send_in_group(from, Message::RequestVoteReply { term, granted: false });
        }
        if self.hard.vote.is_none() {
            self.hard.vote = Some(from.peer);
            self.outbox.save_hard_state();
        }
        // Raft §5.2: whoever grants a vote waits a whole time-out for its candidate.
        match &mut self.role {
            Role::Follower(follower) => follower.heard = self.now,
            Role::PreCandidate(_) => self.become_follower(None),
            Role::Candidate(_) | Role::Leader(_) => {
                unreachable!("{from} has the vote that {} gave itself", self.me)
            }
        }
        self.outbox.owed_vote = Some(from);
        self.release();
    }

    pub(super) fn refuse_vote(
        &mut self,
        candidate: NodeId,
        term: Term,
        pre_vote: bool,
        because: VoteRefusal,
    ) {
        self.emit(Event::VoteRefused { candidate, term, pre_vote, because });
    }

    /// Raft §6, end: who hears from a leader helps nobody to depose it.
    pub(super) fn stickiness(&self) -> Option<VoteRefusal> {
        let leader = match &self.role {
            Role::Leader(_) => self.me.peer.id,
            Role::Follower(follower) => {
                let patience = follower.heard.saturating_add(self.config.election_timeout.get());
                follower.leader.filter(|_| self.now < patience)?.peer.id
            }
            Role::PreCandidate(_) | Role::Candidate(_) => return None,
        };
        Some(VoteRefusal::LeaderAlive { leader })
    }

    /// Figure 2, `RequestVote` 2.
    fn vote_refusal(&self, from: Identity, last: EntryId) -> Option<VoteRefusal> {
        match self.hard.vote {
            Some(candidate) if candidate != from.peer => {
                Some(VoteRefusal::AlreadyVoted { candidate })
            }
            Some(_) | None => self.behind(last),
        }
    }

    /// Raft §5.4.1: the later last term is more up to date, and in the same term the longer log.
    fn behind(&self, theirs: EntryId) -> Option<VoteRefusal> {
        let ours = self.log.last();
        let up_to_date = (theirs.term, theirs.index) >= (ours.term, ours.index);
        (!up_to_date).then_some(VoteRefusal::LogBehind { ours, theirs })
    }
}
