//! LC: every committed entry is in the log of every later leader at its election (Raft §5.4), since no
//! vote goes to a log that is less up to date than the voter's (Raft §5.4.1).

use std::collections::{BTreeMap, BTreeSet};

use hamok::{Claim, EntryId, Output, Peer, Term};

use super::ledger::Ledger;
use super::{claims, elections};
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Knows the term of every committed entry. Of a new leader it looks at the last one committed in an
/// earlier term; by log matching, what stands before it is right when it is.
///
/// A vote for a log that is behind does harm only if that log wins and lacks what was committed. So
/// the votes are looked at themselves: each as it is first written, against where the candidate's log
/// ended when it asked.
#[derive(Debug, Default)]
pub(super) struct LeaderCompleteness {
    ledger: Ledger,
    /// Where the log of each candidate ended when it asked for votes.
    asked: BTreeMap<(Peer, Term), EntryId>,
    voted: BTreeSet<(Peer, Term)>,
}

impl LeaderCompleteness {
    fn on_votes(
        &mut self,
        cluster: &ClusterSeen<'_>,
        step: &StepSeen<'_>,
    ) -> Result<(), Violation> {
        let image = &cluster.node(step.node).issued;
        for (envelope, claim) in claims(step) {
            if let Claim::Voted { term, candidate } = claim
                && candidate == envelope.from().peer
            {
                self.asked.insert((candidate, term), image.last());
            }
        }
        let writes = step.outputs.iter().any(|output| matches!(output, Output::Persist(_)));
        let (true, Some(voter), Some(candidate)) = (writes, image.peer(), image.vote()) else {
            return Ok(());
        };
        let (term, ours) = (image.term(), image.last());
        if !self.voted.insert((voter, term)) || voter == candidate {
            return Ok(());
        }
        match self.asked.get(&(candidate, term)) {
            Some(theirs) if (theirs.term, theirs.index) < (ours.term, ours.index) => {
                let text = format!(
                    "a vote goes to a log at least as up to date as the voter's, but {voter}, whose \
                     log ends with {ours}, votes in {term} for {candidate}, whose log ends with {theirs}"
                );
                Err(Violation::new(CODE, Some(step.node), text))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Checker for LeaderCompleteness {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        self.on_votes(cluster, step)?;
        let log = &cluster.node(step.node).issued;
        for term in elections(step) {
            let committed = self.ledger.last_before(term);
            if !self.ledger.holds(log, committed) {
                let text = format!(
                    "a leader's log holds all that was committed before its term, but the leader of \
                     {term} lacks {committed}; its log ends with {}",
                    log.last()
                );
                return Err(Violation::new(CODE, Some(step.node), text));
            }
        }
        self.ledger.note(cluster, step);
        Ok(())
    }
}

const CODE: &str = "LC";

#[cfg(test)]
mod tests {
    use hamok::{Event, NodeId, Role, Stored};

    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    fn elects_second_leader(seen: &Seen) -> bool {
        seen.outputs.iter().any(|output| {
            matches!(
                output,
                Output::Event(Event::RoleChanged { term, role: Role::Leader }) if term.get() > 2
            )
        })
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(LeaderCompleteness::default());
    }

    #[test]
    fn a_leader_that_lacks_what_was_committed_is_reported() {
        let story = Story::true_one().but(|seen| {
            let found = elects_second_leader(seen);
            if found {
                seen.own().issued = Stored::new();
            }
            found
        });
        assert_objects(LeaderCompleteness::default(), &story, "its log ends with 0@0");
    }

    #[test]
    fn a_vote_for_a_log_that_is_behind_is_reported() {
        let story = Story::led_next_by(NodeId::new(2)).but(|seen| {
            let asks = seen.before.term.get() > 2
                && seen.envelopes().any(|envelope| envelope.kind() == "RequestVote");
            if asks {
                seen.own().issued = Stored::new();
            }
            asks
        });
        assert_objects(LeaderCompleteness::default(), &story, "whose log ends with 0@0");
    }
}
