//! Remote maps in PostgreSQL: a table for the entries of all, and another for their rows.
//!
//! The server is to keep what it has committed (`fsync` and `synchronous_commit` on, as they are by
//! default), and reads are not to go to a replica.

use std::time::Duration;

use hamok::{
    Fence, FenceRow, FenceVerdict, GroupId, Index, RemoteAnswer, RemoteCall, RemoteOperation,
    RemoteOutcome, RemoteQuery, RemoteResult, RemoteWork, StoreError, Term,
};
use postgres::error::Error;
use postgres::{Client, Config, IsolationLevel, NoTls, Row, Transaction};

use super::entries::Entries;

const TABLES: &str = "
    SELECT pg_advisory_xact_lock(7215391023); -- one at a time, even if all nodes start at once
    CREATE TABLE IF NOT EXISTS hamok_entries
        (map bytea, key bytea, value bytea NOT NULL, PRIMARY KEY (map, key));
    CREATE TABLE IF NOT EXISTS hamok_rows
        (map bytea PRIMARY KEY, \"group\" bigint, term bigint, last bigint, outcome bytea);";
/// What waits for a lock, or for a client that is gone, is given up there, and what waits for a server that
/// is gone is given up here. A server that is there and does not go on is waited for.
const LIMITS: &str =
    "-c statement_timeout=5s -c lock_timeout=5s -c idle_in_transaction_session_timeout=5s";
/// An operation itself may take as long as it takes: given up and begun again, a long one would never end.
const UNHURRIED: &str = "SET LOCAL statement_timeout = 0";
const PATIENCE: Duration = Duration::from_secs(5);

/// A PostgreSQL database, connected to as often as it takes.
pub(crate) struct PostgresStore {
    config: Config,
    client: Option<Client>,
}

impl PostgresStore {
    pub(crate) fn new(url: &str) -> Result<Self, Error> {
        let mut config: Config = url.parse()?;
        config.connect_timeout(PATIENCE).tcp_user_timeout(PATIENCE).options(LIMITS);
        config.keepalives_idle(PATIENCE).keepalives_interval(PATIENCE);
        Ok(Self { config, client: None })
    }

    /// Makes a call. Whatever goes wrong on the way is no answer.
    pub(crate) fn perform(&mut self, call: &RemoteCall) -> RemoteResult {
        self.try_to(call).unwrap_or_else(|error| {
            eprintln!("{call}: {error}");
            self.client = None;
            RemoteResult::Unanswered
        })
    }

    fn try_to(&mut self, call: &RemoteCall) -> Result<RemoteResult, Error> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => {
                let mut client = self.config.connect(NoTls)?;
                let mut transaction = client.transaction()?;
                transaction.batch_execute(TABLES)?;
                transaction.commit()?;
                client
            }
        };
        let map = call.map().as_bytes();
        let result = match call.work() {
            RemoteWork::Execute { fence, operation } => {
                execute(&mut client, map, fence, operation)?
            }
            RemoteWork::Read(query) => read(&mut client, map, query)?,
            _ => RemoteResult::Unanswered, // Of a later version of the library.
        };
        self.client = Some(client);
        Ok(result)
    }
}

fn execute(
    client: &mut Client,
    map: &[u8],
    fence: &Fence,
    operation: &RemoteOperation,
) -> Result<RemoteResult, Error> {
    let mut transaction = client.transaction()?;
    // A row that is not there cannot be locked.
    let insert = "INSERT INTO hamok_rows (map) VALUES ($1) ON CONFLICT DO NOTHING";
    transaction.execute(insert, &[&map])?;
    let locked = "SELECT \"group\", term, last, outcome FROM hamok_rows WHERE map = $1 FOR UPDATE";
    let row = row(&transaction.query_one(locked, &[&map])?)?;
    transaction.batch_execute(UNHURRIED)?;
    let outcome = match fence.judge(row.as_ref()) {
        FenceVerdict::Refuse(because) => return Ok(RemoteResult::Refused(because)),
        FenceVerdict::Repeat(outcome) => outcome,
        FenceVerdict::Execute => match run(&mut transaction, map, operation)? {
            Some(outcome) => outcome,
            None => return Ok(RemoteResult::Unanswered),
        },
    };
    let FenceRow { group, term, last, outcome } = fence.row(outcome);
    let update = "UPDATE hamok_rows SET \"group\" = $2, term = $3, last = $4, outcome = $5
        WHERE map = $1";
    let [term, last] = [term.get(), last.get()].map(u64::cast_signed);
    let group = group.get().cast_signed();
    transaction.execute(update, &[&map, &group, &term, &last, &outcome.encode()])?;
    transaction.commit()?;
    Ok(RemoteResult::Ended(outcome))
}

/// The row, unless it has only just been inserted.
fn row(row: &Row) -> Result<Option<FenceRow>, Error> {
    let Some(group) = row.try_get::<_, Option<i64>>("group")? else { return Ok(None) };
    let number = |column| row.try_get::<_, i64>(column).map(i64::cast_unsigned);
    // What cannot be read was executed all the same, by a later version perhaps.
    let unknown = RemoteOutcome::Done(RemoteAnswer::TooLarge { bytes: 0 });
    Ok(Some(FenceRow {
        group: GroupId::new(group.cast_unsigned()),
        term: Term::try_from(number("term")?).unwrap_or(Term::MAX),
        last: Index::try_from(number("last")?).unwrap_or(Index::MAX),
        outcome: RemoteOutcome::decode(row.try_get("outcome")?).unwrap_or(unknown),
    }))
}

/// Runs an operation; what the database refuses for good leaves the entries as they were. None for an
/// operation of a later version of the library.
fn run(
    transaction: &mut Transaction<'_>,
    map: &[u8],
    operation: &RemoteOperation,
) -> Result<Option<RemoteOutcome>, Error> {
    let mut attempt = transaction.savepoint("operation")?;
    match (Entries { transaction: &mut attempt, map }).change(operation) {
        Ok(answer) => {
            attempt.commit()?;
            Ok(answer.map(RemoteOutcome::Done))
        }
        // Of bad data (22), a violated constraint (23) or a limit that is passed (54) nothing else comes
        // however often it is tried.
        Err(error) if error.code().is_some_and(|code| is_final(code.code())) => {
            attempt.rollback()?;
            let said = error.as_db_error().map_or_else(String::new, ToString::to_string);
            Ok(Some(RemoteOutcome::Failed(StoreError::new(&said))))
        }
        Err(error) => Err(error),
    }
}

fn is_final(code: &str) -> bool {
    ["22", "23", "54"].iter().any(|class| code.starts_with(class))
}

/// Reads whose the entries are and how far they have come, and what is asked for, at one moment.
fn read(client: &mut Client, map: &[u8], query: &RemoteQuery) -> Result<RemoteResult, Error> {
    let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let mut transaction = snapshot.read_only(true).start()?;
    let row = "SELECT \"group\", last FROM hamok_rows WHERE map = $1 AND last IS NOT NULL";
    let row = transaction.query_opt(row, &[&map])?.map(|row| {
        let [group, last] = [0, 1].map(|at| row.get::<_, i64>(at).cast_unsigned());
        (GroupId::new(group), Index::try_from(last).unwrap_or(Index::MAX))
    });
    Ok(match (Entries { transaction: &mut transaction, map }).read(query)? {
        Some(answer) => RemoteResult::Read { row, outcome: RemoteOutcome::Done(answer) },
        None => RemoteResult::Unanswered,
    })
}
