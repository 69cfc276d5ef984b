//! What a node keeps on disk: the writes it asks for, the fold of them, and their bytes.
//!
//! The file's format is told in `frame.rs`.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::bytes::Bytes;
use crate::config::MAX_MEMBERS;
use crate::frame::{Frame, VERSION, frame};
use crate::raft::Configuration;
use crate::raft::entries::{Entry, Payload, Run};
use crate::raft::snapshot::{PartSum, Snapshot, SnapshotHead};
use crate::types::{EntryId, GroupId, Index, Life, Peer, Term, WriteId};

/// Something to make durable.
///
/// Writes are performed in the order of their ids. One that [starts a file](Write::starts_file) is a
/// whole image and replaces all before it: write it to a new file, sync that, rename it over the old
/// one, sync the folder. Any other is appended to the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    pub(crate) id: WriteId,
    pub(crate) starts_file: bool,
    pub(crate) records: Vec<Record>,
}

/// One frame's body. Append-only: the position of a variant is its code on disk. Within a write they
/// come in this order, so that every prefix is safe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// Which replica this is; the first of every file.
    Identity(Peer),
    HardState(HardState),
    /// Drops the entries after this index.
    Truncate(Index),
    /// Adds entries after the last.
    Append(Run),
    /// Takes the place of the log up to its last entry, once all its parts have followed.
    Snapshot(Box<SnapshotHead>),
    SnapshotPart(Bytes),
}

/// What must be durable before a node speaks for it (Raft, Figure 2, persistent state).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HardState {
    pub(crate) group: Option<GroupId>,
    /// 0 only in an image in which no life has begun.
    pub(crate) life: u32,
    pub(crate) term: Term,
    pub(crate) vote: Option<Peer>,
    /// The disk once lost what had been acknowledged: this incarnation must not go on.
    pub(crate) lost: bool,
    /// Told that this node is no member, by the configuration in that entry.
    pub(crate) removed: Option<EntryId>,
    /// Asked to be let in, and not known since to be a member by what is committed: it may be let in at any
    /// time, also if it asks no more.
    pub(crate) asked_in: bool,
}

/// What a disk holds: the one fold from writes to the image a node is restored from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    pub(crate) peer: Option<Peer>,
    pub(crate) hard: HardState,
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// A snapshot of which some parts are still to come.
    unfinished: Option<Unfinished>,
    /// The log after the snapshot.
    pub(crate) entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq)]
struct Unfinished {
    snapshot: Snapshot,
    sum: PartSum,
}

/// Why what is stored cannot be restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoreError {
    /// Nothing is stored: this node has never been, and starts with
    /// [`Node::new`](crate::Node::new).
    Empty,
    /// The bytes at this offset were written whole and do not check any more.
    Damaged {
        /// Counted from the file's start.
        offset: u64,
    },
    /// The frame at this offset is of a format version this library does not read.
    Version {
        /// Counted from the file's start.
        offset: u64,
        /// The version it claims.
        found: u8,
    },
    /// A record does not follow from those before it, though its checksum is right: writes were lost
    /// or performed out of order.
    OutOfOrder {
        /// Which record, counted from 0.
        record: u64,
    },
    /// Every record follows from the one before, but together they are no state a node can be in:
    /// entries of a term or group that the hard state does not know of.
    Inconsistent {
        /// The last entry.
        last: EntryId,
        /// The term.
        term: Term,
    },
    /// A snapshot lacks parts: the image was put in place before it was whole.
    UnfinishedSnapshot,
    /// A leader has shown that the disk lost entries which this incarnation had acknowledged. What it
    /// promised cannot be relied on: it returns as a new incarnation.
    LostAcknowledged,
    /// The members of a recovered group lack this node, or are too many.
    Members,
    /// The image belongs to another node than the configuration names.
    OtherNode {
        /// Whose it is.
        stored: Peer,
    },
    /// The configuration is not valid.
    Config(crate::ConfigError),
    /// This incarnation has been started 2³² times.
    TooManyLives,
}

impl Write {
    /// Its number. Confirming a write confirms all before it.
    #[must_use]
    pub fn id(&self) -> WriteId {
        self.id
    }

    /// Whether it is a whole image that replaces the file instead of growing it.
    #[must_use]
    pub fn starts_file(&self) -> bool {
        self.starts_file
    }

    /// What may be on disk instead of it, whole records only, when the machine stops in the middle of
    /// appending it: for those who check that any of it is safe. A whole image is there or is not.
    pub fn torn(&self) -> impl Iterator<Item = Self> + '_ {
        let parts = if self.starts_file { 0 } else { self.records.len() };
        (1..parts).map(|kept| Self {
            id: self.id,
            starts_file: false,
            records: self.records[..kept].to_vec(),
        })
    }

    /// The bytes to write.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.records.iter().fold(Vec::new(), |bytes, record| frame(record, bytes))
    }

    /// The bytes to write, in pieces that are encoded one by one: an image is as large as the whole
    /// replicated state.
    pub fn frames(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.records.iter().map(|record| frame(record, Vec::new()))
    }
}

impl Stored {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds in one write.
    ///
    /// # Errors
    /// [`RestoreError::OutOfOrder`] when it does not follow from what is stored; the image is then
    /// as the records before the offending one left it.
    pub fn apply(&mut self, write: &Write) -> Result<(), RestoreError> {
        if write.starts_file {
            *self = Self::new();
        }
        for (position, record) in (0..).zip(&write.records) {
            self.fold(record).map_err(|NotNext| RestoreError::OutOfOrder { record: position })?;
        }
        Ok(())
    }

    /// Reads a file back, cutting off what an unfinished append left at its end.
    ///
    /// The first write of a restored node starts a new file, so there is no need to shorten the old.
    ///
    /// # Errors
    /// Whatever the bytes are, the worst outcome is a [`RestoreError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RestoreError> {
        let mut stored = Self::new();
        let mut offset = 0;
        let mut count = 0;
        while let Frame::Whole { record, end } = Frame::read(bytes, offset)? {
            stored.fold(&record).map_err(|NotNext| RestoreError::OutOfOrder { record: count })?;
            offset = end;
            count += 1;
        }
        if stored.unfinished.is_some() {
            return Err(RestoreError::UnfinishedSnapshot);
        }
        Ok(stored)
    }

    /// Whose image this is.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        self.peer
    }

    /// The last life that began.
    #[must_use]
    pub fn life(&self) -> Life {
        Life::new(self.hard.life)
    }

    /// The group it belongs to.
    #[must_use]
    pub fn group(&self) -> Option<GroupId> {
        self.hard.group
    }

    /// The term.
    #[must_use]
    pub fn term(&self) -> Term {
        self.hard.term
    }

    /// Who has this node's vote in [`term`](Stored::term).
    #[must_use]
    pub fn vote(&self) -> Option<Peer> {
        self.hard.vote
    }

    /// Whether a leader has shown that this disk lost what had been acknowledged: see
    /// [`Event::StorageLost`](crate::Event).
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.hard.lost
    }

    /// What the snapshot covers, if there is one.
    #[must_use]
    pub fn snapshot(&self) -> Option<&SnapshotHead> {
        self.snapshot.as_deref().map(|snapshot| &snapshot.head)
    }

    /// The entry that the log goes on after: the last that the snapshot covers.
    #[must_use]
    pub fn start(&self) -> EntryId {
        self.snapshot().map_or(EntryId::ZERO, SnapshotHead::last)
    }

    /// The last entry of the log, or of the snapshot when nothing comes after it.
    #[must_use]
    pub fn last(&self) -> EntryId {
        self.entries.last().map_or(self.start(), Entry::id)
    }

    /// The entry at `index`, unless only the snapshot covers it.
    #[must_use]
    pub fn entry(&self, index: Index) -> Option<&Entry> {
        let position = index.since(self.start().index).checked_sub(1)?;
        self.entries.get(usize::try_from(position).ok()?)
    }

    /// The log after the snapshot, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a node can be in this state.
    pub(crate) fn check(&self) -> Result<(), RestoreError> {
        let last = self.last();
        let founded_in = match (&self.snapshot, self.entries.first().map(|first| &first.payload)) {
            (Some(snapshot), _) => Some(snapshot.head.group),
            (None, Some(Payload::Founding(founding))) => Some(founding.group),
            (None, Some(Payload::Noop | Payload::Command(_) | Payload::Members(_)) | None) => None,
        };
        let empty = last == EntryId::ZERO;
        let known = last.term <= self.hard.term && (empty || founded_in == self.hard.group);
        let possible = self.snapshot().is_none_or(SnapshotHead::is_possible);
        if self.hard.lost {
            return Err(RestoreError::LostAcknowledged);
        }
        if self.unfinished.is_some() {
            return Err(RestoreError::UnfinishedSnapshot);
        }
        if known && possible {
            Ok(())
        } else {
            Err(RestoreError::Inconsistent { last, term: self.hard.term })
        }
    }

    /// The image of a new group that has this one's state: see [`Node::recover`](crate::Node::recover).
    pub(crate) fn recover(
        mut self,
        members: impl IntoIterator<Item = Peer>,
    ) -> Result<Self, RestoreError> {
        self.check()?;
        let (Some(me), Some(old), last) = (self.peer, self.hard.group, self.last()) else {
            return Err(RestoreError::Empty);
        };
        let configuration = self.latest_configuration().with_voters(members);
        let possible = configuration.is_voter(me) && configuration.len() <= MAX_MEMBERS as u64;
        let term = Term::try_from(self.hard.term.get() + 1);
        let index = Index::try_from(last.index.get() + 1);
        let (true, true, Ok(term), Ok(index)) = (possible, last.index > Index::ZERO, term, index)
        else {
            return Err(RestoreError::Members);
        };
        let seed = postcard::to_allocvec(&(old, me, self.hard.life, last, &configuration))
            .expect("a configuration serialises into memory");
        let group = GroupId::new(xxh3_64(&seed));
        self.hard.group = Some(group);
        self.hard.term = term;
        self.hard.vote = None;
        self.hard.removed = None;
        self.hard.asked_in = false;
        self.rename_group(group);
        let payload = Payload::Members(Box::new(configuration));
        self.entries.push(Entry { id: EntryId::new(index, term), payload });
        Ok(self)
    }

    fn latest_configuration(&self) -> Configuration {
        let in_log = self.entries.iter().rev().find_map(Entry::configuration);
        in_log.or(self.snapshot().map(SnapshotHead::configuration)).cloned().unwrap_or_default()
    }

    fn rename_group(&mut self, group: GroupId) {
        if let Some(snapshot) = &mut self.snapshot {
            Arc::make_mut(snapshot).head.group = group;
        }
        if let Some(Entry { payload: Payload::Founding(founding), .. }) = self.entries.first_mut() {
            founding.group = group;
        }
    }

    fn fold(&mut self, record: &Record) -> Result<(), NotNext> {
        if let Some(unfinished) = self.unfinished.take() {
            return self.go_on(unfinished, record);
        }
        match record {
            Record::Identity(peer) if self.peer.is_none() => self.peer = Some(*peer),
            Record::HardState(hard) if self.peer.is_some() => self.hard = *hard,
            Record::Truncate(kept) if (self.start().index..=self.last().index).contains(kept) => {
                let length = kept.since(self.start().index);
                self.entries.truncate(usize::try_from(length).map_err(|_| NotNext)?);
            }
            Record::Append(run) if run.previous() == self.last() => {
                self.entries.extend_from_slice(run.entries());
            }
            Record::Snapshot(head) if self.peer.is_some() && self.last() == EntryId::ZERO => {
                let snapshot = Snapshot { head: (**head).clone(), parts: Vec::new() };
                self.unfinished = Some(Unfinished { snapshot, sum: PartSum::default() });
            }
            Record::Identity(_)
            | Record::HardState(_)
            | Record::Truncate(_)
            | Record::Append(_)
            | Record::Snapshot(_)
            | Record::SnapshotPart(_) => return Err(NotNext),
        }
        Ok(())
    }

    /// The next part of the snapshot that was begun: nothing else may come before its last.
    fn go_on(&mut self, mut unfinished: Unfinished, record: &Record) -> Result<(), NotNext> {
        let Record::SnapshotPart(part) = record else { return Err(NotNext) };
        let Unfinished { snapshot, sum } = &mut unfinished;
        sum.add(part);
        snapshot.parts.push(part.clone());
        if sum.parts < snapshot.head.parts {
            self.unfinished = Some(unfinished);
            return Ok(());
        }
        if !snapshot.head.describes(*sum) {
            return Err(NotNext);
        }
        self.snapshot = Some(Arc::new(unfinished.snapshot));
        Ok(())
    }
}

/// A record that does not follow from those before it.
struct NotNext;

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if self.starts_file {
            f.write_str(" new file")?;
        }
        for record in &self.records {
            write!(f, "; {record}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(peer) => write!(f, "identity {peer}"),
            Self::HardState(HardState { group, life, term, vote, lost, removed, asked_in }) => {
                write!(f, "life {life} {term}")?;
                match vote {
                    Some(candidate) => write!(f, " vote {}", candidate.id)?,
                    None => f.write_str(" no vote")?,
                }
                if group.is_none() {
                    f.write_str(" no group")?;
                }
                if let Some(removed) = removed {
                    write!(f, " removed by {removed}")?;
                }
                if *asked_in {
                    f.write_str(" asked in")?;
                }
                if *lost { f.write_str(" lost") } else { Ok(()) }
            }
            Self::Truncate(kept) => write!(f, "truncate after {kept}"),
            Self::Append(run) => write!(f, "append {run}"),
            Self::Snapshot(head) => write!(f, "snapshot {head}"),
            Self::SnapshotPart(part) => write!(f, "part of {} bytes", part.len()),
        }
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing is stored"),
            Self::Damaged { offset } => write!(f, "damaged at byte {offset}"),
            Self::Version { offset, found } => {
                write!(f, "format version {found} at byte {offset}, this library reads {VERSION}")
            }
            Self::OutOfOrder { record } => {
                write!(f, "record {record} does not follow from those before it")
            }
            Self::Inconsistent { last, term } => {
                write!(f, "a log up to {last} in {term} and its group do not go together")
            }
            Self::UnfinishedSnapshot => f.write_str("a snapshot lacks parts"),
            Self::LostAcknowledged => {
                f.write_str("the disk once lost what this incarnation had acknowledged")
            }
            Self::Members => f.write_str("the members lack this node, or are too many"),
            Self::OtherNode { stored } => write!(f, "the image belongs to {stored}"),
            Self::Config(error) => error.fmt(f),
            Self::TooManyLives => f.write_str("started too often"),
        }
    }
}

impl core::error::Error for RestoreError {}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::raft::snapshot::testing::{at, snapshot};
    use crate::types::{Incarnation, NodeId};
    use crate::{Bytes, Configuration, SessionLimits};

    fn peer() -> Peer {
        Peer { id: NodeId::new(1), incarnation: Incarnation::new(0xabc) }
    }

    fn founding() -> Payload {
        Payload::Founding(Box::new(crate::raft::entries::Founding {
            remote_queue: crate::config::RemoteQueueLimits::default(),
            group: GroupId::new(0x1122_3344_5566_7788),
            configuration: Configuration::of_voters([peer()]),
            sessions: SessionLimits::default(),
        }))
    }

    fn write(number: u64, starts_file: bool, records: Vec<Record>) -> Write {
        Write { id: WriteId { life: Life::FIRST, number }, starts_file, records }
    }

    fn hard(term: u64) -> HardState {
        HardState {
            group: Some(GroupId::new(0x1122_3344_5566_7788)),
            life: 1,
            term: Term::new(term),
            vote: Some(peer()),
            lost: false,
            removed: None,
            asked_in: false,
        }
    }

    fn command(previous: u64, bytes: &[u8]) -> Record {
        let previous = EntryId::new(Index::new(previous), Term::new(1));
        let payload = Payload::Command(Bytes::copy_from(bytes));
        Record::Append(Run::new(previous, [(Term::new(2), payload)]).unwrap())
    }

    /// A file of an image and two appends; the second append crosses a sector.
    fn file() -> (Vec<u8>, usize, usize) {
        let first = Run::new(EntryId::ZERO, [(Term::new(1), founding())]).unwrap();
        let mut bytes = write(
            1,
            true,
            vec![Record::Identity(peer()), Record::HardState(hard(1)), Record::Append(first)],
        )
        .encode();
        let second = bytes.len();
        bytes.extend(write(2, false, vec![Record::HardState(hard(2))]).encode());
        let third = bytes.len();
        bytes.extend(write(3, false, vec![command(1, &[0xee; 2000])]).encode());
        (bytes, second, third)
    }

    #[test]
    fn the_bytes_on_disk_are_pinned() {
        let hex = |record| {
            write(1, false, vec![record])
                .encode()
                .iter()
                .map(|byte| alloc::format!("{byte:02x}"))
                .collect::<alloc::string::String>()
        };
        let first = Run::new(EntryId::ZERO, [(Term::new(1), founding())]).unwrap();
        let members = Payload::Members(Box::new(Configuration::of_voters([peer()])));
        let previous = EntryId::new(Index::new(1), Term::new(1));
        let second = Run::new(previous, [(Term::new(1), members)]).unwrap();
        let Snapshot { head, parts } = snapshot(GroupId::new(7), at(9, 2), &[b"xy"]);
        for (record, header, body) in [
            (Record::Identity(peer()), "010400000074b02b052ace2152", "0001bc15"),
            (
                Record::HardState(hard(7)),
                "0114000000c84938b17b70c86e",
                "010188ef99abc5e88c911101070101bc15000000",
            ),
            (Record::Truncate(Index::new(300)), "0103000000b59f7910b0945440", "02ac02"),
            (command(1, b"xy"), "010900000007857763c725d120", "030101010202027879"),
            (
                Record::Append(first),
                "0126000000a086d5b367c69fc8",
                "03000001010188ef99abc5e88c9111010101bc15000080088008808040c0843d802080808008",
            ),
            (Record::Append(second), "010d00000065a0a1835f105a7c", "030101010103010101bc150000"),
            (
                Record::Snapshot(Box::new(head)),
                "0118000000f91e224d2986251c",
                "04090207010101010100000102f9d9c8a194caafc4c30100",
            ),
            (Record::SnapshotPart(parts[0].clone()), "010400000026c121db3d1c92fd", "05027879"),
        ] {
            let shown = record.to_string();
            assert_eq!(hex(record), [header, body].concat(), "{shown}");
        }
    }

    /// An image with a snapshot of two parts and one entry after it, record by record.
    fn image() -> Vec<Record> {
        let group = hard(2).group.expect("it has one");
        let Snapshot { head, parts } = snapshot(group, at(9, 2), &[b"one", b"two"]);
        let tail = Run::new(at(9, 2), [(Term::new(2), Payload::Noop)]).unwrap();
        vec![
            Record::Identity(peer()),
            Record::HardState(hard(2)),
            Record::Snapshot(Box::new(head)),
            Record::SnapshotPart(parts[0].clone()),
            Record::SnapshotPart(parts[1].clone()),
            Record::Append(tail),
        ]
    }

    #[test]
    fn a_snapshot_stands_for_the_log_before_it() {
        let stored = Stored::decode(&write(1, true, image()).encode()).expect("a whole image");
        assert_eq!((stored.start(), stored.last()), (at(9, 2), at(10, 2)));
        assert_eq!(stored.snapshot().expect("it has one").bytes(), 6);
        assert_eq!(stored.entry(Index::new(10)).expect("after the snapshot").id(), at(10, 2));
        assert!(stored.entry(Index::new(9)).is_none(), "only the snapshot covers it");
        assert_eq!(stored.check(), Ok(()));
        let frames: Vec<u8> = write(1, true, image()).frames().flatten().collect();
        assert_eq!(frames, write(1, true, image()).encode());
    }

    #[test]
    fn a_snapshot_without_all_of_its_parts_is_none() {
        for missing in 3..5 {
            let mut records = image();
            records.remove(missing);
            let read = Stored::decode(&write(1, true, records).encode());
            assert_eq!(read, Err(RestoreError::OutOfOrder { record: 4 }), "without {missing}");
        }
        let read = Stored::decode(&write(1, true, image()[..4].to_vec()).encode());
        assert_eq!(read, Err(RestoreError::UnfinishedSnapshot));
        let mut swapped = image();
        swapped.swap(3, 4);
        let read = Stored::decode(&write(1, true, swapped).encode());
        assert_eq!(read, Err(RestoreError::OutOfOrder { record: 4 }), "parts out of order");
        let mut second = Stored::decode(&write(1, true, image()).encode()).expect("a whole image");
        let again = write(2, false, vec![image()[2].clone()]);
        let refused = RestoreError::OutOfOrder { record: 0 };
        assert_eq!(second.apply(&again), Err(refused), "only an image brings a snapshot");
    }

    #[test]
    fn a_truncation_never_reaches_into_the_snapshot() {
        let image = Stored::decode(&write(1, true, image()).encode()).expect("a whole image");
        let truncate = |kept| write(2, false, vec![Record::Truncate(Index::new(kept))]);
        let mut stored = image.clone();
        assert_eq!(stored.apply(&truncate(9)), Ok(()));
        assert_eq!(stored.last(), at(9, 2));
        let refused = RestoreError::OutOfOrder { record: 0 };
        assert_eq!(image.clone().apply(&truncate(8)), Err(refused));
    }

    #[test]
    fn what_acknowledged_entries_were_lost_from_is_not_restored() {
        let mut stored = Stored::decode(&write(1, true, image()).encode()).expect("a whole image");
        stored.hard.lost = true;
        assert!(stored.is_lost());
        assert_eq!(stored.check(), Err(RestoreError::LostAcknowledged));
    }

    #[test]
    fn a_recovered_group_is_another_with_the_same_state() {
        let stored = Stored::decode(&write(1, true, image()).encode()).expect("a whole image");
        let other = Peer { id: NodeId::new(2), ..peer() };
        assert_eq!(stored.clone().recover([other]), Err(RestoreError::Members), "without itself");
        let recovered = stored.clone().recover([peer(), other]).expect("possible");
        assert_ne!(recovered.group(), stored.group());
        assert_eq!(recovered.check(), Ok(()));
        assert_eq!((recovered.vote(), recovered.last()), (None, at(11, 3)));
        let configuration = recovered.entries()[1].configuration().expect("the new members");
        assert_eq!(configuration.voters().collect::<Vec<_>>(), [peer(), other]);
        assert_eq!(Stored::new().recover([peer()]), Err(RestoreError::Empty));
    }

    #[test]
    fn a_file_cut_anywhere_restores_what_was_whole() {
        let (bytes, second, third) = file();
        let whole = Stored::decode(&bytes).unwrap();
        assert_eq!((whole.last().index.get(), whole.term().get()), (2, 2));
        for length in 0..=bytes.len() {
            let cut = Stored::decode(&bytes[..length]).expect("a short file is only short");
            let expected = if length < second {
                None
            } else if length < third {
                Some((1, 1))
            } else {
                Some((if length == bytes.len() { 2 } else { 1 }, 2))
            };
            if let Some(expected) = expected {
                assert_eq!((cut.last().index.get(), cut.term().get()), expected, "at {length}");
            }
        }
    }

    #[test]
    fn zeros_from_a_sector_boundary_are_a_torn_append() {
        let (bytes, _, third) = file();
        for boundary in [512, 1024, 1536, 2048].into_iter().filter(|b| *b > third) {
            let mut torn = bytes.clone();
            torn[boundary..].fill(0);
            let stored = Stored::decode(&torn).expect("torn, not damaged");
            assert_eq!(stored.last().index.get(), 1, "zeros from {boundary}");
        }
        let mut torn = bytes[..third].to_vec();
        torn.resize(third + 700, 0);
        assert_eq!(Stored::decode(&torn).unwrap().last().index.get(), 1, "nothing but zeros");
    }

    #[test]
    fn a_wrong_byte_is_damage_wherever_it_stands() {
        let (bytes, _, third) = file();
        for position in 0..bytes.len() {
            let mut rotten = bytes.clone();
            rotten[position] ^= 0x10;
            let error = Stored::decode(&rotten).expect_err("a flipped bit is never cut off");
            let RestoreError::Damaged { offset } = error else { panic!("{error}") };
            assert!(offset <= position as u64 && (position < third || offset == third as u64));
        }
        let mut zeroed = bytes.clone();
        zeroed[third + 100..third + 120].fill(0);
        assert_eq!(
            Stored::decode(&zeroed),
            Err(RestoreError::Damaged { offset: third as u64 }),
            "zeros that end before the record does"
        );
    }

    #[test]
    fn zeros_followed_by_a_record_are_damage() {
        let (mut bytes, _, third) = file();
        let end = bytes.len();
        bytes[2048..].fill(0);
        bytes.extend(write(4, false, vec![Record::HardState(hard(3))]).encode());
        assert!(third < 2048 && 2048 < end);
        assert_eq!(Stored::decode(&bytes), Err(RestoreError::Damaged { offset: third as u64 }));
    }

    #[test]
    fn another_version_is_told_apart_from_damage() {
        let mut bytes = write(1, true, vec![Record::Identity(peer())]).encode();
        bytes[0] = 9;
        let sum = crc32fast::hash(&bytes[..9]);
        bytes[9..13].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(Stored::decode(&bytes), Err(RestoreError::Version { offset: 0, found: 9 }));
    }

    #[test]
    fn records_must_follow_from_those_before() {
        let mut stored = Stored::new();
        let orphan = write(1, false, vec![Record::HardState(hard(1))]);
        assert_eq!(stored.apply(&orphan), Err(RestoreError::OutOfOrder { record: 0 }));
        stored.apply(&write(1, true, vec![Record::Identity(peer())])).unwrap();
        let twice = write(2, false, vec![Record::Identity(peer())]);
        assert_eq!(stored.apply(&twice), Err(RestoreError::OutOfOrder { record: 0 }));
        let gap = write(3, false, vec![Record::HardState(hard(1)), command(1, b"x")]);
        assert_eq!(stored.apply(&gap), Err(RestoreError::OutOfOrder { record: 1 }));
        let beyond = write(4, false, vec![Record::Truncate(Index::new(1))]);
        assert_eq!(stored.apply(&beyond), Err(RestoreError::OutOfOrder { record: 0 }));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

        #[test]
        fn arbitrary_bytes_are_restored_or_refused(bytes: Vec<u8>) {
            let _ = Stored::decode(&bytes);
        }

        /// Records of a real file, some lost and some out of place: what can be read back either starts
        /// a node that works, or says why not.
        #[test]
        fn misplaced_records_never_stop_a_node(picks in proptest::collection::vec(0..6_usize, 0..8)) {
            let first = Run::new(EntryId::ZERO, [(Term::new(1), founding())]).unwrap();
            let records = [
                Record::Identity(peer()),
                Record::HardState(hard(1)),
                Record::Append(first),
                Record::HardState(hard(2)),
                command(1, b"xy"),
                Record::Truncate(Index::new(1)),
            ];
            let records = picks.into_iter().map(|pick| records[pick].clone()).collect();
            let Ok(stored) = Stored::decode(&write(1, true, records).encode()) else {
                return Ok(());
            };
            let config = crate::Config::new(peer().id, peer().incarnation, crate::Birth::Found);
            if let Ok(mut node) = crate::Node::restore(config, stored) {
                for output in node.step(crate::Input::Tick(crate::Ticks::new(1))) {
                    if let crate::Output::Persist(write) = output {
                        let _ = node.step(crate::Input::Persisted(write.id()));
                    }
                }
                let _ = node.step(crate::Input::Tick(crate::Ticks::new(100)));
            }
        }

        /// Damage that keeps the checksums right, as a hostile disk could make it.
        #[test]
        fn arbitrary_records_are_restored_or_refused(bodies: Vec<(u8, Vec<u8>)>) {
            let mut file = Vec::new();
            for (kind, mut body) in bodies {
                body.insert(0, kind % 5);
                let mut header = vec![VERSION];
                header.extend((body.len() as u32).to_le_bytes());
                header.extend(crc32fast::hash(&body).to_le_bytes());
                header.extend(crc32fast::hash(&header).to_le_bytes());
                file.extend(header);
                file.extend(body);
            }
            let _ = Stored::decode(&file);
        }
    }
}
