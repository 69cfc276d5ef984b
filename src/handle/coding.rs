//! From typed values to the bytes that the store keeps, and from its answers to the results of calls.

use alloc::vec::Vec;

use super::Failure;
use super::codec::{Codec, EncodeError, ValueError};
use super::emitter::Delivered;
use crate::bytes::Bytes;
use crate::store::{Answer, Content};
use crate::types::{Index, SessionId};

pub(super) fn nothing(answer: Answer) -> Result<(), Failure> {
    if let Content::Nothing = answer.0 { Ok(()) } else { Err(Failure::WrongReply) }
}

pub(super) fn flag(answer: Answer) -> Result<bool, Failure> {
    if let Content::Flag(flag) = answer.0 { Ok(flag) } else { Err(Failure::WrongReply) }
}

pub(super) fn count(answer: Answer) -> Result<u64, Failure> {
    if let Content::Count(count) = answer.0 { Ok(count) } else { Err(Failure::WrongReply) }
}

pub(super) fn index(answer: Answer) -> Result<Index, Failure> {
    if let Content::Index(index) = answer.0 { Ok(index) } else { Err(Failure::WrongReply) }
}

pub(super) fn delivered(answer: Answer) -> Result<Delivered, Failure> {
    if let Content::Delivered { received, unanswered } = answer.0 {
        Ok(Delivered { received, unanswered })
    } else {
        Err(Failure::WrongReply)
    }
}

pub(super) fn session(answer: Answer) -> Result<SessionId, Failure> {
    if let Content::Session(session) = answer.0 { Ok(session) } else { Err(Failure::WrongReply) }
}

pub(super) fn entries(answer: Answer) -> Result<Vec<(Bytes, Bytes)>, Failure> {
    if let Content::Entries(entries) = answer.0 { Ok(entries) } else { Err(Failure::WrongReply) }
}

pub(super) fn values(answer: Answer) -> Result<Vec<Bytes>, Failure> {
    if let Content::Values(values) = answer.0 { Ok(values) } else { Err(Failure::WrongReply) }
}

/// Whether any of the keys asked for was found.
pub(super) fn found(answer: Answer) -> Result<bool, Failure> {
    if let Content::Keys(keys) = answer.0 { Ok(!keys.is_empty()) } else { Err(Failure::WrongReply) }
}

pub(super) fn all_keys<K, C: Codec<K>>(answer: Answer) -> Result<Vec<K>, Failure> {
    let Content::Keys(keys) = answer.0 else { return Err(Failure::WrongReply) };
    keys.iter().map(|key| Ok(C::decode(key)?)).collect()
}

pub(super) fn all_entries<K, V, C: Codec<K> + Codec<V>>(
    answer: Answer,
) -> Result<Vec<(K, V)>, Failure> {
    let entries = entries(answer)?;
    Ok(entries.iter().map(decode_entry::<K, V, C>).collect::<Result<_, _>>()?)
}

/// The value in an answer of at most one entry.
pub(super) fn first_value<V, C: Codec<V>>(answer: Answer) -> Result<Option<V>, Failure> {
    match entries(answer)?.as_slice() {
        [] => Ok(None),
        [(_, value)] => Ok(Some(C::decode(value)?)),
        [..] => Err(Failure::WrongReply),
    }
}

pub(super) fn bytes<T, C: Codec<T>>(value: &T) -> Result<Bytes, EncodeError> {
    C::encode(value).map(Bytes::from)
}

pub(super) fn entry<K, V, C: Codec<K> + Codec<V>>(
    key: &K,
    value: &V,
) -> Result<(Bytes, Bytes), EncodeError> {
    Ok((bytes::<K, C>(key)?, bytes::<V, C>(value)?))
}

pub(super) fn decode_entry<K, V, C: Codec<K> + Codec<V>>(
    (key, value): &(Bytes, Bytes),
) -> Result<(K, V), ValueError> {
    Ok((C::decode(key)?, C::decode(value)?))
}
