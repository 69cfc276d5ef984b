//! What clients asked for and how it ended: the history that must be linearizable.
//!
//! # The file
//!
//! JSON Lines, one event per line, in the order in which the events happened. That order is what
//! "before" means to the checker; `at`, in microseconds, is there for the reader and never runs
//! back. The first line names the format, its version and the model:
//!
//! ```text
//! {"history":{"version":1,"model":"map"}}
//! {"invoke":{"call":[1,1],"at":120,"map":"m","operation":{"set":{"key":"a","value":"c1.1"}}}}
//! {"invoke":{"call":[2,1],"at":150,"map":"m","operation":{"read":{"key":"a"}}}}
//! {"complete":{"call":[1,1],"at":900,"outcome":{"done":{"index":4,"result":{"value":null}}}}}
//! {"complete":{"call":[2,1],"at":950,"outcome":"unknown"}}
//! ```
//!
//! A call is named by its client and its number there. `index` may be left out by those whose store
//! does not tell log positions; only the black-box search can then judge the history. A call that
//! never completes counts as unknown. Everything else is required, and nothing more is accepted.
//!
//! | operation | fields | result |
//! |---|---|---|
//! | `set`, `insert` | `key`, `value` | `{"value":…}`, the previous or existing one, or null |
//! | `set_all`, `insert_all` | `entries`: `[[key,value],…]` | `{"entries":[[key,value],…]}` |
//! | `update_if` | `key`, `value`, `expected` | `{"flag":…}` |
//! | `remove` | `key` | `{"value":…}` |
//! | `remove_all` | `keys` | `{"entries":…}` |
//! | `remove_if` | `key`, `expected` | `{"flag":…}` |
//! | `delete` | `key` | `{"flag":…}` |
//! | `delete_all` | `keys` | `{"keys":[key,…]}` |
//! | `clear`, `read_len` | none; written as `"clear"`, `"read_len"` | `{"count":…}` |
//! | `read` | `key` | `{"value":…}` |
//! | `read_all` | `keys` | `{"entries":…}` |
//!
//! `update_if_by` is written as `update_if` with the value that its predicate accepted: when no two
//! calls write the same value, the version it is conditional on and that value are the same thing.
//!
//! An outcome is `{"done":{"index":…,"result":…}}`, `{"refused":{"index":…}}` (ordered, and without
//! effect), `"not_executed"` (never had and never will have an effect) or `"unknown"`.

mod file;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

pub use file::{HistoryError, Misplaced};

use crate::observation::{Moment, SimTime};

/// What clients asked for and how it ended, in the order in which it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    events: Vec<HistoryEvent>,
    /// The calls begun, and where each stands in `events`.
    begun: BTreeMap<CallId, usize>,
    ended: BTreeSet<CallId>,
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HistoryEvent {
    /// A client begins a call.
    Invoke {
        /// Which.
        call: CallId,
        /// When.
        at: SimTime,
        /// The map it is about.
        map: String,
        /// What is to be done.
        operation: MapOperation,
    },
    /// A client learns, or decides, how its call ended.
    Complete {
        /// Which.
        call: CallId,
        /// When.
        at: SimTime,
        /// How.
        outcome: CallOutcome,
    },
}

/// Names one call: the client and its number there. A retry is the same call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct CallId {
    /// The client.
    pub client: u64,
    /// Its number at that client.
    pub number: u64,
}

/// A linearizable operation on one map of text to text.
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

/// What a [`MapOperation`] that was done answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MapResult {
    /// A value or its absence.
    Value(Option<String>),
    /// Entries, in the order of the operation's arguments.
    Entries(Vec<(String, String)>),
    /// Keys, in the order of the operation's arguments.
    Keys(Vec<String>),
    /// Whether it had an effect.
    Flag(bool),
    /// How many.
    Count(u64),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CallOutcome {
    /// It took effect once, between its beginning and its end.
    Done {
        /// The log position where it did, or whose state it read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        index: Option<u64>,
        /// What it answered.
        result: MapResult,
    },
    /// It was ordered and refused: no effect.
    Refused {
        /// The log position where it was refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        index: Option<u64>,
    },
    /// None of its attempts had or will ever have an effect.
    NotExecuted,
    /// It may have taken effect, or may yet.
    Unknown,
}

/// One call from its beginning to its end, if it has one.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Which.
    pub id: CallId,
    /// The map it is about.
    pub map: &'a str,
    /// What was to be done.
    pub operation: &'a MapOperation,
    /// Where its beginning stands in the history.
    pub invoked: usize,
    /// When it began.
    pub invoked_at: SimTime,
    /// Where its end stands in the history; `usize::MAX` if it has none.
    pub completed: usize,
    /// How it ended; unknown if it has no end.
    pub outcome: &'a CallOutcome,
}

impl History {
    /// A history in which nothing has happened.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that a client begins a call.
    ///
    /// # Panics
    /// If this cannot happen at this point.
    pub fn invoke(&mut self, call: CallId, moment: Moment, map: &str, operation: MapOperation) {
        self.note(HistoryEvent::Invoke { call, at: moment.at, map: map.to_owned(), operation });
    }

    /// Notes how a call ended: after its last attempt, when the client will not try again.
    ///
    /// # Panics
    /// If this cannot happen at this point.
    pub fn complete(&mut self, call: CallId, moment: Moment, outcome: CallOutcome) {
        self.note(HistoryEvent::Complete { call, at: moment.at, outcome });
    }

    /// Everything that happened, in order.
    #[must_use]
    pub fn events(&self) -> &[HistoryEvent] {
        &self.events
    }

    /// The calls, in the order in which they began.
    #[must_use]
    pub fn calls(&self) -> Vec<Call<'_>> {
        let mut calls: Vec<Call<'_>> = Vec::with_capacity(self.begun.len());
        let mut place = BTreeMap::new();
        for (position, event) in self.events.iter().enumerate() {
            match event {
                HistoryEvent::Invoke { call, at, map, operation } => {
                    place.insert(call, calls.len());
                    calls.push(Call {
                        id: *call,
                        map,
                        operation,
                        invoked: position,
                        invoked_at: *at,
                        completed: usize::MAX,
                        outcome: &CallOutcome::Unknown,
                    });
                }
                HistoryEvent::Complete { call, outcome, .. } => {
                    let call = &mut calls[place[call]];
                    call.completed = position;
                    call.outcome = outcome;
                }
            }
        }
        calls
    }

    fn note(&mut self, event: HistoryEvent) {
        if let Err(misplaced) = self.push(event) {
            panic!("the recorder of this history is wrong: {misplaced}");
        }
    }

    fn push(&mut self, event: HistoryEvent) -> Result<(), Misplaced> {
        let latest = self.events.last().map_or(SimTime::ZERO, HistoryEvent::at);
        if event.at() < latest {
            return Err(Misplaced::Earlier(event.at()));
        }
        match &event {
            HistoryEvent::Invoke { call, .. } => {
                if self.begun.contains_key(call) {
                    return Err(Misplaced::BegunBefore(*call));
                }
                self.begun.insert(*call, self.events.len());
            }
            HistoryEvent::Complete { call, outcome, .. } => {
                let begun = self.begun.get(call).ok_or(Misplaced::NotUnderWay(*call))?;
                if let (HistoryEvent::Invoke { operation, .. }, CallOutcome::Done { result, .. }) =
                    (&self.events[*begun], outcome)
                    && !operation.may_answer(result)
                {
                    return Err(Misplaced::ResultOfOtherKind(*call));
                }
                if !self.ended.insert(*call) {
                    return Err(Misplaced::NotUnderWay(*call));
                }
            }
        }
        self.events.push(event);
        Ok(())
    }
}

impl HistoryEvent {
    /// When it happened.
    #[must_use]
    pub const fn at(&self) -> SimTime {
        match self {
            Self::Invoke { at, .. } | Self::Complete { at, .. } => *at,
        }
    }
}

impl MapOperation {
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
    pub(crate) fn values_mut(&mut self) -> Vec<&mut String> {
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

    /// Whether `result` is of the kind that this operation answers.
    const fn may_answer(&self, result: &MapResult) -> bool {
        match self {
            Self::Set { .. } | Self::Insert { .. } | Self::Remove { .. } | Self::Read { .. } => {
                matches!(result, MapResult::Value(_))
            }
            Self::SetAll { .. }
            | Self::InsertAll { .. }
            | Self::RemoveAll { .. }
            | Self::ReadAll { .. } => matches!(result, MapResult::Entries(_)),
            Self::UpdateIf { .. } | Self::RemoveIf { .. } | Self::Delete { .. } => {
                matches!(result, MapResult::Flag(_))
            }
            Self::DeleteAll { .. } => matches!(result, MapResult::Keys(_)),
            Self::Clear | Self::ReadLen => matches!(result, MapResult::Count(_)),
        }
    }
}

impl From<(u64, u64)> for CallId {
    fn from((client, number): (u64, u64)) -> Self {
        Self { client, number }
    }
}

impl From<CallId> for (u64, u64) {
    fn from(id: CallId) -> Self {
        (id.client, id.number)
    }
}

/// Shown as `c3.17`: the 17th call of client 3.
impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}.{}", self.client, self.number)
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

impl fmt::Display for MapResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(Some(value)) => Text(value).fmt(f),
            Self::Value(None) => f.write_str("none"),
            Self::Entries(entries) => Entries(entries).fmt(f),
            Self::Keys(keys) => write!(f, "{keys:?}"),
            Self::Flag(flag) => flag.fmt(f),
            Self::Count(count) => count.fmt(f),
        }
    }
}

impl fmt::Display for CallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, index) = match self {
            Self::Done { result, index } => {
                result.fmt(f)?;
                ("", index)
            }
            Self::Refused { index } => ("refused", index),
            Self::NotExecuted => ("not executed", &None),
            Self::Unknown => ("unknown", &None),
        };
        f.write_str(what)?;
        index.map_or(Ok(()), |index| write!(f, " at {index}"))
    }
}

/// The operation, how it ended, and its place in the history.
impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, map, operation, outcome, invoked_at, .. } = self;
        write!(f, "{id} {map}.{operation} = {outcome} (begun at {invoked_at})")
    }
}

/// A value, cut when it is long.
struct Text<'a>(&'a str);

/// Entries as a map literal.
struct Entries<'a>(&'a [(String, String)]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(LONG) {
            Some((cut, _)) => write!(f, "{:?}… ({} bytes)", &self.0[..cut], self.0.len()),
            None => write!(f, "{:?}", self.0),
        }
    }
}

impl fmt::Display for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (position, (key, value)) in self.0.iter().enumerate() {
            let comma = if position > 0 { ", " } else { "" };
            write!(f, "{comma}{key:?}: {}", Text(value))?;
        }
        f.write_str("}")
    }
}

/// Longer values are cut where they are shown.
const LONG: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_where_it_is_shown() {
        let operation = MapOperation::Set { key: "a".to_owned(), value: "é".repeat(100) };
        assert_eq!(operation.to_string(), format!("set(\"a\", {:?}… (200 bytes))", "é".repeat(32)));
    }
}
