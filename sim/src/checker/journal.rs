//! What the log did to the maps that clients used, for the checkers that compare it with their
//! history.

use std::collections::BTreeSet;

use hamok::{Event, Index, Map, MapEvent};

use super::events;
use crate::history::{History, HistoryEvent};
use crate::linearizability::{Change, Effect, Effects};
use crate::observation::{SimTime, StepSeen};

/// Collects every change, as the first node that applied it told it; whether the others tell the same
/// is another checker's matter.
#[derive(Debug, Default)]
pub(super) struct Journal {
    changes: Vec<(SimTime, hamok::Change)>,
    applied: Index,
}

/// A change of a map that is in the history.
#[derive(Debug)]
pub(super) struct Reported {
    pub(super) index: u64,
    pub(super) map: String,
    pub(super) event: MapEvent<String, String>,
    /// When the first node applied it.
    pub(super) seen: SimTime,
}

impl Journal {
    pub(super) fn note(&mut self, step: &StepSeen<'_>) {
        if step.after.applied <= self.applied {
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

    /// The changes of the maps that are in the history, in log order.
    ///
    /// # Errors
    /// If one does not read as a map of text.
    pub(super) fn read(&self, history: &History) -> Result<Vec<Reported>, String> {
        let maps: BTreeSet<&str> = history
            .events()
            .iter()
            .filter_map(|event| match event {
                HistoryEvent::Invoke { map, .. } => Some(map.as_str()),
                HistoryEvent::Complete { .. } => None,
            })
            .collect();
        let ours = self.changes.iter().filter(|(_, change)| maps.contains(change.collection()));
        ours.map(|(seen, change)| {
            let map = change.collection().to_owned();
            let typed = Map::<String, String>::named(map.clone());
            let event = typed.ok().and_then(|map| map.event(change)?.ok());
            let event = event.filter(|event| borrowed(event).is_some());
            let event = event.ok_or_else(|| format!("{change} is none of a map of text"))?;
            Ok(Reported { index: change.index().get(), map, event, seen: *seen })
        })
        .collect()
    }

    pub(super) fn effects<'a>(&self, reported: &'a [Reported]) -> Effects<'a> {
        let mut effects = Effects { applied: self.applied.get(), ..Effects::default() };
        for Reported { index, map, event, seen } in reported {
            let effect = effects.at.entry(*index);
            let none = || Effect { map, changes: Vec::new(), seen: *seen };
            effect.or_insert_with(none).changes.extend(borrowed(event));
        }
        effects
    }
}

fn borrowed(event: &MapEvent<String, String>) -> Option<Change<'_>> {
    Some(match event {
        MapEvent::Insert { key, value } => Change::Insert { key, value },
        MapEvent::Update { key, old, new } => Change::Update { key, old, new },
        MapEvent::Remove { key, value } => Change::Remove { key, value },
        MapEvent::Clear => Change::Clear,
        _ => return None,
    })
}
