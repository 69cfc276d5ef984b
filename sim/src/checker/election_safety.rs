//! ES: at most one leader per term, over all history, and each with the votes of a quorum (Raft §5.2).

use std::collections::BTreeMap;

use hamok::{Identity, Input, NodeId, Peer, Role, Status, Term};

use super::{elections, is_quorum};
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Knows who led each term. A node that crashed is somebody else when it is back: it may not lead the
/// same term again, since it could not have won it twice. Knows, too, every vote that became durable:
/// two majorities overlap, but a leader that counted what was no vote may be alone in its term by
/// luck.
#[derive(Debug, Default)]
pub(super) struct ElectionSafety {
    leaders: BTreeMap<Term, Identity>,
    votes: BTreeMap<(Peer, Term), Peer>,
}

impl ElectionSafety {
    fn note_vote(&mut self, cluster: &ClusterSeen<'_>, node: NodeId) {
        let confirmed = &cluster.node(node).confirmed;
        if let (Some(voter), Some(candidate)) = (confirmed.peer(), confirmed.vote()) {
            self.votes.insert((voter, confirmed.term()), candidate);
        }
    }

    fn win(&mut self, term: Term, after: &Status) -> Result<(), Violation> {
        self.lead(term, after.identity)?;
        let winner = after.identity.peer;
        let voted = |voter| self.votes.get(&(voter, term)) == Some(&winner);
        if is_quorum(&after.configuration, voted) {
            return Ok(());
        }
        let voters: Vec<NodeId> =
            after.configuration.voters().filter(|&peer| voted(peer)).map(|peer| peer.id).collect();
        let text = format!(
            "a leader has the durable votes of a quorum of {}, but {winner} leads {term} with those \
             of {voters:?}",
            after.configuration
        );
        Err(Violation::new(CODE, Some(winner.id), text))
    }

    fn lead(&mut self, term: Term, who: Identity) -> Result<(), Violation> {
        let leader = *self.leaders.entry(term).or_insert(who);
        if leader == who {
            return Ok(());
        }
        let text = format!(
            "a term has at most one leader, but {term} has two: {leader} first, then {who}"
        );
        Err(Violation::new(CODE, Some(who.peer.id), text))
    }
}

impl Checker for ElectionSafety {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        self.leaders.clear();
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        if matches!(step.input, Input::Persisted(_)) {
            self.note_vote(cluster, step.node);
        }
        let who = step.after.identity;
        elections(step).try_for_each(|term| self.win(term, step.after))?;
        let changed = (step.before.role, step.before.term) != (step.after.role, step.after.term);
        match step.after.role {
            Role::Leader if changed => self.lead(step.after.term, who),
            Role::Leader | Role::Follower | Role::PreCandidate | Role::Candidate => Ok(()),
        }
    }

    fn on_start(&mut self, cluster: &ClusterSeen<'_>, node: NodeId) -> Result<(), Violation> {
        self.note_vote(cluster, node);
        match &cluster.node(node).status {
            Some(status) if status.role == Role::Leader => self.lead(status.term, status.identity),
            Some(_) | None => Ok(()),
        }
    }
}

const CODE: &str = "ES";

#[cfg(test)]
mod tests {
    use hamok::{Event, Output};

    use super::*;
    use crate::checker::testing::{Story, assert_accepts, assert_objects};

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(ElectionSafety::default());
    }

    #[test]
    fn a_second_leader_of_a_term_is_reported() {
        let follows = |status: &hamok::Status| {
            status.role == Role::Follower
                && status.leader.is_some_and(|l| l != status.identity.peer.id)
        };
        let event = Story::true_one().but(|seen| {
            let found = follows(&seen.after);
            if found {
                let (term, role) = (seen.after.term, Role::Leader);
                seen.outputs.push(Output::Event(Event::RoleChanged { term, role }));
            }
            found
        });
        assert_objects(ElectionSafety::default(), &event, "has two");
        let silent = Story::true_one().but(|seen| {
            let found = follows(&seen.before) && seen.before.term == seen.after.term;
            if found {
                seen.after.role = Role::Leader;
            }
            found
        });
        assert_objects(ElectionSafety::default(), &silent, "has two");
    }

    #[test]
    fn a_leader_without_the_votes_of_a_quorum_is_reported() {
        let story = Story::true_one().but(|seen| {
            let found = seen.after.role == Role::Follower;
            if found {
                let (term, role) = (Term::new(99), Role::Leader);
                seen.outputs.push(Output::Event(Event::RoleChanged { term, role }));
            }
            found
        });
        assert_objects(ElectionSafety::default(), &story, "leads t99 with those of []");
    }
}
