//! What whoever starts a run asks for.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::observation::SimTime;

/// What whoever starts a run asks for. What is left open, the seed decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Where the intensities of the faults come from.
    pub profile: Profile,
    /// How many nodes.
    pub nodes: Option<u64>,
    /// How many clients.
    pub clients: Option<u64>,
    /// How long the safety phase lasts at least. Default 60 s.
    pub time: SimTime,
    /// How many operations the clients begin at least before the safety phase ends, unless that takes
    /// ten times as long as asked. Default 200.
    pub operations: u64,
    /// After how many steps the run ends wherever it is.
    pub steps: Option<u64>,
    /// Intensities that replace those of the profile, in parts per million.
    pub faults: BTreeMap<Fault, u32>,
    /// How many steps the black-box search for a linearization may take before it gives up.
    pub search_steps: u64,
}

/// Where the intensities of the faults come from.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Profile {
    /// No faults, and the default [`Config`](hamok::Config).
    Calm,
    /// Some of every fault.
    Storm,
    /// A great deal of every fault.
    Radioactive,
    /// Each seed draws its own mix and its own configuration: of some faults none, of some a great
    /// deal.
    #[default]
    Swarm,
    /// Like swarm, and somebody sends messages in the names of members, made from theirs. Members trust
    /// each other, so all that must hold then is that no node panics, outgrows its bounds, or does other
    /// than its inputs say.
    Hostile,
}

/// What can go wrong. Its intensity is how often, in parts per million of the chances it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// A message is lost.
    Drop,
    /// A message arrives twice, the second time possibly much later.
    Duplicate,
    /// A message takes up to thirty seconds.
    Delay,
    /// A message is truncated or has bits flipped. The transport notices and drops it, but not
    /// before it has been decoded.
    Damage,
    /// The nodes fall into groups that do not hear each other.
    Partition,
    /// Whoever leads is cut off from the other nodes, but not from the clients: it goes on taking
    /// commands that no other node hears of.
    IsolateLeader,
    /// Some links pass messages one way only.
    OneWay,
    /// Some pairs of nodes do not hear each other, though others hear both.
    PartialMesh,
    /// A node's links go down and up again many times.
    Flap,
    /// A node's links hold messages back, then deliver all at once.
    Clog,
    /// A client is cut off from some nodes.
    ClientCut,
    /// A node crashes.
    Crash,
    /// A node crashes between two outputs of a step that writes and speaks, or that hands an event to the
    /// application and speaks.
    CrashMidway,
    /// A node crashes as it becomes leader.
    CrashLeader,
    /// All nodes crash at once.
    CrashAll,
    /// A node is told to [stop](hamok::stop) and taken down as soon as it has.
    Stop,
    /// A node does nothing for a while.
    Pause,
    /// The write that was under way at a crash leaves a part of itself.
    TornWrite,
    /// A disk takes long.
    SlowDisk,
    /// A disk confirms many writes at once, late.
    DiskBurst,
    /// A node's clock goes at a rate of its own.
    Drift,
    /// A node's clock stands still for a while.
    ClockStall,
    /// A node's clock jumps forward.
    ClockJump,
    /// A node crashes, loses its disk, and returns under its id as a new incarnation: only when the
    /// group can go on without what it held.
    Wipe,
    /// Members are removed, leave, or are made learners: one, or several in one change.
    RemoveNode,
    /// Nodes that are no voters ask to be, or are made so.
    AddNode,
    /// Leadership is handed on to somebody, or to anybody.
    Transfer,
    /// A disk fails to write; its node is started again later, from what is there.
    WriteFails,
    /// A call on the outside store does not reach it; the node is told that nobody knows.
    RemoteDown,
    /// A call on the outside store takes long on its way, and so does its answer.
    RemoteSlow,
    /// The outside store refuses a call for good.
    RemoteFails,
    /// The outside store does what it was called for, and the answer is lost.
    RemoteAnswerLost,
    /// A message is followed by one made from it, in the same name. Of the profile `hostile` only.
    Forge,
}

/// What is no profile's or fault's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    name: String,
    known: &'static str,
}

impl Settings {
    /// The default of [`search_steps`](Settings::search_steps): far fewer are needed unless most
    /// outcomes are unknown.
    pub const SEARCH_STEPS: u64 = 2_000_000;

    /// The defaults given at each field.
    #[must_use]
    pub fn new() -> Self {
        Self {
            profile: Profile::default(),
            nodes: None,
            clients: None,
            time: SimTime::from_secs(60),
            operations: 200,
            steps: None,
            faults: BTreeMap::new(),
            search_steps: Self::SEARCH_STEPS,
        }
    }

    /// The command that runs `seed` with these settings.
    #[must_use]
    pub fn command_line(&self, seed: u64) -> String {
        let defaults = Self::new();
        let mut line = format!("hamok-sim run --seed {seed} --profile {}", self.profile);
        let mut option = |name: &str, value: Option<u64>| {
            if let Some(value) = value {
                line.push_str(&format!(" --{name} {value}"));
            }
        };
        let unless = |value: u64, default: u64| (value != default).then_some(value);
        option("nodes", self.nodes);
        option("clients", self.clients);
        option("ops", unless(self.operations, defaults.operations));
        option("steps", self.steps);
        option("search-steps", unless(self.search_steps, defaults.search_steps));
        for (fault, &ppm) in &self.faults {
            option(fault.name(), Some(u64::from(ppm)));
        }
        if self.time != defaults.time {
            line.push_str(&format!(" --time {}us", self.time.micros()));
        }
        line
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Calm, Self::Storm, Self::Radioactive, Self::Swarm, Self::Hostile];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Storm => "storm",
            Self::Radioactive => "radioactive",
            Self::Swarm => "swarm",
            Self::Hostile => "hostile",
        }
    }
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 33] = [
        Self::Drop,
        Self::Duplicate,
        Self::Delay,
        Self::Damage,
        Self::Partition,
        Self::OneWay,
        Self::PartialMesh,
        Self::Flap,
        Self::Clog,
        Self::ClientCut,
        Self::Crash,
        Self::CrashMidway,
        Self::CrashLeader,
        Self::CrashAll,
        Self::Stop,
        Self::Pause,
        Self::TornWrite,
        Self::SlowDisk,
        Self::DiskBurst,
        Self::Drift,
        Self::ClockStall,
        Self::ClockJump,
        Self::IsolateLeader,
        Self::Wipe,
        Self::RemoveNode,
        Self::AddNode,
        Self::Transfer,
        Self::WriteFails,
        Self::Forge,
        Self::RemoteDown,
        Self::RemoteSlow,
        Self::RemoteFails,
        Self::RemoteAnswerLost,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Delay => "delay",
            Self::Damage => "damage",
            Self::Partition => "partition",
            Self::IsolateLeader => "isolate-leader",
            Self::OneWay => "one-way",
            Self::PartialMesh => "partial-mesh",
            Self::Flap => "flap",
            Self::Clog => "clog",
            Self::ClientCut => "client-cut",
            Self::Crash => "crash",
            Self::CrashMidway => "crash-midway",
            Self::CrashLeader => "crash-leader",
            Self::CrashAll => "crash-all",
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::TornWrite => "torn-write",
            Self::SlowDisk => "slow-disk",
            Self::DiskBurst => "disk-burst",
            Self::Drift => "drift",
            Self::ClockStall => "clock-stall",
            Self::ClockJump => "clock-jump",
            Self::Wipe => "wipe",
            Self::RemoveNode => "remove-node",
            Self::AddNode => "add-node",
            Self::Transfer => "transfer",
            Self::WriteFails => "write-fails",
            Self::RemoteDown => "remote-down",
            Self::RemoteSlow => "remote-slow",
            Self::RemoteFails => "remote-fails",
            Self::RemoteAnswerLost => "remote-answer-lost",
            Self::Forge => "forge",
        }
    }

    /// What its intensity counts, in a million of their kind.
    #[must_use]
    pub const fn counted(self) -> &'static str {
        match self {
            Self::Drop => "Messages lost",
            Self::Duplicate => "Messages that arrive twice, the second time perhaps much later",
            Self::Delay => "Messages that take up to thirty seconds",
            Self::Damage => "Messages cut short or with bits flipped",
            Self::Partition => "Seconds that begin a partition into two sides",
            Self::IsolateLeader => "Seconds that begin the isolation of whoever leads",
            Self::OneWay => "Seconds that begin cuts of some links one way",
            Self::PartialMesh => "Seconds that begin cuts between some pairs of nodes",
            Self::Flap => "Seconds that begin to cut and join a node's links many times",
            Self::Clog => "Seconds that begin to hold back what a node sends or is sent",
            Self::ClientCut => "Seconds of each client that begin to cut it from some nodes",
            Self::Crash => "Seconds of each node that bring a crash",
            Self::CrashMidway => {
                "Steps with a write, or a published event, and more that bring a crash in between"
            }
            Self::CrashLeader => "Elections won that bring a crash",
            Self::CrashAll => "Seconds that bring a crash of all nodes",
            Self::Stop => "Seconds of each node that bring a request to stop, and its end",
            Self::Pause => "Seconds of each node that begin a pause",
            Self::TornWrite => "Crashes that leave a part of the write under way",
            Self::SlowDisk => "Seconds of each node that begin a time of slow writes",
            Self::DiskBurst => {
                "Seconds of each node that begin a time of late confirmations at once"
            }
            Self::Drift => "Seconds of each node that begin a time of another clock rate",
            Self::ClockStall => "Seconds of each node that begin a standstill of its clock",
            Self::ClockJump => "Seconds of each node that bring a leap of its clock",
            Self::Wipe => {
                "Seconds of each node that bring the loss of its disk, if the group can bear it"
            }
            Self::RemoveNode => "Seconds that bring the removal or demotion of members",
            Self::AddNode => "Seconds that bring a request to let a node join or vote",
            Self::Transfer => "Seconds that bring a request to hand leadership on",
            Self::WriteFails => "Writes that fail",
            Self::RemoteDown => "Calls on the outside store that do not reach it",
            Self::RemoteSlow => "Calls on the outside store that take long",
            Self::RemoteFails => "Calls on the outside store that it refuses for good",
            Self::RemoteAnswerLost => "Calls on the outside store whose answers are lost",
            Self::Forge => "Messages followed by a forged one; only the bounds are checked then",
        }
    }

    /// Its intensities in the profiles `storm` and `radioactive`.
    pub(crate) const fn intensities(self) -> (u32, u32) {
        match self {
            Self::Drop => (20_000, 150_000),
            Self::Duplicate => (10_000, 100_000),
            Self::Delay => (3_000, 30_000),
            Self::Damage => (3_000, 30_000),
            Self::Partition => (60_000, 100_000),
            Self::IsolateLeader => (60_000, 250_000),
            Self::OneWay | Self::PartialMesh => (30_000, 80_000),
            Self::Flap | Self::Clog => (20_000, 60_000),
            Self::ClientCut => (30_000, 80_000),
            Self::Crash => (25_000, 60_000),
            Self::CrashMidway => (2_000, 20_000),
            Self::CrashLeader => (100_000, 400_000),
            Self::CrashAll => (5_000, 20_000),
            Self::Pause => (15_000, 40_000),
            Self::TornWrite => (300_000, 700_000),
            Self::SlowDisk | Self::DiskBurst => (20_000, 80_000),
            Self::Drift => (30_000, 150_000),
            Self::ClockStall | Self::ClockJump => (10_000, 40_000),
            Self::Wipe | Self::Stop => (6_000, 20_000),
            Self::RemoveNode | Self::Transfer => (50_000, 150_000),
            Self::AddNode => (100_000, 250_000),
            Self::WriteFails => (1_000, 4_000),
            Self::RemoteDown | Self::RemoteSlow | Self::RemoteAnswerLost => (30_000, 150_000),
            Self::RemoteFails => (30_000, 100_000),
            Self::Forge => (0, 0),
        }
    }
}

impl FromStr for Profile {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|profile| profile.name() == name).ok_or_else(|| UnknownName {
            name: name.to_owned(),
            known: "calm, storm, radioactive, swarm, hostile",
        })
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is none of {}", self.name, self.known)
    }
}

impl std::error::Error for UnknownName {}
