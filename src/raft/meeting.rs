//! How a group begins: nodes without one meet, and the lowest of them founds it.
//!
//! A majority is not enough. Were two wiped nodes of three to found a group because they outnumber
//! the third, everything the third holds would be lost. So each listed peer must have said, under
//! the incarnation it has, that it has no group; if any has one, no new one is founded.
//!
//! A founder that is lost for good before a second node holds the first entry leaves behind nodes that
//! may have entered a group without a log. Nothing is lost with them: wipe those whose
//! [`Status`](crate::Status) shows a group and an empty log, and they meet anew.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use rand_chacha::rand_core::Rng;

use super::configuration::Configuration;
use super::entries::{Founding, Payload};
use super::message::{JoinRefusal, Message};
use super::{Raft, Role};
use crate::config::Birth;
use crate::event::Event;
use crate::reasons::DropReason;
use crate::types::{GroupId, Identity, Index, NodeId, Peer, Term};

/// What a node without a group knows of those it is to meet.
#[derive(Debug)]
pub(super) struct Meeting {
    peers: BTreeMap<NodeId, Option<Answer>>,
    /// How often it has asked around; an answer names the time it answers.
    asked: u64,
    next_ask: u64,
    /// A node that only wishes to join founds nothing, and says whether it is to vote.
    joins: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    identity: Identity,
    group: Option<GroupId>,
    asked: u64,
}

impl Meeting {
    pub(super) fn new(me: NodeId, peers: &[NodeId]) -> Self {
        let peers = peers.iter().filter(|&&id| id != me).map(|&id| (id, None)).collect();
        Self { peers, asked: 0, next_ask: 0, joins: None }
    }

    /// To find the group that one of these contacts belongs to, and be let in.
    pub(super) fn to_join(me: NodeId, contacts: &[NodeId], voter: bool) -> Self {
        Self { joins: Some(voter), ..Self::new(me, contacts) }
    }

    pub(super) fn next_ask(&self) -> u64 {
        self.next_ask
    }

    /// Takes an answer, unless a later one was given; tells whether it says something new.
    fn take(&mut self, answer: Answer) -> Option<bool> {
        let asked = self.asked;
        let known = self.peers.get_mut(&answer.identity.peer.id)?;
        if answer.asked == 0
            || answer.asked > asked
            || known.is_some_and(|known| known.asked >= answer.asked)
        {
            return None;
        }
        let before = known.replace(answer).map(|known| (known.identity, known.group));
        Some(before != Some((answer.identity, answer.group)))
    }

    /// Whether a node that speaks for a group may be believed: not if it is known to be of another
    /// incarnation by now, whose group, if it founded one, died with what it lost.
    pub(super) fn believes(&self, from: Peer) -> bool {
        let known = self.peers.get(&from.id).copied().flatten();
        known.is_none_or(|answer| answer.identity.peer == from)
    }

    /// All peers, once each has answered lately that it has no group.
    fn complete(&self) -> Option<Vec<Identity>> {
        if self.joins.is_some() {
            return None;
        }
        let recent = |answer: &Answer| self.asked - answer.asked < ANSWER_HOLDS;
        self.peers
            .values()
            .map(|answer| answer.filter(|answer| answer.group.is_none() && recent(answer)))
            .map(|answer| answer.map(|answer| answer.identity))
            .collect()
    }
}

impl Raft {
    pub(super) fn ask_around(&mut self) {
        if self.is_known() {
            self.meeting = None;
        } else if self.is_member() && matches!(self.role, Role::Leader(_)) {
            let metadata = self.config.metadata.clone();
            self.describe(self.me.peer, &metadata);
        }
        let Some(meeting) = &mut self.meeting else { return };
        meeting.asked += 1;
        meeting.next_ask = self.now.saturating_add(self.config.election_timeout.get());
        let asked = meeting.asked;
        let peers: Vec<NodeId> = meeting.peers.keys().copied().collect();
        for id in peers {
            self.send_hello(id, asked);
        }
        self.found_if_all_met();
    }

    pub(super) fn on_hello(&mut self, group: Option<GroupId>, from: Identity, asked: u64) {
        // One that is no member and does not ask to be is not there for a leader who would let it in, nor
        // before its disk knows that it asks. It is for one who asks whom it has in its configuration: others
        // may have wished for it.
        let asks = self.meeting.is_some() && self.outbox.hard_state_durable();
        let applies = self.is_member() || asks;
        if applies || asked == 0 || group != self.hard.group {
            self.send_in(self.hard.group, from, Message::HelloReply { asked });
        }
        self.tell_if_removed(group, from);
    }

    pub(super) fn on_hello_reply(&mut self, group: Option<GroupId>, from: Identity, asked: u64) {
        self.on_applicant_there(from, asked);
        let Some(meeting) = &mut self.meeting else { return };
        let Some(news) = meeting.take(Answer { identity: from, group, asked }) else {
            self.drop_envelope(from, DropReason::Unexpected);
            return;
        };
        let voter = meeting.joins.unwrap_or(true);
        match group {
            Some(group) => {
                if news {
                    self.emit(Event::GroupExists { peer: from.peer, group });
                }
                // One that was told nothing tells those who know it as a member something new of itself.
                let asks = self.hard.asked_in || self.leader().is_some();
                if asks && self.hard.group.is_none_or(|ours| ours == group) {
                    self.ask_to_join(from, voter);
                }
            }
            None => self.found_if_all_met(),
        }
    }

    /// Asks a member, which passes it on to the leader if it does not lead itself.
    fn ask_to_join(&mut self, member: Identity, voter: bool) {
        let (joiner, speaks) = (self.me, self.speaks());
        let metadata = self.config.metadata.clone();
        self.send_in_group(member, Message::Join { joiner, voter, metadata, speaks });
    }

    /// Asks to belong to the group again, from which this node was removed, and goes on asking. Whether it
    /// does.
    pub(crate) fn rejoin(&mut self, voter: bool) -> bool {
        if self.is_silent() || self.hard.group.is_none() {
            return false;
        }
        if !self.hard.asked_in {
            self.hard.asked_in = true;
            self.outbox.save_hard_state();
        }
        if self.meeting.as_ref().is_none_or(|meeting| meeting.joins != Some(voter)) {
            self.ask_contacts(voter);
            self.ask_around();
        }
        true
    }

    /// Asks its group no more to be let in. Whether it may be all the same.
    pub(crate) fn stop_joining(&mut self) -> bool {
        if self.hard.group.is_none() {
            return false;
        }
        if self.hard.asked_in || !self.is_member() {
            self.meeting = None;
        }
        self.hard.asked_in
    }

    /// A node that starts again, perhaps at another address, tells the group if that knows something
    /// else of it.
    pub(super) fn reintroduce(&mut self) {
        self.ask_contacts(false);
    }

    /// The members this node knows of, and those that it was told to ask.
    fn ask_contacts(&mut self, voter: bool) {
        let (me, others) = (self.me.peer.id, self.membership.others());
        let told: &[NodeId] = match &self.config.birth {
            Birth::Join { contacts: told, .. } | Birth::Meet { peers: told } => told,
            Birth::Found => &[],
        };
        let known = others.iter().map(|peer| peer.id);
        let contacts: Vec<NodeId> = known.chain(told.iter().copied()).collect();
        self.meeting = Some(Meeting::to_join(me, &contacts, voter));
    }

    /// Whether the group knows this node as a member, and what it says of itself.
    fn is_known(&self) -> bool {
        let committed = self.membership.at(self.commit).1.member(self.me.peer);
        let silent = self.config.metadata.is_empty();
        self.is_let_in()
            && committed.is_some_and(|me| silent || me.metadata == self.config.metadata)
    }

    pub(super) fn on_join_refused(&mut self, from: Identity, because: JoinRefusal) {
        if self.meeting.is_some() {
            self.emit(Event::JoinRefused { leader: from.peer, because });
        } else {
            self.drop_envelope(from, DropReason::Unexpected);
        }
    }

    /// Becomes the first to hold the log of a new group, with these members.
    pub(super) fn found(&mut self, members: impl IntoIterator<Item = Peer>) {
        let group = GroupId::new(self.rng.next_u64());
        let founding = Founding {
            group,
            configuration: Configuration::of_voters(members)
                .with_metadata(self.me.peer, &self.config.metadata),
            sessions: self.config.sessions,
            remote_queue: self.config.remote_queue,
        };
        let term = Term::new(1);
        self.hard.group = Some(group);
        self.hard.term = term;
        self.log.append(term, Payload::Founding(Box::new(founding)));
        let run = self.log.run_after(Index::ZERO, u64::MAX);
        self.outbox.append(&run);
        self.membership.on_append(run.entries());
        self.emit(Event::GroupFounded { group });
        self.on_members_changed();
    }

    /// Enters the group of a member that spoke to this very run of this node. It goes on asking until it
    /// knows that it is a member: the entry that names it may still be lost.
    pub(super) fn enter_group(&mut self, group: Option<GroupId>) {
        let Some(group) = group else { return };
        self.hard.group = Some(group);
        self.outbox.save_hard_state();
        self.emit(Event::GroupEntered { group });
    }

    pub(super) fn emit_members(&mut self) {
        let configuration = alloc::sync::Arc::clone(self.membership.configuration());
        self.emit(Event::MembersChanged { configuration });
    }

    fn found_if_all_met(&mut self) {
        let me = self.me.peer;
        if self.hard.group.is_some() {
            return;
        }
        let Some(met) = self.meeting.as_ref().and_then(Meeting::complete) else { return };
        if met.iter().any(|identity| identity.peer.id < me.id) {
            return;
        }
        debug_assert!(matches!(self.role, Role::Follower(_)), "{:?} without a group", self.role);
        self.meeting = None;
        self.found(met.iter().map(|identity| identity.peer).chain([me]));
        for identity in met {
            self.peers.learn(identity);
        }
        // A whole image, so that no crash can leave the group's id on disk without its first entry.
        self.outbox.save_image();
        // The group exists once its first entry is durable; until then nobody may hear of it.
        self.silent_until = self.outbox.next_write();
    }
}

/// How many askings an answer holds for. A peer wiped since then has another incarnation, and the
/// group would begin with a member that is gone.
const ANSWER_HOLDS: u64 = 8;
