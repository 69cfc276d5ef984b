//! Log entries, and runs of them that have been checked once.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use serde::{Deserialize as DeriveDeserialize, Serialize as DeriveSerialize};
use xxhash_rust::xxh3::xxh3_64;

use super::configuration::Configuration;
use crate::bytes::Bytes;
use crate::config::{RemoteQueueLimits, SessionLimits};
use crate::types::{EntryId, GroupId, Index, Term};

/// One entry of the replicated log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub(crate) id: EntryId,
    pub(crate) payload: Payload,
}

/// What an entry is for. Append-only: the position of a variant is its code on the wire.
#[derive(Clone, Debug, PartialEq, DeriveSerialize, DeriveDeserialize)]
pub(crate) enum Payload {
    /// Opens a leader's term (Raft §8), so that there is something of its own to commit.
    Noop,
    /// The first entry of every log.
    Founding(Box<Founding>),
    /// A command for the store, which alone can read it.
    Command(Bytes),
    /// Another configuration, in force from here on.
    Members(Box<Configuration>),
}

/// How a group began: the same entry, `1@1`, on all of its nodes.
#[derive(Clone, Debug, PartialEq, DeriveSerialize, DeriveDeserialize)]
pub(crate) struct Founding {
    pub(crate) group: GroupId,
    pub(crate) configuration: Configuration,
    pub(crate) sessions: SessionLimits,
    pub(crate) remote_queue: RemoteQueueLimits,
}

/// A run of entries, and the entry that comes before it.
///
/// Holding one proves that its indexes are contiguous, that its terms never fall, and that only the
/// first entry of a log founds a group. Whoever has a run need not check that again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    previous: EntryId,
    entries: Vec<Entry>,
}

/// Why entries do not make a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotARun;

impl Entry {
    /// Its index and term.
    #[must_use]
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// The command it carries, as bytes; none for the entries by which the group runs itself.
    #[must_use]
    pub fn command(&self) -> Option<&[u8]> {
        match &self.payload {
            Payload::Command(bytes) => Some(bytes),
            Payload::Noop | Payload::Founding(_) | Payload::Members(_) => None,
        }
    }

    /// The configuration that is in force from this entry on, if it changes that.
    #[must_use]
    pub fn configuration(&self) -> Option<&Configuration> {
        match &self.payload {
            Payload::Founding(founding) => Some(&founding.configuration),
            Payload::Members(configuration) => Some(configuration),
            Payload::Noop | Payload::Command(_) => None,
        }
    }

    /// A digest of its index, term and content.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let bytes = postcard::to_allocvec(&(self.id, &self.payload))
            .expect("an entry serialises into memory");
        xxh3_64(&bytes)
    }

    /// What it counts against byte limits.
    pub(crate) fn size(&self) -> u64 {
        self.payload.size()
    }
}

impl Payload {
    /// What an entry with it counts against byte limits.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Command(bytes) => OVERHEAD + bytes.len_u64(),
            Self::Founding(founding) => OVERHEAD + founding.configuration.size(),
            Self::Members(configuration) => OVERHEAD + configuration.size(),
            Self::Noop => OVERHEAD,
        }
    }
}

impl Run {
    /// Checks `entries`, each given by its term and payload, to follow `previous`.
    pub(crate) fn new(
        previous: EntryId,
        entries: impl IntoIterator<Item = (Term, Payload)>,
    ) -> Result<Self, NotARun> {
        let mut checked: Vec<Entry> = Vec::new();
        let mut last = previous;
        for (term, payload) in entries {
            let index = Index::try_from(last.index.get() + 1).map_err(|_| NotARun)?;
            let founds = matches!(payload, Payload::Founding(_));
            if term < last.term || term == Term::ZERO || founds != (index.get() == 1) {
                return Err(NotARun);
            }
            last = EntryId::new(index, term);
            checked.push(Entry { id: last, payload });
        }
        Ok(Self { previous, entries: checked })
    }

    /// Takes entries that come out of a log, in order, and so need no check.
    pub(crate) fn from_log(previous: EntryId, entries: Vec<Entry>) -> Self {
        debug_assert!(
            entries.first().is_none_or(|first| first.id.index == previous.index.next()),
            "the run after {previous} starts with {:?}",
            entries.first().map(Entry::id)
        );
        Self { previous, entries }
    }

    /// The entry before the first.
    pub(crate) fn previous(&self) -> EntryId {
        self.previous
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The last entry, or the one before the run when it is empty.
    pub(crate) fn last(&self) -> EntryId {
        self.entries.last().map_or(self.previous, Entry::id)
    }

    pub(crate) fn size(&self) -> u64 {
        self.entries.iter().map(Entry::size).sum()
    }
}

impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Items<'a>(&'a [Entry]);

        impl Serialize for Items<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.iter().map(|entry| (entry.id.term, &entry.payload)))
            }
        }

        (self.previous, Items(&self.entries)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (previous, items) = <(EntryId, Vec<(Term, Payload)>)>::deserialize(deserializer)?;
        Self::new(previous, items).map_err(|NotARun| D::Error::custom("not a run of entries"))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.payload {
            Payload::Noop => write!(f, "{} noop", self.id),
            Payload::Founding(founding) => {
                write!(f, "{} founding {}", self.id, founding.configuration)
            }
            Payload::Command(bytes) => write!(f, "{} command of {} bytes", self.id, bytes.len()),
            Payload::Members(configuration) => write!(f, "{} members {configuration}", self.id),
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {}", self.previous)?;
        match self.entries.as_slice() {
            [] => f.write_str(" nothing"),
            [only] => write!(f, " {}", only.id),
            [first, .., last] => write!(f, " {}..{}", first.id, last.id),
        }
    }
}

/// What an entry takes in memory beyond the bytes of its command, about.
const OVERHEAD: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: u64, term: u64) -> EntryId {
        EntryId::new(Index::new(index), Term::new(term))
    }

    #[test]
    fn a_run_rejects_falling_terms_and_late_foundings() {
        let noop = |term| (Term::new(term), Payload::Noop);
        assert!(Run::new(id(3, 2), [noop(2), noop(2), noop(5)]).is_ok());
        assert_eq!(Run::new(id(3, 2), [noop(3), noop(2)]), Err(NotARun));
        assert_eq!(Run::new(id(3, 2), [noop(1)]), Err(NotARun));
        assert_eq!(Run::new(EntryId::ZERO, [noop(1)]), Err(NotARun), "the first entry must found");
        assert_eq!(Run::new(EntryId::ZERO, [noop(0)]), Err(NotARun));
        assert_eq!(Run::new(id(Index::MAX.get(), 1), [noop(1)]), Err(NotARun));
    }

    #[test]
    fn a_run_ends_at_its_last_entry_or_before_its_first() {
        let run = Run::new(id(3, 2), [(Term::new(4), Payload::Noop)]).unwrap();
        assert_eq!((run.previous(), run.last()), (id(3, 2), id(4, 4)));
        assert_eq!(Run::new(id(3, 2), []).unwrap().last(), id(3, 2));
    }
}
