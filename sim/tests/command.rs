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

#[test]
fn a_history_that_no_order_explains_is_a_violation() {
    let lines = [
        r#"{"history":{"version":1,"model":"map"}}"#,
        r#"{"invoke":{"call":[1,1],"at":1,"map":"m","operation":{"set":{"key":"a","value":"x"}}}}"#,
        r#"{"complete":{"call":[1,1],"at":2,"outcome":{"done":{"result":{"value":null}}}}}"#,
        r#"{"invoke":{"call":[1,2],"at":3,"map":"m","operation":{"read":{"key":"a"}}}}"#,
        r#"{"complete":{"call":[1,2],"at":4,"outcome":{"done":{"result":{"value":null}}}}}"#,
    ];
    fs::write(scratch("lost.jsonl"), lines.join("\n")).expect("the folder can be written");
    let (code, out, _) = output("check lost.jsonl");
    assert_eq!(code, Some(1), "{out}");
    assert!(out.starts_with("not linearizable"), "{out}");
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
