//! Snapshots as consensus sees them: a state of the store as opaque parts, and what it covers.
//!
//! A snapshot takes the place of the log up to its last entry. It travels part by part, each with the
//! [`SnapshotId`] it belongs to, so that parts of two snapshots can never be mixed. The parts of equal
//! states are equal on all nodes; so one that was begun under one leader goes on under the next, if
//! that has the same.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::configuration::Configuration;
use crate::bytes::Bytes;
use crate::types::{EntryId, GroupId, Index, Term};

/// A whole snapshot, in memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) head: SnapshotHead,
    pub(crate) parts: Vec<Bytes>,
}

/// What a snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnapshotHead {
    pub(crate) last: EntryId,
    pub(crate) group: GroupId,
    pub(crate) configuration_index: Index,
    pub(crate) configuration: Configuration,
    pub(crate) parts: u64,
    pub(crate) bytes: u64,
    /// Over the digests of the parts, in order.
    pub(crate) checksum: u64,
    pub(crate) digest: u64,
}

/// Tells one snapshot from any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotId {
    pub(crate) last: EntryId,
    /// Of its encoded head, which has a checksum over the rest.
    pub(crate) checksum: u64,
}

/// Sums up parts in the order in which they come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PartSum {
    pub(crate) parts: u64,
    pub(crate) bytes: u64,
    pub(crate) checksum: u64,
}

impl SnapshotHead {
    /// The last entry it covers.
    #[must_use]
    pub fn last(&self) -> EntryId {
        self.last
    }

    /// The configuration in force at that entry.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Where that configuration stood in the log.
    #[must_use]
    pub fn configuration_index(&self) -> Index {
        self.configuration_index
    }

    /// How many bytes of state it has.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest of that state: see [`Status::digest`](crate::Status::digest).
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether a node can have come so far: the largest numbers are left free to count on to.
    pub(crate) fn is_possible(&self) -> bool {
        let (index, term) = (self.last.index, self.last.term);
        index.get() <= Index::MAX.get() / 2
            && term.get() <= Term::MAX.get() / 2
            && self.configuration_index <= index
    }

    pub(crate) fn encode(&self) -> Bytes {
        postcard::to_allocvec(self).expect("a head serialises into memory").into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes(bytes) {
            Ok((head, [])) => Some(head),
            Ok(_) | Err(_) => None,
        }
    }

    /// Whether these are its parts.
    pub(crate) fn describes(&self, sum: PartSum) -> bool {
        (self.parts, self.bytes, self.checksum) == (sum.parts, sum.bytes, sum.checksum)
    }
}

impl Snapshot {
    pub(crate) fn last(&self) -> EntryId {
        self.head.last
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.head.bytes
    }
}

impl SnapshotId {
    pub(crate) fn of(last: EntryId, head: &[u8]) -> Self {
        Self { last, checksum: xxh3_64(head) }
    }
}

impl PartSum {
    pub(crate) fn add(&mut self, part: &[u8]) {
        self.parts += 1;
        self.bytes += part.len() as u64;
        let digests = [self.checksum.to_le_bytes(), xxh3_64(part).to_le_bytes()];
        self.checksum = xxh3_64(digests.as_flattened());
    }
}

/// How many pieces beyond the first that is missing are kept.
const MOST_AHEAD: u64 = 64;

/// A snapshot on its way out, as a sequence of pieces: its head, then its parts.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    snapshot: Arc<Snapshot>,
    head: Bytes,
    id: SnapshotId,
}

/// A snapshot on its way in.
#[derive(Debug)]
pub(super) struct Incoming {
    id: SnapshotId,
    /// The term of the leader who sent a piece of it last.
    sent_in: Term,
    head: SnapshotHead,
    parts: Vec<Bytes>,
    sum: PartSum,
    /// Parts that came before their turn, by the number of their piece, and their bytes.
    ahead: BTreeMap<u64, Bytes>,
    ahead_bytes: u64,
}

/// What a piece did to what is on its way in.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    /// So many pieces are there, and more are to come.
    Pieces(u64),
    Whole(Snapshot),
    /// It is not what it should be: the snapshot must be sent anew.
    Spoilt,
}

impl Outgoing {
    pub(crate) fn new(snapshot: Arc<Snapshot>) -> Self {
        let head = snapshot.head.encode();
        let id = SnapshotId::of(snapshot.last(), &head);
        Self { snapshot, head, id }
    }

    pub(crate) fn id(&self) -> SnapshotId {
        self.id
    }

    pub(crate) fn last(&self) -> EntryId {
        self.id.last
    }

    pub(crate) fn pieces(&self) -> u64 {
        1 + self.snapshot.parts.len() as u64
    }

    pub(crate) fn piece(&self, number: u64) -> Option<Bytes> {
        match usize::try_from(number).ok()? {
            0 => Some(self.head.clone()),
            number => self.snapshot.parts.get(number - 1).cloned(),
        }
    }
}

impl Incoming {
    /// Begins with the head of a snapshot, of at most `limit` bytes.
    pub(super) fn begin(id: SnapshotId, sent_in: Term, piece: &[u8], limit: u64) -> Option<Self> {
        let head = SnapshotHead::decode(piece)?;
        let genuine = SnapshotId::of(head.last, piece) == id
            && head.bytes <= limit
            && (1..=head.bytes).contains(&head.parts)
            && head.is_possible();
        genuine.then(|| Self {
            id,
            sent_in,
            head,
            parts: Vec::new(),
            sum: PartSum::default(),
            ahead: BTreeMap::new(),
            ahead_bytes: 0,
        })
    }

    pub(super) fn id(&self) -> SnapshotId {
        self.id
    }

    /// A piece of `id` is from before the present leader went over to this one.
    pub(super) fn supersedes(&self, id: SnapshotId, term: Term) -> bool {
        self.sent_in == term && self.id.last.index >= id.last.index
    }

    pub(super) fn head(&self) -> &SnapshotHead {
        &self.head
    }

    /// How many bytes of it are there.
    pub(super) fn bytes(&self) -> u64 {
        self.sum.bytes + self.ahead_bytes
    }

    /// How many pieces of it are there, up to the first that is missing.
    pub(super) fn pieces(&self) -> u64 {
        1 + self.sum.parts
    }

    /// Takes a piece; one that is there already, or comes long before its turn, changes nothing.
    pub(super) fn take(&mut self, term: Term, number: u64, piece: &Bytes) -> Taken {
        self.sent_in = term;
        let near = self.pieces()..(self.pieces() + MOST_AHEAD).min(self.head.parts + 1);
        if near.contains(&number) && self.bytes() + piece.len_u64() <= self.head.bytes {
            let before = self.ahead.insert(number, piece.clone());
            self.ahead_bytes += piece.len_u64();
            self.ahead_bytes -= before.map_or(0, |before| before.len_u64());
        }
        while let Some(part) = self.ahead.remove(&self.pieces()) {
            self.ahead_bytes -= part.len_u64();
            self.sum.add(&part);
            self.parts.push(part);
        }
        if self.sum.parts < self.head.parts {
            return Taken::Pieces(self.pieces());
        }
        if !self.head.describes(self.sum) {
            return Taken::Spoilt;
        }
        let parts = core::mem::take(&mut self.parts);
        Taken::Whole(Snapshot { head: self.head.clone(), parts })
    }
}

impl fmt::Display for SnapshotHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.last, self.bytes)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A snapshot of `group` up to `last` with these parts.
    pub(crate) fn snapshot(group: GroupId, last: EntryId, parts: &[&[u8]]) -> Snapshot {
        let parts: Vec<Bytes> = parts.iter().map(|&part| part.into()).collect();
        let mut sum = PartSum::default();
        parts.iter().for_each(|part| sum.add(part));
        let voter = crate::types::Peer {
            id: crate::types::NodeId::new(1),
            incarnation: crate::types::Incarnation::new(1),
        };
        let head = SnapshotHead {
            last,
            group,
            configuration_index: Index::new(1),
            configuration: Configuration::of_voters([voter]),
            parts: sum.parts,
            bytes: sum.bytes,
            checksum: sum.checksum,
            digest: 0,
        };
        Snapshot { head, parts }
    }

    pub(crate) fn at(index: u64, term: u64) -> EntryId {
        EntryId::new(Index::new(index), Term::new(term))
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{at, snapshot};
    use super::*;

    const GROUP: GroupId = GroupId::new(7);
    const TERM: Term = Term::new(3);

    #[test]
    fn a_snapshot_comes_together_from_its_pieces_in_order() {
        let whole = snapshot(GROUP, at(9, 2), &[b"one", b"two"]);
        let outgoing = Outgoing::new(Arc::new(whole.clone()));
        let pieces: Vec<Bytes> = (0..).map_while(|number| outgoing.piece(number)).collect();
        assert_eq!((pieces.len(), outgoing.pieces()), (3, 3));
        let mut incoming =
            Incoming::begin(outgoing.id(), TERM, &pieces[0], 6).expect("its own head");
        assert_eq!(incoming.take(TERM, 9, &pieces[2]), Taken::Pieces(1), "there is no ninth");
        assert_eq!(incoming.take(TERM, 2, &pieces[2]), Taken::Pieces(1), "before its turn");
        assert_eq!(incoming.take(TERM, 2, &pieces[2]), Taken::Pieces(1), "a second time");
        assert_eq!(incoming.take(TERM, 1, &pieces[1]), Taken::Whole(whole));
    }

    #[test]
    fn a_late_piece_of_an_earlier_snapshot_is_told_by_its_term() {
        let outgoing = Outgoing::new(Arc::new(snapshot(GROUP, at(9, 2), &[b"one"])));
        let earlier = Outgoing::new(Arc::new(snapshot(GROUP, at(8, 2), &[b"one"])));
        let head = outgoing.piece(0).expect("a head");
        let incoming = Incoming::begin(outgoing.id(), TERM, &head, 9).expect("its own head");
        assert!(incoming.supersedes(earlier.id(), TERM));
        assert!(
            !incoming.supersedes(earlier.id(), TERM.next()),
            "the next leader has no later one"
        );
    }

    #[test]
    fn a_snapshot_beyond_what_can_be_counted_is_refused() {
        let far = Outgoing::new(Arc::new(snapshot(GROUP, at(Index::MAX.get(), 2), &[b"one"])));
        let head = far.piece(0).expect("a head");
        assert!(Incoming::begin(far.id(), TERM, &head, 9).is_none());
    }

    #[test]
    fn pieces_of_another_snapshot_spoil_it() {
        let outgoing = Outgoing::new(Arc::new(snapshot(GROUP, at(9, 2), &[b"one", b"two"])));
        let other = Outgoing::new(Arc::new(snapshot(GROUP, at(9, 2), &[b"one", b"tvo"])));
        assert_ne!(outgoing.id(), other.id());
        let head = outgoing.piece(0).expect("a head");
        assert!(Incoming::begin(other.id(), TERM, &head, 100).is_none(), "the head of another");
        assert!(Incoming::begin(outgoing.id(), TERM, &head, 5).is_none(), "too large");
        assert!(Incoming::begin(outgoing.id(), TERM, b"nonsense", 100).is_none());
        let mut incoming = Incoming::begin(outgoing.id(), TERM, &head, 100).expect("its own head");
        incoming.take(TERM, 1, &outgoing.piece(1).expect("a part"));
        assert_eq!(incoming.take(TERM, 2, &other.piece(2).expect("a part")), Taken::Spoilt);
    }
}
