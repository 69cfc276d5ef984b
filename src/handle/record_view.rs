//! What one node holds of a replicated record.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::codec::Codec;
use super::export::Export;
use super::fields;
use super::record::Field;
use super::{Types, ViewError};
use crate::bytes::Bytes;
use crate::store::{CollectionKind, CollectionRef, Contents, Slot};

/// What one node holds of a record: immediate to read, and possibly behind the group.
///
/// A record that no command has named yet has no fields; so has a name that means a collection of another
/// kind, but for the methods that may fail, which say so. Costs are given for a record of *n* fields.
pub struct RecordView<'a, T> {
    record: Option<CollectionRef<'a>>,
    wrong_kind: Option<CollectionKind>,
    types: Types<T, T, ()>,
}

impl<'a, T> RecordView<'a, T> {
    pub(crate) fn new(found: Option<CollectionRef<'a>>) -> Self {
        let is_record = |found: &CollectionRef<'_>| found.kind() == CollectionKind::Record;
        let wrong_kind = found.filter(|found| !is_record(found)).map(CollectionRef::kind);
        Self { record: found.filter(is_record), wrong_kind, types: PhantomData }
    }

    /// How many fields have a value. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        let len = self.record.map_or(0, CollectionRef::len);
        usize::try_from(len).expect("fields in memory are counted by a usize")
    }

    /// Whether none has. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a field, if it has one. O(log n).
    ///
    /// # Errors
    /// If it does not decode, or the name means a collection of another kind.
    pub fn get<V, C: Codec<V>>(&self, field: &Field<V, C>) -> Result<Option<V>, ViewError> {
        let value = self.record()?.and_then(|record| record.get(&field.key()));
        Ok(value.map(|slot| C::decode(&slot.value)).transpose()?)
    }

    /// The whole object. O(m log n) for the *m* fields that `T` names.
    ///
    /// # Errors
    /// If fields are missing that `T` cannot be without, a value does not decode, or the name means a
    /// collection of another kind.
    pub fn instance(&self) -> Result<T, ViewError>
    where
        T: DeserializeOwned,
    {
        let record = self.record()?;
        let value = |name: &str| {
            let slot = record?.get(&name.as_bytes().into())?;
            Some(slot.value.clone())
        };
        fields::put_together(value).map_err(ViewError::Instance)
    }

    /// The names of the fields that have a value, and their bytes, in the order in which they first had
    /// one. O(n) for all.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Cow<'a, str>, &'a Bytes)> + use<'a, T> {
        self.slots().map(|slot| (String::from_utf8_lossy(&slot.key), &slot.value))
    }

    /// A copy of the record that can be kept, carried elsewhere and
    /// [imported](crate::Record::import). O(n).
    ///
    /// # Errors
    /// If the name means a collection of another kind.
    pub fn export(&self) -> Result<Export, ViewError> {
        if let Some(is) = self.wrong_kind {
            return Err(ViewError::WrongKind { is });
        }
        let fields = self.slots().map(|slot| (slot.key.clone(), slot.value.clone()));
        Ok(Export::new(Contents::Record(fields.collect())))
    }

    fn record(&self) -> Result<Option<CollectionRef<'a>>, ViewError> {
        match self.wrong_kind {
            Some(is) => Err(ViewError::WrongKind { is }),
            None => Ok(self.record),
        }
    }

    fn slots(&self) -> impl DoubleEndedIterator<Item = &'a Slot> + use<'a, T> {
        self.record.into_iter().flat_map(CollectionRef::slots)
    }
}

impl<T> Clone for RecordView<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for RecordView<'_, T> {}

impl<T> fmt::Debug for RecordView<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
