//! Private servers on loopback, in folders of their own, that can be killed and started again.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hamok::{RemoteCall, RemoteResult};
use tempfile::TempDir;

use crate::postgres_adapter::PostgresStore;
use crate::redis_adapter::RedisStore;

/// Longer than any server takes to start, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What makes calls on a store.
pub(crate) type Perform = Box<dyn FnMut(&RemoteCall) -> RemoteResult + Send>;

/// A server of one kind.
pub(crate) struct Server {
    kind: Kind,
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

#[derive(Clone, Debug)]
enum Kind {
    Redis,
    /// With the folder of its programs.
    Postgres(PathBuf),
}

impl Server {
    /// A Redis server, if its program is there.
    pub(crate) fn redis() -> Option<Self> {
        let found = Command::new("redis-server").arg("--version").output().is_ok();
        found_or_skipped("redis-server", found.then_some(Kind::Redis))
    }

    /// A PostgreSQL server, if its programs are there.
    pub(crate) fn postgres() -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
        let folders = versions.into_iter().flatten().filter_map(Result::ok);
        let mut programs = folders.map(|version| version.path().join("bin"));
        let found = programs.find(|programs| programs.join("postgres").exists());
        let mut server = found_or_skipped("postgres", found.map(Kind::Postgres))?;
        server.initialise();
        Some(server)
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&mut self) {
        let begun = Instant::now();
        loop {
            let mut process = self.command().spawn().expect("the server starts");
            // After a kill, what is left of the one before may stand in the way of the next for a while.
            while process.try_wait().expect("the process is ours").is_none() {
                assert!(begun.elapsed() < PATIENCE, "the server does not answer");
                if self.answers() {
                    self.process = Some(process);
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not stay");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// SIGKILL: it has no say in it.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("the server runs");
        process.kill().expect("the process is ours");
        process.wait().expect("the process is ours");
    }

    pub(crate) fn url(&self) -> String {
        self.url_through(self.port)
    }

    /// The address for those who go through something that listens at another port.
    pub(crate) fn url_through(&self, port: u16) -> String {
        match self.kind {
            Kind::Redis => format!("redis://127.0.0.1:{port}"),
            Kind::Postgres(_) => format!("postgres://hamok@127.0.0.1:{port}/postgres"),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The entries of a map, as the server has them.
    pub(crate) fn entries(&self, map: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        match self.kind {
            Kind::Redis => redis::Client::open(self.url())
                .and_then(|client| client.get_connection())
                .and_then(|mut connection| {
                    let entries = format!("hamok:{{{map}}}:entries");
                    redis::cmd("HGETALL").arg(entries).query(&mut connection)
                })
                .expect("it answers"),
            Kind::Postgres(_) => {
                let client = postgres::Client::connect(&self.url(), postgres::NoTls);
                let select = "SELECT key, value FROM hamok_entries WHERE map = $1";
                let rows = client.expect("it answers").query(select, &[&map.as_bytes()]);
                rows.expect("it answers").iter().map(|row| (row.get(0), row.get(1))).collect()
            }
        }
    }

    /// Makes calls through a connection of its own.
    pub(crate) fn connect(&self) -> Perform {
        match self.kind {
            Kind::Redis => {
                let mut store = RedisStore::new(&self.url()).expect("a valid address");
                Box::new(move |call| store.perform(call))
            }
            Kind::Postgres(_) => {
                let mut store = PostgresStore::new(&self.url()).expect("a valid address");
                Box::new(move |call| store.perform(call))
            }
        }
    }

    fn answers(&self) -> bool {
        match self.kind {
            Kind::Redis => redis::Client::open(self.url())
                .and_then(|client| client.get_connection())
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection))
                .is_ok(),
            Kind::Postgres(_) => postgres::Client::connect(&self.url(), postgres::NoTls).is_ok(),
        }
    }

    fn command(&self) -> Command {
        let (port, folder) = (self.port.to_string(), self.folder.path());
        let mut command = match &self.kind {
            Kind::Redis => {
                let mut command = Command::new("redis-server");
                command.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--dir"]);
                command.arg(folder).args(["--appendonly", "yes", "--appendfsync", "always"]);
                command
            }
            Kind::Postgres(programs) => {
                let mut command = as_servant(&programs.join("postgres"));
                command.arg("-D").arg(folder.join("data")).args(["-p", &port, "-k"]).arg(folder);
                command.args(["-c", "listen_addresses=127.0.0.1"]);
                command
            }
        };
        let said = File::options().create(true).append(true).open(folder.join("said"));
        let said = said.expect("there is room for a file");
        command.stdout(said).stderr(Stdio::null());
        command
    }

    /// Makes the folder of a PostgreSQL server, which does not run as root.
    fn initialise(&mut self) {
        let Kind::Postgres(programs) = &self.kind else { return };
        if is_root() {
            let owned = Command::new("chown").arg("postgres").arg(self.folder.path()).status();
            assert!(owned.expect("chown runs").success());
        }
        let output = as_servant(&programs.join("initdb"))
            .args(["--username=hamok", "--auth=trust", "--no-sync", "-D"])
            .arg(self.folder.path().join("data"))
            .output()
            .expect("initdb runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself, which the test has then said already.
            let _ended = process.kill();
            let _reaped = process.wait();
        }
    }
}

/// A server of that kind, unless its program is missing.
fn found_or_skipped(program: &str, kind: Option<Kind>) -> Option<Server> {
    let Some(kind) = kind else {
        let required = std::env::var_os("HAMOK_REQUIRE_SERVERS").is_some_and(|value| value == "1");
        assert!(!required, "{program} is missing");
        eprintln!("skipped: {program} is missing");
        return None;
    };
    let folder = TempDir::new().expect("there is room for temporary files");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    Some(Server { kind, folder, port, process: None })
}

/// A program that is not run as root.
fn as_servant(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id runs");
    output.stdout.trim_ascii() == b"0"
}
