//! The reference: what a map does when one operation happens after another.

use super::entries::{Entries, found, pairs};
use super::{Answered, EntryChange};
use crate::history::MapOperation;

/// Runs one operation; tells each change it makes, in order.
pub(super) fn apply<'a>(
    map: &mut Entries<'a>,
    operation: &'a MapOperation,
    changed: &mut impl FnMut(EntryChange<'a>),
) -> Answered<'a> {
    match operation {
        MapOperation::Set { key, value } => Answered::Value(map.write(key, value, changed)),
        MapOperation::SetAll { entries } => {
            Answered::Entries(pairs(entries, |key, value| map.write(key, value, changed)))
        }
        MapOperation::Insert { key, value } => Answered::Value(map.insert(key, value, changed)),
        MapOperation::InsertAll { entries } => {
            Answered::Entries(pairs(entries, |key, value| map.insert(key, value, changed)))
        }
        MapOperation::UpdateIf { key, value, expected } => {
            let holds = map.holds(key, expected);
            if holds {
                map.write(key, value, changed);
            }
            Answered::Flag(holds)
        }
        MapOperation::Remove { key } => Answered::Value(map.remove(key, changed)),
        MapOperation::RemoveAll { keys } => {
            Answered::Entries(found(keys, |key| map.remove(key, changed)))
        }
        MapOperation::RemoveIf { key, expected } => {
            let holds = map.holds(key, expected);
            Answered::Flag(holds && map.remove(key, changed).is_some())
        }
        MapOperation::Delete { key } => Answered::Flag(map.remove(key, changed).is_some()),
        MapOperation::DeleteAll { keys } => {
            let removed = found(keys, |key| map.remove(key, changed));
            Answered::Keys(removed.into_iter().map(|(key, _)| key).collect())
        }
        MapOperation::Clear => Answered::Count(map.clear(changed)),
        MapOperation::Read { key } => Answered::Value(map.get(key)),
        MapOperation::ReadAll { keys } => Answered::Entries(found(keys, |key| map.get(key))),
        MapOperation::ReadLen => Answered::Count(map.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_follows;
    use super::*;
    use crate::history::{CallResult, Model, Operation};

    fn text(text: &str) -> String {
        text.to_owned()
    }

    fn keys(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| text(key)).collect()
    }

    fn entries(entries: &[(&str, &str)]) -> Vec<(String, String)> {
        entries.iter().map(|(key, value)| (text(key), text(value))).collect()
    }

    /// Every method, one after the other on the same map, with its answer and its changes.
    #[test]
    fn every_operation_answers_and_changes_as_the_map_promises() {
        use CallResult as Result;
        use MapOperation as Op;
        let set = |key, value| Op::Set { key: text(key), value: text(value) };
        let insert = |key, value| Op::Insert { key: text(key), value: text(value) };
        let script = [
            (set("a", "1"), Result::Value(None), "insert \"a\" = \"1\""),
            (set("a", "1"), Result::Value(Some(text("1"))), "update \"a\" = \"1\", was \"1\""),
            (insert("a", "2"), Result::Value(Some(text("1"))), ""),
            (insert("", ""), Result::Value(None), "insert \"\" = \"\""),
            (
                Op::SetAll { entries: entries(&[("b", "3"), ("", "4"), ("b", "5")]) },
                Result::Entries(entries(&[("", ""), ("b", "3")])),
                "insert \"b\" = \"3\"; update \"\" = \"4\", was \"\"; \
                 update \"b\" = \"5\", was \"3\"",
            ),
            (
                Op::InsertAll { entries: entries(&[("b", "6"), ("c", "7"), ("c", "8")]) },
                Result::Entries(entries(&[("b", "5"), ("c", "7")])),
                "insert \"c\" = \"7\"",
            ),
            (
                Op::UpdateIf { key: text("c"), value: text("9"), expected: text("8") },
                Result::Flag(false),
                "",
            ),
            (
                Op::UpdateIf { key: text("c"), value: text("9"), expected: text("7") },
                Result::Flag(true),
                "update \"c\" = \"9\", was \"7\"",
            ),
            (
                Op::UpdateIf { key: text("z"), value: text("9"), expected: text("") },
                Result::Flag(false),
                "",
            ),
            (Op::ReadLen, Result::Count(4), ""),
            (
                Op::ReadAll { keys: keys(&["c", "z", "a"]) },
                Result::Entries(entries(&[("c", "9"), ("a", "1")])),
                "",
            ),
            (Op::RemoveIf { key: text("c"), expected: text("7") }, Result::Flag(false), ""),
            (
                Op::RemoveIf { key: text("c"), expected: text("9") },
                Result::Flag(true),
                "remove \"c\", was \"9\"",
            ),
            (Op::Remove { key: text("c") }, Result::Value(None), ""),
            (
                Op::Remove { key: text("") },
                Result::Value(Some(text("4"))),
                "remove \"\", was \"4\"",
            ),
            (
                Op::RemoveAll { keys: keys(&["a", "a", "z"]) },
                Result::Entries(entries(&[("a", "1")])),
                "remove \"a\", was \"1\"",
            ),
            (Op::Delete { key: text("a") }, Result::Flag(false), ""),
            (Op::Delete { key: text("b") }, Result::Flag(true), "remove \"b\", was \"5\""),
            (Op::Clear, Result::Count(0), ""),
            (set("d", "1"), Result::Value(None), "insert \"d\" = \"1\""),
            (set("e", "2"), Result::Value(None), "insert \"e\" = \"2\""),
            (
                Op::DeleteAll { keys: keys(&["z", "e"]) },
                Result::Keys(keys(&["e"])),
                "remove \"e\", was \"2\"",
            ),
            (Op::Read { key: text("d") }, Result::Value(Some(text("1"))), ""),
            (Op::Clear, Result::Count(1), "clear"),
            (Op::ReadLen, Result::Count(0), ""),
        ];
        for model in [Model::Map, Model::RemoteMap] {
            let wrap = |operation: &Op| match model {
                Model::RemoteMap => Operation::RemoteMap(operation.clone()),
                Model::Map | Model::Queue | Model::Record => Operation::Map(operation.clone()),
            };
            let table: Vec<_> = script
                .iter()
                .map(|(operation, result, changes)| (wrap(operation), result.clone(), *changes))
                .collect();
            assert_follows(model, &table);
        }
    }
}
