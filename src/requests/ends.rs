//! How requests come to their ends: one reply, and out of every table.

use super::copies::Copies;
use super::publishing::Publishing;
use super::{Ask, Kind, Pending, Requests};
use crate::io::{NotExecuted, Outcome, Output, Reply, Unknown};
use crate::raft::Raft;
use crate::types::RequestId;

impl Requests {
    /// Its time is up.
    pub(super) fn give_up(&mut self, ask: Ask, raft: &Raft) {
        let Some(pending) = self.pending.get(&ask) else { return };
        let outcome = match &pending.kind {
            Kind::RemoteRead { stage, .. } if stage.waits_for_store() => {
                Outcome::NotExecuted(NotExecuted::StoreSilent)
            }
            Kind::Command { copies: Copies::None, queued: None, .. }
            | Kind::Read { .. }
            | Kind::RemoteRead { .. }
            | Kind::Upkeep { number: None, doubtful: false, .. }
            | Kind::Publish(Publishing { offered: false, .. }) => {
                Outcome::NotExecuted(match (raft.group(), raft.leader()) {
                    (None, _) => NotExecuted::NoGroup,
                    (Some(_), None) => NotExecuted::NoLeader,
                    (Some(_), Some(_)) => NotExecuted::TimedOut,
                })
            }
            Kind::Command { .. } | Kind::Upkeep { .. } => Outcome::Unknown(Unknown::TimedOut),
            Kind::Publish(publishing) => publishing.outcome(self.applied),
        };
        self.finish(ask, outcome);
    }

    pub(super) fn finish(&mut self, ask: Ask, outcome: Outcome) {
        let Some(outcome) = self.continue_or_conclude(ask, outcome) else { return };
        if let Some(pending) = self.remove(ask) {
            self.outputs.push(Output::Reply(Reply { id: pending.id, outcome }));
        }
    }

    pub(super) fn turn_away(&mut self, id: RequestId) {
        self.refused_busy += 1;
        let outcome = Outcome::NotExecuted(NotExecuted::Busy);
        self.outputs.push(Output::Reply(Reply { id, outcome }));
    }

    /// Takes a request out of every table.
    pub(super) fn remove(&mut self, ask: Ask) -> Option<Pending> {
        self.forget_copies(ask);
        self.set_retry(ask, None);
        let pending = self.pending.remove(&ask)?;
        self.ids.remove(&pending.id);
        self.bytes -= pending.kind.bytes();
        self.alarms.remove(&(pending.deadline, ask));
        self.unsent.remove(&ask);
        self.muted.remove(&ask);
        match &pending.kind {
            Kind::Command { place, own, queued, .. } => {
                if let Some(place) = place {
                    self.leave(*place, *own, ask);
                }
                queued.map(|operation| self.queued.remove(&(operation, ask)));
            }
            Kind::Read { number, ready, .. } => {
                number.and_then(|number| self.numbers.remove(&number));
                ready.map(|index| self.readable.remove(&(index, ask)));
            }
            Kind::RemoteRead { read, stage, .. } => self.forget_remote_read(ask, &read.map, *stage),
            Kind::Upkeep { number, .. } => {
                number.and_then(|number| self.numbers.remove(&number));
            }
            Kind::Publish(publishing) => publishing.give_up(&mut self.links),
        }
        Some(pending)
    }
}
