//! Values that are still to be seen: what rules out an order before the call that shows it does.
//!
//! When only one call writes a value to a key, the value comes once: an order in which it is
//! overwritten or removed before all completed calls that saw it have had their turn leads nowhere.

use std::collections::BTreeMap;

use super::model::{Change, MapModel};
use super::partition::Piece;
use crate::history::{MapOperation, MapResult};

/// For each key and value that one call writes: how many completed calls saw it and are not in the
/// order yet.
#[derive(Debug)]
pub(super) struct Needs<'a> {
    open: BTreeMap<(&'a str, &'a str), usize>,
    /// What each call saw.
    seen: Vec<Vec<(&'a str, &'a str)>>,
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
        let mut needs = Self { open: BTreeMap::new(), seen: seen.collect() };
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
    }

    /// A call is not in the order any more.
    pub(super) fn put_back(&mut self, place: usize) {
        for entry in &self.seen[place] {
            *self.open.entry(*entry).or_default() += 1;
        }
    }

    /// Whether a change that this call makes to `before` takes away what others are still to see.
    pub(super) fn bars(&self, place: usize, before: &MapModel<'a>, change: Change<'a>) -> bool {
        takes_away(before, change, |entry| {
            let own = self.seen[place].iter().filter(|seen| **seen == entry).count();
            self.open.get(&entry).is_some_and(|open| *open > own)
        })
    }

    /// Whether a change to `before` takes away what the call in this place saw.
    pub(super) fn robs(&self, place: usize, before: &MapModel<'a>, change: Change<'a>) -> bool {
        takes_away(before, change, |entry| self.seen[place].contains(&entry))
    }
}

fn takes_away<'a>(
    before: &MapModel<'a>,
    change: Change<'a>,
    mut matters: impl FnMut((&'a str, &'a str)) -> bool,
) -> bool {
    match change {
        Change::Insert { .. } => false,
        Change::Update { key, old, new } => old != new && matters((key, old)),
        Change::Remove { key, value } => matters((key, value)),
        Change::Clear => before.entries().any(matters),
    }
}

/// The entries that an operation may write.
fn written(operation: &MapOperation) -> Vec<(&str, &str)> {
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

/// The entries that must have been there for a call to answer as it did.
fn seen<'a>(piece: &'a Piece<'a>) -> Vec<(&'a str, &'a str)> {
    match (&piece.operation, piece.result) {
        (
            MapOperation::Set { key, .. }
            | MapOperation::Insert { key, .. }
            | MapOperation::Remove { key }
            | MapOperation::Read { key },
            Some(MapResult::Value(Some(value))),
        ) => vec![(key, value)],
        (
            MapOperation::UpdateIf { key, expected, .. } | MapOperation::RemoveIf { key, expected },
            Some(MapResult::Flag(true)),
        ) => vec![(key, expected)],
        (
            MapOperation::SetAll { .. }
            | MapOperation::InsertAll { .. }
            | MapOperation::RemoveAll { .. }
            | MapOperation::ReadAll { .. },
            Some(MapResult::Entries(entries)),
        ) => borrowed(entries),
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

fn borrowed(entries: &[(String, String)]) -> Vec<(&str, &str)> {
    entries.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let before = MapModel::default();
        let overwrite = |old, new| Change::Update { key: "a", old, new };
        assert!(!needs.bars(2, &before, Change::Insert { key: "a", value: "2" }));
        assert!(needs.bars(2, &before, overwrite("1", "2")), "c2 has not read it");
        assert!(needs.bars(3, &before, Change::Remove { key: "a", value: "1" }));
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
        let mut before = MapModel::default();
        assert!(!needs.bars(2, &before, Change::Clear));
        assert!(before.force(Change::Insert { key: "a", value: "1" }));
        assert!(needs.bars(2, &before, Change::Clear));
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
        let change = Change::Remove { key: "a", value: "1" };
        assert!(!needs.bars(0, &MapModel::default(), change));
    }
}
