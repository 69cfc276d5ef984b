//! AK: an acknowledgement leaves a node only when the entries it is about are durable there, still in
//! its log, and those of the leader.

use hamok::{Claim, Index, Role, Stored, Term};

use super::claims;
use super::ledger::Ledger;
use crate::observation::{Checker, ClusterSeen, NodeSeen, StepSeen, Violation};

/// Looks at the entry that an acknowledgement names: on the disk and in the log of its sender, and in
/// the log of the leader if that still leads.
#[derive(Debug, Default)]
pub(super) struct Acknowledgement {
    ledger: Ledger,
}

impl Checker for Acknowledgement {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        self.ledger.note(cluster, step);
        for (envelope, claim) in claims(step) {
            let Claim::Matched { term, index } = claim else { continue };
            let sender = cluster.node(step.node);
            let leader = cluster.nodes.get(&envelope.to()).filter(|node| leads(node, term));
            if let Some(because) = objection(&self.ledger, sender, leader, (term, index)) {
                let text = format!(
                    "an acknowledgement is about what is durable and shared, but that of {index} \
                     in {term} to {}: {because}",
                    envelope.to()
                );
                return Err(Violation::new(CODE, Some(step.node), text));
            }
        }
        Ok(())
    }
}

fn objection(
    ledger: &Ledger,
    sender: &NodeSeen,
    leader: Option<&NodeSeen>,
    (term, index): (Term, Index),
) -> Option<String> {
    let disk = &sender.confirmed;
    if disk.term() < term {
        return Some(format!("only {} is durable", disk.term()));
    }
    if index == Index::ZERO {
        return None;
    }
    let Some(entry) = ledger.entry_at(&sender.issued, index) else {
        return Some(format!("the log ends with {}", sender.issued.last()));
    };
    if entry.term > term {
        return Some(format!("the entry there is {entry}, of a later leader"));
    }
    let shown = |log: &Stored| {
        let held = ledger.entry_at(log, index);
        held.map_or_else(|| "nothing".to_owned(), |held| held.to_string())
    };
    if !ledger.holds(disk, entry) {
        return Some(format!("durable there is {}, not {entry}", shown(disk)));
    }
    let leader = leader.filter(|leader| !ledger.holds(&leader.issued, entry))?;
    Some(format!("the leader has {} there, not {entry}", shown(&leader.issued)))
}

fn leads(node: &NodeSeen, term: Term) -> bool {
    let leads = |status: &hamok::Status| status.role == Role::Leader && status.term == term;
    node.up && node.status.as_ref().is_some_and(leads)
}

const CODE: &str = "AK";

#[cfg(test)]
mod tests {
    use hamok::{NodeId, Stored};

    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    /// Whether the step acknowledges an entry after the first few.
    fn acknowledges(seen: &Seen) -> bool {
        seen.envelopes().any(|envelope| {
            matches!(envelope.claim(), Some(Claim::Matched { index, .. }) if index.get() > 3)
        })
    }

    /// The true story, with what is known of one node changed where a follower acknowledges.
    fn story(mut change: impl FnMut(&mut NodeSeen), of_leader: bool) -> Story {
        Story::true_one().but(|seen| {
            let found = acknowledges(seen);
            if found {
                let leader = seen.after.leader.expect("it acknowledges to a leader");
                let node = if of_leader { leader } else { seen.node };
                change(seen.nodes.get_mut(&node).expect("it is one of the group"));
            }
            found
        })
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(Acknowledgement::default());
    }

    #[test]
    fn one_of_a_term_or_an_entry_that_is_not_durable_is_reported() {
        let no_term = story(|node| node.confirmed = Stored::new(), false);
        assert_objects(Acknowledgement::default(), &no_term, "only t0 is durable");
        let whole = Story::true_one();
        let mut disks = whole.steps().map(|seen| &seen.nodes[&NodeId::new(2)].confirmed);
        let disk = disks.find(|disk| disk.term().get() == 2);
        let disk = disk.expect("n2 comes to term 2 before it has the entries");
        let no_entry = story(|node| node.confirmed = disk.clone(), false);
        assert_objects(Acknowledgement::default(), &no_entry, "durable there is nothing");
    }

    #[test]
    fn one_of_an_entry_no_longer_in_the_log_is_reported() {
        let story = story(|node| node.issued = Stored::new(), false);
        assert_objects(Acknowledgement::default(), &story, "the log ends with 0@0");
    }

    #[test]
    fn one_of_an_entry_that_the_leader_does_not_have_is_reported() {
        let story = story(|node| node.issued = Stored::new(), true);
        assert_objects(Acknowledgement::default(), &story, "the leader has nothing there");
    }

    #[test]
    fn one_of_a_later_leaders_entry_is_reported() {
        let story = Story::true_one();
        let last = story.steps().last().expect("something happened");
        let node = &last.nodes[&NodeId::new(1)];
        let last = node.issued.last().index;
        let objection = objection(&Ledger::default(), node, None, (Term::new(1), last));
        assert!(objection.expect("the entry is newer").contains("of a later leader"));
    }
}
