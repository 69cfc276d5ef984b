//! What all kinds of collections are kept in: a directory of them, and the slots of all in one table.
//!
//! A collection is a run of slots at positions that only count up, with an index from keys to
//! positions; what the slots mean is the affair of its kind. There is no hash table: growing one would
//! stall a single step for as long as the whole table takes to move.
//!
//! A collection's slots stand under a number of this node's own. To clear it, it is given another one
//! and what stands under the old number is freed later.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::digest::{Digest, Kind, SetDigest};
use super::name::Name;
use super::table::Table;
use super::waste::Waste;
use crate::bytes::Bytes;
use crate::types::Index;

/// All collections.
#[derive(Debug)]
pub(super) struct Collections {
    directory: Table<Name, Collection>,
    slots: Table<(CollectionId, u64), Slot>,
    positions: BTreeMap<(CollectionId, Bytes), u64>,
    /// Never used before, and never used again once it is.
    next_id: CollectionId,
    /// Ids under which slots or keys may be left that no collection has.
    cleared: Vec<CollectionId>,
    digest: SetDigest,
}

/// What a collection is. The order is that of the codes in snapshots: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CollectionKind {
    Map,
}

/// One collection, but for what it holds.
#[derive(Clone, Debug)]
pub(super) struct Collection {
    pub(super) kind: CollectionKind,
    pub(super) id: CollectionId,
    /// Never used before, and never used again once it is.
    pub(super) next_position: u64,
    len: u64,
    /// Over the slots.
    digest: SetDigest,
}

/// Under what a collection's slots stand on this node. Another node has another one for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CollectionId(u64);

/// What stands at one position of a collection.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
    /// The entry that wrote the value last.
    pub(crate) version: Index,
}

/// One collection, to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CollectionRef<'a> {
    collection: &'a Collection,
    slots: &'a Table<(CollectionId, u64), Slot>,
    positions: &'a BTreeMap<(CollectionId, Bytes), u64>,
}

/// One collection, to change.
#[derive(Debug)]
pub(super) struct CollectionMut<'a> {
    collection: &'a mut Collection,
    slots: &'a mut Table<(CollectionId, u64), Slot>,
    positions: &'a mut BTreeMap<(CollectionId, Bytes), u64>,
    next_id: &'a mut CollectionId,
    cleared: &'a mut Vec<CollectionId>,
}

impl Collections {
    pub(super) fn new() -> Self {
        Self {
            directory: Table::new(),
            slots: Table::new(),
            positions: BTreeMap::new(),
            next_id: CollectionId(0),
            cleared: Vec::new(),
            digest: SetDigest::default(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<CollectionRef<'_>> {
        let Self { directory, slots, positions, .. } = self;
        directory.get(name).map(|collection| CollectionRef { collection, slots, positions })
    }

    /// Their names, kinds and lengths, in the order of the names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, CollectionKind, u64)> {
        self.directory.range(..).map(|(name, collection)| (name, collection.kind, collection.len))
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest.get()
    }

    /// Changes the collection of that name, which is there from now on if it was not.
    pub(super) fn edit<R>(
        &mut self,
        name: &Name,
        kind: CollectionKind,
        edit: impl FnOnce(CollectionMut<'_>) -> R,
    ) -> R {
        if self.directory.get(name).is_none() {
            self.open(name.clone(), kind, 0);
        }
        self.change(name, edit).expect("it was opened if it was not there")
    }

    /// Frees as much of what was cleared as the budget allows and takes it off. Whether more is
    /// left.
    pub(super) fn spend(&mut self, budget: &mut u64) -> bool {
        let lowest = Bytes::copy_from(&[]);
        while *budget > 0
            && let Some(&id) = self.cleared.last()
        {
            *budget -= 1;
            // A key for each slot, though not that of the slot: both go in their own order.
            let Some(slot) = self.slots.range(id.slots()).next().map(|(slot, _)| *slot) else {
                self.cleared.pop();
                continue;
            };
            self.slots.remove(&slot);
            let key = self.positions.range((id, lowest.clone())..).next();
            let key = key.map(|(key, _)| key.clone()).expect("a key for each slot");
            self.positions.remove(&key);
        }
        !self.cleared.is_empty()
    }

    pub(super) fn discard(self, waste: &mut Waste) {
        self.directory.discard(waste);
        self.slots.discard(waste);
        waste.add(self.positions);
    }

    /// Fixes the present state for [`next_frozen`](Self::next_frozen). O(1).
    pub(super) fn freeze(&mut self) {
        self.directory.freeze();
        self.slots.freeze();
    }

    /// The next collection as it was at the freeze, in the order of the names.
    pub(super) fn next_frozen(&mut self) -> Option<(Name, Collection)> {
        self.directory.next_frozen(..)
    }

    /// The next slot, by position, of a collection that had this id at the freeze.
    pub(super) fn next_frozen_slot(&mut self, id: CollectionId) -> Option<(u64, Slot)> {
        self.slots.next_frozen(id.slots()).map(|((_, position), slot)| (position, slot))
    }

    pub(super) fn thaw(&mut self, waste: &mut Waste) {
        self.directory.thaw(waste);
        self.slots.thaw(waste);
    }

    /// Adds a collection of a snapshot, which come in the order of their names. Whether there can be
    /// one like it.
    #[must_use]
    pub(super) fn load(&mut self, name: Name, kind: CollectionKind, next_position: u64) -> bool {
        let is_next = self.directory.last_key().is_none_or(|last| *last < name);
        let fits = is_next && next_position <= MAX_POSITIONS;
        if fits {
            self.open(name, kind, next_position);
        }
        fits
    }

    /// Adds a slot to the collection loaded last, in the order of their positions. Whether it can
    /// have such a one.
    #[must_use]
    pub(super) fn load_slot(&mut self, position: u64, slot: Slot) -> bool {
        let Some(name) = self.directory.last_key().cloned() else { return false };
        self.change(&name, |mut collection| collection.load(position, slot))
            .expect("a key of the directory")
    }

    fn change<R>(&mut self, name: &Name, change: impl FnOnce(CollectionMut<'_>) -> R) -> Option<R> {
        let Self { directory, slots, positions, next_id, cleared, digest } = self;
        let collection = directory.get_mut(name)?;
        digest.remove(collection.digest(name));
        let result = change(CollectionMut {
            collection: &mut *collection,
            slots,
            positions,
            next_id,
            cleared,
        });
        digest.add(collection.digest(name));
        Some(result)
    }

    fn open(&mut self, name: Name, kind: CollectionKind, next_position: u64) {
        let id = self.next_id.take();
        let collection =
            Collection { kind, id, next_position, len: 0, digest: SetDigest::default() };
        self.digest.add(collection.digest(&name));
        self.directory.insert(name, collection);
    }
}

impl Collection {
    fn digest(&self, name: &Name) -> Digest {
        let kind = match self.kind {
            CollectionKind::Map => Kind::Map,
        };
        Digest::of(kind)
            .bytes(name.as_str().as_bytes())
            .number(self.next_position)
            .number(self.digest.get())
    }
}

impl<'a> CollectionRef<'a> {
    pub(crate) fn get(self, key: &Bytes) -> Option<&'a Slot> {
        let id = self.collection.id;
        let position = self.positions.get(&(id, key.clone()))?;
        Some(self.slots.get(&(id, *position)).expect("every position has a slot"))
    }

    /// O(1).
    pub(crate) fn len(self) -> u64 {
        self.collection.len
    }

    /// By position.
    pub(crate) fn slots(self) -> impl DoubleEndedIterator<Item = &'a Slot> + use<'a> {
        self.slots.range(self.collection.id.slots()).map(|(_, slot)| slot)
    }
}

impl CollectionMut<'_> {
    pub(super) fn get(&self, key: &Bytes) -> Option<&Slot> {
        let Self { collection, slots, positions, .. } = self;
        CollectionRef { collection, slots, positions }.get(key)
    }

    /// Writes the slot of a key: one that is there keeps its position, a new one is the last. The
    /// previous value, if any.
    pub(super) fn write(&mut self, key: Bytes, value: Bytes, version: Index) -> Option<Bytes> {
        let Collection { id, next_position, digest, .. } = &mut *self.collection;
        let Some(&position) = self.positions.get(&(*id, key.clone())) else {
            let position = *next_position;
            *next_position += 1;
            self.add(position, Slot { key, value, version });
            return None;
        };
        let slot = self.slots.get_mut(&(*id, position)).expect("every position has a slot");
        digest.remove(slot.digest(position));
        let old = core::mem::replace(&mut slot.value, value);
        slot.version = version;
        digest.add(slot.digest(position));
        Some(old)
    }

    pub(super) fn remove(&mut self, key: &Bytes) -> Option<Slot> {
        let Collection { id, len, digest, .. } = &mut *self.collection;
        let position = self.positions.remove(&(*id, key.clone()))?;
        let slot = self.slots.remove(&(*id, position)).expect("every position has a slot");
        digest.remove(slot.digest(position));
        *len -= 1;
        Some(slot)
    }

    /// Removes all slots. How many there were. O(1).
    pub(super) fn clear(&mut self) -> u64 {
        let removed = self.collection.len;
        if removed > 0 {
            self.cleared.push(self.collection.id);
            self.collection.id = self.next_id.take();
            self.collection.len = 0;
            self.collection.digest = SetDigest::default();
        }
        removed
    }

    /// Adds a slot of a snapshot. Whether there can be one like it.
    fn load(&mut self, position: u64, slot: Slot) -> bool {
        let Collection { id, next_position, .. } = *self.collection;
        let is_next = self.slots.last_key().is_none_or(|last| *last < (id, position));
        let fits = is_next && position < next_position && self.get(&slot.key).is_none();
        if fits {
            self.add(position, slot);
        }
        fits
    }

    fn add(&mut self, position: u64, slot: Slot) {
        let Collection { id, len, digest, .. } = &mut *self.collection;
        *len += 1;
        digest.add(slot.digest(position));
        self.positions.insert((*id, slot.key.clone()), position);
        self.slots.insert((*id, position), slot);
    }
}

impl CollectionId {
    /// This one, and the next from now on.
    fn take(&mut self) -> Self {
        let id = *self;
        self.0 += 1;
        id
    }

    /// Where the slots under it stand.
    fn slots(self) -> RangeInclusive<(Self, u64)> {
        (self, 0)..=(self, u64::MAX)
    }
}

impl Slot {
    fn digest(&self, position: u64) -> Digest {
        Digest::of(Kind::MapSlot)
            .bytes(&self.key)
            .bytes(&self.value)
            .number(self.version.get())
            .number(position)
    }
}

#[cfg(test)]
impl Collections {
    /// That what is kept on the way is what follows from the slots alone.
    pub(super) fn check(&self) {
        let (mut collections, mut slots) = (SetDigest::default(), 0);
        for (name, collection) in self.directory.range(..) {
            let mut digest = SetDigest::default();
            for ((id, position), slot) in self.slots.range(collection.id.slots()) {
                digest.add(slot.digest(*position));
                assert!(*position < collection.next_position, "{name:?}: {position}");
                assert_eq!(self.positions.get(&(*id, slot.key.clone())), Some(position));
            }
            let held = self.slots.range(collection.id.slots()).count() as u64;
            assert_eq!((collection.len, collection.digest), (held, digest), "{name:?}");
            collections.add(collection.digest(name));
            slots += held;
        }
        assert_eq!(self.digest, collections);
        assert_eq!(self.slots.len(), self.positions.len() as u64);
        assert!(slots == self.slots.len() || !self.cleared.is_empty());
    }
}

/// Far beyond what any collection reaches, and far enough below `u64::MAX` to count on from.
const MAX_POSITIONS: u64 = 1 << 62;
