//! What clients asked for and how it ended: the history that must be linearizable.
//!
//! One history may hold calls on several collections of several kinds.
//!
//! # The file
//!
//! JSON Lines, one event per line, in the order in which the events happened. That order is what
//! "before" means to the checker; `at`, in microseconds, is there for the reader and never runs
//! back. The first line names the format and its version:
//!
//! ```text
//! {"history":{"version":2}}
//! {"invoke":{"call":[1,1],"at":120,"name":"m","operation":{"map":{"set":{"key":"a","value":"c1.1"}}}}}
//! {"invoke":{"call":[2,1],"at":150,"name":"q","operation":{"queue":"pop"}}}
//! {"complete":{"call":[1,1],"at":900,"outcome":{"done":{"index":4,"result":{"value":null}}}}}
//! {"complete":{"call":[2,1],"at":950,"outcome":"unknown"}}
//! ```
//!
//! A call is named by its client and its number there, a collection by `name` and the kind in which
//! its operations are wrapped: `map`, `queue`, `record` or `remote_map`. `index` may be left out by
//! those whose store does not tell log positions; only the black-box search can then judge the
//! history. A call that never completes counts as unknown. Everything else is required, and nothing
//! more is accepted. Operations without fields are written as their name alone.
//!
//! An outcome is `{"done":{"index":…,"result":…}}`, `{"refused":{"index":…}}` (ordered, and without
//! effect), `"not_executed"` (never had and never will have an effect) or `"unknown"`.
//!
//! ## Maps
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
//! | `clear`, `read_len` | none | `{"count":…}` |
//! | `read` | `key` | `{"value":…}` |
//! | `read_all` | `keys` | `{"entries":…}` |
//!
//! `update_if_by` is written as `update_if` with the value that its predicate accepted: when no two
//! calls write the same value, the version it is conditional on and that value are the same thing.
//!
//! ## Remote maps
//!
//! The operations of a map, executed by an outside store in the order in which the log has them. The
//! `index` of one that writes is where the log has the operation, and not its outcome; that of one
//! that reads is where the log has the last operation on this map that the store had executed.
//!
//! ## Queues
//!
//! | operation | fields | result |
//! |---|---|---|
//! | `push` | `value` | `"nothing"` |
//! | `push_all` | `values` | `"nothing"` |
//! | `pop` | none | `{"value":…}`, the front, or null |
//! | `pop_many` | `count` | `{"values":[value,…]}`, up to so many |
//! | `clear` | none | `{"count":…}`, how many there were |
//! | `read_front` | none | `{"value":…}`, or null |
//! | `read_len` | none | `{"count":…}` |
//!
//! ## Records
//!
//! | operation | fields | result |
//! |---|---|---|
//! | `set`, `insert` | `field`, `value` | `{"value":…}`, the previous or existing one, or null |
//! | `update_if` | `field`, `value`, `expected` | `{"flag":…}` |
//! | `delete` | `field` | `{"flag":…}` |
//! | `clear` | none | `{"count":…}`, how many fields had a value |
//! | `read` | `field` | `{"value":…}` |
//! | `read_instance` | `fields` | `{"entries":[[field,value],…]}`, in the order asked |
//! | `insert_instance` | `entries` | `{"entries":…}`, those that had a value before |
//! | `update_instance_if` | `entries`, `expected`: `[[field,value],…]` | `{"flag":…}` |

mod file;
mod map;
mod operation;
mod queue;
mod record;
mod result;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

pub use file::{HistoryError, Misplaced};
pub use map::MapOperation;
pub use operation::{Model, Operation};
pub use queue::QueueOperation;
pub use record::RecordOperation;
pub use result::CallResult;

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
        /// The name of the collection it is about.
        name: String,
        /// What is to be done, and thereby the kind of that collection.
        operation: Operation,
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
        result: CallResult,
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
    /// The name of the collection it is about.
    pub name: &'a str,
    /// What was to be done, and thereby the kind of that collection.
    pub operation: &'a Operation,
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
    pub fn invoke(&mut self, call: CallId, moment: Moment, name: &str, operation: Operation) {
        self.note(HistoryEvent::Invoke { call, at: moment.at, name: name.to_owned(), operation });
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
                HistoryEvent::Invoke { call, at, name, operation } => {
                    place.insert(call, calls.len());
                    calls.push(Call {
                        id: *call,
                        name,
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

impl<'a> Call<'a> {
    /// The collection it is about: its kind and its name.
    #[must_use]
    pub const fn collection(&self) -> (Model, &'a str) {
        (self.operation.model(), self.name)
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
        let Self { id, name, operation, outcome, invoked_at, .. } = self;
        write!(f, "{id} {name}.{operation} = {outcome} (begun at {invoked_at})")
    }
}

/// A value, cut when it is long.
struct Text<'a>(&'a str);

/// Values as a list.
struct Texts<'a>(&'a [String]);

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

impl fmt::Display for Texts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (position, value) in self.0.iter().enumerate() {
            let comma = if position > 0 { ", " } else { "" };
            write!(f, "{comma}{}", Text(value))?;
        }
        f.write_str("]")
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
