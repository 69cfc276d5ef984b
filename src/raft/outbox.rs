//! The durability outbox: what has been asked of the disk, and what waits for it.
//!
//! Raft's Figure 2 says that a server updates its stable storage before it responds. Three things
//! wait here, and only these:
//!
//! - a vote that was granted, and a candidate's own vote with its requests for others', until the
//!   hard state that holds it is durable;
//! - the acknowledgement that the log matches up to some index, until the entries up to there, or the
//!   snapshot that covers them, and the term are durable.
//!
//! A snapshot is written as a whole image, which takes the place of the file at once: there is no
//! moment at which a part of the log is gone and what takes its place is not there.
//!
//! What else a node sends promises nothing about its disk and goes at once: a leader's entries and
//! heartbeats (Raft thesis §10.2.1: the leader writes in parallel with its followers), heartbeat
//! replies, refusals. None of it queues: at most one vote and one acknowledgement are owed at a time,
//! since a later one includes the earlier.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Raft;
use super::entries::{Entry, Run};
use super::log::Log;
use super::message::Message;
use super::snapshot::Snapshot;
use crate::stored::{HardState, Record, Write};
use crate::types::{EntryId, Identity, Index, Life, Peer, WriteId};

#[derive(Debug)]
pub(super) struct Outbox {
    life: Life,
    /// The write being put together, if anything is in it; it will have the number after `issued`.
    draft: Draft,
    issued: u64,
    confirmed: u64,
    /// The write that holds the latest hard state.
    hard_state_in: u64,
    /// Which entries the unconfirmed writes hold, in order of both.
    unconfirmed: VecDeque<Entries>,
    unconfirmed_bytes: u64,
    pub(super) owed_vote: Option<Identity>,
    pub(super) owed_match: Option<OwedMatch>,
    /// A write failed: nothing more is asked of the disk.
    failed: bool,
}

/// An acknowledgement that waits for the disk.
#[derive(Debug)]
pub(super) struct OwedMatch {
    pub(super) leader: Identity,
    /// How far the log matches the leader's.
    pub(super) upto: Index,
    /// How much of it has been acknowledged.
    pub(super) said: Index,
}

#[derive(Debug, Default)]
struct Draft {
    /// All that there is, in place of what the disk holds.
    image: bool,
    hard_state: bool,
    kept: Option<Index>,
    previous: EntryId,
    appended: Vec<Entry>,
}

#[derive(Debug)]
struct Entries {
    write: u64,
    first: Index,
    last: Index,
    bytes: u64,
}

impl Outbox {
    pub(super) fn new(life: Life) -> Self {
        Self {
            life,
            draft: Draft::default(),
            issued: 0,
            confirmed: 0,
            hard_state_in: 0,
            unconfirmed: VecDeque::new(),
            unconfirmed_bytes: 0,
            owed_vote: None,
            owed_match: None,
            failed: false,
        }
    }

    /// Asks for a whole image in place of what the disk holds.
    pub(super) fn save_image(&mut self) {
        self.draft.image = true;
        self.save_hard_state();
    }

    /// Asks for a whole image, and takes nothing of what it holds for durable before it is.
    pub(super) fn replace_all(&mut self, last: Index) {
        self.save_image();
        self.draft.kept = None;
        self.draft.appended.clear();
        self.unconfirmed.clear();
        self.unconfirmed_bytes = 0;
        if last > Index::ZERO {
            let first = Index::ZERO.next();
            self.unconfirmed.push_back(Entries { write: self.issued + 1, first, last, bytes: 0 });
        }
    }

    pub(super) fn save_hard_state(&mut self) {
        self.draft.hard_state = true;
        self.hard_state_in = self.issued + 1;
    }

    pub(super) fn truncate(&mut self, kept: Index) {
        assert!(
            self.draft.appended.is_empty(),
            "truncating to {kept} what the same step appended after {}",
            self.draft.previous
        );
        self.draft.kept = Some(self.draft.kept.map_or(kept, |before| before.min(kept)));
        while self.unconfirmed.back().is_some_and(|entries| entries.first > kept) {
            let dropped = self.unconfirmed.pop_back();
            self.unconfirmed_bytes -= dropped.map_or(0, |entries| entries.bytes);
        }
        if let Some(entries) = self.unconfirmed.back_mut() {
            entries.last = entries.last.min(kept);
        }
    }

    pub(super) fn append(&mut self, run: &Run) {
        let Some(first) = run.entries().first() else { return };
        let write = self.issued + 1;
        self.unconfirmed_bytes += run.size();
        if self.draft.appended.is_empty() {
            self.draft.previous = run.previous();
            self.unconfirmed.push_back(Entries {
                write,
                first: first.id.index,
                last: run.last().index,
                bytes: run.size(),
            });
        } else if let Some(entries) = self.unconfirmed.back_mut() {
            entries.last = run.last().index;
            entries.bytes += run.size();
        }
        self.draft.appended.extend_from_slice(run.entries());
    }

    pub(super) fn has_draft(&self) -> bool {
        let Draft { image, hard_state, kept, appended, .. } = &self.draft;
        !self.failed && (*image || *hard_state || kept.is_some() || !appended.is_empty())
    }

    /// The write that this step asks for, if any.
    pub(super) fn take_write(&mut self, whole: &Whole<'_>) -> Option<Write> {
        if !self.has_draft() {
            return None;
        }
        let draft = core::mem::take(&mut self.draft);
        let starts_file = draft.image;
        let records = if starts_file { whole.records() } else { draft.records(whole.hard) };
        self.issued += 1;
        let id = WriteId { life: self.life, number: self.issued };
        Some(Write { id, starts_file, records })
    }

    /// A write failed, and so has every one after it. False if it is none that could fail any more.
    pub(super) fn fail(&mut self, id: WriteId) -> bool {
        let asked = self.confirmed < id.number && id.number <= self.issued;
        if self.failed || id.life != self.life || !asked {
            return false;
        }
        self.failed = true;
        self.forget_owed();
        true
    }

    /// Takes note that a write and all before it are durable; false if there is no such write.
    pub(super) fn confirm(&mut self, id: WriteId) -> bool {
        if self.failed || id.life != self.life || id.number > self.issued {
            return false;
        }
        self.confirmed = self.confirmed.max(id.number);
        while self.unconfirmed.front().is_some_and(|entries| entries.write <= self.confirmed) {
            let confirmed = self.unconfirmed.pop_front();
            self.unconfirmed_bytes -= confirmed.map_or(0, |entries| entries.bytes);
        }
        // What a slow disk took is given back.
        if self.unconfirmed.is_empty() && self.unconfirmed.capacity() > SPARE_WRITES {
            self.unconfirmed = VecDeque::new();
        }
        true
    }

    /// Whether the latest hard state is durable.
    pub(super) fn hard_state_durable(&self) -> bool {
        self.hard_state_in <= self.confirmed
    }

    /// How far the log, whose last index is given, is durable.
    pub(super) fn durable(&self, last: Index) -> Index {
        self.unconfirmed.front().map_or(last, |entries| entries.first.previous())
    }

    /// The number that the write being put together has or will have.
    pub(super) fn next_write(&self) -> u64 {
        self.issued + 1
    }

    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// How many bytes of entries the disk has not confirmed.
    pub(super) fn unconfirmed_bytes(&self) -> u64 {
        self.unconfirmed_bytes
    }

    pub(super) fn unconfirmed_writes(&self) -> u64 {
        self.issued - self.confirmed
    }

    pub(super) fn owed(&self) -> u64 {
        u64::from(self.owed_vote.is_some()) + u64::from(self.owed_match.is_some())
    }

    /// Promises of a term that is over are owed to nobody.
    pub(super) fn forget_owed(&mut self) {
        self.owed_vote = None;
        self.owed_match = None;
    }
}

/// Everything that is to be on disk.
pub(super) struct Whole<'a> {
    pub(super) peer: Peer,
    pub(super) hard: HardState,
    pub(super) snapshot: Option<&'a Snapshot>,
    pub(super) log: &'a Log,
}

impl Whole<'_> {
    fn records(&self) -> Vec<Record> {
        let mut records = Vec::from([Record::Identity(self.peer), Record::HardState(self.hard)]);
        let mut start = EntryId::ZERO;
        if let Some(Snapshot { head, parts }) = self.snapshot {
            records.push(Record::Snapshot(Box::new(head.clone())));
            records.extend(parts.iter().cloned().map(Record::SnapshotPart));
            start = head.last();
        }
        records.extend(in_records(start, self.log.after(start.index).cloned().collect()));
        records
    }
}

impl Draft {
    fn records(self, hard: HardState) -> Vec<Record> {
        let mut records = Vec::new();
        records.extend(self.hard_state.then_some(Record::HardState(hard)));
        records.extend(self.kept.map(Record::Truncate));
        records.extend(in_records(self.previous, self.appended));
        records
    }
}

/// Entries as records of bounded size, however long the log.
fn in_records(mut previous: EntryId, entries: Vec<Entry>) -> Vec<Record> {
    let mut records = Vec::new();
    let (mut part, mut bytes) = (Vec::new(), 0);
    for entry in entries {
        if bytes > 0 && bytes + entry.size() > MAX_RECORD_BYTES {
            let run = Run::from_log(previous, core::mem::take(&mut part));
            (previous, bytes) = (run.last(), 0);
            records.push(Record::Append(run));
        }
        bytes += entry.size();
        part.push(entry);
    }
    if !part.is_empty() {
        records.push(Record::Append(Run::from_log(previous, part)));
    }
    records
}

impl Raft {
    /// Says what the latest confirmation allows: the three things that the [`outbox`] holds back.
    pub(super) fn release(&mut self) {
        if self.is_silent() || !self.outbox.hard_state_durable() {
            return;
        }
        self.open_candidacy();
        if let Some(candidate) = self.outbox.owed_vote.take() {
            let term = self.hard.term;
            self.send_in_group(candidate, Message::RequestVoteReply { term, granted: true });
        }
        self.acknowledge_durable();
    }
}

/// Room for so many unconfirmed writes is kept whatever happens.
const SPARE_WRITES: usize = 64;
/// The most bytes of entries in one record, unless a single entry is larger.
const MAX_RECORD_BYTES: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::entries::Payload;
    use crate::types::{Incarnation, NodeId, Term};

    fn run(previous: u64, count: usize, term: u64) -> Run {
        let previous = EntryId::new(Index::new(previous), Term::new(1));
        Run::new(previous, (0..count).map(|_| (Term::new(term), Payload::Noop))).unwrap()
    }

    fn take(outbox: &mut Outbox) -> Option<Write> {
        let peer = Peer { id: NodeId::new(1), incarnation: Incarnation::new(1) };
        let log = Log::default();
        outbox.take_write(&Whole { peer, hard: HardState::default(), snapshot: None, log: &log })
    }

    fn write(outbox: &mut Outbox) -> WriteId {
        take(outbox).expect("something to write").id()
    }

    #[test]
    fn the_durable_index_falls_with_a_truncation_and_returns_only_with_its_own_write() {
        let mut outbox = Outbox::new(Life::FIRST);
        outbox.append(&run(1, 3, 1));
        let first = write(&mut outbox);
        assert_eq!(outbox.durable(Index::new(4)), Index::new(1));

        outbox.truncate(Index::new(2));
        outbox.append(&run(2, 2, 2));
        let second = write(&mut outbox);
        assert!(outbox.confirm(first));
        assert_eq!(outbox.durable(Index::new(4)), Index::new(2), "3 was written again since");
        assert!(outbox.confirm(second));
        assert_eq!(outbox.durable(Index::new(4)), Index::new(4));
    }

    #[test]
    fn a_confirmation_of_what_was_not_asked_for_counts_for_nothing() {
        let mut outbox = Outbox::new(Life::new(2));
        outbox.save_hard_state();
        let id = write(&mut outbox);
        assert!(!outbox.confirm(WriteId { life: Life::FIRST, number: id.number }));
        assert!(!outbox.confirm(WriteId { number: id.number + 1, ..id }));
        assert!(!outbox.hard_state_durable());
        assert!(outbox.confirm(id));
        assert!(outbox.hard_state_durable());
    }

    #[test]
    fn records_come_in_the_order_in_which_every_prefix_is_safe() {
        let mut outbox = Outbox::new(Life::FIRST);
        outbox.truncate(Index::new(2));
        outbox.append(&run(2, 1, 2));
        outbox.save_hard_state();
        let write = take(&mut outbox).unwrap();
        assert!(matches!(
            write.records.as_slice(),
            [Record::HardState(_), Record::Truncate(_), Record::Append(_)]
        ));
        assert_eq!(take(&mut outbox), None);
    }

    #[test]
    fn what_an_image_replaces_is_durable_again_only_with_the_image() {
        let mut outbox = Outbox::new(Life::FIRST);
        outbox.append(&run(1, 3, 1));
        let first = write(&mut outbox);
        outbox.replace_all(Index::new(9));
        let image = take(&mut outbox).expect("an image");
        assert!(image.starts_file());
        assert!(outbox.confirm(first));
        assert_eq!(outbox.durable(Index::new(9)), Index::ZERO);
        assert!(outbox.confirm(image.id()));
        assert_eq!(outbox.durable(Index::new(9)), Index::new(9));
    }

    #[test]
    fn after_a_failed_write_nothing_is_asked_for_or_believed() {
        let mut outbox = Outbox::new(Life::FIRST);
        outbox.append(&run(1, 3, 1));
        let first = write(&mut outbox);
        assert!(!outbox.fail(WriteId { number: first.number + 1, ..first }), "not asked for");
        assert!(outbox.fail(first));
        assert!(!outbox.fail(first) && !outbox.confirm(first));
        outbox.save_hard_state();
        assert_eq!(take(&mut outbox), None);
        assert_eq!(outbox.durable(Index::new(4)), Index::new(1));
    }
}
