//! Saved runs: everything that a run follows from, and what came of it.
//!
//! A schedule is one JSON object. It holds the plan as drawn, so that it still means the same when
//! plans are drawn differently, and the overrides on top of the seed's draws.

use std::fmt;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::draw::Override;
use crate::plan::Plan;
use crate::simulation::{Report, RunVerdict, Simulation};

/// A saved run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Schedule {
    format: String,
    version: u32,
    /// The seed of all draws.
    pub seed: u64,
    /// What the run does.
    pub plan: Plan,
    /// Draws that are not those of the seed.
    pub overrides: Vec<Override>,
    /// What came of it when it was saved.
    pub result: Expected,
}

/// What came of a run when it was saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Expected {
    /// The code of the invariant that was broken, if one was.
    pub violated: Option<String>,
    /// In which step it ended.
    pub step: u64,
    /// Its trace hash, as 16 hexadecimal digits.
    pub trace: String,
}

/// Why a file is not a schedule.
#[derive(Debug)]
#[non_exhaustive]
pub enum ScheduleError {
    /// It could not be read.
    Io(io::Error),
    /// It is not what the format asks for.
    Malformed(serde_json::Error),
    /// It is of another format or version.
    Format {
        /// The format it claims.
        format: String,
        /// The version it claims.
        version: u32,
    },
}

impl Schedule {
    /// The run that this report is about.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let violated = match &report.verdict {
            RunVerdict::Violated(violation) => Some(violation.code.to_owned()),
            RunVerdict::Passed | RunVerdict::Unknown(_) => None,
        };
        let trace = format!("{:016x}", report.trace_hash);
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            seed: report.seed,
            plan: report.plan.clone(),
            overrides: report.overrides.clone(),
            result: Expected { violated, step: report.ended.step, trace },
        }
    }

    /// The same run, to come.
    #[must_use]
    pub fn simulation(&self) -> Simulation {
        Simulation::new(self.seed).plan(self.plan.clone()).overrides(self.overrides.clone())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Those of `writer`.
    pub fn write(&self, mut writer: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut writer, self)?;
        writer.write_all(b"\n")
    }

    /// Reads what [`write`](Schedule::write) wrote.
    ///
    /// # Errors
    /// Whatever the bytes are, the worst outcome is a [`ScheduleError`].
    pub fn read(mut reader: impl Read) -> Result<Self, ScheduleError> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(ScheduleError::Io)?;
        let Head { format, version } =
            serde_json::from_slice(&bytes).map_err(ScheduleError::Malformed)?;
        if format != FORMAT || version != VERSION {
            return Err(ScheduleError::Format { format, version });
        }
        serde_json::from_slice(&bytes).map_err(ScheduleError::Malformed)
    }
}

/// What every version of the format begins with.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the schedule cannot be read: {error}"),
            Self::Malformed(error) => write!(f, "not a schedule: {error}"),
            Self::Format { format, version } => write!(
                f,
                "{format:?} version {version}, this program reads {FORMAT:?} version {VERSION}"
            ),
        }
    }
}

impl std::error::Error for ScheduleError {}

const FORMAT: &str = "hamok-sim schedule";
const VERSION: u32 = 1;
