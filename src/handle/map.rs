//! The typed face of a replicated map.

use alloc::string::String;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::marker::PhantomData;

use super::codec::{Codec, Postcard, ValueError};
use super::coding::{
    all_entries, all_keys, bytes, count, entry, first_value, flag, found, nothing,
};
use super::collection::sealed::Named;
use super::collection::{Collection, Label};
use super::export::{Export, ImportError};
use super::map_view::{MapView, ViewError};
use super::{Call, EncodeError, Failure, Types};
use crate::Node;
use crate::bytes::Bytes;
use crate::io::What;
use crate::store::{
    Answer, Change, ChangeKind, CollectionCommand, CollectionKind, Contents, EntryChange,
    MapCommand, MapQuery, NameTooLong, Query,
};
use crate::types::Ticks;

/// A map that all nodes of a group share.
///
/// The handle is a constant: a name, the types of key and value, and how they become bytes. Handles
/// of the same name mean the same map. Naming a map in a command creates it.
///
/// Entries keep the order in which their keys were inserted, the same on all nodes: an update leaves
/// an entry in its place, and a key that was removed comes back at the end. Every value is a value:
/// `0`, `""`, `false`, `None` and the empty key are like any other. Two keys, or two values, are
/// equal when their bytes are.
///
/// Methods here make a [`Call`] to be given to any node as [`Input::Request`](crate::Input). A call
/// that changes the map takes effect at most once and is linearizable, as are the calls named `read`. It
/// is atomic, unless it has more than [`Config::max_keys`](crate::Config) or
/// [`max_values`](crate::Config) and is split. Local reads are on the [`MapView`](crate::MapView) that
/// [`Node::map`](crate::Node::map) returns. Changes are reported on every node as
/// [`Event::Changed`](crate::Event), one per entry or one for all, which [`event`](Map::event) gives their
/// types.
///
/// Costs are given for a map of *n* entries and calls that name *m* of them; comparing and copying
/// keys and values comes on top.
///
/// ```
/// use hamok::Map;
///
/// const SCORES: Map<String, u64> = Map::new("scores");
///
/// let (request, ticket) = SCORES.set(&"alice".into(), &7)?.into_parts();
/// // node.step(Input::Request(id, request)); later, with the reply to `id`:
/// // let previous: Option<u64> = ticket.redeem(reply)?;
/// # let _ = (request, ticket);
/// # Ok::<(), hamok::EncodeError>(())
/// ```
pub struct Map<K, V, C = Postcard> {
    label: Label,
    types: Types<K, V, C>,
}

/// A change of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapEvent<K, V> {
    /// A key came in, at the end.
    Insert {
        /// The key.
        key: K,
        /// Its value.
        value: V,
    },
    /// A key was given a value again, equal to the old one or not.
    Update {
        /// The key.
        key: K,
        /// The value it had.
        old: V,
        /// The value it has.
        new: V,
    },
    /// A key was taken out.
    Remove {
        /// The key.
        key: K,
        /// The value it had.
        value: V,
    },
    /// All entries were taken out at once. Clearing an empty map changes nothing and is no event.
    Clear,
    /// The map itself was taken out, with whatever it held.
    Dropped,
}

impl<K, V, C> Map<K, V, C> {
    /// The map of that name.
    ///
    /// # Panics
    /// If the name is longer than 255 bytes; for a constant, that is an error of compilation.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { label: Label::new(name), types: PhantomData }
    }

    /// The map of a name that is known only when the program runs.
    ///
    /// # Errors
    /// [`NameTooLong`] if it is longer than 255 bytes.
    pub fn named(name: String) -> Result<Self, NameTooLong> {
        Ok(Self { label: Label::named(name)?, types: PhantomData })
    }

    /// The same map, whose calls end after `timeout`, unless they bring another
    /// ([`Call::with_timeout`]), instead of [`Config::request_timeout`](crate::Config).
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Ticks) -> Self {
        self.label.set_timeout(timeout);
        self
    }

    /// Takes out all entries. The result is how many there were.
    ///
    /// One [`MapEvent::Clear`], unless the map was empty. O(1); what was cleared is freed a little at a
    /// time in later steps.
    pub fn clear(&self) -> Call<u64> {
        self.command(MapCommand::Clear, count)
    }

    /// Reads how many entries there are, linearizably. O(1).
    pub fn read_len(&self) -> Call<u64> {
        self.query(MapQuery::Len, count)
    }

    /// Puts the entries of an export of a map in the place of all there are, in their order, atomically.
    /// Sessions, and so the results of earlier calls, are kept.
    ///
    /// With `events`, reported as the clearing of what there was and the insertion of each entry; without,
    /// not at all. O(m log n).
    ///
    /// # Errors
    /// If the export is not one of a map.
    pub fn import(&self, export: &Export, events: bool) -> Result<Call<()>, ImportError> {
        let contents = export.contents(CollectionKind::Map)?;
        Ok(self.collection(CollectionCommand::Import { contents, events }, nothing))
    }

    fn command<R>(&self, command: MapCommand, read: fn(Answer) -> Result<R, Failure>) -> Call<R> {
        self.collection(CollectionCommand::Map(command), read)
    }

    fn collection<R>(
        &self,
        command: CollectionCommand,
        read: fn(Answer) -> Result<R, Failure>,
    ) -> Call<R> {
        Call::new(self.label.command(command), read)
    }

    fn query<R>(&self, query: MapQuery, read: fn(Answer) -> Result<R, Failure>) -> Call<R> {
        let query = Query::Map { name: self.label.stored(), query };
        Call::new(self.label.request(What::Read(query)), read)
    }
}

impl<K, V, C: Codec<K> + Codec<V>> Map<K, V, C> {
    /// Gives `key` the value, whether or not it has one. The result is the previous value.
    ///
    /// An entry that is there keeps its place, a new one goes to the end. One
    /// [`MapEvent::Insert`], or one [`MapEvent::Update`] even if the values are equal. O(log n).
    ///
    /// # Errors
    /// If key or value does not encode.
    pub fn set(&self, key: &K, value: &V) -> Result<Call<Option<V>>, EncodeError> {
        let entries = [entry::<K, V, C>(key, value)?].into();
        Ok(self.command(MapCommand::Set(entries), first_value::<V, C>))
    }

    /// Sets all `entries`, in the order given. The result is the previous entries, of the keys that
    /// had a value.
    ///
    /// Like [`set`](Map::set) for each in turn: a key given twice is set twice, and reported twice.
    /// O(m log n).
    ///
    /// # Errors
    /// If a key or value does not encode.
    pub fn set_all(
        &self,
        entries: impl IntoIterator<Item = (impl Borrow<K>, impl Borrow<V>)>,
    ) -> Result<Call<Vec<(K, V)>>, EncodeError> {
        let entries = encode_entries::<K, V, C>(entries)?;
        Ok(self.command(MapCommand::Set(entries), all_entries::<K, V, C>))
    }

    /// Gives `key` the value if it has none. The result is the value it has already, which stays, or
    /// `None` if this one was inserted.
    ///
    /// A new entry goes to the end, with one [`MapEvent::Insert`]. O(log n).
    ///
    /// # Errors
    /// If key or value does not encode.
    pub fn insert(&self, key: &K, value: &V) -> Result<Call<Option<V>>, EncodeError> {
        let entries = [entry::<K, V, C>(key, value)?].into();
        Ok(self.command(MapCommand::Insert(entries), first_value::<V, C>))
    }

    /// Inserts those of `entries` whose keys have no value, in the order given. The result is the
    /// entries which were there already, and stay.
    ///
    /// Like [`insert`](Map::insert) for each in turn: of a key given twice, the first value is
    /// inserted and is in the way of the second. O(m log n).
    ///
    /// # Errors
    /// If a key or value does not encode.
    pub fn insert_all(
        &self,
        entries: impl IntoIterator<Item = (impl Borrow<K>, impl Borrow<V>)>,
    ) -> Result<Call<Vec<(K, V)>>, EncodeError> {
        let entries = encode_entries::<K, V, C>(entries)?;
        Ok(self.command(MapCommand::Insert(entries), all_entries::<K, V, C>))
    }

    /// Gives `key` the value if the one it has equals `expected`, byte for byte. The result is
    /// whether it did.
    ///
    /// The entry keeps its place; one [`MapEvent::Update`]. A key without a value equals nothing.
    /// O(log n).
    ///
    /// # Errors
    /// If key or either value does not encode.
    pub fn update_if(&self, key: &K, value: &V, expected: &V) -> Result<Call<bool>, EncodeError> {
        let (key, value) = entry::<K, V, C>(key, value)?;
        let expected = bytes::<V, C>(expected)?;
        Ok(self.command(MapCommand::UpdateIf { key, value, expected }, flag))
    }

    /// Gives `key` the value if the one it has satisfies `predicate`. The result is whether it did.
    ///
    /// The predicate is run once, here, on the value that `node` holds; the change then takes effect
    /// only if the group still holds that very version of the entry, so that the predicate need not
    /// be the same everywhere. `Ok(None)` if `node` holds no value or the predicate is false:
    /// there is nothing to ask. A local value may lag behind: for one that does not,
    /// [`sync`](crate::sync) first. Otherwise like [`update_if`](Map::update_if). The TypeScript
    /// library runs its `equalValues` on every replica instead.
    ///
    /// # Errors
    /// If key or value does not encode, or if the value held does not decode.
    pub fn update_if_by(
        &self,
        node: &Node,
        key: &K,
        value: &V,
        predicate: impl FnOnce(&V) -> bool,
    ) -> Result<Option<Call<bool>>, ViewError> {
        self.update_held(node.map(self), key, value, predicate)
    }

    /// Takes out `key`. The result is the value it had. (In the TypeScript library, a bool.)
    ///
    /// The others keep their order. One [`MapEvent::Remove`] if it had a value. O(log n).
    ///
    /// # Errors
    /// If the key does not encode.
    pub fn remove(&self, key: &K) -> Result<Call<Option<V>>, EncodeError> {
        let keys = [bytes::<K, C>(key)?].into();
        Ok(self.command(MapCommand::Remove(keys), first_value::<V, C>))
    }

    /// Takes out all `keys`, in the order given. The result is the entries removed.
    ///
    /// Like [`remove`](Map::remove) for each in turn: a key given twice is removed once.
    /// O(m log n).
    ///
    /// # Errors
    /// If a key does not encode.
    pub fn remove_all(
        &self,
        keys: impl IntoIterator<Item = impl Borrow<K>>,
    ) -> Result<Call<Vec<(K, V)>>, EncodeError> {
        let keys = encode_keys::<K, C>(keys)?;
        Ok(self.command(MapCommand::Remove(keys), all_entries::<K, V, C>))
    }

    /// Takes out `key` if its value equals `expected`, byte for byte. The result is whether it did;
    /// the TypeScript library leaves a mismatch to time out.
    ///
    /// The others keep their order; one [`MapEvent::Remove`]. O(log n).
    ///
    /// # Errors
    /// If key or value does not encode.
    pub fn remove_if(&self, key: &K, expected: &V) -> Result<Call<bool>, EncodeError> {
        let (key, expected) = entry::<K, V, C>(key, expected)?;
        Ok(self.command(MapCommand::RemoveIf { key, expected }, flag))
    }

    /// Takes out `key` without carrying its value back. The result is whether it had one.
    ///
    /// Order and event as for [`remove`](Map::remove). O(log n).
    ///
    /// # Errors
    /// If the key does not encode.
    pub fn delete(&self, key: &K) -> Result<Call<bool>, EncodeError> {
        let keys = [bytes::<K, C>(key)?].into();
        Ok(self.command(MapCommand::Delete(keys), found))
    }

    /// Takes out all `keys`, in the order given, without carrying their values back. The result is
    /// the keys that had one.
    ///
    /// Like [`delete`](Map::delete) for each in turn. O(m log n).
    ///
    /// # Errors
    /// If a key does not encode.
    pub fn delete_all(
        &self,
        keys: impl IntoIterator<Item = impl Borrow<K>>,
    ) -> Result<Call<Vec<K>>, EncodeError> {
        let keys = encode_keys::<K, C>(keys)?;
        Ok(self.command(MapCommand::Delete(keys), all_keys::<K, C>))
    }

    /// Creates the map with these entries, in the order given, unless it is there already: be it empty, it
    /// then stays as it is. The result is whether it was created.
    ///
    /// Of two nodes that do so at once, one creates it, and nothing that was removed comes back when a
    /// node starts again. (The TypeScript library takes a `baseMap` for what a node holds by itself.) One
    /// [`MapEvent::Insert`] for each entry. O(m log n).
    ///
    /// # Errors
    /// If a key or value does not encode.
    pub fn create(
        &self,
        initial: impl IntoIterator<Item = (impl Borrow<K>, impl Borrow<V>)>,
    ) -> Result<Call<bool>, EncodeError> {
        let contents = Contents::Map(encode_entries::<K, V, C>(initial)?);
        Ok(self.collection(CollectionCommand::Create(contents), flag))
    }

    /// Reads the value of `key`, linearizably. O(log n).
    ///
    /// # Errors
    /// If the key does not encode.
    pub fn read(&self, key: &K) -> Result<Call<Option<V>>, EncodeError> {
        let keys = [bytes::<K, C>(key)?].into();
        Ok(self.query(MapQuery::Get(keys), first_value::<V, C>))
    }

    /// Reads all `keys` at one moment, linearizably. The result is the entries there are, in the
    /// order given. O(m log n).
    ///
    /// # Errors
    /// If a key does not encode.
    pub fn read_all(
        &self,
        keys: impl IntoIterator<Item = impl Borrow<K>>,
    ) -> Result<Call<Vec<(K, V)>>, EncodeError> {
        let keys = encode_keys::<K, C>(keys)?;
        Ok(self.query(MapQuery::Get(keys), all_entries::<K, V, C>))
    }

    /// Gives a change its types, if it is one of this map.
    ///
    /// # Errors
    /// If the key or a value does not decode.
    pub fn event(&self, change: &Change) -> Option<Result<MapEvent<K, V>, ValueError>> {
        if change.collection() != self.name() {
            return None;
        }
        match &change.kind {
            ChangeKind::Map(change) => Some(event::<K, V, C>(change)),
            ChangeKind::Dropped(CollectionKind::Map) => Some(Ok(MapEvent::Dropped)),
            ChangeKind::Queue(_)
            | ChangeKind::Record(_)
            | ChangeKind::Emitter(_)
            | ChangeKind::RemoteMap { .. }
            | ChangeKind::RemoteFailed { .. }
            | ChangeKind::Dropped(_) => None,
        }
    }

    fn update_held(
        &self,
        held: MapView<'_, K, V, C>,
        key: &K,
        value: &V,
        predicate: impl FnOnce(&V) -> bool,
    ) -> Result<Option<Call<bool>>, ViewError> {
        let (key, value) = entry::<K, V, C>(key, value)?;
        let Some(slot) = held.slot(&key)? else { return Ok(None) };
        let version = slot.version;
        if !predicate(&C::decode(&slot.value)?) {
            return Ok(None);
        }
        Ok(Some(self.command(MapCommand::UpdateIfVersion { key, value, version }, flag)))
    }
}

impl<K, V, C> Named for Map<K, V, C> {
    const KIND: CollectionKind = CollectionKind::Map;

    fn label(&self) -> &Label {
        &self.label
    }
}

impl<K, V, C> Collection for Map<K, V, C> {}

impl<K, V, C> Clone for Map<K, V, C> {
    fn clone(&self) -> Self {
        Self { label: self.label.clone(), types: PhantomData }
    }
}

impl<K, V, C> fmt::Debug for Map<K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Map").field(&self.name()).finish()
    }
}

pub(super) fn encode_entries<K, V, C: Codec<K> + Codec<V>>(
    entries: impl IntoIterator<Item = (impl Borrow<K>, impl Borrow<V>)>,
) -> Result<Vec<(Bytes, Bytes)>, EncodeError> {
    entries.into_iter().map(|(key, value)| entry::<K, V, C>(key.borrow(), value.borrow())).collect()
}

pub(super) fn encode_keys<K, C: Codec<K>>(
    keys: impl IntoIterator<Item = impl Borrow<K>>,
) -> Result<Vec<Bytes>, EncodeError> {
    keys.into_iter().map(|key| bytes::<K, C>(key.borrow())).collect()
}

fn event<K, V, C: Codec<K> + Codec<V>>(change: &EntryChange) -> Result<MapEvent<K, V>, ValueError> {
    Ok(match change {
        EntryChange::Insert { key, value } => {
            MapEvent::Insert { key: C::decode(key)?, value: C::decode(value)? }
        }
        EntryChange::Update { key, old, new } => {
            MapEvent::Update { key: C::decode(key)?, old: C::decode(old)?, new: C::decode(new)? }
        }
        EntryChange::Remove { key, value } => {
            MapEvent::Remove { key: C::decode(key)?, value: C::decode(value)? }
        }
        EntryChange::Clear => MapEvent::Clear,
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::super::testing::{Group, text};
    use super::*;
    use crate::io::{NotExecuted, Outcome, Place, Refusal, Unknown, What};
    use crate::store::Content;
    use crate::types::{Incarnation, Index, NodeId, RequestId, Sequence, SessionId, Ticks};
    use crate::{Birth, Config, Input, Output, Reply};

    const SCORES: Map<String, u64> = Map::new("scores");

    fn view<'a, K, V, C>(group: &'a Group, map: &Map<K, V, C>) -> MapView<'a, K, V, C> {
        MapView::new(group.collection(map.name()))
    }

    #[test]
    fn every_method_has_its_typed_result() {
        let group = &mut Group::new();
        let alice = || text("alice");
        assert_eq!(group.run(SCORES.set(&alice(), &0).unwrap()), Ok(None));
        assert_eq!(group.run(SCORES.set(&alice(), &7).unwrap()), Ok(Some(0)));
        let more = SCORES.set_all([(text(""), 1), (alice(), 8)]).unwrap();
        assert_eq!(group.run(more), Ok(vec![(alice(), 7)]));
        assert_eq!(group.run(SCORES.insert(&alice(), &9).unwrap()), Ok(Some(8)));
        let more = SCORES.insert_all([(&alice(), &9), (&text("bob"), &0)]).unwrap();
        assert_eq!(group.run(more), Ok(vec![(alice(), 8)]));
        assert_eq!(group.run(SCORES.update_if(&text("bob"), &2, &0).unwrap()), Ok(true));
        assert_eq!(group.run(SCORES.update_if(&text("bob"), &3, &0).unwrap()), Ok(false));
        assert_eq!(group.run(SCORES.read(&text("bob")).unwrap()), Ok(Some(2)));
        assert_eq!(group.run(SCORES.read(&text("eve")).unwrap()), Ok(None));
        let all = SCORES.read_all([text("bob"), text("eve"), text("")]).unwrap();
        assert_eq!(group.run(all), Ok(vec![(text("bob"), 2), (text(""), 1)]));
        assert_eq!(group.run(SCORES.read_len()), Ok(3));
        assert_eq!(group.run(SCORES.remove_if(&text("bob"), &0).unwrap()), Ok(false));
        assert_eq!(group.run(SCORES.remove_if(&text("bob"), &2).unwrap()), Ok(true));
        assert_eq!(group.run(SCORES.remove(&text("bob")).unwrap()), Ok(None));
        assert_eq!(group.run(SCORES.remove(&alice()).unwrap()), Ok(Some(8)));
        assert_eq!(group.run(SCORES.delete(&text("")).unwrap()), Ok(true));
        assert_eq!(group.run(SCORES.delete(&text("")).unwrap()), Ok(false));
        group
            .run(SCORES.set_all([(text("a"), 1), (text("b"), 2), (text("c"), 3)]).unwrap())
            .unwrap();
        let keys = [text("c"), text("x")];
        assert_eq!(group.run(SCORES.remove_all(&keys).unwrap()), Ok(vec![(text("c"), 3)]));
        assert_eq!(group.run(SCORES.delete_all([text("b")]).unwrap()), Ok(vec![text("b")]));
        assert_eq!(group.run(SCORES.clear()), Ok(1));
        assert_eq!(group.run(SCORES.clear()), Ok(0));
    }

    #[test]
    fn calls_about_no_map_have_theirs() {
        let group = &mut Group::new();
        assert_eq!(group.run(crate::sync()), Ok(()));
        assert_eq!(group.run(crate::open_session()), Ok(SessionId::new(Index::new(2))));
    }

    #[test]
    fn the_view_reads_what_the_group_wrote_in_insertion_order() {
        let group = &mut Group::new();
        assert!(view(group, &SCORES).is_empty());
        assert_eq!(view(group, &SCORES).get(&text("b")), Ok(None));
        let entries = [(text("b"), 0), (text(""), 2), (text("a"), 1)];
        group.run(SCORES.set_all(entries.clone()).unwrap()).unwrap();
        group.run(SCORES.set(&text("b"), &5).unwrap()).unwrap();
        let view = view(group, &SCORES);
        assert_eq!((view.len(), view.is_empty()), (3, false));
        assert_eq!(view.get(&text("b")), Ok(Some(5)));
        assert_eq!(view.contains_key(&text("")), Ok(true));
        assert_eq!(view.contains_key(&text("c")), Ok(false));
        let asked = [text("a"), text("c"), text("b")];
        assert_eq!(view.get_all(&asked), Ok(vec![(text("a"), 1), (text("b"), 5)]));
        let keys: Result<Vec<_>, _> = view.keys().collect();
        assert_eq!(keys, Ok(vec![text("b"), text(""), text("a")]));
        let values: Result<Vec<_>, _> = view.values().rev().collect();
        assert_eq!(values, Ok(vec![1, 2, 5]));
        assert_eq!(view.iter().next(), Some(Ok((text("b"), 5))));
        assert_eq!(view.iter().count(), 3);
    }

    #[test]
    fn update_if_by_is_conditional_on_the_version_read() {
        let group = &mut Group::new();
        let key = text("k");
        let held = |group: &Group, least| {
            SCORES.update_held(view(group, &SCORES), &key, &9, |value| *value >= least).unwrap()
        };
        assert!(held(group, 0).is_none(), "no value");
        group.run(SCORES.set(&key, &5).unwrap()).unwrap();
        assert!(held(group, 6).is_none(), "predicate false");
        let [first, second] = [held(group, 5).unwrap(), held(group, 5).unwrap()];
        assert_eq!(group.run(first), Ok(true));
        assert_eq!(group.run(second), Ok(false), "written since");
        let stale = held(group, 9).unwrap();
        group.run(SCORES.set(&key, &9).unwrap()).unwrap();
        assert_eq!(group.run(stale), Ok(false), "written since, though equal");
    }

    #[test]
    fn update_if_by_reads_what_the_node_holds() {
        let mut config = Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found);
        config.request_timeout = Ticks::new(1000);
        let mut node = Node::new(config).expect("the defaults are valid");
        let key = text("k");
        let set = SCORES.set(&key, &5).unwrap();
        assert_eq!(ask(&mut node, 1, set), Ok(None));
        let asked = SCORES.update_if_by(&node, &key, &6, |value| *value == 4).unwrap();
        assert!(asked.is_none());
        let asked = SCORES.update_if_by(&node, &key, &6, |value| *value == 5).unwrap();
        assert_eq!(ask(&mut node, 2, asked.expect("the predicate is true")), Ok(true));
        assert_eq!(node.map(&SCORES).get(&key), Ok(Some(6)));
    }

    /// Runs a group of one until it answers.
    fn ask<R>(node: &mut Node, id: u64, call: Call<R>) -> Result<R, Failure> {
        let (request, ticket) = call.into_parts();
        let mut outputs = node.step(Input::Request(RequestId::new(id), request));
        loop {
            let mut next = Vec::new();
            for output in outputs {
                match output {
                    Output::Persist(write) => next.extend(node.step(Input::Persisted(write.id()))),
                    Output::Reply(reply) => return ticket.redeem(reply),
                    Output::Send(_) | Output::Event(_) | Output::Remote(_) => {}
                }
            }
            next.extend(node.step(Input::Tick(Ticks::new(1))));
            outputs = next;
        }
    }

    #[test]
    fn events_are_typed_and_told_apart_by_name() {
        let group = &mut Group::new();
        let other: Map<String, u64> = Map::named(text("other")).unwrap();
        let events = |group: &Group| -> Vec<MapEvent<String, u64>> {
            assert!(group.changes.iter().all(|change| other.event(change).is_none()));
            group.changes.iter().map(|change| SCORES.event(change).unwrap().unwrap()).collect()
        };
        let a = || text("a");
        group.run(SCORES.set_all([(a(), 0), (a(), 0)]).unwrap()).unwrap();
        let insert = MapEvent::Insert { key: a(), value: 0 };
        assert_eq!(events(group), [insert, MapEvent::Update { key: a(), old: 0, new: 0 }]);
        group.run(SCORES.delete(&a()).unwrap()).unwrap();
        assert_eq!(events(group), [MapEvent::Remove { key: a(), value: 0 }]);
        group.run(SCORES.clear()).unwrap();
        assert_eq!(events(group), []);
        group.run(SCORES.set(&a(), &1).unwrap()).unwrap();
        group.run(SCORES.clear()).unwrap();
        assert_eq!(events(group), [MapEvent::Clear]);
    }

    #[test]
    fn what_does_not_decode_is_an_error_of_the_reader() {
        let group = &mut Group::new();
        let wide: Map<String, u64> = Map::new("m");
        let narrow: Map<String, u8> = Map::new("m");
        group.run(wide.set(&text("k"), &300).unwrap()).unwrap();
        let change = group.changes[0].clone();
        assert_eq!(narrow.event(&change), Some(Err(ValueError::LeftOver { bytes: 1 })));
        let error = ValueError::LeftOver { bytes: 1 };
        assert_eq!(view(group, &narrow).get(&text("k")), Err(ViewError::Value(error)));
        assert_eq!(view(group, &narrow).contains_key(&text("k")), Ok(true));
        assert_eq!(view(group, &narrow).keys().next(), Some(Ok(text("k"))));
        let read = narrow.read(&text("k")).unwrap();
        assert_eq!(group.run(read), Err(Failure::Value(error)));
        let held = narrow.update_held(view(group, &narrow), &text("k"), &1, |_| true);
        assert_eq!(held.err(), Some(ViewError::Value(error)));
    }

    #[test]
    fn what_does_not_encode_asks_for_nothing() {
        struct Even;

        impl Codec<u8> for Even {
            fn encode(value: &u8) -> Result<Vec<u8>, EncodeError> {
                if value.is_multiple_of(2) {
                    Ok([*value].into())
                } else {
                    Err(EncodeError::Unencodable)
                }
            }

            fn decode(bytes: &[u8]) -> Result<u8, ValueError> {
                bytes.first().copied().ok_or(ValueError::Malformed)
            }
        }

        let map: Map<u8, u8, Even> = Map::new("even");
        let group = &mut Group::new();
        assert_eq!(group.run(map.set(&2, &4).unwrap()), Ok(None));
        assert_eq!(view(group, &map).get(&2), Ok(Some(4)));
        let odd = EncodeError::Unencodable;
        assert_eq!(map.set(&1, &4).err(), Some(odd));
        assert_eq!(map.set(&2, &1).err(), Some(odd));
        assert_eq!(map.remove_all([2, 1]).err(), Some(odd));
        assert_eq!(view(group, &map).get(&1), Err(ViewError::Encode(odd)));
    }

    #[test]
    fn a_ticket_tells_why_there_is_no_result() {
        let window = Refusal::OutsideWindow { window: 1 };
        let answer = |content| Outcome::Done { index: Index::new(3), answer: Answer(content) };
        let refused = Outcome::Refused { index: Index::new(3), because: window };
        let pair = || (Bytes::copy_from(&[0]), Bytes::copy_from(&[0]));
        let cases = [
            (refused, Failure::Refused(window)),
            (Outcome::NotExecuted(NotExecuted::Busy), Failure::NotExecuted(NotExecuted::Busy)),
            (Outcome::Unknown(Unknown::TimedOut), Failure::Unknown(Unknown::TimedOut)),
            (answer(Content::Nothing), Failure::WrongReply),
            (answer(Content::Flag(true)), Failure::WrongReply),
            (answer(Content::Entries(vec![pair(), pair()])), Failure::WrongReply),
        ];
        for (outcome, failure) in cases {
            let (_, ticket) = SCORES.set(&text("k"), &1).unwrap().into_parts();
            let shown = outcome.to_string();
            let reply = Reply { id: RequestId::new(1), outcome };
            assert_eq!(ticket.redeem(reply), Err(failure), "{shown}");
        }
    }

    #[test]
    fn a_call_carries_its_time_out_and_its_place() {
        let session = SessionId::new(Index::new(4));
        let [low, high] = [Sequence::new(1), Sequence::new(2)];
        let call = SCORES.clear().with_timeout(Ticks::new(9)).in_session(session, high, low);
        let (request, _) = call.into_parts();
        assert_eq!(request.timeout, Some(Ticks::new(9)));
        let What::Command { place, .. } = request.what else { panic!("{request:?}") };
        assert_eq!(place, Some(Place { session, sequence: high, answered_below: low }));
    }

    #[test]
    fn a_handle_has_a_time_out_for_all_its_calls() {
        const HASTY: Map<u8, u8> = Map::new("m").with_timeout(Ticks::new(7));
        let timeout = |call: Call<u64>| call.into_parts().0.timeout;
        assert_eq!(timeout(HASTY.clear()), Some(Ticks::new(7)));
        assert_eq!(timeout(HASTY.clone().read_len()), Some(Ticks::new(7)));
        assert_eq!(HASTY.drop_collection().into_parts().0.timeout, Some(Ticks::new(7)));
        assert_eq!(timeout(HASTY.clear().with_timeout(Ticks::new(9))), Some(Ticks::new(9)));
        assert_eq!(timeout(SCORES.clear()), None);
    }

    #[test]
    fn initial_entries_come_in_once() {
        let group = &mut Group::new();
        let create = || SCORES.create([(text("a"), 1), (text(""), 0)]).unwrap();
        assert_eq!(group.run(create()), Ok(true));
        assert_eq!(group.run(SCORES.clear()), Ok(2));
        assert_eq!(group.run(create()), Ok(false));
        assert!(view(group, &SCORES).is_empty());
        assert!(group.changes.is_empty());
    }

    #[test]
    fn an_export_is_the_same_map_again() {
        let group = &mut Group::new();
        group
            .run(SCORES.set_all([(text("b"), 1), (text(""), 0), (text("a"), 2)]).unwrap())
            .unwrap();
        group.run(SCORES.remove(&text("b")).unwrap()).unwrap();
        let export = Export::decode(&view(group, &SCORES).export().unwrap().encode()).unwrap();
        let copy: Map<String, u64> = Map::new("copy");
        group.run(copy.set(&text("old"), &9).unwrap()).unwrap();
        group.run(copy.import(&export, true).unwrap()).unwrap();
        let reported = group.changes.iter().map(|change| copy.event(change).unwrap().unwrap());
        let insert = |key, value| MapEvent::Insert { key: text(key), value };
        assert_eq!(reported.collect::<Vec<_>>(), [MapEvent::Clear, insert("", 0), insert("a", 2)]);
        assert_eq!(view(group, &copy).export().as_ref(), Ok(&export));
        group.run(copy.import(&export, false).unwrap()).unwrap();
        assert!(group.changes.is_empty());
        let jobs: crate::Queue<u8> = crate::Queue::new("jobs");
        let is = CollectionKind::Map;
        assert_eq!(jobs.import(&export, true).err(), Some(ImportError::WrongKind { is }));
    }

    #[test]
    fn a_name_in_use_as_another_kind_is_refused() {
        let group = &mut Group::new();
        let jobs: crate::Queue<u8> = crate::Queue::new("m");
        let map: Map<u8, u8> = Map::new("m");
        group.run(jobs.push(&1).unwrap()).unwrap();
        let is = CollectionKind::Queue;
        let refused = Failure::Refused(Refusal::WrongKind { is });
        assert_eq!(group.run(map.set(&1, &1).unwrap()).err(), Some(refused.clone()));
        assert_eq!(group.run(map.read_len()).err(), Some(refused.clone()));
        assert_eq!(group.run(map.ready()).err(), Some(refused.clone()));
        assert_eq!(group.run(map.create([(1, 1)]).unwrap()).err(), Some(refused.clone()));
        assert_eq!(group.run(map.drop_collection()).err(), Some(refused));
        let view = view(group, &map);
        assert_eq!((view.len(), view.iter().count()), (0, 0));
        assert_eq!(view.get(&1), Err(ViewError::WrongKind { is }));
        assert_eq!(view.contains_key(&1), Err(ViewError::WrongKind { is }));
        assert_eq!(view.export(), Err(ViewError::WrongKind { is }));
        assert_eq!(group.run(jobs.pop()), Ok(Some(1)), "nothing has changed");
    }

    #[test]
    fn names_are_bounded() {
        assert!(Map::<u8, u8>::named("n".repeat(255)).is_ok());
        let error = Map::<u8, u8>::named("n".repeat(256)).err();
        assert_eq!(error, Some(NameTooLong { bytes: 256 }));
    }
}
