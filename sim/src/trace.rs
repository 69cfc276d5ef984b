//! The trace hash: two runs did the same if and only if their hashes are equal.

use std::fmt::{self, Write as _};

use hamok::{Event, Input, NodeId, Output, Status};
use xxhash_rust::xxh3::Xxh3;

use crate::observation::SimTime;

/// The hash of all inputs, outputs and state digests of a run, in order.
pub(crate) struct Trace {
    hash: Xxh3,
    buffer: Vec<u8>,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self { hash: Xxh3::new(), buffer: Vec::with_capacity(FLUSH * 2) }
    }

    /// A node is fed something. What an envelope holds was hashed when it was sent, so that its
    /// sender stands for it here.
    pub(crate) fn input(&mut self, at: SimTime, node: NodeId, input: &Input) {
        self.number(at.micros());
        match input {
            Input::Tick(ticks) => self.numbers(1, &[node.get(), ticks.get()]),
            Input::Receive(envelope) => {
                let from = envelope.from();
                self.numbers(2, &[node.get(), from.peer.id.get(), u64::from(from.life.get())]);
                self.text(format_args!("{}", envelope.kind()));
            }
            Input::Persisted(id) => self.numbers(3, &[node.get(), id.number()]),
            Input::PersistFailed(id) => self.numbers(11, &[node.get(), id.number()]),
            Input::Request(id, _) => self.numbers(4, &[node.get(), id.get()]),
            Input::Remote(id, result) => {
                self.numbers(14, &[node.get(), id.get()]);
                self.text(format_args!("{result}"));
            }
        }
    }

    /// Something was put out. `encoded` is an envelope's bytes.
    pub(crate) fn output(&mut self, output: &Output, encoded: &[u8]) {
        match output {
            Output::Persist(write) => {
                self.numbers(5, &[write.id().number()]);
                self.bytes(&write.encode());
            }
            Output::Send(_) => {
                self.numbers(6, &[encoded.len() as u64]);
                self.bytes(encoded);
            }
            Output::Reply(reply) => {
                self.numbers(7, &[reply.id().get()]);
                self.text(format_args!("{}", reply.outcome()));
            }
            Output::Event(Event::Applied { entry, digest, outcome }) => {
                self.numbers(8, &[entry.index.get(), entry.term.get(), *digest, *outcome]);
            }
            Output::Event(Event::Committed { index }) => self.numbers(9, &[index.get()]),
            // What it changes to is in the digest of the state after that index.
            Output::Event(Event::Changed(change)) => {
                self.numbers(13, &[change.index().get()]);
                self.text(format_args!("{}", change.collection()));
            }
            Output::Remote(call) => {
                self.numbers(15, &[call.id().get()]);
                self.text(format_args!("{call}"));
            }
            Output::Event(event) => {
                self.numbers(10, &[]);
                self.text(format_args!("{event}"));
            }
        }
    }

    /// What the step left.
    pub(crate) fn state(&mut self, status: &Status) {
        let Status { term, committed, applied, last, durable, digest, .. } = status;
        let [committed, applied, durable] = [committed, applied, durable].map(|index| index.get());
        let position = [term.get(), committed, applied, durable];
        self.numbers(11, &position);
        self.numbers(12, &[last.index.get(), last.term.get(), *digest, status.idle_ticks.get()]);
    }

    /// The hash of everything so far.
    pub(crate) fn digest(&mut self) -> u64 {
        self.flush();
        self.hash.digest()
    }

    fn numbers(&mut self, kind: u8, numbers: &[u64]) {
        self.buffer.push(kind);
        for &number in numbers {
            self.number(number);
        }
    }

    fn number(&mut self, number: u64) {
        self.buffer.extend_from_slice(&number.to_le_bytes());
        if self.buffer.len() >= FLUSH {
            self.flush();
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if bytes.len() < FLUSH {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.flush();
            self.hash.update(bytes);
        }
    }

    fn text(&mut self, text: fmt::Arguments<'_>) {
        self.write_fmt(text).expect("what the library says of itself formats");
        self.buffer.push(0);
    }

    fn flush(&mut self) {
        self.hash.update(&self.buffer);
        self.buffer.clear();
    }
}

impl fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.buffer.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").finish_non_exhaustive()
    }
}

const FLUSH: usize = 4096;
