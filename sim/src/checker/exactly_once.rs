//! EO: each request takes effect at most once and gets exactly one reply; one answered *refused* or
//! *not executed* never takes effect, then or later.

use std::collections::BTreeMap;

use hamok::{Input, NodeId, Output, RequestId};

use super::journal::{Journal, Reported};
use crate::history::{Call, CallId, CallOutcome, History, Model};
use crate::linearizability::Change;
use crate::observation::{
    Checker, ClusterSeen, EndSeen, LivenessSeen, SimTime, StepSeen, Violation,
};

/// Keeps the requests that each life of a node has to answer; in the end, traces each value in the
/// collections back to the one call that wrote it. (An effect that writes nothing, a removal, is the
/// witness's matter.)
#[derive(Debug, Default)]
pub(super) struct ExactlyOnce {
    journal: Journal,
    /// The requests without a reply, and when they were asked.
    pending: BTreeMap<NodeId, BTreeMap<RequestId, SimTime>>,
}

impl ExactlyOnce {
    /// Follows what is asked and answered, and compares it with what the node says is pending.
    fn count(&mut self, step: &StepSeen<'_>) -> Result<(), Violation> {
        let replies = || step.outputs.iter().filter(|output| matches!(output, Output::Reply(_)));
        let asked = matches!(step.input, Input::Request(..));
        if !asked && replies().next().is_none() {
            return Ok(());
        }
        let pending = self.pending.entry(step.node).or_default();
        if let Input::Request(id, _) = step.input {
            pending.entry(*id).or_insert(step.moment.at);
        }
        for output in replies() {
            if let Output::Reply(reply) = output
                && pending.remove(&reply.id()).is_none()
            {
                let text = format!("a request gets one reply, but this one answers none: {reply}");
                return Err(Violation::new(CODE, Some(step.node), text));
            }
        }
        let (ours, theirs) = (pending.len() as u64, step.after.load.pending_requests);
        if ours != theirs {
            let text = format!("{ours} requests are without a reply, but {theirs} are pending");
            return Err(Violation::new(CODE, Some(step.node), text));
        }
        Ok(())
    }

    /// Once all is well, nothing asked before is left without a reply.
    fn all_answered(
        &self,
        cluster: &ClusterSeen<'_>,
        end: &EndSeen<'_>,
        liveness: &LivenessSeen,
    ) -> Result<(), Violation> {
        for (node, pending) in &self.pending {
            let healthy = liveness.healthy.contains(node) && cluster.node(*node).up;
            for (id, asked) in pending {
                let waited = end.moment.at.since((*asked).max(liveness.began));
                if healthy && waited > longest_wait(cluster, *node, liveness) {
                    let text = format!("each request gets a reply, but {id} of {asked} has none");
                    return Err(Violation::new(CODE, Some(*node), text));
                }
            }
        }
        Ok(())
    }
}

/// Twice the time-out of requests. How long a tick is, the length of the liveness phase tells: it is
/// at least as long as forty of the least election time-outs.
fn longest_wait(cluster: &ClusterSeen<'_>, node: NodeId, liveness: &LivenessSeen) -> u64 {
    let config = &cluster.node(node).config;
    let elections = config.election_timeout.get().saturating_mul(40).max(1);
    let tick = liveness.deadline.since(liveness.began) / elections;
    config.request_timeout.get().saturating_mul(2).saturating_mul(tick)
}

impl Checker for ExactlyOnce {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        self.journal = Journal::default();
    }

    fn on_step(&mut self, _: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        self.journal.note(step);
        self.count(step)
    }

    fn on_start(&mut self, _: &ClusterSeen<'_>, node: NodeId) -> Result<(), Violation> {
        self.pending.remove(&node);
        Ok(())
    }

    fn on_crash(&mut self, _: &ClusterSeen<'_>, node: NodeId) {
        self.pending.remove(&node);
    }

    fn on_end(&mut self, cluster: &ClusterSeen<'_>, end: &EndSeen<'_>) -> Result<(), Violation> {
        if let Some(liveness) = end.liveness {
            self.all_answered(cluster, end, liveness)?;
        }
        let object = |text| Violation::new(CODE, None, text);
        let reported = self.journal.read(end.history).map_err(object)?;
        trace(&reported, end.history).map_err(object)
    }
}

/// By collection and value.
type Writers<'a> = BTreeMap<((Model, &'a str), &'a str), Option<&'a Call<'a>>>;

/// Traces each value that was written back to the call that wrote it.
fn trace(reported: &[Reported], history: &History) -> Result<(), String> {
    let calls = history.calls();
    let writers = writers(&calls);
    let mut effects: BTreeMap<CallId, u64> = BTreeMap::new();
    for Reported { index, model, name, typed, .. } in reported {
        let Some(value) = typed.change().and_then(Change::written) else { continue };
        let Some(writer) = writers.get(&((*model, name), value)) else {
            return Err(format!("entry {index} wrote a value that nobody asked for: {value:?}"));
        };
        // When several calls write the same value, nobody can tell which of them did.
        let Some(call) = writer else { continue };
        let first = *effects.entry(call.id).or_insert(*index);
        if first != *index {
            return Err(format!(
                "a call takes effect once, but this one did at {first} and at {index}\n    {call}"
            ));
        }
        match call.outcome {
            CallOutcome::Done { index: Some(told), .. } if told != index => {
                return Err(format!("this call took effect at {index}\n    {call}"));
            }
            CallOutcome::Refused { .. } | CallOutcome::NotExecuted => {
                return Err(format!(
                    "what is refused or not executed has no effect, but this call had one, at \
                     {index}\n    {call}"
                ));
            }
            CallOutcome::Done { .. } | CallOutcome::Unknown => {}
        }
    }
    Ok(())
}

/// Who wrote each value of each collection; none if there are several.
fn writers<'a>(calls: &'a [Call<'a>]) -> Writers<'a> {
    let mut writers = Writers::new();
    for call in calls {
        for value in call.operation.values() {
            let writer = writers.entry((call.collection(), value)).or_insert(Some(call));
            if writer.is_some_and(|writer| writer.id != call.id) {
                *writer = None;
            }
        }
    }
    writers
}

const CODE: &str = "EO";

#[cfg(test)]
mod tests {
    use hamok::MapEvent;

    use super::*;
    use crate::checker::journal::TypedChange;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};
    use crate::history::testing::Script;

    fn replies(seen: &Seen) -> bool {
        seen.outputs.iter().any(|output| matches!(output, Output::Reply(_)))
    }

    /// A change of the map `m`.
    fn insert(index: u64, value: &str) -> Reported {
        let (key, value) = ("a".to_owned(), value.to_owned());
        let typed = TypedChange::Map(MapEvent::Insert { key, value });
        Reported { index, model: Model::Map, name: "m".to_owned(), typed, seen: SimTime::ZERO }
    }

    #[track_caller]
    fn assert_traced(script: &Script, reported: &[Reported], expected: &str) {
        let text = trace(reported, &script.history).expect_err(expected);
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(ExactlyOnce::default());
    }

    #[test]
    fn a_second_reply_is_reported() {
        let story = Story::true_one().but(|seen| {
            let found = replies(seen);
            if found {
                seen.outputs.extend(seen.outputs.clone());
            }
            found
        });
        assert_objects(ExactlyOnce::default(), &story, "this one answers none");
    }

    #[test]
    fn a_reply_that_is_dropped_is_reported() {
        let story = Story::true_one().but(|seen| {
            let found = replies(seen);
            if found {
                seen.outputs.retain(|output| !matches!(output, Output::Reply(_)));
            }
            found
        });
        assert_objects(ExactlyOnce::default(), &story, "requests are without a reply");
    }

    #[test]
    fn a_request_left_without_a_reply_is_reported() {
        let story = Story::true_one();
        let last = story.steps().last().expect("something happened");
        let liveness = LivenessSeen {
            began: SimTime::ZERO,
            deadline: SimTime::from_secs(40),
            healthy: last.nodes.keys().copied().collect(),
            write_served: None,
            read_served: None,
            agreed: None,
            disagreement: String::new(),
        };
        let mut checker = ExactlyOnce::default();
        let asked = BTreeMap::from([(RequestId::new(7), SimTime::ZERO)]);
        checker.pending.insert(last.node, asked);
        for (at, overdue) in [(9, false), (11, true)] {
            let moment = crate::Moment { at: SimTime::from_secs(at), step: 1 };
            let (history, liveness) = (&story.history, &liveness);
            let end = EndSeen { moment, history, liveness: Some(liveness), reunion: None };
            let cluster = ClusterSeen { nodes: &last.nodes };
            // The time-out is 50 ticks of 0.1 s; twice that is allowed.
            assert_eq!(checker.all_answered(&cluster, &end, liveness).is_err(), overdue);
        }
    }

    #[test]
    fn an_effect_has_one_call_and_a_call_one_effect() {
        let mut script = Script::new();
        script.begin(1, "set a 1");
        assert_eq!(trace(&[insert(5, "1")], &script.history), Ok(()));
        assert_traced(&script, &[insert(5, "2")], "that nobody asked for");
        assert_traced(&script, &[insert(5, "1"), insert(7, "1")], "did at 5 and at 7");
        script.answer(1, 6, "none");
        assert_eq!(trace(&[insert(6, "1")], &script.history), Ok(()));
        assert_traced(&script, &[insert(5, "1")], "took effect at 5");
    }

    #[test]
    fn an_effect_of_what_was_not_executed_is_reported() {
        for outcome in [CallOutcome::NotExecuted, CallOutcome::Refused { index: Some(5) }] {
            let mut script = Script::new();
            script.begin(1, "set a 1");
            script.end(1, outcome);
            assert_eq!(trace(&[], &script.history), Ok(()));
            assert_traced(&script, &[insert(5, "1")], "has no effect");
        }
    }

    #[test]
    fn a_value_that_two_calls_write_is_nobodys() {
        let mut script = Script::new();
        script.begin(1, "set a 1");
        script.begin(2, "set a 1");
        assert_eq!(trace(&[insert(5, "1"), insert(7, "1")], &script.history), Ok(()));
    }
}
