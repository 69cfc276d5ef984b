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

use super::entries::{Founding, Payload};
use super::membership::Configuration;
use super::message::Message;
use super::{Raft, Role};
use crate::event::{DropReason, Event};
use crate::types::{GroupId, Identity, NodeId, Peer, Term};

/// What a node without a group knows of those it is to meet.
#[derive(Debug)]
pub(super) struct Meeting {
    peers: BTreeMap<NodeId, Option<Answer>>,
    /// How often it has asked around; an answer names the time it answers.
    asked: u64,
    next_ask: u64,
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
        Self { peers, asked: 0, next_ask: 0 }
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked
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
        let Some(meeting) = &mut self.meeting else { return };
        meeting.asked += 1;
        meeting.next_ask = self.now.saturating_add(self.config.election_timeout.get());
        let peers: Vec<NodeId> = meeting.peers.keys().copied().collect();
        for id in peers {
            self.send_hello(id);
        }
        self.found_if_all_met();
    }

    pub(super) fn on_hello(&mut self, from: Identity, asked: u64) {
        self.send_in(self.hard.group, from, Message::HelloReply { asked });
    }

    pub(super) fn on_hello_reply(&mut self, group: Option<GroupId>, from: Identity, asked: u64) {
        let Some(meeting) = &mut self.meeting else { return };
        let Some(news) = meeting.take(Answer { identity: from, group, asked }) else {
            self.drop_envelope(from, DropReason::Unexpected);
            return;
        };
        match group {
            Some(group) if news => self.emit(Event::GroupExists { peer: from.peer, group }),
            Some(_) => {}
            None => self.found_if_all_met(),
        }
    }

    /// Becomes the first to hold the log of a new group, with these members.
    pub(super) fn found(&mut self, members: impl IntoIterator<Item = Peer>) {
        let group = GroupId::new(self.rng.next_u64());
        let founding = Founding {
            group,
            version: FORMAT_VERSION,
            configuration: Configuration::of_voters(members),
            sessions: self.config.sessions,
        };
        let term = Term::new(1);
        self.hard.group = Some(group);
        self.hard.term = term;
        self.log.append(term, Payload::Founding(Box::new(founding)));
        self.membership.on_append(self.log.entries());
        self.emit(Event::GroupFounded { group });
        self.emit_members();
    }

    /// Enters the group of a member that spoke to this very run of this node.
    pub(super) fn enter_group(&mut self, group: Option<GroupId>) {
        let Some(group) = group else { return };
        self.meeting = None;
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
        self.outbox.save_image(me, self.log.entries());
        // The group exists once its first entry is durable; until then nobody may hear of it.
        self.silent_until = self.outbox.next_write();
    }
}

/// How many askings an answer holds for. A peer wiped since then has another incarnation, and the
/// group would begin with a member that is gone.
const ANSWER_HOLDS: u64 = 8;
/// The version of the format in which the commands of a new group are written.
const FORMAT_VERSION: u16 = 1;
