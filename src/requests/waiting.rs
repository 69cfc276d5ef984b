//! Where requests wait, and until when.

use super::own_session::OwnSession;
use super::{Ask, Requests};
use crate::io::Place;

impl Requests {
    pub(super) fn wait_at(&mut self, place: Place, ask: Ask) {
        self.places.entry((place.session, place.sequence)).or_default().insert(ask);
    }

    pub(super) fn leave(&mut self, place: Place, own: bool, ask: Ask) {
        let key = (place.session, place.sequence);
        if let Some(asks) = self.places.get_mut(&key) {
            asks.remove(&ask);
            if asks.is_empty() {
                self.places.remove(&key);
            }
        }
        if let (true, OwnSession::Open { outstanding, .. }) = (own, &mut self.session) {
            outstanding.remove(&place.sequence);
        }
    }

    pub(super) fn set_retry(&mut self, ask: Ask, at: Option<u64>) {
        let retry = if ask == Ask::SESSION {
            match &mut self.session {
                OwnSession::Opening { retry, .. } => retry,
                OwnSession::Closed | OwnSession::Open { .. } => return,
            }
        } else {
            match self.pending.get_mut(&ask) {
                Some(pending) => &mut pending.retry,
                None => return,
            }
        };
        let before = core::mem::replace(retry, at);
        let deadline = self.pending.get(&ask).map(|pending| pending.deadline);
        if let Some(before) = before.filter(|before| Some(*before) != deadline) {
            self.alarms.remove(&(before, ask));
        }
        self.alarms.extend(at.map(|at| (at, ask)));
    }

    pub(super) fn number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }
}
