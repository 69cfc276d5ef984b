//! The replicated map: keys and values are bytes, kept in the order in which keys were inserted.
//!
//! There is no hash table in it: growing one would stall a single step for as long as the whole
//! table takes to move.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::answer::{Answer, Content};
use super::change::MapChange;
use super::command::{MapCommand, MapQuery};
use super::digest::{Digest, Kind, SetDigest};
use crate::bytes::Bytes;
use crate::types::Index;

/// One replicated map.
#[derive(Debug, Default)]
pub(crate) struct MapStore {
    positions: BTreeMap<Bytes, u64>,
    slots: BTreeMap<u64, Slot>,
    /// Never used before, and never used again once it is.
    next_position: u64,
    digest: SetDigest,
}

/// What a map holds for one key.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
    /// The entry that wrote the value last.
    pub(crate) version: Index,
}

impl MapStore {
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Slot> {
        self.positions.get(key).and_then(|position| self.slots.get(position))
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// In insertion order.
    pub(crate) fn slots(&self) -> impl DoubleEndedIterator<Item = &Slot> {
        self.slots.values()
    }

    pub(super) fn query(&self, query: &MapQuery) -> Answer {
        Answer(match query {
            MapQuery::Get(keys) => {
                let found = keys.iter().filter_map(|key| self.get(key));
                Content::Entries(found.map(|slot| (slot.key.clone(), slot.value.clone())).collect())
            }
            MapQuery::Len => Content::Count(self.slots.len() as u64),
        })
    }

    /// Runs one command. Of the changes, there is one per entry touched, in the order given.
    pub(super) fn execute(
        &mut self,
        index: Index,
        command: MapCommand,
        changes: &mut Vec<MapChange>,
    ) -> Answer {
        Answer(match command {
            MapCommand::Set(entries) => Content::Entries(self.set(index, entries, changes)),
            MapCommand::Insert(entries) => Content::Entries(self.insert(index, entries, changes)),
            MapCommand::UpdateIf { key, value, expected } => {
                let holds = self.get(&key).is_some_and(|slot| slot.value == expected);
                Content::Flag(holds && self.write(index, key, value, changes).is_some())
            }
            MapCommand::UpdateIfVersion { key, value, version } => {
                let holds = self.get(&key).is_some_and(|slot| slot.version == version);
                Content::Flag(holds && self.write(index, key, value, changes).is_some())
            }
            MapCommand::Remove(keys) => Content::Entries(self.remove(&keys, changes)),
            MapCommand::RemoveIf { key, expected } => {
                let holds = self.get(&key).is_some_and(|slot| slot.value == expected);
                Content::Flag(holds && !self.remove(&[key], changes).is_empty())
            }
            MapCommand::Delete(keys) => {
                let removed = self.remove(&keys, changes);
                Content::Keys(removed.into_iter().map(|(key, _)| key).collect())
            }
            MapCommand::Clear => Content::Count(self.clear(changes)),
        })
    }

    pub(super) fn digest(&self, name: &str) -> Digest {
        Digest::of(Kind::Map)
            .bytes(name.as_bytes())
            .number(self.next_position)
            .number(self.digest.get())
    }

    /// The previous values, of those that had one.
    fn set(
        &mut self,
        index: Index,
        entries: Vec<(Bytes, Bytes)>,
        changes: &mut Vec<MapChange>,
    ) -> Vec<(Bytes, Bytes)> {
        let mut previous = Vec::new();
        for (key, value) in entries {
            if let Some(old) = self.write(index, key.clone(), value, changes) {
                previous.push((key, old));
            }
        }
        previous
    }

    /// The values in the way, which stay.
    fn insert(
        &mut self,
        index: Index,
        entries: Vec<(Bytes, Bytes)>,
        changes: &mut Vec<MapChange>,
    ) -> Vec<(Bytes, Bytes)> {
        let mut existing = Vec::new();
        for (key, value) in entries {
            match self.get(&key) {
                Some(slot) => existing.push((key, slot.value.clone())),
                None => {
                    self.write(index, key, value, changes);
                }
            }
        }
        existing
    }

    fn remove(&mut self, keys: &[Bytes], changes: &mut Vec<MapChange>) -> Vec<(Bytes, Bytes)> {
        let mut removed = Vec::new();
        for key in keys {
            let Some(position) = self.positions.remove(key) else { continue };
            let slot = self.slots.remove(&position).expect("every position has a slot");
            self.digest.remove(slot.digest(position));
            changes.push(MapChange::Remove { key: slot.key.clone(), value: slot.value.clone() });
            removed.push((slot.key, slot.value));
        }
        removed
    }

    /// How many entries there were. Nothing changes, and nothing is reported, if there were none.
    fn clear(&mut self, changes: &mut Vec<MapChange>) -> u64 {
        let removed = self.slots.len() as u64;
        if removed > 0 {
            *self = Self { next_position: self.next_position, ..Self::default() };
            changes.push(MapChange::Clear);
        }
        removed
    }

    /// Writes one entry: a key that is there keeps its position. The previous value, if any.
    fn write(
        &mut self,
        version: Index,
        key: Bytes,
        value: Bytes,
        changes: &mut Vec<MapChange>,
    ) -> Option<Bytes> {
        if let Some(&position) = self.positions.get(&key) {
            let slot = self.slots.get_mut(&position).expect("every position has a slot");
            self.digest.remove(slot.digest(position));
            let old = core::mem::replace(&mut slot.value, value.clone());
            slot.version = version;
            self.digest.add(slot.digest(position));
            changes.push(MapChange::Update { key, old: old.clone(), new: value });
            return Some(old);
        }
        let position = self.next_position;
        self.next_position += 1;
        let slot = Slot { key: key.clone(), value: value.clone(), version };
        self.digest.add(slot.digest(position));
        self.slots.insert(position, slot);
        self.positions.insert(key.clone(), position);
        changes.push(MapChange::Insert { key, value });
        None
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
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec;

    use super::super::draws::Draws;
    use super::*;

    fn bytes(text: &str) -> Bytes {
        text.as_bytes().into()
    }

    fn pairs(entries: &[(&str, &str)]) -> Vec<(Bytes, Bytes)> {
        entries.iter().map(|(key, value)| (bytes(key), bytes(value))).collect()
    }

    fn keys(keys: &[&str]) -> Vec<Bytes> {
        keys.iter().map(|key| bytes(key)).collect()
    }

    fn run(map: &mut MapStore, index: u64, command: MapCommand) -> (String, String) {
        let mut changes = Vec::new();
        let answer = map.execute(Index::new(index), command, &mut changes);
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        (answer.to_string(), changes.join("; "))
    }

    fn content(map: &MapStore) -> String {
        map.query(&MapQuery::Get(map.slots().map(|slot| slot.key.clone()).collect())).to_string()
    }

    /// The digest, from the state alone.
    fn digest_anew(map: &MapStore) -> SetDigest {
        let mut digest = SetDigest::default();
        for (position, slot) in &map.slots {
            digest.add(slot.digest(*position));
        }
        digest
    }

    #[test]
    fn each_operation_answers_and_reports_what_it_did() {
        use MapCommand::{Clear, Delete, Insert, Remove, RemoveIf, Set, UpdateIf, UpdateIfVersion};

        let update_if = |key, value, expected| UpdateIf {
            key: bytes(key),
            value: bytes(value),
            expected: bytes(expected),
        };
        let update_at = |key, value, version| UpdateIfVersion {
            key: bytes(key),
            value: bytes(value),
            version: Index::new(version),
        };
        let remove_if = |key, expected| RemoveIf { key: bytes(key), expected: bytes(expected) };
        // Command, answer, changes, what the map then holds. The n-th command is entry n.
        #[rustfmt::skip]
        let script = [
            (Clear, "0", "", r#"{}"#),
            (Set(pairs(&[("a", "1"), ("", ""), ("c", "3")])), "{}", r#"insert "a" = "1"; insert "" = ""; insert "c" = "3""#, r#"{"a" = "1", "" = "", "c" = "3"}"#),
            (Set(pairs(&[("a", "1")])), r#"{"a" = "1"}"#, r#"update "a" = "1", was "1""#, r#"{"a" = "1", "" = "", "c" = "3"}"#),
            (Set(pairs(&[("d", "4"), ("d", "5")])), r#"{"d" = "4"}"#, r#"insert "d" = "4"; update "d" = "5", was "4""#, r#"{"a" = "1", "" = "", "c" = "3", "d" = "5"}"#),
            (Insert(pairs(&[("", "x"), ("e", ""), ("e", "6")])), r#"{"" = "", "e" = ""}"#, r#"insert "e" = """#, r#"{"a" = "1", "" = "", "c" = "3", "d" = "5", "e" = ""}"#),
            (Remove(keys(&["a", "z", "a", ""])), r#"{"a" = "1", "" = ""}"#, r#"remove "a", was "1"; remove "", was """#, r#"{"c" = "3", "d" = "5", "e" = ""}"#),
            (Insert(pairs(&[("a", "7")])), "{}", r#"insert "a" = "7""#, r#"{"c" = "3", "d" = "5", "e" = "", "a" = "7"}"#),
            (update_if("c", "8", "2"), "false", "", r#"{"c" = "3", "d" = "5", "e" = "", "a" = "7"}"#),
            (update_if("z", "8", ""), "false", "", r#"{"c" = "3", "d" = "5", "e" = "", "a" = "7"}"#),
            (update_if("c", "8", "3"), "true", r#"update "c" = "8", was "3""#, r#"{"c" = "8", "d" = "5", "e" = "", "a" = "7"}"#),
            (update_if("e", "", ""), "true", r#"update "e" = "", was """#, r#"{"c" = "8", "d" = "5", "e" = "", "a" = "7"}"#),
            (update_at("c", "9", 2), "false", "", r#"{"c" = "8", "d" = "5", "e" = "", "a" = "7"}"#),
            (update_at("z", "9", 0), "false", "", r#"{"c" = "8", "d" = "5", "e" = "", "a" = "7"}"#),
            (update_at("c", "9", 10), "true", r#"update "c" = "9", was "8""#, r#"{"c" = "9", "d" = "5", "e" = "", "a" = "7"}"#),
            (update_at("c", "0", 10), "false", "", r#"{"c" = "9", "d" = "5", "e" = "", "a" = "7"}"#),
            (update_at("c", "0", 14), "true", r#"update "c" = "0", was "9""#, r#"{"c" = "0", "d" = "5", "e" = "", "a" = "7"}"#),
            (remove_if("d", "4"), "false", "", r#"{"c" = "0", "d" = "5", "e" = "", "a" = "7"}"#),
            (remove_if("d", "5"), "true", r#"remove "d", was "5""#, r#"{"c" = "0", "e" = "", "a" = "7"}"#),
            (remove_if("d", "5"), "false", "", r#"{"c" = "0", "e" = "", "a" = "7"}"#),
            (remove_if("e", ""), "true", r#"remove "e", was """#, r#"{"c" = "0", "a" = "7"}"#),
            (Delete(keys(&["z", "a", "a"])), r#"{"a"}"#, r#"remove "a", was "7""#, r#"{"c" = "0"}"#),
            (Set(pairs(&[])), "{}", "", r#"{"c" = "0"}"#),
            (Delete(keys(&["z"])), "{}", "", r#"{"c" = "0"}"#),
            (Set(pairs(&[("b", "1")])), "{}", r#"insert "b" = "1""#, r#"{"c" = "0", "b" = "1"}"#),
            (Clear, "2", "clear", r#"{}"#),
            (Clear, "0", "", r#"{}"#),
        ];
        let mut map = MapStore::default();
        for (index, (command, answer, changes, holds)) in (1..).zip(script) {
            let shown = alloc::format!("{index}: {command:?}");
            let (was_answered, was_changed) = run(&mut map, index, command);
            assert_eq!((&*was_answered, &*was_changed), (answer, changes), "{shown}");
            assert_eq!(content(&map), holds, "{shown}");
            assert_eq!(map.digest, digest_anew(&map), "{shown}");
        }
    }

    #[test]
    fn queries_answer_in_the_order_asked() {
        let mut map = MapStore::default();
        run(&mut map, 1, MapCommand::Set(pairs(&[("a", "1"), ("b", ""), ("", "0")])));
        let query = MapQuery::Get(keys(&["", "z", "b", "b"]));
        assert_eq!(map.query(&query).to_string(), r#"{"" = "0", "b" = "", "b" = ""}"#);
        assert_eq!(map.query(&MapQuery::Len).to_string(), "3");
    }

    #[test]
    fn the_digest_tells_apart_values_order_versions_and_what_comes_next() {
        let digest = |commands: &[MapCommand]| {
            let mut map = MapStore::default();
            for (index, command) in (1..).zip(commands) {
                run(&mut map, index, command.clone());
            }
            map.digest("m")
        };
        let set = |entries| MapCommand::Set(pairs(entries));
        let noop = || set(&[]);
        let states = [
            digest(&[]),
            digest(&[set(&[("a", "1")])]),
            digest(&[set(&[("a", "2")])]),
            digest(&[noop(), set(&[("a", "1")])]),
            digest(&[set(&[("a", "1"), ("b", "2")])]),
            digest(&[set(&[("b", "2"), ("a", "1")])]),
            digest(&[set(&[("a", "1")]), MapCommand::Clear]),
            MapStore::default().digest("n"),
        ];
        for (position, state) in states.iter().enumerate() {
            assert!(!states[..position].contains(state), "state {position}");
        }
    }

    #[test]
    fn random_operations_agree_with_a_plain_list() {
        let mut draws = Draws::new(1);
        let mut map = MapStore::default();
        let mut list: Vec<(Bytes, Bytes)> = Vec::new();
        for index in 1..3000 {
            let key = bytes(&draws.below(12).to_string());
            let value = bytes(&draws.below(3).to_string());
            let place = list.iter().position(|(listed, _)| *listed == key);
            let command = match draws.below(20) {
                0 => {
                    list.clear();
                    MapCommand::Clear
                }
                1..8 => {
                    match place {
                        Some(place) => list[place].1 = value.clone(),
                        None => list.push((key.clone(), value.clone())),
                    }
                    MapCommand::Set(vec![(key, value)])
                }
                8..12 => {
                    if place.is_none() {
                        list.push((key.clone(), value.clone()));
                    }
                    MapCommand::Insert(vec![(key, value)])
                }
                12..16 => {
                    if let Some(place) = place.filter(|place| list[*place].1 == value) {
                        list[place].1 = bytes("updated");
                    }
                    MapCommand::UpdateIf { key, value: bytes("updated"), expected: value }
                }
                _ => {
                    place.map(|place| list.remove(place));
                    MapCommand::Remove(vec![key])
                }
            };
            run(&mut map, index, command);
            let held: Vec<_> =
                map.slots().map(|slot| (slot.key.clone(), slot.value.clone())).collect();
            assert_eq!(held, list, "after {index}");
            assert_eq!(map.digest, digest_anew(&map), "after {index}");
            assert_eq!(map.positions.len(), map.len(), "after {index}");
        }
    }
}
