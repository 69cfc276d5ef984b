//! What one node holds of a replicated map.

use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::marker::PhantomData;

use super::Types;
use super::codec::{Codec, EncodeError, Postcard, ValueError};
use super::coding::bytes;
use super::export::Export;
use super::fields::InstanceError;
use crate::bytes::Bytes;
use crate::store::{CollectionKind, CollectionRef, Contents, Slot};

/// What one node holds of a map: immediate to read, and possibly behind the group.
///
/// A map that no command has named yet reads as an empty one; so does a name that means a collection of
/// another kind, but for the methods that may fail, which say so. The order is that of insertion, the
/// same on all nodes. Costs are given for a map of *n* entries.
pub struct MapView<'a, K, V, C = Postcard> {
    map: Option<CollectionRef<'a>>,
    wrong_kind: Option<CollectionKind>,
    types: Types<K, V, C>,
}

/// Why a local read has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ViewError {
    /// A key or value of the caller's does not encode.
    Encode(EncodeError),
    /// A key or value that is held does not decode.
    Value(ValueError),
    /// The fields that are held make no instance.
    Instance(InstanceError),
    /// The name means a collection of another kind.
    WrongKind {
        /// What it is.
        is: CollectionKind,
    },
}

impl<'a, K, V, C> MapView<'a, K, V, C> {
    pub(crate) fn new(found: Option<CollectionRef<'a>>) -> Self {
        let is_map = |found: &CollectionRef<'_>| found.kind() == CollectionKind::Map;
        let wrong_kind = found.filter(|found| !is_map(found)).map(CollectionRef::kind);
        Self { map: found.filter(is_map), wrong_kind, types: PhantomData }
    }

    /// How many entries there are. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        let len = self.map.map_or(0, CollectionRef::len);
        usize::try_from(len).expect("entries in memory are counted by a usize")
    }

    /// Whether there are no entries. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of the map that can be kept, carried elsewhere and [imported](crate::Map::import). O(n).
    ///
    /// # Errors
    /// If the name means a collection of another kind.
    pub fn export(&self) -> Result<Export, ViewError> {
        if let Some(is) = self.wrong_kind {
            return Err(ViewError::WrongKind { is });
        }
        let entries = self.slots().map(|slot| (slot.key.clone(), slot.value.clone()));
        Ok(Export::new(Contents::Map(entries.collect())))
    }

    pub(super) fn slot(&self, key: &Bytes) -> Result<Option<&'a Slot>, ViewError> {
        match self.wrong_kind {
            Some(is) => Err(ViewError::WrongKind { is }),
            None => Ok(self.map.and_then(|map| map.get(key))),
        }
    }

    fn slots(&self) -> impl DoubleEndedIterator<Item = &'a Slot> + use<'a, K, V, C> {
        self.map.into_iter().flat_map(CollectionRef::slots)
    }
}

impl<'a, K, V, C: Codec<K> + Codec<V>> MapView<'a, K, V, C> {
    /// The value of `key`. O(log n).
    ///
    /// # Errors
    /// If the key does not encode or the value does not decode, or the name means a collection of another
    /// kind.
    pub fn get(&self, key: &K) -> Result<Option<V>, ViewError> {
        let slot = self.slot(&bytes::<K, C>(key)?)?;
        Ok(slot.map(|slot| C::decode(&slot.value)).transpose()?)
    }

    /// The entries of those `keys` that have a value, in the order given. O(log n) for each.
    ///
    /// # Errors
    /// If a key does not encode, or an entry does not decode, or the name means a collection of another
    /// kind.
    pub fn get_all(
        &self,
        keys: impl IntoIterator<Item = impl Borrow<K>>,
    ) -> Result<Vec<(K, V)>, ViewError> {
        let mut found = Vec::new();
        for key in keys {
            if let Some(slot) = self.slot(&bytes::<K, C>(key.borrow())?)? {
                found.push(entry::<K, V, C>(slot)?);
            }
        }
        Ok(found)
    }

    /// Whether `key` has a value, be it one that does not decode. O(log n).
    ///
    /// # Errors
    /// If the key does not encode, or the name means a collection of another kind.
    pub fn contains_key(&self, key: &K) -> Result<bool, ViewError> {
        Ok(self.slot(&bytes::<K, C>(key)?)?.is_some())
    }

    /// The keys, in insertion order. O(n) for all.
    pub fn keys(
        &self,
    ) -> impl DoubleEndedIterator<Item = Result<K, ValueError>> + use<'a, K, V, C> {
        self.slots().map(|slot| C::decode(&slot.key))
    }

    /// The values, in the order in which their keys were inserted. O(n) for all.
    pub fn values(
        &self,
    ) -> impl DoubleEndedIterator<Item = Result<V, ValueError>> + use<'a, K, V, C> {
        self.slots().map(|slot| C::decode(&slot.value))
    }

    /// The entries, in insertion order. O(n) for all.
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = Result<(K, V), ValueError>> + use<'a, K, V, C> {
        self.slots().map(entry::<K, V, C>)
    }
}

fn entry<K, V, C: Codec<K> + Codec<V>>(slot: &Slot) -> Result<(K, V), ValueError> {
    Ok((C::decode(&slot.key)?, C::decode(&slot.value)?))
}

impl<K, V, C> Clone for MapView<'_, K, V, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V, C> Copy for MapView<'_, K, V, C> {}

impl<K, V, C> fmt::Debug for MapView<'_, K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.slots().map(|slot| (&slot.key, &slot.value));
        f.debug_map().entries(entries).finish()
    }
}

impl From<EncodeError> for ViewError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<ValueError> for ViewError {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => error.fmt(f),
            Self::Value(error) => error.fmt(f),
            Self::Instance(error) => error.fmt(f),
            Self::WrongKind { is } => write!(f, "the name means a {is}"),
        }
    }
}

impl core::error::Error for ViewError {}
