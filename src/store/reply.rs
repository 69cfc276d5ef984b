//! What a session keeps of a command that it has executed.

use alloc::string::ToString;
use alloc::sync::Arc;
use core::ops::{RangeBounds, RangeInclusive};

use super::answer::{self, Answer};
use super::digest::{Digest, Kind};
use super::table::Table;
use crate::io::Refusal;
use crate::types::{Index, Sequence, SessionId};

/// The reply to one number of a session.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) index: Index,
    pub(super) end: End,
}

/// How the command of one number ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Answer(Arc<Answer>),
    /// So that a copy that comes later is refused alike, though it might not be by itself.
    Refused(Refusal),
    /// It has not: an outside store is still to execute it.
    Awaited,
}

impl Reply {
    pub(super) fn digest(&self, sequence: Sequence) -> Digest {
        let digest = Digest::of(Kind::Reply).number(sequence.get()).number(self.index.get());
        match &self.end {
            End::Answer(answer) => digest.number(0).number(answer.digest()),
            End::Refused(because) => digest.number(1).bytes(because.to_string().as_bytes()),
            End::Awaited => digest.number(2),
        }
    }

    /// What it counts against the bytes of replies that a session may keep.
    pub(super) fn size(&self) -> u64 {
        match &self.end {
            End::Answer(answer) => answer.size(),
            End::Refused(_) | End::Awaited => answer::OVERHEAD,
        }
    }

    /// What it counts when it is freed.
    pub(super) fn weight(&self) -> u64 {
        match &self.end {
            End::Answer(answer) => answer.items(),
            End::Refused(_) | End::Awaited => 1,
        }
    }
}

pub(super) fn digest_of_forgotten(sequence: Sequence) -> Digest {
    Digest::of(Kind::Forgotten).number(sequence.get())
}

pub(super) fn numbers_of(session: SessionId) -> RangeInclusive<(SessionId, Sequence)> {
    (session, Sequence::new(0))..=(session, Sequence::MAX)
}

/// Takes the lowest number of a range within one session.
pub(super) fn pop_first<V: Clone>(
    numbers: &mut Table<(SessionId, Sequence), V>,
    range: impl RangeBounds<(SessionId, Sequence)>,
) -> Option<(Sequence, V)> {
    let number = numbers.range(range).next().map(|(number, _)| *number)?;
    numbers.remove(&number).map(|value| (number.1, value))
}
