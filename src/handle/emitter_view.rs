//! What one node holds of a replicated event emitter.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use super::Types;
use super::codec::{Codec, Postcard, ValueError};
use super::emitter::{named, text};
use crate::store::{CollectionKind, CollectionRef, Slot, Store, Subscription, subscribers};
use crate::types::{NodeId, Peer};

/// What one node holds of an emitter's subscriptions: immediate to read, and possibly behind the group.
///
/// An emitter that no command has named yet reads as one without subscriptions, and so does a name that
/// means a collection of another kind. Costs are given for an emitter of *n* subscriptions in a group of
/// *m* members.
pub struct EmitterView<'a, E, M = (), C = Postcard> {
    emitter: Option<CollectionRef<'a>>,
    members: &'a BTreeSet<Peer>,
    types: Types<E, M, C>,
}

impl<'a, E, M, C> EmitterView<'a, E, M, C> {
    pub(crate) fn new(store: &'a Store, name: &str) -> Self {
        let found = store.collection(name);
        let emitter = found.filter(|found| found.kind() == CollectionKind::Emitter);
        Self { emitter, members: store.members(), types: PhantomData }
    }

    /// How many subscriptions there are, to all events together. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        let len = self.emitter.map_or(0, CollectionRef::len);
        usize::try_from(len).expect("subscriptions in memory are counted by a usize")
    }

    /// Whether there are no subscriptions. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Who subscribed to an event, in the order of their ids: those whom this node would send it to.
    /// O(m log n).
    #[must_use]
    pub fn subscribers(&self, event: &str) -> Vec<NodeId> {
        subscribers(self.emitter, self.members, &named(event)).map(|peer| peer.id).collect()
    }

    fn slots(&self) -> impl DoubleEndedIterator<Item = &'a Slot> + use<'a, E, M, C> {
        self.emitter.into_iter().flat_map(CollectionRef::slots)
    }
}

impl<'a, E, M, C: Codec<M>> EmitterView<'a, E, M, C> {
    /// The subscriptions: the event, who subscribed to it, and what that node says of itself; in the
    /// order in which they came, the same on all nodes. O(n) for all.
    pub fn subscriptions(
        &self,
    ) -> impl DoubleEndedIterator<Item = Result<(String, NodeId, M), ValueError>> + use<'a, E, M, C>
    {
        self.slots().map(|slot| {
            let Subscription { event, subscriber } =
                Subscription::of(slot).ok_or(ValueError::Malformed)?;
            Ok((text(&event)?, subscriber.id, C::decode(&slot.value)?))
        })
    }
}

impl<E, M, C> Clone for EmitterView<'_, E, M, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, M, C> Copy for EmitterView<'_, E, M, C> {}

impl<E, M, C> fmt::Debug for EmitterView<'_, E, M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subscriptions = self.slots().filter_map(|slot| {
            let Subscription { event, subscriber } = Subscription::of(slot)?;
            Some(((event, subscriber), &slot.value))
        });
        f.debug_map().entries(subscriptions).finish()
    }
}
