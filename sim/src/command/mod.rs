//! The command line: arguments to library calls, results to standard output.

mod arguments;
mod failures;
mod output;
mod runs;
mod swarms;

use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;

use clap::Parser;
use hamok_sim::Schedule;
use hamok_sim::linearizability::{Verdict, check_file};

use self::arguments::{Arguments, CheckArguments, Command, ReplayArguments};
use self::output::{Exit, say};

/// Does what the command line says.
pub(crate) fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let done = match command {
        Command::Run(arguments) => runs::run(&arguments),
        Command::Swarm(arguments) => swarms::swarm(&arguments),
        Command::Replay(arguments) => replay(&arguments),
        Command::Check(arguments) => check(&arguments),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("hamok-sim: {error}");
            ExitCode::from(error.exit())
        }
    }
}

fn replay(arguments: &ReplayArguments) -> Result<Exit, output::Error> {
    let path = &arguments.file;
    let file = File::open(path).map_err(|error| output::Error::file(path, &error))?;
    let schedule =
        Schedule::read(BufReader::new(file)).map_err(|error| output::Error::file(path, &error))?;
    let again = format!("hamok-sim replay {}", path.display());
    let report = runs::simulate(schedule.simulation(), &again, &arguments.output)?;
    let trace = format!("{:016x}", report.trace_hash);
    if trace != schedule.result.trace {
        let saved = schedule.result.trace;
        eprintln!("note: the trace was {saved} when this was saved: the code has changed since");
    }
    Ok(Exit::of(&report))
}

fn check(arguments: &CheckArguments) -> Result<Exit, output::Error> {
    let path = &arguments.file;
    let verdict = check_file(path, arguments.model.map(Into::into), arguments.search_steps)
        .map_err(|error| output::Error::file(path, &error))?;
    say(&format!("{verdict}\n"))?;
    Ok(match verdict {
        Verdict::Linearizable => Exit::Pass,
        Verdict::Violation(_) => Exit::Violation,
        Verdict::Unknown(_) => Exit::Unknown,
    })
}
