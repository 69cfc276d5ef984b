//! The door that every envelope passes: whom it is for, who sent it, and in which term.
//!
//! What gets through is meant for this run of this node, comes from the latest run known of its
//! sender, belongs to this group, and is of the current term; handlers need not look again.

use super::message::Message;
use super::{Notice, Raft, Role};
use crate::codec::{Address, Envelope, Header};
use crate::event::Event;
use crate::reasons::{DropReason, Impossible, VoteRefusal};
use crate::types::{GroupId, Identity, Peer};

impl Raft {
    /// Decides whether an envelope concerns this run of this node, learns from it which run
    /// of its sender is the latest, settles the term, and hands it on.
    pub(crate) fn receive(&mut self, envelope: Envelope) {
        self.counters.envelopes_received += 1;
        let Header { group, from, to } = envelope.header;
        if let Err(because) = self.admit(group, from, to, &envelope.message) {
            if matches!(because, DropReason::NotForThisLife { .. }) {
                // Whoever speaks to a life that is over does not know of this one.
                self.send_in(self.hard.group, from, Message::HelloReply { asked: 0 });
                self.tell_if_removed(group, from);
            }
            self.drop_envelope(from, because);
            return;
        }
        if let Some(message) = self.settle_term(group, from, envelope.message) {
            self.dispatch(group, from, message);
        }
    }

    fn admit(
        &mut self,
        group: Option<GroupId>,
        from: Identity,
        to: Address,
        message: &Message,
    ) -> Result<(), DropReason> {
        if to.id != self.me.peer.id {
            return Err(DropReason::NotForThisNode);
        }
        if from.peer.id == self.me.peer.id {
            return Err(DropReason::Impossible(Impossible::FromMyself));
        }
        if self.is_out_of_service() {
            return Err(DropReason::Failed);
        }
        if self.is_silent() {
            return Err(DropReason::Starting);
        }
        let asks = matches!(message, Message::Hello { .. });
        if to.run.is_some_and(|run| run != (self.me.peer.incarnation, self.me.life))
            || (to.run.is_none() && !asks)
        {
            return Err(DropReason::NotForThisLife { ours: self.me.life });
        }
        if let Some(newest) = self.peers.newer_than(from) {
            return Err(DropReason::SenderGone { newest });
        }
        if !self.introduces(group, message) && !self.takes_part_in(group, from.peer, message) {
            return Err(DropReason::OtherGroup);
        }
        if self.membership.configuration().contains(from.peer) && self.peers.learn(from) {
            self.emit(Event::PeerStarted { identity: from });
            self.notices.push(Notice::PeerStarted { peer: from.peer });
            self.on_peer_started(from.peer);
        }
        Ok(())
    }

    /// Whether a message is one of those by which nodes of no group, or of different ones, get to know
    /// each other.
    fn introduces(&self, group: Option<GroupId>, message: &Message) -> bool {
        match message {
            Message::Hello { .. } | Message::HelloReply { .. } => true,
            Message::Join { .. } => group.is_none() && self.hard.group.is_some(),
            Message::JoinRefused { .. } => self.hard.group.is_none(),
            Message::PreVote { .. }
            | Message::PreVoteGranted { .. }
            | Message::PreVoteRefused { .. }
            | Message::RequestVote { .. }
            | Message::RequestVoteReply { .. }
            | Message::AppendEntries { .. }
            | Message::AppendEntriesReply { .. }
            | Message::Heartbeat { .. }
            | Message::HeartbeatReply { .. }
            | Message::Commit { .. }
            | Message::TermPassed { .. }
            | Message::Propose { .. }
            | Message::ProposeReply { .. }
            | Message::ReadIndex { .. }
            | Message::ReadIndexReply { .. }
            | Message::InstallSnapshot { .. }
            | Message::InstallSnapshotReply { .. }
            | Message::TimeoutNow { .. }
            | Message::Removed { .. }
            | Message::EntriesLost { .. }
            | Message::Assign { .. }
            | Message::AssignReply { .. }
            | Message::Parcel(_) => false,
        }
    }

    /// Whether a message of `group` concerns this node. One that has no group yet enters the group
    /// that asks for its vote or leads it: only a group founded with this very run of it does.
    fn takes_part_in(&mut self, group: Option<GroupId>, from: Peer, message: &Message) -> bool {
        if self.hard.group.is_some() || group.is_none() {
            return group == self.hard.group && group.is_some();
        }
        if self.meeting.as_ref().is_some_and(|meeting| !meeting.believes(from)) {
            return false;
        }
        match message {
            Message::PreVote { .. } => true,
            Message::RequestVote { .. }
            | Message::AppendEntries { .. }
            | Message::InstallSnapshot { .. }
            | Message::Heartbeat { .. } => {
                self.enter_group(group);
                true
            }
            Message::Hello { .. }
            | Message::HelloReply { .. }
            | Message::PreVoteGranted { .. }
            | Message::PreVoteRefused { .. }
            | Message::RequestVoteReply { .. }
            | Message::AppendEntriesReply { .. }
            | Message::HeartbeatReply { .. }
            | Message::Commit { .. }
            | Message::TermPassed { .. }
            | Message::Propose { .. }
            | Message::ProposeReply { .. }
            | Message::ReadIndex { .. }
            | Message::ReadIndexReply { .. }
            | Message::InstallSnapshotReply { .. }
            | Message::TimeoutNow { .. }
            | Message::Join { .. }
            | Message::JoinRefused { .. }
            | Message::Removed { .. }
            | Message::EntriesLost { .. }
            | Message::Assign { .. }
            | Message::AssignReply { .. }
            | Message::Parcel(_) => false,
        }
    }

    /// Raft §5.1: a higher term makes a follower, a lower one is turned away. What comes back is of
    /// the current term, or does not depend on it.
    fn settle_term(
        &mut self,
        group: Option<GroupId>,
        from: Identity,
        message: Message,
    ) -> Option<Message> {
        let Some(term) = message.term() else { return Some(message) };
        match &message {
            // A pre-vote asks about a term that has not begun.
            Message::PreVote { .. } | Message::PreVoteGranted { .. } => return Some(message),
            Message::RequestVote { transfer: false, .. } if term > self.hard.term => {
                if let Some(because) = self.stickiness() {
                    self.refuse_vote(from.peer.id, term, false, because);
                    return None;
                }
            }
            Message::RequestVote { .. }
            | Message::Hello { .. }
            | Message::HelloReply { .. }
            | Message::PreVoteRefused { .. }
            | Message::RequestVoteReply { .. }
            | Message::AppendEntries { .. }
            | Message::AppendEntriesReply { .. }
            | Message::Heartbeat { .. }
            | Message::HeartbeatReply { .. }
            | Message::Commit { .. }
            | Message::TermPassed { .. }
            | Message::Propose { .. }
            | Message::ProposeReply { .. }
            | Message::ReadIndex { .. }
            | Message::ReadIndexReply { .. }
            | Message::InstallSnapshot { .. }
            | Message::InstallSnapshotReply { .. }
            | Message::TimeoutNow { .. }
            | Message::Join { .. }
            | Message::JoinRefused { .. }
            | Message::Removed { .. }
            | Message::EntriesLost { .. }
            | Message::Assign { .. }
            | Message::AssignReply { .. }
            | Message::Parcel(_) => {}
        }
        if term > self.hard.term {
            let led = matches!(self.role, Role::Leader(_));
            self.begin_term(term, None);
            self.become_follower(None);
            if led {
                self.note_own_removal();
            }
        } else if term < self.hard.term {
            return self.turn_away_stale(group, from, message);
        }
        Some(message)
    }

    /// A message of a past term: its sender is told, if it would do harm not to know.
    fn turn_away_stale(
        &mut self,
        group: Option<GroupId>,
        from: Identity,
        message: Message,
    ) -> Option<Message> {
        let term = self.hard.term;
        match message {
            Message::RequestVote { term: asked, .. } => {
                let because = VoteRefusal::StaleTerm { ours: term };
                self.refuse_vote(from.peer.id, asked, false, because);
                self.send_in(group, from, Message::RequestVoteReply { term, granted: false });
            }
            Message::AppendEntries { .. }
            | Message::InstallSnapshot { .. }
            | Message::Heartbeat { .. } => {
                self.drop_envelope(from, DropReason::StaleTerm { ours: term });
                self.send_in(group, from, Message::TermPassed { term });
            }
            // What these say stays true when the term has passed.
            Message::ProposeReply { .. }
            | Message::ReadIndexReply { .. }
            | Message::AssignReply { .. } => return Some(message),
            Message::Hello { .. }
            | Message::HelloReply { .. }
            | Message::PreVote { .. }
            | Message::PreVoteGranted { .. }
            | Message::PreVoteRefused { .. }
            | Message::RequestVoteReply { .. }
            | Message::AppendEntriesReply { .. }
            | Message::HeartbeatReply { .. }
            | Message::Commit { .. }
            | Message::TermPassed { .. }
            | Message::InstallSnapshotReply { .. }
            | Message::TimeoutNow { .. }
            | Message::Join { .. }
            | Message::JoinRefused { .. }
            | Message::Removed { .. }
            | Message::EntriesLost { .. }
            | Message::Assign { .. }
            | Message::Parcel(_)
            // Another copy of it may have been taken while this node led that term, so that nothing
            // can be said of it.
            | Message::Propose { .. }
            | Message::ReadIndex { .. } => {
                self.drop_envelope(from, DropReason::StaleTerm { ours: term });
            }
        }
        None
    }

    fn dispatch(&mut self, group: Option<GroupId>, from: Identity, message: Message) {
        match message {
            Message::Hello { asked } => self.on_hello(group, from, asked),
            Message::HelloReply { asked } => self.on_hello_reply(group, from, asked),
            Message::PreVote { term, last } => self.on_pre_vote(group, from, term, last),
            Message::PreVoteGranted { term } => self.on_pre_vote_granted(from, term),
            // Its term has been settled, which is all it is for.
            Message::PreVoteRefused { .. } | Message::TermPassed { .. } => {}
            Message::RequestVote { last, .. } => self.on_request_vote(from, last),
            Message::RequestVoteReply { granted, .. } => self.on_vote(from, granted),
            Message::AppendEntries { run, commit, .. } => {
                self.on_append_entries(from, run, commit);
            }
            Message::AppendEntriesReply { outcome, .. } => self.on_append_reply(from, outcome),
            Message::Heartbeat { commit, round, .. } => self.on_heartbeat(from, commit, round),
            Message::HeartbeatReply { round, matched, durable, speaks, .. } => {
                self.on_heartbeat_reply(from, round, (matched, durable), speaks);
            }
            Message::Commit { commit, .. } => self.on_commit(from, commit),
            Message::Propose { number, command, .. } => self.on_propose(from, number, command),
            Message::ProposeReply { number, outcome, .. } => {
                self.notices.push(Notice::ProposeAnswered { number, outcome });
            }
            Message::ReadIndex { read, .. } => self.on_read_index(from, read),
            Message::ReadIndexReply { read, index, .. } => {
                self.notices.push(Notice::ReadAnswered { read, index });
            }
            Message::InstallSnapshot { snapshot, piece, bytes, .. } => {
                self.on_install_snapshot(from, snapshot, piece, &bytes);
            }
            Message::InstallSnapshotReply { snapshot, pieces, .. } => {
                self.on_install_reply(from, snapshot, pieces);
            }
            Message::TimeoutNow { .. } => self.on_timeout_now(from),
            Message::Join { joiner, voter, metadata, speaks } => {
                self.on_join(from, joiner, (voter, metadata), speaks);
            }
            Message::JoinRefused { because } => self.on_join_refused(from, because),
            Message::Removed { by } => self.on_removed(from, by),
            Message::EntriesLost { acknowledged, of, .. } => {
                self.on_entries_lost(from, acknowledged, of);
            }
            Message::Assign { number, task, .. } => self.on_assign(from, number, task),
            Message::AssignReply { number, outcome, .. } => {
                self.notices.push(Notice::TaskAnswered { number, outcome });
            }
            Message::Parcel(parcel) => self.on_parcel(from, parcel),
        }
    }
}
