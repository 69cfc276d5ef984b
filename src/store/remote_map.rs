//! The part of a remote map that is replicated: its operations in their order, and how far they have
//! been executed. The entries themselves are in an outside store.
//!
//! An operation is queued by its own entry of the log, executed by whoever leads, and ended by a later
//! entry that carries its outcome. Only the first of the queue can be ended, so that an outcome that
//! comes twice is told by what it names.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::change::EntryChange;
use super::collections::{CollectionMut, CollectionRef, Slot};
use super::command::RemoteCommand;
use super::name::Name;
use super::remote_operation::{RemoteOperation, RemoteOutcome};
use super::waste::Waste;
use crate::bytes::Bytes;
use crate::config::RemoteQueueLimits;
use crate::io::{Place, Refusal};
use crate::types::{Index, Sequence, SessionId};

/// How far a remote map has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RemoteProgress {
    /// The operation that was ended last.
    pub(crate) executed: Index,
    /// Calls of operations up to here take the outside store's row over, whatever it says.
    pub(crate) adopted: Index,
    /// Bytes of the operations in the queue.
    pub(crate) queued_bytes: u64,
}

/// An operation in the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Queued {
    session: SessionId,
    sequence: Sequence,
    answered_below: Sequence,
    /// Whether its changes are reported.
    pub(crate) events: bool,
    pub(crate) operation: RemoteOperation,
}

/// The operations in all queues, by their indexes: what the collections hold, the other way round.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Operations {
    maps: BTreeMap<Index, Name>,
}

/// An operation that has come to its end.
#[derive(Debug, PartialEq)]
pub(super) struct Ended {
    /// Whose it was.
    pub(super) place: Place,
    pub(super) changes: Vec<EntryChange>,
}

impl Operations {
    /// Notes an operation; false if there is one of that index.
    pub(super) fn insert(&mut self, operation: Index, map: Name) -> bool {
        self.maps.insert(operation, map).is_none()
    }

    pub(super) fn remove(&mut self, operation: Index) {
        self.maps.remove(&operation);
    }

    pub(super) fn len(&self) -> u64 {
        self.maps.len() as u64
    }

    /// The map in whose queue that operation is.
    pub(super) fn map_of(&self, operation: Index) -> Option<&Name> {
        self.maps.get(&operation)
    }

    /// The first operation after that one, and its map.
    pub(super) fn next(&self, after: Index) -> Option<(Index, &Name)> {
        let mut later = self.maps.range(after.next()..);
        later.next().map(|(operation, map)| (*operation, map))
    }

    pub(super) fn discard(self, waste: &mut Waste) {
        waste.add(self.maps);
    }
}

impl Queued {
    /// The operation that a slot of a remote map holds.
    pub(super) fn of(slot: &Slot) -> Option<Self> {
        match postcard::take_from_bytes(&slot.value) {
            Ok((queued, [])) => Some(queued),
            Ok(_) | Err(_) => None,
        }
    }

    fn place(&self) -> Place {
        let Self { session, sequence, answered_below, .. } = *self;
        Place { session, sequence, answered_below }
    }

    fn encode(&self) -> Bytes {
        postcard::to_allocvec(self).expect("an operation serialises into memory").into()
    }
}

/// The first operation of the queue, and its index.
pub(super) fn first(map: CollectionRef<'_>) -> Option<(Index, Queued)> {
    let (_, slot) = map.slot_from(0)?;
    Some((slot.version, Queued::of(slot).expect("only operations are queued")))
}

/// Puts an operation at the end of the queue.
///
/// # Errors
/// If there is no room.
pub(super) fn enqueue(
    map: &mut CollectionMut<'_>,
    index: Index,
    place: Place,
    command: RemoteCommand,
    limits: RemoteQueueLimits,
) -> Result<(), Refusal> {
    let (operation, events, adopts) = match command {
        RemoteCommand::Run { operation, events } => (operation, events, false),
        RemoteCommand::Adopt => (RemoteOperation::Adopt, false, true),
    };
    let Place { session, sequence, answered_below } = place;
    let queued = Queued { session, sequence, answered_below, events, operation }.encode();
    let length = map.as_ref().len();
    let progress = map.progress_mut().expect("a remote map");
    let bytes = progress.queued_bytes.saturating_add(queued.len_u64());
    // One that is larger than the limit by itself has its turn when the queue is empty.
    // An adoption is let in when the queue is full, since it may be what the queue waits for.
    let is_full = if adopts {
        length > limits.operations
    } else {
        length >= limits.operations || (length > 0 && bytes > limits.bytes)
    };
    if is_full {
        return Err(Refusal::RemoteQueueFull { operations: length });
    }
    progress.queued_bytes = bytes;
    if adopts {
        progress.adopted = index;
    }
    map.push(queued, index);
    Ok(())
}

/// Ends the operation of that index with this outcome, if it is the first of the queue and can have it.
pub(super) fn end(
    map: &mut CollectionMut<'_>,
    operation: Index,
    outcome: &RemoteOutcome,
) -> Option<Ended> {
    let (index, queued) = first(map.as_ref())?;
    let fits = match outcome {
        RemoteOutcome::Done(answer) => queued.operation.may_answer(answer),
        RemoteOutcome::Failed(_) => true,
    };
    if index != operation || !fits {
        return None;
    }
    let slot = map.pop().expect("the first operation");
    let progress = map.progress_mut().expect("a remote map");
    progress.executed = operation;
    progress.queued_bytes = progress.queued_bytes.saturating_sub(slot.value.len_u64());
    let changes = match outcome {
        RemoteOutcome::Done(answer) if queued.events => queued.operation.changes(answer),
        RemoteOutcome::Done(_) | RemoteOutcome::Failed(_) => Vec::new(),
    };
    Some(Ended { place: queued.place(), changes })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::super::command::{CollectionCommand, Command, Operation};
    use super::super::remote_operation::{RemoteAnswer, StoreError};
    use super::super::{Applied, Effect, Store};
    use super::*;
    use crate::config::SessionLimits;
    use crate::io::{Outcome, Unknown};
    use crate::types::{Identity, Incarnation, Life, NodeId, Peer};

    const DONE: RemoteOutcome = RemoteOutcome::Done(RemoteAnswer::Count(3));

    fn name() -> Name {
        Name::new("m").expect("short")
    }

    /// A store with one session, whose queues hold so many operations and so many bytes.
    fn store(operations: u64, bytes: u64) -> Store {
        let mut store = Store::new();
        let sessions = SessionLimits { lifetime_entries: 50, ..SessionLimits::default() };
        store.found(sessions, RemoteQueueLimits { operations, bytes });
        let peer = Peer { id: NodeId::new(1), incarnation: Incarnation::new(1) };
        let owner = Identity { peer, life: Life::FIRST };
        store.apply(Index::new(1), Command::OpenSession { owner });
        store
    }

    fn run(store: &mut Store, index: u64, sequence: u64, command: RemoteCommand) -> Effect {
        let command = CollectionCommand::RemoteMap(command);
        let command = Command::Execute {
            session: SessionId::new(Index::new(1)),
            sequence: Sequence::new(sequence),
            answered_below: Sequence::new(1),
            operation: Operation::Collection { name: name(), command },
        };
        store.apply(Index::new(index), command).effect.expect("a command has one")
    }

    fn clear(store: &mut Store, index: u64, sequence: u64) -> Effect {
        let operation = RemoteOperation::Clear;
        run(store, index, sequence, RemoteCommand::Run { operation, events: true })
    }

    fn set(store: &mut Store, index: u64, bytes: usize) -> Effect {
        let operation = RemoteOperation::Set(vec![(Bytes::default(), vec![0; bytes].into())]);
        run(store, index, index, RemoteCommand::Run { operation, events: true })
    }

    fn end(store: &mut Store, index: u64, operation: u64, outcome: RemoteOutcome) -> Applied {
        let (name, operation) = (name(), Index::new(operation));
        store.apply(Index::new(index), Command::EndRemote { name, operation, outcome })
    }

    fn is_queued(effect: &Effect) -> bool {
        matches!(effect, Effect::Queued { duplicate: false, .. })
    }

    fn refusal(effect: &Effect) -> Option<Refusal> {
        if let Effect::Executed { outcome: Outcome::Refused { because, .. }, .. } = effect {
            return Some(*because);
        }
        None
    }

    fn progress(store: &Store) -> RemoteProgress {
        store.collection("m").expect("it was named").progress()
    }

    #[test]
    fn a_queue_is_bounded_in_operations_and_in_bytes() {
        let mut store = store(3, 200);
        let full = |operations| Some(Refusal::RemoteQueueFull { operations });
        assert!(is_queued(&set(&mut store, 2, 500)), "one that is larger by itself has its turn");
        assert_eq!(refusal(&set(&mut store, 3, 1)), full(1));
        end(&mut store, 4, 2, RemoteOutcome::Failed(StoreError::new("full")));
        assert_eq!(progress(&store).queued_bytes, 0);
        for index in 5..8 {
            assert!(is_queued(&set(&mut store, index, 1)), "{index}");
        }
        assert_eq!(refusal(&set(&mut store, 8, 1)), full(3));
        end(&mut store, 9, 5, RemoteOutcome::Done(RemoteAnswer::Values(vec![None])));
        assert!(is_queued(&set(&mut store, 10, 1)));
        assert_eq!(progress(&store).executed, Index::new(5));
    }

    #[test]
    fn only_the_first_operation_ends_and_only_once_and_as_it_may() {
        let mut store = store(9, 900);
        assert!(is_queued(&clear(&mut store, 2, 1)) && is_queued(&clear(&mut store, 3, 2)));
        let before = |operation| Some(Effect::EndedBefore { operation: Index::new(operation) });
        let misfit = RemoteOutcome::Done(RemoteAnswer::Nothing);
        // Not the first, none at all, and one that cannot end so.
        for (index, operation, outcome) in [(4, 3, DONE), (5, 4, DONE), (6, 2, misfit)] {
            let digest = store.digest();
            assert_eq!(end(&mut store, index, operation, outcome).effect, before(operation));
            assert_eq!(store.digest(), digest);
        }
        let ended = end(&mut store, 7, 2, DONE);
        let Some(Effect::Ended { operation, outcome }) = ended.effect else { panic!("{ended:?}") };
        assert_eq!((operation, &*outcome.to_string()), (Index::new(2), "done at 2: 3"));
        assert_eq!(ended.changes[0].to_string(), r#"remote map "m" at 7: clear by 2"#);
        // The same again, from a leader that did not know of it.
        assert_eq!(end(&mut store, 8, 2, DONE).effect, before(2));
        assert_eq!(
            (progress(&store).executed, store.is_queued(Index::new(3))),
            (Index::new(2), true)
        );
        // A copy of the command has the first result; one of what is queued waits with it.
        let copy = clear(&mut store, 9, 1);
        assert!(matches!(copy, Effect::Executed { duplicate: true, .. }), "{copy:?}");
        let copy = clear(&mut store, 10, 2);
        assert!(
            matches!(copy, Effect::Queued { operation, duplicate: true, .. }
            if operation == Index::new(3)),
            "{copy:?}"
        );
    }

    #[test]
    fn an_answer_that_is_not_carried_ends_an_operation_without_changes() {
        let mut store = store(9, 900);
        assert!(is_queued(&set(&mut store, 2, 1)));
        let ended = end(&mut store, 3, 2, RemoteOutcome::Done(RemoteAnswer::TooLarge { bytes: 9 }));
        assert!(matches!(ended.effect, Some(Effect::Ended { .. })));
        assert_eq!((ended.changes.len(), store.next_queued(Index::ZERO)), (0, None));
    }

    #[test]
    fn an_operation_outlives_its_session_and_those_up_to_an_adoption_adopt() {
        let mut store = store(9, 900);
        assert!(is_queued(&clear(&mut store, 2, 1)));
        assert!(is_queued(&run(&mut store, 3, 2, RemoteCommand::Adopt)));
        assert_eq!(progress(&store).adopted, Index::new(3));
        assert_eq!(store.advance(Index::new(90)), [SessionId::new(Index::new(1))]);
        let expired = clear(&mut store, 91, 1);
        let Effect::Executed { outcome, .. } = expired else { panic!("{expired:?}") };
        assert_eq!(outcome, Outcome::Unknown(Unknown::SessionExpired));
        assert_eq!(store.next_queued(Index::ZERO), Some((Index::new(2), &name())));
        assert_eq!(store.next_queued(Index::new(2)), Some((Index::new(3), &name())));
        assert_eq!(store.next_queued(Index::new(3)), None);
        assert!(matches!(end(&mut store, 92, 2, DONE).effect, Some(Effect::Ended { .. })));
        let (index, first) = store.first_queued(&name()).expect("the adoption");
        assert_eq!((index, first.operation), (Index::new(3), RemoteOperation::Adopt));
    }
}
