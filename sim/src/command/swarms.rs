//! Many runs.

use std::io::{self, IsTerminal};
use std::time::Duration;

use hamok_sim::report::SwarmResult;
use hamok_sim::{Simulation, Stopwatch, Swarm, SwarmReport};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::arguments::{OutputArguments, SwarmArguments, micros};
use super::failures;
use super::output::{Error, Exit, RealTime, coloured, say};

pub(super) fn swarm(arguments: &SwarmArguments) -> Result<Exit, Error> {
    let swarm = Swarm {
        settings: arguments.settings.settings(),
        seeds: arguments.seeds.clone(),
        shard: arguments.shard,
        fail_fast: arguments.fail_fast,
    };
    let threads = rayon::ThreadPoolBuilder::new().num_threads(arguments.jobs.unwrap_or(0));
    let threads = threads.build().map_err(|error| Error::internal(&"threads", &error))?;
    let time = RealTime::start();
    let bar = progress_bar((arguments.seeds.end - arguments.seeds.start) / arguments.shard.1);
    let limit = arguments.limit.map_or(u64::MAX, micros);
    let go_on = || time.micros() < limit;
    let report = threads.install(|| {
        swarm.run(&time, &go_on, &|report| {
            if !report.passed() {
                bar.println(format!("seed {}: {:?}", report.seed, report.verdict));
            }
            bar.inc(1);
        })
    });
    bar.finish_and_clear();
    let wall = time.micros();
    let files = save_failures(&swarm, &report, &arguments.output)?;
    let result = SwarmResult { report: &report, wall, files: &files };
    say(&result.render(arguments.output.format.into(), coloured()))?;
    Ok(Exit::of_swarm(&report))
}

/// Runs the first failing seeds once more, to save what they did.
fn save_failures(
    swarm: &Swarm,
    report: &SwarmReport,
    output: &OutputArguments,
) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    for failure in report.failures.iter().take(SAVED) {
        let simulation = Simulation::new(failure.seed).settings(swarm.settings.clone());
        let (report, clients) = simulation.run_clients();
        files.extend(failures::save(&output.out, &report, clients.history())?);
    }
    Ok(files)
}

fn progress_bar(seeds: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(seeds), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left");
    bar.set_style(style.expect("the template is well formed"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Of how many failing seeds the schedules are saved.
const SAVED: usize = 10;
