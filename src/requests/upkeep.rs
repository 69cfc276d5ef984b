//! Requests that concern the group itself. The leader carries them out; what it was asked for is asked
//! again until it answers, since asking for what is so already changes nothing.

use alloc::vec::Vec;

use super::{Ask, Kind, Pending, Requests};
use crate::io::{NotExecuted, Outcome, Unknown, Upkeep};
use crate::raft::message::{Task, TaskOutcome};
use crate::raft::{Handed, MemberChange, Raft};
use crate::store::{Answer, Content};
use crate::types::{Index, NodeId};

impl Requests {
    pub(super) fn hand_over_upkeep(&mut self, ask: Ask, raft: &mut Raft, now: u64) {
        let next = self.number();
        let me = self.me.peer.id;
        let Some(Pending { kind: Kind::Upkeep { upkeep, number, doubtful, led_by }, .. }) =
            self.pending.get_mut(&ask)
        else {
            return;
        };
        // The other has been wished for since: this one only waits for what may come of it.
        if upkeep.is_wish() && self.wish.as_ref() != Some(upkeep) {
            return;
        }
        if let Some(before) = number.take() {
            self.numbers.remove(&before);
            *doubtful = true;
        }
        let task = match upkeep {
            // Whether it still is a member, the leader knows, who changes nothing else here.
            Upkeep::Join { voter } if raft.is_let_in() => {
                let promotion = voter.then_some(MemberChange::Promote(me));
                Task::Change(promotion.into_iter().collect())
            }
            Upkeep::Join { voter } => {
                *doubtful |= raft.rejoin(*voter); // It may be let in when this request is over.
                return self.set_retry(ask, Some(now.saturating_add(self.limits.retry)));
            }
            Upkeep::Leave => {
                *doubtful |= raft.stop_joining();
                if let Some(index) = raft.removed_by() {
                    return self.done(ask, index);
                }
                Task::Change(Vec::from([MemberChange::Remove(me)]))
            }
            Upkeep::Change(changes) => Task::Change(changes.clone()),
            Upkeep::Transfer(to) => Task::Transfer(*to),
        };
        if led_by.is_none() {
            *led_by = raft.leader();
        }
        // A leader takes up to an election time-out to give a transfer up.
        let patience = match upkeep {
            Upkeep::Transfer(_) => self.limits.retry.saturating_mul(TRANSFER_PATIENCE),
            Upkeep::Change(_) | Upkeep::Join { .. } | Upkeep::Leave => self.limits.retry,
        };
        match raft.assign(next, task) {
            Handed::Taken(()) | Handed::Sent => {
                *number = Some(next);
                self.numbers.insert(next, ask);
                self.set_retry(ask, Some(now.saturating_add(patience)));
            }
            // It goes when there is a leader.
            Handed::NoLeader | Handed::Refused(_) => {}
        }
    }

    pub(super) fn on_task_answered(&mut self, ask: Ask, outcome: TaskOutcome, now: u64) {
        let Some(Pending { kind: Kind::Upkeep { number, doubtful, .. }, .. }) =
            self.pending.get_mut(&ask)
        else {
            return;
        };
        *number = None;
        let doubtful = *doubtful;
        match outcome {
            TaskOutcome::Done(index) => self.done(ask, index),
            TaskOutcome::Unknown => self.finish(ask, Outcome::Unknown(Unknown::TimedOut)),
            TaskOutcome::Refused(_) if doubtful => {
                self.finish(ask, Outcome::Unknown(Unknown::TimedOut));
            }
            TaskOutcome::Refused(because) => {
                self.finish(ask, Outcome::NotExecuted(NotExecuted::Declined(because)));
            }
            TaskOutcome::Later => {
                self.set_retry(ask, Some(now.saturating_add(self.limits.retry)));
            }
        }
    }

    /// Leadership that was asked to be handed on has been, as far as this node knows.
    pub(super) fn on_leader_changed(&mut self, raft: &Raft) {
        let Some(leader) = raft.leader() else { return };
        let index = raft.committed();
        self.end_upkeep(index, |upkeep, _, led_by| match upkeep {
            Upkeep::Transfer(Some(to)) => *to == leader,
            Upkeep::Transfer(None) => led_by.is_some_and(|before| before != leader),
            Upkeep::Change(_) | Upkeep::Join { .. } | Upkeep::Leave => false,
        });
    }

    /// By what is committed, this node has come to be a member, or ceased to be one.
    pub(super) fn on_members_changed(&mut self, raft: &Raft) {
        if let Some(index) = raft.member_by() {
            // A leader that was asked knows better what this node is by now.
            self.end_upkeep(index, |upkeep, number, _| match upkeep {
                Upkeep::Join { voter } => number.is_none() && raft.is_admitted(*voter),
                Upkeep::Leave | Upkeep::Change(_) | Upkeep::Transfer(_) => false,
            });
            self.hand_over_where(|kind| {
                matches!(kind, Kind::Read { as_member: true, number: None, .. })
            });
        }
        if let Some(index) = raft.removed_by() {
            self.end_upkeep(index, |upkeep, _, _| matches!(upkeep, Upkeep::Leave));
        }
        let may_ask = raft.is_member();
        self.hand_over_where(|kind| {
            matches!(
                kind,
                Kind::Upkeep { upkeep: Upkeep::Join { .. }, number, .. }
                    if number.is_none() || !may_ask
            )
        });
    }

    fn hand_over_where(&mut self, is_due: impl Fn(&Kind) -> bool) {
        let due = self.pending.iter().filter(|(_, pending)| is_due(&pending.kind));
        self.unsent.extend(due.map(|(&ask, _)| ask));
    }

    fn end_upkeep(
        &mut self,
        index: Index,
        is_over: impl Fn(&Upkeep, Option<u64>, Option<NodeId>) -> bool,
    ) {
        let over: Vec<Ask> = self
            .pending
            .iter()
            .filter(|(_, pending)| match &pending.kind {
                Kind::Upkeep { upkeep, number, led_by, .. } => is_over(upkeep, *number, *led_by),
                Kind::Command { .. }
                | Kind::Read { .. }
                | Kind::RemoteRead { .. }
                | Kind::Publish(_) => false,
            })
            .map(|(&ask, _)| ask)
            .collect();
        for ask in over {
            self.done(ask, index);
        }
    }

    fn done(&mut self, ask: Ask, index: Index) {
        let answer = Answer(Content::Nothing);
        self.finish(ask, Outcome::Done { index, answer });
    }
}

/// How many election time-outs the answer to a transfer is waited for.
const TRANSFER_PATIENCE: u64 = 3;
