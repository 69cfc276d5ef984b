//! What a script's commands brought about, line by line.

use std::collections::BTreeSet;
use std::fmt::{Display, Write};

use hamok::{Event, NodeId, Output};

/// The commands and, indented below each, what came of it.
pub(crate) struct Transcript {
    text: String,
    shown: BTreeSet<String>,
}

impl Transcript {
    pub(crate) fn new() -> Self {
        let shown = ["events", "replies"].map(String::from).into();
        Self { text: String::new(), shown }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Chooses what is shown: `events` or some of them by their topic, `replies`, `persists`, `calls`,
    /// `sends`, or envelopes by their kind.
    pub(crate) fn show_only(&mut self, what: BTreeSet<String>) -> BTreeSet<String> {
        std::mem::replace(&mut self.shown, what)
    }

    pub(crate) fn command(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("a string takes any text");
    }

    pub(crate) fn note(&mut self, note: impl Display) {
        writeln!(self.text, "    {note}").expect("a string takes any text");
    }

    pub(crate) fn output(&mut self, node: NodeId, output: &Output) {
        let shown = |what: &str| self.shown.contains(what);
        match output {
            Output::Send(envelope) if shown("sends") || shown(envelope.kind()) => {
                self.note(envelope);
            }
            Output::Event(event) if shown("events") || shown(topic(event)) => {
                self.note(format!("{node}: {event}"));
            }
            Output::Reply(_) if shown("replies") => self.note(format!("{node}: {output}")),
            Output::Persist(_) if shown("persists") => self.note(format!("{node}: {output}")),
            Output::Remote(_) if shown("calls") => self.note(format!("{node}: {output}")),
            Output::Send(_)
            | Output::Event(_)
            | Output::Reply(_)
            | Output::Persist(_)
            | Output::Remote(_) => {}
        }
    }
}

/// What an event is about, for scripts that show only that.
fn topic(event: &Event) -> &'static str {
    match event {
        Event::RoleChanged { .. } | Event::LeaderChanged { .. } | Event::VoteRefused { .. } => {
            "elections"
        }
        Event::GroupFounded { .. }
        | Event::GroupEntered { .. }
        | Event::GroupExists { .. }
        | Event::MembersChanged { .. }
        | Event::Removed { .. }
        | Event::JoinAsked { .. }
        | Event::JoinRefused { .. } => "members",
        Event::TransferBegan { .. } | Event::TransferFailed { .. } => "transfers",
        Event::SnapshotTaken { .. }
        | Event::SnapshotSent { .. }
        | Event::SnapshotInstalled { .. }
        | Event::SnapshotRefused { .. }
        | Event::SnapshotLoaded { .. }
        | Event::Restored { .. } => "snapshots",
        Event::StorageFailed { .. } | Event::StorageLost { .. } | Event::ConfirmationIgnored => {
            "storage"
        }
        Event::Changed(_)
        | Event::SessionExpired { .. }
        | Event::CommandUnreadable { .. }
        | Event::CommandTooNew { .. } => "changes",
        Event::RemoteRefused { .. } | Event::RemoteResultIgnored { .. } => "results",
        Event::Emitted(_) => "emissions",
        Event::AppendRefused { .. } | Event::LogTruncated { .. } => "logs",
        Event::EnvelopeDropped { .. } => "drops",
        Event::PeerStarted { .. } | Event::Heartbeat { .. } | Event::PeerSilent { .. } => {
            "contacts"
        }
        Event::Committed { .. } | Event::Applied { .. } | Event::RequestIdInUse { .. } | _ => {
            "others"
        }
    }
}
