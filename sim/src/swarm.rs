//! Many seeds, each a run of its own.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::checker::same_trace;
use crate::counts::Counts;
use crate::draw::{Draws, Stream};
use crate::settings::Settings;
use crate::simulation::{Report, RunVerdict, Simulation};
use crate::tally::Tally;

/// Seeds to run.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// What each seed is run with.
    pub settings: Settings,
    /// Which seeds.
    pub seeds: Range<u64>,
    /// Only the seeds that leave this remainder, of this many shards.
    pub shard: (u64, u64),
    /// Whether the first violation ends it.
    pub fail_fast: bool,
}

/// What came of a swarm.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SwarmReport {
    /// How many seeds were run.
    pub seeds: u64,
    /// How many of them were run twice, to see whether they do the same.
    pub repeated: u64,
    /// How many did less than a run should: see [`Report::is_thin`].
    pub thin: u64,
    /// Simulated microseconds.
    pub simulated: u64,
    /// What happened.
    pub counts: Counts,
    /// How operations ended.
    pub tally: Tally,
    /// Seeds that broke an invariant.
    pub failures: Vec<Finding>,
    /// Seeds that did something else the second time.
    pub nondeterministic: Vec<Finding>,
    /// Seeds for which a budget ran out.
    pub unknown: Vec<Finding>,
    /// The seeds that took longest.
    pub slowest: Vec<Finding>,
}

/// One seed, and what there is to say of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The seed.
    pub seed: u64,
    /// How long it took, in microseconds of real time.
    pub wall: u64,
    /// What there is to say.
    pub text: String,
    /// The command that runs it again.
    pub again: String,
}

/// Tells how long something takes. The simulator itself never looks at a clock.
pub trait Stopwatch: Sync {
    /// Microseconds of real time from some moment on.
    fn micros(&self) -> u64;
}

impl Swarm {
    /// Runs the seeds on rayon's current threads. `go_on` is asked before each seed, `done` is told
    /// after each.
    pub fn run(
        &self,
        stopwatch: &dyn Stopwatch,
        go_on: &(dyn Fn() -> bool + Sync),
        done: &(dyn Fn(&Report) + Sync),
    ) -> SwarmReport {
        let stop = AtomicBool::new(false);
        let (shard, shards) = self.shard;
        let run = |seed| {
            if seed % shards != shard || stop.load(Ordering::Relaxed) || !go_on() {
                return SwarmReport::default();
            }
            let (report, summary) = self.run_seed(seed, stopwatch);
            if self.fail_fast && !summary.passed() {
                stop.store(true, Ordering::Relaxed);
            }
            done(&report);
            summary
        };
        let merge = |mut all: SwarmReport, one| {
            all.add(one);
            all
        };
        let mut report =
            self.seeds.clone().into_par_iter().map(run).reduce(SwarmReport::default, merge);
        report.sort();
        report
    }

    fn run_seed(&self, seed: u64, stopwatch: &dyn Stopwatch) -> (Report, SwarmReport) {
        let began = stopwatch.micros();
        let simulation = Simulation::new(seed).settings(self.settings.clone());
        let (report, clients) = simulation.clone().run_clients();
        let wall = stopwatch.micros() - began;
        let finding = |text| Finding { seed, wall, text, again: self.settings.command_line(seed) };
        let mut summary = SwarmReport {
            seeds: 1,
            simulated: report.ended.at.micros(),
            counts: report.counts.clone(),
            tally: clients.tally().clone(),
            slowest: vec![finding(String::new())],
            ..SwarmReport::default()
        };
        match &report.verdict {
            RunVerdict::Passed => summary.thin = u64::from(report.is_thin(clients.tally())),
            RunVerdict::Violated(violation) => {
                summary.failures.push(finding(format!("{violation} ({})", report.ended)));
            }
            RunVerdict::Unknown(because) => summary.unknown.push(finding(because.clone())),
        }
        if Draws::new(seed, &[]).raw(Stream::Phases, 9, 0).is_multiple_of(REPEATED) {
            summary.repeated = 1;
            let (second, _) = simulation.run_clients();
            if let Err(violation) = same_trace(report.trace_hash, second.trace_hash) {
                summary.nondeterministic.push(finding(violation.to_string()));
            }
        }
        (report, summary)
    }
}

impl SwarmReport {
    /// Whether nothing was found; what is merely unknown does not count.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && self.nondeterministic.is_empty()
    }

    fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.repeated += other.repeated;
        self.thin += other.thin;
        self.simulated += other.simulated;
        self.counts += &other.counts;
        self.tally += &other.tally;
        self.failures.extend(other.failures);
        self.nondeterministic.extend(other.nondeterministic);
        self.unknown.extend(other.unknown);
        self.slowest.extend(other.slowest);
        self.slowest.sort_by_key(|slow| (std::cmp::Reverse(slow.wall), slow.seed));
        self.slowest.truncate(SLOWEST_SHOWN);
    }

    fn sort(&mut self) {
        for findings in [&mut self.failures, &mut self.nondeterministic, &mut self.unknown] {
            findings.sort_by_key(|finding| finding.seed);
        }
    }
}

/// One seed in so many is run twice.
const REPEATED: u64 = 16;
const SLOWEST_SHOWN: usize = 3;
