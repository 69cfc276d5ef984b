//! One command being applied.

use alloc::vec::Vec;

use super::answer::{Answer, Content};
use super::change::{Change, ChangeKind, EntryChange};
use super::collections::{CollectionMut, CollectionRef};
use super::command::{
    CollectionCommand, Contents, Operation, QueueCommand, RemoteCommand, SubscriptionChange,
};
use super::emitter::EmitterRun;
use super::keyed::Entries;
use super::kind::CollectionKind;
use super::name::Name;
use super::queue::QueueRun;
use super::remote_operation::RemoteOutcome;
use super::reply::End;
use super::session::Admission;
use super::{Applied, Effect, Store, map, record, remote_map};
use crate::io::{Outcome, Place, Refusal};
use crate::types::{Index, Peer};

/// One command being applied.
pub(super) struct Run<'a> {
    pub(super) store: &'a mut Store,
    pub(super) index: Index,
    pub(super) applied: &'a mut Applied,
}

/// What became of an operation.
enum Ran {
    Answered(Answer),
    /// It stands in the queue of a remote map.
    Queued,
}

impl Run<'_> {
    /// Runs a command of a session, unless it was run before.
    pub(super) fn command(&mut self, place: Place, operation: Operation) -> Effect {
        let index = self.index;
        match self.store.sessions.admit(index, place) {
            Admission::Settled { outcome, duplicate } => {
                Effect::Executed { place, outcome, duplicate }
            }
            Admission::Awaited(operation) => Effect::Queued { place, operation, duplicate: true },
            Admission::Fresh => {
                let (end, effect) = match self.operation(place, operation) {
                    Ok(Ran::Answered(answer)) => {
                        let outcome = Outcome::Done { index, answer: answer.clone() };
                        let effect = Effect::Executed { place, outcome, duplicate: false };
                        (End::Answer(answer.into()), effect)
                    }
                    Ok(Ran::Queued) => {
                        let effect = Effect::Queued { place, operation: index, duplicate: false };
                        (End::Awaited, effect)
                    }
                    Err(because) => {
                        let outcome = Outcome::Refused { index, because };
                        let effect = Effect::Executed { place, outcome, duplicate: false };
                        (End::Refused(because), effect)
                    }
                };
                self.store.sessions.keep(place, index, end);
                effect
            }
        }
    }

    /// Ends the operation of that index on a remote map, if it is the one that comes next.
    pub(super) fn end(&mut self, name: &Name, operation: Index, outcome: RemoteOutcome) -> Effect {
        let before = Effect::EndedBefore { operation };
        if self.store.queued.map_of(operation) != Some(name) {
            return before;
        }
        let end = |mut map: CollectionMut<'_>| remote_map::end(&mut map, operation, &outcome);
        let ended = self.store.collections.edit(name, CollectionKind::RemoteMap, end);
        let Some(ended) = ended.expect("only remote maps queue operations") else { return before };
        self.store.queued.remove(operation);
        self.note(name, ended.changes, |change| ChangeKind::RemoteMap { operation, change });
        if let RemoteOutcome::Failed(error) = &outcome {
            let kind = ChangeKind::RemoteFailed { operation, error: error.clone() };
            self.note(name, [kind], |kind| kind);
        }
        let answer = Answer(Content::Remote(outcome));
        self.store.sessions.fulfil(ended.place, operation, answer.clone());
        Effect::Ended { operation, outcome: Outcome::Done { index: operation, answer } }
    }

    fn operation(&mut self, place: Place, operation: Operation) -> Result<Ran, Refusal> {
        Ok(Ran::Answered(match operation {
            Operation::OpenSession => {
                let expired = &mut self.applied.expired;
                Answer(Content::Session(self.store.sessions.open(self.index, None, expired)))
            }
            Operation::Submit(payload) => {
                self.applied.message = Some(payload);
                Answer(Content::Index(self.index))
            }
            Operation::Collection { name, command: CollectionCommand::RemoteMap(command) } => {
                self.enqueue(&name, place, command)?;
                return Ok(Ran::Queued);
            }
            Operation::Collection { name, command } => self.collection(&name, command)?,
        }))
    }

    fn collection(&mut self, name: &Name, command: CollectionCommand) -> Result<Answer, Refusal> {
        match command {
            CollectionCommand::Map(command) => {
                let run = |map: &mut Entries<'_>| map::execute(map, command);
                self.entries(name, (CollectionKind::Map, ChangeKind::Map), run)
            }
            CollectionCommand::Record(command) => {
                let run = |record: &mut Entries<'_>| record::execute(record, command);
                self.entries(name, (CollectionKind::Record, ChangeKind::Record), run)
            }
            CollectionCommand::Queue(command) => {
                self.queue(name, |queue: &mut QueueRun<'_>| queue.execute(command))
            }
            CollectionCommand::Emitter { subscriber, change } => {
                self.emitter(name, subscriber, change)
            }
            CollectionCommand::Create(contents) => {
                let found = self.store.collection(name.as_str()).map(CollectionRef::kind);
                match found {
                    Some(is) if is != contents.kind() => Err(Refusal::WrongKind { is }),
                    Some(_) => Ok(Answer(Content::Flag(false))),
                    None => {
                        self.fill(name, contents)?;
                        Ok(Answer(Content::Flag(true)))
                    }
                }
            }
            CollectionCommand::Import { contents, events } => {
                let noted = self.applied.changes.len();
                self.fill(name, contents)?;
                if !events {
                    self.applied.changes.truncate(noted);
                }
                Ok(Answer(Content::Nothing))
            }
            CollectionCommand::Drop(kind) => self.drop_collection(name, kind),
            CollectionCommand::RemoteMap(_) => unreachable!("it is queued, not run"),
        }
    }

    /// Puts these contents in the place of all there are.
    fn fill(&mut self, name: &Name, contents: Contents) -> Result<(), Refusal> {
        let fill = |entries, run: &mut Entries<'_>| {
            run.clear();
            run.set(entries);
            Answer(Content::Nothing)
        };
        match contents {
            Contents::Map(entries) => {
                let kinds = (CollectionKind::Map, ChangeKind::Map as fn(_) -> _);
                self.entries(name, kinds, |run| fill(entries, run))
            }
            Contents::Record(fields) => {
                let kinds = (CollectionKind::Record, ChangeKind::Record as fn(_) -> _);
                self.entries(name, kinds, |run| fill(fields, run))
            }
            Contents::Queue(values) => self.queue(name, |run| {
                run.execute(QueueCommand::Clear);
                run.execute(QueueCommand::Push(values))
            }),
        }
        .map(drop)
    }

    fn entries(
        &mut self,
        name: &Name,
        (kind, changed): (CollectionKind, impl Fn(EntryChange) -> ChangeKind),
        run: impl FnOnce(&mut Entries<'_>) -> Answer,
    ) -> Result<Answer, Refusal> {
        let index = self.index;
        let edited = self.store.collections.edit(name, kind, |collection| {
            let mut entries = Entries { collection, index, changes: Vec::new() };
            (run(&mut entries), entries.changes)
        });
        let (answer, changes) = edited.map_err(wrong_kind)?;
        self.note(name, changes, changed);
        Ok(answer)
    }

    fn queue(
        &mut self,
        name: &Name,
        run: impl FnOnce(&mut QueueRun<'_>) -> Answer,
    ) -> Result<Answer, Refusal> {
        let index = self.index;
        let edited = self.store.collections.edit(name, CollectionKind::Queue, |queue| {
            let mut queue = QueueRun { queue, index, changes: Vec::new() };
            (run(&mut queue), queue.changes)
        });
        let (answer, changes) = edited.map_err(wrong_kind)?;
        self.note(name, changes, ChangeKind::Queue);
        Ok(answer)
    }

    fn emitter(
        &mut self,
        name: &Name,
        subscriber: Peer,
        change: SubscriptionChange,
    ) -> Result<Answer, Refusal> {
        // Whoever has left by now would leave it behind for ever.
        if !self.store.members.contains(&subscriber) {
            return Err(Refusal::NotAMember);
        }
        let index = self.index;
        let edited = self.store.collections.edit(name, CollectionKind::Emitter, |emitter| {
            let mut run = EmitterRun { emitter, index, changes: Vec::new() };
            (run.execute(subscriber, change), run.changes)
        });
        let (answer, changes) = edited.map_err(wrong_kind)?;
        self.note(name, changes, ChangeKind::Emitter);
        Ok(answer)
    }

    fn enqueue(
        &mut self,
        name: &Name,
        place: Place,
        command: RemoteCommand,
    ) -> Result<(), Refusal> {
        let (index, limits) = (self.index, self.store.remote_queue);
        let enqueue = |mut map: CollectionMut<'_>| {
            remote_map::enqueue(&mut map, index, place, command, limits)
        };
        self.store
            .collections
            .edit(name, CollectionKind::RemoteMap, enqueue)
            .map_err(wrong_kind)??;
        self.store.queued.insert(index, name.clone());
        Ok(())
    }

    fn drop_collection(&mut self, name: &Name, kind: CollectionKind) -> Result<Answer, Refusal> {
        let Some(found) = self.store.collection(name.as_str()) else {
            return Ok(Answer(Content::Flag(false)));
        };
        if found.kind() != kind {
            return Err(Refusal::WrongKind { is: found.kind() });
        }
        if kind == CollectionKind::RemoteMap && found.len() > 0 {
            return Err(Refusal::OperationsQueued { operations: found.len() });
        }
        self.store.collections.drop_collection(name);
        self.note(name, [ChangeKind::Dropped(kind)], |kind| kind);
        Ok(Answer(Content::Flag(true)))
    }

    fn note<T>(
        &mut self,
        name: &Name,
        changes: impl IntoIterator<Item = T>,
        kind: impl Fn(T) -> ChangeKind,
    ) {
        let index = self.index;
        self.applied.changes.extend(changes.into_iter().map(|change| Change {
            index,
            name: name.clone(),
            kind: kind(change),
        }));
    }
}

fn wrong_kind(is: CollectionKind) -> Refusal {
    Refusal::WrongKind { is }
}
