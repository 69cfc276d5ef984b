//! A group of three nodes, each a process with a folder of its own.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than a node lets a client wait; one that is paused does not answer at all.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// How much of what a node said a failure shows.
const LAST_LINES: usize = 100;

/// Three processes of one example, killed in the end.
pub(crate) struct Processes {
    example: &'static str,
    /// What each is told before its number.
    first: Vec<Vec<String>>,
    folder: TempDir,
    peers: Vec<SocketAddr>,
    clients: Vec<SocketAddr>,
    running: Vec<Mutex<Option<Child>>>,
}

impl Processes {
    /// Starts them; each is told what is its own of `first`, and then what every node is told.
    pub(crate) fn start(example: &'static str, first: [Vec<String>; 3]) -> Self {
        let addresses = free_addresses(6);
        let processes = Self {
            example,
            first: first.to_vec(),
            folder: TempDir::new().expect("there is room for temporary files"),
            peers: addresses[..3].to_vec(),
            clients: addresses[3..].to_vec(),
            running: (0..3).map(|_| Mutex::new(None)).collect(),
        };
        for node in 0..3 {
            std::fs::create_dir(processes.folder_of(node)).expect("there is room for a folder");
            processes.spawn(node);
        }
        processes
    }

    pub(crate) fn spawn(&self, node: usize) {
        let child = Command::new(path_of(self.example))
            .args(&self.first[node])
            .arg((node + 1).to_string())
            .arg(self.folder_of(node))
            .arg(self.clients[node].to_string())
            .args(self.peers.iter().map(ToString::to_string))
            .stderr(append_to(&self.said_by(node)))
            .spawn()
            .expect("the example starts");
        *self.running[node].lock().expect("nobody panicked with it") = Some(child);
    }

    /// SIGKILL: the process has no say in it.
    pub(crate) fn kill(&self, node: usize) {
        self.signal(node, Signal::KILL);
        let mut process = self.running[node].lock().expect("nobody panicked with it");
        let mut child = process.take().expect("the process runs");
        child.wait().expect("the process is ours");
    }

    pub(crate) fn signal(&self, node: usize, signal: Signal) {
        let process = self.running[node].lock().expect("nobody panicked with it");
        let id = process.as_ref().expect("the process runs").id();
        let id = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process's number");
        kill_process(id, signal).expect("the process is ours");
    }

    /// Asks one node; none when it cannot be reached, ends before it answers or does not answer.
    pub(crate) fn ask(&self, node: usize, line: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.clients[node]).ok()?;
        stream.set_read_timeout(Some(ANSWERED_WITHIN)).ok()?;
        stream.write_all(format!("{line}\n").as_bytes()).ok()?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).ok()?;
        answer.ends_with('\n').then(|| answer.trim_end().to_owned())
    }

    /// Waits until one of these nodes leads.
    pub(crate) fn leader_of(&self, nodes: &[usize]) -> usize {
        let mut leader = None;
        wait_until("there is a leader", || {
            let leads = |node: &usize| {
                self.ask(*node, "STATUS").is_some_and(|status| status.starts_with("leader"))
            };
            leader = nodes.iter().copied().find(leads);
            leader.is_some()
        });
        leader.expect("it was waited for")
    }

    /// Waits until every node has applied the same and is in the same state.
    pub(crate) fn wait_until_all_are_equal(&self) {
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

    /// What it wrote to its standard error, in all its lives.
    pub(crate) fn said(&self, node: usize) -> String {
        std::fs::read_to_string(self.said_by(node)).unwrap_or_default()
    }

    fn folder_of(&self, node: usize) -> PathBuf {
        self.folder.path().join(node.to_string())
    }

    fn said_by(&self, node: usize) -> PathBuf {
        self.folder_of(node).join("stderr")
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for process in &mut self.running {
            if let Ok(Some(child)) = process.get_mut() {
                // It may have ended by itself, which the test has then said already.
                let _ended = child.kill();
                let _reaped = child.wait();
            }
        }
        if thread::panicking() {
            for node in 0..3 {
                let said = self.said(node);
                let lines: Vec<&str> = said.lines().collect();
                let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
                eprintln!("node {node} said in the end:\n{}", last.join("\n"));
            }
        }
    }
}

pub(crate) fn path_of(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let profile = test.ancestors().nth(2).expect("a test lies two folders below its profile's");
    let path =
        profile.join("examples").join(example).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{} is missing: `cargo build --examples`", path.display());
    path
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(20));
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
