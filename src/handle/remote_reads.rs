//! Reads of a remote map.
//!
//! Each comes in two kinds. A *direct* one is a call that the node makes on the outside store at once,
//! without asking the group. A *linearizable* one, called `read`, first waits until everything that was
//! committed when it was asked for has been executed.

use alloc::vec::Vec;
use core::borrow::Borrow;

use super::codec::Codec;
use super::coding::bytes;
use super::map::encode_keys;
use super::remote_coding::{count, entries, held, is_there, page_of_entries, page_of_keys, value};
use super::remote_map::RemoteMap;
use super::{Call, EncodeError};
use crate::bytes::Bytes;
use crate::store::RemoteQuery;

/// A value as it was read, for [`RemoteMap::update_held`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held<V> {
    /// The value.
    pub value: V,
    pub(super) bytes: Bytes,
}

/// Some of what a remote map holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// About as many as were asked for; there may be more, or none although others follow.
    pub items: Vec<T>,
    /// Where the next page begins; none after the last.
    pub next: Option<Cursor>,
}

/// Where a page begins, in an order of the outside store's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub(super) Bytes);

impl<K, V, C> RemoteMap<K, V, C> {
    /// Reads how many entries there are, directly.
    pub fn len(&self) -> Call<u64> {
        Call::new(self.query(RemoteQuery::Len, false), count)
    }

    /// Reads how many entries there are, linearizably.
    pub fn read_len(&self) -> Call<u64> {
        Call::new(self.query(RemoteQuery::Len, true), count)
    }

    /// Reads whether there are no entries, directly.
    pub fn is_empty(&self) -> Call<bool> {
        self.has_none(false)
    }

    /// Reads whether there are no entries, linearizably.
    pub fn read_is_empty(&self) -> Call<bool> {
        self.has_none(true)
    }
}

impl<K, V, C: Codec<K> + Codec<V>> RemoteMap<K, V, C> {
    /// Reads the value of `key`, directly.
    ///
    /// A direct read sees every operation that is done, and maybe some that are not done yet; through a
    /// copy of the outside store that lags behind, it may lag, too. Whatever this node has applied makes
    /// no difference, nor whether there is a leader. If the store does not answer the call is made again
    /// with ever longer pauses, until the time is up: [`NotExecuted::StoreSilent`](crate::NotExecuted).
    ///
    /// # Errors
    /// If the key does not encode.
    pub fn get(&self, key: &K) -> Result<Call<Option<V>>, EncodeError> {
        Ok(Call::new(self.query(get::<K, C>(key)?, false), value::<V, C>))
    }

    /// Reads the value of `key`, linearizably.
    ///
    /// A linearizable read sees every operation that was done before it was asked for. It takes a round
    /// of heartbeats, as any does, waits for the operations that are queued by then to be executed, and
    /// does not take for an answer what a copy of the outside store says that has not come so far.
    ///
    /// # Errors
    /// If the key does not encode.
    pub fn read(&self, key: &K) -> Result<Call<Option<V>>, EncodeError> {
        Ok(Call::new(self.query(get::<K, C>(key)?, true), value::<V, C>))
    }

    /// Reads the value of `key`, directly, in such a way that it may be
    /// [updated](RemoteMap::update_held) if it still is what was read.
    ///
    /// # Errors
    /// If the key does not encode.
    pub fn get_held(&self, key: &K) -> Result<Call<Option<Held<V>>>, EncodeError> {
        Ok(Call::new(self.query(get::<K, C>(key)?, false), held::<V, C>))
    }

    /// Reads whether `key` has a value, be it one that does not decode, directly. The outside store sends
    /// the value all the same.
    ///
    /// # Errors
    /// If the key does not encode.
    pub fn contains_key(&self, key: &K) -> Result<Call<bool>, EncodeError> {
        Ok(Call::new(self.query(get::<K, C>(key)?, false), is_there))
    }

    /// Reads whether `key` has a value, as [`contains_key`](RemoteMap::contains_key), linearizably.
    ///
    /// # Errors
    /// If the key does not encode.
    pub fn read_contains_key(&self, key: &K) -> Result<Call<bool>, EncodeError> {
        Ok(Call::new(self.query(get::<K, C>(key)?, true), is_there))
    }

    /// Reads all `keys` at one moment, directly. The result is the entries there are, in the order given.
    ///
    /// # Errors
    /// If a key does not encode.
    pub fn get_all(
        &self,
        keys: impl IntoIterator<Item = impl Borrow<K>>,
    ) -> Result<Call<Vec<(K, V)>>, EncodeError> {
        self.entries_of(encode_keys::<K, C>(keys)?, false)
    }

    /// Reads all `keys` at one moment, linearizably. The result is the entries there are, in the order
    /// given.
    ///
    /// # Errors
    /// If a key does not encode.
    pub fn read_all(
        &self,
        keys: impl IntoIterator<Item = impl Borrow<K>>,
    ) -> Result<Call<Vec<(K, V)>>, EncodeError> {
        self.entries_of(encode_keys::<K, C>(keys)?, true)
    }

    /// Reads some of the keys, directly: about as many as `limit`, from the first on or from where
    /// another page ended.
    ///
    /// Whoever follows the pages to the end sees each key that was there all the time at least once.
    /// Whether what comes or goes meanwhile is seen, and whether a key may come twice, depends on the
    /// outside store.
    pub fn keys(&self, from: Option<&Cursor>, limit: u64) -> Call<Page<K>> {
        self.page_of_keys(from, limit, false)
    }

    /// Reads some of the keys, as [`keys`](RemoteMap::keys), linearizably: each page for itself.
    pub fn read_keys(&self, from: Option<&Cursor>, limit: u64) -> Call<Page<K>> {
        self.page_of_keys(from, limit, true)
    }

    /// Reads some of the entries, directly, as [`keys`](RemoteMap::keys) does.
    pub fn entries(&self, from: Option<&Cursor>, limit: u64) -> Call<Page<(K, V)>> {
        self.page_of_entries(from, limit, false)
    }

    /// Reads some of the entries, as [`keys`](RemoteMap::keys) does, linearizably: each page for itself.
    pub fn read_entries(&self, from: Option<&Cursor>, limit: u64) -> Call<Page<(K, V)>> {
        self.page_of_entries(from, limit, true)
    }

    fn entries_of(
        &self,
        keys: Vec<Bytes>,
        ordered: bool,
    ) -> Result<Call<Vec<(K, V)>>, EncodeError> {
        let request = self.query(RemoteQuery::Get(keys.clone()), ordered);
        Ok(Call::with_keys(request, keys.into(), entries::<K, V, C>))
    }

    fn page_of_keys(&self, from: Option<&Cursor>, limit: u64, ordered: bool) -> Call<Page<K>> {
        let query = RemoteQuery::Keys { cursor: from.map(|from| from.0.clone()), limit };
        Call::new(self.query(query, ordered), page_of_keys::<K, C>)
    }

    fn page_of_entries(
        &self,
        from: Option<&Cursor>,
        limit: u64,
        ordered: bool,
    ) -> Call<Page<(K, V)>> {
        let query = RemoteQuery::Entries { cursor: from.map(|from| from.0.clone()), limit };
        Call::new(self.query(query, ordered), page_of_entries::<K, V, C>)
    }
}

fn get<K, C: Codec<K>>(key: &K) -> Result<RemoteQuery, EncodeError> {
    Ok(RemoteQuery::Get([bytes::<K, C>(key)?].into()))
}
