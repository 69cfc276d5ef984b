//! What the rest of the node may know of consensus.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Configuration, Notice, Raft, Role};
use crate::event::Role as RoleName;
use crate::io::Output;
use crate::status::{Counters, Membership};
use crate::types::{EntryId, GroupId, Identity, Index, NodeId, Term};

impl Raft {
    pub(crate) fn identity(&self) -> Identity {
        self.me
    }

    pub(crate) fn group(&self) -> Option<GroupId> {
        self.hard.group
    }

    pub(crate) fn term(&self) -> Term {
        self.hard.term
    }

    pub(crate) fn role(&self) -> RoleName {
        self.role.name()
    }

    pub(crate) fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Follower(follower) => follower.leader.map(|leader| leader.peer.id),
            Role::PreCandidate(_) | Role::Candidate(_) => None,
            Role::Leader(_) => Some(self.me.peer.id),
        }
    }

    /// The term that this node leads, and the entry that opened it.
    pub(crate) fn leads(&self) -> Option<(Term, Index)> {
        match &self.role {
            Role::Leader(leader) => Some((self.hard.term, leader.first)),
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => None,
        }
    }

    pub(crate) fn configuration(&self) -> &Arc<Configuration> {
        self.membership.configuration()
    }

    pub(crate) fn configuration_index(&self) -> Index {
        self.membership.index()
    }

    /// The format version in which the group's commands are written, by what is applied.
    pub(crate) fn version(&self) -> u8 {
        self.membership.at(self.applied).1.version()
    }

    pub(crate) fn membership(&self) -> Membership {
        let (configuration, me) = (self.membership.configuration(), self.me.peer);
        if self.is_out_of_service() {
            Membership::OutOfService
        } else if self.hard.group.is_none() {
            Membership::Outside
        } else if self.hard.removed.is_some() {
            Membership::Removed
        } else if configuration.is_voter(me) {
            Membership::Voter
        } else if configuration.contains(me) {
            Membership::Learner
        } else {
            Membership::NotNamed
        }
    }

    pub(crate) fn snapshot(&self) -> EntryId {
        self.snapshot.as_ref().map_or(EntryId::ZERO, |snapshot| snapshot.last())
    }

    pub(crate) fn snapshot_bytes(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, |snapshot| snapshot.bytes())
    }

    pub(crate) fn incoming_bytes(&self) -> u64 {
        self.incoming.as_ref().map_or(0, |incoming| incoming.bytes())
    }

    /// The last entry that the log does not hold any more.
    pub(crate) fn compacted(&self) -> EntryId {
        self.log.start()
    }

    pub(crate) fn last(&self) -> EntryId {
        self.log.last()
    }

    pub(crate) fn log_size(&self) -> (u64, u64) {
        (self.log.len(), self.log.bytes())
    }

    pub(crate) fn durable(&self) -> Index {
        self.outbox.durable(self.log.last().index)
    }

    pub(crate) fn committed(&self) -> Index {
        self.commit
    }

    /// How far this node must apply to have caught up with the first leader it heard from.
    pub(crate) fn caught_up_at(&self) -> Option<Index> {
        self.caught_up_at
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn owed(&self) -> u64 {
        self.outbox.owed()
    }

    pub(crate) fn unconfirmed_writes(&self) -> u64 {
        self.outbox.unconfirmed_writes()
    }

    /// Whether something is to be written that no step has asked for yet.
    pub(crate) fn has_draft(&self) -> bool {
        self.outbox.has_draft()
    }

    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        core::mem::take(&mut self.outputs)
    }

    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        core::mem::take(&mut self.notices)
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push(output);
    }

    /// When the clock must next be looked at.
    pub(crate) fn next_tick(&self) -> u64 {
        if self.is_silent() {
            return u64::MAX;
        }
        let role = match &self.role {
            Role::Leader(leader) => leader.next_tick(),
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_)
                if self.is_out_of_sight() =>
            {
                u64::MAX
            }
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => {
                self.election_deadline()
            }
        };
        self.meeting.as_ref().map_or(role, |meeting| role.min(meeting.next_ask()))
    }
}
