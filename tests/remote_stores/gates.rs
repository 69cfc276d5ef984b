//! Gates between nodes and their server: what passes can be held up at a chosen moment.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// A moment of an operation: when the node has said these words to the server, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) words: &'static [&'static str],
    pub(crate) held: Held,
}

/// What is held up then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// The last of those words, before they come to the server.
    Call,
    /// What the server answers to them.
    Answer,
}

/// What all connections of one node to the server go through.
#[derive(Clone)]
pub(crate) struct Gate {
    port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

struct State {
    phase: Phase,
    /// Whether what was held up last is lost.
    lost: bool,
    /// Whether the server has said in words that a call came too late.
    refused: bool,
}

enum Phase {
    Open,
    /// Waits for a moment, of whose words so many were said.
    Waiting(Moment, usize),
    /// Waits for the server's answer.
    Called,
    Holding(Held),
}

impl Gate {
    /// A gate to the server at this port.
    pub(crate) fn new(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let state = State { phase: Phase::Open, lost: false, refused: false };
        let gate = Self { port, state: Arc::new((Mutex::new(state), Condvar::new())) };
        let doorman = gate.clone();
        thread::spawn(move || {
            for node in listener.incoming().filter_map(Result::ok) {
                // Without a server the node's connection ends here.
                if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) {
                    doorman.join(&node, &server);
                }
            }
        });
        gate
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Holds up what comes from this moment on.
    pub(crate) fn hold(&self, moment: Moment) {
        let mut state = self.lock();
        (state.phase, state.refused) = (Phase::Waiting(moment, 0), false);
    }

    pub(crate) fn is_holding(&self) -> bool {
        matches!(self.lock().phase, Phase::Holding(_))
    }

    /// Lets everything pass, also what was held up.
    pub(crate) fn open(&self) {
        self.end(false);
    }

    /// Lets everything pass from here on; what was held up is lost, and its connection ends.
    pub(crate) fn cut(&self) {
        self.end(true);
    }

    /// Whether, since the last hold began, Redis has said that a call's term has passed.
    pub(crate) fn has_refused(&self) -> bool {
        self.lock().refused
    }

    fn end(&self, lost: bool) {
        let mut state = self.lock();
        (state.phase, state.lost) = (Phase::Open, lost);
        self.state.1.notify_all();
    }

    fn join(&self, node: &TcpStream, server: &TcpStream) {
        for (from, to, held) in [(node, server, Held::Call), (server, node, Held::Answer)] {
            to.set_nodelay(true).expect("it is a socket");
            let mut from = from.try_clone().expect("there is room for a descriptor");
            let mut to = to.try_clone().expect("there is room for a descriptor");
            let gate = self.clone();
            thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(count @ 1..) = from.read(&mut bytes) {
                    if !gate.pass(&bytes[..count], held) || to.write_all(&bytes[..count]).is_err() {
                        // Either may have ended already.
                        let _ended = to.shutdown(Shutdown::Both);
                        let _ended = from.shutdown(Shutdown::Both);
                        return;
                    }
                }
                // What the other side still has to say is heard.
                let _ended = to.shutdown(Shutdown::Write);
            });
        }
    }

    /// Waits until the bytes may pass; false if they are lost.
    fn pass(&self, bytes: &[u8], held: Held) -> bool {
        let mut state = self.lock();
        state.hear(bytes, held);
        let mut passes = true;
        while matches!(state.phase, Phase::Holding(holding) if holding == held) {
            state = self.state.1.wait(state).expect("no gate panics");
            passes = !state.lost;
        }
        passes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().expect("no gate panics")
    }
}

impl State {
    fn hear(&mut self, bytes: &[u8], held: Held) {
        match (&mut self.phase, held) {
            (Phase::Waiting(moment, said), Held::Call) => {
                let mut rest = bytes;
                while let Some(at) = moment.words.get(*said).and_then(|word| find(rest, word)) {
                    (rest, *said) = (&rest[at..], *said + 1);
                }
                if *said == moment.words.len() {
                    self.phase = match moment.held {
                        Held::Call => Phase::Holding(Held::Call),
                        Held::Answer => Phase::Called,
                    };
                }
            }
            (Phase::Called, Held::Answer) => self.phase = Phase::Holding(Held::Answer),
            (Phase::Open | Phase::Waiting(..) | Phase::Called | Phase::Holding(_), _) => {}
        }
        self.refused |= held == Held::Answer && find(bytes, "term passed").is_some();
    }
}

/// Where the word ends.
fn find(bytes: &[u8], word: &str) -> Option<usize> {
    let at = bytes.windows(word.len()).position(|window| window == word.as_bytes())?;
    Some(at + word.len())
}
