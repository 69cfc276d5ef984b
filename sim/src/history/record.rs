//! What can be asked of a record: one object whose fields are stored each on its own.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CallResult, Entries, Text};

/// A linearizable operation on one record whose fields hold text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum RecordOperation {
    /// Gives a field a value; answers the previous one.
    Set {
        /// The field.
        field: String,
        /// Its value.
        value: String,
    },
    /// Gives a field a value if it has none; answers the one it has.
    Insert {
        /// The field.
        field: String,
        /// Its value.
        value: String,
    },
    /// Gives a field a value if it has the one expected.
    UpdateIf {
        /// The field.
        field: String,
        /// Its value.
        value: String,
        /// The value that it must have before.
        expected: String,
    },
    /// Takes a field's value away.
    Delete {
        /// The field.
        field: String,
    },
    /// Takes the values of all fields away; answers of how many.
    Clear,
    /// Shows a field's value.
    Read {
        /// The field.
        field: String,
    },
    /// Shows the values of several fields at one moment.
    ReadInstance {
        /// The fields.
        fields: Vec<String>,
    },
    /// Gives values to those fields that have none; answers those that have one.
    InsertInstance {
        /// The fields and their values.
        entries: Vec<(String, String)>,
    },
    /// Gives fields values if others, or the same, all have the ones expected: at one moment.
    UpdateInstanceIf {
        /// The fields and their values.
        entries: Vec<(String, String)>,
        /// The fields and the values that they must have before.
        expected: Vec<(String, String)>,
    },
}

impl RecordOperation {
    /// The method's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Set { .. } => "set",
            Self::Insert { .. } => "insert",
            Self::UpdateIf { .. } => "update_if",
            Self::Delete { .. } => "delete",
            Self::Clear => "clear",
            Self::Read { .. } => "read",
            Self::ReadInstance { .. } => "read_instance",
            Self::InsertInstance { .. } => "insert_instance",
            Self::UpdateInstanceIf { .. } => "update_instance_if",
        }
    }

    /// Whether it only reads.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        match self {
            Self::Read { .. } | Self::ReadInstance { .. } => true,
            Self::Set { .. }
            | Self::Insert { .. }
            | Self::UpdateIf { .. }
            | Self::Delete { .. }
            | Self::Clear
            | Self::InsertInstance { .. }
            | Self::UpdateInstanceIf { .. } => false,
        }
    }

    /// The fields it is about; none when it is about all of them.
    #[must_use]
    pub fn fields(&self) -> Option<Vec<&str>> {
        Some(match self {
            Self::Set { field, .. }
            | Self::Insert { field, .. }
            | Self::UpdateIf { field, .. }
            | Self::Delete { field }
            | Self::Read { field } => vec![field],
            Self::ReadInstance { fields } => fields.iter().map(String::as_str).collect(),
            Self::InsertInstance { entries } => {
                entries.iter().map(|(field, _)| field.as_str()).collect()
            }
            Self::UpdateInstanceIf { entries, expected } => {
                entries.iter().chain(expected).map(|(field, _)| field.as_str()).collect()
            }
            Self::Clear => return None,
        })
    }

    /// The values it may write.
    #[must_use]
    pub fn values(&self) -> Vec<&str> {
        match self {
            Self::Set { value, .. } | Self::Insert { value, .. } | Self::UpdateIf { value, .. } => {
                vec![value]
            }
            Self::InsertInstance { entries } | Self::UpdateInstanceIf { entries, .. } => {
                entries.iter().map(|(_, value)| value.as_str()).collect()
            }
            Self::Delete { .. } | Self::Clear | Self::Read { .. } | Self::ReadInstance { .. } => {
                Vec::new()
            }
        }
    }

    /// The values it may write, to be replaced.
    pub(super) fn values_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::Set { value, .. } | Self::Insert { value, .. } | Self::UpdateIf { value, .. } => {
                vec![value]
            }
            Self::InsertInstance { entries } | Self::UpdateInstanceIf { entries, .. } => {
                entries.iter_mut().map(|(_, value)| value).collect()
            }
            Self::Delete { .. } | Self::Clear | Self::Read { .. } | Self::ReadInstance { .. } => {
                Vec::new()
            }
        }
    }

    /// The values it compares what it finds with.
    pub(super) fn expected(&self) -> Vec<&str> {
        match self {
            Self::UpdateIf { expected, .. } => vec![expected],
            Self::UpdateInstanceIf { expected, .. } => {
                expected.iter().map(|(_, value)| value.as_str()).collect()
            }
            Self::Set { .. }
            | Self::Insert { .. }
            | Self::Delete { .. }
            | Self::Clear
            | Self::Read { .. }
            | Self::ReadInstance { .. }
            | Self::InsertInstance { .. } => Vec::new(),
        }
    }

    /// Whether `result` is of the kind that this operation answers.
    pub(super) const fn may_answer(&self, result: &CallResult) -> bool {
        match self {
            Self::Set { .. } | Self::Insert { .. } | Self::Read { .. } => {
                matches!(result, CallResult::Value(_))
            }
            Self::UpdateIf { .. } | Self::Delete { .. } | Self::UpdateInstanceIf { .. } => {
                matches!(result, CallResult::Flag(_))
            }
            Self::Clear => matches!(result, CallResult::Count(_)),
            Self::ReadInstance { .. } | Self::InsertInstance { .. } => {
                matches!(result, CallResult::Entries(_))
            }
        }
    }
}

impl fmt::Display for RecordOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { field, value } => write!(f, "set({field:?}, {})", Text(value)),
            Self::Insert { field, value } => write!(f, "insert({field:?}, {})", Text(value)),
            Self::UpdateIf { field, value, expected } => {
                write!(f, "update_if({field:?}, {}, {})", Text(value), Text(expected))
            }
            Self::Delete { field } => write!(f, "delete({field:?})"),
            Self::Clear => f.write_str("clear()"),
            Self::Read { field } => write!(f, "read({field:?})"),
            Self::ReadInstance { fields } => write!(f, "read_instance({fields:?})"),
            Self::InsertInstance { entries } => {
                write!(f, "insert_instance({})", Entries(entries))
            }
            Self::UpdateInstanceIf { entries, expected } => {
                write!(f, "update_instance_if({}, {})", Entries(entries), Entries(expected))
            }
        }
    }
}
