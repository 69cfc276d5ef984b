//! The files that a failing run leaves.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use hamok_sim::history::History;
use hamok_sim::{Report, Schedule};

use super::output::Error;

/// Saves the schedule and the history of a failing run in `folder`; gives their paths.
pub(super) fn save(
    folder: &Path,
    report: &Report,
    history: &History,
) -> Result<Vec<String>, Error> {
    fs::create_dir_all(folder).map_err(|error| Error::internal(&folder.display(), &error))?;
    let schedule = folder.join(format!("seed-{}.json", report.seed));
    let lines = folder.join(format!("seed-{}.history.jsonl", report.seed));
    save_schedule(&schedule, report)?;
    save_history(&lines, history)?;
    Ok(vec![schedule.display().to_string(), lines.display().to_string()])
}

pub(super) fn save_schedule(path: &Path, report: &Report) -> Result<(), Error> {
    let file = File::create(path).map_err(|error| Error::internal(&path.display(), &error))?;
    Schedule::of(report)
        .write(BufWriter::new(file))
        .map_err(|error| Error::internal(&path.display(), &error))
}

pub(super) fn save_history(path: &Path, history: &History) -> Result<(), Error> {
    let file = File::create(path).map_err(|error| Error::internal(&path.display(), &error))?;
    history.write(BufWriter::new(file)).map_err(|error| Error::internal(&path.display(), &error))
}
