//! CQ: when a leader commits an index, the entry there is durable on a quorum of the configuration in
//! force. The leader's own copy need not be among them (Raft thesis §10.2.1).

use hamok::{EntryId, Peer, Role};

use super::holds;
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Looks at what has been confirmed to each member, in the incarnation that the configuration names.
#[derive(Debug)]
pub(super) struct CommitQuorum;

impl Checker for CommitQuorum {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        let (before, after) = (step.before, step.after);
        if after.role != Role::Leader || after.committed <= before.committed {
            return Ok(());
        }
        let Some(entry) = cluster.node(step.node).issued.entry(after.committed) else {
            return Ok(()); // MO and CI object to this.
        };
        let durable = |peer: Peer| is_durable(cluster, peer, entry.id());
        if after.configuration.is_quorum(durable) {
            return Ok(());
        }
        let holders: Vec<String> = after
            .configuration
            .voters()
            .filter(|peer| durable(*peer))
            .map(|peer| peer.to_string())
            .collect();
        let text = format!(
            "what a leader commits is durable on a quorum of {}, but {} is so only on [{}]",
            after.configuration,
            entry.id(),
            holders.join(", ")
        );
        Err(Violation::new(CODE, Some(step.node), text))
    }
}

fn is_durable(cluster: &ClusterSeen<'_>, peer: Peer, entry: EntryId) -> bool {
    let disk = cluster.nodes.get(&peer.id).map(|node| &node.confirmed);
    disk.is_some_and(|disk| disk.peer() == Some(peer) && holds(disk, entry))
}

const CODE: &str = "CQ";

#[cfg(test)]
mod tests {
    use hamok::{Incarnation, Stored};

    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(CommitQuorum);
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
        assert_objects(CommitQuorum, &story, "is durable on a quorum of {n1 n2 n3}");
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
        assert_objects(CommitQuorum, &story, "is so only on");
    }

    #[test]
    fn a_copy_of_another_incarnation_does_not_count() {
        let story = Story::true_one();
        let last = story.steps().last().expect("something happened");
        let peer = last.after.identity.peer;
        let cluster = ClusterSeen { nodes: &last.nodes };
        assert!(is_durable(&cluster, peer, last.nodes[&peer.id].confirmed.last()));
        let other = Peer { incarnation: Incarnation::new(7), ..peer };
        assert!(!is_durable(&cluster, other, last.nodes[&peer.id].confirmed.last()));
    }
}
