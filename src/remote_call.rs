//! Calls on outside stores: what a node asks its embedder to do, and what comes back.
//!
//! The operations of a [`RemoteMap`](crate::RemoteMap) are ordered by the log and executed by whoever
//! leads, one at a time for each map. A leader may be deposed while its call is on the way, and a call
//! may take effect although its answer is lost; so the next leader may make the same call again. What
//! keeps that from doing harm is kept by the store itself: beside the entries of each map it has one
//! row, the [`FenceRow`], which it changes in the same transaction as the entries. Before it does
//! anything it compares that row with the [`Fence`] that comes with the call: [`Fence::judge`] is that
//! comparison, and an adapter whose store can run no Rust does the same in the store's own language.

use core::fmt;

use crate::store::{Name, RemoteOperation, RemoteOutcome, RemoteQuery};
use crate::types::{GroupId, Index, RemoteCallId, Term};

/// A call to be made on an outside store. The embedder makes it, in its own time, and feeds
/// [`Input::Remote`](crate::Input::Remote) with what came of it, exactly once; if it cannot tell what
/// came of it, that is [`RemoteResult::Unanswered`]. That holds for calls, too, whose asker has gone or
/// whose leader was deposed. A call that nobody answers for holds up the operations of that map and counts
/// against what may be under way; it can lose nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteCall {
    pub(crate) id: RemoteCallId,
    pub(crate) map: Name,
    pub(crate) work: RemoteWork,
}

/// Numbers the calls of one life.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    made: u64,
}

/// What a call is to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RemoteWork {
    /// To execute an operation if the row of the map allows it, in one transaction with the change of the
    /// row. The result is [`RemoteResult::Ended`] or [`RemoteResult::Refused`].
    Execute {
        /// What the row is compared with.
        fence: Fence,
        /// What is to be done.
        operation: RemoteOperation,
    },
    /// To read, and to tell the group and the `last` of the row as it is at that moment. The result is
    /// [`RemoteResult::Read`].
    Read(RemoteQuery),
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RemoteResult {
    /// The operation has ended so: by this call, or, when the row's `last` is its index already, by an
    /// earlier one, whose outcome the row keeps.
    Ended(RemoteOutcome),
    /// What was read.
    Read {
        /// The row's `group` and `last` at the moment of the read; none if there is no row. A linearizable
        /// read is made again if the entries are another group's, or behind what the group knows to have
        /// been executed: then it went to a copy of the store, or the store was restored from one.
        row: Option<(GroupId, Index)>,
        /// What was read, or why it cannot be.
        outcome: RemoteOutcome,
    },
    /// The row does not allow the call, and nothing was changed.
    Refused(FenceRefusal),
    /// The store could not be asked, or it did not answer: the call may have taken effect, or may yet. It
    /// is made again after a while.
    Unanswered,
}

/// What comes with an operation, for the store to compare with its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fence {
    /// The group that orders the operations.
    pub group: GroupId,
    /// The term of the leader that makes the call.
    pub term: Term,
    /// The operation: the index of its entry in the log.
    pub index: Index,
    /// The operation on this map that comes before it; [`Index::ZERO`] if it is the first.
    pub previous: Index,
    /// Whether the row is to be taken over when it says that the entries are another group's, or that an
    /// earlier operation than the previous one was the last: the group has committed that it is, by
    /// [`RemoteMap::adopt`](crate::RemoteMap::adopt).
    pub adopt: bool,
}

/// The row that an outside store keeps for one map, apart from the map's entries: clearing the map
/// leaves it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceRow {
    /// The group whose operations these are.
    pub group: GroupId,
    /// The highest term of any call that was allowed.
    pub term: Term,
    /// The operation that was executed last.
    pub last: Index,
    /// How it ended.
    pub outcome: RemoteOutcome,
}

/// What the store is to do with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FenceVerdict {
    /// Execute the operation, and put the fence's group, term and index, and the outcome, into the row.
    Execute,
    /// It was executed by an earlier call: answer as the row has it, and put the fence's term into the
    /// row.
    Repeat(RemoteOutcome),
    /// Change nothing.
    Refuse(FenceRefusal),
}

/// Why a row does not allow a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FenceRefusal {
    /// A leader of a later term has made calls: this one was deposed.
    TermPassed {
        /// The highest term seen.
        highest: Term,
    },
    /// The entries are those of another group.
    OtherGroup {
        /// The row's.
        group: GroupId,
    },
    /// The operation that was executed last is neither this one nor the one before it: the store was
    /// restored from a copy, or emptied, or the map was dropped and made anew.
    OutOfOrder {
        /// The row's.
        last: Index,
    },
}

impl Calls {
    /// A call that has not been before.
    pub(crate) fn make(&mut self, map: Name, work: RemoteWork) -> RemoteCall {
        self.made += 1;
        RemoteCall { id: RemoteCallId::new(self.made), map, work }
    }

    /// How many there have been.
    pub(crate) fn made(&self) -> u64 {
        self.made
    }
}

impl RemoteCall {
    /// What to answer under.
    #[must_use]
    pub fn id(&self) -> RemoteCallId {
        self.id
    }

    /// The name of the map.
    #[must_use]
    pub fn map(&self) -> &str {
        self.map.as_str()
    }

    /// What it is to do.
    #[must_use]
    pub fn work(&self) -> &RemoteWork {
        &self.work
    }
}

impl Fence {
    /// What a store with this row, or none, is to do with the call.
    ///
    /// A repetition is told before anything else but a past term and another group, so that an operation
    /// whose answer was lost is answered for as often as it is asked for.
    #[must_use]
    pub fn judge(&self, row: Option<&FenceRow>) -> FenceVerdict {
        let refuse = FenceVerdict::Refuse;
        match row {
            None if self.adopt || self.previous == Index::ZERO => FenceVerdict::Execute,
            None => refuse(FenceRefusal::OutOfOrder { last: Index::ZERO }),
            Some(row) if row.group != self.group => {
                let other = FenceRefusal::OtherGroup { group: row.group };
                if self.adopt { FenceVerdict::Execute } else { refuse(other) }
            }
            Some(row) if self.term < row.term => {
                refuse(FenceRefusal::TermPassed { highest: row.term })
            }
            Some(row) if row.last == self.index => FenceVerdict::Repeat(row.outcome.clone()),
            Some(row) if row.last == self.previous => FenceVerdict::Execute,
            // What the group orders goes upwards: a lower index is that of a call that was late.
            Some(row) if self.adopt && row.last < self.index => FenceVerdict::Execute,
            Some(row) => refuse(FenceRefusal::OutOfOrder { last: row.last }),
        }
    }

    /// The row after the operation was executed and ended so.
    #[must_use]
    pub fn row(&self, outcome: RemoteOutcome) -> FenceRow {
        FenceRow { group: self.group, term: self.term, last: self.index, outcome }
    }
}

impl fmt::Display for RemoteCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {:?}: ", self.id, self.map)?;
        match &self.work {
            RemoteWork::Execute { fence, operation } => write!(f, "{operation}, {fence}"),
            RemoteWork::Read(query) => write!(f, "{query:?}"),
        }
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group: _, term, index, previous, adopt } = self;
        write!(f, "{index} after {previous} in {term}")?;
        if *adopt { f.write_str(", adopting") } else { Ok(()) }
    }
}

impl fmt::Display for RemoteResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(outcome) => write!(f, "ended: {outcome}"),
            Self::Read { row, outcome } => {
                let last = row.map_or(Index::ZERO, |(_, last)| last);
                write!(f, "read at {last}: {outcome}")
            }
            Self::Refused(because) => write!(f, "refused: {because}"),
            Self::Unanswered => f.write_str("unanswered"),
        }
    }
}

impl fmt::Display for FenceRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TermPassed { highest } => write!(f, "a leader of {highest} has called"),
            Self::OtherGroup { group } => write!(f, "the entries are those of {group}"),
            Self::OutOfOrder { last } => write!(f, "the operation executed last is {last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{RemoteAnswer, StoreError};

    fn fence(group: u64, term: u64, index: u64, previous: u64) -> Fence {
        let (group, term) = (GroupId::new(group), Term::new(term));
        let (index, previous) = (Index::new(index), Index::new(previous));
        Fence { group, term, index, previous, adopt: false }
    }

    fn row(group: u64, term: u64, last: u64) -> FenceRow {
        let outcome = RemoteOutcome::Failed(StoreError::new("full"));
        fence(group, term, last, 0).row(outcome)
    }

    #[test]
    fn a_row_allows_the_next_operation_repeats_the_last_and_refuses_all_else() {
        use FenceVerdict::{Execute, Refuse, Repeat};

        let out_of_order = |last| Refuse(FenceRefusal::OutOfOrder { last: Index::new(last) });
        let other_group = Refuse(FenceRefusal::OtherGroup { group: GroupId::new(1) });
        let passed = Refuse(FenceRefusal::TermPassed { highest: Term::new(3) });
        let repeat = || Repeat(row(1, 3, 7).outcome);
        // Fence, row, verdict, and the verdict when it adopts.
        let cases = [
            (fence(1, 3, 7, 0), None, Execute, Execute),
            (fence(1, 3, 7, 5), None, out_of_order(0), Execute),
            (fence(1, 3, 9, 7), Some(row(1, 3, 7)), Execute, Execute),
            (fence(1, 4, 9, 7), Some(row(1, 3, 7)), Execute, Execute),
            (fence(1, 3, 7, 5), Some(row(1, 3, 7)), repeat(), repeat()),
            (fence(1, 4, 7, 5), Some(row(1, 3, 7)), repeat(), repeat()),
            (fence(1, 2, 7, 5), Some(row(1, 3, 7)), passed.clone(), passed.clone()),
            (fence(1, 2, 9, 7), Some(row(1, 3, 7)), passed.clone(), passed),
            (fence(1, 3, 9, 8), Some(row(1, 3, 7)), out_of_order(7), Execute),
            (fence(1, 3, 5, 0), Some(row(1, 3, 7)), out_of_order(7), out_of_order(7)),
            (fence(2, 3, 9, 7), Some(row(1, 3, 7)), other_group.clone(), Execute),
            (fence(2, 1, 7, 5), Some(row(1, 3, 7)), other_group, Execute),
        ];
        for (fence, row, verdict, adopting) in cases {
            assert_eq!(fence.judge(row.as_ref()), verdict, "{fence} at {row:?}");
            let adopts = Fence { adopt: true, ..fence };
            assert_eq!(adopts.judge(row.as_ref()), adopting, "{adopts} at {row:?}");
        }
    }

    #[test]
    fn the_row_is_what_the_fence_says() {
        let outcome = RemoteOutcome::Done(RemoteAnswer::Nothing);
        let after = fence(1, 3, 7, 5).row(outcome.clone());
        assert_eq!(fence(1, 3, 7, 5).judge(Some(&after)), FenceVerdict::Repeat(outcome));
        assert_eq!(fence(1, 3, 8, 7).judge(Some(&after)), FenceVerdict::Execute);
    }
}
