//! From the answers of outside stores to the results of calls.

use alloc::vec::Vec;

use super::codec::Codec;
use super::remote_reads::{Cursor, Held, Page};
use super::{Failure, ValueError};
use crate::bytes::Bytes;
use crate::io::Unknown;
use crate::store::{Answer, Content, RemoteAnswer, RemoteOutcome};

pub(super) fn nothing(answer: Answer) -> Result<(), Failure> {
    if outcome(answer)? == RemoteAnswer::Nothing { Ok(()) } else { Err(Failure::WrongReply) }
}

pub(super) fn count(answer: Answer) -> Result<u64, Failure> {
    if let RemoteAnswer::Count(count) = outcome(answer)? {
        Ok(count)
    } else {
        Err(Failure::WrongReply)
    }
}

/// Whether a count is 0.
pub(super) fn none(answer: Answer) -> Result<bool, Failure> {
    Ok(count(answer)? == 0)
}

/// The only flag there is.
pub(super) fn flag(answer: Answer) -> Result<bool, Failure> {
    match flags(answer)?.as_slice() {
        [flag] => Ok(*flag),
        [..] => Err(Failure::WrongReply),
    }
}

/// The value of the only key that was asked about.
pub(super) fn value<V, C: Codec<V>>(answer: Answer) -> Result<Option<V>, Failure> {
    Ok(only(answer)?.map(|value| C::decode(&value)).transpose()?)
}

/// The same with its bytes.
pub(super) fn held<V, C: Codec<V>>(answer: Answer) -> Result<Option<Held<V>>, Failure> {
    let held = |bytes: Bytes| -> Result<Held<V>, ValueError> {
        Ok(Held { value: C::decode(&bytes)?, bytes })
    };
    Ok(only(answer)?.map(held).transpose()?)
}

/// Whether the only key that was asked about has a value.
pub(super) fn is_there(answer: Answer) -> Result<bool, Failure> {
    Ok(only(answer)?.is_some())
}

/// Those of the keys that have a value, with it.
pub(super) fn entries<K, V, C: Codec<K> + Codec<V>>(
    keys: &[Bytes],
    answer: Answer,
) -> Result<Vec<(K, V)>, Failure> {
    let found = keys.iter().zip(values(answer)?).filter_map(|(key, value)| Some((key, value?)));
    let entry = |(key, value): (&Bytes, Bytes)| Ok((C::decode(key)?, C::decode(&value)?));
    found.map(entry).collect()
}

/// Those of the keys that had a value, which is told or is not.
pub(super) fn keys_there<K, C: Codec<K>>(
    keys: &[Bytes],
    answer: Answer,
) -> Result<Vec<K>, Failure> {
    let found = keys.iter().zip(there(answer)?).filter(|(_, there)| *there);
    found.map(|(key, _)| Ok(C::decode(key)?)).collect()
}

/// Whether the only key had a value, which is told or is not.
pub(super) fn was_there(answer: Answer) -> Result<bool, Failure> {
    match there(answer)?.as_slice() {
        [there] => Ok(*there),
        [..] => Err(Failure::WrongReply),
    }
}

pub(super) fn page_of_keys<K, C: Codec<K>>(answer: Answer) -> Result<Page<K>, Failure> {
    let RemoteAnswer::Keys { keys, next } = outcome(answer)? else {
        return Err(Failure::WrongReply);
    };
    let items = keys.iter().map(|key| C::decode(key)).collect::<Result<_, _>>()?;
    Ok(Page { items, next: next.map(Cursor) })
}

pub(super) fn page_of_entries<K, V, C: Codec<K> + Codec<V>>(
    answer: Answer,
) -> Result<Page<(K, V)>, Failure> {
    let RemoteAnswer::Entries { entries, next } = outcome(answer)? else {
        return Err(Failure::WrongReply);
    };
    let entry =
        |(key, value): &(Bytes, Bytes)| Ok::<_, ValueError>((C::decode(key)?, C::decode(value)?));
    let items = entries.iter().map(entry).collect::<Result<_, _>>()?;
    Ok(Page { items, next: next.map(Cursor) })
}

fn only(answer: Answer) -> Result<Option<Bytes>, Failure> {
    match values(answer)?.as_mut_slice() {
        [value] => Ok(value.take()),
        [..] => Err(Failure::WrongReply),
    }
}

fn values(answer: Answer) -> Result<Vec<Option<Bytes>>, Failure> {
    if let RemoteAnswer::Values(values) = outcome(answer)? {
        Ok(values)
    } else {
        Err(Failure::WrongReply)
    }
}

/// For each key whether it had a value, which is told or is not.
fn there(answer: Answer) -> Result<Vec<bool>, Failure> {
    match outcome(answer)? {
        RemoteAnswer::Values(values) => Ok(values.iter().map(Option::is_some).collect()),
        RemoteAnswer::Flags(flags) => Ok(flags),
        RemoteAnswer::Nothing
        | RemoteAnswer::Count(_)
        | RemoteAnswer::Keys { .. }
        | RemoteAnswer::Entries { .. }
        | RemoteAnswer::TooLarge { .. } => Err(Failure::WrongReply),
    }
}

fn flags(answer: Answer) -> Result<Vec<bool>, Failure> {
    if let RemoteAnswer::Flags(flags) = outcome(answer)? {
        Ok(flags)
    } else {
        Err(Failure::WrongReply)
    }
}

fn outcome(answer: Answer) -> Result<RemoteAnswer, Failure> {
    let Content::Remote(outcome) = answer.0 else { return Err(Failure::WrongReply) };
    match outcome {
        // It was done, and nobody can tell more.
        RemoteOutcome::Done(RemoteAnswer::TooLarge { .. }) => {
            Err(Failure::Unknown(Unknown::ResultForgotten))
        }
        RemoteOutcome::Done(answer) => Ok(answer),
        RemoteOutcome::Failed(error) => Err(Failure::Store(error)),
    }
}
