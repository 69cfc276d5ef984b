//! Entries that are found by their keys: what maps and records have in common.

use alloc::vec::Vec;

use super::change::EntryChange;
use super::collections::CollectionMut;
use crate::bytes::Bytes;
use crate::types::Index;

/// The entries of one collection while a command runs on them.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    pub(super) collection: CollectionMut<'a>,
    pub(super) index: Index,
    /// There is one per entry touched, in the order in which they were.
    pub(super) changes: Vec<EntryChange>,
}

impl Entries<'_> {
    /// Whether a key has this very value.
    pub(super) fn holds(&self, key: &Bytes, expected: &Bytes) -> bool {
        self.collection.get(key).is_some_and(|slot| slot.value == *expected)
    }

    /// The previous values, of those that had one.
    pub(super) fn set(&mut self, entries: Vec<(Bytes, Bytes)>) -> Vec<(Bytes, Bytes)> {
        let mut previous = Vec::new();
        for (key, value) in entries {
            if let Some(old) = self.write(key.clone(), value) {
                previous.push((key, old));
            }
        }
        previous
    }

    /// The values in the way, which stay.
    pub(super) fn insert(&mut self, entries: Vec<(Bytes, Bytes)>) -> Vec<(Bytes, Bytes)> {
        let mut existing = Vec::new();
        for (key, value) in entries {
            match self.collection.get(&key) {
                Some(slot) => existing.push((key, slot.value.clone())),
                None => {
                    self.write(key, value);
                }
            }
        }
        existing
    }

    pub(super) fn remove(&mut self, keys: &[Bytes]) -> Vec<(Bytes, Bytes)> {
        let mut removed = Vec::new();
        for key in keys {
            let Some(slot) = self.collection.remove(key) else { continue };
            self.changes
                .push(EntryChange::Remove { key: slot.key.clone(), value: slot.value.clone() });
            removed.push((slot.key, slot.value));
        }
        removed
    }

    /// How many entries there were. Nothing changes, and nothing is reported, if there were none.
    pub(super) fn clear(&mut self) -> u64 {
        let removed = self.collection.clear();
        if removed > 0 {
            self.changes.push(EntryChange::Clear);
        }
        removed
    }

    /// Writes one entry: a key that is there keeps its position. The previous value, if any.
    pub(super) fn write(&mut self, key: Bytes, value: Bytes) -> Option<Bytes> {
        let old = self.collection.write(key.clone(), value.clone(), self.index);
        self.changes.push(match &old {
            Some(old) => EntryChange::Update { key, old: old.clone(), new: value },
            None => EntryChange::Insert { key, value },
        });
        old
    }
}
