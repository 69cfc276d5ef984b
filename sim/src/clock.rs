//! A node's own clock: how much of its time has passed, at a rate that is not quite that of the
//! world, and with leaps and standstills.

use crate::observation::SimTime;

/// A node's own clock.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    tick: u64,
    /// Local time gained per million of the world's.
    rate: u64,
    stalled: bool,
    /// When `local` was right.
    read: SimTime,
    /// Local microseconds, times a million.
    local: u128,
    /// Ticks that the node has been fed.
    fed: u64,
}

impl Clock {
    /// A clock at the world's rate, from `now` on, with a tick of that many local microseconds.
    pub(crate) fn new(now: SimTime, tick: u64) -> Self {
        Self { tick, rate: NOMINAL, stalled: false, read: now, local: 0, fed: 0 }
    }

    /// Goes on at another rate, in parts per million of the world's.
    pub(crate) fn set_rate(&mut self, now: SimTime, rate: u64) {
        self.read_at(now);
        self.rate = rate;
    }

    /// Stands still, or goes on.
    pub(crate) fn set_stalled(&mut self, now: SimTime, stalled: bool) {
        self.read_at(now);
        self.stalled = stalled;
    }

    /// Leaps ahead by that many local microseconds.
    pub(crate) fn jump(&mut self, now: SimTime, micros: u64) {
        self.read_at(now);
        self.local += u128::from(micros) * u128::from(NOMINAL);
    }

    /// Forgets the ticks that the node was not fed until `now`.
    pub(crate) fn skip(&mut self, now: SimTime) {
        self.take_owed(now);
    }

    /// How many whole ticks have passed that the node has not been fed; it is to be fed them.
    pub(crate) fn take_owed(&mut self, now: SimTime) -> u64 {
        self.read_at(now);
        let passed = u64::try_from(self.local / self.tick_scaled()).unwrap_or(u64::MAX);
        let owed = passed.saturating_sub(self.fed);
        self.fed = passed;
        owed
    }

    /// When the node will be, or was, owed `ticks` ticks, if its clock goes on as it does; never if it
    /// stands still.
    pub(crate) fn when_owed(&self, ticks: u64) -> Option<SimTime> {
        let due = u128::from(self.fed.checked_add(ticks)?) * self.tick_scaled();
        let missing = due.saturating_sub(self.local);
        if self.stalled && missing > 0 {
            return None;
        }
        let micros = u64::try_from(missing.div_ceil(u128::from(self.rate))).ok()?;
        Some(self.read.plus(micros))
    }

    fn tick_scaled(&self) -> u128 {
        u128::from(self.tick) * u128::from(NOMINAL)
    }

    fn read_at(&mut self, now: SimTime) {
        if !self.stalled {
            self.local += u128::from(now.since(self.read)) * u128::from(self.rate);
        }
        self.read = now;
    }
}

/// The world's own rate.
pub(crate) const NOMINAL: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: u64 = 100_000;

    fn at(millis: u64) -> SimTime {
        SimTime::from_micros(millis * 1_000)
    }

    #[test]
    fn ticks_are_owed_once() {
        let mut clock = Clock::new(at(50), TICK);
        assert_eq!(clock.take_owed(at(149)), 0);
        assert_eq!(clock.take_owed(at(150)), 1);
        assert_eq!(clock.take_owed(at(150)), 0);
        assert_eq!(clock.take_owed(at(1_099)), 9);
    }

    #[test]
    fn a_tick_is_owed_just_when_foretold() {
        let mut clock = Clock::new(at(7), TICK);
        clock.set_rate(at(33), 1_234_567);
        for ticks in [1, 2, 17] {
            let due = clock.when_owed(ticks).expect("the clock runs");
            let mut before = clock.clone();
            assert_eq!(before.take_owed(SimTime::from_micros(due.micros() - 1)), ticks - 1);
            assert_eq!(clock.take_owed(due), ticks);
        }
    }

    #[test]
    fn a_slow_clock_owes_less_and_a_stalled_one_nothing() {
        let mut clock = Clock::new(at(0), TICK);
        clock.set_rate(at(0), NOMINAL / 2);
        assert_eq!(clock.take_owed(at(1_000)), 5);
        clock.set_stalled(at(1_000), true);
        assert_eq!(clock.when_owed(1), None);
        assert_eq!(clock.take_owed(at(9_000)), 0);
        clock.set_stalled(at(9_000), false);
        assert_eq!(clock.when_owed(1), Some(at(9_200)));
    }

    #[test]
    fn a_jump_owes_what_it_leaps_over_unless_skipped() {
        let mut clock = Clock::new(at(0), TICK);
        clock.jump(at(0), 3 * TICK);
        assert_eq!(clock.take_owed(at(0)), 3);
        clock.jump(at(0), 3 * TICK);
        clock.skip(at(0));
        assert_eq!(clock.take_owed(at(100)), 1);
    }
}
