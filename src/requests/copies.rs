//! What is known of the copies of a command, and so what may be said of it.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::own_session::OwnSession;
use super::remote_reads::Stage;
use super::{Ask, Kind, Requests};
use crate::io::{NotExecuted, Outcome, Place};
use crate::raft::message::{ProposeOutcome, ProposeRefusal};
use crate::store::Store;
use crate::types::{EntryId, Index};

/// What is known of the copies of a command that were handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copies {
    /// None, or none that can come to stand in the log any more.
    None,
    /// One, sent and not answered for.
    Sent { number: u64 },
    /// One, which stands in some leader's log.
    Standing(EntryId),
    /// More than can be accounted for.
    Several,
}

impl Copies {
    pub(super) fn is_standing(self) -> bool {
        matches!(self, Self::Standing(_))
    }
}

impl Requests {
    pub(super) fn on_answer(&mut self, ask: Ask, number: u64, outcome: ProposeOutcome, now: u64) {
        let Some(copies) = self.copies_mut(ask) else { return };
        if *copies != (Copies::Sent { number }) {
            return;
        }
        *copies = Copies::None;
        self.set_retry(ask, None);
        match outcome {
            ProposeOutcome::Appended(id) => self.on_standing(ask, id, now),
            ProposeOutcome::Refused(because) => self.on_refused(ask, because, now),
        }
    }

    /// A leader did not take a copy, and never will.
    pub(super) fn on_refused(&mut self, ask: Ask, because: ProposeRefusal, now: u64) {
        let alone = self.copies_mut(ask).is_some_and(|copies| *copies == Copies::None);
        let because = match because {
            ProposeRefusal::Busy => NotExecuted::Busy,
            ProposeRefusal::TooLarge { bytes, limit } => NotExecuted::TooLarge { bytes, limit },
            // There will be a leader who takes it.
            ProposeRefusal::Transferring => {
                return self.set_retry(ask, Some(now.saturating_add(self.limits.retry)));
            }
        };
        if alone && ask != Ask::SESSION {
            self.refused_busy += u64::from(because == NotExecuted::Busy);
            self.finish(ask, Outcome::NotExecuted(because));
        } else {
            self.set_retry(ask, Some(now.saturating_add(self.limits.retry)));
        }
    }

    /// A leader told the index at which a read may be served, or that it has too many reads.
    pub(super) fn on_read_answered(&mut self, ask: Ask, index: Option<Index>) {
        let kind = self.pending.get_mut(&ask).map(|pending| &mut pending.kind);
        match (kind, index) {
            (Some(Kind::Read { ready, .. }), Some(index)) => *ready = Some(index),
            (Some(Kind::RemoteRead { stage, .. }), Some(index)) => *stage = Stage::Applying(index),
            (Some(Kind::Read { .. } | Kind::RemoteRead { .. }), None) => {
                self.refused_busy += 1;
                return self.finish(ask, Outcome::NotExecuted(NotExecuted::Busy));
            }
            (Some(Kind::Command { .. } | Kind::Upkeep { .. } | Kind::Publish(_)) | None, _) => {
                return;
            }
        }
        self.set_retry(ask, None);
        self.readable.extend(index.map(|index| (index, ask)));
    }

    /// The entry is committed: copies that stood at its index in another term are gone for good.
    pub(super) fn on_superseded(&mut self, entry: EntryId) {
        self.applied = entry.index;
        while let Some(&(index, ask)) = self.standing.first() {
            if index > entry.index {
                break;
            }
            self.standing.pop_first();
            let Some(copies) = self.copies_mut(ask) else { continue };
            if let Copies::Standing(id) = *copies
                && id.index == entry.index
                && id.term != entry.term
            {
                *copies = Copies::None;
                self.unsent.insert(ask);
            }
        }
    }

    /// A copy stands in a log. It will be committed or superseded; but if the log is lost, its index
    /// may never be reached again, so it is not waited for without end.
    pub(super) fn on_standing(&mut self, ask: Ask, id: EntryId, now: u64) {
        self.add_copy(ask, Copies::Standing(id));
        let patience = STANDING_PATIENCE.saturating_mul(self.limits.retry);
        self.set_retry(ask, Some(now.saturating_add(patience)));
    }

    /// The state stands as a snapshot up to `index` has it, without the entries before having been seen
    /// one by one. The sessions in it tell which commands were executed.
    pub(crate) fn on_restored(&mut self, index: Index, store: &Store) {
        self.applied = index;
        self.standing = self.standing.split_off(&(index.next(), Ask::SESSION));
        self.find_own_session(index, store);
        let placed: Vec<(Ask, Place)> = self
            .pending
            .iter()
            .filter_map(|(&ask, pending)| Some((ask, pending.kind.place()?)))
            .collect();
        let still_queued: BTreeSet<Ask> = self
            .queued
            .iter()
            .filter(|(operation, _)| store.is_queued(*operation))
            .map(|(_, ask)| *ask)
            .collect();
        for (ask, place) in placed {
            if still_queued.contains(&ask) {
                continue;
            }
            if let Some(outcome) = store.settled(place) {
                self.finish(ask, outcome);
            } else if let Some(operation) = store.awaited(place) {
                self.wait_for_operation(ask, operation);
            } else if store.has_session(place.session) {
                self.drop_copy_up_to(ask, index);
            } else {
                // It may have been executed before its session was dropped.
                self.doubt(ask);
            }
        }
        self.forsake_ended(store);
    }

    /// A copy that stood at or before `index` was not executed, and never will be.
    pub(super) fn drop_copy_up_to(&mut self, ask: Ask, index: Index) {
        let Some(copies) = self.copies_mut(ask) else { return };
        if matches!(*copies, Copies::Standing(id) if id.index <= index) {
            *copies = Copies::None;
            self.unsent.insert(ask);
        }
    }

    /// Nothing is known of its copies any more.
    fn doubt(&mut self, ask: Ask) {
        let doubtful = self.copies_mut(ask).is_some_and(|copies| *copies != Copies::None);
        if doubtful {
            self.forget_copies(ask);
            self.add_copy(ask, Copies::Several);
            self.unsent.insert(ask);
        }
    }

    pub(super) fn add_copy(&mut self, ask: Ask, copy: Copies) {
        let applied = self.applied;
        let Some(copies) = self.copies_mut(ask) else { return };
        if matches!(copy, Copies::Standing(id) if id.index <= applied) {
            // Had it still stood there when that index was applied, it would have been answered.
            self.unsent.insert(ask);
            return;
        }
        let before = *copies;
        let after = if before == Copies::None { copy } else { Copies::Several };
        *copies = after;
        if let Copies::Sent { number } = before {
            // An answer for one of several says nothing of the others.
            self.numbers.remove(&number);
        }
        match after {
            Copies::Standing(id) => {
                self.standing.insert((id.index, ask));
            }
            Copies::Sent { number } => {
                self.numbers.insert(number, ask);
            }
            Copies::None | Copies::Several => {}
        }
    }

    pub(super) fn forget_copies(&mut self, ask: Ask) {
        let Some(copies) = self.copies_mut(ask) else { return };
        match core::mem::replace(copies, Copies::None) {
            Copies::Standing(id) => {
                self.standing.remove(&(id.index, ask));
            }
            Copies::Sent { number } => {
                self.numbers.remove(&number);
            }
            Copies::None | Copies::Several => {}
        }
        self.set_retry(ask, None);
    }

    pub(super) fn copies_mut(&mut self, ask: Ask) -> Option<&mut Copies> {
        if ask == Ask::SESSION {
            return match &mut self.session {
                OwnSession::Opening { copies, .. } => Some(copies),
                OwnSession::Closed | OwnSession::Open { .. } => None,
            };
        }
        match &mut self.pending.get_mut(&ask)?.kind {
            Kind::Command { copies, .. } => Some(copies),
            Kind::Read { .. }
            | Kind::RemoteRead { .. }
            | Kind::Upkeep { .. }
            | Kind::Publish(_) => None,
        }
    }
}

/// How many election time-outs a copy that stands in a log may take to be applied.
const STANDING_PATIENCE: u64 = 4;
