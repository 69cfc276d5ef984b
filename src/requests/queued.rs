//! Commands on remote maps: applied, they stand in a queue until an outside store has executed them.
//!
//! From then on no copy is handed over any more, and the command is waited for by its index in the log,
//! whatever becomes of the session it came in.

use alloc::vec::Vec;

use super::{Ask, Kind, Pending, Requests};
use crate::io::{Outcome, Place, Unknown};
use crate::store::Store;
use crate::types::Index;

impl Requests {
    /// A command of this place stands in the queue of a remote map.
    pub(super) fn on_queued(&mut self, place: Place, operation: Index) {
        let key = (place.session, place.sequence);
        for ask in self.places.get(&key).cloned().unwrap_or_default() {
            self.wait_for_operation(ask, operation);
        }
    }

    pub(super) fn wait_for_operation(&mut self, ask: Ask, operation: Index) {
        self.forget_copies(ask);
        self.unsent.remove(&ask);
        let Some(Pending { kind: Kind::Command { queued, place, own, .. }, .. }) =
            self.pending.get_mut(&ask)
        else {
            return;
        };
        *queued = Some(operation);
        // It is waited for by its index, so that a slow outside store does not use up the numbers that
        // commands on other collections need. Its place is kept in mind for what a snapshot may tell.
        let left = place.filter(|_| *own);
        self.queued.insert((operation, ask));
        if let Some(place) = left {
            self.leave(place, true, ask);
        }
    }

    /// Whether it waits for an operation. What becomes of another copy, which may find the session gone,
    /// then says nothing of it.
    pub(super) fn is_queued(&self, ask: Ask) -> bool {
        let kind = self.pending.get(&ask).map(|pending| &pending.kind);
        matches!(kind, Some(Kind::Command { queued: Some(_), .. }))
    }

    /// The operation of that index came to its end.
    pub(super) fn on_ended(&mut self, operation: Index, outcome: &Outcome) {
        let waiting = (operation, Ask::SESSION)..(operation.next(), Ask::SESSION);
        let asks: Vec<Ask> = self.queued.range(waiting).map(|(_, ask)| *ask).collect();
        for ask in asks {
            self.finish(ask, outcome.clone());
        }
    }

    /// After a snapshot: what was waited for may have ended in what it covers, and if no session tells
    /// how, nobody can.
    pub(super) fn forsake_ended(&mut self, store: &Store) {
        let ended = self.queued.iter().filter(|(operation, _)| !store.is_queued(*operation));
        let asks: Vec<Ask> = ended.map(|(_, ask)| *ask).collect();
        for ask in asks {
            self.finish(ask, Outcome::Unknown(Unknown::ResultForgotten));
        }
    }
}
