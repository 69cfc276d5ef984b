//! Digests of the replicated state.
//!
//! They find replicas that differ by a bug; they do not keep out a forger. The digest of the state
//! is a sum over its elements, so that a change costs the elements it touches and nothing else, and
//! so that it follows from the state alone, not from how the state came about.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A digest of one element: of its kind and of each of its parts in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest(u64);

/// The sum of the digests of a set's elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SetDigest(u64);

impl Digest {
    pub(super) const fn of(kind: Kind) -> Self {
        Self(kind as u64)
    }

    // Each part is hashed under the digest of those before it, so no two lists of parts run
    // together to the same bytes.
    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        Self(xxh3_64_with_seed(bytes, self.0))
    }

    pub(super) fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    pub(super) const fn get(self) -> u64 {
        self.0
    }
}

impl SetDigest {
    pub(super) fn add(&mut self, element: Digest) {
        self.0 = self.0.wrapping_add(element.0);
    }

    pub(super) fn remove(&mut self, element: Digest) {
        self.0 = self.0.wrapping_sub(element.0);
    }

    pub(super) const fn get(self) -> u64 {
        self.0
    }
}

/// What an element is. Appending keeps the digests of old states.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    State = 1,
    Answer,
    Session,
    Reply,
    Forgotten,
    Map,
    Slot,
    Effect,
    Queue,
    Record,
    Emitter,
    RemoteMap,
}
