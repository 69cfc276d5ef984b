//! An outside store in memory, with the row that fences calls.

use std::collections::BTreeMap;

use hamok::{
    Bytes, FenceRow, FenceVerdict, Index, RemoteAnswer, RemoteCall, RemoteOperation, RemoteOutcome,
    RemoteQuery, RemoteResult, RemoteWork, StoreError,
};

/// The entries of every map, and the rows beside them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) maps: BTreeMap<String, BTreeMap<Bytes, Bytes>>,
    pub(crate) rows: BTreeMap<String, FenceRow>,
    /// How often each operation was executed, not repeated.
    pub(crate) executed: BTreeMap<Index, u64>,
    /// Why operations are refused for good, if they are.
    pub(crate) failing: Option<StoreError>,
}

impl Store {
    /// Does what an adapter does in one transaction.
    pub(crate) fn perform(&mut self, call: &RemoteCall) -> RemoteResult {
        let row = self.rows.get_mut(call.map());
        match call.work() {
            RemoteWork::Execute { fence, operation } => match fence.judge(row.as_deref()) {
                FenceVerdict::Refuse(because) => RemoteResult::Refused(because),
                FenceVerdict::Repeat(outcome) => {
                    row.expect("it is repeated").term = fence.term;
                    RemoteResult::Ended(outcome)
                }
                FenceVerdict::Execute => {
                    *self.executed.entry(fence.index).or_default() += 1;
                    let map = self.maps.entry(call.map().to_owned()).or_default();
                    let outcome = match &self.failing {
                        Some(error) => RemoteOutcome::Failed(error.clone()),
                        None => RemoteOutcome::Done(execute(map, operation)),
                    };
                    self.rows.insert(call.map().to_owned(), fence.row(outcome.clone()));
                    RemoteResult::Ended(outcome)
                }
            },
            RemoteWork::Read(query) => {
                let row = row.map(|row| (row.group, row.last));
                let map = self.maps.entry(call.map().to_owned()).or_default();
                RemoteResult::Read { row, outcome: RemoteOutcome::Done(answer(map, query)) }
            }
            other => panic!("unknown work {other:?}"),
        }
    }

    /// All entries of a map, as text.
    pub(crate) fn text(&self, map: &str) -> String {
        let entries = self.maps.get(map).into_iter().flatten();
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        entries
            .map(|(key, value)| format!("{}={}", text(key), text(value)))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn execute(map: &mut BTreeMap<Bytes, Bytes>, operation: &RemoteOperation) -> RemoteAnswer {
    match operation {
        RemoteOperation::Set(entries) => {
            let set = |(key, value): &(Bytes, Bytes)| map.insert(key.clone(), value.clone());
            RemoteAnswer::Values(entries.iter().map(set).collect())
        }
        RemoteOperation::Insert(entries) => {
            let insert = |(key, value): &(Bytes, Bytes)| match map.get(key) {
                Some(old) => Some(old.clone()),
                None => map.insert(key.clone(), value.clone()),
            };
            RemoteAnswer::Values(entries.iter().map(insert).collect())
        }
        RemoteOperation::UpdateIf { key, value, expected } => {
            let fits = map.get(key) == Some(expected);
            if fits {
                map.insert(key.clone(), value.clone());
            }
            RemoteAnswer::Flags(vec![fits])
        }
        RemoteOperation::Remove(keys) => {
            RemoteAnswer::Values(keys.iter().map(|key| map.remove(key)).collect())
        }
        RemoteOperation::RemoveIf { key, expected } => {
            let fits = map.get(key) == Some(expected);
            if fits {
                map.remove(key);
            }
            RemoteAnswer::Flags(vec![fits])
        }
        RemoteOperation::Delete(keys) => {
            RemoteAnswer::Flags(keys.iter().map(|key| map.remove(key).is_some()).collect())
        }
        RemoteOperation::Clear => {
            let count = map.len() as u64;
            map.clear();
            RemoteAnswer::Count(count)
        }
        RemoteOperation::Adopt => RemoteAnswer::Nothing,
        other => panic!("unknown operation {other}"),
    }
}

/// Pages in the order of the keys; a cursor is the last key of the page before.
fn answer(map: &BTreeMap<Bytes, Bytes>, query: &RemoteQuery) -> RemoteAnswer {
    let page = |cursor: &Option<Bytes>, limit: u64| -> (Vec<(Bytes, Bytes)>, Option<Bytes>) {
        let after = map.iter().filter(|(key, _)| cursor.as_ref().is_none_or(|from| *key > from));
        let mut entries: Vec<_> = after.map(|(key, value)| (key.clone(), value.clone())).collect();
        let limit = usize::try_from(limit).expect("small");
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| more).map(|(key, _)| key.clone());
        (entries, next)
    };
    match query {
        RemoteQuery::Get(keys) => {
            RemoteAnswer::Values(keys.iter().map(|key| map.get(key).cloned()).collect())
        }
        RemoteQuery::Len => RemoteAnswer::Count(map.len() as u64),
        RemoteQuery::Keys { cursor, limit } => {
            let (entries, next) = page(cursor, *limit);
            RemoteAnswer::Keys { keys: entries.into_iter().map(|(key, _)| key).collect(), next }
        }
        RemoteQuery::Entries { cursor, limit } => {
            let (entries, next) = page(cursor, *limit);
            RemoteAnswer::Entries { entries, next }
        }
        other => panic!("unknown query {other:?}"),
    }
}
