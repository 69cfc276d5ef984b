//! Results as text for people.

use std::fmt::{self, Write as _};

use crate::counts::Counts;
use crate::observation::Violation;
use crate::plan::Plan;
use crate::simulation::{Report, RunVerdict};
use crate::tally::Tally;

use super::{RunResult, SwarmResult};

/// The result of one run.
pub(super) fn run(result: &RunResult<'_>, colour: bool) -> String {
    let mut text = String::new();
    let RunResult { report, tally, wall, files, again } = result;
    text.push_str(&self::report(report, colour));
    describe_tally(&mut text, tally);
    line(&mut text, "speed", Speed { simulated: report.ended.at.micros(), wall: *wall });
    for file in *files {
        line(&mut text, "written", file);
    }
    let label = if report.passed() { "again" } else { "reproduce" };
    line(&mut text, label, again);
    text
}

/// What came of a run, apart from how long it took.
pub(super) fn report(report: &Report, colour: bool) -> String {
    let mut text = String::new();
    match &report.verdict {
        RunVerdict::Passed => line(&mut text, &paint("passed", GREEN, colour), "no violation"),
        RunVerdict::Violated(violation) => {
            let Violation { code, node, text: clause } = violation;
            let place = node.map_or(String::new(), |node| format!(" on {node}"));
            let label = paint("VIOLATION", RED, colour);
            line(&mut text, &label, format_args!("{code}{place}: {clause}"));
        }
        RunVerdict::Unknown(because) => line(&mut text, &paint("unknown", YELLOW, colour), because),
    }
    let Report { seed, plan, ended, trace_hash, counts, checks, .. } = report;
    line(&mut text, "seed", format_args!("{seed} ({seed:#x})"));
    line(&mut text, "trace", format_args!("{trace_hash:016x}"));
    line(&mut text, "ended", ended);
    describe_plan(&mut text, plan);
    describe_counts(&mut text, counts);
    line(&mut text, "checks", checks.join(" "));
    text
}

/// The result of a swarm.
pub(super) fn swarm(result: &SwarmResult<'_>, colour: bool) -> String {
    let mut text = String::new();
    let SwarmResult { report, wall, files } = result;
    let failed = report.failures.len();
    let verdict = match (failed, report.nondeterministic.len()) {
        (0, 0) => paint("passed", GREEN, colour),
        _ => paint("FAILED", RED, colour),
    };
    let seeds = report.seeds;
    line(
        &mut text,
        &verdict,
        format_args!(
            "{seeds} seeds, {failed} violations, {} unknown, {} nondeterministic",
            report.unknown.len(),
            report.nondeterministic.len()
        ),
    );
    line(&mut text, "speed", Speed { simulated: report.simulated, wall: *wall });
    let rate = per_second(seeds, *wall);
    line(&mut text, "rate", format_args!("{} seeds/s", Tenths(rate)));
    line(&mut text, "run twice", format_args!("{} seeds", report.repeated));
    line(&mut text, "too thin", format_args!("{} seeds", report.thin));
    describe_tally(&mut text, &report.tally);
    describe_counts(&mut text, &report.counts);
    for slow in &report.slowest {
        let told = format_args!("{} took {} s", slow.again, Millis(slow.wall));
        line(&mut text, "slow", told);
    }
    for unknown in &report.unknown {
        line(&mut text, "unknown", format_args!("{}: {}", unknown.again, unknown.text));
    }
    for file in *files {
        line(&mut text, "written", file);
    }
    for failure in &report.failures {
        line(&mut text, &paint("VIOLATION", RED, colour), &failure.text);
        line(&mut text, "reproduce", &failure.again);
    }
    for differing in &report.nondeterministic {
        line(&mut text, &paint("DIFFERS", RED, colour), &differing.text);
        line(&mut text, "reproduce", &differing.again);
    }
    text
}

fn describe_tally(text: &mut String, tally: &Tally) {
    line(text, "operations", tally.total);
    for (operation, outcomes) in &tally.by_operation {
        let name = format!("  {operation}");
        line(text, &name, outcomes);
    }
}

fn describe_plan(text: &mut String, plan: &Plan) {
    let Plan { nodes, spares, clients, latency, disk, knobs, .. } = plan;
    let mut ways = Vec::new();
    ways.extend(plan.diskless.then(|| "no disks".to_owned()));
    ways.extend(plan.last_resort.map(|id| format!("{id} leads as a last resort")));
    ways.extend(plan.upgrades.then(|| "upgrades".to_owned()));
    ways.extend(knobs.demote_after.map(|ticks| format!("demotes after {ticks} ticks")));
    let ways: String = ways.iter().map(|way| format!(", {way}")).collect();
    line(
        text,
        "cluster",
        format_args!("{nodes} nodes and {spares} later, {clients} clients{ways}"),
    );
    line(
        text,
        "times",
        format_args!(
            "election {} ticks, heartbeat {}, request {}; a tick is {} ms; network {}–{} µs, disk {}–{} µs",
            knobs.election_timeout,
            knobs.heartbeat_interval,
            knobs.request_timeout,
            plan.tick / 1000,
            latency.0,
            latency.1,
            disk.0,
            disk.1
        ),
    );
    line(
        text,
        "limits",
        format_args!(
            "message {} B, in flight {} B and {}, entry {} B, uncommitted {} B, pending {} and {} B, reads {}, calls {}, step {} B, log {} B and {} and {} B behind",
            knobs.max_message_bytes,
            knobs.max_inflight_bytes,
            knobs.max_inflight_messages,
            knobs.max_entry_bytes,
            knobs.max_uncommitted_bytes,
            knobs.max_pending_requests,
            knobs.max_pending_bytes,
            knobs.max_pending_reads,
            knobs.max_remote_calls,
            knobs.step_budget_bytes,
            knobs.max_log_bytes,
            knobs.max_log_entries,
            knobs.trailing_log_bytes
        ),
    );
    let asked: Vec<String> = plan
        .faults
        .iter()
        .filter(|&(_, &ppm)| ppm > 0)
        .map(|(fault, ppm)| format!("{fault} {ppm}"))
        .collect();
    let asked = if asked.is_empty() { "none".to_owned() } else { asked.join(", ") };
    line(text, "faults ppm", asked);
}

fn describe_counts(text: &mut String, counts: &Counts) {
    line(
        text,
        "happened",
        format_args!(
            "{} steps, {} starts, {} elections, {} entries applied, {} requests, {} writes, {} messages, {} delivered",
            counts.steps,
            counts.starts,
            counts.elections,
            counts.applied,
            counts.requests,
            counts.writes,
            counts.sent,
            counts.delivered
        ),
    );
    line(
        text,
        "snapshots",
        format_args!(
            "{} taken, {} sent, {} resumed, {} installed",
            counts.snapshots_taken,
            counts.snapshots_sent,
            counts.snapshots_resumed,
            counts.snapshots_installed
        ),
    );
    line(
        text,
        "members",
        format_args!(
            "{} admitted, {} removed, {} promoted, {} demoted; {} transfers begun, {} failed; {} versions raised",
            counts.admissions,
            counts.removals,
            counts.promotions,
            counts.demotions,
            counts.transfers_begun,
            counts.transfers_failed,
            counts.versions_raised
        ),
    );
    let struck: Vec<String> =
        counts.faults.iter().map(|(fault, count)| format!("{fault} {count}")).collect();
    if !struck.is_empty() {
        line(text, "faults", struck.join(", "));
    }
}

/// How fast simulated time went by.
struct Speed {
    simulated: u64,
    wall: u64,
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { simulated, wall } = *self;
        let ratio = simulated / wall.max(1);
        let (simulated, wall) = (Millis(simulated), Millis(wall));
        write!(f, "{simulated} simulated s in {wall} s: {ratio}× real time")
    }
}

/// Microseconds, shown as seconds to the millisecond.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000_000, self.0 / 1_000 % 1_000)
    }
}

/// Tenths, shown as a decimal.
struct Tenths(u64);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// Tenths of things per second.
fn per_second(count: u64, wall: u64) -> u64 {
    count.saturating_mul(10_000_000) / wall.max(1)
}

fn line(text: &mut String, label: &str, what: impl fmt::Display) {
    let shown = label.chars().filter(|c| !c.is_control()).count();
    // Colour codes take no room on the screen.
    let codes = if label.starts_with('\x1b') { CODE_WIDTH } else { 0 };
    let pad = LABEL.saturating_sub(shown.saturating_sub(codes));
    writeln!(text, "{label}{:pad$} {what}", "").expect("text grows in memory");
}

fn paint(word: &str, code: &str, colour: bool) -> String {
    if colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
}

const LABEL: usize = 11;
/// The visible characters of the codes around a painted word.
const CODE_WIDTH: usize = 7;
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
