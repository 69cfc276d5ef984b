//! CQ: when a leader commits an index, the entry there is durable on a quorum of the configuration in
//! force, on one of each half when that is joint. The leader's own copy need not be among them (Raft
//! thesis §10.2.1).

use std::collections::BTreeMap;

use hamok::{Configuration, EntryId, Event, Index, NodeId, Peer, Role, Stored};

use super::ledger::Ledger;
use super::{events, is_quorum};
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Looks at what has been confirmed to each member, in the incarnation that the configuration names.
/// A step may commit one configuration and go over to the next: each commit is judged by the one in
/// force when it was made, by the order of the events.
#[derive(Debug, Default)]
pub(super) struct CommitQuorum {
    ledger: Ledger,
    /// What had been confirmed to each incarnation when it last crashed. One whose disk was lost since
    /// will never vote again, so that its copies count for as much as if they were there.
    fallen: BTreeMap<Peer, Stored>,
}

impl CommitQuorum {
    fn judge(
        &self,
        cluster: &ClusterSeen<'_>,
        step: &StepSeen<'_>,
        (index, configuration): (Index, &Configuration),
    ) -> Result<(), Violation> {
        let Some(entry) = self.ledger.entry_at(&cluster.node(step.node).issued, index) else {
            return Ok(()); // MO and CI object to this.
        };
        let durable = |peer: Peer| self.is_durable(cluster, peer, entry);
        if is_quorum(configuration, durable) {
            return Ok(());
        }
        let holders: Vec<String> = configuration
            .voters()
            .filter(|peer| durable(*peer))
            .map(|peer| peer.to_string())
            .collect();
        let text = format!(
            "what a leader commits is durable on a quorum of {configuration}, but {entry} is so only \
             on [{}]",
            holders.join(", ")
        );
        Err(Violation::new(CODE, Some(step.node), text))
    }

    fn is_durable(&self, cluster: &ClusterSeen<'_>, peer: Peer, entry: EntryId) -> bool {
        let disk = cluster.nodes.get(&peer.id).map(|node| &node.confirmed);
        let disk = disk.filter(|disk| disk.peer() == Some(peer)).or_else(|| self.fallen.get(&peer));
        disk.is_some_and(|disk| self.ledger.holds(disk, entry))
    }
}

impl Checker for CommitQuorum {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        self.ledger.note(cluster, step);
        let (before, after) = (step.before, step.after);
        // One that a change has removed commits that change, and steps down with it.
        let led = before.role == Role::Leader && before.term == after.term;
        if !(led || after.role == Role::Leader) || after.committed <= before.committed {
            return Ok(());
        }
        let mut configuration = &*before.configuration;
        let mut judged = before.committed;
        for event in events(step) {
            if let Event::MembersChanged { configuration: next } = event {
                configuration = next;
            } else if let Event::Committed { index } = event {
                self.judge(cluster, step, (*index, configuration))?;
                judged = *index;
            }
        }
        if judged == after.committed {
            return Ok(());
        }
        self.judge(cluster, step, (after.committed, &after.configuration))
    }

    fn on_crash(&mut self, cluster: &ClusterSeen<'_>, node: NodeId) {
        let disk = &cluster.node(node).confirmed;
        if let Some(peer) = disk.peer() {
            self.fallen.insert(peer, disk.clone());
        }
    }
}

const CODE: &str = "CQ";

#[cfg(test)]
mod tests {
    use hamok::{Incarnation, Stored};

    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(CommitQuorum::default());
    }

    #[test]
    fn a_commit_on_a_minority_is_reported() {
        let story = Story::true_one().but(|seen| {
            let leader = seen.node;
            let found = seen.commits_as_leader();
            for node in seen.nodes.values_mut().filter(|node| found && node.id != leader) {
                node.confirmed = Stored::new();
            }
            found
        });
        assert_objects(CommitQuorum::default(), &story, "is durable on a quorum of {n1 n2 n3}");
    }

    /// In the true story a leader commits before its own copy is durable; on one fewer it may not.
    #[test]
    fn a_commit_that_counts_a_copy_not_durable_is_reported() {
        let early = |seen: &Seen| {
            let own = &seen.nodes[&seen.node];
            seen.commits_as_leader() && own.confirmed.entry(seen.after.committed).is_none()
        };
        let story = Story::true_one().but(|seen| {
            let leader = seen.node;
            let found = early(seen);
            let mut others = seen.nodes.values_mut().filter(|node| node.id != leader);
            if found {
                others.next().expect("there are three").confirmed = Stored::new();
            }
            found
        });
        assert_objects(CommitQuorum::default(), &story, "is so only on");
    }

    #[test]
    fn a_copy_of_another_incarnation_does_not_count() {
        let story = Story::true_one();
        let last = story.steps().last().expect("something happened");
        let peer = last.after.identity.peer;
        let cluster = ClusterSeen { nodes: &last.nodes };
        assert!(CommitQuorum::default().is_durable(
            &cluster,
            peer,
            last.nodes[&peer.id].confirmed.last()
        ));
        let other = Peer { incarnation: Incarnation::new(7), ..peer };
        assert!(!CommitQuorum::default().is_durable(
            &cluster,
            other,
            last.nodes[&peer.id].confirmed.last()
        ));
    }
}
