//! An ordered table whose content at one moment can be read while it goes on being changed.
//!
//! Freezing copies nothing. From then on, the first change of a key puts aside what the key held.
//! Keys with nothing to give out, be it that they are new or that they were given out, are noted in
//! stretches and not one by one: however many new keys there are, they take no room, and to step
//! over them takes no time. What is left of the frozen content is what was put aside and, of the
//! table itself, whatever lies in no stretch.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Range;
use core::borrow::Borrow;
use core::ops::{Bound, RangeBounds};

use super::waste::Waste;

/// An ordered table. All operations are O(log n) unless they say otherwise.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    live: BTreeMap<K, V>,
    frozen: Option<Frozen<K, V>>,
    /// What an entry counts when it is freed.
    weigh: fn(&V) -> u64,
}

/// What is left to give out of the content at the freeze.
#[derive(Debug)]
struct Frozen<K, V> {
    /// Values at the freeze, of keys that were changed since.
    before: BTreeMap<K, V>,
    /// Stretches of keys, from first to last, in which nothing is left to give out. Between any two
    /// of them something is.
    settled: BTreeMap<K, K>,
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    pub(super) fn new() -> Self {
        Self::weighing(|_| 1)
    }

    /// A table whose entries are not all alike to free.
    pub(super) fn weighing(weigh: fn(&V) -> u64) -> Self {
        Self { live: BTreeMap::new(), frozen: None, weigh }
    }

    /// O(1).
    pub(super) fn len(&self) -> u64 {
        self.live.len() as u64
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.live.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.preserve(key);
        self.live.get_mut(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.preserve(&key);
        self.live.insert(key, value)
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.preserve(key);
        self.live.remove(key)
    }

    pub(super) fn range(&self, range: impl RangeBounds<K>) -> Range<'_, K, V> {
        self.live.range(range)
    }

    pub(super) fn last_key(&self) -> Option<&K> {
        self.live.last_key_value().map(|(key, _)| key)
    }

    /// Fixes the present content for [`next_frozen`](Self::next_frozen). O(1).
    pub(super) fn freeze(&mut self) {
        assert!(self.frozen.is_none(), "a table is frozen once at a time");
        self.frozen = Some(Frozen { before: BTreeMap::new(), settled: BTreeMap::new() });
    }

    /// Gives out the first entry of a range, as it was at the freeze, that was not given out yet.
    pub(super) fn next_frozen(&mut self, range: impl RangeBounds<K>) -> Option<(K, V)> {
        let frozen = self.frozen.as_mut()?;
        let range = (range.start_bound(), range.end_bound());
        let changed = frozen.before.range(range).next().map(|(key, _)| key.clone());
        let (key, value) = match frozen.first_unchanged(&self.live, range, changed.as_ref()) {
            Some((key, value)) => (key.clone(), value.clone()),
            None => frozen.before.remove_entry(&changed?).expect("a key just found"),
        };
        frozen.settle(key.clone(), &self.live);
        Some((key, value))
    }

    /// Gives up what is left of the frozen content. O(1).
    pub(super) fn thaw(&mut self, waste: &mut Waste)
    where
        K: Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        if let Some(Frozen { before, settled }) = self.frozen.take() {
            let weigh = self.weigh;
            waste.add_weighed(before, move |(_, value)| weigh(value));
            waste.add(settled);
        }
    }

    /// Throws the table away. O(1).
    pub(super) fn discard(mut self, waste: &mut Waste)
    where
        K: Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        self.thaw(waste);
        waste.add_weighed(self.live, move |(_, value)| (self.weigh)(value));
    }

    /// Puts aside what `key` holds, before its first change since the freeze.
    fn preserve(&mut self, key: &K) {
        let Some(frozen) = &mut self.frozen else { return };
        if frozen.stretch_at(key).is_some() || frozen.before.contains_key(key) {
            return;
        }
        match self.live.get(key) {
            Some(value) => {
                frozen.before.insert(key.clone(), value.clone());
            }
            None => frozen.settle(key.clone(), &self.live),
        }
    }
}

impl<K: Ord + Clone, V> Frozen<K, V> {
    /// The last key of the stretch in which `key` lies.
    fn stretch_at(&self, key: &K) -> Option<&K> {
        self.settled.range(..=key).next_back().map(|(_, last)| last).filter(|last| key <= *last)
    }

    /// The first entry of the range that is left and still in place, unless one put aside is before
    /// it.
    fn first_unchanged<'a>(
        &self,
        live: &'a BTreeMap<K, V>,
        range: (Bound<&K>, Bound<&K>),
        changed: Option<&K>,
    ) -> Option<(&'a K, &'a V)> {
        let (mut from, _) = range;
        loop {
            let (key, value) = live.range((from, Bound::Unbounded)).next()?;
            if !range.contains(key) || changed.is_some_and(|changed| changed <= key) {
                return None;
            }
            match self.stretch_at(key) {
                None => return Some((key, value)),
                // Behind the stretch something is left before the next one begins, be it an entry
                // put aside, so there is no third round.
                Some(last) => from = Bound::Excluded(last),
            }
        }
    }

    /// Notes that nothing is left at `key`, and makes one stretch of it and its neighbours if
    /// nothing is left between them either.
    fn settle(&mut self, key: K, live: &BTreeMap<K, V>) {
        let mut stretch = (key.clone(), key.clone());
        if let Some((first, last)) = self.settled.range(..&key).next_back()
            && !self.is_left_between(last, &key, live)
        {
            stretch.0 = first.clone();
        }
        if let Some((first, last)) = self.settled.range(&key..).next()
            && !self.is_left_between(&key, first, live)
        {
            stretch.1 = last.clone();
            let absorbed = first.clone();
            self.settled.remove(&absorbed);
        }
        self.settled.insert(stretch.0, stretch.1);
    }

    /// Whether anything is left between two keys with no stretch between them.
    fn is_left_between(&self, below: &K, above: &K, live: &BTreeMap<K, V>) -> bool {
        let between = (Bound::Excluded(below), Bound::Excluded(above));
        live.range(between).next().is_some() || self.before.range(between).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Action {
        Insert(u8, u8),
        Change(u8, u8),
        Remove(u8),
        Take(u8, u8),
    }

    const KEYS: u8 = 24;

    fn any_action() -> impl Strategy<Value = Action> {
        let pair = (0..KEYS, 0..KEYS);
        prop_oneof![
            3 => (0..KEYS, any::<u8>()).prop_map(|(key, value)| Action::Insert(key, value)),
            2 => (0..KEYS, any::<u8>()).prop_map(|(key, value)| Action::Change(key, value)),
            3 => (0..KEYS).prop_map(Action::Remove),
            2 => pair.prop_map(|(a, b)| Action::Take(a.min(b), a.max(b))),
        ]
    }

    /// Does the same to both, and compares what they answer.
    fn act(table: &mut Table<u8, u8>, live: &mut BTreeMap<u8, u8>, action: &Action) {
        match *action {
            Action::Insert(key, value) => {
                assert_eq!(table.insert(key, value), live.insert(key, value));
            }
            Action::Change(key, value) => {
                let [ours, theirs] = [table.get_mut(&key), live.get_mut(&key)];
                assert_eq!(ours, theirs);
                ours.into_iter().chain(theirs).for_each(|held| *held = value);
            }
            Action::Remove(key) => assert_eq!(table.remove(&key), live.remove(&key)),
            Action::Take(..) => {}
        }
        assert!(table.range(..).eq(&*live));
    }

    fn assert_stretches_are_apart(table: &Table<u8, u8>) {
        let frozen = table.frozen.as_ref().expect("it is frozen");
        let stretches: Vec<_> = frozen.settled.iter().collect();
        for pair in stretches.windows(2) {
            let ((_, last), (first, _)) = (pair[0], pair[1]);
            assert!(last < first && frozen.is_left_between(last, first, &table.live), "{table:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_there_at_the_freeze_comes_out_whatever_happens_meanwhile(
            before in prop::collection::vec(any_action(), 0..40),
            after in prop::collection::vec(any_action(), 0..120),
        ) {
            let (mut table, mut live) = (Table::new(), BTreeMap::new());
            before.iter().for_each(|action| act(&mut table, &mut live, action));
            table.freeze();
            let mut left = live.clone();
            for action in &after {
                act(&mut table, &mut live, action);
                if let Action::Take(first, last) = *action {
                    let next = left.range(first..=last).next().map(|(key, value)| (*key, *value));
                    prop_assert_eq!(table.next_frozen(first..=last), next);
                    next.map(|(key, _)| left.remove(&key));
                }
                assert_stretches_are_apart(&table);
            }
            let rest = core::iter::from_fn(|| table.next_frozen(0..=KEYS));
            prop_assert!(rest.eq(left));
            let frozen = table.frozen.as_ref().expect("it is frozen");
            prop_assert!(frozen.before.is_empty() && frozen.settled.len() <= 1);
        }
    }

    #[test]
    fn any_number_of_new_keys_is_one_stretch() {
        let mut table = Table::new();
        table.insert(0, ());
        table.insert(1000, ());
        table.freeze();
        (1..1000).for_each(|key| assert!(table.insert(key, ()).is_none()));
        (1001..2000).rev().for_each(|key| assert!(table.insert(key, ()).is_none()));
        let frozen = table.frozen.as_ref().expect("it is frozen");
        assert_eq!((frozen.before.len(), frozen.settled.len()), (0, 2));
        assert_eq!(table.next_frozen(0..=3000), Some((0, ())));
        assert_eq!(table.next_frozen(0..=3000), Some((1000, ())));
        assert_eq!(table.next_frozen(0..=3000), None);
    }

    #[test]
    fn what_was_put_aside_is_thrown_away_with_the_freeze() {
        let mut table = Table::weighing(|value| *value);
        (0..3).for_each(|key| assert!(table.insert(key, 10).is_none()));
        table.freeze();
        assert_eq!(table.remove(&1), Some(10));
        let mut waste = Waste::default();
        table.thaw(&mut waste);
        assert_eq!(table.next_frozen(0..=3), None);
        // Ten for the value put aside.
        assert!(waste.spend(&mut 9));
        assert!(!waste.spend(&mut 1));
        table.discard(&mut waste);
        assert!(waste.spend(&mut 11));
        assert!(!waste.spend(&mut 10));
    }
}
