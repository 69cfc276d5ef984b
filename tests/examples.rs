//! Runs the examples as a reader would.
//!
//! `cargo test` builds them along with the tests; to run this file alone, say
//! `cargo build --examples` first.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real processes take real time, and their clients are threads"
)]

#[path = "support/processes.rs"]
mod processes;

use std::process::Command;
use std::sync::Mutex;
use std::thread;

use processes::{Processes, path_of, wait_until};

const WRITES_BY_EACH: usize = 60;

#[test]
fn quickstart_reads_on_each_server_what_the_other_set() {
    assert_eq!(
        output_of("quickstart"),
        "Setting value in storage on server_1 for key-1 to 1\n\
         Setting value in storage on server_2 for key-2 to 2\n\
         value for key-2 by server_1: 2\n\
         value for key-1 by server_2: 1\n"
    );
}

#[test]
fn every_player_of_the_game_loop_sees_the_same_score() {
    let output = output_of("game_loop");
    let boards: Vec<&str> = output
        .lines()
        .filter_map(|line| line.split_once(" sees "))
        .map(|(_, board)| board)
        .collect();
    assert_eq!(boards.len(), 3, "{output}");
    assert!(boards.iter().all(|board| *board == boards[0]), "{output}");
    let picked_up = output.lines().filter(|line| line.contains(" picks up ")).count();
    let counted: usize = boards[0]
        .split(", ")
        .filter_map(|score| score.split_once(": "))
        .map(|(_, coins)| coins.parse::<usize>().expect("a number of coins"))
        .sum();
    assert_eq!(counted, picked_up, "{output}");
    assert!(picked_up >= 15, "most of the 20 coins find an owner:\n{output}");
}

#[test]
fn no_acknowledged_write_is_lost_when_the_leader_is_killed() {
    let cluster = TcpCluster(Processes::start("tcp_cluster", Default::default()));
    for key in 0..30 {
        cluster.set(key % 3, &format!("key-{key}"), &format!("value-{key}"));
    }

    // Writers on all nodes; the leader dies when half of the writes are through.
    let acknowledged = Mutex::new(Vec::new());
    let leader = cluster.0.leader_of(&[0, 1, 2]);
    thread::scope(|scope| {
        let (cluster, acknowledged) = (&cluster, &acknowledged);
        for writer in 0..3 {
            scope.spawn(move || {
                for number in 0..WRITES_BY_EACH {
                    let key = format!("key-{writer}-{number}");
                    cluster.set(writer, &key, "written");
                    acknowledged.lock().expect("no writer panicked").push(key);
                }
            });
        }
        let half_through =
            || acknowledged.lock().expect("no writer panicked").len() > 3 * WRITES_BY_EACH / 2;
        wait_until("half of the writes are through", half_through);
        cluster.0.kill(leader);
    });
    let acknowledged = acknowledged.into_inner().expect("no writer panicked");
    assert_eq!(acknowledged.len(), 3 * WRITES_BY_EACH);

    cluster.0.spawn(leader);
    cluster.0.wait_until_all_are_equal();
    cluster.check(&acknowledged);

    // And again when all of them have nothing but their files.
    for node in 0..3 {
        cluster.0.kill(node);
    }
    for node in 0..3 {
        cluster.0.spawn(node);
    }
    cluster.set(0, "after", "all");
    cluster.0.wait_until_all_are_equal();
    cluster.check(&acknowledged);
}

fn output_of(example: &str) -> String {
    let output = Command::new(path_of(example)).output().expect("the example runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the example prints text")
}

/// Three nodes of `tcp_cluster`.
struct TcpCluster(Processes);

impl TcpCluster {
    /// Sets a value, through `node` or, when that fails, the others. Setting it twice does no harm.
    fn set(&self, node: usize, key: &str, value: &str) {
        let mut tries = (0..3).cycle().map(|next| (node + next) % 3);
        wait_until("a write is acknowledged", || {
            let node = tries.next().expect("a cycle does not end");
            self.0.ask(node, &format!("SET {key} {value}")).is_some_and(|answer| answer == "OK")
        });
    }

    fn get(&self, node: usize, key: &str) -> String {
        let mut value = String::new();
        wait_until("a read is answered", || {
            value = self.0.ask(node, &format!("GET {key}")).unwrap_or_default();
            value.starts_with("VALUE") || value == "NONE"
        });
        value
    }

    /// Checks that every node has every acknowledged write.
    fn check(&self, acknowledged: &[String]) {
        for node in 0..3 {
            for key in 0..30 {
                assert_eq!(self.get(node, &format!("key-{key}")), format!("VALUE value-{key}"));
            }
            for key in acknowledged {
                assert_eq!(self.get(node, key), "VALUE written", "{key} on node {node}");
            }
        }
    }
}
