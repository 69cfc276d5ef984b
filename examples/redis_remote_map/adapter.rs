//! Remote maps in Redis: a hash for the entries of each, and beside it another one for its row.
//!
//! What was answered must not be lost, or the row is: run the server with `appendonly yes` and
//! `appendfsync always`, and read from no replica.

use std::time::Duration;

use hamok::{
    Bytes, Fence, FenceRefusal, GroupId, Index, RemoteAnswer, RemoteCall, RemoteOperation,
    RemoteOutcome, RemoteQuery, RemoteResult, RemoteWork, StoreError, Term,
};
use redis::{Client, Connection, Pipeline, RedisResult, Script, Value, from_redis_value};

/// How long to wait for the server. What it has not answered by then may take effect all the same; the
/// row sees to it that this happens once.
const PATIENCE: Duration = Duration::from_secs(5);
/// Redis takes no number of any size for that of the entries of a page, and serves nobody else meanwhile.
const MOST_AT_ONCE: u64 = 10_000;

/// A Redis server, connected to as often as it takes.
pub(crate) struct RedisStore {
    client: Client,
    connection: Option<Connection>,
    execute: Script,
}

impl RedisStore {
    pub(crate) fn new(url: &str) -> RedisResult<Self> {
        let execute = Script::new(include_str!("execute.lua"));
        Ok(Self { client: Client::open(url)?, connection: None, execute })
    }

    /// Makes a call. Whatever goes wrong on the way is no answer.
    pub(crate) fn perform(&mut self, call: &RemoteCall) -> RemoteResult {
        self.try_to(call).unwrap_or_else(|error| {
            eprintln!("{call}: {error}");
            self.connection = None;
            RemoteResult::Unanswered
        })
    }

    fn try_to(&mut self, call: &RemoteCall) -> RedisResult<RemoteResult> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.client.get_connection_with_timeout(PATIENCE)?,
        };
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        let result = match call.work() {
            RemoteWork::Execute { fence, operation } => {
                self.execute(&mut connection, call.map(), fence, operation)?
            }
            RemoteWork::Read(query) => read(&mut connection, call.map(), query)?,
            _ => RemoteResult::Unanswered, // Of a later version of the library.
        };
        self.connection = Some(connection);
        Ok(result)
    }

    fn execute(
        &self,
        connection: &mut Connection,
        map: &str,
        fence: &Fence,
        operation: &RemoteOperation,
    ) -> RedisResult<RemoteResult> {
        let Some((verb, arguments)) = spell(operation) else {
            return Ok(RemoteResult::Unanswered);
        };
        let [term, index, previous] = [fence.term.get(), fence.index.get(), fence.previous.get()];
        let mut script = self.execute.prepare_invoke();
        script.key(entries_of(map)).key(row_of(map));
        for number in [fence.group.get(), term, index, previous] {
            script.arg(format!("{number:020}"));
        }
        script.arg(u8::from(fence.adopt)).arg(verb);
        for argument in arguments {
            script.arg(&**argument);
        }
        let (verdict, said): (String, Value) = script.invoke(connection)?;
        if verdict == "done" {
            return Ok(RemoteResult::Ended(RemoteOutcome::Done(answer(operation, said)?)));
        }
        let said: String = from_redis_value(said)?;
        let number: u64 = said.parse().unwrap_or_default();
        Ok(match &*verdict {
            "term passed" => RemoteResult::Refused(FenceRefusal::TermPassed {
                highest: Term::try_from(number).unwrap_or(Term::MAX),
            }),
            "other group" => {
                RemoteResult::Refused(FenceRefusal::OtherGroup { group: GroupId::new(number) })
            }
            "out of order" => RemoteResult::Refused(FenceRefusal::OutOfOrder {
                last: Index::try_from(number).unwrap_or(Index::MAX),
            }),
            _ => RemoteResult::Ended(RemoteOutcome::Failed(StoreError::new(&said))),
        })
    }
}

fn entries_of(map: &str) -> String {
    format!("hamok:{{{map}}}:entries")
}

fn row_of(map: &str) -> String {
    format!("hamok:{{{map}}}:row")
}

/// The script's word for an operation, and what it is about.
fn spell(operation: &RemoteOperation) -> Option<(&'static str, Vec<&Bytes>)> {
    Some(match operation {
        RemoteOperation::Set(entries) => ("set", pairs(entries)),
        RemoteOperation::Insert(entries) => ("insert", pairs(entries)),
        RemoteOperation::UpdateIf { key, value, expected } => {
            ("update_if", vec![key, value, expected])
        }
        RemoteOperation::Remove(keys) => ("remove", keys.iter().collect()),
        RemoteOperation::RemoveIf { key, expected } => ("remove_if", vec![key, expected]),
        RemoteOperation::Delete(keys) => ("delete", keys.iter().collect()),
        RemoteOperation::Clear => ("clear", vec![]),
        RemoteOperation::Adopt => ("adopt", vec![]),
        _ => return None, // Of a later version of the library.
    })
}

fn pairs(entries: &[(Bytes, Bytes)]) -> Vec<&Bytes> {
    entries.iter().flat_map(|(key, value)| [key, value]).collect()
}

fn answer(operation: &RemoteOperation, said: Value) -> RedisResult<RemoteAnswer> {
    Ok(match operation {
        RemoteOperation::Set(_) | RemoteOperation::Insert(_) | RemoteOperation::Remove(_) => {
            RemoteAnswer::Values(values(said)?)
        }
        RemoteOperation::Clear => {
            let [count]: [u64; 1] = from_redis_value(said)?;
            RemoteAnswer::Count(count)
        }
        RemoteOperation::Adopt => RemoteAnswer::Nothing,
        RemoteOperation::UpdateIf { .. }
        | RemoteOperation::RemoveIf { .. }
        | RemoteOperation::Delete(_)
        | _ => RemoteAnswer::Flags(from_redis_value(said)?),
    })
}

fn values(said: Value) -> RedisResult<Vec<Option<Bytes>>> {
    let values: Vec<Option<Vec<u8>>> = from_redis_value(said)?;
    Ok(values.into_iter().map(|value| value.map(Bytes::from)).collect())
}

/// Reads whose the entries are and how far they have come, and what is asked for, at one moment.
fn read(connection: &mut Connection, map: &str, query: &RemoteQuery) -> RedisResult<RemoteResult> {
    let entries = entries_of(map);
    let mut pipe: Pipeline = redis::pipe();
    pipe.atomic().hmget(row_of(map), &["group", "last"]);
    match query {
        RemoteQuery::Get(keys) => {
            for key in keys {
                pipe.hget(&entries, &**key);
            }
        }
        RemoteQuery::Len => {
            pipe.hlen(&entries);
        }
        RemoteQuery::Keys { cursor, limit } | RemoteQuery::Entries { cursor, limit } => {
            let from = cursor.as_ref().map_or(b"0".as_slice(), |cursor| cursor);
            let count = (*limit).clamp(1, MOST_AT_ONCE);
            pipe.cmd("HSCAN").arg(&entries).arg(from).arg("COUNT").arg(count);
        }
        _ => return Ok(RemoteResult::Unanswered), // Of a later version of the library.
    }
    let mut said: Vec<Value> = pipe.query(connection)?;
    let (group, last): (Option<u64>, Option<u64>) = from_redis_value(said.remove(0))?;
    let row = group
        .zip(last)
        .map(|(group, last)| (GroupId::new(group), Index::try_from(last).unwrap_or(Index::MAX)));
    let answer = match query {
        RemoteQuery::Get(_) => RemoteAnswer::Values(values(Value::Array(said))?),
        RemoteQuery::Len => RemoteAnswer::Count(from_redis_value(said.remove(0))?),
        RemoteQuery::Keys { .. } | RemoteQuery::Entries { .. } | _ => page(query, said.remove(0))?,
    };
    Ok(RemoteResult::Read { row, outcome: RemoteOutcome::Done(answer) })
}

/// Redis gives a cursor that goes on, or 0, and keys and values by turns.
fn page(query: &RemoteQuery, said: Value) -> RedisResult<RemoteAnswer> {
    let [next, found]: [Value; 2] = from_redis_value(said)?;
    let next: Vec<u8> = from_redis_value(next)?;
    let next = (next != b"0").then(|| next.into());
    let found: Vec<(Vec<u8>, Vec<u8>)> = from_redis_value(found)?;
    let found = found.into_iter().map(|(key, value)| (Bytes::from(key), Bytes::from(value)));
    if let RemoteQuery::Keys { .. } = query {
        return Ok(RemoteAnswer::Keys { keys: found.map(|(key, _)| key).collect(), next });
    }
    Ok(RemoteAnswer::Entries { entries: found.collect(), next })
}
