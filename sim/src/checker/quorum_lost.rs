//! QL: a leader that no quorum has answered for long steps down by itself (Raft thesis §6.2). In a
//! partition that passes messages one way only, its heartbeats would else keep the others from electing
//! one who can lead.

use std::collections::BTreeMap;

use hamok::{Input, NodeId, Peer, Role};

use super::{is_quorum, stays_leader};
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Counts, in each leader's own ticks, how long ago it was sent something by each member. What the
/// leader then made of that is not looked at: a leader is heard by more than this takes for an answer.
#[derive(Debug, Default)]
pub(super) struct QuorumLost {
    offices: BTreeMap<NodeId, Office>,
}

/// One leader's time in office.
#[derive(Debug, Default)]
struct Office {
    /// Its ticks so far.
    now: u64,
    /// When each member was last heard from, or first seen to be one.
    heard: BTreeMap<Peer, u64>,
}

impl Checker for QuorumLost {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        if step.after.role != Role::Leader {
            self.offices.remove(&step.node);
            return Ok(());
        }
        if !stays_leader(step) {
            self.offices.insert(step.node, Office::default());
        }
        let office = self.offices.entry(step.node).or_default();
        match step.input {
            Input::Tick(ticks) => office.now += ticks.get(),
            Input::Receive(envelope) => {
                office.heard.insert(envelope.from().peer, office.now);
            }
            Input::Persisted(_)
            | Input::PersistFailed(_)
            | Input::Request(..)
            | Input::Remote(..) => {}
        }
        let election = cluster.node(step.node).config.election_timeout.get();
        let (me, now) = (step.after.identity.peer, office.now);
        let mut heard = |peer| now - *office.heard.entry(peer).or_insert(now);
        let answers = |peer| peer == me || heard(peer) <= PATIENCE * election;
        // A node that is owed ticks has not come so far yet.
        let behind = step.after.idle_ticks.get() == 0;
        if behind || is_quorum(&step.after.configuration, answers) {
            return Ok(());
        }
        let text = format!(
            "a leader that no quorum answers steps down, but the one of {} leads {} and has heard from \
             no quorum for more than {} ticks",
            step.after.term,
            step.after.configuration,
            PATIENCE * election
        );
        Err(Violation::new(CODE, Some(step.node), text))
    }
}

/// Within how many election time-outs it must have noticed: it looks once in each.
const PATIENCE: u64 = 3;
const CODE: &str = "QL";

#[cfg(test)]
mod tests {
    use hamok::Ticks;

    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    fn leads_on(seen: &Seen) -> bool {
        seen.before.role == Role::Leader && seen.after.role == Role::Leader
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(QuorumLost::default());
    }

    #[test]
    fn a_leader_that_goes_on_alone_is_reported() {
        let mut silent = 0;
        let story = Story::true_one().but(|seen| {
            if leads_on(seen) {
                // The first shows who the members are.
                silent += 1;
                seen.input = Input::Tick(Ticks::new(if silent == 1 { 0 } else { 100 }));
            }
            silent == 2
        });
        assert_objects(QuorumLost::default(), &story, "has heard from no quorum");
    }
}
