//! The reference: what a map does when one operation happens after another.

use std::collections::BTreeMap;
use std::fmt;

use crate::history::{MapOperation, MapResult};

/// One map, as it would be in a single process.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MapModel<'a> {
    entries: BTreeMap<&'a str, &'a str>,
}

/// What an operation answers: a [`MapResult`] that borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered<'a> {
    Value(Option<&'a str>),
    Entries(Vec<(&'a str, &'a str)>),
    Keys(Vec<&'a str>),
    Flag(bool),
    Count(u64),
}

/// How an operation changes one entry, or empties the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    Insert { key: &'a str, value: &'a str },
    Update { key: &'a str, old: &'a str, new: &'a str },
    Remove { key: &'a str, value: &'a str },
    Clear,
}

impl<'a> MapModel<'a> {
    /// Runs one operation; tells each change it makes, in order.
    pub(crate) fn apply(
        &mut self,
        operation: &'a MapOperation,
        mut changed: impl FnMut(Change<'a>),
    ) -> Answered<'a> {
        let changed = &mut changed;
        match operation {
            MapOperation::Set { key, value } => Answered::Value(self.write(key, value, changed)),
            MapOperation::SetAll { entries } => {
                Answered::Entries(pairs(entries, |key, value| self.write(key, value, changed)))
            }
            MapOperation::Insert { key, value } => {
                Answered::Value(self.insert(key, value, changed))
            }
            MapOperation::InsertAll { entries } => {
                Answered::Entries(pairs(entries, |key, value| self.insert(key, value, changed)))
            }
            MapOperation::UpdateIf { key, value, expected } => {
                let holds = self.holds(key, expected);
                if holds {
                    self.write(key, value, changed);
                }
                Answered::Flag(holds)
            }
            MapOperation::Remove { key } => Answered::Value(self.remove(key, changed)),
            MapOperation::RemoveAll { keys } => {
                Answered::Entries(found(keys, |key| self.remove(key, changed)))
            }
            MapOperation::RemoveIf { key, expected } => {
                let holds = self.holds(key, expected);
                Answered::Flag(holds && self.remove(key, changed).is_some())
            }
            MapOperation::Delete { key } => Answered::Flag(self.remove(key, changed).is_some()),
            MapOperation::DeleteAll { keys } => {
                let removed = found(keys, |key| self.remove(key, changed));
                Answered::Keys(removed.into_iter().map(|(key, _)| key).collect())
            }
            MapOperation::Clear => Answered::Count(self.clear(changed)),
            MapOperation::Read { key } => Answered::Value(self.get(key)),
            MapOperation::ReadAll { keys } => Answered::Entries(found(keys, |key| self.get(key))),
            MapOperation::ReadLen => Answered::Count(self.entries.len() as u64),
        }
    }

    /// Makes a change that was seen to happen; tells whether it could.
    pub(crate) fn force(&mut self, change: Change<'a>) -> bool {
        match change {
            Change::Insert { key, value } => self.entries.insert(key, value).is_none(),
            Change::Update { key, old, new } => self.entries.insert(key, new) == Some(old),
            Change::Remove { key, value } => self.entries.remove(key) == Some(value),
            Change::Clear => !std::mem::take(&mut self.entries).is_empty(),
        }
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.entries.iter().map(|(key, value)| (*key, *value))
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.entries.get(key).copied()
    }

    fn holds(&self, key: &str, expected: &str) -> bool {
        self.get(key) == Some(expected)
    }

    fn write(
        &mut self,
        key: &'a str,
        value: &'a str,
        changed: &mut impl FnMut(Change<'a>),
    ) -> Option<&'a str> {
        let old = self.entries.insert(key, value);
        changed(match old {
            Some(old) => Change::Update { key, old, new: value },
            None => Change::Insert { key, value },
        });
        old
    }

    fn insert(
        &mut self,
        key: &'a str,
        value: &'a str,
        changed: &mut impl FnMut(Change<'a>),
    ) -> Option<&'a str> {
        let existing = self.get(key);
        if existing.is_none() {
            self.write(key, value, changed);
        }
        existing
    }

    fn remove(&mut self, key: &'a str, changed: &mut impl FnMut(Change<'a>)) -> Option<&'a str> {
        let value = self.entries.remove(key)?;
        changed(Change::Remove { key, value });
        Some(value)
    }

    fn clear(&mut self, changed: &mut impl FnMut(Change<'a>)) -> u64 {
        let removed = self.entries.len() as u64;
        if removed > 0 {
            self.entries.clear();
            changed(Change::Clear);
        }
        removed
    }
}

/// The entries whose key has something to answer, in the order given.
fn pairs<'a>(
    entries: &'a [(String, String)],
    mut answer: impl FnMut(&'a str, &'a str) -> Option<&'a str>,
) -> Vec<(&'a str, &'a str)> {
    let answers = entries.iter().map(|(key, value)| (key.as_str(), answer(key, value)));
    answers.filter_map(|(key, answer)| Some((key, answer?))).collect()
}

/// The keys that have a value, in the order given.
fn found<'a>(
    keys: &'a [String],
    mut value: impl FnMut(&'a str) -> Option<&'a str>,
) -> Vec<(&'a str, &'a str)> {
    keys.iter().filter_map(|key| Some((key.as_str(), value(key)?))).collect()
}

impl PartialEq<MapResult> for Answered<'_> {
    fn eq(&self, result: &MapResult) -> bool {
        match (self, result) {
            (Self::Value(ours), MapResult::Value(theirs)) => *ours == theirs.as_deref(),
            (Self::Entries(ours), MapResult::Entries(theirs)) => {
                let theirs = theirs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                theirs.eq(ours.iter().copied())
            }
            (Self::Keys(ours), MapResult::Keys(theirs)) => ours == theirs,
            (Self::Flag(ours), MapResult::Flag(theirs)) => ours == theirs,
            (Self::Count(ours), MapResult::Count(theirs)) => ours == theirs,
            (
                Self::Value(_) | Self::Entries(_) | Self::Keys(_) | Self::Flag(_) | Self::Count(_),
                MapResult::Value(_)
                | MapResult::Entries(_)
                | MapResult::Keys(_)
                | MapResult::Flag(_)
                | MapResult::Count(_),
            ) => false,
        }
    }
}

impl From<&Answered<'_>> for MapResult {
    fn from(answered: &Answered<'_>) -> Self {
        match answered {
            Answered::Value(value) => Self::Value(value.map(str::to_owned)),
            Answered::Entries(entries) => {
                let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
                Self::Entries(entries.iter().map(owned).collect())
            }
            Answered::Keys(keys) => Self::Keys(keys.iter().map(|&key| key.to_owned()).collect()),
            Answered::Flag(flag) => Self::Flag(*flag),
            Answered::Count(count) => Self::Count(*count),
        }
    }
}

impl fmt::Display for Answered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        MapResult::from(self).fmt(f)
    }
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert { key, value } => write!(f, "insert {key:?} = {value:?}"),
            Self::Update { key, old, new } => write!(f, "update {key:?} = {new:?}, was {old:?}"),
            Self::Remove { key, value } => write!(f, "remove {key:?}, was {value:?}"),
            Self::Clear => f.write_str("clear"),
        }
    }
}

impl fmt::Display for MapModel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.entries).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        use MapOperation as Op;
        use MapResult as Result;
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
        let mut model = MapModel::default();
        let mut replica = MapModel::default();
        for (operation, result, changes) in &script {
            let mut seen = Vec::new();
            let answered = model.apply(operation, |change| seen.push(change));
            assert_eq!(&answered, result, "{operation}");
            let shown: Vec<String> = seen.iter().map(ToString::to_string).collect();
            assert_eq!(shown.join("; "), *changes, "{operation}");
            assert!(seen.into_iter().all(|change| replica.force(change)), "{operation}");
            assert_eq!(model, replica, "{operation}");
        }
    }

    #[test]
    fn a_change_that_does_not_fit_cannot_be_forced() {
        let full = || {
            let mut model = MapModel::default();
            assert!(model.force(Change::Insert { key: "a", value: "1" }));
            model
        };
        assert!(!full().force(Change::Insert { key: "a", value: "2" }));
        assert!(!full().force(Change::Update { key: "a", old: "2", new: "3" }));
        assert!(!full().force(Change::Remove { key: "a", value: "2" }));
        assert!(!full().force(Change::Remove { key: "b", value: "1" }));
        assert!(!MapModel::default().force(Change::Clear));
    }
}
