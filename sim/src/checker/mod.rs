//! The invariants that every run is checked against, one file each.
//!
//! | code | file | code | file |
//! |---|---|---|---|
//! | ES | `election_safety` | CT | `commit_term` |
//! | VU | `vote_uniqueness` | AK | `acknowledgement` |
//! | TM | `term_monotonicity` | VD | `vote_durability` |
//! | LM | `log_matching` | MO | `monotonicity` |
//! | LA | `leader_append_only` | SM | `state_machine_safety` |
//! | LC | `leader_completeness` | EO | `exactly_once` |
//! | CI | `commit_immutability` | RL | `linearizable` |
//! | CQ | `commit_quorum` | LV | `liveness` |
//! | BM | `bounds` | ST | `stability` |
//! | SE | `snapshot_equality` | CF | `configurations` |
//! | NP | `no_panic` | DT | `determinism` |
//! | QL | `quorum_lost` | RM | `remote_calls` |
//! | QO | `queue_order` | | |
//!
//! QL: a leader that no quorum has answered for long steps down by itself. QO: what is pushed into a queue
//! comes out in order and once. RM: the outside store executes each operation of a remote map once, in the
//! order of the log and only for a leader that was not deposed.
//!
//! A checker sees only what an embedder could see, by the crate's public interface, and shares
//! nothing with the others: one that is wrong does not blind the rest. Each costs little per step,
//! amortised over the entries that it looks at.

mod acknowledgement;
mod bounds;
mod commit_immutability;
mod commit_quorum;
mod commit_term;
mod configurations;
mod determinism;
mod election_safety;
mod exactly_once;
mod journal;
mod leader_append_only;
mod leader_completeness;
mod ledger;
mod linearizable;
mod liveness;
mod log_matching;
mod monotonicity;
mod no_panic;
mod queue_order;
mod quorum_lost;
mod remote_calls;
mod snapshot_equality;
mod stability;
mod state_machine_safety;
mod term_monotonicity;
#[cfg(test)]
pub(crate) mod testing;
mod vote_durability;
mod vote_uniqueness;

use hamok::{Claim, Configuration, Envelope, Event, Output, Peer, Role, Term};

use crate::observation::{Checker, StepSeen};

pub use determinism::same_trace;
pub use no_panic::panicked;

/// One checker for each invariant, for one run.
#[must_use]
pub fn all() -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(no_panic::NoPanic),
        Box::new(monotonicity::Monotonicity::default()),
        Box::new(term_monotonicity::TermMonotonicity::default()),
        Box::new(election_safety::ElectionSafety::default()),
        Box::new(vote_durability::VoteDurability),
        Box::new(vote_uniqueness::VoteUniqueness::default()),
        Box::new(acknowledgement::Acknowledgement::default()),
        Box::new(log_matching::LogMatching::default()),
        Box::new(leader_append_only::LeaderAppendOnly::default()),
        Box::new(leader_completeness::LeaderCompleteness::default()),
        Box::new(commit_quorum::CommitQuorum::default()),
        Box::new(commit_term::CommitTerm::default()),
        Box::new(commit_immutability::CommitImmutability::default()),
        Box::new(state_machine_safety::StateMachineSafety::default()),
        Box::new(snapshot_equality::SnapshotEquality::default()),
        Box::new(configurations::Configurations::default()),
        Box::new(exactly_once::ExactlyOnce::default()),
        Box::new(linearizable::Linearizable::default()),
        Box::new(liveness::Liveness),
        Box::new(quorum_lost::QuorumLost::default()),
        Box::new(remote_calls::RemoteCalls::default()),
        Box::new(queue_order::QueueOrder::default()),
        Box::new(stability::Stability),
        Box::new(bounds::Bounds::default()),
    ]
}

/// Those for a run in which somebody forges messages in the names of members: the others build on
/// members being trusted.
#[must_use]
pub fn of_hostile_runs() -> Vec<Box<dyn Checker>> {
    vec![Box::new(bounds::Bounds::of_hostile_run())]
}

/// Whether the step asked for a write, and so may have changed the log.
fn writes(step: &StepSeen<'_>) -> bool {
    step.outputs.iter().any(|output| matches!(output, Output::Persist(_)))
}

/// What the step claims to others to be durable.
fn claims<'a>(step: &StepSeen<'a>) -> impl Iterator<Item = (&'a Envelope, Claim)> {
    step.outputs.iter().filter_map(|output| match output {
        Output::Send(envelope) => Some((envelope, envelope.claim()?)),
        Output::Persist(_) | Output::Reply(_) | Output::Event(_) | Output::Remote(_) => None,
    })
}

fn events<'a>(step: &StepSeen<'a>) -> impl Iterator<Item = &'a Event> {
    step.outputs.iter().filter_map(|output| match output {
        Output::Event(event) => Some(event),
        Output::Persist(_) | Output::Send(_) | Output::Reply(_) | Output::Remote(_) => None,
    })
}

/// Whether the node stopped in this step: it tells no changes any more, and is taken down after it.
fn stops(step: &StepSeen<'_>) -> bool {
    events(step).any(|event| *event == Event::Stopped)
}

/// Whether `holds` is true of a majority of the voters, and in a joint configuration of one on either
/// side. Counted here and not by the library, whose own counting is what is checked.
fn is_quorum(configuration: &Configuration, mut holds: impl FnMut(Peer) -> bool) -> bool {
    let mut majority = |voters: &mut dyn Iterator<Item = Peer>| {
        let (held, all) =
            voters.fold((0, 0), |(held, all), peer| (held + u64::from(holds(peer)), all + 1));
        2 * held > all
    };
    majority(&mut configuration.old_voters()) && majority(&mut configuration.new_voters())
}

/// The terms in which the step made its node leader.
fn elections<'a>(step: &StepSeen<'a>) -> impl Iterator<Item = Term> {
    events(step).filter_map(|event| {
        let Event::RoleChanged { term, role: Role::Leader } = event else { return None };
        Some(*term)
    })
}

/// Whether the node led the same term before the step and after it.
fn stays_leader(step: &StepSeen<'_>) -> bool {
    let leads = |role| role == Role::Leader;
    leads(step.before.role) && leads(step.after.role) && step.before.term == step.after.term
}
