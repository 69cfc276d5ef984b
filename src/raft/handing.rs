//! What this node hands to the leader: its own, or another's as far as that is known.

use super::message::{Message, ProposeRefusal, Task};
use super::{Raft, Role};
use crate::Bytes;
use crate::types::{EntryId, Identity};

/// What became of a command or a read that was handed to consensus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed<T> {
    /// This node leads and has taken it.
    Taken(T),
    /// It is on its way to the leader.
    Sent,
    /// There is nobody to give it to.
    NoLeader,
    Refused(ProposeRefusal),
}

/// Where the leader is.
enum Way {
    Here,
    To(Identity),
    Nowhere,
}

impl Raft {
    /// Hands a command to the leader. `number` names this copy of it, and is never used twice.
    pub(crate) fn propose(&mut self, number: u64, command: Bytes) -> Handed<EntryId> {
        match self.way_to_leader() {
            Way::Here => match self.append_command(command) {
                Ok(id) => Handed::Taken(id),
                Err(because) => Handed::Refused(because),
            },
            Way::To(leader) => {
                let term = self.hard.term;
                self.send_in_group(leader, Message::Propose { term, number, command });
                Handed::Sent
            }
            Way::Nowhere => Handed::NoLeader,
        }
    }

    /// As the leader, takes a command of its own; false if not for the time being. It may be larger than
    /// others may: what ends an operation that was queued cannot be made ever shorter.
    pub(crate) fn propose_own(&mut self, command: Bytes) -> bool {
        matches!(self.role, Role::Leader(_)) && self.append_if_free(command).is_ok()
    }

    /// Asks the leader for an index at which a linearizable read may be served.
    pub(crate) fn read_index(&mut self, read: u64) -> Handed<()> {
        match self.way_to_leader() {
            Way::Here if self.push_read(None, read) => Handed::Taken(()),
            Way::Here => Handed::Refused(ProposeRefusal::Busy),
            Way::To(leader) => {
                let term = self.hard.term;
                self.send_in_group(leader, Message::ReadIndex { term, read });
                Handed::Sent
            }
            Way::Nowhere => Handed::NoLeader,
        }
    }

    /// Asks the leader for something that is neither a command nor a read. The answer is a notice.
    pub(crate) fn assign(&mut self, number: u64, task: Task) -> Handed<()> {
        match self.way_to_leader() {
            Way::Here => {
                self.on_task(None, number, task);
                Handed::Taken(())
            }
            Way::To(leader) => {
                let term = self.hard.term;
                self.send_in_group(leader, Message::Assign { term, number, task });
                Handed::Sent
            }
            Way::Nowhere => Handed::NoLeader,
        }
    }

    fn way_to_leader(&self) -> Way {
        if self.is_silent() {
            return Way::Nowhere;
        }
        match &self.role {
            Role::Leader(_) => Way::Here,
            Role::Follower(follower) => follower.leader.map_or(Way::Nowhere, Way::To),
            Role::PreCandidate(_) | Role::Candidate(_) => Way::Nowhere,
        }
    }
}
