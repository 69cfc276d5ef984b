//! What a node keeps on disk: the writes it asks for, the fold of them, and their bytes.
//!
//! # The file
//!
//! A file is a sequence of frames. A frame is a header of 13 bytes and a body:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | format version |
//! | 4 | length of the body, little-endian |
//! | 4 | CRC-32 of the body, little-endian |
//! | 4 | CRC-32 of the nine bytes before it, little-endian |
//! | … | the body: one record |
//!
//! Every prefix of a node's frames is safe to restore from, as long as no confirmed frame is missing.
//! An append that was under way when the machine stopped leaves its last frame short, or zeros from
//! some sector boundary on; that is cut off. Anything else that does not check is damage, and
//! [`Stored::decode`] says where: what comes after it may have been confirmed, so the node must not
//! go on as if it had never been. It returns as a new incarnation.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::raft::entries::{Entry, Payload, Run};
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
}

/// What must be durable before a node speaks for it (Raft, Figure 2, persistent state).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HardState {
    pub(crate) group: Option<GroupId>,
    /// 0 only in an image in which no life has begun.
    pub(crate) life: u32,
    pub(crate) term: Term,
    pub(crate) vote: Option<Peer>,
}

/// What a disk holds: the one fold from writes to the image a node is restored from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    pub(crate) peer: Option<Peer>,
    pub(crate) hard: HardState,
    pub(crate) entries: Vec<Entry>,
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
        let mut bytes = Vec::new();
        for record in &self.records {
            let start = bytes.len();
            bytes.resize(start + HEADER, 0);
            bytes = postcard::to_extend(record, bytes).expect("a record serialises into memory");
            let length = u32::try_from(bytes.len() - start - HEADER)
                .expect("a record holds some MiB of entries at most");
            let body_sum = crc32fast::hash(&bytes[start + HEADER..]);
            let header = &mut bytes[start..start + HEADER];
            header[0] = VERSION;
            header[1..5].copy_from_slice(&length.to_le_bytes());
            header[5..9].copy_from_slice(&body_sum.to_le_bytes());
            let header_sum = crc32fast::hash(&header[..9]);
            header[9..].copy_from_slice(&header_sum.to_le_bytes());
        }
        bytes
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

    /// The last entry of the log.
    #[must_use]
    pub fn last(&self) -> EntryId {
        self.entries.last().map_or(EntryId::ZERO, Entry::id)
    }

    /// The entry at `index`.
    #[must_use]
    pub fn entry(&self, index: Index) -> Option<&Entry> {
        let position = usize::try_from(index.get().checked_sub(1)?).ok()?;
        self.entries.get(position)
    }

    /// The log, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a node can be in this state.
    pub(crate) fn check(&self) -> Result<(), RestoreError> {
        let founded_in = self.entries.first().and_then(|first| match &first.payload {
            Payload::Founding(founding) => Some(founding.group),
            Payload::Noop | Payload::Command(_) => None,
        });
        let last = self.last();
        let known = last.term <= self.hard.term
            && (self.entries.is_empty() || founded_in == self.hard.group);
        if known { Ok(()) } else { Err(RestoreError::Inconsistent { last, term: self.hard.term }) }
    }

    fn fold(&mut self, record: &Record) -> Result<(), NotNext> {
        match record {
            Record::Identity(peer) if self.peer.is_none() => self.peer = Some(*peer),
            Record::HardState(hard) if self.peer.is_some() => self.hard = *hard,
            Record::Truncate(kept) if *kept <= self.last().index => {
                self.entries.truncate(usize::try_from(kept.get()).map_err(|_| NotNext)?);
            }
            Record::Append(run) if run.previous() == self.last() => {
                self.entries.extend_from_slice(run.entries());
            }
            Record::Identity(_)
            | Record::HardState(_)
            | Record::Truncate(_)
            | Record::Append(_) => return Err(NotNext),
        }
        Ok(())
    }
}

/// A record that does not follow from those before it.
struct NotNext;

/// What stands at some offset of a file.
enum Frame {
    Whole {
        record: Record,
        end: usize,
    },
    /// The file's end, clean or torn.
    End,
}

impl Frame {
    fn read(bytes: &[u8], offset: usize) -> Result<Self, RestoreError> {
        let damaged = RestoreError::Damaged { offset: offset as u64 };
        let rest = &bytes[offset..];
        let Some(header) = rest.first_chunk::<HEADER>() else { return Ok(Self::End) };
        let Some((length, body_sum)) = read_header(header) else {
            // Without a header the frame's end is not known; it is torn only if nothing follows.
            let torn = zeros_from_a_boundary(bytes, offset, offset + HEADER, bytes.len());
            return if torn { Ok(Self::End) } else { Err(damaged) };
        };
        if header[0] != VERSION {
            return Err(RestoreError::Version { offset: offset as u64, found: header[0] });
        }
        let Some(body) = rest[HEADER..].get(..length) else { return Ok(Self::End) };
        let end = offset + HEADER + length;
        if crc32fast::hash(body) != body_sum {
            let torn = zeros_from_a_boundary(bytes, offset, end, end) && !holds_a_frame(bytes, end);
            return if torn { Ok(Self::End) } else { Err(damaged) };
        }
        match postcard::take_from_bytes(body) {
            Ok((record, [])) => Ok(Self::Whole { record, end }),
            Ok(_) | Err(_) => Err(damaged),
        }
    }
}

/// The body's length and checksum, if the header's own checksum is right.
fn read_header(header: &[u8; HEADER]) -> Option<(usize, u32)> {
    let word = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    if crc32fast::hash(&header[..9]) != word(9) {
        return None;
    }
    Some((usize::try_from(word(1)).ok()?, word(5)))
}

/// Whether the bytes up to `end` are zeros from some place in `start..before` at which a torn append
/// may leave off: the frame's own start, or a sector boundary inside it.
fn zeros_from_a_boundary(bytes: &[u8], start: usize, before: usize, end: usize) -> bool {
    let content = bytes[start..end].iter().rposition(|&byte| byte != 0);
    let zeros_begin = content.map_or(start, |position| start + position + 1);
    let boundary = if content.is_none() { start } else { zeros_begin.next_multiple_of(SECTOR) };
    boundary < before.min(end)
}

/// Whether a frame with a valid header begins at `offset`.
fn holds_a_frame(bytes: &[u8], offset: usize) -> bool {
    bytes[offset..].first_chunk::<HEADER>().is_some_and(|header| read_header(header).is_some())
}

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
            Self::HardState(HardState { group, life, term, vote }) => {
                write!(f, "life {life} {term}")?;
                match vote {
                    Some(candidate) => write!(f, " vote {}", candidate.id)?,
                    None => f.write_str(" no vote")?,
                }
                if group.is_none() { f.write_str(" no group") } else { Ok(()) }
            }
            Self::Truncate(kept) => write!(f, "truncate after {kept}"),
            Self::Append(run) => write!(f, "append {run}"),
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
            Self::OtherNode { stored } => write!(f, "the image belongs to {stored}"),
            Self::Config(error) => error.fmt(f),
            Self::TooManyLives => f.write_str("started too often"),
        }
    }
}

impl core::error::Error for RestoreError {}

const VERSION: u8 = 1;
const HEADER: usize = 13;
const SECTOR: usize = 512;

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::types::{Incarnation, NodeId};
    use crate::{Bytes, Configuration, SessionLimits};

    fn peer() -> Peer {
        Peer { id: NodeId::new(1), incarnation: Incarnation::new(0xabc) }
    }

    fn founding() -> Payload {
        Payload::Founding(Box::new(crate::raft::entries::Founding {
            group: GroupId::new(0x1122_3344_5566_7788),
            version: 1,
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
        for (record, header, body) in [
            (Record::Identity(peer()), "010400000074b02b052ace2152", "0001bc15"),
            (
                Record::HardState(hard(7)),
                "01110000001cc00f1102732b27",
                "010188ef99abc5e88c911101070101bc15",
            ),
            (Record::Truncate(Index::new(300)), "0103000000b59f7910b0945440", "02ac02"),
            (command(1, b"xy"), "010900000007857763c725d120", "030101010202027879"),
            (
                Record::Append(first),
                "011e000000e53b0bab243b2cf3",
                "03000001010188ef99abc5e88c9111010101bc1580088008808040c0843d",
            ),
        ] {
            let shown = record.to_string();
            assert_eq!(hex(record), [header, body].concat(), "{shown}");
        }
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
