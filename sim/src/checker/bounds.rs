//! BM: every queue, every count of bytes in flight and every message stays within its configured cap.
//!
//! Two caps on bytes yield to a single command that is larger than they are: when nothing else is
//! held, it may go, or it never could. An entry counts 64 bytes beyond its command.
//!
//! How many sessions there may be is what the entry says that founded the group, and so in a hostile run
//! what a forger may have written there: only among trusted members is it what all were configured with.

use hamok::{Config, Load, MAX_ENVELOPE_BYTES, Output};

use super::stays_leader;
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Compares the loads in a node's status with its configuration, and measures what it sends.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    hostile: bool,
}

impl Bounds {
    /// For a run in which somebody forges messages in the names of members.
    pub(super) fn of_hostile_run() -> Self {
        Self { hostile: true }
    }
}

impl Checker for Bounds {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        let config = &cluster.node(step.node).config;
        let before = &step.before.load;
        let objection = overfull(config, &step.after.load)
            .or_else(|| oversubscribed(config, &step.after.load).filter(|_| !self.hostile))
            .or_else(|| overgrown(config, before, &weighed(step)))
            .or_else(|| oversized(config, step.outputs));
        let Some((what, value, cap)) = objection else { return Ok(()) };
        let text =
            format!("queues and messages stay within their caps, but {what}: {value} of {cap}");
        Err(Violation::new(CODE, Some(step.node), text))
    }
}

type Objection = (&'static str, u64, u64);

/// What is above a cap that knows no exception.
fn overfull(config: &Config, load: &Load) -> Option<Objection> {
    let caps = [
        ("pending requests", load.pending_requests, config.max_pending_requests),
        ("pending reads", load.pending_reads, config.max_pending_reads),
        ("messages in flight", load.inflight_messages, config.max_inflight_messages),
        ("bytes of a snapshot coming in", load.incoming_bytes, config.max_snapshot_bytes),
        ("bytes of the log", load.log_bytes, longest_log(config)),
        ("calls under way", load.remote_calls, most_calls(config)),
        ("events offered", load.offered_events, config.max_pending_requests * MAX_MEMBERS),
        ("early events", load.early_events, config.max_inflight_messages * MAX_MEMBERS),
        (
            "bytes of early events",
            load.early_bytes,
            config.max_inflight_bytes.saturating_mul(MAX_MEMBERS),
        ),
    ];
    caps.into_iter().find(|(_, value, cap)| value > cap)
}

/// What is above a cap that the members agreed on.
fn oversubscribed(config: &Config, load: &Load) -> Option<Objection> {
    let cap = config.sessions.max_sessions;
    (load.sessions > cap).then_some(("sessions", load.sessions, cap))
}

/// One for each request that reads an outside store, as many again whose requests have ended, and those for
/// operations.
fn most_calls(config: &Config) -> u64 {
    config.max_pending_requests.saturating_mul(2).saturating_add(config.max_remote_calls)
}

/// What a log may have grown to when a node takes in nothing more: three times what brings about a
/// snapshot, what is kept behind one, what is not committed, and one message beyond.
fn longest_log(config: &Config) -> u64 {
    let message = config.max_message_bytes.max(config.max_entry_bytes + ENTRY_OVERHEAD);
    let parts = [config.trailing_log_bytes, config.max_uncommitted_bytes, message, UNASKED];
    parts.into_iter().fold(config.max_log_bytes.saturating_mul(3), u64::saturating_add)
}

/// The load after the step, without what is excused: a command or a message that is alone, a
/// configuration, and what one that comes into office finds uncommitted.
fn weighed(step: &StepSeen<'_>) -> Load {
    let mut load = step.after.load;
    if step.before.configuration_index != step.after.configuration_index {
        load.uncommitted_bytes = 0;
    }
    if !stays_leader(step) || step.after.last.index.since(step.after.committed) <= 1 {
        load.uncommitted_bytes = 0;
    }
    if load.inflight_messages <= 1 {
        load.inflight_bytes = 0;
    }
    load
}

/// What grew above a cap though something was held before.
fn overgrown(config: &Config, before: &Load, after: &Load) -> Option<Objection> {
    let caps = [
        ("bytes pending", before.pending_bytes, after.pending_bytes, config.max_pending_bytes),
        (
            "bytes uncommitted",
            before.uncommitted_bytes,
            after.uncommitted_bytes,
            config.max_uncommitted_bytes,
        ),
        // While several messages are on their way to one follower, a single entry or piece of a
        // snapshot of any size may be alone on its way to another; the load does not tell them apart.
        (
            "bytes in flight",
            before.inflight_bytes,
            after.inflight_bytes,
            config.max_inflight_bytes.max(largest_piece(config)),
        ),
    ];
    let over = caps.into_iter().find(|(_, old, new, cap)| *old > 0 && new > old && new > cap);
    over.map(|(what, _, new, cap)| (what, new, cap))
}

/// The most bytes of an entry, or of a part of a snapshot: that ends with the item that fills it.
fn largest_piece(config: &Config) -> u64 {
    config.max_entry_bytes.max(PART_BYTES).saturating_add(PART_BYTES)
}

/// A message that is too long. Only those that carry commands can be; encoding all would cost more
/// than all other checks together.
fn oversized(config: &Config, outputs: &[Output]) -> Option<Objection> {
    let entries = config.max_message_bytes.max(config.max_entry_bytes + ENTRY_OVERHEAD);
    outputs.iter().find_map(|output| {
        let Output::Send(envelope) = output else { return None };
        let cap = match envelope.kind() {
            "AppendEntries" => entries.saturating_add(HEADER).min(MAX_ENVELOPE_BYTES),
            "InstallSnapshot" => {
                largest_piece(config).saturating_add(HEADER).min(MAX_ENVELOPE_BYTES)
            }
            "Propose" => config.max_entry_bytes.saturating_add(HEADER).min(MAX_ENVELOPE_BYTES),
            _ => return None,
        };
        let bytes = envelope.encode().len() as u64;
        (bytes > cap).then_some(("bytes of a message", bytes, cap))
    })
}

/// The most members a group may have.
const MAX_MEMBERS: u64 = 63;
/// What an entry counts beyond its command.
const ENTRY_OVERHEAD: u64 = 64;
/// What a node appends or is sent although its log is long: entries that open terms, configurations.
const UNASKED: u64 = 16 << 10;
/// The size at which a part of a snapshot is full.
const PART_BYTES: u64 = 32 << 10;
/// More than anything takes in a message beside the entries or the command it carries.
const HEADER: u64 = 256;
const CODE: &str = "BM";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    /// What it is to be reported as, and a change to it.
    type Change = (&'static str, fn(&mut Seen));
    /// The same, given what there was before.
    type ChangeFrom = (&'static str, fn(&mut Seen, u64));

    /// The true story, with the load after some step of a leader changed.
    fn story(change: impl Fn(&mut Seen)) -> Story {
        Story::true_one().but(|seen| {
            let found = seen.commits_as_leader();
            if found {
                change(seen);
            }
            found
        })
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(Bounds::default());
    }

    #[test]
    fn each_queue_above_its_cap_is_reported() {
        let changes: [Change; 10] = [
            ("pending requests: 9 of 8", |seen| {
                seen.own().config.max_pending_requests = 8;
                seen.after.load.pending_requests = 9;
            }),
            ("pending reads: 9 of 8", |seen| {
                seen.own().config.max_pending_reads = 8;
                seen.after.load.pending_reads = 9;
            }),
            ("messages in flight: 9 of 8", |seen| {
                seen.own().config.max_inflight_messages = 8;
                seen.after.load.inflight_messages = 9;
            }),
            ("sessions: 9 of 8", |seen| {
                seen.own().config.sessions.max_sessions = 8;
                seen.after.load.sessions = 9;
            }),
            ("bytes of a snapshot coming in: 9 of 8", |seen| {
                seen.own().config.max_snapshot_bytes = 8;
                seen.after.load.incoming_bytes = 9;
            }),
            ("bytes of the log: 99999999", |seen| seen.after.load.log_bytes = 99_999_999),
            ("calls under way: 20 of 19", |seen| {
                seen.own().config.max_pending_requests = 8;
                seen.own().config.max_remote_calls = 3;
                seen.after.load.remote_calls = 20;
            }),
            ("events offered: 127 of 126", |seen| {
                seen.own().config.max_pending_requests = 2;
                seen.after.load.offered_events = 127;
            }),
            ("early events: 64 of 63", |seen| {
                seen.own().config.max_inflight_messages = 1;
                seen.after.load.early_events = 64;
            }),
            ("bytes of early events: 64 of 63", |seen| {
                seen.own().config.max_inflight_bytes = 1;
                seen.after.load.early_bytes = 64;
            }),
        ];
        for (words, change) in changes {
            assert_objects(Bounds::default(), &story(change), words);
        }
    }

    /// In hostile seed 1078 a forged founding entry raised the 18 sessions of all members to 24.
    #[test]
    fn forgers_may_raise_the_number_of_sessions_and_nothing_else() {
        let sessions = story(|seen| {
            seen.own().config.sessions.max_sessions = 8;
            seen.after.load.sessions = 9;
        });
        assert_eq!(sessions.told_to(&mut Bounds::of_hostile_run()), Ok(()));
        let pending = story(|seen| {
            seen.own().config.max_pending_requests = 8;
            seen.after.load.pending_requests = 9;
        });
        assert_objects(Bounds::of_hostile_run(), &pending, "pending requests: 9 of 8");
    }

    #[test]
    fn bytes_that_grow_above_their_cap_are_reported_unless_they_were_none() {
        let changes: [ChangeFrom; 3] = [
            ("bytes pending: 101 of 100", |seen, before| {
                seen.own().config.max_pending_bytes = 100;
                seen.before.load.pending_bytes = before;
                seen.after.load.pending_bytes = 101;
            }),
            ("bytes uncommitted: 101 of 100", |seen, before| {
                seen.own().config.max_uncommitted_bytes = 100;
                seen.after.last.index = seen.after.committed.plus(2);
                seen.before.load.uncommitted_bytes = before;
                seen.after.load.uncommitted_bytes = 101;
            }),
            ("bytes in flight: 65537 of 65536", |seen, before| {
                let config = &mut seen.own().config;
                (config.max_inflight_bytes, config.max_entry_bytes) = (100, 36);
                seen.before.load.inflight_bytes = before;
                seen.after.load.inflight_bytes = 65_537;
                seen.after.load.inflight_messages = 2;
            }),
        ];
        for (words, change) in changes {
            assert_objects(Bounds::default(), &story(|seen| change(seen, 50)), words);
            let alone = story(|seen| change(seen, 0));
            let mut steps = alone.steps().filter(|seen| seen.commits_as_leader());
            let first = steps.next().expect("a leader commits");
            let (config, before) = (&first.nodes[&first.node].config, &first.before.load);
            assert_eq!(overgrown(config, before, &first.after.load), None);
        }
    }

    #[test]
    fn a_command_or_message_that_is_alone_may_be_larger_than_its_cap() {
        let story = story(|seen| {
            seen.own().config.max_uncommitted_bytes = 100;
            seen.own().config.max_inflight_bytes = 100;
            (seen.before.load.uncommitted_bytes, seen.before.load.inflight_bytes) = (50, 50);
            (seen.after.load.uncommitted_bytes, seen.after.load.inflight_bytes) = (101, 101);
            seen.after.load.inflight_messages = 1;
            seen.after.last.index = seen.after.committed.next();
        });
        let first = story.steps().find(|seen| seen.commits_as_leader()).expect("a leader commits");
        let cluster = ClusterSeen { nodes: &first.nodes };
        assert_eq!(Bounds::default().on_step(&cluster, &first.shown()), Ok(()));
    }

    #[test]
    fn a_message_that_is_too_long_is_reported() {
        let story = Story::true_one().but(|seen| {
            let found = seen.envelopes().any(|envelope| envelope.encode().len() > 400);
            if found {
                let config = &mut seen.own().config;
                (config.max_entry_bytes, config.max_message_bytes) = (1, 1);
            }
            found
        });
        assert_objects(Bounds::default(), &story, "bytes of a message");
    }
}
