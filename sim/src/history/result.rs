//! What a call that was done answers, whatever the kind of its collection.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Entries, Text, Texts};

/// What an [`Operation`](super::Operation) that was done answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CallResult {
    /// A value or its absence.
    Value(Option<String>),
    /// Values, the first one first.
    Values(Vec<String>),
    /// Entries, in the order of the operation's arguments.
    Entries(Vec<(String, String)>),
    /// Keys, in the order of the operation's arguments.
    Keys(Vec<String>),
    /// Whether it had an effect.
    Flag(bool),
    /// How many.
    Count(u64),
    /// Only that it was done.
    Nothing,
}

impl CallResult {
    /// The values it shows.
    #[must_use]
    pub fn values(&self) -> Vec<&str> {
        match self {
            Self::Value(value) => value.iter().map(String::as_str).collect(),
            Self::Values(values) => values.iter().map(String::as_str).collect(),
            Self::Entries(entries) => entries.iter().map(|(_, value)| value.as_str()).collect(),
            Self::Keys(_) | Self::Flag(_) | Self::Count(_) | Self::Nothing => Vec::new(),
        }
    }
}

impl fmt::Display for CallResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(Some(value)) => Text(value).fmt(f),
            Self::Value(None) => f.write_str("none"),
            Self::Values(values) => Texts(values).fmt(f),
            Self::Entries(entries) => Entries(entries).fmt(f),
            Self::Keys(keys) => write!(f, "{keys:?}"),
            Self::Flag(flag) => flag.fmt(f),
            Self::Count(count) => count.fmt(f),
            Self::Nothing => f.write_str("done"),
        }
    }
}
