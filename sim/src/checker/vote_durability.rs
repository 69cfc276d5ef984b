//! VD: a granted vote leaves a node only when the term and the vote are durable (Raft Figure 2,
//! persistent state).

use hamok::Claim;

use super::claims;
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Looks at the disk of whoever claims to have voted; a request for votes claims that too.
#[derive(Debug, Default)]
pub(super) struct VoteDurability;

impl Checker for VoteDurability {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        let disk = &cluster.node(step.node).confirmed;
        for (_, claim) in claims(step) {
            let Claim::Voted { term, candidate } = claim else { continue };
            let promised = disk.term() == term && disk.vote() == Some(candidate);
            // Having gone on to a later term, it can vote for nobody else in this one.
            if promised || disk.term() > term {
                continue;
            }
            let vote = disk.vote().map_or_else(|| "no vote".to_owned(), |vote| vote.to_string());
            let text = format!(
                "a vote is durable before it is given, but one for {candidate} in {term} leaves \
                 while durable are {} and {vote}",
                disk.term()
            );
            return Err(Violation::new(CODE, Some(step.node), text));
        }
        Ok(())
    }
}

const CODE: &str = "VD";

#[cfg(test)]
mod tests {
    use hamok::Stored;

    use super::*;
    use crate::checker::testing::{Story, assert_accepts, assert_objects};

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(VoteDurability);
    }

    #[test]
    fn a_vote_that_is_not_durable_is_reported() {
        for kind in ["RequestVote", "RequestVoteReply"] {
            let story = Story::true_one().but(|seen| {
                let found = seen.envelopes().any(|envelope| envelope.kind() == kind);
                if found {
                    seen.own().confirmed = Stored::new();
                }
                found
            });
            assert_objects(VoteDurability, &story, "a vote is durable before it is given");
        }
    }

    #[test]
    fn a_durable_vote_for_another_is_reported() {
        let other = Story::led_next_by(hamok::NodeId::new(3));
        let image = other.last_image(hamok::NodeId::new(3));
        let story = Story::led_next_by(hamok::NodeId::new(2)).but(|seen| {
            let votes = seen.envelopes().any(|envelope| envelope.kind() == "RequestVoteReply");
            let found = votes && seen.after.term == image.term();
            if found {
                seen.own().confirmed = image.clone();
            }
            found
        });
        assert_objects(VoteDurability, &story, "while durable are t3 and n3");
    }
}
