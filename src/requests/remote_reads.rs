//! Reads of outside stores, which the node that is asked makes itself.
//!
//! A direct one is called for at once. An ordered one first asks the leader for an index, as any
//! linearizable read does, applies that, and waits until every operation of the map up to that index has
//! come to its end; a read of nothing is done then. A call that is not answered for is made again with
//! ever longer pauses, until the request's time is up.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{Ask, Kind, Pending, Requests};
use crate::event::Event;
use crate::io::{Outcome, Output, Refusal, RemoteRead};
use crate::raft::Raft;
use crate::remote_call::{Calls, FenceRefusal, RemoteResult, RemoteWork};
use crate::store::{
    Answer, CollectionKind, CollectionRef, Content, Name, RemoteOutcome, RemoteQuery, Store,
};
use crate::types::{GroupId, Index, RemoteCallId};

/// Who waits for what of outside stores.
#[derive(Debug, Default)]
pub(super) struct RemoteReads {
    /// Who waits for the operations of that map up to an index.
    following: BTreeMap<Name, BTreeSet<(Index, Ask)>>,
    /// Whose call is to be made at the end of the step.
    due: BTreeSet<Ask>,
    /// The calls that were made and not answered for, and who still waits for them.
    under_way: BTreeMap<RemoteCallId, Option<Ask>>,
    repeated: u64,
}

/// How far a read of an outside store has come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// It waits for an index, by that number once it was asked for.
    Asking { number: Option<u64> },
    /// It waits for that index to be applied.
    Applying(Index),
    /// It waits for the operations up to that index to end.
    Following(Index),
    /// Its call is to be made, for the first time or again.
    Due { again: bool },
    /// Its call is under way. An ordered one ends only if the store has come as far as `least`.
    Called { call: RemoteCallId, least: Option<Index> },
    /// Its call is to be made again after a while.
    Pausing,
}

impl Requests {
    /// Takes the result of a call, or gives it back if it is not that of a read.
    pub(crate) fn on_remote_result(
        &mut self,
        call: RemoteCallId,
        result: RemoteResult,
        (group, now): (Option<GroupId>, u64),
    ) -> Option<RemoteResult> {
        let Some(asked_by) = self.remote_reads.under_way.remove(&call) else { return Some(result) };
        let ignored = Output::Event(Event::RemoteResultIgnored { call });
        let Some(ask) = asked_by else {
            self.outputs.push(ignored);
            return None;
        };
        let Some(Pending { kind: Kind::RemoteRead { read, stage, .. }, .. }) =
            self.pending.get(&ask)
        else {
            return None;
        };
        let least = if let Stage::Called { least, .. } = stage { *least } else { None };
        match result {
            RemoteResult::Read { row, outcome } if fits(read.query.as_ref(), &outcome) => {
                match stands(row, least, group) {
                    Ok(index) => {
                        let answer = Answer(Content::Remote(outcome));
                        self.finish(ask, Outcome::Done { index, answer });
                        return None;
                    }
                    Err(None) => {}
                    Err(Some(because)) => {
                        let collection = read.map.as_str().to_owned();
                        let event = Event::RemoteRefused { collection, operation: None, because };
                        self.outputs.push(Output::Event(event));
                    }
                }
            }
            RemoteResult::Unanswered => {}
            RemoteResult::Read { .. } | RemoteResult::Ended(_) | RemoteResult::Refused(_) => {
                self.outputs.push(ignored);
            }
        }
        let longest = self.limits.max_remote_retry;
        if let Some(Pending { kind: Kind::RemoteRead { stage, pause, .. }, .. }) =
            self.pending.get_mut(&ask)
        {
            *stage = Stage::Pausing;
            let at = now.saturating_add(*pause);
            *pause = pause.saturating_mul(2).min(longest);
            self.set_retry(ask, Some(at));
        }
        None
    }

    /// Ends the waits that are over, and makes the calls that are due.
    pub(crate) fn read_stores(&mut self, (applied, store): (Index, &Store), calls: &mut Calls) {
        let reads = &mut self.remote_reads;
        let mut ready = Vec::new();
        reads.following.retain(|map, waiting| {
            let first = store.first_queued_index(map);
            while let Some(&(index, ask)) = waiting.first()
                && first.is_none_or(|first| first > index)
            {
                waiting.pop_first();
                ready.push(ask);
            }
            !waiting.is_empty()
        });
        reads.due.extend(ready);
        while let Some(ask) = self.remote_reads.due.pop_first() {
            self.read_store(ask, (applied, store), calls);
        }
    }

    pub(super) fn hand_over_remote_read(&mut self, ask: Ask, raft: &mut Raft, now: u64) {
        let Some(Pending { kind: Kind::RemoteRead { stage, .. }, retry, .. }) =
            self.pending.get_mut(&ask)
        else {
            return;
        };
        match stage {
            Stage::Asking { .. } => self.hand_over_read(ask, raft, now),
            // Unless another leader is the reason for which it is looked at.
            Stage::Pausing if retry.is_none() => {
                *stage = Stage::Due { again: true };
                self.remote_reads.due.insert(ask);
            }
            Stage::Due { .. } => {
                self.remote_reads.due.insert(ask);
            }
            Stage::Applying(_) | Stage::Following(_) | Stage::Called { .. } | Stage::Pausing => {}
        }
    }

    /// The index of an ordered read is applied: it waits for the operations that come before.
    pub(super) fn follow_operations(&mut self, ask: Ask, index: Index) {
        if let Some(Pending { kind: Kind::RemoteRead { read, stage, .. }, .. }) =
            self.pending.get_mut(&ask)
        {
            *stage = Stage::Following(index);
            let following = self.remote_reads.following.entry(read.map.clone()).or_default();
            following.insert((index, ask));
        }
    }

    /// Takes a read out of every table that is about reads of outside stores.
    pub(super) fn forget_remote_read(&mut self, ask: Ask, map: &Name, stage: Stage) {
        let reads = &mut self.remote_reads;
        match stage {
            Stage::Asking { number } => {
                number.and_then(|number| self.numbers.remove(&number));
            }
            Stage::Applying(index) => {
                self.readable.remove(&(index, ask));
            }
            Stage::Following(index) => {
                if let Some(waiting) = reads.following.get_mut(map) {
                    waiting.remove(&(index, ask));
                }
            }
            Stage::Due { .. } => {
                reads.due.remove(&ask);
            }
            Stage::Called { call, .. } => {
                // It is to be answered for all the same, unless it has been.
                if let Some(asked_by) = reads.under_way.get_mut(&call) {
                    *asked_by = None;
                }
            }
            Stage::Pausing => {}
        }
    }

    /// How many calls have not been answered for.
    pub(crate) fn remote_calls(&self) -> u64 {
        self.remote_reads.under_way.len() as u64
    }

    /// Whether so many calls have not been answered for that no more are to be made.
    pub(super) fn has_too_many_calls(&self) -> bool {
        self.remote_calls() >= self.limits.requests
    }

    pub(crate) fn remote_reads_repeated(&self) -> u64 {
        self.remote_reads.repeated
    }

    /// Makes the call of a read, or ends one that needs none.
    fn read_store(&mut self, ask: Ask, (applied, store): (Index, &Store), calls: &mut Calls) {
        let Some(Pending { kind: Kind::RemoteRead { read, stage, .. }, .. }) =
            self.pending.get_mut(&ask)
        else {
            return;
        };
        let found = store.collection(read.map.as_str());
        let is = found.map_or(CollectionKind::RemoteMap, CollectionRef::kind);
        if is != CollectionKind::RemoteMap {
            let because = Refusal::WrongKind { is };
            return self.finish(ask, Outcome::Refused { index: applied, because });
        }
        let executed = found.map_or(Index::ZERO, |map| map.progress().executed);
        let Some(query) = read.query.clone() else {
            let answer = Answer(Content::Nothing);
            return self.finish(ask, Outcome::Done { index: executed, answer });
        };
        self.remote_reads.repeated += u64::from(matches!(stage, Stage::Due { again: true }));
        let call = calls.make(read.map.clone(), RemoteWork::Read(query));
        let least = read.ordered.then_some(executed);
        *stage = Stage::Called { call: call.id, least };
        self.remote_reads.under_way.insert(call.id, Some(ask));
        self.outputs.push(Output::Remote(call));
    }
}

impl Stage {
    /// Whether only the outside store keeps it from its end.
    pub(super) fn waits_for_store(self) -> bool {
        match self {
            Self::Asking { .. } | Self::Applying(_) => false,
            Self::Following(_) | Self::Due { .. } | Self::Called { .. } | Self::Pausing => true,
        }
    }
}

impl Kind {
    pub(super) fn remote_read(read: RemoteRead, pause: u64) -> Self {
        let ordered = read.ordered || read.query.is_none();
        let stage =
            if ordered { Stage::Asking { number: None } } else { Stage::Due { again: false } };
        Self::RemoteRead { read, stage, pause }
    }
}

/// The operation that a store with this row executed last for our group, if a read of it may end; or, unless
/// it lags behind, why not.
fn stands(
    row: Option<(GroupId, Index)>,
    least: Option<Index>,
    group: Option<GroupId>,
) -> Result<Index, Option<FenceRefusal>> {
    let ours = row.filter(|(theirs, _)| group == Some(*theirs)).map(|(_, last)| last);
    let last = ours.unwrap_or(Index::ZERO);
    match (row, least) {
        (_, None) => Ok(last),
        (Some((theirs, _)), Some(_)) if ours.is_none() => {
            Err(Some(FenceRefusal::OtherGroup { group: theirs }))
        }
        // What a copy of the store that lags behind says is not the end of an ordered read.
        (_, Some(least)) => {
            if last >= least {
                Ok(last)
            } else {
                Err(None)
            }
        }
    }
}

/// Whether a read may end so.
fn fits(query: Option<&RemoteQuery>, outcome: &RemoteOutcome) -> bool {
    match outcome {
        RemoteOutcome::Done(answer) => query.is_some_and(|query| query.may_answer(answer)),
        RemoteOutcome::Failed(_) => true,
    }
}
