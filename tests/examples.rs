//! Runs the examples as a reader would.
//!
//! `cargo test` builds them along with the tests; to run this file alone, say
//! `cargo build --examples` first.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real processes take real time, and their clients are threads"
)]

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
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
    let cluster = TcpCluster::start();
    for key in 0..30 {
        cluster.set(key % 3, &format!("key-{key}"), &format!("value-{key}"));
    }

    // Writers on all nodes; the leader dies when half of the writes are through.
    let acknowledged = Mutex::new(Vec::new());
    let leader = cluster.leader();
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
        cluster.kill(leader);
    });
    let acknowledged = acknowledged.into_inner().expect("no writer panicked");
    assert_eq!(acknowledged.len(), 3 * WRITES_BY_EACH);

    cluster.spawn(leader);
    cluster.wait_until_all_are_equal();
    cluster.check(&acknowledged);

    // And again when all of them have nothing but their files.
    for node in 0..3 {
        cluster.kill(node);
    }
    for node in 0..3 {
        cluster.spawn(node);
    }
    cluster.set(0, "after", "all");
    cluster.wait_until_all_are_equal();
    cluster.check(&acknowledged);
}

fn output_of(example: &str) -> String {
    let output = Command::new(path_of(example)).output().expect("the example runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the example prints text")
}

fn path_of(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let profile = test.ancestors().nth(2).expect("a test lies two folders below its profile's");
    let path =
        profile.join("examples").join(example).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{} is missing: `cargo build --examples`", path.display());
    path
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Three processes, each with its folder.
struct TcpCluster {
    folder: TempDir,
    peers: Vec<SocketAddr>,
    clients: Vec<SocketAddr>,
    processes: Vec<Mutex<Option<Child>>>,
}

impl TcpCluster {
    fn start() -> Self {
        let addresses = free_addresses(6);
        let cluster = Self {
            folder: TempDir::new().expect("there is room for temporary files"),
            peers: addresses[..3].to_vec(),
            clients: addresses[3..].to_vec(),
            processes: (0..3).map(|_| Mutex::new(None)).collect(),
        };
        for node in 0..3 {
            std::fs::create_dir(cluster.folder_of(node)).expect("there is room for a folder");
            cluster.spawn(node);
        }
        cluster
    }

    fn folder_of(&self, node: usize) -> PathBuf {
        self.folder.path().join(node.to_string())
    }

    fn spawn(&self, node: usize) {
        let child = Command::new(path_of("tcp_cluster"))
            .arg((node + 1).to_string())
            .arg(self.folder_of(node))
            .arg(self.clients[node].to_string())
            .args(self.peers.iter().map(ToString::to_string))
            .stderr(append_to(&self.folder_of(node).join("stderr")))
            .spawn()
            .expect("the example starts");
        *self.processes[node].lock().expect("no writer holds this") = Some(child);
    }

    /// SIGKILL: the process has no say in it.
    fn kill(&self, node: usize) {
        let mut process = self.processes[node].lock().expect("no writer holds this");
        let mut child = process.take().expect("the process runs");
        child.kill().expect("the process is ours");
        child.wait().expect("the process is ours");
    }

    /// Asks one node; none when it cannot be reached or ends before it answers.
    fn ask(&self, node: usize, line: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.clients[node]).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.write_all(format!("{line}\n").as_bytes()).ok()?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).ok()?;
        answer.ends_with('\n').then(|| answer.trim_end().to_owned())
    }

    /// Sets a value, through `node` or, when that fails, the others. Setting it twice does no harm.
    fn set(&self, node: usize, key: &str, value: &str) {
        let mut tries = (0..3).cycle().map(|next| (node + next) % 3);
        wait_until("a write is acknowledged", || {
            let node = tries.next().expect("a cycle does not end");
            self.ask(node, &format!("SET {key} {value}")).is_some_and(|answer| answer == "OK")
        });
    }

    fn get(&self, node: usize, key: &str) -> String {
        let mut value = String::new();
        wait_until("a read is answered", || {
            value = self.ask(node, &format!("GET {key}")).unwrap_or_default();
            value.starts_with("VALUE") || value == "NONE"
        });
        value
    }

    fn leader(&self) -> usize {
        let mut leader = None;
        wait_until("there is a leader", || {
            let leads = |node: &usize| {
                self.ask(*node, "STATUS").is_some_and(|status| status.starts_with("leader"))
            };
            leader = (0..3).find(leads);
            leader.is_some()
        });
        leader.expect("it was waited for")
    }

    /// Waits until every node has applied the same and is in the same state.
    fn wait_until_all_are_equal(&self) {
        wait_until("all nodes are in the same state", || {
            let state = |node| {
                let status = self.ask(node, "STATUS")?;
                let words: Vec<&str> = status.split(' ').collect();
                Some(words[words.len() - 2..].join(" "))
            };
            let first = state(0);
            first.is_some() && (1..3).all(|node| state(node) == first)
        });
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

impl Drop for TcpCluster {
    fn drop(&mut self) {
        for process in &mut self.processes {
            if let Ok(Some(child)) = process.get_mut() {
                // It may have ended by itself, which the test has then said already.
                let _ended = child.kill();
                let _reaped = child.wait();
            }
        }
        if thread::panicking() {
            for node in 0..3 {
                let path = self.folder_of(node).join("stderr");
                let said = std::fs::read_to_string(path).unwrap_or_default();
                eprintln!("node {node} said:\n{said}");
            }
        }
    }
}

fn append_to(path: &Path) -> Stdio {
    File::options().create(true).append(true).open(path).expect("there is room for a file").into()
}

/// Addresses that were free a moment ago.
fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port is free")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("it is bound")).collect()
}
