//! Which configuration is in force: the latest in the snapshot and the log, committed or not.
//!
//! Raft §6: a server uses the latest configuration in its log, whether or not it is committed. What
//! was in force before each one is kept as far back as the snapshot goes, so that a truncation at any
//! depth brings back the right one by nothing more than forgetting the later ones.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::configuration::Configuration;
use super::entries::Entry;
use crate::types::{Index, Peer};

/// The configuration in force, and those before it.
#[derive(Debug)]
pub(super) struct Membership {
    me: Peer,
    /// Each configuration with the index of its entry, ascending. The first is that of the snapshot,
    /// or the empty one from before the founding.
    history: Vec<(Index, Arc<Configuration>)>,
    /// The members but for this node.
    others: Arc<[Peer]>,
}

impl Membership {
    pub(super) fn new(me: Peer) -> Self {
        Self { me, history: Vec::from([(Index::ZERO, Arc::default())]), others: Arc::default() }
    }

    pub(super) fn configuration(&self) -> &Arc<Configuration> {
        &self.latest().1
    }

    /// Where the configuration in force stands.
    pub(super) fn index(&self) -> Index {
        self.latest().0
    }

    /// The configuration that was in force at `index`, which the snapshot or the log reaches back to.
    pub(super) fn at(&self, index: Index) -> (Index, &Arc<Configuration>) {
        let count = self.history.partition_point(|(at, _)| *at <= index);
        let (at, configuration) = &self.history[count.saturating_sub(1)];
        (*at, configuration)
    }

    /// Whether by what is committed up to `index` this node was a member and is none any more.
    pub(super) fn ceased(&self, index: Index) -> bool {
        let count = self.history.partition_point(|(at, _)| *at <= index);
        let names = |(_, it): &(Index, Arc<Configuration>)| it.contains(self.me);
        let committed = self.history[..count].split_last();
        committed.is_some_and(|(last, earlier)| earlier.iter().any(names) && !names(last))
    }

    /// Where this node was last let in, after `from` and not after `to`: by a configuration that keeps it and
    /// comes after one that does not.
    pub(super) fn let_in(&self, from: Index, to: Index) -> Option<Index> {
        let pairs = self.history.windows(2).rev();
        let lets_in = |pair: &&[(Index, Arc<Configuration>)]| {
            let [(_, before), (at, after)] = pair else { return false };
            from < *at && *at <= to && !before.keeps(self.me) && after.keeps(self.me)
        };
        pairs.into_iter().find(lets_in).map(|pair| pair[1].0)
    }

    /// The configuration in force at `index` and those since then: which of them is in force in the end
    /// is not known before they are committed.
    pub(super) fn since(&self, index: Index) -> impl Iterator<Item = &Configuration> {
        let count = self.history.partition_point(|(at, _)| *at <= index);
        self.history[count.saturating_sub(1)..].iter().map(|(_, configuration)| &**configuration)
    }

    /// Whether any configuration that is known of named this node.
    pub(super) fn ever_named(&self) -> bool {
        self.history.iter().any(|(_, configuration)| configuration.contains(self.me))
    }

    /// The members but for this node, learners included, in order of their ids.
    pub(super) fn others(&self) -> Arc<[Peer]> {
        Arc::clone(&self.others)
    }

    /// Takes up what appended entries say about the members; tells whether they changed.
    pub(super) fn on_append(&mut self, entries: &[Entry]) -> bool {
        let found = entries.iter().filter_map(|entry| {
            let configuration = entry.configuration()?;
            Some((entry.id.index, Arc::new(configuration.clone())))
        });
        let before = self.history.len();
        self.history.extend(found);
        let changed = self.history.len() > before;
        if changed {
            self.look_around();
        }
        changed
    }

    /// The entries after `kept` are gone; tells whether the configuration went with them.
    pub(super) fn on_truncate(&mut self, kept: Index) -> bool {
        let count = self.history.partition_point(|(at, _)| *at <= kept).max(1);
        let changed = count < self.history.len();
        if changed {
            self.history.truncate(count);
            self.look_around();
        }
        changed
    }

    /// Entries up to `index` are only in the snapshot from now on.
    pub(super) fn on_compact(&mut self, index: Index) {
        let count = self.history.partition_point(|(at, _)| *at <= index);
        self.history.drain(..count.saturating_sub(1));
    }

    /// All that was known is replaced by what a snapshot says.
    pub(super) fn reset(&mut self, index: Index, configuration: Configuration) {
        self.history = Vec::from([(index, Arc::new(configuration))]);
        self.look_around();
    }

    fn latest(&self) -> &(Index, Arc<Configuration>) {
        self.history.last().expect("there is always the one of the snapshot, or none but the empty")
    }

    fn look_around(&mut self) {
        let me = self.me;
        self.others = self.latest().1.peers().filter(|&peer| peer != me).collect();
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;

    use super::*;
    use crate::raft::entries::Payload;
    use crate::types::{EntryId, Incarnation, NodeId, Term};

    fn peer(id: u64) -> Peer {
        Peer { id: NodeId::new(id), incarnation: Incarnation::new(id) }
    }

    fn entry(index: u64, voters: u64) -> Entry {
        let configuration = Configuration::of_voters((1..=voters).map(peer));
        Entry {
            id: EntryId::new(Index::new(index), Term::new(1)),
            payload: Payload::Members(Box::new(configuration)),
        }
    }

    fn voters(membership: &Membership) -> usize {
        membership.configuration().voters().count()
    }

    #[test]
    fn a_truncation_of_any_depth_brings_back_what_was_in_force() {
        let mut membership = Membership::new(peer(1));
        assert!(membership.on_append(&[entry(3, 1), entry(5, 2), entry(9, 3)]));
        assert_eq!((voters(&membership), membership.index()), (3, Index::new(9)));
        assert_eq!(membership.at(Index::new(8)).0, Index::new(5));
        assert!(!membership.on_truncate(Index::new(9)));
        assert!(membership.on_truncate(Index::new(4)), "two at once");
        assert_eq!((voters(&membership), membership.index()), (1, Index::new(3)));
        assert!(membership.on_truncate(Index::ZERO));
        assert!(membership.configuration().is_empty());
        assert_eq!(membership.others().len(), 0);
    }

    #[test]
    fn a_compaction_keeps_the_one_in_force_at_its_index() {
        let mut membership = Membership::new(peer(1));
        membership.on_append(&[entry(3, 1), entry(5, 2), entry(9, 3)]);
        membership.on_compact(Index::new(6));
        assert_eq!(membership.at(Index::new(6)).0, Index::new(5));
        assert_eq!(membership.at(Index::new(2)).0, Index::new(5), "as far back as it goes");
        membership.on_truncate(Index::new(6));
        assert_eq!((voters(&membership), membership.index()), (2, Index::new(5)));
        assert_eq!(membership.others().iter().copied().collect::<Vec<_>>(), [peer(2)]);
    }
}
