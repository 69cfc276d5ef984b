//! Reads of outside stores, which the node that is asked makes itself.
//!
//! A direct one is called for at once. An ordered one first asks the leader for an index, as any
//! linearizable read does, applies that, and waits until every operation of the map up to that index has
//! come to its end; a read of nothing is done then. A call that is not answered for is made again with
//! ever longer pauses, until the request's time is up.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{Ask, Kind, Pending, Requests};
use crate::event::Event;
use crate::io::{Outcome, Output, Refusal, RemoteRead};
use crate::raft::Raft;
use crate::remote_call::{Calls, RemoteResult, RemoteWork};
use crate::store::{
    Answer, CollectionKind, CollectionRef, Content, Name, RemoteOutcome, RemoteQuery, Store,
};
use crate::types::{Index, RemoteCallId};

/// Who waits for what of outside stores.
#[derive(Debug, Default)]
pub(super) struct RemoteReads {
    /// Who waits for the operations of that map up to an index.
    following: BTreeMap<Name, BTreeSet<(Index, Ask)>>,
    /// Whose call is to be made at the end of the step.
    due: BTreeSet<Ask>,
    under_way: BTreeMap<RemoteCallId, Ask>,
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
    /// Its call is under way, and a store that has not come as far as `least` is behind.
    Called { call: RemoteCallId, least: Index },
    /// Its call is to be made again after a while.
    Pausing,
}

impl Requests {
    /// Takes the result of a call, or gives it back if it is not that of a read.
    pub(crate) fn on_remote_result(
        &mut self,
        call: RemoteCallId,
        result: RemoteResult,
        now: u64,
    ) -> Option<RemoteResult> {
        let Some(ask) = self.remote_reads.under_way.remove(&call) else { return Some(result) };
        let Some(Pending { kind: Kind::RemoteRead { read, stage, .. }, .. }) =
            self.pending.get(&ask)
        else {
            return Some(result);
        };
        let least = if let Stage::Called { least, .. } = stage { *least } else { Index::ZERO };
        match result {
            RemoteResult::Read { last, outcome } if fits(read.query.as_ref(), &outcome) => {
                // What a copy of the store that lags behind says is not the end of an ordered read.
                if last >= least {
                    let answer = Answer(Content::Remote(outcome));
                    self.finish(ask, Outcome::Done { index: last, answer });
                    return None;
                }
            }
            RemoteResult::Unanswered => {}
            RemoteResult::Read { .. } | RemoteResult::Ended(_) | RemoteResult::Refused(_) => {
                self.outputs.push(Output::Event(Event::RemoteResultIgnored { call }));
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
                reads.under_way.remove(&call);
            }
            Stage::Pausing => {}
        }
    }

    /// How many calls are under way.
    pub(crate) fn remote_calls(&self) -> u64 {
        self.remote_reads.under_way.len() as u64
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
        let least = if read.ordered { executed } else { Index::ZERO };
        *stage = Stage::Called { call: call.id, least };
        self.remote_reads.under_way.insert(call.id, ask);
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

/// Whether a read may end so.
fn fits(query: Option<&RemoteQuery>, outcome: &RemoteOutcome) -> bool {
    match outcome {
        RemoteOutcome::Done(answer) => query.is_some_and(|query| query.may_answer(answer)),
        RemoteOutcome::Failed(_) => true,
    }
}
