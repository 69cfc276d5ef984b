//! Standard output, real time and exit codes: where the program meets the machine it runs on.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use hamok_sim::{Report, RunVerdict, Stopwatch, SwarmReport};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Pass,
    Violation,
    Unknown,
    Nondeterminism,
}

/// Why the simulator could not do its work.
#[derive(Debug)]
pub(super) struct Error {
    text: String,
    /// What was asked of it makes no sense.
    usage: bool,
    /// Whoever reads the results has heard enough.
    closed: bool,
}

/// Real time since this was made.
#[derive(Debug)]
pub(super) struct RealTime {
    #[expect(clippy::disallowed_types, reason = "how long runs take is told, and decides nothing")]
    began: std::time::Instant,
}

/// Writes results.
pub(super) fn say(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Error {
        closed: error.kind() == io::ErrorKind::BrokenPipe,
        text: format!("results cannot be written: {error}"),
        usage: false,
    })
}

/// Whether results are coloured.
pub(super) fn coloured() -> bool {
    #[expect(clippy::disallowed_methods, reason = "https://no-color.org")]
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !refused
}

impl Exit {
    pub(super) fn of(report: &Report) -> Self {
        match report.verdict {
            RunVerdict::Passed => Self::Pass,
            RunVerdict::Violated(_) => Self::Violation,
            RunVerdict::Unknown(_) => Self::Unknown,
        }
    }

    /// A swarm may leave one seed in a thousand undecided.
    pub(super) fn of_swarm(report: &SwarmReport) -> Self {
        if !report.failures.is_empty() {
            Self::Violation
        } else if !report.nondeterministic.is_empty() {
            Self::Nondeterminism
        } else if report.unknown.len() as u64 > report.seeds / TOLERATED {
            Self::Unknown
        } else {
            Self::Pass
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Pass => 0,
            Exit::Violation => 1,
            Exit::Unknown => 3,
            Exit::Nondeterminism => 4,
        })
    }
}

impl Error {
    /// What is wrong with a file that was named.
    pub(super) fn file(path: &Path, because: &dyn Display) -> Self {
        Self { text: format!("{}: {because}", path.display()), usage: true, closed: false }
    }

    /// What kept results from being saved.
    pub(super) fn internal(what: &dyn Display, because: &dyn Display) -> Self {
        Self { text: format!("{what}: {because}"), usage: false, closed: false }
    }

    pub(super) fn exit(&self) -> u8 {
        if self.closed {
            0
        } else if self.usage {
            2
        } else {
            70
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl RealTime {
    #[expect(clippy::disallowed_types, reason = "how long runs take is told, and decides nothing")]
    pub(super) fn start() -> Self {
        Self { began: std::time::Instant::now() }
    }
}

impl Stopwatch for RealTime {
    fn micros(&self) -> u64 {
        super::arguments::micros(self.began.elapsed())
    }
}

/// One seed in so many may stay undecided.
const TOLERATED: u64 = 1_000;
