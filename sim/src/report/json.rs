//! Results as one JSON object on one line.

use serde_json::{Value, json};

use crate::simulation::{Report, RunVerdict};
use crate::swarm::Finding;

use super::{RunResult, SwarmResult};

/// The result of one run.
pub(super) fn run(result: &RunResult<'_>) -> String {
    let RunResult { report, tally, wall, files, again } = result;
    let Report { seed, plan, overrides, verdict, ended, trace_hash, counts, checks } = report;
    let (verdict, violation, unknown) = match verdict {
        RunVerdict::Passed => ("passed", Value::Null, Value::Null),
        RunVerdict::Violated(violation) => (
            "violated",
            json!({
                "code": violation.code,
                "node": violation.node.map(hamok::NodeId::get),
                "text": violation.text,
            }),
            Value::Null,
        ),
        RunVerdict::Unknown(because) => ("unknown", Value::Null, json!(because)),
    };
    one_line(&json!({
        "verdict": verdict,
        "violation": violation,
        "unknown": unknown,
        "seed": seed,
        "trace": format!("{trace_hash:016x}"),
        "step": ended.step,
        "simulated_micros": ended.at,
        "wall_micros": wall,
        "plan": plan,
        "overrides": overrides,
        "counts": counts,
        "operations": tally,
        "checks": checks,
        "files": files,
        "reproduce": again,
    }))
}

/// The result of a swarm.
pub(super) fn swarm(result: &SwarmResult<'_>) -> String {
    let SwarmResult { report, wall, files } = result;
    let findings = |findings: &[Finding]| -> Vec<Value> { findings.iter().map(finding).collect() };
    one_line(&json!({
        "verdict": if report.passed() { "passed" } else { "failed" },
        "seeds": report.seeds,
        "simulated_micros": report.simulated,
        "wall_micros": wall,
        "repeated": report.repeated,
        "thin": report.thin,
        "counts": report.counts,
        "operations": report.tally,
        "violations": findings(&report.failures),
        "nondeterministic": findings(&report.nondeterministic),
        "unknown": findings(&report.unknown),
        "slowest": findings(&report.slowest),
        "files": files,
    }))
}

fn finding(finding: &Finding) -> Value {
    json!({
        "seed": finding.seed,
        "text": finding.text,
        "wall_micros": finding.wall,
        "reproduce": finding.again,
    })
}

fn one_line(value: &Value) -> String {
    format!("{value}\n")
}
