//! One run.

use std::fs::File;
use std::io::BufWriter;

use hamok_sim::report::RunResult;
use hamok_sim::{Report, RunVerdict, Simulation, Stopwatch};

use super::arguments::{RunArguments, RunOutputArguments};
use super::failures;
use super::output::{Error, Exit, RealTime, coloured, say};

pub(super) fn run(arguments: &RunArguments) -> Result<Exit, Error> {
    let settings = arguments.settings.settings();
    let again = settings.command_line(arguments.seed);
    let simulation = Simulation::new(arguments.seed).settings(settings);
    let report = simulate(simulation, &again, &arguments.output)?;
    Ok(Exit::of(&report))
}

/// Runs, tells what came of it, and saves what is to be saved.
pub(super) fn simulate(
    simulation: Simulation,
    again: &str,
    arguments: &RunOutputArguments,
) -> Result<Report, Error> {
    let RunOutputArguments { save, history, transcript, output } = arguments;
    let time = RealTime::start();
    let (report, clients) = match transcript {
        None => simulation.run_clients(),
        Some(path) => File::create(path)
            .and_then(|file| simulation.run_clients_aloud(BufWriter::new(file)))
            .map_err(|error| Error::internal(&path.display(), &error))?,
    };
    let wall = time.micros();
    let files = match report.verdict {
        RunVerdict::Violated(_) => failures::save(&output.out, &report, clients.history())?,
        RunVerdict::Passed | RunVerdict::Unknown(_) => Vec::new(),
    };
    if let Some(path) = save {
        failures::save_schedule(path, &report)?;
    }
    if let Some(path) = history {
        failures::save_history(path, clients.history())?;
    }
    let tally = clients.tally();
    let result = RunResult { report: &report, tally, wall, files: &files, again };
    say(&result.render(output.format.into(), coloured()))?;
    Ok(report)
}
