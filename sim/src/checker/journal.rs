//! What the log did to the collections that clients used, for the checkers that compare it with their
//! history.

use std::collections::{BTreeMap, BTreeSet};

use hamok::{
    Event, Field, Index, Map, MapEvent, Queue, QueueEvent, Record, RecordEvent, RemoteMap,
    RemoteMapEvent,
};

use super::{events, stops};
use crate::history::{History, HistoryEvent, Model};
use crate::linearizability::{Change, Effect, Effects, EntryChange, QueueChange};
use crate::observation::{SimTime, StepSeen};

/// Collects every change, as the first node that applied it told it; whether the others tell the same
/// is another checker's matter.
#[derive(Debug, Default)]
pub(super) struct Journal {
    changes: Vec<(SimTime, hamok::Change)>,
    applied: Index,
}

/// A change of a collection that is in the history.
#[derive(Debug)]
pub(super) struct Reported {
    /// For a remote map: of the operation that made it, and not of its outcome.
    pub(super) index: u64,
    pub(super) model: Model,
    pub(super) name: String,
    pub(super) typed: TypedChange,
    /// When the first node applied it.
    pub(super) seen: SimTime,
}

/// A change as the handle of its collection tells it.
#[derive(Debug)]
pub(super) enum TypedChange {
    Map(MapEvent<String, String>),
    Queue(QueueEvent<String>),
    Record(FieldChange),
    RemoteMap(RemoteMapEvent<String, String>),
}

/// A change of a record whose fields hold text.
#[derive(Debug)]
pub(super) enum FieldChange {
    Insert { field: String, value: String },
    Update { field: String, old: String, new: String },
    Remove { field: String, value: String },
    Clear,
}

impl Journal {
    pub(super) fn note(&mut self, step: &StepSeen<'_>) {
        if step.after.applied <= self.applied || stops(step) {
            return;
        }
        for event in events(step) {
            if let Event::Changed(change) = event
                && change.index() > self.applied
            {
                self.changes.push((step.moment.at, change.clone()));
            }
        }
        self.applied = step.after.applied;
    }

    /// The changes of the collections that are in the history, in log order.
    ///
    /// # Errors
    /// If one does not read as a collection of text, of a kind that clients used under this name.
    pub(super) fn read(&self, history: &History) -> Result<Vec<Reported>, String> {
        let used = used(history);
        let told = self.changes.iter().filter(|(_, change)| !changes_nothing(change));
        let ours = told.filter_map(|(seen, change)| {
            let (name, models) = used.get_key_value(change.collection())?;
            Some((*seen, change, *name, models))
        });
        ours.map(|(seen, change, name, models)| {
            let read = |model: &Model| Some((*model, typed(*model, change)?));
            let (model, typed) = models.iter().find_map(read).ok_or_else(|| {
                let models: Vec<String> = models.iter().map(ToString::to_string).collect();
                format!("{change} is none of a {} of text", models.join(" or "))
            })?;
            let index = change.operation().unwrap_or(change.index()).get();
            Ok(Reported { index, model, name: name.to_owned(), typed, seen })
        })
        .collect()
    }

    /// The same by log position.
    ///
    /// # Errors
    /// If one entry changed two collections.
    pub(super) fn effects<'a>(&self, reported: &'a [Reported]) -> Result<Effects<'a>, String> {
        let mut effects = Effects { applied: self.applied.get(), ..Effects::default() };
        for Reported { index, model, name, typed, seen } in reported {
            let none = || Effect { model: *model, name, changes: Vec::new(), seen: *seen };
            let effect = effects.at.entry(*index).or_insert_with(none);
            if (effect.model, effect.name) != (*model, name) {
                let (one, other) = (effect.name, name);
                return Err(format!(
                    "entry {index} changed two collections, {one:?} and {other:?}"
                ));
            }
            effect.changes.extend(typed.change());
        }
        Ok(effects)
    }
}

impl TypedChange {
    /// The change of the model; none if there is none like it.
    pub(super) fn change(&self) -> Option<Change<'_>> {
        Some(match self {
            Self::Map(event) => Change::Entry(match event {
                MapEvent::Insert { key, value } => EntryChange::Insert { key, value },
                MapEvent::Update { key, old, new } => EntryChange::Update { key, old, new },
                MapEvent::Remove { key, value } => EntryChange::Remove { key, value },
                MapEvent::Clear => EntryChange::Clear,
                MapEvent::Dropped | _ => return None,
            }),
            Self::Queue(event) => Change::Queue(match event {
                QueueEvent::Add { value } => QueueChange::Add { value },
                QueueEvent::Remove { value } => QueueChange::Remove { value },
                QueueEvent::Clear => QueueChange::Clear,
                QueueEvent::NotEmpty | QueueEvent::Empty | QueueEvent::Dropped | _ => {
                    return None;
                }
            }),
            Self::RemoteMap(event) => Change::Entry(match event {
                RemoteMapEvent::Insert { key, value } => EntryChange::Insert { key, value },
                RemoteMapEvent::Update { key, old, new } => EntryChange::Update { key, old, new },
                RemoteMapEvent::Remove { key, value } => EntryChange::Remove { key, value },
                RemoteMapEvent::Clear => EntryChange::Clear,
                RemoteMapEvent::ApplyFailed { .. } | RemoteMapEvent::Dropped | _ => return None,
            }),
            Self::Record(change) => Change::Entry(match change {
                FieldChange::Insert { field: key, value } => EntryChange::Insert { key, value },
                FieldChange::Update { field: key, old, new } => {
                    EntryChange::Update { key, old, new }
                }
                FieldChange::Remove { field: key, value } => EntryChange::Remove { key, value },
                FieldChange::Clear => EntryChange::Clear,
            }),
        })
    }
}

/// The kinds of collections that clients used under each name.
fn used(history: &History) -> BTreeMap<&str, BTreeSet<Model>> {
    let mut used: BTreeMap<&str, BTreeSet<Model>> = BTreeMap::new();
    for event in history.events() {
        if let HistoryEvent::Invoke { name, operation, .. } = event {
            used.entry(name).or_default().insert(operation.model());
        }
    }
    used
}

/// Reads a change by the handle of a collection of this kind; none if it cannot be one of those.
fn typed(model: Model, change: &hamok::Change) -> Option<TypedChange> {
    let name = change.collection().to_owned();
    let typed = match model {
        Model::Map => {
            TypedChange::Map(Map::<String, String>::named(name).ok()?.event(change)?.ok()?)
        }
        Model::Queue => TypedChange::Queue(Queue::<String>::named(name).ok()?.event(change)?.ok()?),
        Model::Record => {
            TypedChange::Record(FieldChange::of(Record::<()>::named(name).ok()?.event(change)?)?)
        }
        Model::RemoteMap => TypedChange::RemoteMap(
            RemoteMap::<String, String>::named(name).ok()?.event(change)?.ok()?,
        ),
    };
    typed.change().is_some().then_some(typed)
}

impl FieldChange {
    fn of(event: RecordEvent) -> Option<Self> {
        let text = |bytes| Field::<String>::new("").decode(&bytes).ok();
        Some(match event {
            RecordEvent::Insert { field, value } => Self::Insert { field, value: text(value)? },
            RecordEvent::Update { field, old, new } => {
                Self::Update { field, old: text(old)?, new: text(new)? }
            }
            RecordEvent::Remove { field, value } => Self::Remove { field, value: text(value)? },
            RecordEvent::Clear => Self::Clear,
            RecordEvent::Dropped | _ => return None,
        })
    }
}

/// Whether a change only says what became of its queue by others of the same entry, or that an operation on
/// a remote map changed nothing.
fn changes_nothing(change: &hamok::Change) -> bool {
    let name = || change.collection().to_owned();
    let queue = Queue::<String>::named(name()).ok().and_then(|queue| queue.event(change));
    let map = RemoteMap::<String, String>::named(name()).ok().and_then(|map| map.event(change));
    matches!(queue, Some(Ok(QueueEvent::NotEmpty | QueueEvent::Empty)))
        || matches!(map, Some(Ok(RemoteMapEvent::ApplyFailed { .. })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_changed_two_collections_is_told() {
        let reported = |index, name: &str| Reported {
            index,
            model: Model::Map,
            name: name.to_owned(),
            typed: TypedChange::Map(MapEvent::Clear),
            seen: SimTime::ZERO,
        };
        let journal = Journal::default();
        let twice = [reported(1, "a"), reported(1, "a"), reported(2, "b")];
        let effects = journal.effects(&twice).expect("each entry changed one collection");
        assert_eq!(effects.at[&1].changes.len(), 2);
        let text = journal.effects(&[reported(1, "a"), reported(1, "b")]).expect_err("it is two");
        assert!(text.contains("entry 1 changed two collections"), "{text}");
    }
}
