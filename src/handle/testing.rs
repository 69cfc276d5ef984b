//! A store in place of a whole group, for the tests of the typed faces.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Call, Failure};
use crate::Reply;
use crate::io::{Outcome, What};
use crate::store::{
    Applied, Change, CollectionCommand, CollectionRef, Command, Effect, Operation, Store,
};
use crate::types::{
    Identity, Incarnation, Index, Life, NodeId, Peer, RequestId, Sequence, SessionId,
};

/// A store and the session that commands run in. Its one member, which asks for everything, is
/// [`Group::MEMBER`].
pub(super) struct Group {
    store: Store,
    last: Index,
    /// What the last command changed.
    pub(super) changes: Vec<Change>,
}

impl Group {
    pub(super) const MEMBER: Peer = Peer { id: NodeId::new(1), incarnation: Incarnation::new(1) };

    pub(super) fn new() -> Self {
        let mut store = Store::new();
        store.seat(Index::new(1), [Self::MEMBER].into());
        let owner = Identity { peer: Self::MEMBER, life: Life::FIRST };
        store.apply(Index::new(1), Command::OpenSession { owner });
        Self { store, last: Index::new(1), changes: Vec::new() }
    }

    pub(super) fn run<R>(&mut self, call: Call<R>) -> Result<R, Failure> {
        let (request, ticket) = call.into_parts();
        let outcome = match request.what {
            What::Read(query) | What::Ready(query) => match self.store.query(&query) {
                Ok(answer) => Outcome::Done { index: self.last, answer },
                Err(because) => Outcome::Refused { index: self.last, because },
            },
            What::Command { operation, .. } => self.execute(operation),
            What::Subscription { emitter: name, change, .. } => {
                let command = CollectionCommand::Emitter { subscriber: Self::MEMBER, change };
                self.execute(Operation::Collection { name, command })
            }
            What::RemoteRead(_) | What::Publish(_) | What::Local(_) | What::Upkeep(_) => {
                panic!("it is not for a store")
            }
        };
        ticket.redeem(Reply { id: RequestId::new(1), outcome })
    }

    pub(super) fn collection(&self, name: &str) -> Option<CollectionRef<'_>> {
        self.store.collection(name)
    }

    fn execute(&mut self, operation: Operation) -> Outcome {
        self.last = self.last.next();
        let sequence = Sequence::new(self.last.get());
        let session = SessionId::new(Index::new(1));
        let command = Command::Execute { session, sequence, answered_below: sequence, operation };
        let applied = self.store.apply(self.last, command);
        let Applied { effect: Some(Effect::Executed { outcome, .. }), changes, .. } = applied
        else {
            panic!("{applied:?}");
        };
        self.changes = changes;
        outcome
    }
}

pub(super) fn text(text: &str) -> String {
    text.into()
}
