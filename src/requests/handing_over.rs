//! Handing requests over to the leader, again and again until they are answered.

use alloc::vec::Vec;

use super::copies::Copies;
use super::own_session::OwnSession;
use super::remote_reads::Stage;
use super::{Ask, Kind, Pending, Requests};
use crate::Bytes;
use crate::io::{NotExecuted, Outcome, Place};
use crate::raft::{Handed, Raft};
use crate::store::{Command, Store};

impl Requests {
    pub(super) fn hand_over_command(&mut self, ask: Ask, raft: &mut Raft, store: &Store, now: u64) {
        let Some(place) = self.place_of(ask, store) else { return };
        let Some(Pending { kind: Kind::Command { operation, .. }, .. }) = self.pending.get(&ask)
        else {
            return;
        };
        let Place { session, sequence, answered_below } = place;
        let operation = operation.clone();
        let command = Command::Execute { session, sequence, answered_below, operation }
            .encode(raft.version());
        let (bytes, limit) = (command.len() as u64, self.limits.entry_bytes);
        // A copy may be under way from when fewer answers were outstanding, and the command shorter.
        if bytes > limit && self.copies_mut(ask).is_some_and(|copies| *copies == Copies::None) {
            let because = NotExecuted::TooLarge { bytes, limit };
            return self.finish(ask, Outcome::NotExecuted(because));
        }
        self.hand_over_copy(ask, command, raft, now);
    }

    pub(super) fn hand_over_opening(&mut self, raft: &mut Raft, now: u64) {
        if matches!(self.session, OwnSession::Opening { .. }) {
            let command = Command::OpenSession { owner: self.me }.encode(raft.version());
            self.hand_over_copy(Ask::SESSION, command, raft, now);
        }
    }

    pub(super) fn hand_over_copy(&mut self, ask: Ask, command: Bytes, raft: &mut Raft, now: u64) {
        let number = self.number();
        match raft.propose(number, command) {
            Handed::Taken(id) => self.on_standing(ask, id, now),
            Handed::Sent => {
                self.add_copy(ask, Copies::Sent { number });
                self.set_retry(ask, Some(now.saturating_add(self.limits.retry)));
            }
            // It goes when there is one.
            Handed::NoLeader => {}
            Handed::Refused(because) => self.on_refused(ask, because, now),
        }
    }

    pub(super) fn hand_over_read(&mut self, ask: Ask, raft: &mut Raft, now: u64) {
        let number = self.number();
        let asked = match self.pending.get_mut(&ask).map(|pending| &mut pending.kind) {
            Some(
                Kind::Read { number, .. }
                | Kind::RemoteRead { stage: Stage::Asking { number }, .. },
            ) => number,
            Some(
                Kind::RemoteRead { .. }
                | Kind::Command { .. }
                | Kind::Upkeep { .. }
                | Kind::Publish(_),
            )
            | None => return,
        };
        // An answer to an earlier asking would do as well, but one number per read is enough to hold.
        if let Some(before) = asked.replace(number) {
            self.numbers.remove(&before);
        }
        match raft.read_index(number) {
            Handed::Taken(()) | Handed::Sent => {
                self.numbers.insert(number, ask);
                self.set_retry(ask, Some(now.saturating_add(self.limits.retry)));
            }
            Handed::NoLeader => {}
            Handed::Refused(_) => {
                self.refused_busy += 1;
                self.finish(ask, Outcome::NotExecuted(NotExecuted::Busy));
            }
        }
    }

    /// There is another leader, who may know nothing of what its predecessor was handed. A copy that
    /// stands in a log has a while to be committed or superseded, which tells more than another copy
    /// would; but its index may never be reached again.
    pub(super) fn hand_over_again(&mut self, now: u64) {
        let asks: Vec<Ask> = self.pending.keys().copied().chain([Ask::SESSION]).collect();
        for ask in asks {
            if self.copies_mut(ask).is_some_and(|copies| copies.is_standing()) {
                self.set_retry(ask, Some(now.saturating_add(self.limits.retry)));
            } else {
                self.unsent.insert(ask);
            }
        }
    }
}
