//! Named values: what both maps and records are made of.

use std::collections::BTreeMap;
use std::fmt;

/// Values by key, or by the name of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entries<'a>(BTreeMap<&'a str, &'a str>);

/// How an operation changes one entry, or takes all of them away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryChange<'a> {
    Insert { key: &'a str, value: &'a str },
    Update { key: &'a str, old: &'a str, new: &'a str },
    Remove { key: &'a str, value: &'a str },
    Clear,
}

impl<'a> Entries<'a> {
    /// Makes a change that was seen to happen; tells whether it could.
    pub(super) fn force(&mut self, change: EntryChange<'a>) -> bool {
        match change {
            EntryChange::Insert { key, value } => self.0.insert(key, value).is_none(),
            EntryChange::Update { key, old, new } => self.0.insert(key, new) == Some(old),
            EntryChange::Remove { key, value } => self.0.remove(key) == Some(value),
            EntryChange::Clear => !std::mem::take(&mut self.0).is_empty(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().map(|(key, value)| (*key, *value))
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).copied()
    }

    pub(super) fn holds(&self, key: &str, expected: &str) -> bool {
        self.get(key) == Some(expected)
    }

    pub(super) fn write(
        &mut self,
        key: &'a str,
        value: &'a str,
        changed: &mut impl FnMut(EntryChange<'a>),
    ) -> Option<&'a str> {
        let old = self.0.insert(key, value);
        changed(match old {
            Some(old) => EntryChange::Update { key, old, new: value },
            None => EntryChange::Insert { key, value },
        });
        old
    }

    pub(super) fn insert(
        &mut self,
        key: &'a str,
        value: &'a str,
        changed: &mut impl FnMut(EntryChange<'a>),
    ) -> Option<&'a str> {
        let existing = self.get(key);
        if existing.is_none() {
            self.write(key, value, changed);
        }
        existing
    }

    pub(super) fn remove(
        &mut self,
        key: &'a str,
        changed: &mut impl FnMut(EntryChange<'a>),
    ) -> Option<&'a str> {
        let value = self.0.remove(key)?;
        changed(EntryChange::Remove { key, value });
        Some(value)
    }

    pub(super) fn clear(&mut self, changed: &mut impl FnMut(EntryChange<'a>)) -> u64 {
        let removed = self.len();
        if removed > 0 {
            self.0.clear();
            changed(EntryChange::Clear);
        }
        removed
    }
}

/// The entries whose key has something to answer, in the order given.
pub(super) fn pairs<'a>(
    entries: &'a [(String, String)],
    mut answer: impl FnMut(&'a str, &'a str) -> Option<&'a str>,
) -> Vec<(&'a str, &'a str)> {
    let answers = entries.iter().map(|(key, value)| (key.as_str(), answer(key, value)));
    answers.filter_map(|(key, answer)| Some((key, answer?))).collect()
}

/// The keys that have a value, in the order given.
pub(super) fn found<'a>(
    keys: &'a [String],
    mut value: impl FnMut(&'a str) -> Option<&'a str>,
) -> Vec<(&'a str, &'a str)> {
    keys.iter().filter_map(|key| Some((key.as_str(), value(key)?))).collect()
}

impl fmt::Display for EntryChange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert { key, value } => write!(f, "insert {key:?} = {value:?}"),
            Self::Update { key, old, new } => write!(f, "update {key:?} = {new:?}, was {old:?}"),
            Self::Remove { key, value } => write!(f, "remove {key:?}, was {value:?}"),
            Self::Clear => f.write_str("clear"),
        }
    }
}

impl fmt::Display for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_does_not_fit_cannot_be_forced() {
        let full = || {
            let mut entries = Entries::default();
            assert!(entries.force(EntryChange::Insert { key: "a", value: "1" }));
            entries
        };
        assert!(!full().force(EntryChange::Insert { key: "a", value: "2" }));
        assert!(!full().force(EntryChange::Update { key: "a", old: "2", new: "3" }));
        assert!(!full().force(EntryChange::Remove { key: "a", value: "2" }));
        assert!(!full().force(EntryChange::Remove { key: "b", value: "1" }));
        assert!(!Entries::default().force(EntryChange::Clear));
    }
}
