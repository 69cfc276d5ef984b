//! What came of runs, for people and for programs.

mod human;
mod json;

use std::fmt;

use crate::simulation::Report;
use crate::swarm::SwarmReport;
use crate::tally::Tally;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Text for people.
    #[default]
    Human,
    /// One JSON object on one line.
    Json,
}

/// One run as it is told of.
#[derive(Clone, Copy, Debug)]
pub struct RunResult<'a> {
    /// What came of it.
    pub report: &'a Report,
    /// How its operations ended.
    pub tally: &'a Tally,
    /// How long it took, in microseconds of real time.
    pub wall: u64,
    /// The files that were written about it.
    pub files: &'a [String],
    /// The command that does it again.
    pub again: &'a str,
}

/// A swarm as it is told of.
#[derive(Clone, Copy, Debug)]
pub struct SwarmResult<'a> {
    /// What came of it.
    pub report: &'a SwarmReport,
    /// How long it took, in microseconds of real time.
    pub wall: u64,
    /// The files that were written about its failures.
    pub files: &'a [String],
}

impl RunResult<'_> {
    /// The result as text, with a line's end after each line.
    #[must_use]
    pub fn render(&self, format: Format, colour: bool) -> String {
        match format {
            Format::Human => human::run(self, colour),
            Format::Json => json::run(self),
        }
    }
}

impl SwarmResult<'_> {
    /// The result as text, with a line's end after each line.
    #[must_use]
    pub fn render(&self, format: Format, colour: bool) -> String {
        match format {
            Format::Human => human::swarm(self, colour),
            Format::Json => json::swarm(self),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&human::report(self, false))
    }
}
