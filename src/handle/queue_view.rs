//! What one node holds of a replicated queue.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use super::codec::{Codec, Postcard, ValueError};
use super::export::Export;
use super::{Types, ViewError};
use crate::store::{CollectionKind, CollectionRef, Contents, Slot};

/// What one node holds of a queue: immediate to read, and possibly behind the group.
///
/// A queue that no command has named yet reads as an empty one, and so does a name that means a
/// collection of another kind, but for [`peek`](QueueView::peek) and [`export`](QueueView::export), which
/// say so. Costs are given for a
/// queue of *n* values.
pub struct QueueView<'a, T, C = Postcard> {
    queue: Option<CollectionRef<'a>>,
    wrong_kind: Option<CollectionKind>,
    types: Types<T, T, C>,
}

impl<'a, T, C> QueueView<'a, T, C> {
    pub(crate) fn new(found: Option<CollectionRef<'a>>) -> Self {
        let is_queue = |found: &CollectionRef<'_>| found.kind() == CollectionKind::Queue;
        let wrong_kind = found.filter(|found| !is_queue(found)).map(CollectionRef::kind);
        Self { queue: found.filter(is_queue), wrong_kind, types: PhantomData }
    }

    /// How many values there are. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        let len = self.queue.map_or(0, CollectionRef::len);
        usize::try_from(len).expect("values in memory are counted by a usize")
    }

    /// Whether there are no values. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of the queue that can be kept, carried elsewhere and
    /// [imported](crate::Queue::import). O(n).
    ///
    /// # Errors
    /// If the name means a collection of another kind.
    pub fn export(&self) -> Result<Export, ViewError> {
        if let Some(is) = self.wrong_kind {
            return Err(ViewError::WrongKind { is });
        }
        let values: Vec<_> = self.slots().map(|slot| slot.value.clone()).collect();
        Ok(Export::new(Contents::Queue(values)))
    }

    fn slots(&self) -> impl DoubleEndedIterator<Item = &'a Slot> + use<'a, T, C> {
        self.queue.into_iter().flat_map(CollectionRef::slots)
    }
}

impl<'a, T, C: Codec<T>> QueueView<'a, T, C> {
    /// The value at the front. O(log n).
    ///
    /// # Errors
    /// If it does not decode, or the name means a collection of another kind.
    pub fn peek(&self) -> Result<Option<T>, ViewError> {
        match self.wrong_kind {
            Some(is) => Err(ViewError::WrongKind { is }),
            None => Ok(self.iter().next().transpose()?),
        }
    }

    /// The values, from the front on. O(n) for all.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Result<T, ValueError>> + use<'a, T, C> {
        self.slots().map(|slot| C::decode(&slot.value))
    }
}

impl<T, C> Clone for QueueView<'_, T, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, C> Copy for QueueView<'_, T, C> {}

impl<T, C> fmt::Debug for QueueView<'_, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.slots().map(|slot| &slot.value)).finish()
    }
}
