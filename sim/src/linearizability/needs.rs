//! Values that are still to be seen: what rules out an order before the call that shows it does.
//!
//! When only one call writes a value to a key, to a field or into a queue, the value comes once: an
//! order in which it is overwritten or removed before all completed calls that saw it have had their
//! turn leads nowhere. What else a queue shows of its order, [`Turns`] knows.

use std::collections::BTreeMap;

use super::model::{Change, EntryChange, QueueChange, State};
use super::partition::Piece;
use super::turns::Turns;
use crate::history::{CallResult, MapOperation, Operation, RecordOperation};

/// For each key (in a queue, an empty one) and value that one call writes: how many completed calls
/// saw it and are not in the order yet.
#[derive(Debug)]
pub(super) struct Needs<'a> {
    open: BTreeMap<(&'a str, &'a str), usize>,
    /// What each call saw.
    seen: Vec<Vec<(&'a str, &'a str)>>,
    turns: Turns<'a>,
}

impl<'a> Needs<'a> {
    pub(super) fn new(pieces: &'a [Piece<'a>]) -> Self {
        let mut writers: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for entry in pieces.iter().flat_map(|piece| written(&piece.operation)) {
            *writers.entry(entry).or_default() += 1;
        }
        let written_once = |entry: &(&str, &str)| writers.get(entry) == Some(&1);
        let seen =
            pieces.iter().map(|piece| seen(piece).into_iter().filter(written_once).collect());
        let turns = Turns::new(pieces);
        let mut needs = Self { open: BTreeMap::new(), seen: seen.collect(), turns };
        (0..pieces.len()).for_each(|place| needs.put_back(place));
        needs
    }

    /// A call comes into the order.
    pub(super) fn take(&mut self, place: usize) {
        for entry in &self.seen[place] {
            if let Some(open) = self.open.get_mut(entry) {
                *open -= 1;
            }
        }
        self.turns.take(place);
    }

    /// A call is not in the order any more.
    pub(super) fn put_back(&mut self, place: usize) {
        for entry in &self.seen[place] {
            *self.open.entry(*entry).or_default() += 1;
        }
        self.turns.put_back(place);
    }

    /// Whether a change that this call makes to `before` takes away what others are still to see, or
    /// comes before its turn.
    pub(super) fn bars(&self, place: usize, before: &State<'a>, change: Change<'a>) -> bool {
        self.turns.bars(place, change)
            || takes_away(before, change, |entry| {
                let own = self.seen[place].iter().filter(|seen| **seen == entry).count();
                self.open.get(&entry).is_some_and(|open| *open > own)
            })
    }

    /// Whether a change to `before` takes away what the call in this place saw.
    pub(super) fn robs(&self, place: usize, before: &State<'a>, change: Change<'a>) -> bool {
        takes_away(before, change, |entry| self.seen[place].contains(&entry))
    }
}

fn takes_away<'a>(
    before: &State<'a>,
    change: Change<'a>,
    mut matters: impl FnMut((&'a str, &'a str)) -> bool,
) -> bool {
    match change {
        Change::Entry(EntryChange::Insert { .. }) | Change::Queue(QueueChange::Add { .. }) => false,
        Change::Entry(EntryChange::Update { key, old, new }) => old != new && matters((key, old)),
        Change::Entry(EntryChange::Remove { key, value }) => matters((key, value)),
        Change::Queue(QueueChange::Remove { value }) => matters(("", value)),
        Change::Entry(EntryChange::Clear) | Change::Queue(QueueChange::Clear) => {
            before.values().into_iter().any(matters)
        }
    }
}

/// The values that an operation may write, each with its key.
fn written(operation: &Operation) -> Vec<(&str, &str)> {
    match operation {
        Operation::Queue(operation) => {
            operation.values().into_iter().map(|value| ("", value)).collect()
        }
        Operation::Map(operation) | Operation::RemoteMap(operation) => written_to_map(operation),
        Operation::Record(operation) => written_to_record(operation),
    }
}

fn written_to_map(operation: &MapOperation) -> Vec<(&str, &str)> {
    match operation {
        MapOperation::Set { key, value }
        | MapOperation::Insert { key, value }
        | MapOperation::UpdateIf { key, value, .. } => vec![(key, value)],
        MapOperation::SetAll { entries } | MapOperation::InsertAll { entries } => borrowed(entries),
        MapOperation::Remove { .. }
        | MapOperation::RemoveAll { .. }
        | MapOperation::RemoveIf { .. }
        | MapOperation::Delete { .. }
        | MapOperation::DeleteAll { .. }
        | MapOperation::Clear
        | MapOperation::Read { .. }
        | MapOperation::ReadAll { .. }
        | MapOperation::ReadLen => vec![],
    }
}

fn written_to_record(operation: &RecordOperation) -> Vec<(&str, &str)> {
    match operation {
        RecordOperation::Set { field, value }
        | RecordOperation::Insert { field, value }
        | RecordOperation::UpdateIf { field, value, .. } => vec![(field, value)],
        RecordOperation::InsertInstance { entries }
        | RecordOperation::UpdateInstanceIf { entries, .. } => borrowed(entries),
        RecordOperation::Delete { .. }
        | RecordOperation::Clear
        | RecordOperation::Read { .. }
        | RecordOperation::ReadInstance { .. } => vec![],
    }
}

/// The values that must have been there for a call to answer as it did, each with its key.
fn seen<'a>(piece: &'a Piece<'a>) -> Vec<(&'a str, &'a str)> {
    let Some(result) = piece.result else { return vec![] };
    if let CallResult::Entries(entries) = result {
        return borrowed(entries);
    }
    match &piece.operation {
        Operation::Queue(_) => result.values().into_iter().map(|value| ("", value)).collect(),
        Operation::Map(operation) | Operation::RemoteMap(operation) => {
            seen_in_map(operation, result)
        }
        Operation::Record(operation) => seen_in_record(operation, result),
    }
}

fn seen_in_map<'a>(operation: &'a MapOperation, result: &'a CallResult) -> Vec<(&'a str, &'a str)> {
    match (operation, result) {
        (
            MapOperation::Set { key, .. }
            | MapOperation::Insert { key, .. }
            | MapOperation::Remove { key }
            | MapOperation::Read { key },
            CallResult::Value(Some(value)),
        ) => vec![(key, value)],
        (
            MapOperation::UpdateIf { key, expected, .. } | MapOperation::RemoveIf { key, expected },
            CallResult::Flag(true),
        ) => vec![(key, expected)],
        (
            MapOperation::SetAll { .. }
            | MapOperation::Set { .. }
            | MapOperation::Insert { .. }
            | MapOperation::InsertAll { .. }
            | MapOperation::UpdateIf { .. }
            | MapOperation::Remove { .. }
            | MapOperation::RemoveAll { .. }
            | MapOperation::RemoveIf { .. }
            | MapOperation::Delete { .. }
            | MapOperation::DeleteAll { .. }
            | MapOperation::Clear
            | MapOperation::Read { .. }
            | MapOperation::ReadAll { .. }
            | MapOperation::ReadLen,
            _,
        ) => vec![],
    }
}

fn seen_in_record<'a>(
    operation: &'a RecordOperation,
    result: &'a CallResult,
) -> Vec<(&'a str, &'a str)> {
    match (operation, result) {
        (
            RecordOperation::Set { field, .. }
            | RecordOperation::Insert { field, .. }
            | RecordOperation::Read { field },
            CallResult::Value(Some(value)),
        ) => vec![(field, value)],
        (RecordOperation::UpdateIf { field, expected, .. }, CallResult::Flag(true)) => {
            vec![(field, expected)]
        }
        (RecordOperation::UpdateInstanceIf { expected, .. }, CallResult::Flag(true)) => {
            borrowed(expected)
        }
        (
            RecordOperation::Set { .. }
            | RecordOperation::Insert { .. }
            | RecordOperation::UpdateIf { .. }
            | RecordOperation::Delete { .. }
            | RecordOperation::Clear
            | RecordOperation::Read { .. }
            | RecordOperation::ReadInstance { .. }
            | RecordOperation::InsertInstance { .. }
            | RecordOperation::UpdateInstanceIf { .. },
            _,
        ) => vec![],
    }
}

fn borrowed(entries: &[(String, String)]) -> Vec<(&str, &str)> {
    entries.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Model;
    use crate::history::testing::Script;
    use crate::linearizability::partition::partitions;

    #[test]
    fn a_value_is_kept_until_all_have_seen_it() {
        let mut script = Script::new();
        script.done(1, "set a 1", "none");
        script.done(2, "read a", "1");
        script.done(3, "set a 2", "1");
        script.done(4, "update_if a 3 2", "true");
        let calls = script.history.calls();
        let part = partitions(&calls).remove(0);
        let mut needs = Needs::new(&part);
        let before = State::empty(Model::Map);
        let overwrite = |old, new| EntryChange::Update { key: "a", old, new }.into();
        let insert = EntryChange::Insert { key: "a", value: "2" };
        assert!(!needs.bars(2, &before, insert.into()));
        assert!(needs.bars(2, &before, overwrite("1", "2")), "c2 has not read it");
        let remove = EntryChange::Remove { key: "a", value: "1" };
        assert!(needs.bars(3, &before, remove.into()));
        needs.take(1);
        assert!(!needs.bars(2, &before, overwrite("1", "2")), "c3 itself is the last to see it");
        assert!(needs.bars(3, &before, overwrite("1", "3")));
        needs.put_back(1);
        assert!(needs.bars(2, &before, overwrite("1", "2")));
    }

    #[test]
    fn a_clear_takes_away_every_entry() {
        let mut script = Script::new();
        script.done(1, "set a 1", "none");
        script.done(2, "read a", "1");
        script.done(3, "clear", "1");
        let calls = script.history.calls();
        let part = partitions(&calls).remove(0);
        let needs = Needs::new(&part);
        let mut before = State::empty(Model::Map);
        assert!(!needs.bars(2, &before, EntryChange::Clear.into()));
        assert!(before.force(EntryChange::Insert { key: "a", value: "1" }.into()));
        assert!(needs.bars(2, &before, EntryChange::Clear.into()));
    }

    #[test]
    fn a_value_that_two_calls_write_may_come_again() {
        let mut script = Script::new();
        script.done(1, "set a 1", "none");
        script.done(2, "set a 1", "1");
        script.done(3, "remove a", "1");
        let calls = script.history.calls();
        let part = partitions(&calls).remove(0);
        let needs = Needs::new(&part);
        let change = EntryChange::Remove { key: "a", value: "1" };
        assert!(!needs.bars(0, &State::empty(Model::Map), change.into()));
    }

    #[test]
    fn an_item_is_kept_for_the_call_that_saw_it() {
        let mut script = Script::of(Model::Queue);
        script.done(1, "push 1", "");
        script.begin(2, "pop");
        script.begin(3, "clear");
        script.done(4, "pop", "1");
        let calls = script.history.calls();
        let part = partitions(&calls).remove(0);
        let needs = Needs::new(&part);
        let mut before = State::empty(Model::Queue);
        assert!(before.force(QueueChange::Add { value: "1" }.into()));
        let remove = QueueChange::Remove { value: "1" };
        assert!(needs.bars(1, &before, remove.into()));
        assert!(needs.bars(2, &before, QueueChange::Clear.into()));
        assert!(!needs.bars(3, &before, remove.into()));
    }

    #[test]
    fn expected_fields_are_needed_when_the_update_was_made() {
        let mut script = Script::of(Model::Record);
        script.done(1, "insert_instance f=1 g=2", "");
        script.done(2, "set f 3", "1");
        script.done(3, "update_instance_if f=4 if f=1 g=2", "true");
        let calls = script.history.calls();
        let part = partitions(&calls).remove(0);
        let needs = Needs::new(&part);
        let change = EntryChange::Update { key: "f", old: "1", new: "3" };
        assert!(needs.bars(1, &State::empty(Model::Record), change.into()));
    }
}
