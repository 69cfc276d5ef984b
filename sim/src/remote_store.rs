//! The outside store of a run: one server that all nodes call, with a table and a row for each remote map.
//!
//! It is an honest store that keeps its row as [`Fence::judge`](hamok::Fence::judge) says. What goes
//! wrong is what happens on the way: it cannot be reached, takes long, refuses for good, or applies a
//! call and loses the answer. A call that is under way goes on when its node crashes or is deposed.

use std::collections::BTreeMap;

use hamok::{
    Bytes, FenceRow, FenceVerdict, RemoteAnswer, RemoteCall, RemoteOperation, RemoteOutcome,
    RemoteQuery, RemoteResult, RemoteWork, StoreError,
};

use crate::draw::{Draws, Stream};
use crate::plan::Plan;
use crate::settings::Fault;

/// All remote maps.
#[derive(Debug, Default)]
pub(crate) struct RemoteStore {
    tables: BTreeMap<String, Table>,
    calls: u64,
}

#[derive(Debug, Default)]
struct Table {
    row: Option<FenceRow>,
    entries: BTreeMap<Bytes, Bytes>,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallFate {
    /// Within how many microseconds it reaches the store.
    pub(crate) arrives: u64,
    /// Within how many more its answer is back.
    pub(crate) returns: u64,
    pub(crate) trouble: Option<Fault>,
}

impl RemoteStore {
    /// Decides what happens to the next call.
    pub(crate) fn fate(&mut self, plan: &Plan, draws: &Draws, healed: bool) -> CallFate {
        self.calls += 1;
        let number = self.calls;
        let mut dice = draws.dice(Stream::RemoteLatency, number, 0);
        let mut fate = CallFate {
            arrives: dice.between(100, 20_000),
            returns: dice.between(100, 20_000),
            trouble: None,
        };
        let faults = [
            (Fault::RemoteDown, Stream::RemoteDown),
            (Fault::RemoteFails, Stream::RemoteFails),
            (Fault::RemoteAnswerLost, Stream::RemoteAnswerLost),
            (Fault::RemoteSlow, Stream::RemoteSlow),
        ];
        let strikes = |(fault, stream)| draws.chance(plan.intensity(fault), stream, number, 0);
        fate.trouble =
            faults.into_iter().find(|it| !healed && strikes(*it)).map(|(fault, _)| fault);
        if fate.trouble == Some(Fault::RemoteSlow) {
            fate.arrives = dice.magnitude(20_000, LONGEST_WAY);
            fate.returns = dice.magnitude(20_000, LONGEST_WAY);
        }
        fate
    }

    /// The call reaches the store. What the store makes of it.
    pub(crate) fn execute(&mut self, call: &RemoteCall, fails: bool) -> RemoteResult {
        let table = self.tables.entry(call.map().to_owned()).or_default();
        match call.work() {
            RemoteWork::Execute { fence, operation } => match fence.judge(table.row.as_ref()) {
                FenceVerdict::Execute => {
                    let outcome = match fails {
                        true => RemoteOutcome::Failed(StoreError::new("the disk is full")),
                        false => RemoteOutcome::Done(table.run(operation)),
                    };
                    table.row = Some(fence.row(outcome.clone()));
                    RemoteResult::Ended(outcome)
                }
                FenceVerdict::Repeat(outcome) => {
                    if let Some(row) = &mut table.row {
                        row.term = fence.term;
                    }
                    RemoteResult::Ended(outcome)
                }
                FenceVerdict::Refuse(because) => RemoteResult::Refused(because),
            },
            RemoteWork::Read(query) => {
                let row = table.row.as_ref().map(|row| (row.group, row.last));
                let outcome = match fails {
                    true => RemoteOutcome::Failed(StoreError::new("too many readers")),
                    false => RemoteOutcome::Done(table.read(query)),
                };
                RemoteResult::Read { row, outcome }
            }
            other => panic!("the simulated store knows no such work: {other:?}"),
        }
    }
}

/// How long a call, or its answer, may be on its way, in microseconds: longer than an election takes, and
/// not so long that a call made in bad times keeps good ones from coming.
const LONGEST_WAY: u64 = 6_000_000;

impl Table {
    fn run(&mut self, operation: &RemoteOperation) -> RemoteAnswer {
        let entries = &mut self.entries;
        match operation {
            RemoteOperation::Set(pairs) => {
                let set =
                    |(key, value): &(Bytes, Bytes)| entries.insert(key.clone(), value.clone());
                RemoteAnswer::Values(pairs.iter().map(set).collect())
            }
            RemoteOperation::Insert(pairs) => {
                let insert = |(key, value): &(Bytes, Bytes)| {
                    let existing = entries.get(key).cloned();
                    if existing.is_none() {
                        entries.insert(key.clone(), value.clone());
                    }
                    existing
                };
                RemoteAnswer::Values(pairs.iter().map(insert).collect())
            }
            RemoteOperation::UpdateIf { key, value, expected } => {
                let holds = entries.get(key) == Some(expected);
                if holds {
                    entries.insert(key.clone(), value.clone());
                }
                RemoteAnswer::Flags(vec![holds])
            }
            RemoteOperation::Remove(keys) => {
                RemoteAnswer::Values(keys.iter().map(|key| entries.remove(key)).collect())
            }
            RemoteOperation::RemoveIf { key, expected } => {
                let holds = entries.get(key) == Some(expected);
                if holds {
                    entries.remove(key);
                }
                RemoteAnswer::Flags(vec![holds])
            }
            RemoteOperation::Delete(keys) => {
                let delete = |key: &Bytes| entries.remove(key).is_some();
                RemoteAnswer::Flags(keys.iter().map(delete).collect())
            }
            RemoteOperation::Clear => RemoteAnswer::Count(std::mem::take(entries).len() as u64),
            RemoteOperation::Adopt => RemoteAnswer::Nothing,
            other => panic!("the simulated store knows no such operation: {other}"),
        }
    }

    fn read(&self, query: &RemoteQuery) -> RemoteAnswer {
        match query {
            RemoteQuery::Get(keys) => RemoteAnswer::Values(
                keys.iter().map(|key| self.entries.get(key).cloned()).collect(),
            ),
            RemoteQuery::Len => RemoteAnswer::Count(self.entries.len() as u64),
            RemoteQuery::Keys { cursor, limit } => {
                let (page, next) = self.page(cursor.as_ref(), *limit);
                RemoteAnswer::Keys { keys: page.into_iter().map(|(key, _)| key).collect(), next }
            }
            RemoteQuery::Entries { cursor, limit } => {
                let (entries, next) = self.page(cursor.as_ref(), *limit);
                RemoteAnswer::Entries { entries, next }
            }
            other => panic!("the simulated store knows no such query: {other:?}"),
        }
    }

    /// The entries behind the one that the cursor names, and the cursor of those that follow.
    fn page(&self, cursor: Option<&Bytes>, limit: u64) -> (Vec<(Bytes, Bytes)>, Option<Bytes>) {
        let behind = |key: &Bytes| cursor.is_none_or(|cursor| key > cursor);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let rest = self.entries.iter().filter(|(key, _)| behind(key));
        let page: Vec<_> =
            rest.clone().take(limit).map(|(key, value)| (key.clone(), value.clone())).collect();
        let has_more = rest.count() > page.len();
        let next = page.last().filter(|_| has_more).map(|(key, _)| key.clone());
        (page, next)
    }
}
