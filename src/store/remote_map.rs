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
    /// How many each map has, if it has any.
    counts: BTreeMap<Name, u64>,
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
        if self.maps.insert(operation, map.clone()).is_some() {
            return false;
        }
        *self.counts.entry(map).or_default() += 1;
        true
    }

    pub(super) fn remove(&mut self, operation: Index) {
        let Some(map) = self.maps.remove(&operation) else { return };
        if let Some(count) = self.counts.get_mut(&map) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&map);
            }
        }
    }

    /// The map in whose queue that operation is.
    pub(super) fn map_of(&self, operation: Index) -> Option<&Name> {
        self.maps.get(&operation)
    }

    /// The maps whose queues are not empty, each once.
    pub(super) fn maps(&self) -> impl Iterator<Item = &Name> {
        self.counts.keys()
    }

    pub(super) fn discard(self, waste: &mut Waste) {
        waste.add(self.maps);
        waste.add(self.counts);
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
    if length >= limits.operations || (length > 0 && bytes > limits.bytes) {
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
