//! What can be asked of a queue.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CallResult, Text, Texts};

/// A linearizable operation on one queue of text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum QueueOperation {
    /// Puts a value behind all others.
    Push {
        /// The value.
        value: String,
    },
    /// Puts values behind all others, in this order and with nothing between them.
    PushAll {
        /// The values.
        values: Vec<String>,
    },
    /// Takes the value at the front.
    Pop,
    /// Takes values from the front, as many as there are, at one moment.
    PopMany {
        /// How many at most.
        count: u64,
    },
    /// Takes all values; answers how many.
    Clear,
    /// Shows the value at the front.
    ReadFront,
    /// Shows how many values there are.
    ReadLen,
}

impl QueueOperation {
    /// The method's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Push { .. } => "push",
            Self::PushAll { .. } => "push_all",
            Self::Pop => "pop",
            Self::PopMany { .. } => "pop_many",
            Self::Clear => "clear",
            Self::ReadFront => "read_front",
            Self::ReadLen => "read_len",
        }
    }

    /// Whether it only reads.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        match self {
            Self::ReadFront | Self::ReadLen => true,
            Self::Push { .. }
            | Self::PushAll { .. }
            | Self::Pop
            | Self::PopMany { .. }
            | Self::Clear => false,
        }
    }

    /// The values it may write.
    #[must_use]
    pub fn values(&self) -> Vec<&str> {
        match self {
            Self::Push { value } => vec![value],
            Self::PushAll { values } => values.iter().map(String::as_str).collect(),
            Self::Pop | Self::PopMany { .. } | Self::Clear | Self::ReadFront | Self::ReadLen => {
                Vec::new()
            }
        }
    }

    /// The values it may write, to be replaced.
    pub(super) fn values_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::Push { value } => vec![value],
            Self::PushAll { values } => values.iter_mut().collect(),
            Self::Pop | Self::PopMany { .. } | Self::Clear | Self::ReadFront | Self::ReadLen => {
                Vec::new()
            }
        }
    }

    /// Whether `result` is of the kind that this operation answers.
    pub(super) const fn may_answer(&self, result: &CallResult) -> bool {
        match self {
            Self::Push { .. } | Self::PushAll { .. } => matches!(result, CallResult::Nothing),
            Self::Pop | Self::ReadFront => matches!(result, CallResult::Value(_)),
            Self::PopMany { .. } => matches!(result, CallResult::Values(_)),
            Self::Clear | Self::ReadLen => matches!(result, CallResult::Count(_)),
        }
    }
}

impl fmt::Display for QueueOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Push { value } => write!(f, "push({})", Text(value)),
            Self::PushAll { values } => write!(f, "push_all({})", Texts(values)),
            Self::Pop => f.write_str("pop()"),
            Self::PopMany { count } => write!(f, "pop_many({count})"),
            Self::Clear => f.write_str("clear()"),
            Self::ReadFront => f.write_str("read_front()"),
            Self::ReadLen => f.write_str("read_len()"),
        }
    }
}
