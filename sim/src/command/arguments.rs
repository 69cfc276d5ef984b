//! What the command line may say.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum, value_parser};
use hamok_sim::history::Model;
use hamok_sim::report::Format;
use hamok_sim::{Fault, Profile, Settings, SimTime};

/// Runs hamok clusters in simulated time, with faults, and checks what they do.
///
/// Exit codes: 0 passed, 1 an invariant was broken, 2 wrong usage, 3 unknown since a budget ran out,
/// 4 the same run went differently the second time, 70 the simulator could not do its work.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs one seed.
    Run(RunArguments),
    /// Runs many seeds.
    Swarm(SwarmArguments),
    /// Runs a saved schedule again.
    Replay(ReplayArguments),
    /// Checks a history, in JSON Lines, for linearizability.
    Check(CheckArguments),
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The seed, in decimal or, after 0x, in hexadecimal.
    #[arg(long, value_parser = number, default_value = "1")]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) settings: SettingsArguments,
    #[command(flatten)]
    pub(super) output: RunOutputArguments,
}

#[derive(Debug, Args)]
pub(super) struct SwarmArguments {
    /// How many seeds, from 0 on, or a range A..B without its end.
    #[arg(long, value_name = "N|A..B", value_parser = seeds, default_value = "100")]
    pub(super) seeds: Range<u64>,
    /// Begins no more seeds after this time.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(super) limit: Option<Duration>,
    /// How many seeds to run at once; all cores by default.
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<usize>,
    /// Runs one part of so many, numbered from 1.
    #[arg(long, value_name = "K/N", value_parser = shard, default_value = "1/1")]
    pub(super) shard: (u64, u64),
    /// Stops at the first violation.
    #[arg(long)]
    pub(super) fail_fast: bool,
    #[command(flatten)]
    pub(super) settings: SettingsArguments,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// The schedule.
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) output: RunOutputArguments,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// The history.
    pub(super) file: PathBuf,
    /// Judges the calls on collections of this kind alone; all calls by default.
    #[arg(long, value_enum)]
    pub(super) model: Option<ModelArgument>,
    /// How many steps the search may take.
    #[arg(long, value_name = "N", default_value_t = Settings::SEARCH_STEPS)]
    pub(super) search_steps: u64,
}

/// What a single run may leave.
#[derive(Debug, Args)]
pub(super) struct RunOutputArguments {
    /// Saves the run as a schedule in this file.
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Saves what the clients did in this file, for `check`.
    #[arg(long, value_name = "FILE")]
    pub(super) history: Option<PathBuf>,
    /// Writes every step that does something into this file, as text.
    #[arg(long, value_name = "FILE")]
    pub(super) transcript: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(super) struct OutputArguments {
    /// How results are written.
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: FormatArgument,
    /// Where the schedule and the history of a failing run go.
    #[arg(long, value_name = "DIR", default_value = "hamok-sim-failures")]
    pub(super) out: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FormatArgument {
    Human,
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ModelArgument {
    Map,
    Queue,
    Record,
    RemoteMap,
}

/// Options that together are [`Settings`].
#[derive(Debug, Args)]
pub(super) struct SettingsArguments {
    /// Where faults and configuration come from.
    #[arg(long, value_enum, default_value = "swarm")]
    profile: ProfileArgument,
    /// How many nodes; drawn, or 3, by default.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=63))]
    nodes: Option<u64>,
    /// How many clients; drawn, or 4, by default.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(0..=10_000))]
    clients: Option<u64>,
    /// How long, in simulated time, the phase with faults lasts at least.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    time: Duration,
    /// How many operations the clients begin in that phase at least.
    #[arg(long, value_name = "N", default_value = "200")]
    ops: u64,
    /// After how many steps the run ends wherever it is.
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// How many steps the search for a linearization may take.
    #[arg(long, value_name = "N", default_value_t = Settings::SEARCH_STEPS)]
    search_steps: u64,
    #[command(flatten)]
    faults: FaultArguments,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProfileArgument {
    Calm,
    Storm,
    Radioactive,
    Swarm,
    Hostile,
}

/// One option for each fault: how often it strikes.
#[derive(Clone, Debug, Default)]
struct FaultArguments(Vec<(Fault, u32)>);

impl SettingsArguments {
    pub(super) fn settings(&self) -> Settings {
        let mut settings = Settings::new();
        settings.profile = match self.profile {
            ProfileArgument::Calm => Profile::Calm,
            ProfileArgument::Storm => Profile::Storm,
            ProfileArgument::Radioactive => Profile::Radioactive,
            ProfileArgument::Swarm => Profile::Swarm,
            ProfileArgument::Hostile => Profile::Hostile,
        };
        settings.nodes = self.nodes;
        settings.clients = self.clients;
        settings.time = SimTime::from_micros(micros(self.time));
        settings.operations = self.ops;
        settings.steps = self.steps;
        settings.search_steps = self.search_steps;
        settings.faults = self.faults.0.iter().copied().collect();
        settings
    }
}

impl From<FormatArgument> for Format {
    fn from(format: FormatArgument) -> Self {
        match format {
            FormatArgument::Human => Self::Human,
            FormatArgument::Json => Self::Json,
        }
    }
}

impl From<ModelArgument> for Model {
    fn from(model: ModelArgument) -> Self {
        match model {
            ModelArgument::Map => Self::Map,
            ModelArgument::Queue => Self::Queue,
            ModelArgument::Record => Self::Record,
            ModelArgument::RemoteMap => Self::RemoteMap,
        }
    }
}

impl FromArgMatches for FaultArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |fault: Fault| Some((fault, *matches.get_one::<u32>(fault.name())?));
        Ok(Self(Fault::ALL.into_iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for FaultArguments {
    fn augment_args(command: clap::Command) -> clap::Command {
        let option = |fault: Fault| {
            Arg::new(fault.name())
                .long(fault.name())
                .value_name("PPM")
                .value_parser(value_parser!(u32).range(0..=1_000_000))
                .help(fault.counted())
                .help_heading("Faults, in parts per million, instead of what the profile says")
        };
        command.args(Fault::ALL.map(option))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// Microseconds, as far as they can be counted.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| format!("{error}: give a number, or 0x and hexadecimal digits"))
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let range = match text.split_once("..") {
        Some((first, end)) => number(first)?..number(end)?,
        None => 0..number(text)?,
    };
    if range.is_empty() { Err("there is no seed in it".to_owned()) } else { Ok(range) }
}

fn shard(text: &str) -> Result<(u64, u64), String> {
    let (part, parts) = text.split_once('/').ok_or("give K/N, such as 2/8")?;
    let (part, parts) = (number(part)?, number(parts)?);
    if (1..=parts).contains(&part) {
        Ok((part - 1, parts))
    } else {
        Err(format!("there is no part {part} of {parts}"))
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let count: u64 =
        count.parse().map_err(|_| "give a number and a unit, such as 90s".to_owned())?;
    let micros = match unit {
        "us" => 1,
        "ms" => 1_000,
        "" | "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return Err(format!("{unit:?} is none of us, ms, s, m, h")),
    };
    let whole = count.checked_mul(micros).ok_or("that is too long")?;
    Ok(Duration::from_micros(whole))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn settings(line: &str) -> Settings {
        let parsed = Arguments::try_parse_from(line.split(' ')).expect("it parses");
        let Command::Run(run) = parsed.command else { panic!("{line} is not a run") };
        run.settings.settings()
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_line_that_a_report_gives_means_the_same_settings() {
        let given = settings(
            "hamok-sim run --profile storm --nodes 5 --time 90s --drop 0 --one-way 7 --steps 10",
        );
        assert_eq!(settings(&given.command_line(3)), given);
        assert_eq!(settings(&Settings::new().command_line(3)), Settings::new());
    }

    #[test]
    fn numbers_ranges_shards_and_times_parse() {
        assert_eq!((number("42"), number("0x2a")), (Ok(42), Ok(42)));
        assert_eq!((seeds("5"), seeds("3..0x10")), (Ok(0..5), Ok(3..16)));
        assert!(seeds("0").is_err() && seeds("4..4").is_err() && number("x").is_err());
        assert_eq!(shard("2/8"), Ok((1, 8)));
        assert!(shard("0/8").is_err() && shard("9/8").is_err() && shard("8").is_err());
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert!(duration("m").is_err() && duration("3 weeks").is_err());
    }
}
