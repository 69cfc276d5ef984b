//! The entries of a remote map, as rows of a table.

use hamok::{Bytes, RemoteAnswer, RemoteOperation, RemoteQuery};
use postgres::error::Error;
use postgres::{Row, Transaction};

/// Some entries, and where the next page begins.
type Page = (Vec<(Bytes, Bytes)>, Option<Bytes>);

/// The entries of one map, in a transaction.
pub(crate) struct Entries<'a, 'b> {
    pub(crate) transaction: &'a mut Transaction<'b>,
    pub(crate) map: &'a [u8],
}

impl Entries<'_, '_> {
    /// None for an operation of a later version of the library.
    pub(crate) fn change(
        &mut self,
        operation: &RemoteOperation,
    ) -> Result<Option<RemoteAnswer>, Error> {
        let (mut values, mut flags) = (Vec::new(), Vec::new());
        match operation {
            RemoteOperation::Set(entries) => {
                for (key, value) in entries {
                    let existing = self.insert(key, value)?;
                    if existing.is_some() {
                        self.update(key, value)?;
                    }
                    values.push(existing);
                }
            }
            RemoteOperation::Insert(entries) => {
                for (key, value) in entries {
                    values.push(self.insert(key, value)?);
                }
            }
            RemoteOperation::UpdateIf { key, value, expected } => {
                let is_due = self.locked(key)?.as_ref() == Some(expected);
                flags.push(is_due && self.update(key, value)? > 0);
            }
            RemoteOperation::Remove(keys) => {
                for key in keys {
                    let existing = self.locked(key)?;
                    if existing.is_some() {
                        self.delete(key)?;
                    }
                    values.push(existing);
                }
            }
            RemoteOperation::RemoveIf { key, expected } => {
                let is_due = self.locked(key)?.as_ref() == Some(expected);
                flags.push(is_due && self.delete(key)? > 0);
            }
            RemoteOperation::Delete(keys) => {
                for key in keys {
                    flags.push(self.delete(key)? > 0);
                }
                return Ok(Some(RemoteAnswer::Flags(flags)));
            }
            RemoteOperation::Clear => {
                let clear = "DELETE FROM hamok_entries WHERE map = $1";
                let count = self.transaction.execute(clear, &[&self.map])?;
                return Ok(Some(RemoteAnswer::Count(count)));
            }
            RemoteOperation::Adopt => return Ok(Some(RemoteAnswer::Nothing)),
            _ => return Ok(None),
        }
        let flagged = !flags.is_empty();
        Ok(Some(if flagged { RemoteAnswer::Flags(flags) } else { RemoteAnswer::Values(values) }))
    }

    /// None for a query of a later version of the library.
    pub(crate) fn read(&mut self, query: &RemoteQuery) -> Result<Option<RemoteAnswer>, Error> {
        Ok(Some(match query {
            RemoteQuery::Get(keys) => RemoteAnswer::Values(
                keys.iter().map(|key| self.get(key)).collect::<Result<_, _>>()?,
            ),
            RemoteQuery::Len => {
                let count = "SELECT count(*) FROM hamok_entries WHERE map = $1";
                let count: i64 = self.transaction.query_one(count, &[&self.map])?.get(0);
                RemoteAnswer::Count(count.cast_unsigned())
            }
            RemoteQuery::Keys { cursor, limit } => {
                let (entries, next) = self.page(cursor.as_ref(), *limit)?;
                RemoteAnswer::Keys { keys: entries.into_iter().map(|(key, _)| key).collect(), next }
            }
            RemoteQuery::Entries { cursor, limit } => {
                let (entries, next) = self.page(cursor.as_ref(), *limit)?;
                RemoteAnswer::Entries { entries, next }
            }
            _ => return Ok(None),
        }))
    }

    fn get(&mut self, key: &Bytes) -> Result<Option<Bytes>, Error> {
        let select = "SELECT value FROM hamok_entries WHERE map = $1 AND key = $2";
        let found = self.transaction.query_opt(select, &[&self.map, &&**key])?;
        Ok(found.map(|row| Bytes::copy_from(row.get(0))))
    }

    /// The value, which stays what it is until the operation is over, whoever else may write to the table.
    fn locked(&mut self, key: &Bytes) -> Result<Option<Bytes>, Error> {
        let select = "SELECT value FROM hamok_entries WHERE map = $1 AND key = $2 FOR UPDATE";
        let found = self.transaction.query_opt(select, &[&self.map, &&**key])?;
        Ok(found.map(|row| Bytes::copy_from(row.get(0))))
    }

    /// The value there is; none if there was none and this one has come in.
    fn insert(&mut self, key: &Bytes, value: &Bytes) -> Result<Option<Bytes>, Error> {
        let insert = "INSERT INTO hamok_entries VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        loop {
            let existing = self.locked(key)?;
            if existing.is_some()
                || self.transaction.execute(insert, &[&self.map, &&**key, &&**value])? > 0
            {
                return Ok(existing);
            }
        }
    }

    fn update(&mut self, key: &Bytes, value: &Bytes) -> Result<u64, Error> {
        let update = "UPDATE hamok_entries SET value = $3 WHERE map = $1 AND key = $2";
        self.transaction.execute(update, &[&self.map, &&**key, &&**value])
    }

    fn delete(&mut self, key: &Bytes) -> Result<u64, Error> {
        let delete = "DELETE FROM hamok_entries WHERE map = $1 AND key = $2";
        self.transaction.execute(delete, &[&self.map, &&**key])
    }

    /// A page in the order of the keys; it goes on after its last key, if it is full.
    fn page(&mut self, after: Option<&Bytes>, limit: u64) -> Result<Page, Error> {
        let select = "SELECT key, value FROM hamok_entries
            WHERE map = $1 AND ($2::bytea IS NULL OR key > $2) ORDER BY key LIMIT $3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX).max(1);
        let rows =
            self.transaction.query(select, &[&self.map, &after.map(|key| &**key), &limit])?;
        let entry = |row: &Row| (Bytes::copy_from(row.get(0)), Bytes::copy_from(row.get(1)));
        let entries: Vec<(Bytes, Bytes)> = rows.iter().map(entry).collect();
        let full = i64::try_from(entries.len()).is_ok_and(|count| count == limit);
        let next = entries.last().filter(|_| full).map(|(key, _)| key.clone());
        Ok((entries, next))
    }
}
