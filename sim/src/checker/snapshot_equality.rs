//! SE: a snapshot is what replay makes of the log up to its last entry: the state, by its digest, and the
//! configuration in force (Raft §7).

use std::collections::BTreeMap;

use hamok::{Configuration, EntryId, Event, Index, NodeId, SnapshotHead, Stored};

use super::events;
use super::ledger::newly_committed;
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Knows what the first node to apply each entry came to, and each configuration that was committed.
/// Every snapshot is compared with that when it first stands in an image, and so is the state of a node
/// that has loaded one. Needs the verbose events.
#[derive(Debug, Default)]
pub(super) struct SnapshotEquality {
    /// The digest of the state after each entry.
    digests: Vec<u64>,
    /// How many entries are committed.
    committed: u64,
    configurations: BTreeMap<Index, Configuration>,
    /// The last entry that the snapshot of each node covers.
    seen: BTreeMap<NodeId, EntryId>,
}

impl SnapshotEquality {
    fn learn(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) {
        for entry in newly_committed(cluster, step, self.committed) {
            self.committed += 1;
            if let Some(configuration) = entry.configuration() {
                self.configurations.insert(entry.id().index, configuration.clone());
            }
        }
        for event in events(step) {
            if let Event::Applied { entry, digest, .. } = event
                && entry.index == Index::new(self.digests.len() as u64).next()
            {
                self.digests.push(*digest);
            }
        }
    }

    fn digest(&self, index: Index) -> Option<u64> {
        let place = usize::try_from(index.get().checked_sub(1)?).ok()?;
        self.digests.get(place).copied()
    }

    fn follow(&mut self, node: NodeId, image: &Stored) -> Result<(), Violation> {
        let Some(head) = image.snapshot() else {
            self.seen.remove(&node);
            return Ok(());
        };
        if self.seen.insert(node, head.last()) == Some(head.last()) {
            return Ok(());
        }
        match self.objection(head) {
            Some(because) => {
                let text = format!(
                    "a snapshot is what replay makes of the log, but in the one up to {} {because}",
                    head.last()
                );
                Err(Violation::new(CODE, Some(node), text))
            }
            None => Ok(()),
        }
    }

    fn objection(&self, head: &SnapshotHead) -> Option<String> {
        let last = head.last().index;
        let Some(digest) = self.digest(last) else {
            return Some("is what nobody has applied".to_owned());
        };
        if digest != head.digest() {
            return Some(format!("the state is {:016x}, not {digest:016x}", head.digest()));
        }
        let (index, configuration) = self.configurations.range(..=last).next_back()?;
        let (theirs, at) = (head.configuration(), head.configuration_index());
        (at != *index || theirs != configuration).then(|| {
            format!("the configuration is {theirs} of {at}, not {configuration} of {index}")
        })
    }

    /// A node that has loaded a snapshot shows its state.
    fn compare_loaded(&self, step: &StepSeen<'_>) -> Result<(), Violation> {
        let loaded = events(step).find_map(|event| {
            let Event::SnapshotLoaded { last } = event else { return None };
            Some(*last)
        });
        let Some(last) = loaded.filter(|last| last.index == step.after.applied) else {
            return Ok(()); // Where it has gone on since, SM compares the states.
        };
        let (ours, expected) = (step.after.digest, self.digest(last.index));
        if expected == Some(ours) {
            return Ok(());
        }
        let expected = expected.map_or_else(String::new, |digest| format!(", not {digest:016x}"));
        let text = format!(
            "a snapshot is what replay makes of the log, but with the one up to {last} loaded the state \
             is {ours:016x}{expected}"
        );
        Err(Violation::new(CODE, Some(step.node), text))
    }
}

impl Checker for SnapshotEquality {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        self.learn(cluster, step);
        if step.replaced.is_some() {
            self.follow(step.node, &cluster.node(step.node).issued)?;
        }
        self.compare_loaded(step)
    }

    fn on_start(&mut self, cluster: &ClusterSeen<'_>, node: NodeId) -> Result<(), Violation> {
        self.follow(node, &cluster.node(node).issued)
    }
}

const CODE: &str = "SE";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    /// Whether a later snapshot takes the place of the log in this step.
    fn takes(seen: &Seen) -> bool {
        let last = seen.nodes[&seen.node].issued.start();
        seen.replaced.is_some() && last.index > Index::new(8)
    }

    /// The story, up to the first snapshot, which then is another node's later one.
    fn with_image_of(change: impl Fn(&Stored) -> bool) -> Story {
        let images = Story::of_snapshots();
        let image = images.steps().map(|seen| &seen.nodes[&seen.node].issued);
        let image = image.filter(|image| change(image)).last().expect("there is one").clone();
        Story::of_snapshots().but(|seen| {
            let found = takes(seen);
            if found {
                seen.own().issued = image.clone();
            }
            found
        })
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(SnapshotEquality::default());
    }

    #[test]
    fn a_snapshot_of_what_nobody_applied_is_reported() {
        let last = Story::of_snapshots().last_image(NodeId::new(1)).start();
        let story = with_image_of(|image| image.start() == last);
        assert_objects(SnapshotEquality::default(), &story, "is what nobody has applied");
    }

    #[test]
    fn another_state_is_reported() {
        // The first node to apply it tells of another digest.
        let story = Story::of_snapshots().but(|seen| {
            let taken = takes(seen).then(|| seen.nodes[&seen.node].issued.start());
            let told = seen.outputs.iter_mut().find_map(|output| {
                let hamok::Output::Event(Event::Applied { entry, digest, .. }) = output else {
                    return None;
                };
                (Some(*entry) == taken).then_some(digest)
            });
            told.map(|digest| *digest ^= 1).is_some()
        });
        assert_objects(SnapshotEquality::default(), &story, "the state is");
    }

    #[test]
    fn another_configuration_is_reported() {
        let head = Story::of_snapshots().last_image(NodeId::new(1));
        let head = head.snapshot().expect("its log is short");
        let last = head.last().index;
        let mut checker = SnapshotEquality {
            digests: vec![head.digest(); usize::try_from(last.get()).expect("it is small")],
            ..SnapshotEquality::default()
        };
        checker.configurations.insert(head.configuration_index(), head.configuration().clone());
        assert_eq!(checker.objection(head), None);
        checker.configurations.insert(last, head.configuration().clone());
        assert!(checker.objection(head).expect("it differs").contains("the configuration is"));
    }

    #[test]
    fn another_state_after_loading_is_reported() {
        let story = Story::of_snapshots().but(|seen| {
            let loads = |output: &hamok::Output| {
                matches!(output, hamok::Output::Event(Event::SnapshotLoaded { last })
                    if last.index == seen.after.applied)
            };
            let found = seen.outputs.iter().any(loads);
            seen.after.digest ^= u64::from(found);
            found
        });
        assert_objects(SnapshotEquality::default(), &story, "loaded the state is");
    }
}
