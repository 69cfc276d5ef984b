//! Fixed seeds: a few clusters of every profile, the same each time.
//!
//! Thousands are run by `hamok-sim swarm`; these are here so that `cargo test` alone would notice a
//! broken invariant, and a simulator that does not simulate.

use hamok_sim::{Fault, Profile, Report, Settings, SimTime, Simulation, Tally};

fn run(seed: u64, profile: Profile, nodes: Option<u64>) -> (Report, Tally) {
    let mut simulation = Simulation::new(seed).profile(profile);
    if let Some(nodes) = nodes {
        simulation = simulation.nodes(nodes);
    }
    let (report, clients) = simulation.run_clients();
    (report, clients.tally().clone())
}

#[test]
fn drawn_mixes_break_nothing() {
    for seed in 0..40 {
        let (report, _) = run(seed, Profile::Swarm, None);
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn storms_break_nothing_in_groups_of_any_size() {
    for nodes in 1..=7 {
        let (report, tally) = run(nodes, Profile::Storm, Some(nodes));
        assert!(report.passed(), "{report}");
        assert!(!report.is_thin(&tally), "too little happened to {nodes} nodes: {report}");
    }
}

#[test]
fn everything_at_once_breaks_nothing() {
    for seed in 0..6 {
        let (report, _) = run(seed, Profile::Radioactive, None);
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn a_group_outlives_all_its_disks_and_members() {
    let mut counts = hamok_sim::Counts::default();
    for seed in 0..9 {
        let simulation = Simulation::new(seed).profile(Profile::Storm).nodes(5);
        let churned = simulation.fault(Fault::Wipe, 150_000).fault(Fault::RemoveNode, 300_000);
        let (report, _) = churned.fault(Fault::AddNode, 500_000).run_clients();
        assert!(report.passed(), "{report}");
        counts += &report.counts;
    }
    assert!(counts.faults[&Fault::Wipe] > 60 && counts.removals > 10, "{counts:?}");
}

#[test]
fn forgeries_make_no_node_panic_or_grow() {
    for seed in 0..10 {
        let (report, _) = run(seed, Profile::Hostile, None);
        assert!(report.passed(), "{report}");
        assert!(report.counts.faults.contains_key(&Fault::Forge), "{report}");
    }
}

#[test]
fn a_calm_group_answers_everything() {
    let (report, tally) = run(1, Profile::Calm, Some(3));
    assert!(report.passed(), "{report}");
    assert_eq!((tally.total.unknown, tally.total.not_executed), (0, 0), "{report}");
    assert!(tally.total.done >= 200, "{report}");
}

#[test]
fn a_run_follows_from_its_seed() {
    for seed in [3, 42] {
        let (first, _) = run(seed, Profile::Swarm, None);
        let (second, _) = run(seed, Profile::Swarm, None);
        assert_eq!(first.trace_hash, second.trace_hash);
        let (other, _) = run(seed + 1, Profile::Swarm, None);
        assert_ne!(first.trace_hash, other.trace_hash);
    }
}

#[test]
fn a_seed_is_worth_counting() {
    let settings = Settings::new();
    assert!(settings.time >= SimTime::from_micros(60_000_000) && settings.operations >= 200);
    let thin = (0..40).filter(|&seed| {
        let (report, tally) = run(seed, Profile::Swarm, None);
        report.is_thin(&tally)
    });
    assert!(thin.count() <= 2);
}
