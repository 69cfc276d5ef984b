//! Whether a history is linearizable: whether every call seems to take effect at one moment between
//! its beginning and its end.
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
mod testing;
mod witness;

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

pub(crate) use model::Change;
pub use search::search;
pub(crate) use witness::{Effect, Effects, check_order, witness};

use crate::history::{History, HistoryError};

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

/// What the calls of a history are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Model {
    /// Maps of text to text.
    #[default]
    Map,
}

/// Judges the history in a file: by the black box, and where calls tell their log positions, by
/// whether these respect real time.
///
/// # Errors
/// When the file is not a history.
pub fn check_file(path: &Path, model: Model, steps: u64) -> Result<Verdict, HistoryError> {
    let file = File::open(path).map_err(|because| HistoryError::Io { line: 1, because })?;
    match model {
        Model::Map => Ok(check(&History::read(BufReader::new(file))?, steps)),
    }
}

/// Judges a history as [`check_file`] does.
#[must_use]
pub fn check(history: &History, steps: u64) -> Verdict {
    match check_order(&history.calls()) {
        Err(text) => Verdict::Violation(text),
        Ok(_) => search(history, steps),
    }
}

impl Model {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Map];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linearizable => f.write_str("linearizable"),
            Self::Violation(text) => write!(f, "not linearizable: {text}"),
            Self::Unknown(text) => write!(f, "unknown: {text}"),
        }
    }
}
