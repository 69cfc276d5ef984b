//! VU: a node never grants its vote to two candidates in one term, counting what it granted before a
//! crash (Raft §5.2).

use std::collections::BTreeMap;

use hamok::{Claim, Peer, Term};

use super::claims;
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Knows every vote that was ever sent; a request for votes says that the sender has its own.
#[derive(Debug, Default)]
pub(super) struct VoteUniqueness {
    votes: BTreeMap<(Peer, Term), Peer>,
}

impl Checker for VoteUniqueness {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, _: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        for (envelope, claim) in claims(step) {
            let Claim::Voted { term, candidate } = claim else { continue };
            let voter = envelope.from().peer;
            let first = *self.votes.entry((voter, term)).or_insert(candidate);
            if first != candidate {
                let text = format!(
                    "a node votes once in a term, but {voter} votes for {candidate} in {term} \
                     after it voted for {first}"
                );
                return Err(Violation::new(CODE, Some(step.node), text));
            }
        }
        Ok(())
    }
}

const CODE: &str = "VU";

#[cfg(test)]
mod tests {
    use hamok::{NodeId, Output};

    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(VoteUniqueness::default());
    }

    #[test]
    fn a_second_vote_in_a_term_is_reported() {
        let elects = |seen: &Seen, kind: &str| {
            seen.before.term.get() > 2 && seen.envelopes().any(|envelope| envelope.kind() == kind)
        };
        // In one story n3 votes for n2, in the other it stands itself.
        let other = Story::led_next_by(NodeId::new(3));
        let asks = other.steps().find(|seen| elects(seen, "RequestVote")).expect("n3 stands");
        let asks: Vec<Output> = asks.outputs.clone();
        let story = Story::led_next_by(NodeId::new(2)).but(|seen| {
            let votes = elects(seen, "RequestVoteReply");
            if votes {
                seen.outputs.extend(asks.clone());
            }
            votes
        });
        assert_objects(VoteUniqueness::default(), &story, "after it voted for");
    }
}
