//! Operations on an outside store, and what they answer.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::change::EntryChange;
use crate::bytes::Bytes;

/// Something to be done to the entries that an outside store keeps for one
/// [`RemoteMap`](crate::RemoteMap): all of it in one transaction, or nothing.
///
/// The order is that of the codes in the log: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RemoteOperation {
    /// Gives each key its value, one after the other. Answers [`RemoteAnswer::Values`]: what each had
    /// before.
    Set(Vec<(Bytes, Bytes)>),
    /// Gives each key its value unless it has one. Answers [`RemoteAnswer::Values`]: the value that was
    /// in the way and stays, or none where this one was inserted.
    Insert(Vec<(Bytes, Bytes)>),
    /// Gives a key the value if the one it has is the expected one. Answers [`RemoteAnswer::Flags`]:
    /// one, whether it did.
    UpdateIf {
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
        /// What it must have.
        expected: Bytes,
    },
    /// Takes keys out. Answers [`RemoteAnswer::Values`]: what each had.
    Remove(Vec<Bytes>),
    /// Takes a key out if its value is the expected one. Answers [`RemoteAnswer::Flags`]: one, whether
    /// it did.
    RemoveIf {
        /// The key.
        key: Bytes,
        /// What it must have.
        expected: Bytes,
    },
    /// Takes keys out. Answers [`RemoteAnswer::Flags`]: whether each had a value.
    Delete(Vec<Bytes>),
    /// Takes all entries out, and leaves the map's row alone. Answers [`RemoteAnswer::Count`]: how many
    /// there were.
    Clear,
    /// Does nothing to the entries: the call is made for the sake of its [`Fence`](crate::Fence).
    /// Answers [`RemoteAnswer::Nothing`].
    Adopt,
}

/// A read of the entries that an outside store keeps for one [`RemoteMap`](crate::RemoteMap).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteQuery {
    /// The values of these keys. Answers [`RemoteAnswer::Values`].
    Get(Vec<Bytes>),
    /// How many entries there are. Answers [`RemoteAnswer::Count`].
    Len,
    /// Some of the keys, about as many as `limit`, in an order of the store's own. Answers
    /// [`RemoteAnswer::Keys`].
    Keys {
        /// Where to go on: what the page before gave as `next`; none for the first.
        cursor: Option<Bytes>,
        /// About how many.
        limit: u64,
    },
    /// Some of the entries, about as many as `limit`, in an order of the store's own. Answers
    /// [`RemoteAnswer::Entries`].
    Entries {
        /// Where to go on: what the page before gave as `next`; none for the first.
        cursor: Option<Bytes>,
        /// About how many.
        limit: u64,
    },
}

/// What an outside store answers. The order is that of the codes in the log: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RemoteAnswer {
    /// For something that has nothing to tell.
    Nothing,
    /// For each key in the order asked, its value or none.
    Values(Vec<Option<Bytes>>),
    /// For each key in the order asked, yes or no.
    Flags(Vec<bool>),
    /// How many.
    Count(u64),
    /// A page of keys, and where the next one begins; none after the last.
    Keys {
        /// The keys.
        keys: Vec<Bytes>,
        /// The cursor of the next page.
        next: Option<Bytes>,
    },
    /// A page of entries, and where the next one begins; none after the last.
    Entries {
        /// The entries.
        entries: Vec<(Bytes, Bytes)>,
        /// The cursor of the next page.
        next: Option<Bytes>,
    },
    /// It was done, and what it answers is larger than an entry of the log may be, and is not carried.
    /// It fits every operation. The asker is told
    /// [`Unknown::ResultForgotten`](crate::Unknown::ResultForgotten), and no changes are reported.
    TooLarge {
        /// How many bytes of keys and values it has.
        bytes: u64,
    },
}

/// How an outside store says that it refused an operation for good: a text of its own, of which at most
/// 1 KiB is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct StoreError(String);

/// The end of an operation on an outside store, the same however often it is asked for. The order is
/// that of the codes in the log: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RemoteOutcome {
    /// It was done, and this is what it answers.
    Done(RemoteAnswer),
    /// The store refused it for good, and changed nothing.
    Failed(StoreError),
}

impl RemoteOperation {
    /// How many bytes of keys and values it holds.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Set(entries) | Self::Insert(entries) => {
                entries.iter().map(|(key, value)| key.len_u64() + value.len_u64()).sum()
            }
            Self::UpdateIf { key, value, expected } => {
                key.len_u64() + value.len_u64() + expected.len_u64()
            }
            Self::Remove(keys) | Self::Delete(keys) => keys.iter().map(Bytes::len_u64).sum(),
            Self::RemoveIf { key, expected } => key.len_u64() + expected.len_u64(),
            Self::Clear | Self::Adopt => 0,
        }
    }

    /// Whether the answer is of the kind, and the length, that the operation has, or
    /// [too large](RemoteAnswer::TooLarge).
    #[must_use]
    pub fn may_answer(&self, answer: &RemoteAnswer) -> bool {
        match (self, answer) {
            (Self::Set(entries) | Self::Insert(entries), RemoteAnswer::Values(values)) => {
                entries.len() == values.len()
            }
            (Self::Remove(keys), RemoteAnswer::Values(values)) => keys.len() == values.len(),
            (Self::Delete(keys), RemoteAnswer::Flags(flags)) => keys.len() == flags.len(),
            (Self::UpdateIf { .. } | Self::RemoveIf { .. }, RemoteAnswer::Flags(flags)) => {
                flags.len() == 1
            }
            (Self::Clear, RemoteAnswer::Count(_))
            | (Self::Adopt, RemoteAnswer::Nothing)
            | (_, RemoteAnswer::TooLarge { .. }) => true,
            (
                Self::Set(_)
                | Self::Insert(_)
                | Self::UpdateIf { .. }
                | Self::Remove(_)
                | Self::RemoveIf { .. }
                | Self::Delete(_)
                | Self::Clear
                | Self::Adopt,
                _,
            ) => false,
        }
    }

    /// What an operation that answered so has changed, entry by entry.
    pub(super) fn changes(&self, answer: &RemoteAnswer) -> Vec<EntryChange> {
        let remove = |key: &Bytes, value: &Bytes| EntryChange::Remove {
            key: key.clone(),
            value: value.clone(),
        };
        let values = match answer {
            RemoteAnswer::Values(values) => values.as_slice(),
            RemoteAnswer::Nothing
            | RemoteAnswer::Flags(_)
            | RemoteAnswer::Count(_)
            | RemoteAnswer::Keys { .. }
            | RemoteAnswer::Entries { .. }
            | RemoteAnswer::TooLarge { .. } => &[],
        };
        let did = matches!(answer, RemoteAnswer::Flags(flags) if flags.contains(&true));
        match self {
            Self::Set(entries) => {
                let written = entries.iter().zip(values);
                written.map(|((key, value), old)| written_entry(key, value, old.as_ref())).collect()
            }
            Self::Insert(entries) => {
                let inserted = entries.iter().zip(values).filter(|(_, old)| old.is_none());
                inserted.map(|((key, value), _)| written_entry(key, value, None)).collect()
            }
            Self::UpdateIf { key, value, expected } if did => {
                [written_entry(key, value, Some(expected))].into()
            }
            Self::Remove(keys) => {
                let removed = keys.iter().zip(values);
                removed.filter_map(|(key, old)| Some(remove(key, old.as_ref()?))).collect()
            }
            Self::RemoveIf { key, expected } if did => [remove(key, expected)].into(),
            Self::Clear if matches!(answer, RemoteAnswer::Count(count) if *count > 0) => {
                [EntryChange::Clear].into()
            }
            // What a deletion took out is not carried back.
            Self::Delete(_)
            | Self::UpdateIf { .. }
            | Self::RemoveIf { .. }
            | Self::Clear
            | Self::Adopt => Vec::new(),
        }
    }
}

fn written_entry(key: &Bytes, value: &Bytes, old: Option<&Bytes>) -> EntryChange {
    let (key, value) = (key.clone(), value.clone());
    match old {
        Some(old) => EntryChange::Update { key, old: old.clone(), new: value },
        None => EntryChange::Insert { key, value },
    }
}

impl RemoteQuery {
    /// How many bytes of keys it holds.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Get(keys) => keys.iter().map(Bytes::len_u64).sum(),
            Self::Len => 0,
            Self::Keys { cursor, .. } | Self::Entries { cursor, .. } => {
                cursor.as_ref().map_or(0, Bytes::len_u64)
            }
        }
    }

    /// Whether the answer is of the kind that the query has.
    #[must_use]
    pub fn may_answer(&self, answer: &RemoteAnswer) -> bool {
        match (self, answer) {
            (Self::Get(keys), RemoteAnswer::Values(values)) => keys.len() == values.len(),
            (Self::Len, RemoteAnswer::Count(_))
            | (Self::Keys { .. }, RemoteAnswer::Keys { .. })
            | (Self::Entries { .. }, RemoteAnswer::Entries { .. }) => true,
            (Self::Get(_) | Self::Len | Self::Keys { .. } | Self::Entries { .. }, _) => false,
        }
    }
}

impl RemoteAnswer {
    /// How many bytes of keys and values it holds.
    pub(crate) fn size(&self) -> u64 {
        let pages = |next: &Option<Bytes>| next.as_ref().map_or(0, Bytes::len_u64);
        match self {
            Self::Nothing | Self::Count(_) | Self::TooLarge { .. } => 0,
            Self::Values(values) => values.iter().flatten().map(Bytes::len_u64).sum(),
            Self::Flags(flags) => flags.len() as u64,
            Self::Keys { keys, next } => keys.iter().map(Bytes::len_u64).sum::<u64>() + pages(next),
            Self::Entries { entries, next } => {
                let bytes = entries.iter().map(|(key, value)| key.len_u64() + value.len_u64());
                bytes.sum::<u64>() + pages(next)
            }
        }
    }
}

impl RemoteOutcome {
    /// Bytes to be kept in a map's row, beside the data, and read back by
    /// [`decode`](RemoteOutcome::decode).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("an outcome serialises into memory")
    }

    /// The outcome that was [encoded](RemoteOutcome::encode) so, if these are such bytes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes(bytes) {
            Ok((outcome, [])) => Some(outcome),
            Ok(_) | Err(_) => None,
        }
    }
}

impl StoreError {
    /// An error of that text, cut after 1 KiB.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut end = text.len().min(MAX_ERROR_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Self(text[..end].into())
    }

    /// The error without the last so many bytes of its text, or a few more.
    pub(crate) fn shortened(&self, by: u64) -> Self {
        let by = usize::try_from(by).unwrap_or(usize::MAX);
        let mut end = self.0.len().saturating_sub(by);
        while !self.0.is_char_boundary(end) {
            end -= 1;
        }
        Self(self.0[..end].into())
    }

    /// The store's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for StoreError {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<StoreError> for String {
    fn from(error: StoreError) -> Self {
        error.0
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for StoreError {}

impl fmt::Display for RemoteOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(entries) => write!(f, "set {} entries", entries.len()),
            Self::Insert(entries) => write!(f, "insert {} entries", entries.len()),
            Self::UpdateIf { key, value, expected } => {
                write!(f, "update {key} = {value} if {expected}")
            }
            Self::Remove(keys) => write!(f, "remove {} keys", keys.len()),
            Self::RemoveIf { key, expected } => write!(f, "remove {key} if {expected}"),
            Self::Delete(keys) => write!(f, "delete {} keys", keys.len()),
            Self::Clear => f.write_str("clear"),
            Self::Adopt => f.write_str("adopt"),
        }
    }
}

impl fmt::Display for RemoteAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Values(values) => {
                let shown = values.iter().map(|value| match value {
                    Some(value) => alloc::format!("{value}"),
                    None => String::from("none"),
                });
                write!(f, "[{}]", shown.collect::<Vec<_>>().join(", "))
            }
            Self::Flags(flags) => write!(f, "{flags:?}"),
            Self::Count(count) => count.fmt(f),
            Self::Keys { keys, .. } => write!(f, "{} keys", keys.len()),
            Self::Entries { entries, .. } => write!(f, "{} entries", entries.len()),
            Self::TooLarge { bytes } => write!(f, "{bytes} bytes, too large to be carried"),
        }
    }
}

impl fmt::Display for RemoteOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(answer) => answer.fmt(f),
            Self::Failed(error) => write!(f, "failed: {error}"),
        }
    }
}

const MAX_ERROR_BYTES: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    fn bytes(text: &str) -> Bytes {
        text.as_bytes().into()
    }

    fn pairs(entries: &[(&str, &str)]) -> Vec<(Bytes, Bytes)> {
        entries.iter().map(|(key, value)| (bytes(key), bytes(value))).collect()
    }

    fn values(values: &[Option<&str>]) -> RemoteAnswer {
        RemoteAnswer::Values(values.iter().map(|value| value.map(bytes)).collect())
    }

    #[test]
    fn what_changed_follows_from_the_operation_and_its_answer() {
        use RemoteOperation::{Adopt, Clear, Delete, Insert, Remove, RemoveIf, Set, UpdateIf};

        let update_if = || UpdateIf { key: bytes("a"), value: bytes("2"), expected: bytes("1") };
        let remove_if = || RemoveIf { key: bytes("a"), expected: bytes("1") };
        let two = || pairs(&[("a", "1"), ("a", "2")]);
        let keys = || vec![bytes("a"), bytes("b")];
        let flags = |flags: &[bool]| RemoteAnswer::Flags(flags.to_vec());
        #[rustfmt::skip]
        let cases = [
            (Set(two()), values(&[None, Some("1")]), r#"insert "a" = "1"; update "a" = "2", was "1""#),
            (Set(vec![]), values(&[]), ""),
            (Insert(two()), values(&[None, Some("1")]), r#"insert "a" = "1""#),
            (Insert(two()), values(&[Some(""), Some("")]), ""),
            (update_if(), flags(&[true]), r#"update "a" = "2", was "1""#),
            (update_if(), flags(&[false]), ""),
            (Remove(keys()), values(&[None, Some("")]), r#"remove "b", was """#),
            (remove_if(), flags(&[true]), r#"remove "a", was "1""#),
            (remove_if(), flags(&[false]), ""),
            (Delete(keys()), flags(&[true, false]), ""),
            (Clear, RemoteAnswer::Count(2), "clear"),
            (Clear, RemoteAnswer::Count(0), ""),
            (Adopt, RemoteAnswer::Nothing, ""),
        ];
        let answers: Vec<RemoteAnswer> =
            cases.iter().map(|(_, answer, _)| answer.clone()).collect();
        for (operation, answer, changes) in cases {
            assert!(operation.may_answer(&answer), "{operation}: {answer}");
            let changed: Vec<String> =
                operation.changes(&answer).iter().map(ToString::to_string).collect();
            assert_eq!(changed.join("; "), changes, "{operation}: {answer}");
            for other in answers.iter().filter(|other| !operation.may_answer(other)) {
                assert_ne!(answer, *other, "{operation}");
            }
        }
    }

    #[test]
    fn an_answer_of_another_kind_or_length_is_told() {
        let set = RemoteOperation::Set(pairs(&[("a", "1")]));
        let wrong = [values(&[]), values(&[None, None]), RemoteAnswer::Nothing];
        assert!(wrong.iter().all(|answer| !set.may_answer(answer)));
        let get = RemoteQuery::Get(vec![bytes("a")]);
        assert!(get.may_answer(&values(&[None])));
        assert!(wrong.iter().all(|answer| !get.may_answer(answer)));
    }

    #[test]
    fn outcomes_survive_in_a_row_and_errors_are_cut_to_size() {
        let long = "é".repeat(MAX_ERROR_BYTES);
        let error = StoreError::new(&long);
        assert_eq!(error.as_str().len(), MAX_ERROR_BYTES);
        for outcome in
            [RemoteOutcome::Failed(error), RemoteOutcome::Done(values(&[None, Some("")]))]
        {
            let bytes = outcome.encode();
            assert_eq!(RemoteOutcome::decode(&bytes), Some(outcome));
            assert_eq!(RemoteOutcome::decode(&bytes[1..]), None);
            assert_eq!(RemoteOutcome::decode(&[&bytes[..], &[0]].concat()), None);
        }
    }
}
