//! The file that holds a history: see [`history`](super).

use std::fmt;
use std::io::{self, BufRead};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{CallId, History};
use crate::observation::SimTime;

/// Why a file is not a history.
#[derive(Debug)]
pub enum HistoryError {
    /// A line could not be read.
    Io {
        /// Counted from 1.
        line: u64,
        /// What the reader says.
        because: io::Error,
    },
    /// There is no first line.
    Empty,
    /// A line is not what the format asks for.
    Malformed {
        /// Counted from 1.
        line: u64,
        /// What the parser says.
        because: serde_json::Error,
    },
    /// It is of a version or for a model this library does not know.
    Format {
        /// The version it claims.
        version: u32,
        /// The model it claims.
        model: String,
    },
    /// An event cannot stand where it does.
    Misplaced {
        /// Counted from 1.
        line: u64,
        /// Why not.
        because: Misplaced,
    },
}

/// Why an event cannot stand where it does in a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// The call has begun before.
    BegunBefore(CallId),
    /// The call has not begun, or has ended before.
    NotUnderWay(CallId),
    /// It happened before the event on the line above.
    Earlier(SimTime),
    /// The result is not one that the operation answers.
    ResultOfOtherKind(CallId),
}

impl History {
    /// Writes the file that the module describes.
    ///
    /// # Errors
    /// Those of `writer`.
    pub fn write(&self, mut writer: impl io::Write) -> io::Result<()> {
        let format = Format { version: VERSION, model: MODEL.to_owned() };
        write_line(&mut writer, &Header { history: format })?;
        self.events.iter().try_for_each(|event| write_line(&mut writer, event))
    }

    /// Reads what [`write`](History::write) wrote. Blank lines are skipped.
    ///
    /// # Errors
    /// Whatever the bytes are, the worst outcome is a [`HistoryError`].
    pub fn read(reader: impl BufRead) -> Result<Self, HistoryError> {
        let mut lines = (1..)
            .zip(reader.lines())
            .filter(|(_, text)| !text.as_ref().is_ok_and(|text| text.trim().is_empty()));
        let (line, text) = lines.next().ok_or(HistoryError::Empty)?;
        let Header { history: format } = parse(line, text)?;
        if format.version != VERSION || format.model != MODEL {
            return Err(HistoryError::Format { version: format.version, model: format.model });
        }
        let mut history = Self::new();
        for (line, text) in lines {
            let event = parse(line, text)?;
            history.push(event).map_err(|because| HistoryError::Misplaced { line, because })?;
        }
        Ok(history)
    }
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { line, because } => write!(f, "line {line} cannot be read: {because}"),
            Self::Empty => f.write_str("there is no first line that names format and model"),
            Self::Malformed { line, because } => {
                write!(f, "line {line} is not a line of a history: {because}")
            }
            Self::Format { version, model } => write!(
                f,
                "a history of version {version} for the model {model:?}; \
                 this program reads version {VERSION} for {MODEL:?}"
            ),
            Self::Misplaced { line, because } => write!(f, "line {line}: {because}"),
        }
    }
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BegunBefore(call) => write!(f, "{call} has begun before"),
            Self::NotUnderWay(call) => write!(f, "{call} has not begun, or has ended before"),
            Self::Earlier(at) => write!(f, "{at} is earlier than the event before"),
            Self::ResultOfOtherKind(call) => write!(f, "{call} cannot have such a result"),
        }
    }
}

impl std::error::Error for HistoryError {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    history: Format,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    version: u32,
    model: String,
}

fn write_line(mut writer: impl io::Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut writer, line)?;
    writer.write_all(b"\n")
}

fn parse<T: DeserializeOwned>(line: u64, text: io::Result<String>) -> Result<T, HistoryError> {
    let text = text.map_err(|because| HistoryError::Io { line, because })?;
    serde_json::from_str(&text).map_err(|because| HistoryError::Malformed { line, because })
}

const VERSION: u32 = 1;
const MODEL: &str = "map";
