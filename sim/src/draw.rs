//! Chance that stays put.
//!
//! Every random decision of a run is [`Draws::raw`] of the seed, a [`Stream`] and a key that names
//! the thing decided: the n-th message on a link, the n-th operation of a client. No decision takes
//! "the next number", so none depends on how many were made before it, and taking one fault out of a
//! run leaves all the others as they were.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The draws of one run: its seed, and the draws that are overridden.
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    seed: u64,
    overridden: BTreeMap<(u64, u64, u64), u64>,
}

/// A draw that is not what the seed says.
///
/// A fault that happens by chance is kept from happening by a `value` of 999,999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// What is decided.
    pub stream: Stream,
    /// The first half of the key.
    pub a: u64,
    /// The second half of the key.
    pub b: u64,
    /// What is drawn instead.
    pub value: u64,
}

/// A sequence of draws that all belong to one thing, such as the shape of one partition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dice {
    state: u64,
}

/// What is decided. Append-only: the numbers are part of what a seed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "each names what is decided")]
pub enum Stream {
    Plan = 1,
    Incarnation = 2,
    NodeSeed = 3,
    FirstStart = 4,
    Drop = 10,
    Latency = 11,
    Delay = 12,
    Duplicate = 13,
    Damage = 14,
    Partition = 20,
    OneWay = 21,
    PartialMesh = 22,
    Flap = 23,
    Clog = 24,
    ClientCut = 25,
    IsolateLeader = 26,
    Crash = 30,
    CrashMidway = 31,
    CrashLeader = 32,
    CrashAll = 33,
    Pause = 34,
    Downtime = 35,
    Wipe = 36,
    RemoveNode = 37,
    AddNode = 38,
    Transfer = 39,
    SurvivingWrites = 40,
    TornWrite = 41,
    DiskLatency = 42,
    SlowDisk = 43,
    DiskBurst = 44,
    WriteFails = 45,
    Forge = 46,
    Stop = 47,
    Drift = 50,
    ClockStall = 51,
    ClockJump = 52,
    Quiet = 60,
    Burst = 61,
    Operation = 62,
    Think = 63,
    Attempt = 64,
    Emit = 65,
    Export = 66,
    Phases = 70,
    Upgrade = 71,
    Embedder = 80,
    RemoteLatency = 90,
    RemoteDown = 91,
    RemoteSlow = 92,
    RemoteFails = 93,
    RemoteAnswerLost = 94,
}

impl Draws {
    pub(crate) fn new(seed: u64, overrides: &[Override]) -> Self {
        let overridden = overrides.iter().map(|o| ((o.stream as u64, o.a, o.b), o.value)).collect();
        Self { seed, overridden }
    }

    /// The number that decides the thing named by the key.
    pub(crate) fn raw(&self, stream: Stream, a: u64, b: u64) -> u64 {
        if !self.overridden.is_empty()
            && let Some(&value) = self.overridden.get(&(stream as u64, a, b))
        {
            return value;
        }
        mix(self.seed, stream as u64, a, b)
    }

    /// Whether something that happens `ppm` times in a million happens.
    pub(crate) fn chance(&self, ppm: u32, stream: Stream, a: u64, b: u64) -> bool {
        ppm > 0 && self.raw(stream, a, b) % MILLION < u64::from(ppm)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&self, low: u64, high: u64, stream: Stream, a: u64, b: u64) -> u64 {
        within(self.raw(stream, a, b), low, high)
    }

    /// The details of the thing named by the key.
    pub(crate) fn dice(&self, stream: Stream, a: u64, b: u64) -> Dice {
        Dice { state: self.raw(stream, a, b) }
    }
}

impl Dice {
    pub(crate) fn raw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        finish(self.state)
    }

    pub(crate) fn chance(&mut self, ppm: u32) -> bool {
        self.raw() % MILLION < u64::from(ppm)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        within(self.raw(), low, high)
    }

    /// A number from `low` to `high` whose order of magnitude is drawn first, so that small ones are
    /// as likely as large ones.
    pub(crate) fn magnitude(&mut self, low: u64, high: u64) -> u64 {
        let doublings = u64::from((high / low.max(1)).max(1).ilog2());
        let floor = low.max(1) << self.between(0, doublings);
        self.between(floor, floor.saturating_mul(2)).clamp(low, high)
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let position = self.between(0, (from.len() as u64).saturating_sub(1));
        &from[usize::try_from(position).expect("a position in a slice fits")]
    }
}

fn within(raw: u64, low: u64, high: u64) -> u64 {
    low + raw % (high.saturating_sub(low) + 1)
}

/// Four words into one, each in its own round so that neighbouring keys have nothing in common.
fn mix(seed: u64, stream: u64, a: u64, b: u64) -> u64 {
    [stream, a, b].into_iter().fold(finish(seed.wrapping_add(GOLDEN)), |state, word| {
        finish(state ^ word.wrapping_mul(GOLDEN).wrapping_add(GOLDEN))
    })
}

/// The output function of SplitMix64 (Steele, Lea and Flood 2014).
fn finish(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const MILLION: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_its_key_alone() {
        let draws = Draws::new(42, &[]);
        let first = draws.raw(Stream::Drop, 1, 2);
        for key in 0..100 {
            draws.raw(Stream::Drop, 1, key);
        }
        assert_eq!(draws.raw(Stream::Drop, 1, 2), first);
        assert_ne!(draws.raw(Stream::Drop, 2, 1), first);
        assert_ne!(draws.raw(Stream::Delay, 1, 2), first);
        assert_ne!(Draws::new(43, &[]).raw(Stream::Drop, 1, 2), first);
    }

    #[test]
    fn what_a_seed_means_does_not_change() {
        assert_eq!(Draws::new(42, &[]).raw(Stream::Plan, 0, 0), PINNED);
    }

    #[test]
    fn a_chance_comes_about_as_often_as_it_says() {
        let draws = Draws::new(7, &[]);
        let hits = (0..100_000).filter(|&n| draws.chance(50_000, Stream::Drop, 3, n)).count();
        assert!((4_700..5_300).contains(&hits), "{hits} of an expected 5000");
        assert!((0..1000).all(|n| !draws.chance(0, Stream::Drop, 3, n)));
        assert!((0..1000).all(|n| draws.chance(1_000_000, Stream::Drop, 3, n)));
    }

    #[test]
    fn an_override_changes_one_draw_only() {
        let plain = Draws::new(1, &[]);
        let forced = Override { stream: Stream::Drop, a: 1, b: 5, value: 999_999 };
        let draws = Draws::new(1, &[forced]);
        for n in 0..10 {
            let expected = if n == 5 { 999_999 } else { plain.raw(Stream::Drop, 1, n) };
            assert_eq!(draws.raw(Stream::Drop, 1, n), expected);
        }
    }

    #[test]
    fn ranges_hold_their_ends() {
        let mut dice = Draws::new(9, &[]).dice(Stream::Plan, 0, 0);
        let mut seen = [false; 3];
        for _ in 0..1000 {
            let drawn = dice.between(4, 6);
            seen[usize::try_from(drawn - 4).unwrap()] = true;
            assert!((10..=1000).contains(&dice.magnitude(10, 1000)));
            assert_eq!(dice.magnitude(8, 8), 8);
        }
        assert_eq!(seen, [true; 3]);
    }

    const PINNED: u64 = 10_496_646_407_849_989_400;
}
