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
    /// It is of a version this library does not know.
    Format {
        /// The version it claims.
        version: u32,
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
        write_line(&mut writer, &Header { history: Format { version: VERSION } })?;
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
        let text = text.map_err(|because| HistoryError::Io { line, because })?;
        let AnyHeader { history: AnyFormat { version } } = parse(line, &text)?;
        if version != VERSION {
            return Err(HistoryError::Format { version });
        }
        let _: Header = parse(line, &text)?;
        let mut history = Self::new();
        for (line, text) in lines {
            let text = text.map_err(|because| HistoryError::Io { line, because })?;
            let event = parse(line, &text)?;
            history.push(event).map_err(|because| HistoryError::Misplaced { line, because })?;
        }
        Ok(history)
    }
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { line, because } => write!(f, "line {line} cannot be read: {because}"),
            Self::Empty => f.write_str("there is no first line that names format and version"),
            Self::Malformed { line, because } => {
                write!(f, "line {line} is not a line of a history: {because}")
            }
            Self::Format { version } => {
                write!(f, "a history of version {version}; this program reads version {VERSION}")
            }
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
}

/// The first line of any version: another one may say more there.
#[derive(Deserialize)]
struct AnyHeader {
    history: AnyFormat,
}

#[derive(Deserialize)]
struct AnyFormat {
    version: u32,
}

fn write_line(mut writer: impl io::Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut writer, line)?;
    writer.write_all(b"\n")
}

fn parse<T: DeserializeOwned>(line: u64, text: &str) -> Result<T, HistoryError> {
    serde_json::from_str(text).map_err(|because| HistoryError::Malformed { line, because })
}

const VERSION: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::Script;
    use crate::history::{CallOutcome, CallResult, Model};

    const HEADER: &str = r#"{"history":{"version":2}}"#;
    const SET: &str = r#"{"invoke":{"call":[1,1],"at":5,"name":"m","operation":{"map":{"set":{"key":"a","value":"1"}}}}}"#;
    const DONE: &str = r#"{"complete":{"call":[1,1],"at":9,"outcome":{"done":{"index":4,"result":{"value":null}}}}}"#;

    const MAP: &[(&str, &str)] = &[
        ("set a 1", "none"),
        ("set_all a=2 b=3", "a=1"),
        ("insert a 4", "2"),
        ("insert_all a=5 c=6", "a=2"),
        ("update_if a 7 2", "true"),
        ("remove a", "7"),
        ("remove_all b c", "b=3 c=6"),
        ("remove_if a 1", "false"),
        ("delete a", "false"),
        ("delete_all a b", ""),
        ("clear", "0"),
        ("read a", "none"),
        ("read_all a b", ""),
        ("read_len", "0"),
    ];
    const QUEUE: &[(&str, &str)] = &[
        ("push 1", ""),
        ("push_all 2 3", ""),
        ("read_front", "1"),
        ("pop", "1"),
        ("pop_many 5", "2 3"),
        ("pop", "none"),
        ("clear", "0"),
        ("read_len", "0"),
    ];
    const RECORD: &[(&str, &str)] = &[
        ("set a 1", "none"),
        ("insert a 2", "1"),
        ("update_if a 3 1", "true"),
        ("insert_instance a=4 b=5", "a=3"),
        ("update_instance_if a=6 c=7 if a=3 b=5", "true"),
        ("read_instance c b a", "c=7 b=5 a=6"),
        ("delete a", "true"),
        ("read a", "none"),
        ("clear", "2"),
    ];

    fn read(lines: &[&str]) -> Result<History, HistoryError> {
        History::read(lines.join("\n").as_bytes())
    }

    fn written(history: &History) -> String {
        let mut bytes = Vec::new();
        history.write(&mut bytes).expect("memory takes what is written");
        String::from_utf8(bytes).expect("JSON is text")
    }

    #[test]
    fn the_lines_are_those_that_the_module_shows() {
        let mut script = Script::new();
        script.begin(1, "set a c1.1");
        script.about(Model::Queue).begin(2, "pop");
        script.answer(1, 4, "none");
        script.end(2, CallOutcome::Unknown);
        let shown = r#"{"history":{"version":2}}
{"invoke":{"call":[1,1],"at":1,"name":"m","operation":{"map":{"set":{"key":"a","value":"c1.1"}}}}}
{"invoke":{"call":[2,1],"at":2,"name":"q","operation":{"queue":"pop"}}}
{"complete":{"call":[1,1],"at":3,"outcome":{"done":{"index":4,"result":{"value":null}}}}}
{"complete":{"call":[2,1],"at":4,"outcome":"unknown"}}
"#;
        assert_eq!(written(&script.history), shown);
    }

    #[test]
    fn every_operation_and_outcome_reads_back_as_it_was_written() {
        let mut script = Script::new();
        for (model, operations) in Model::ALL.into_iter().zip([MAP, QUEUE, RECORD, MAP]) {
            script.about(model);
            for (operation, result) in operations {
                script.done(1, operation, result);
            }
        }
        script.about(Model::Map);
        for outcome in [
            CallOutcome::Refused { index: None },
            CallOutcome::Refused { index: Some(3) },
            CallOutcome::NotExecuted,
            CallOutcome::Unknown,
            CallOutcome::Done { index: None, result: CallResult::Value(None) },
        ] {
            script.begin(2, "set a 1");
            script.end(2, outcome);
        }
        script.begin(3, "set a 1");
        let text = written(&script.history);
        assert_eq!(History::read(text.as_bytes()).expect("it was just written"), script.history);
    }

    #[test]
    fn a_bad_line_is_named() {
        let later = r#"{"complete":{"call":[1,1],"at":3,"outcome":"unknown"}}"#;
        let flag =
            r#"{"complete":{"call":[1,1],"at":9,"outcome":{"done":{"result":{"flag":true}}}}}"#;
        let spare = r#"{"complete":{"call":[1,1],"at":9,"outcome":"unknown","more":1}}"#;
        for (lines, expected) in [
            (&[][..], "no first line"),
            (&[SET], "line 1 is not"),
            (&[r#"{"history":{"version":1,"model":"map"}}"#], "a history of version 1"),
            (&[r#"{"history":{"version":2,"model":"map"}}"#], "line 1 is not"),
            (&[HEADER, "", "{"], "line 3 is not"),
            (&[HEADER, SET, spare], "line 3 is not"),
            (&[HEADER, DONE], "line 2: c1.1 has not begun"),
            (&[HEADER, SET, SET], "line 3: c1.1 has begun before"),
            (&[HEADER, SET, DONE, DONE], "line 4: c1.1 has not begun, or has ended before"),
            (&[HEADER, SET, later], "line 3: 0.000003 s is earlier"),
            (&[HEADER, SET, flag], "line 3: c1.1 cannot have such a result"),
        ] {
            let error = read(lines).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
        let not_text = [HEADER.as_bytes(), b"\n\xff\xff"].concat();
        let error = History::read(not_text.as_slice()).expect_err("it is not text").to_string();
        assert!(error.contains("line 2 cannot be read"), "{error}");
    }

    #[test]
    fn blank_lines_and_absent_positions_are_accepted() {
        let done =
            r#"{"complete":{"call":[1,1],"at":9,"outcome":{"done":{"result":{"value":null}}}}}"#;
        let history = read(&["", HEADER, SET, "  ", done]).expect("this is a history");
        assert_eq!(
            history.calls()[0].to_string(),
            "c1.1 m.set(\"a\", \"1\") = none (begun at 0.000005 s)"
        );
    }
}
