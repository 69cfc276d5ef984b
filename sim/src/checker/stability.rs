//! ST: with a healthy quorum, a node that was cut off and returns neither raises the term nor deposes
//! anyone (Raft thesis §4.2.3, §9.6).

use crate::observation::{Checker, ClusterSeen, EndSeen, ReunionSeen, StepSeen, Violation};

/// Judges the return of the isolated node by what it changed.
#[derive(Debug)]
pub(super) struct Stability;

impl Checker for Stability {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, _: &ClusterSeen<'_>, _: &StepSeen<'_>) -> Result<(), Violation> {
        Ok(())
    }

    fn on_end(&mut self, _: &ClusterSeen<'_>, end: &EndSeen<'_>) -> Result<(), Violation> {
        let Some(reunion) = end.reunion else { return Ok(()) };
        let ReunionSeen { isolated, leader_before, term_before, term_after, .. } = reunion;
        let deserter =
            reunion.leaders_after.iter().find(|(_, leader)| **leader != Some(*leader_before));
        let what = if term_after != term_before {
            format!("the term went from {term_before} to {term_after}")
        } else if let Some((node, leader)) = deserter {
            let leader = leader.map_or_else(|| "nobody".to_owned(), |leader| leader.to_string());
            format!("{node} then followed {leader}, not {leader_before}")
        } else {
            return Ok(());
        };
        let text = format!(
            "a node that returns disturbs nobody, but {isolated} was cut off from {} to {} and {what}",
            reunion.cut, reunion.returned
        );
        Err(Violation::new(CODE, Some(*isolated), text))
    }
}

const CODE: &str = "ST";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hamok::{NodeId, Term};

    use super::*;
    use crate::history::History;
    use crate::observation::{Moment, SimTime};

    fn judge(change: impl FnOnce(&mut ReunionSeen)) -> Result<(), Violation> {
        let leader = NodeId::new(1);
        let mut reunion = ReunionSeen {
            isolated: NodeId::new(3),
            leader_before: leader,
            term_before: Term::new(4),
            cut: SimTime::from_secs(5),
            returned: SimTime::from_secs(9),
            term_after: Term::new(4),
            leaders_after: [1, 2, 3].map(|id| (NodeId::new(id), Some(leader))).into(),
        };
        change(&mut reunion);
        let (moment, history) = (Moment::default(), &History::new());
        let end = EndSeen { moment, history, liveness: None, reunion: Some(&reunion) };
        Stability.on_end(&ClusterSeen { nodes: &BTreeMap::new() }, &end)
    }

    #[test]
    fn a_quiet_return_is_accepted() {
        assert_eq!(judge(|_| {}), Ok(()));
    }

    #[test]
    fn a_raised_term_or_a_deposed_leader_is_reported() {
        for (violation, words) in [
            (judge(|it| it.term_after = Term::new(5)), "the term went from t4 to t5"),
            (
                judge(|it| _ = it.leaders_after.insert(NodeId::new(2), Some(NodeId::new(3)))),
                "n2 then followed n3, not n1",
            ),
            (
                judge(|it| _ = it.leaders_after.insert(NodeId::new(2), None)),
                "n2 then followed nobody",
            ),
        ] {
            let violation = violation.expect_err(words);
            assert!(violation.text.contains(words), "{violation}");
        }
    }
}
