//! What is thrown away but not yet freed.
//!
//! To free a tree takes time in proportion to its elements, so that dropping a large one would stall
//! a single step. Here it waits to be freed a few elements at a time.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// Parts of the replicated state that nothing refers to any more.
///
/// Dropping it frees whatever is left at once.
#[derive(Default)]
pub(crate) struct Waste {
    /// Each frees its next element and tells what that one counted.
    piles: Vec<Box<dyn Iterator<Item = u64> + Send + Sync>>,
}

impl Waste {
    /// Frees as much as the budget allows and takes it off. Whether more is left.
    pub(super) fn spend(&mut self, budget: &mut u64) -> bool {
        while *budget > 0
            && let Some(pile) = self.piles.last_mut()
        {
            match pile.next() {
                Some(weight) => *budget = budget.saturating_sub(weight),
                None => drop(self.piles.pop()),
            }
        }
        !self.piles.is_empty()
    }

    /// Takes a tree, each element of which counts 1.
    pub(super) fn add<T: IntoIterator<IntoIter: Send + Sync + 'static>>(&mut self, tree: T) {
        self.add_weighed(tree, |_| 1);
    }

    /// Takes a tree whose elements count as much as `weigh` says.
    pub(super) fn add_weighed<T: IntoIterator<IntoIter: Send + Sync + 'static>>(
        &mut self,
        tree: T,
        weigh: impl Fn(&T::Item) -> u64 + Send + Sync + 'static,
    ) {
        let elements = tree.into_iter().map(move |element| weigh(&element));
        if elements.size_hint() != (0, Some(0)) {
            self.piles.push(Box::new(elements));
        }
    }

    /// Takes what another holds.
    pub(super) fn append(&mut self, mut other: Self) {
        self.piles.append(&mut other.piles);
    }
}

impl fmt::Debug for Waste {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waste").field("piles", &self.piles.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::sync::Arc;

    use super::*;

    #[test]
    fn a_sweep_frees_what_it_may_and_tells_whether_more_is_left() {
        let shared = Arc::new(());
        let tree = |count: u64| (0..count).map(|key| (key, shared.clone())).collect();
        let trees: [BTreeMap<u64, Arc<()>>; 3] = [tree(10), tree(0), tree(5)];
        let mut waste = Waste::default();
        for tree in trees {
            waste.add(tree);
        }
        for (mut elements, left) in [(0, 15), (4, 11), (2, 9), (8, 1), (1, 0)] {
            assert!(waste.spend(&mut elements));
            assert_eq!(Arc::strong_count(&shared), 1 + left);
        }
        assert!(!waste.spend(&mut 1) && !waste.spend(&mut 0));
    }

    #[test]
    fn heavy_elements_use_the_budget_up_sooner() {
        let mut waste = Waste::default();
        waste.add_weighed(BTreeMap::from([(1, 5), (2, 5), (3, 5)]), |(_, weight)| *weight);
        assert!(waste.spend(&mut 6));
        assert!(waste.spend(&mut 5));
        assert!(!waste.spend(&mut 1));
    }
}
