//! TM: the durable term, and the vote within it, never go back (Raft Figure 2, persistent state).

use std::collections::BTreeMap;

use hamok::{NodeId, Peer, Stored, Term};

use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Knows the last durable term and vote of every node, over all of its lives; a new incarnation
/// begins anew.
#[derive(Debug, Default)]
pub(super) struct TermMonotonicity {
    durable: BTreeMap<NodeId, Promise>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Promise {
    peer: Option<Peer>,
    term: Term,
    vote: Option<Peer>,
}

impl TermMonotonicity {
    fn follow(&mut self, node: NodeId, disk: &Stored) -> Result<(), Violation> {
        let new = Promise { peer: disk.peer(), term: disk.term(), vote: disk.vote() };
        let Some(old) = self.durable.insert(node, new) else { return Ok(()) };
        if new == old || new.peer != old.peer {
            return Ok(());
        }
        let text = if new.term < old.term {
            format!("the durable term never goes back, but went from {} to {}", old.term, new.term)
        } else if new.term == old.term && old.vote.is_some_and(|vote| new.vote != Some(vote)) {
            format!(
                "a durable vote stands for its whole term, but that of {} went from {} to {}",
                new.term,
                named(old.vote),
                named(new.vote)
            )
        } else {
            return Ok(());
        };
        Err(Violation::new(CODE, Some(node), text))
    }
}

impl Checker for TermMonotonicity {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        self.follow(step.node, &cluster.node(step.node).confirmed)
    }

    fn on_start(&mut self, cluster: &ClusterSeen<'_>, node: NodeId) -> Result<(), Violation> {
        self.follow(node, &cluster.node(node).confirmed)
    }
}

fn named(vote: Option<Peer>) -> String {
    vote.map_or_else(|| "nobody".to_owned(), |candidate| candidate.to_string())
}

const CODE: &str = "TM";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::testing::{Story, assert_accepts, assert_objects};

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(TermMonotonicity::default());
    }

    #[test]
    fn a_durable_term_that_goes_back_is_reported() {
        let early = Story::true_one();
        let early = early.steps().map(|seen| &seen.nodes[&NodeId::new(1)].confirmed);
        let early = early.filter(|disk| disk.term().get() == 1).last().cloned();
        let early = early.expect("a group begins with term 1");
        let story = Story::true_one().but(|seen| {
            let found = seen.node == NodeId::new(1) && seen.before.term.get() > 2;
            if found {
                seen.own().confirmed = early.clone();
            }
            found
        });
        assert_objects(TermMonotonicity::default(), &story, "the durable term never goes back");
    }

    #[test]
    fn a_durable_vote_that_changes_is_reported() {
        let [one, other] = [2, 3].map(|id| Story::led_next_by(NodeId::new(id)));
        let node = NodeId::new(2);
        let swapped = other.last_image(node);
        let last = one.steps().filter(|seen| seen.node == node).count();
        let mut steps = 0;
        let story = one.but(|seen| {
            steps += usize::from(seen.node == node);
            let found = steps == last;
            if found {
                assert_eq!(seen.own().confirmed.term(), swapped.term());
                seen.own().confirmed = swapped.clone();
            }
            found
        });
        assert_objects(TermMonotonicity::default(), &story, "a durable vote stands");
    }
}
