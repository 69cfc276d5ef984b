//! Settings of a machine, as scripts name them.

use hamok::{Admission, Bytes, Config, Priority, Ticks};

use super::script::{node, number};

/// Carries out one `key=value`.
///
/// # Panics
/// When there is no such setting, or it cannot have that value.
pub(super) fn configure(config: &mut Config, word: &str) {
    let (key, value) = word.split_once('=').expect("a setting has a value");
    match key {
        "metadata" => config.metadata = Bytes::copy_from(value.as_bytes()),
        "admission" => config.admission = admission(value),
        "priority" => {
            config.priority = match value {
                "last-resort" => Priority::LastResort,
                "normal" => Priority::Normal,
                unknown => panic!("no such priority: {unknown}"),
            };
        }
        key => set_number(config, key, number(value)),
    }
}

fn set_number(config: &mut Config, key: &str, value: u64) {
    match key {
        "seed" => config.seed = value,
        "election" => config.election_timeout = Ticks::new(value),
        "heartbeat" => config.heartbeat_interval = Ticks::new(value),
        "timeout" => config.request_timeout = Ticks::new(value),
        "message-bytes" => config.max_message_bytes = value,
        "entry-bytes" => config.max_entry_bytes = value,
        "uncommitted-bytes" => config.max_uncommitted_bytes = value,
        "inflight" => config.max_inflight_messages = value,
        "inflight-bytes" => config.max_inflight_bytes = value,
        "pending" => config.max_pending_requests = value,
        "pending-reads" => config.max_pending_reads = value,
        "window" => config.sessions.window = value,
        "session-lifetime" => config.sessions.lifetime_entries = value,
        "step-bytes" => config.step_budget_bytes = value,
        "log-entries" => config.max_log_entries = value,
        "log-bytes" => config.max_log_bytes = value,
        "trailing-bytes" => config.trailing_log_bytes = value,
        "snapshot-bytes" => config.max_snapshot_bytes = value,
        "demote-after" => config.demote_after = Some(Ticks::new(value)),
        "min-voters" => config.min_voters = value,
        "version" => config.newest_version = u8::try_from(value).expect("a version is small"),
        "verbose" => config.verbose = value == 1,
        unknown => panic!("no such setting: {unknown}"),
    }
}

fn admission(value: &str) -> Admission {
    match value {
        "open" => Admission::Open,
        "manual" => Admission::Manual,
        listed => Admission::Only(listed.split(',').map(node).collect()),
    }
}
