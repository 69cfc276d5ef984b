//! The transcript of a run: every step that did something, as text, for whoever wants to know how it
//! came to that.

use std::fmt;
use std::io::{self, Write};

use hamok::{Event, Input, NodeId, Output};

use crate::observation::{Phase, SimTime, StepSeen};

/// Writes down what happens.
pub(crate) struct Transcript {
    writer: Box<dyn Write>,
    /// The first failure to write; nothing is written after it.
    failed: Option<io::Error>,
}

impl Transcript {
    pub(crate) fn new(writer: Box<dyn Write>) -> Self {
        Self { writer, failed: None }
    }

    pub(crate) fn step(&mut self, step: &StepSeen<'_>) {
        let StepSeen { moment, node, life, after, .. } = step;
        let head = format!("{moment} {node}.{life}");
        match step.input {
            Input::Tick(ticks) => self.line(format_args!("{head} ← tick {ticks}")),
            Input::Receive(envelope) => self.line(format_args!("{head} ← {envelope}")),
            Input::Persisted(id) => self.line(format_args!("{head} ← persisted {id}")),
            Input::PersistFailed(id) => {
                self.line(format_args!("{head} ← failed to persist {id}"));
            }
            Input::Request(id, _) => self.line(format_args!("{head} ← request {id}")),
            Input::Remote(id, result) => self.line(format_args!("{head} ← {id} {result}")),
        }
        for output in step.outputs {
            match output {
                Output::Event(Event::Applied { .. } | Event::Committed { .. }) => {}
                Output::Event(_)
                | Output::Persist(_)
                | Output::Send(_)
                | Output::Reply(_)
                | Output::Remote(_) => {
                    self.line(format_args!("    {output}"));
                }
            }
        }
        if step.before.committed != after.committed || step.before.applied != after.applied {
            let (committed, applied, last) = (after.committed, after.applied, after.last);
            self.line(format_args!("    committed {committed}, applied {applied} of {last}"));
        }
    }

    pub(crate) fn start(&mut self, at: SimTime, node: NodeId) {
        self.line(format_args!("{at} {node} starts"));
    }

    pub(crate) fn crash(&mut self, at: SimTime, node: NodeId) {
        self.line(format_args!("{at} {node} crashes"));
    }

    pub(crate) fn phase(&mut self, at: SimTime, phase: Phase) {
        self.line(format_args!("{at} the {phase} phase begins"));
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        match self.failed {
            Some(error) => Err(error),
            None => self.writer.flush(),
        }
    }

    fn line(&mut self, text: fmt::Arguments<'_>) {
        if self.failed.is_none() {
            self.failed = writeln!(self.writer, "{text}").err();
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safety => "safety",
            Self::Liveness => "liveness",
            Self::Settled => "settled",
            Self::Isolation => "isolation",
            Self::Return => "return",
        })
    }
}
