//! What clients ask of maps.

use crate::calls::TextMap;
use crate::history::{MapOperation, Operation};

use super::{Drawing, Drawn};

/// The maps of one kind.
#[derive(Clone, Copy)]
pub(super) struct Maps {
    /// Operations here are about one key each, so that the search may look at every key alone.
    keys: &'static str,
    /// Operations here are about several keys, or all: each map is one partition for the search, and must
    /// stay small.
    bulk: [&'static str; 4],
}

/// Those that the group itself holds.
pub(super) const MAPS: Maps = Maps { keys: KEYS, bulk: ["bulk1", "bulk2", "bulk3", "bulk4"] };
/// Those that the outside store holds.
pub(super) const REMOTE_MAPS: Maps =
    Maps { keys: "far-keys", bulk: ["far-bulk1", "far-bulk2", "far-bulk3", "far-bulk4"] };
const KEYS: &str = "keys";

impl Drawing<'_> {
    pub(super) fn map_operation(
        &mut self,
        maps: Maps,
        reads: bool,
    ) -> (&'static str, MapOperation) {
        match (self.dice.chance(self.load.bulk), reads) {
            (true, true) => (*self.dice.pick(&maps.bulk), self.bulk_read()),
            (true, false) => (*self.dice.pick(&maps.bulk), self.bulk_write()),
            (false, true) => (maps.keys, MapOperation::Read { key: self.key() }),
            (false, false) => (maps.keys, self.write(maps.keys)),
        }
    }

    fn write(&mut self, map: &'static str) -> MapOperation {
        let key = self.key();
        if self.dice.chance(self.load.oversized) && self.knobs.max_entry_bytes <= OVERSIZED {
            let length = usize::try_from(self.knobs.max_entry_bytes).expect("it is small");
            return MapOperation::Set { key, value: "x".repeat(length) };
        }
        let value = self.value(0);
        let expected = self.known.value(map, &key);
        match self.dice.between(0, 99) {
            0..30 => MapOperation::Set { key, value },
            30..50 => MapOperation::Insert { key, value },
            50..68 => MapOperation::UpdateIf { key, value, expected },
            68..80 => MapOperation::Remove { key },
            80..90 => MapOperation::RemoveIf { key, expected },
            _ => MapOperation::Delete { key },
        }
    }

    /// An `update_if_by`, if the node near the client runs and holds a value.
    pub(super) fn conditional_on_view(&mut self, reads: bool) -> Option<Drawn> {
        if reads || !self.dice.chance(BY_PREDICATE) {
            return None;
        }
        let (key, value) = (self.key(), self.value(0));
        let mut expected = String::new();
        let call = TextMap::new(KEYS).update_if_by(self.near?, &key, &value, |found| {
            expected.clone_from(found);
            true
        });
        // What forgers put there may be no text.
        let call = call.ok()??.into();
        let operation = Operation::Map(MapOperation::UpdateIf { key, value, expected });
        Some(Drawn { name: KEYS, operation, call, outside_window: false, sessionless: false })
    }

    fn bulk_write(&mut self) -> MapOperation {
        let keys = self.bulk_keys();
        let key = keys[0].clone();
        let entries = |drawing: &mut Self| {
            keys.iter().zip(0..).map(|(key, part)| (key.clone(), drawing.value(part))).collect()
        };
        match self.dice.between(0, 99) {
            0..25 => MapOperation::SetAll { entries: entries(self) },
            25..45 => MapOperation::InsertAll { entries: entries(self) },
            45..60 => MapOperation::RemoveAll { keys },
            60..75 => MapOperation::DeleteAll { keys },
            75..85 => MapOperation::Clear,
            _ => MapOperation::Set { key, value: self.value(0) },
        }
    }

    fn bulk_read(&mut self) -> MapOperation {
        if self.dice.chance(400_000) {
            MapOperation::ReadLen
        } else {
            MapOperation::ReadAll { keys: self.bulk_keys() }
        }
    }

    fn key(&mut self) -> String {
        format!("k{}", self.dice.between(1, self.load.keys))
    }

    /// Some of three keys, each at most once, in any order.
    fn bulk_keys(&mut self) -> Vec<String> {
        let (first, count) = (self.dice.between(0, 2), self.dice.between(1, 3));
        (0..count).map(|step| format!("b{}", (first + step) % 3)).collect()
    }
}

/// How many writes in a million look at a node's copy first.
const BY_PREDICATE: u32 = 120_000;
/// Oversized values are made only when the limit is not above this.
const OVERSIZED: u64 = 64 << 10;
