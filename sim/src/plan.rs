//! What a run does, with nothing left open: the settings, filled in from the seed.
//!
//! A saved schedule holds the plan and not only the settings, so that it still means the same when
//! the way plans are drawn has changed.

use std::collections::BTreeMap;

use hamok::{Birth, Config, Incarnation, NodeId, Priority, Ticks};
use serde::{Deserialize, Serialize};

use crate::draw::{Dice, Draws, Stream};
use crate::observation::SimTime;
use crate::settings::{Fault, Profile, Settings};

/// What a run does. Times are in microseconds unless they are called ticks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Plan {
    /// How many nodes found the group.
    pub nodes: u64,
    /// How many more join it later.
    pub spares: u64,
    /// Nodes keep nothing on disk: each start is that of a new incarnation.
    pub diskless: bool,
    /// A node that leads only as a last resort.
    pub last_resort: Option<NodeId>,
    /// Nodes begin with format version 1 and go over to 2, one after the other.
    pub upgrades: bool,
    /// How many clients.
    pub clients: u64,
    /// How long the safety phase lasts at least.
    pub time: SimTime,
    /// How many operations the clients begin in it at least.
    pub operations: u64,
    /// After how many steps the run ends wherever it is.
    pub steps: Option<u64>,
    /// How often each fault strikes, in parts per million of what is [counted](Fault::counted).
    pub faults: BTreeMap<Fault, u32>,
    /// The longest a fault that lasts may last.
    pub longest_fault: u64,
    /// How long a message takes: from the first to the second.
    pub latency: (u64, u64),
    /// How long a disk takes for a write: from the first to the second.
    pub disk: (u64, u64),
    /// How long a tick is on a node's own clock.
    pub tick: u64,
    /// How the nodes are configured.
    pub knobs: Knobs,
    /// What the clients do.
    pub load: Load,
    /// How many steps the black-box search may take.
    pub search_steps: u64,
}

/// What has happened to a node before it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    /// It lost what it had on disk.
    pub(crate) wiped: bool,
    /// Another machine took its place, whose keeper knows that there is a group to join.
    pub(crate) replaced: bool,
    /// What it has on disk is of a group: if that has removed it, it asks anybody to be let in again.
    pub(crate) grouped: bool,
    /// It goes over to the next version.
    pub(crate) upgraded: bool,
}

/// The fields of [`Config`] of the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the field of `hamok::Config` with the same name")]
pub struct Knobs {
    pub election_timeout: u64,
    pub heartbeat_interval: u64,
    pub request_timeout: u64,
    pub max_message_bytes: u64,
    pub max_inflight_bytes: u64,
    pub max_inflight_messages: u64,
    pub max_entry_bytes: u64,
    pub max_uncommitted_bytes: u64,
    pub max_pending_requests: u64,
    pub max_pending_bytes: u64,
    pub max_pending_reads: u64,
    pub step_budget_bytes: u64,
    pub max_log_bytes: u64,
    pub max_log_entries: u64,
    pub trailing_log_bytes: u64,
    pub snapshot_part_bytes: u64,
    pub max_sessions: u64,
    pub session_window: u64,
    pub max_reply_bytes: u64,
    pub session_lifetime_entries: u64,
    pub demote_after: Option<u64>,
    pub report_differences: bool,
    pub max_remote_calls: u64,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Load {
    /// How long a client waits between two operations: from the first to the second.
    pub think: (u64, u64),
    /// How long a client waits for an answer before it tries again.
    pub timeout: u64,
    /// How often it tries before it gives up.
    pub attempts: u64,
    /// How many keys there are.
    pub keys: u64,
    /// How many operations in a million are linearizable reads.
    pub reads: u32,
    /// How many in a million are about several keys, of those on maps.
    pub bulk: u32,
    /// How many in a million are on queues.
    pub queues: u32,
    /// How many in a million are on records.
    pub records: u32,
    /// How many in a million are on remote maps; the others are on maps.
    pub remote_maps: u32,
    /// Whether a task beside each node subscribes to events and publishes some.
    pub emitters: bool,
    /// How many in a million go without a session of the client's.
    pub sessionless: u32,
    /// How many in a million carry more than an entry may have.
    pub oversized: u32,
    /// How many in a million ask for a sequence number beyond the session's window.
    pub outside_window: u32,
    /// How many in a million carry a long value.
    pub long_values: u32,
    /// How long those are at most.
    pub longest_value: u64,
    /// How many seconds in a million begin a time in which nobody writes.
    pub quiet: u32,
    /// How many seconds in a million begin a time in which everybody writes without a pause.
    pub burst: u32,
}

impl Plan {
    /// What `settings` come to for `seed`.
    #[must_use]
    pub fn draw(settings: &Settings, seed: u64) -> Self {
        let draws = Draws::new(seed, &[]);
        let mut dice = draws.dice(Stream::Plan, 0, 0);
        let mut plan = match settings.profile {
            Profile::Calm | Profile::Storm | Profile::Radioactive => Self::standard(settings),
            Profile::Swarm | Profile::Hostile => Self::drawn(settings, &mut dice),
        };
        plan.faults = faults_of(settings, &draws);
        plan.nodes = settings.nodes.unwrap_or(plan.nodes);
        // Without a majority that is left, a node that forgets all it knew ends the group.
        plan.diskless &= plan.nodes > 2;
        plan.last_resort = plan.last_resort.filter(|id| id.get() <= plan.nodes);
        plan.clients = settings.clients.unwrap_or(plan.clients);
        plan
    }

    /// How often `fault` strikes.
    #[must_use]
    pub fn intensity(&self, fault: Fault) -> u32 {
        self.faults.get(&fault).copied().unwrap_or(0)
    }

    /// The longest an election time-out may be drawn.
    #[must_use]
    pub fn longest_election(&self) -> u64 {
        2 * self.knobs.election_timeout * self.tick
    }

    /// Whether somebody forges messages, so that only the bounds can be checked.
    #[must_use]
    pub fn is_hostile(&self) -> bool {
        self.intensity(Fault::Forge) > 0
    }

    /// The nodes' ids: 1 and on, those that join later last.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=self.nodes + self.spares).map(NodeId::new)
    }

    /// Those that found the group.
    pub fn founders(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=self.nodes).map(NodeId::new)
    }

    /// How a node is configured in its `start`-th start.
    pub(crate) fn config(&self, draws: &Draws, (id, start): (NodeId, u64), past: Past) -> Config {
        let incarnation = draws.raw(Stream::Incarnation, id.get(), start);
        let birth = self.birth(draws, (id, start), past);
        let mut config = Config::new(id, Incarnation::new(incarnation), birth);
        config.seed = draws.raw(Stream::NodeSeed, id.get(), 0);
        config.verbose = true;
        self.knobs.set(&mut config);
        if self.last_resort == Some(id) {
            config.priority = Priority::LastResort;
        }
        if past.upgraded {
            config.newest_version = 2;
        }
        config
    }

    /// A founder meets the others; whoever comes later, or again with nothing, joins the group, or
    /// finds out by meeting that there is one.
    fn birth(&self, draws: &Draws, (id, start): (NodeId, u64), past: Past) -> Birth {
        let others = || self.node_ids().filter(|&other| other != id).collect::<Vec<NodeId>>();
        let founder = id.get() <= self.nodes;
        let returns = past.wiped || past.grouped || !founder;
        if returns && !others().is_empty() {
            let meets = founder && draws.chance(300_000, Stream::Wipe, id.get(), start | BIRTH);
            if meets && !past.grouped && !past.replaced {
                return Birth::Meet { peers: others() };
            }
            return Birth::Join { contacts: others(), voter: true };
        }
        let peers: Vec<NodeId> = self.founders().filter(|&peer| peer != id).collect();
        if peers.is_empty() { Birth::Found } else { Birth::Meet { peers } }
    }

    /// The plan of the fixed profiles, faults apart.
    fn standard(settings: &Settings) -> Self {
        let mut knobs = Knobs::new(1);
        let tick = 100_000;
        let mut load = Load::new();
        let calm = settings.profile == Profile::Calm;
        if calm {
            (load.quiet, load.burst) = (0, 0);
        } else {
            (knobs.max_log_entries, knobs.trailing_log_bytes) = (50, 1_000);
            knobs.snapshot_part_bytes = 300;
        }
        Self {
            nodes: 3,
            spares: if calm { 0 } else { 2 },
            diskless: false,
            last_resort: None,
            upgrades: !calm,
            clients: 4,
            time: settings.time,
            operations: settings.operations,
            steps: settings.steps,
            faults: BTreeMap::new(),
            longest_fault: 6 * 2 * knobs.election_timeout * tick,
            latency: (500, 10_000),
            disk: (100, 5_000),
            tick,
            knobs,
            load,
            search_steps: settings.search_steps,
        }
    }

    /// A plan of this seed's own, faults apart.
    fn drawn(settings: &Settings, dice: &mut Dice) -> Self {
        let nodes = *dice.pick(&[1, 2, 3, 3, 3, 3, 4, 5, 5, 5, 7]);
        let knobs = Knobs::drawn(nodes, dice);
        let tick = 100_000;
        let latency_low = dice.magnitude(100, 10_000);
        let disk_low = dice.magnitude(50, 10_000);
        let id = NodeId::new(dice.between(1, nodes));
        Self {
            nodes,
            spares: *dice.pick(&[0, 0, 1, 2, 3]),
            diskless: dice.chance(60_000),
            last_resort: dice.chance(250_000).then_some(id),
            upgrades: dice.chance(250_000),
            clients: dice.between(2, 10),
            longest_fault: dice.magnitude(2, 12) * 2 * knobs.election_timeout * tick,
            latency: (latency_low, latency_low * dice.magnitude(2, 16)),
            disk: (disk_low, disk_low * dice.magnitude(2, 16)),
            load: Load::drawn(&knobs, dice),
            knobs,
            ..Self::standard(settings)
        }
    }
}

impl Knobs {
    /// The defaults of [`Config`].
    fn new(nodes: u64) -> Self {
        let defaults = Config::new(NodeId::new(nodes), Incarnation::new(0), Birth::Found);
        Self {
            election_timeout: defaults.election_timeout.get(),
            heartbeat_interval: defaults.heartbeat_interval.get(),
            request_timeout: defaults.request_timeout.get(),
            max_message_bytes: defaults.max_message_bytes,
            max_inflight_bytes: defaults.max_inflight_bytes,
            max_inflight_messages: defaults.max_inflight_messages,
            max_entry_bytes: defaults.max_entry_bytes,
            max_uncommitted_bytes: defaults.max_uncommitted_bytes,
            max_pending_requests: defaults.max_pending_requests,
            max_pending_bytes: defaults.max_pending_bytes,
            max_pending_reads: defaults.max_pending_reads,
            step_budget_bytes: defaults.step_budget_bytes,
            max_log_bytes: defaults.max_log_bytes,
            max_log_entries: defaults.max_log_entries,
            trailing_log_bytes: defaults.trailing_log_bytes,
            snapshot_part_bytes: defaults.snapshot_part_bytes,
            max_sessions: defaults.sessions.max_sessions,
            session_window: defaults.sessions.window,
            max_reply_bytes: defaults.sessions.max_reply_bytes,
            session_lifetime_entries: defaults.sessions.lifetime_entries,
            demote_after: None,
            report_differences: true,
            max_remote_calls: defaults.max_remote_calls,
        }
    }

    /// Each either at its default or somewhere near the least that lets a group work.
    fn drawn(nodes: u64, dice: &mut Dice) -> Self {
        let defaults = Self::new(nodes);
        let election_timeout = dice.between(5, 20);
        let mut or_default = |default: u64, others: &[u64]| {
            let other = *dice.pick(others);
            if dice.chance(500_000) { default } else { other }
        };
        let max_pending_requests = or_default(defaults.max_pending_requests, &[4, 16, 64]);
        let window = or_default(defaults.session_window, &[4, 16, 64, 256]);
        // Drawn last, so that what came before means what it did.
        let made = Self {
            max_message_bytes: or_default(defaults.max_message_bytes, &[1, 200, 1_000]),
            max_inflight_bytes: or_default(defaults.max_inflight_bytes, &[1, 500, 4_000]),
            max_inflight_messages: or_default(defaults.max_inflight_messages, &[1, 2, 8]),
            max_entry_bytes: or_default(defaults.max_entry_bytes, &[2_000, 16_000]),
            max_uncommitted_bytes: or_default(defaults.max_uncommitted_bytes, &[3_000, 16_000]),
            max_pending_requests,
            max_pending_bytes: or_default(defaults.max_pending_bytes, &[4_000, 64_000]),
            max_pending_reads: or_default(defaults.max_pending_reads, &[2, 16]),
            step_budget_bytes: or_default(defaults.step_budget_bytes, &[1, 300, 4_000]),
            max_log_bytes: defaults.max_log_bytes,
            max_log_entries: defaults.max_log_entries,
            trailing_log_bytes: defaults.trailing_log_bytes,
            snapshot_part_bytes: defaults.snapshot_part_bytes,
            max_sessions: or_default(defaults.max_sessions, &[2 * nodes + 4, 64]),
            session_window: window.max(max_pending_requests),
            max_reply_bytes: or_default(defaults.max_reply_bytes, &[1, 200, 4_000]),
            session_lifetime_entries: or_default(
                defaults.session_lifetime_entries,
                &[60, 300, 2_000],
            ),
            demote_after: None,
            report_differences: true,
            max_remote_calls: defaults.max_remote_calls,
            election_timeout,
            heartbeat_interval: dice.between(1, (election_timeout / 3).max(1)),
            request_timeout: election_timeout * dice.between(2, 8),
        };
        made.with_short_log_and_few_calls(dice)
    }

    /// Mostly a log so short that snapshots are taken all the time, and keep nothing of it; and few calls
    /// on outside stores at once.
    fn with_short_log_and_few_calls(self, dice: &mut Dice) -> Self {
        Self {
            max_log_bytes: *dice.pick(&[2_000, 8_000, 64_000, self.max_log_bytes]),
            max_log_entries: *dice.pick(&[10, 10, 25, 100, 400, self.max_log_entries]),
            trailing_log_bytes: *dice.pick(&[0, 0, 1_000, self.trailing_log_bytes]),
            snapshot_part_bytes: *dice.pick(&[64, 64, 300, 2_000, self.snapshot_part_bytes]),
            demote_after: dice.chance(250_000).then(|| self.election_timeout * dice.between(3, 10)),
            report_differences: dice.chance(700_000),
            max_remote_calls: *dice.pick(&[1, 2, self.max_remote_calls]),
            ..self
        }
    }

    fn set(&self, config: &mut Config) {
        config.election_timeout = Ticks::new(self.election_timeout);
        config.heartbeat_interval = Ticks::new(self.heartbeat_interval);
        config.request_timeout = Ticks::new(self.request_timeout);
        config.max_message_bytes = self.max_message_bytes;
        config.max_inflight_bytes = self.max_inflight_bytes;
        config.max_inflight_messages = self.max_inflight_messages;
        config.max_entry_bytes = self.max_entry_bytes;
        config.max_uncommitted_bytes = self.max_uncommitted_bytes;
        config.max_pending_requests = self.max_pending_requests;
        config.max_pending_bytes = self.max_pending_bytes;
        config.max_pending_reads = self.max_pending_reads;
        config.step_budget_bytes = self.step_budget_bytes;
        config.max_log_bytes = self.max_log_bytes;
        config.max_log_entries = self.max_log_entries;
        config.trailing_log_bytes = self.trailing_log_bytes;
        config.snapshot_part_bytes = self.snapshot_part_bytes;
        config.demote_after = self.demote_after.map(Ticks::new);
        config.report_differences = self.report_differences;
        config.max_remote_retry = Ticks::new(2 * self.election_timeout);
        config.max_remote_calls = self.max_remote_calls;
        config.sessions.max_sessions = self.max_sessions;
        config.sessions.window = self.session_window;
        config.sessions.max_reply_bytes = self.max_reply_bytes;
        config.sessions.lifetime_entries = self.session_lifetime_entries;
    }
}

impl Load {
    fn new() -> Self {
        Self {
            think: (50_000, 1_850_000),
            timeout: 2_000_000,
            attempts: 6,
            keys: 8,
            reads: 300_000,
            bulk: 100_000,
            queues: 250_000,
            records: 200_000,
            remote_maps: 200_000,
            emitters: true,
            sessionless: 100_000,
            oversized: 1_000,
            outside_window: 2_000,
            long_values: 30_000,
            longest_value: LONGEST_VALUE,
            quiet: 20_000,
            burst: 20_000,
        }
    }

    fn drawn(knobs: &Knobs, dice: &mut Dice) -> Self {
        let think = dice.magnitude(30_000, 400_000);
        let made = Self {
            think: (think, think * dice.magnitude(2, 8)),
            timeout: knobs.election_timeout * 100_000 * dice.between(1, 4),
            attempts: dice.between(1, 8),
            keys: dice.between(4, 16),
            reads: *dice.pick(&[50_000, 300_000, 600_000]),
            bulk: *dice.pick(&[0, 50_000, 150_000]),
            queues: *dice.pick(&[0, 100_000, 200_000, 400_000]),
            records: *dice.pick(&[0, 100_000, 200_000, 300_000]),
            remote_maps: *dice.pick(&[0, 100_000, 200_000, 300_000]),
            emitters: dice.chance(500_000),
            sessionless: *dice.pick(&[0, 50_000, 500_000]),
            oversized: *dice.pick(&[0, 2_000, 20_000]),
            outside_window: *dice.pick(&[0, 0, 10_000]),
            long_values: *dice.pick(&[0, 30_000, 500_000]),
            quiet: *dice.pick(&[0, 20_000, 60_000]),
            burst: *dice.pick(&[0, 20_000, 60_000]),
            longest_value: LONGEST_VALUE,
        };
        made.with_long_values(dice)
    }

    /// Values so long at times that a snapshot has many parts.
    fn with_long_values(self, dice: &mut Dice) -> Self {
        if dice.chance(800_000) {
            return self;
        }
        Self { long_values: 600_000, longest_value: 12_000, ..self }
    }
}

/// The intensities of the profile, then what the settings say themselves.
fn faults_of(settings: &Settings, draws: &Draws) -> BTreeMap<Fault, u32> {
    let mut faults: BTreeMap<Fault, u32> = Fault::ALL
        .into_iter()
        .zip(1..)
        .map(|(fault, key)| {
            let (some, much) = fault.intensities();
            let intensity = match settings.profile {
                Profile::Calm => 0,
                Profile::Storm => some,
                Profile::Radioactive => much,
                Profile::Hostile if fault == Fault::Forge => FORGED,
                Profile::Swarm | Profile::Hostile => {
                    swarm_intensity(some, much, &mut draws.dice(Stream::Plan, key, 0))
                }
            };
            (fault, intensity)
        })
        .collect();
    if settings.profile == Profile::Swarm && faults.values().all(|&intensity| intensity == 0) {
        let usual: Vec<Fault> =
            Fault::ALL.into_iter().filter(|fault| fault.intensities().1 > 0).collect();
        let fault = *draws.dice(Stream::Plan, 0, 1).pick(&usual);
        faults.insert(fault, fault.intensities().1);
    }
    faults.extend(&settings.faults);
    faults
}

fn swarm_intensity(some: u32, much: u32, dice: &mut Dice) -> u32 {
    match dice.between(0, 9) {
        0..=4 => 0,
        5 | 6 => some / 3,
        7 | 8 => some,
        _ => much,
    }
}

/// How many in a million messages a forger follows up.
const FORGED: u32 = 100_000;
/// Sets the draw of a node's birth apart from that of its loss.
const BIRTH: u64 = 1 << 40;

/// The longest of the values that are called long, unless the plan says otherwise.
const LONGEST_VALUE: u64 = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_makes_valid_configurations() {
        for profile in Profile::ALL {
            let settings = Settings { profile, ..Settings::new() };
            for seed in 0..300 {
                let plan = Plan::draw(&settings, seed);
                let draws = Draws::new(seed, &[]);
                for id in plan.node_ids() {
                    let made = hamok::Node::new(plan.config(&draws, (id, 0), Past::default()));
                    assert!(made.is_ok(), "seed {seed} of {profile}: {:?}", made.err());
                }
            }
        }
    }

    #[test]
    fn swarm_seeds_differ_and_none_is_without_faults() {
        let settings = Settings::new();
        let mut absent = 0;
        for seed in 0..200 {
            let plan = Plan::draw(&settings, seed);
            assert!(plan.faults.values().any(|&intensity| intensity > 0), "seed {seed}");
            absent += plan.faults.values().filter(|&&intensity| intensity == 0).count() - 1;
        }
        let all = 200 * (Fault::ALL.len() - 1);
        assert!(absent > all / 4 && absent < all * 3 / 4, "{absent} of {all} are absent");
    }

    #[test]
    fn what_the_settings_say_wins() {
        let mut settings = Settings { nodes: Some(5), ..Settings::new() };
        settings.faults.insert(Fault::Drop, 123);
        let plan = Plan::draw(&settings, 1);
        assert_eq!((plan.nodes, plan.intensity(Fault::Drop)), (5, 123));
    }

    #[test]
    fn a_plan_survives_its_file_form() {
        let plan = Plan::draw(&Settings::new(), 17);
        let text = serde_json::to_string(&plan).expect("a plan serialises");
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("and back"), plan);
    }
}
