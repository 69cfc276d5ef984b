//! The command line: exit codes, and what is printed where.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::{fs, str};

fn hamok_sim(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hamok-sim"));
    command.args(arguments.split_whitespace()).current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

fn output(arguments: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        hamok_sim(arguments).output().expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints text");
    (status.code(), text(stdout), text(stderr))
}

fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

const SHORT: &str = "--time 10s --ops 20 --profile calm";

#[test]
fn a_run_that_passes_says_so_and_how_to_do_it_again() {
    let (code, out, err) = output(&format!("run --seed 0x2a {SHORT} --nodes 3"));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("passed"), "{out}");
    let again = out.lines().last().expect("it prints lines");
    let line = again.split_once("hamok-sim ").expect("the last line is a command").1;
    let trace = |out: &str| out.lines().find(|line| line.starts_with("trace")).map(str::to_owned);
    assert_eq!(trace(&output(line).1), trace(&out), "{line}");
}

#[test]
fn json_is_one_object_on_one_line() {
    for arguments in
        [format!("run {SHORT} --format json"), format!("swarm --seeds 2 {SHORT} --format json")]
    {
        let (code, out, _) = output(&arguments);
        assert_eq!((code, out.lines().count()), (Some(0), 1), "{out}");
        let value: serde_json::Value = serde_json::from_str(&out).expect("it is JSON");
        assert_eq!(value["verdict"], "passed");
    }
}

#[test]
fn a_saved_run_replays_and_its_history_checks() {
    let line = format!("run --seed 9 {SHORT} --save saved.json --history saved.jsonl");
    let (code, out, _) = output(&line);
    assert_eq!(code, Some(0), "{out}");
    let (code, again, err) = output("replay saved.json");
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let trace = |out: &str| out.lines().find(|line| line.starts_with("trace")).map(str::to_owned);
    assert_eq!(trace(&again), trace(&out));
    let (code, out, _) = output("check saved.jsonl --model map");
    assert_eq!((code, out.as_str()), (Some(0), "linearizable\n"));
}

/// A history of calls that each ended before the next began, as (name, operation, result).
fn history(file: &str, calls: &[(&str, &str, &str)]) {
    let mut lines = vec![r#"{"history":{"version":2}}"#.to_owned()];
    for (number, (name, operation, result)) in (1..).zip(calls) {
        let (began, ended) = (2 * number, 2 * number + 1);
        lines.push(format!(
            r#"{{"invoke":{{"call":[1,{number}],"at":{began},"name":"{name}","operation":{operation}}}}}"#
        ));
        lines.push(format!(
            r#"{{"complete":{{"call":[1,{number}],"at":{ended},"outcome":{{"done":{{"result":{result}}}}}}}}}"#
        ));
    }
    fs::write(scratch(file), lines.join("\n")).expect("the folder can be written");
}

#[test]
fn a_history_that_no_order_explains_is_a_violation() {
    let calls = [
        ("m", r#"{"map":{"set":{"key":"a","value":"x"}}}"#, r#"{"value":null}"#),
        ("m", r#"{"map":{"read":{"key":"a"}}}"#, r#"{"value":null}"#),
    ];
    history("lost.jsonl", &calls);
    let (code, out, _) = output("check lost.jsonl");
    assert_eq!(code, Some(1), "{out}");
    assert!(out.starts_with("not linearizable"), "{out}");
}

#[test]
fn only_the_calls_of_the_model_that_is_named_are_judged() {
    let calls = [
        ("m", r#"{"map":{"set":{"key":"a","value":"x"}}}"#, r#"{"value":null}"#),
        ("q", r#"{"queue":{"push":{"value":"x"}}}"#, r#""nothing""#),
        ("q", r#"{"queue":"pop"}"#, r#"{"value":"x"}"#),
        ("q", r#"{"queue":"pop"}"#, r#"{"value":"x"}"#),
        ("r", r#"{"record":{"insert":{"field":"f","value":"x"}}}"#, r#"{"value":null}"#),
    ];
    history("twice.jsonl", &calls);
    for (arguments, expected) in
        [("", 1), (" --model map", 0), (" --model queue", 1), (" --model record", 0)]
    {
        let (code, out, _) = output(&format!("check twice.jsonl{arguments}"));
        assert_eq!(code, Some(expected), "{arguments}: {out}");
    }
    let (code, out, err) = output("check twice.jsonl --model remote-map");
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("no call in it is about a remote-map"), "{err}");
}

#[test]
fn a_history_of_another_version_is_wrong_usage() {
    fs::write(scratch("old.jsonl"), r#"{"history":{"version":1,"model":"map"}}"#)
        .expect("the folder can be written");
    let (code, _, err) = output("check old.jsonl");
    assert_eq!(code, Some(2));
    assert!(err.contains("version 1"), "{err}");
}

#[test]
fn wrong_usage_is_told_on_standard_error() {
    for line in
        ["", "run --seed x", "run --drop 2000000", "replay nowhere.json", "check nowhere.jsonl"]
    {
        let (code, out, err) = output(line);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{line}");
        assert!(!err.is_empty(), "{line}");
    }
}

#[test]
fn a_run_that_is_cut_short_by_its_steps_is_no_failure() {
    let (code, out, _) = output("run --seed 4 --steps 500");
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("step 500 "), "{out}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut command = hamok_sim(&format!("run {SHORT}"));
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut said).expect("it is text");
    let status = child.wait().expect("it ends");
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(status.code(), Some(0), "{said}");
}
