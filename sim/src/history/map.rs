//! What can be asked of a map, of one that the group holds or of one that an outside store holds.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CallResult, Entries, Text};

/// A linearizable operation on one map of text to text, here or in an outside store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each is the method of `hamok::Map` with the same name and arguments"
)]
pub enum MapOperation {
    Set { key: String, value: String },
    SetAll { entries: Vec<(String, String)> },
    Insert { key: String, value: String },
    InsertAll { entries: Vec<(String, String)> },
    UpdateIf { key: String, value: String, expected: String },
    Remove { key: String },
    RemoveAll { keys: Vec<String> },
    RemoveIf { key: String, expected: String },
    Delete { key: String },
    DeleteAll { keys: Vec<String> },
    Clear,
    Read { key: String },
    ReadAll { keys: Vec<String> },
    ReadLen,
}
impl MapOperation {
    /// The method's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Set { .. } => "set",
            Self::SetAll { .. } => "set_all",
            Self::Insert { .. } => "insert",
            Self::InsertAll { .. } => "insert_all",
            Self::UpdateIf { .. } => "update_if",
            Self::Remove { .. } => "remove",
            Self::RemoveAll { .. } => "remove_all",
            Self::RemoveIf { .. } => "remove_if",
            Self::Delete { .. } => "delete",
            Self::DeleteAll { .. } => "delete_all",
            Self::Clear => "clear",
            Self::Read { .. } => "read",
            Self::ReadAll { .. } => "read_all",
            Self::ReadLen => "read_len",
        }
    }

    /// Whether it only reads.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        match self {
            Self::Read { .. } | Self::ReadAll { .. } | Self::ReadLen => true,
            Self::Set { .. }
            | Self::SetAll { .. }
            | Self::Insert { .. }
            | Self::InsertAll { .. }
            | Self::UpdateIf { .. }
            | Self::Remove { .. }
            | Self::RemoveAll { .. }
            | Self::RemoveIf { .. }
            | Self::Delete { .. }
            | Self::DeleteAll { .. }
            | Self::Clear => false,
        }
    }

    /// The keys it is about; none when it is about all of them.
    #[must_use]
    pub fn keys(&self) -> Option<Vec<&str>> {
        Some(match self {
            Self::Set { key, .. }
            | Self::Insert { key, .. }
            | Self::UpdateIf { key, .. }
            | Self::Remove { key }
            | Self::RemoveIf { key, .. }
            | Self::Delete { key }
            | Self::Read { key } => vec![key],
            Self::SetAll { entries } | Self::InsertAll { entries } => {
                entries.iter().map(|(key, _)| key.as_str()).collect()
            }
            Self::RemoveAll { keys } | Self::DeleteAll { keys } | Self::ReadAll { keys } => {
                keys.iter().map(String::as_str).collect()
            }
            Self::Clear | Self::ReadLen => return None,
        })
    }

    /// The values it may write.
    #[must_use]
    pub fn values(&self) -> Vec<&str> {
        match self {
            Self::Set { value, .. } | Self::Insert { value, .. } | Self::UpdateIf { value, .. } => {
                vec![value]
            }
            Self::SetAll { entries } | Self::InsertAll { entries } => {
                entries.iter().map(|(_, value)| value.as_str()).collect()
            }
            Self::Remove { .. }
            | Self::RemoveAll { .. }
            | Self::RemoveIf { .. }
            | Self::Delete { .. }
            | Self::DeleteAll { .. }
            | Self::Clear
            | Self::Read { .. }
            | Self::ReadAll { .. }
            | Self::ReadLen => Vec::new(),
        }
    }

    /// The values it may write, to be replaced.
    pub(super) fn values_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::Set { value, .. } | Self::Insert { value, .. } | Self::UpdateIf { value, .. } => {
                vec![value]
            }
            Self::SetAll { entries } | Self::InsertAll { entries } => {
                entries.iter_mut().map(|(_, value)| value).collect()
            }
            Self::Remove { .. }
            | Self::RemoveAll { .. }
            | Self::RemoveIf { .. }
            | Self::Delete { .. }
            | Self::DeleteAll { .. }
            | Self::Clear
            | Self::Read { .. }
            | Self::ReadAll { .. }
            | Self::ReadLen => Vec::new(),
        }
    }

    /// The values it compares what it finds with.
    pub(super) fn expected(&self) -> Vec<&str> {
        match self {
            Self::UpdateIf { expected, .. } | Self::RemoveIf { expected, .. } => vec![expected],
            Self::Set { .. }
            | Self::SetAll { .. }
            | Self::Insert { .. }
            | Self::InsertAll { .. }
            | Self::Remove { .. }
            | Self::RemoveAll { .. }
            | Self::Delete { .. }
            | Self::DeleteAll { .. }
            | Self::Clear
            | Self::Read { .. }
            | Self::ReadAll { .. }
            | Self::ReadLen => Vec::new(),
        }
    }

    /// Whether `result` is of the kind that this operation answers.
    pub(super) const fn may_answer(&self, result: &CallResult) -> bool {
        match self {
            Self::Set { .. } | Self::Insert { .. } | Self::Remove { .. } | Self::Read { .. } => {
                matches!(result, CallResult::Value(_))
            }
            Self::SetAll { .. }
            | Self::InsertAll { .. }
            | Self::RemoveAll { .. }
            | Self::ReadAll { .. } => matches!(result, CallResult::Entries(_)),
            Self::UpdateIf { .. } | Self::RemoveIf { .. } | Self::Delete { .. } => {
                matches!(result, CallResult::Flag(_))
            }
            Self::DeleteAll { .. } => matches!(result, CallResult::Keys(_)),
            Self::Clear | Self::ReadLen => matches!(result, CallResult::Count(_)),
        }
    }
}
impl fmt::Display for MapOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { key, value } => write!(f, "set({key:?}, {})", Text(value)),
            Self::SetAll { entries } => write!(f, "set_all({})", Entries(entries)),
            Self::Insert { key, value } => write!(f, "insert({key:?}, {})", Text(value)),
            Self::InsertAll { entries } => write!(f, "insert_all({})", Entries(entries)),
            Self::UpdateIf { key, value, expected } => {
                write!(f, "update_if({key:?}, {}, {})", Text(value), Text(expected))
            }
            Self::Remove { key } => write!(f, "remove({key:?})"),
            Self::RemoveAll { keys } => write!(f, "remove_all({keys:?})"),
            Self::RemoveIf { key, expected } => {
                write!(f, "remove_if({key:?}, {})", Text(expected))
            }
            Self::Delete { key } => write!(f, "delete({key:?})"),
            Self::DeleteAll { keys } => write!(f, "delete_all({keys:?})"),
            Self::Clear => f.write_str("clear()"),
            Self::Read { key } => write!(f, "read({key:?})"),
            Self::ReadAll { keys } => write!(f, "read_all({keys:?})"),
            Self::ReadLen => f.write_str("read_len()"),
        }
    }
}
