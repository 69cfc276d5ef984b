//! The session in which a life of a node runs the requests that bring none of their own.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::copies::Copies;
use super::{Ask, Kind, Pending, Requests};
use crate::io::{NotExecuted, Outcome, Place, Unknown};
use crate::store::Store;
use crate::types::{Index, Sequence, SessionId};

/// The session for this life's own requests.
#[derive(Debug)]
pub(super) enum OwnSession {
    Closed,
    Opening { copies: Copies, retry: Option<u64> },
    Open { id: SessionId, next: Sequence, outstanding: BTreeSet<Sequence> },
}

impl Requests {
    /// The group dropped a session. If it is this life's own, what has not been applied never will
    /// be: it goes again, in a new one.
    pub(crate) fn on_session_expired(&mut self, session: SessionId) {
        if !matches!(&self.session, OwnSession::Open { id, .. } if *id == session) {
            return;
        }
        self.session = OwnSession::Closed;
        let own: Vec<Ask> =
            self.pending.iter().filter(|(_, it)| it.is_own()).map(|(a, _)| *a).collect();
        for ask in own {
            self.forget_copies(ask);
            let Some(Pending { kind: Kind::Command { place, queued, .. }, .. }) =
                self.pending.get_mut(&ask)
            else {
                continue;
            };
            let queued = queued.is_some();
            if let Some(place) = place.take() {
                self.places.remove(&(place.session, place.sequence));
            }
            // What is queued for an outside store was applied, and is waited for by its index.
            if !queued {
                self.unsent.insert(ask);
            }
        }
    }

    /// After a snapshot: the session may have been opened or dropped in what it covers. What was handed
    /// over in one that was dropped may have been executed before, so nobody can tell.
    pub(super) fn find_own_session(&mut self, index: Index, store: &Store) {
        match &self.session {
            OwnSession::Closed => {}
            OwnSession::Opening { .. } => match store.session_of(self.me) {
                Some(session) => self.on_session_opened(session),
                None => self.drop_copy_up_to(Ask::SESSION, index),
            },
            OwnSession::Open { id, .. } if store.has_session(*id) => {}
            OwnSession::Open { id, .. } => {
                let id = *id;
                let handed_over = |pending: &Pending| match &pending.kind {
                    Kind::Command { own: true, copies, queued: None, .. } => {
                        *copies != Copies::None
                    }
                    Kind::Command { .. }
                    | Kind::Read { .. }
                    | Kind::RemoteRead { .. }
                    | Kind::Upkeep { .. }
                    | Kind::Publish(_) => false,
                };
                let doubtful: Vec<Ask> = self
                    .pending
                    .iter()
                    .filter(|(_, pending)| handed_over(pending))
                    .map(|(&ask, _)| ask)
                    .collect();
                for ask in doubtful {
                    self.finish(ask, Outcome::Unknown(Unknown::SessionExpired));
                }
                self.on_session_expired(id);
            }
        }
    }

    /// Where a command stands in its session; for one of this life's own session that is decided
    /// here, and none as long as that session is not open.
    pub(super) fn place_of(&mut self, ask: Ask, store: &Store) -> Option<Place> {
        let window = store.session_window();
        let Some(Pending { kind: Kind::Command { place, own, .. }, .. }) =
            self.pending.get_mut(&ask)
        else {
            return None;
        };
        if !*own {
            return *place;
        }
        let OwnSession::Open { id, next, outstanding } = &mut self.session else {
            self.open_session();
            return None;
        };
        let sequence = place.map_or(*next, |place| place.sequence);
        let answered_below = outstanding.first().copied().unwrap_or(sequence);
        if sequence.get() - answered_below.get() >= window {
            self.refused_busy += 1;
            self.finish(ask, Outcome::NotExecuted(NotExecuted::Busy));
            return None;
        }
        let found = Place { session: *id, sequence, answered_below };
        if place.replace(found).is_none() {
            *next = sequence.next();
            outstanding.insert(sequence);
            self.wait_at(found, ask);
        }
        Some(found)
    }

    pub(super) fn open_session(&mut self) {
        if matches!(self.session, OwnSession::Closed) {
            self.session = OwnSession::Opening { copies: Copies::None, retry: None };
            self.unsent.insert(Ask::SESSION);
        }
    }

    pub(super) fn on_session_opened(&mut self, id: SessionId) {
        if matches!(self.session, OwnSession::Open { .. }) {
            return;
        }
        self.forget_copies(Ask::SESSION);
        self.session =
            OwnSession::Open { id, next: Sequence::new(1), outstanding: BTreeSet::new() };
        let own = self.pending.iter().filter(|(_, pending)| pending.is_own());
        self.unsent.extend(own.map(|(ask, _)| *ask));
    }
}
