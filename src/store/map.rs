//! The replicated map: keys and values are bytes, kept in the order in which keys were inserted.

use super::answer::{Answer, Content};
use super::collections::CollectionRef;
use super::command::{MapCommand, MapQuery};
use super::keyed::Entries;

/// Reads a map. One that no command has named reads as an empty one.
pub(super) fn query(map: Option<CollectionRef<'_>>, query: &MapQuery) -> Answer {
    Answer(match query {
        MapQuery::Get(keys) => {
            let found = keys.iter().filter_map(|key| map.and_then(|map| map.get(key)));
            Content::Entries(found.map(|slot| (slot.key.clone(), slot.value.clone())).collect())
        }
        MapQuery::Len => Content::Count(map.map_or(0, CollectionRef::len)),
    })
}

/// Runs a command on a map.
pub(super) fn execute(map: &mut Entries<'_>, command: MapCommand) -> Answer {
    Answer(match command {
        MapCommand::Set(entries) => Content::Entries(map.set(entries)),
        MapCommand::Insert(entries) => Content::Entries(map.insert(entries)),
        MapCommand::UpdateIf { key, value, expected } => {
            let holds = map.holds(&key, &expected);
            Content::Flag(holds && map.write(key, value).is_some())
        }
        MapCommand::UpdateIfVersion { key, value, version } => {
            let holds = map.collection.get(&key).is_some_and(|slot| slot.version == version);
            Content::Flag(holds && map.write(key, value).is_some())
        }
        MapCommand::Remove(keys) => Content::Entries(map.remove(&keys)),
        MapCommand::RemoveIf { key, expected } => {
            let holds = map.holds(&key, &expected);
            Content::Flag(holds && !map.remove(&[key]).is_empty())
        }
        MapCommand::Delete(keys) => {
            let removed = map.remove(&keys);
            Content::Keys(removed.into_iter().map(|(key, _)| key).collect())
        }
        MapCommand::Clear => Content::Count(map.clear()),
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec;
    use alloc::vec::Vec;

    use super::super::collections::{CollectionMut, Collections};
    use super::super::draws::Draws;
    use super::super::kind::CollectionKind;
    use super::super::name::Name;
    use super::*;
    use crate::bytes::Bytes;
    use crate::types::Index;

    fn bytes(text: &str) -> Bytes {
        text.as_bytes().into()
    }

    fn pairs(entries: &[(&str, &str)]) -> Vec<(Bytes, Bytes)> {
        entries.iter().map(|(key, value)| (bytes(key), bytes(value))).collect()
    }

    fn keys(keys: &[&str]) -> Vec<Bytes> {
        keys.iter().map(|key| bytes(key)).collect()
    }

    /// Runs a command on the map "m".
    fn run(maps: &mut Collections, index: u64, command: MapCommand) -> (String, String) {
        let name = Name::new("m").expect("short");
        let edit = |collection: CollectionMut<'_>| {
            let index = Index::new(index);
            let mut entries = Entries { collection, index, changes: Vec::new() };
            (execute(&mut entries, command), entries.changes)
        };
        let (answer, changes) = maps.edit(&name, CollectionKind::Map, edit).expect("a map");
        maps.check();
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        (answer.to_string(), changes.join("; "))
    }

    fn held(maps: &Collections) -> Vec<(Bytes, Bytes)> {
        let slots = maps.get("m").into_iter().flat_map(CollectionRef::slots);
        slots.map(|slot| (slot.key.clone(), slot.value.clone())).collect()
    }

    fn content(maps: &Collections) -> String {
        let keys = held(maps).into_iter().map(|(key, _)| key).collect();
        query(maps.get("m"), &MapQuery::Get(keys)).to_string()
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
        let mut maps = Collections::new();
        for (index, (command, answer, changes, holds)) in (1..).zip(script) {
            let shown = alloc::format!("{index}: {command:?}");
            let (was_answered, was_changed) = run(&mut maps, index, command);
            assert_eq!((&*was_answered, &*was_changed), (answer, changes), "{shown}");
            assert_eq!(content(&maps), holds, "{shown}");
        }
    }

    #[test]
    fn queries_answer_in_the_order_asked() {
        let mut maps = Collections::new();
        assert_eq!(query(maps.get("m"), &MapQuery::Len).to_string(), "0");
        run(&mut maps, 1, MapCommand::Set(pairs(&[("a", "1"), ("b", ""), ("", "0")])));
        let get = MapQuery::Get(keys(&["", "z", "b", "b"]));
        let answer = query(maps.get("m"), &get);
        assert_eq!(answer.to_string(), r#"{"" = "0", "b" = "", "b" = ""}"#);
        assert_eq!(query(maps.get("m"), &MapQuery::Len).to_string(), "3");
    }

    #[test]
    fn the_digest_tells_apart_values_order_versions_and_what_comes_next() {
        let digest = |commands: &[MapCommand]| {
            let mut maps = Collections::new();
            for (index, command) in (1..).zip(commands) {
                run(&mut maps, index, command.clone());
            }
            maps.digest()
        };
        let other_name = || {
            let mut maps = Collections::new();
            maps.edit(&Name::new("n").expect("short"), CollectionKind::Map, |_| ()).expect("new");
            maps.digest()
        };
        let set = |entries| MapCommand::Set(pairs(entries));
        let noop = || set(&[]);
        let states = [
            digest(&[]),
            digest(&[noop()]),
            digest(&[set(&[("a", "1")])]),
            digest(&[set(&[("a", "2")])]),
            digest(&[noop(), set(&[("a", "1")])]),
            digest(&[set(&[("a", "1"), ("b", "2")])]),
            digest(&[set(&[("b", "2"), ("a", "1")])]),
            digest(&[set(&[("a", "1")]), MapCommand::Clear]),
            other_name(),
        ];
        for (position, state) in states.iter().enumerate() {
            assert!(!states[..position].contains(state), "state {position}");
        }
    }

    #[test]
    fn random_operations_agree_with_a_plain_list() {
        let mut draws = Draws::new(1);
        let mut maps = Collections::new();
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
            run(&mut maps, index, command);
            assert_eq!(held(&maps), list, "after {index}");
            if draws.below(4) == 0 {
                let left = maps.spend(&mut draws.below(6));
                maps.check();
                assert!(left || maps.spend(&mut 0) == left, "after {index}");
            }
        }
    }
}
