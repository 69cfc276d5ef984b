//! The library around whole runs: saved schedules, overrides, checkers and workloads of one's own.

use hamok::{Event, Map, NodeId, Reply};
use hamok_sim::{
    Checker, Clients, ClusterSeen, Context, Fault, Override, Profile, RunVerdict, Schedule,
    Settings, SimTime, Simulation, StepSeen, Stopwatch, Stream, Swarm, Violation, Workload,
};

#[test]
fn nothing_of_a_storm_is_missing() {
    let mut counts = hamok_sim::Counts::default();
    for seed in 0..12 {
        let (report, _) = Simulation::new(seed).profile(Profile::Storm).nodes(5).run_clients();
        counts += &report.counts;
    }
    let missing: Vec<Fault> =
        Fault::ALL.into_iter().filter(|fault| !counts.faults.contains_key(fault)).collect();
    assert_eq!(missing, [Fault::Forge], "which is of hostile runs only");
    let happened = [
        counts.snapshots_taken,
        counts.snapshots_installed,
        counts.admissions,
        counts.removals,
        counts.promotions,
        counts.transfers_begun,
        counts.versions_raised,
    ];
    assert!(happened.iter().all(|&count| count > 0), "{counts:?}");
}

#[test]
fn a_schedule_repeats_the_run() {
    let (report, _) = Simulation::new(21).run_clients();
    let mut file = Vec::new();
    Schedule::of(&report).write(&mut file).expect("memory takes all");
    let schedule = Schedule::read(file.as_slice()).expect("it was just written");
    let (again, _) = schedule.simulation().run_clients();
    assert_eq!(again.trace_hash, report.trace_hash);
    assert_eq!(format!("{:016x}", again.trace_hash), schedule.result.trace);
}

#[test]
fn what_is_no_schedule_is_told() {
    for text in ["", "{}", "[1]", r#"{"format":"hamok-sim schedule","version":999}"#] {
        assert!(Schedule::read(text.as_bytes()).is_err(), "{text:?}");
    }
}

#[test]
fn an_override_takes_out_one_fault() {
    let calm = || Simulation::new(5).profile(Profile::Calm).nodes(3).time(SimTime::from_secs(10));
    let crash = |simulation: Simulation| simulation.fault(Fault::CrashLeader, 1_000_000);
    let (with, _) = crash(calm()).run_clients();
    assert!(with.counts.faults.contains_key(&Fault::CrashLeader), "{with}");
    let never = |node| Override { stream: Stream::CrashLeader, a: node, b: 1, value: 999_999 };
    let overrides = vec![never(1), never(2), never(3)];
    let lower = |simulation: Simulation| simulation.fault(Fault::CrashLeader, 999_999);
    let (without, _) = lower(calm()).overrides(overrides).run_clients();
    assert!(!without.counts.faults.contains_key(&Fault::CrashLeader), "{without}");
}

/// Objects to the first leader.
struct NoLeader;

impl Checker for NoLeader {
    fn code(&self) -> &'static str {
        "XX"
    }

    fn on_step(&mut self, _: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        match step.after.leader {
            None => Ok(()),
            Some(leader) => Err(Violation::new("XX", Some(leader), "there is a leader")),
        }
    }
}

#[test]
fn a_violation_ends_the_run_where_it_happens() {
    let checkers: Vec<Box<dyn Checker>> = vec![Box::new(NoLeader)];
    let report =
        Simulation::new(3).profile(Profile::Calm).run_checked(&mut Clients::new(), checkers);
    let RunVerdict::Violated(violation) = &report.verdict else { panic!("{report}") };
    assert_eq!((violation.code, report.counts.elections), ("XX", 1));
    assert!(report.ended.at < SimTime::from_secs(10), "{report}");
}

/// Writes one key again and again, and watches the events of all nodes.
#[derive(Default)]
struct Watching {
    written: u64,
    seen: Vec<(NodeId, u64)>,
    phases: Vec<String>,
}

const NUMBERS: Map<u64, u64> = Map::new("numbers");

impl Workload for Watching {
    fn on_start(&mut self, context: &mut Context<'_>) {
        context.timer(1, 0, 8_000_000);
    }

    fn on_timer(&mut self, context: &mut Context<'_>, client: u64, token: u64) {
        if !context.is_quiet() && self.written < 10 {
            self.written += 1;
            let call = NUMBERS.set(&0, &self.written).expect("numbers encode");
            context.request(client, self.written, NodeId::new(1), call.into_parts().0);
        }
        context.timer(client, token, 500_000);
    }

    fn on_reply(&mut self, _: &mut Context<'_>, _: u64, _: u64, _: Reply) {}

    fn on_event(&mut self, _: &mut Context<'_>, node: NodeId, event: &Event) {
        if let Event::Changed(change) = event
            && NUMBERS.event(change).is_some()
        {
            self.seen.push((node, change.index().get()));
        }
    }

    fn on_phase(&mut self, _: &mut Context<'_>, phase: hamok_sim::Phase) {
        self.phases.push(phase.to_string());
    }

    fn on_end(&mut self, context: &mut Context<'_>) -> Result<(), Violation> {
        let node = context.node(NodeId::new(3)).expect("no node is down after a calm run");
        let last = node.map(&NUMBERS).get(&0).expect("numbers decode");
        match last {
            Some(10) => Ok(()),
            other => Err(Violation::new("WL", None, format!("the last number is {other:?}"))),
        }
    }
}

#[test]
fn a_workload_sees_events_phases_and_views() {
    let mut watching = Watching::default();
    let calm = Simulation::new(8).profile(Profile::Calm).nodes(3).time(SimTime::from_secs(20));
    let report = calm.run(&mut watching);
    assert!(report.passed(), "{report}");
    for node in 1..=3 {
        let seen = watching.seen.iter().filter(|(id, _)| *id == NodeId::new(node));
        assert_eq!(seen.count(), 10, "on n{node}");
    }
    assert_eq!(watching.phases.first().map(String::as_str), Some("liveness"));
}

/// Stands still.
struct NoTime;

impl Stopwatch for NoTime {
    fn micros(&self) -> u64 {
        0
    }
}

#[test]
fn a_swarm_adds_up_the_same_in_shards() {
    let swarm = |shard| Swarm { settings: Settings::new(), seeds: 0..12, shard, fail_fast: false };
    let run = |swarm: Swarm| swarm.run(&NoTime, &|| true, &|_| {});
    let whole = run(swarm((0, 1)));
    let mut parts = run(swarm((0, 2))).counts;
    parts += &run(swarm((1, 2))).counts;
    assert_eq!((whole.seeds, &whole.counts), (12, &parts));
    assert!(whole.passed(), "{:?}", whole.failures);
    assert_eq!(run(Swarm { seeds: 5..5, ..swarm((0, 1)) }).seeds, 0);
}
