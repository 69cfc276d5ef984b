//! The typed face of a remote map.

use alloc::string::String;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::marker::PhantomData;

use super::codec::{Codec, Postcard, ValueError};
use super::coding::{bytes, entry};
use super::collection::sealed::Named;
use super::collection::{Collection, Label};
use super::map::{encode_entries, encode_keys};
use super::remote_coding::{count, entries, flag, keys_there, none, nothing, value, was_there};
use super::remote_reads::Held;
use super::{Call, EncodeError, Failure, Types};
use crate::bytes::Bytes;
use crate::io::{RemoteRead, Request, What};
use crate::store::{
    Answer, Change, ChangeKind, CollectionCommand, CollectionKind, EntryChange, NameTooLong,
    RemoteCommand, RemoteOperation, RemoteQuery, StoreError,
};
use crate::types::{Index, Ticks};

/// A map whose entries are in an outside store, such as Redis or PostgreSQL, and whose operations the
/// group orders.
///
/// The handle is a constant, as that of a [`Map`](crate::Map). Every node that may lead must be able to
/// reach the outside store, and every node that is asked to read: what is to be done there comes out of
/// [`Node::step`](crate::Node::step) as [`Output::Remote`](crate::Output::Remote).
///
/// An operation is queued by a committed entry, executed by the leader of the day, and its outcome is
/// committed in turn; then the call is done. It takes effect exactly once, whatever becomes of leaders
/// and answers, as long as the outside store keeps the row that [`Fence`](crate::Fence) is about. While
/// the outside store cannot be reached the operations wait, in their order; a call whose time is up
/// meanwhile ends as [`Unknown::TimedOut`](crate::Unknown), and may take effect later. The queue is
/// bounded by [`RemoteQueueLimits`](crate::RemoteQueueLimits); beyond it a call is
/// [refused](crate::Refusal::RemoteQueueFull). What the outside store refuses for good is
/// [`Failure::Store`](crate::Failure). A result larger than
/// [`Config::max_entry_bytes`](crate::Config) is not carried: the operation is done, and its call ends as
/// [`Unknown::ResultForgotten`](crate::Unknown); of a call that is split, what comes after it is not begun.
///
/// The changes are [`Event::Changed`](crate::Event) on every node, in the order of the operations, and
/// [`event`](RemoteMap::event) gives them their types. They derive from what an operation answers, so
/// the values that a deletion takes out are carried through the log for them;
/// [`without_events`](RemoteMap::without_events) spares that. Values that are the operation's own result
/// are carried in any case.
///
/// Two keys, or two values, are equal when their bytes are. The entries have the order that the outside
/// store gives them. A command costs two entries of the log and one call, however many keys it names; a
/// read costs one call. A call that is "one operation" is several when it has more than
/// [`Config::max_keys`](crate::Config) or [`max_values`](crate::Config), and then is not atomic.
///
/// ```
/// use hamok::RemoteMap;
///
/// const USERS: RemoteMap<String, String> = RemoteMap::new("users");
///
/// let (request, ticket) = USERS.insert(&"alice".into(), &"Alice".into())?.into_parts();
/// // node.step(Input::Request(id, request)); later, with the reply to `id`:
/// // let existing: Option<String> = ticket.redeem(reply)?;
/// # let _ = (request, ticket);
/// # Ok::<(), hamok::EncodeError>(())
/// ```
pub struct RemoteMap<K, V, C = Postcard> {
    label: Label,
    events: bool,
    types: Types<K, V, C>,
}

/// A change of a remote map.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteMapEvent<K, V> {
    /// A key came in.
    Insert {
        /// The key.
        key: K,
        /// Its value.
        value: V,
    },
    /// A key was given a value again, equal to the old one or not.
    Update {
        /// The key.
        key: K,
        /// The value it had.
        old: V,
        /// The value it has.
        new: V,
    },
    /// A key was taken out.
    Remove {
        /// The key.
        key: K,
        /// The value it had.
        value: V,
    },
    /// All entries were taken out at once. Clearing an empty map changes nothing and is no event.
    Clear,
    /// The outside store refused an operation for good, and changed nothing.
    ApplyFailed {
        /// The operation.
        index: Index,
        /// The store's words.
        error: StoreError,
    },
    /// The group holds the map no more. The outside store has its entries still.
    Dropped,
}

impl<K, V, C> RemoteMap<K, V, C> {
    /// The remote map of that name.
    ///
    /// # Panics
    /// If the name is longer than 255 bytes; for a constant, that is an error of compilation.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { label: Label::new(name), events: true, types: PhantomData }
    }

    /// The remote map of a name that is known only when the program runs.
    ///
    /// # Errors
    /// [`NameTooLong`] if it is longer than 255 bytes.
    pub fn named(name: String) -> Result<Self, NameTooLong> {
        Ok(Self { label: Label::named(name)?, events: true, types: PhantomData })
    }

    /// The same map, whose calls end after `timeout`, unless they bring another
    /// ([`Call::with_timeout`]), instead of [`Config::request_timeout`](crate::Config).
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Ticks) -> Self {
        self.label.set_timeout(timeout);
        self
    }

    /// The same map, but what is done through this handle is not reported as changes.
    /// [`delete`](RemoteMap::delete) and [`delete_all`](RemoteMap::delete_all) then carry no values.
    #[must_use]
    pub const fn without_events(mut self) -> Self {
        self.events = false;
        self
    }

    /// Takes out all entries. The result is how many there were.
    ///
    /// One [`RemoteMapEvent::Clear`], unless the map was empty. The row by which the store tells
    /// repetitions stays. O(n) in the outside store.
    pub fn clear(&self) -> Call<u64> {
        self.command(RemoteOperation::Clear, count)
    }

    /// Makes the entries that the outside store has under this name those of this group, whatever its row
    /// says. The TypeScript library has no such row.
    ///
    /// For a group that takes over the entries of another, or of an earlier one of the same nodes; or
    /// after the map was dropped, or the store restored from a copy: until then every operation is
    /// [turned away](crate::Event::RemoteRefused), this one excepted and those that were queued before
    /// it. The other group must be gone: if both adopt in turn, the operations of both take effect. Of a
    /// group that was [recovered](crate::Node::recover), an operation that was executed and whose outcome was
    /// lost takes effect again. No event.
    pub fn adopt(&self) -> Call<()> {
        self.queue(RemoteCommand::Adopt, nothing)
    }

    /// Asks for nothing but an answer: it comes once everything that was committed when it was asked has
    /// been executed by the outside store. Direct reads, by any node, then see at least that.
    ///
    /// Costs no call and no entry of the log. Its time being up, it ends as
    /// [`NotExecuted::StoreSilent`](crate::NotExecuted) if operations still wait.
    pub fn sync(&self) -> Call<()> {
        let read = RemoteRead { map: self.label.stored(), query: None, ordered: true };
        Call::new(self.label.request(What::RemoteRead(read)), super::coding::nothing)
    }

    fn command<R>(
        &self,
        operation: RemoteOperation,
        read: fn(Answer) -> Result<R, Failure>,
    ) -> Call<R> {
        self.queue(RemoteCommand::Run { operation, events: self.events }, read)
    }

    fn queue<R>(&self, command: RemoteCommand, read: fn(Answer) -> Result<R, Failure>) -> Call<R> {
        Call::new(self.request(command), read)
    }

    /// A command whose answer is in the order of keys.
    fn bulk<R>(
        &self,
        operation: RemoteOperation,
        keys: Vec<Bytes>,
        read: fn(&[Bytes], Answer) -> Result<R, Failure>,
    ) -> Call<R> {
        let command = RemoteCommand::Run { operation, events: self.events };
        Call::with_keys(self.request(command), keys.into(), read)
    }

    fn request(&self, command: RemoteCommand) -> Request {
        self.label.command(CollectionCommand::RemoteMap(command))
    }

    /// A read of the outside store.
    pub(super) fn query(&self, query: RemoteQuery, ordered: bool) -> Request {
        let (map, query) = (self.label.stored(), Some(query));
        self.label.request(What::RemoteRead(RemoteRead { map, query, ordered }))
    }

    pub(super) fn has_none(&self, ordered: bool) -> Call<bool> {
        Call::new(self.query(RemoteQuery::Len, ordered), none)
    }
}

impl<K, V, C: Codec<K> + Codec<V>> RemoteMap<K, V, C> {
    /// Gives `key` the value, whether or not it has one. The result is the previous value.
    ///
    /// One [`RemoteMapEvent::Insert`], or one [`RemoteMapEvent::Update`] even if the values are equal.
    ///
    /// # Errors
    /// If key or value does not encode.
    pub fn set(&self, key: &K, value: &V) -> Result<Call<Option<V>>, EncodeError> {
        let operation = RemoteOperation::Set([entry::<K, V, C>(key, value)?].into());
        Ok(self.command(operation, self::value::<V, C>))
    }

    /// Sets all `entries`, in the order given and in one operation. The result is the previous entries, of the
    /// keys that had a value.
    ///
    /// Like [`set`](RemoteMap::set) for each in turn: a key given twice is set twice, and reported twice.
    ///
    /// # Errors
    /// If a key or value does not encode.
    pub fn set_all(
        &self,
        entries: impl IntoIterator<Item = (impl Borrow<K>, impl Borrow<V>)>,
    ) -> Result<Call<Vec<(K, V)>>, EncodeError> {
        let encoded = encode_entries::<K, V, C>(entries)?;
        let keys = keys_of(&encoded);
        Ok(self.bulk(RemoteOperation::Set(encoded), keys, self::entries::<K, V, C>))
    }

    /// Gives `key` the value if it has none. The result is the value it has already, which stays, or
    /// `None` if this one was inserted. (In the TypeScript library, it overwrites.)
    ///
    /// One [`RemoteMapEvent::Insert`] if it was inserted.
    ///
    /// # Errors
    /// If key or value does not encode.
    pub fn insert(&self, key: &K, value: &V) -> Result<Call<Option<V>>, EncodeError> {
        let operation = RemoteOperation::Insert([entry::<K, V, C>(key, value)?].into());
        Ok(self.command(operation, self::value::<V, C>))
    }

    /// Inserts those of `entries` whose keys have no value, in the order given and in one operation. The
    /// result is the entries which were there already, and stay.
    ///
    /// Like [`insert`](RemoteMap::insert) for each in turn: of a key given twice, the first value is
    /// inserted and is in the way of the second.
    ///
    /// # Errors
    /// If a key or value does not encode.
    pub fn insert_all(
        &self,
        entries: impl IntoIterator<Item = (impl Borrow<K>, impl Borrow<V>)>,
    ) -> Result<Call<Vec<(K, V)>>, EncodeError> {
        let encoded = encode_entries::<K, V, C>(entries)?;
        let keys = keys_of(&encoded);
        Ok(self.bulk(RemoteOperation::Insert(encoded), keys, self::entries::<K, V, C>))
    }

    /// Gives `key` the value if the one it has equals `expected`, byte for byte. The result is whether
    /// it did.
    ///
    /// One [`RemoteMapEvent::Update`] if it did. A key without a value equals nothing.
    ///
    /// # Errors
    /// If key or either value does not encode.
    pub fn update_if(&self, key: &K, value: &V, expected: &V) -> Result<Call<bool>, EncodeError> {
        self.update_from(key, value, bytes::<V, C>(expected)?)
    }

    /// Gives `key` the value if the one it has is still the one that was read, byte for byte. The result
    /// is whether it did.
    ///
    /// With [`get_held`](RemoteMap::get_held) this makes any condition on the old value, and any new value
    /// made from it, a matter of the caller's own: look at the [`Held`] value, and if it satisfies you,
    /// update it. A value that was changed and changed back meanwhile is the one that was read. The
    /// TypeScript library runs its `equalValues` at the leader instead. Otherwise like
    /// [`update_if`](RemoteMap::update_if).
    ///
    /// # Errors
    /// If key or value does not encode.
    pub fn update_held(
        &self,
        key: &K,
        value: &V,
        held: &Held<V>,
    ) -> Result<Call<bool>, EncodeError> {
        self.update_from(key, value, held.bytes.clone())
    }

    /// Takes out `key`. The result is the value it had. (In the TypeScript library, a bool.)
    ///
    /// One [`RemoteMapEvent::Remove`] if it had one.
    ///
    /// # Errors
    /// If the key does not encode.
    pub fn remove(&self, key: &K) -> Result<Call<Option<V>>, EncodeError> {
        let operation = RemoteOperation::Remove([bytes::<K, C>(key)?].into());
        Ok(self.command(operation, value::<V, C>))
    }

    /// Takes out all `keys`, in the order given and in one operation. The result is the entries removed.
    ///
    /// Like [`remove`](RemoteMap::remove) for each in turn: a key given twice is removed once.
    ///
    /// # Errors
    /// If a key does not encode.
    pub fn remove_all(
        &self,
        keys: impl IntoIterator<Item = impl Borrow<K>>,
    ) -> Result<Call<Vec<(K, V)>>, EncodeError> {
        let keys = encode_keys::<K, C>(keys)?;
        Ok(self.bulk(RemoteOperation::Remove(keys.clone()), keys, entries::<K, V, C>))
    }

    /// Takes out `key` if its value equals `expected`, byte for byte. The result is whether it did; the
    /// TypeScript library leaves a mismatch to time out.
    ///
    /// One [`RemoteMapEvent::Remove`] if it did.
    ///
    /// # Errors
    /// If key or value does not encode.
    pub fn remove_if(&self, key: &K, expected: &V) -> Result<Call<bool>, EncodeError> {
        let (key, expected) = entry::<K, V, C>(key, expected)?;
        Ok(self.command(RemoteOperation::RemoveIf { key, expected }, flag))
    }

    /// Takes out `key` without giving its value to the asker. The result is whether it had one.
    ///
    /// One [`RemoteMapEvent::Remove`] if it had one, for whose sake the value is carried through the log;
    /// [`without_events`](RemoteMap::without_events) it is not.
    ///
    /// # Errors
    /// If the key does not encode.
    pub fn delete(&self, key: &K) -> Result<Call<bool>, EncodeError> {
        let operation = self.deletion([bytes::<K, C>(key)?].into());
        Ok(self.command(operation, was_there))
    }

    /// Takes out all `keys`, in the order given and in one operation, without giving their values to the
    /// asker. The result is the keys that had one.
    ///
    /// Like [`delete`](RemoteMap::delete) for each in turn.
    ///
    /// # Errors
    /// If a key does not encode.
    pub fn delete_all(
        &self,
        keys: impl IntoIterator<Item = impl Borrow<K>>,
    ) -> Result<Call<Vec<K>>, EncodeError> {
        let keys = encode_keys::<K, C>(keys)?;
        Ok(self.bulk(self.deletion(keys.clone()), keys, keys_there::<K, C>))
    }

    /// Gives a change its types, if it is one of this map.
    ///
    /// # Errors
    /// If the key or a value does not decode.
    pub fn event(&self, change: &Change) -> Option<Result<RemoteMapEvent<K, V>, ValueError>> {
        if change.collection() != self.name() {
            return None;
        }
        match &change.kind {
            ChangeKind::RemoteMap { change, .. } => Some(event::<K, V, C>(change)),
            ChangeKind::RemoteFailed { operation, error } => {
                let (index, error) = (*operation, error.clone());
                Some(Ok(RemoteMapEvent::ApplyFailed { index, error }))
            }
            ChangeKind::Dropped(CollectionKind::RemoteMap) => Some(Ok(RemoteMapEvent::Dropped)),
            ChangeKind::Map(_)
            | ChangeKind::Queue(_)
            | ChangeKind::Record(_)
            | ChangeKind::Emitter(_)
            | ChangeKind::Dropped(_) => None,
        }
    }

    fn update_from(&self, key: &K, value: &V, expected: Bytes) -> Result<Call<bool>, EncodeError> {
        let (key, value) = entry::<K, V, C>(key, value)?;
        Ok(self.command(RemoteOperation::UpdateIf { key, value, expected }, flag))
    }

    /// What takes keys out: the values are carried only to be reported.
    fn deletion(&self, keys: Vec<Bytes>) -> RemoteOperation {
        if self.events { RemoteOperation::Remove(keys) } else { RemoteOperation::Delete(keys) }
    }
}

impl<K, V, C> Named for RemoteMap<K, V, C> {
    const KIND: CollectionKind = CollectionKind::RemoteMap;

    fn label(&self) -> &Label {
        &self.label
    }
}

impl<K, V, C> Collection for RemoteMap<K, V, C> {}

impl<K, V, C> Clone for RemoteMap<K, V, C> {
    fn clone(&self) -> Self {
        Self { label: self.label.clone(), events: self.events, types: PhantomData }
    }
}

impl<K, V, C> fmt::Debug for RemoteMap<K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteMap").field(&self.name()).finish()
    }
}

fn keys_of(entries: &[(Bytes, Bytes)]) -> Vec<Bytes> {
    entries.iter().map(|(key, _)| key.clone()).collect()
}

fn event<K, V, C: Codec<K> + Codec<V>>(
    change: &EntryChange,
) -> Result<RemoteMapEvent<K, V>, ValueError> {
    Ok(match change {
        EntryChange::Insert { key, value } => {
            RemoteMapEvent::Insert { key: C::decode(key)?, value: C::decode(value)? }
        }
        EntryChange::Update { key, old, new } => {
            let (old, new) = (C::decode(old)?, C::decode(new)?);
            RemoteMapEvent::Update { key: C::decode(key)?, old, new }
        }
        EntryChange::Remove { key, value } => {
            RemoteMapEvent::Remove { key: C::decode(key)?, value: C::decode(value)? }
        }
        EntryChange::Clear => RemoteMapEvent::Clear,
    })
}
