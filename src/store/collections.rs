//! What all kinds of collections are kept in: a directory of them, and the slots of all in one table.
//!
//! A collection is a run of slots at positions that only count up; those of a kind with keys also have
//! an index from keys to positions. What the slots mean is the affair of the kind. There is no hash
//! table: growing one would stall a single step for as long as the whole table takes to move.
//!
//! A collection's slots stand under a number of this node's own. To clear it, it is given another one
//! and what stands under the old number is freed later.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::{Bound, RangeInclusive};

use super::digest::{Digest, Kind, SetDigest};
use super::kind::{Body, CollectionKind};
use super::name::Name;
use super::remote_map::RemoteProgress;
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

/// One collection, but for what it holds.
#[derive(Clone, Debug)]
pub(super) struct Collection {
    pub(super) body: Body,
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
    /// Empty in a kind without keys.
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
        let all = self.directory.range(..);
        all.map(|(name, collection)| (name, collection.body.kind(), collection.len))
    }

    /// The first collection whose name comes after `name`; the first of all if there is none.
    pub(super) fn after(&self, name: Option<&Name>) -> Option<(&Name, CollectionRef<'_>)> {
        let Self { directory, slots, positions, .. } = self;
        let start = name.map_or(Bound::Unbounded, |name| Bound::Excluded(name.clone()));
        let (name, collection) = directory.range((start, Bound::Unbounded)).next()?;
        Some((name, CollectionRef { collection, slots, positions }))
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest.get()
    }

    /// Changes the collection of that name, which is there from now on if it was not.
    ///
    /// # Errors
    /// If it is of another kind, which is told.
    pub(super) fn edit<R>(
        &mut self,
        name: &Name,
        kind: CollectionKind,
        edit: impl FnOnce(CollectionMut<'_>) -> R,
    ) -> Result<R, CollectionKind> {
        match self.directory.get(name).map(|collection| collection.body.kind()) {
            None => self.open(name.clone(), Body::new(kind), 0),
            Some(found) if found != kind => return Err(found),
            Some(_) => {}
        }
        Ok(self.change(name, edit).expect("it was opened if it was not there"))
    }

    /// Removes the collection of that name with all it holds. O(log n); what it held is freed later.
    pub(super) fn drop_collection(&mut self, name: &Name) {
        if let Some(collection) = self.directory.remove(name) {
            self.digest.remove(collection.digest(name));
            self.cleared.push(collection.id);
        }
    }

    /// Frees as much of what was cleared as the budget allows and takes it off. Whether more is
    /// left.
    pub(super) fn spend(&mut self, budget: &mut u64) -> bool {
        let lowest = Bytes::copy_from(&[]);
        while *budget > 0
            && let Some(&id) = self.cleared.last()
        {
            *budget -= 1;
            // Slots and keys each go in their own order; a kind without keys has only slots.
            let slot = self.slots.range(id.slots()).next().map(|(slot, _)| *slot);
            let key = self.positions.range((id, lowest.clone())..).next();
            let key = key.map(|(key, _)| key.clone()).filter(|(of, _)| *of == id);
            if slot.is_none() && key.is_none() {
                self.cleared.pop();
            }
            slot.and_then(|slot| self.slots.remove(&slot));
            key.and_then(|key| self.positions.remove(&key));
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
    pub(super) fn load(&mut self, name: Name, body: Body, next_position: u64) -> bool {
        let is_next = self.directory.last_key().is_none_or(|last| *last < name);
        let fits = is_next && next_position <= MAX_POSITIONS;
        if fits {
            self.open(name, body, next_position);
        }
        fits
    }

    /// The collection loaded last.
    pub(super) fn loaded_last(&self) -> Option<(&Name, CollectionKind)> {
        let name = self.directory.last_key()?;
        self.directory.get(name).map(|collection| (name, collection.body.kind()))
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

    fn open(&mut self, name: Name, body: Body, next_position: u64) {
        let id = self.next_id.take();
        let collection =
            Collection { body, id, next_position, len: 0, digest: SetDigest::default() };
        self.digest.add(collection.digest(&name));
        self.directory.insert(name, collection);
    }
}

impl Collection {
    fn digest(&self, name: &Name) -> Digest {
        let digest = |kind| Digest::of(kind).bytes(name.as_str().as_bytes());
        match self.body {
            Body::Map => digest(Kind::Map),
            Body::Queue => digest(Kind::Queue),
            Body::Record => digest(Kind::Record),
            Body::Emitter => digest(Kind::Emitter),
            Body::RemoteMap(RemoteProgress { executed, adopted, queued_bytes }) => {
                let digest = digest(Kind::RemoteMap).number(executed.get());
                digest.number(adopted.get()).number(queued_bytes)
            }
        }
        .number(self.next_position)
        .number(self.digest.get())
    }
}

impl<'a> CollectionRef<'a> {
    pub(crate) fn kind(self) -> CollectionKind {
        self.collection.body.kind()
    }

    /// How far a remote map has come; at its beginning, for another kind.
    pub(crate) fn progress(self) -> RemoteProgress {
        match self.collection.body {
            Body::RemoteMap(progress) => progress,
            Body::Map | Body::Queue | Body::Record | Body::Emitter => RemoteProgress::default(),
        }
    }

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

    /// The first slot at or after a position, and where it stands.
    pub(crate) fn slot_from(self, position: u64) -> Option<(u64, &'a Slot)> {
        let id = self.collection.id;
        let rest = (id, position)..=(id, u64::MAX);
        self.slots.range(rest).next().map(|((_, position), slot)| (*position, slot))
    }

    /// The slots of all keys that begin with `prefix`, by key. O(log n) for each.
    pub(crate) fn with_prefix(self, prefix: Bytes) -> impl Iterator<Item = &'a Slot> + use<'a> {
        let Self { collection, slots, positions } = self;
        let from = (collection.id, prefix.clone());
        let found = positions
            .range(from..)
            .take_while(move |((id, key), _)| *id == collection.id && key.starts_with(&prefix));
        found.map(move |((id, _), position)| {
            slots.get(&(*id, *position)).expect("every position has a slot")
        })
    }
}

impl CollectionMut<'_> {
    pub(super) fn get(&self, key: &Bytes) -> Option<&Slot> {
        self.as_ref().get(key)
    }

    pub(super) fn as_ref(&self) -> CollectionRef<'_> {
        let Self { collection, slots, positions, .. } = self;
        CollectionRef { collection, slots, positions }
    }

    /// How far a remote map has come, to change; none, for another kind.
    pub(super) fn progress_mut(&mut self) -> Option<&mut RemoteProgress> {
        match &mut self.collection.body {
            Body::RemoteMap(progress) => Some(progress),
            Body::Map | Body::Queue | Body::Record | Body::Emitter => None,
        }
    }

    /// Adds a slot without a key behind all others.
    pub(super) fn push(&mut self, value: Bytes, version: Index) {
        let position = self.next();
        self.add(position, Slot { key: Bytes::default(), value, version });
    }

    /// Removes the first slot of a kind without keys.
    pub(super) fn pop(&mut self) -> Option<Slot> {
        let Collection { id, len, digest, .. } = &mut *self.collection;
        let place = self.slots.range(id.slots()).next().map(|(place, _)| *place)?;
        let slot = self.slots.remove(&place).expect("a slot just found");
        digest.remove(slot.digest(place.1));
        *len -= 1;
        Some(slot)
    }

    /// Writes the slot of a key: one that is there keeps its position, a new one is the last. The
    /// previous value, if any.
    pub(super) fn write(&mut self, key: Bytes, value: Bytes, version: Index) -> Option<Bytes> {
        let Some(&position) = self.positions.get(&(self.collection.id, key.clone())) else {
            let position = self.next();
            self.add(position, Slot { key, value, version });
            return None;
        };
        let Collection { id, digest, .. } = &mut *self.collection;
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
        let Collection { id, next_position, body, .. } = *self.collection;
        let is_next = self.slots.last_key().is_none_or(|last| *last < (id, position));
        let may_have_key = if body.kind().has_keys() {
            self.get(&slot.key).is_none()
        } else {
            slot.key.is_empty()
        };
        let fits = is_next && position < next_position && may_have_key;
        if fits {
            self.add(position, slot);
        }
        fits
    }

    /// A position that no slot had before.
    fn next(&mut self) -> u64 {
        let position = self.collection.next_position;
        self.collection.next_position += 1;
        position
    }

    fn add(&mut self, position: u64, slot: Slot) {
        let Collection { id, len, digest, body, .. } = &mut *self.collection;
        *len += 1;
        digest.add(slot.digest(position));
        if body.kind().has_keys() {
            self.positions.insert((*id, slot.key.clone()), position);
        }
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
        Digest::of(Kind::Slot)
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
        let (mut collections, mut slots, mut keys) = (SetDigest::default(), 0, 0);
        for (name, collection) in self.directory.range(..) {
            let mut digest = SetDigest::default();
            for ((id, position), slot) in self.slots.range(collection.id.slots()) {
                digest.add(slot.digest(*position));
                assert!(*position < collection.next_position, "{name:?}: {position}");
                let listed = self.positions.get(&(*id, slot.key.clone()));
                let has_keys = collection.body.kind().has_keys();
                assert_eq!(listed, has_keys.then_some(position), "{name:?}");
            }
            let held = self.slots.range(collection.id.slots()).count() as u64;
            assert_eq!((collection.len, collection.digest), (held, digest), "{name:?}");
            collections.add(collection.digest(name));
            slots += held;
            keys += if collection.body.kind().has_keys() { held } else { 0 };
        }
        assert_eq!(self.digest, collections);
        let all = (self.slots.len(), self.positions.len() as u64);
        assert!(all == (slots, keys) || !self.cleared.is_empty());
    }
}

/// Far beyond what any collection reaches, and far enough below `u64::MAX` to count on from.
const MAX_POSITIONS: u64 = 1 << 62;
