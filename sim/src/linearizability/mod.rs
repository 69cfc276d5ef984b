//! Whether a history is linearizable: whether every call seems to take effect at one moment between
//! its beginning and its end.
//!
//! Each collection is judged on its own, as what its kind promises: linearizability is local.
//!
//! There are two oracles, and they must agree.
//!
//! - The *witness* trusts nothing but uses what the log tells: where each command took effect and
//!   whose state each read saw. It checks that this very order respects real time and explains every
//!   result. It takes O(n log n) and always decides.
//! - The *black box* ([`search`]) knows only what clients know and looks for any order at all. It may
//!   run out of its budget, and then says so.

mod model;
mod needs;
mod partition;
mod search;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod testing;
mod turns;
mod witness;

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

pub(crate) use model::{Change, EntryChange, QueueChange};
pub use search::search;
use search::search_calls;
use witness::check_order;
pub(crate) use witness::{Effect, Effects, witness};

use crate::history::{Call, History, HistoryError, Model};

/// What an oracle says of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Some order of the calls explains all of them.
    Linearizable,
    /// No order does, or not the one the log tells; in words, with the calls that clash.
    Violation(String),
    /// The budget ran out first; in words, where.
    Unknown(String),
}

/// Why a file cannot be judged.
#[derive(Debug)]
pub enum CheckError {
    /// It is not a history.
    History(HistoryError),
    /// No call in it is about a collection of this kind, which alone was to be judged.
    NoneOf(Model),
}

/// Judges the calls of a history in a file, all of them or those on collections of one kind: by the
/// black box, and where calls tell their log positions, by whether these respect real time.
///
/// # Errors
/// When the file is not a history, or has no call of that kind.
pub fn check_file(path: &Path, only: Option<Model>, steps: u64) -> Result<Verdict, CheckError> {
    let file = File::open(path).map_err(|because| HistoryError::Io { line: 1, because })?;
    let history = History::read(BufReader::new(file))?;
    let mut calls = history.calls();
    if let Some(model) = only {
        calls.retain(|call| call.operation.model() == model);
        if calls.is_empty() {
            return Err(CheckError::NoneOf(model));
        }
    }
    Ok(check_calls(&calls, steps))
}

/// Judges all calls of a history as [`check_file`] does.
#[must_use]
pub fn check(history: &History, steps: u64) -> Verdict {
    check_calls(&history.calls(), steps)
}

fn check_calls(calls: &[Call<'_>], steps: u64) -> Verdict {
    match check_order(calls) {
        Err(text) => Verdict::Violation(text),
        Ok(_) => search_calls(calls, steps),
    }
}

impl From<HistoryError> for CheckError {
    fn from(error: HistoryError) -> Self {
        Self::History(error)
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History(error) => error.fmt(f),
            Self::NoneOf(model) => write!(f, "no call in it is about a {model}"),
        }
    }
}

impl std::error::Error for CheckError {}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linearizable => f.write_str("linearizable"),
            Self::Violation(text) => write!(f, "not linearizable: {text}"),
            Self::Unknown(text) => write!(f, "unknown: {text}"),
        }
    }
}
