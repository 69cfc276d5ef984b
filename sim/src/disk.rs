//! A node's disk: when its writes are durable, and what a crash leaves of them.

use std::collections::VecDeque;

use hamok::{RestoreError, Stored, Write, WriteId};

use crate::draw::{Dice, Draws, Stream};
use crate::observation::SimTime;
use crate::plan::Plan;
use crate::settings::Fault;

/// A node's disk. It holds one file: an image, and what was appended to it.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// The confirmed writes that make up the file.
    file: Vec<Write>,
    /// What an interrupted append left after them. It stays until another file takes their place.
    torn: Vec<u8>,
    pending: VecDeque<Write>,
    /// When the last of the pending writes is durable.
    last_due: SimTime,
    written: u64,
    slow: u64,
    bursty: u64,
    healed: bool,
    /// A write failed, and so do all after it, until the node is started again.
    failed: bool,
}

/// What a crash left.
#[derive(Debug)]
pub(crate) struct Remains {
    /// What reads back from the file.
    pub(crate) image: Stored,
    /// A part of a write was left at the file's end.
    pub(crate) torn: bool,
}

/// The file does not read back as what was written.
#[derive(Debug, PartialEq)]
pub(crate) enum Misread {
    Error(RestoreError),
    /// It reads back as something else than the fold of its writes.
    Differs,
}

impl Disk {
    /// Takes on a write; tells when it will be durable. `node` and the number of writes so far name
    /// the draw.
    pub(crate) fn write(
        &mut self,
        plan: &Plan,
        draws: &Draws,
        now: SimTime,
        node: u64,
        write: Write,
    ) -> SimTime {
        let number = self.written;
        self.written += 1;
        self.pending.push_back(write);
        let (low, high) = if self.healed { (50, 2_000) } else { plan.disk };
        let mut due = now.plus(draws.between(low, high, Stream::DiskLatency, node, number));
        if self.slow > 0 {
            let longer = draws.dice(Stream::DiskLatency, node, number).magnitude(50_000, SLOWEST);
            due = now.plus(longer);
        }
        if self.bursty > 0 {
            due = SimTime::from_micros(due.micros().next_multiple_of(BURST));
        }
        self.last_due = self.last_due.max(due);
        self.last_due
    }

    /// How many writes it was asked for before the last.
    pub(crate) fn written(&self) -> u64 {
        self.written - 1
    }

    /// From now on no write is confirmed.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// All that is on it is gone.
    pub(crate) fn erase(&mut self) {
        self.file.clear();
        self.pending.clear();
    }

    /// Whether the write `id` is the last of those durable by now. While confirmations come in
    /// bursts only that one is told of.
    pub(crate) fn tells_of(&self, id: WriteId, now: SimTime) -> bool {
        !self.failed
            && (self.bursty == 0
                || self.last_due > now
                || self.pending.back().is_none_or(|last| last.id() == id))
    }

    /// The write `id` and all before it are durable, and the node knows. Gives those that were not
    /// confirmed before.
    pub(crate) fn confirm(&mut self, id: WriteId) -> &[Write] {
        let count = self.pending.iter().take_while(|write| write.id() <= id).count();
        let mut first = self.file.len();
        for write in self.pending.drain(..count) {
            if write.starts_file() {
                self.file.clear();
                self.torn.clear();
                first = 0;
            }
            self.file.push(write);
        }
        &self.file[first..]
    }

    /// The node crashed: some first ones of the pending writes happened, of the next perhaps a part.
    ///
    /// Whatever is left reads back, or the library's promise about its file is broken.
    pub(crate) fn crash(
        &mut self,
        plan: &Plan,
        draws: &Draws,
        key: (u64, u64),
    ) -> Result<Remains, Misread> {
        let (node, start) = key;
        self.failed = false;
        let asked = self.pending.len() as u64;
        let kept = draws.between(0, asked, Stream::SurvivingWrites, node, start);
        for _ in 0..kept {
            let write = self.pending.pop_front().expect("no more are kept than there are");
            if write.starts_file() {
                self.file.clear();
                self.torn.clear();
            }
            self.file.push(write);
        }
        let mut bytes: Vec<u8> = self.file.iter().flat_map(Write::encode).collect();
        let mut image = Stored::decode(&bytes).map_err(Misread::Error)?;
        if image != self.fold()? {
            return Err(Misread::Differs);
        }
        let torn = draws.chance(plan.intensity(Fault::TornWrite), Stream::TornWrite, node, start);
        let next = self.pending.front().filter(|write| torn && !write.starts_file());
        let tears = next.is_some();
        if let Some(write) = next {
            let whole = bytes.len();
            tear(&mut bytes, &write.encode(), &mut draws.dice(Stream::TornWrite, node, start));
            self.torn = bytes.split_off(whole);
        }
        if !self.torn.is_empty() {
            bytes.extend_from_slice(&self.torn);
            image = Stored::decode(&bytes).map_err(Misread::Error)?;
        }
        self.pending.clear();
        Ok(Remains { image, torn: tears })
    }

    pub(crate) fn set_slow(&mut self, slow: bool) {
        self.slow = if slow { self.slow + 1 } else { self.slow.saturating_sub(1) };
    }

    pub(crate) fn set_bursty(&mut self, bursty: bool) {
        self.bursty = if bursty { self.bursty + 1 } else { self.bursty.saturating_sub(1) };
    }

    /// Ends all faults, for good.
    pub(crate) fn heal(&mut self) {
        self.healed = true;
        self.slow = 0;
        self.bursty = 0;
    }

    fn fold(&self) -> Result<Stored, Misread> {
        let mut stored = Stored::new();
        for write in &self.file {
            stored.apply(write).map_err(Misread::Error)?;
        }
        Ok(stored)
    }
}

/// Appends what an interrupted append leaves: some first bytes, or the full length with zeros from a
/// sector boundary on.
fn tear(file: &mut Vec<u8>, write: &[u8], dice: &mut Dice) {
    let begin = file.len();
    let end = begin + write.len();
    file.extend_from_slice(write);
    let cut = usize::try_from(dice.between(begin as u64, end as u64 - 1));
    let cut = cut.expect("a position in memory fits");
    if dice.chance(500_000) {
        file.truncate(cut);
    } else {
        let boundary = if cut - begin < SECTOR { begin } else { cut / SECTOR * SECTOR };
        file[boundary.max(begin)..].fill(0);
    }
}

/// The longest one write takes on a slow disk.
const SLOWEST: u64 = 5_000_000;
/// The time between two bursts of confirmations.
const BURST: u64 = 700_000;
const SECTOR: usize = 512;

#[cfg(test)]
mod tests {
    use hamok::{Birth, Config, Incarnation, Input, Map, Node, NodeId, Output, RequestId, Ticks};

    use super::*;
    use crate::settings::{Profile, Settings};

    /// The writes of a group of one that is asked for things of many sizes.
    fn writes(count: usize) -> Vec<Write> {
        let map: Map<u64, String> = Map::new("m");
        let config = Config::new(NodeId::new(1), Incarnation::new(7), Birth::Found);
        let mut node = Node::new(config).expect("the defaults are valid");
        let mut writes = Vec::new();
        let mut inputs = VecDeque::from([Input::Tick(Ticks::ZERO), Input::Tick(Ticks::new(50))]);
        for number in 1.. {
            while let Some(input) = inputs.pop_front() {
                for output in node.step(input) {
                    if let Output::Persist(write) = output {
                        inputs.push_back(Input::Persisted(write.id()));
                        writes.push(write);
                    }
                }
            }
            if writes.len() >= count {
                break;
            }
            let value = "x".repeat(usize::try_from(number * 37 % 1500).expect("it is small"));
            let (request, _) = map.set(&number, &value).expect("it encodes").into_parts();
            inputs.push_back(Input::Request(RequestId::new(number), request));
            inputs.push_back(Input::Tick(Ticks::new(1)));
        }
        writes
    }

    fn plan(torn: u32) -> Plan {
        let mut settings = Settings::new();
        settings.profile = Profile::Calm;
        settings.faults.insert(Fault::TornWrite, torn);
        Plan::draw(&settings, 1)
    }

    fn fold(writes: &[Write]) -> Stored {
        let mut stored = Stored::new();
        for write in writes {
            stored.apply(write).expect("they are in order");
        }
        stored
    }

    #[test]
    fn a_crash_leaves_all_that_was_confirmed_and_some_of_the_rest() {
        let (plan, writes) = (plan(0), writes(12));
        let mut left = Vec::new();
        for seed in 0..60 {
            let draws = Draws::new(seed, &[]);
            let mut disk = Disk::default();
            for write in &writes {
                disk.write(&plan, &draws, SimTime::ZERO, 1, write.clone());
            }
            let confirmed = disk.confirm(writes[4].id()).len();
            assert_eq!(confirmed, 5);
            let image = disk.crash(&plan, &draws, (1, 1)).expect("it reads back").image;
            let kept = (5..=writes.len()).find(|&count| fold(&writes[..count]) == image);
            left.push(kept.expect("a prefix of the writes is left, with all that was confirmed"));
        }
        assert!(left.contains(&5) && left.contains(&writes.len()), "{left:?}");
    }

    #[test]
    fn a_torn_write_never_takes_a_whole_one_with_it() {
        let (plan, writes) = (plan(1_000_000), writes(40));
        let mut torn = 0;
        for seed in 0..300 {
            let draws = Draws::new(seed, &[]);
            let mut disk = Disk::default();
            for write in &writes {
                disk.write(&plan, &draws, SimTime::ZERO, 1, write.clone());
            }
            let confirmed = usize::try_from(1 + seed % 39).expect("it is small");
            disk.confirm(writes[confirmed - 1].id());
            let remains = disk.crash(&plan, &draws, (1, 1)).expect("it reads back");
            torn += u64::from(remains.torn);
            let (least, last) = (fold(&writes[..confirmed]).last(), remains.image.last());
            assert!(
                last.index >= least.index,
                "seed {seed}: {least} was confirmed, {last} is left"
            );
        }
        assert!(torn > 200, "{torn} of 300 were torn");
    }

    #[test]
    fn writes_become_durable_in_order_however_long_each_takes() {
        let (plan, draws, writes) = (plan(0), Draws::new(3, &[]), writes(30));
        let mut disk = Disk::default();
        let mut last = SimTime::ZERO;
        for (number, write) in writes.into_iter().enumerate() {
            disk.set_slow(number % 3 == 0);
            disk.set_bursty(number % 4 == 0);
            let due = disk.write(&plan, &draws, SimTime::ZERO, 1, write);
            assert!(due >= last, "{due} comes before {last}");
            last = due;
        }
    }

    #[test]
    fn a_bursting_disk_tells_of_the_last_write_only() {
        let (plan, draws, writes) = (plan(0), Draws::new(3, &[]), writes(6));
        let mut disk = Disk::default();
        disk.set_bursty(true);
        let mut due = SimTime::ZERO;
        for write in &writes {
            due = disk.write(&plan, &draws, SimTime::ZERO, 1, write.clone());
        }
        assert_eq!(due.micros() % BURST, 0);
        let told: Vec<bool> = writes.iter().map(|write| disk.tells_of(write.id(), due)).collect();
        assert_eq!(told, [false, false, false, false, false, true]);
    }
}
