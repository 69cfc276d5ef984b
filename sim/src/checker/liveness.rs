//! LV: after faults stop, within 20 maximum election time-outs there is one leader, all members are
//! equal, the configuration is uniform, and new writes and reads are served.

use crate::observation::{
    Checker, ClusterSeen, EndSeen, LivenessSeen, SimTime, StepSeen, Violation,
};

/// Judges the liveness phase by how it went.
#[derive(Debug)]
pub(super) struct Liveness;

impl Checker for Liveness {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, _: &ClusterSeen<'_>, _: &StepSeen<'_>) -> Result<(), Violation> {
        Ok(())
    }

    fn on_end(&mut self, _: &ClusterSeen<'_>, end: &EndSeen<'_>) -> Result<(), Violation> {
        let Some(liveness) = end.liveness else { return Ok(()) };
        let LivenessSeen { agreed, write_served, read_served, disagreement, .. } = liveness;
        let late = |when: &Option<SimTime>| when.is_none_or(|when| when > liveness.deadline);
        let what = if late(agreed) {
            format!("the healthy nodes do not agree: {disagreement}")
        } else if late(write_served) {
            "no new write is served".to_owned()
        } else if late(read_served) {
            "no new read is served".to_owned()
        } else {
            return Ok(());
        };
        let healthy: Vec<String> = liveness.healthy.iter().map(ToString::to_string).collect();
        let text = format!(
            "after faults stop the group comes to work, but from {} to {}, with [{}] healthy, {what}",
            liveness.began,
            liveness.deadline,
            healthy.join(", ")
        );
        Err(Violation::new(CODE, None, text))
    }
}

const CODE: &str = "LV";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hamok::NodeId;

    use super::*;
    use crate::history::History;
    use crate::observation::Moment;

    fn judge(change: impl FnOnce(&mut LivenessSeen)) -> Result<(), Violation> {
        let served = Some(SimTime::from_secs(9));
        let mut liveness = LivenessSeen {
            began: SimTime::from_secs(5),
            deadline: SimTime::from_secs(10),
            healthy: [1, 3].map(NodeId::new).into(),
            write_served: served,
            read_served: served,
            agreed: served,
            disagreement: String::new(),
        };
        change(&mut liveness);
        let (moment, history) = (Moment::default(), &History::new());
        let end = EndSeen { moment, history, liveness: Some(&liveness), reunion: None };
        Liveness.on_end(&ClusterSeen { nodes: &BTreeMap::new() }, &end)
    }

    #[test]
    fn a_group_that_works_in_time_is_accepted() {
        assert_eq!(judge(|_| {}), Ok(()));
        assert_eq!(judge(|liveness| liveness.agreed = Some(liveness.deadline)), Ok(()));
    }

    #[test]
    fn each_thing_that_does_not_work_in_time_is_reported() {
        let late = Some(SimTime::from_secs(11));
        for when in [None, late] {
            for (violation, words) in [
                (judge(|it| it.write_served = when), "[n1, n3] healthy, no new write is served"),
                (judge(|it| it.read_served = when), "no new read is served"),
                (
                    judge(|it| {
                        it.agreed = when;
                        it.disagreement = "two leaders".to_owned();
                    }),
                    "the healthy nodes do not agree: two leaders",
                ),
            ] {
                let violation = violation.expect_err(words);
                assert!(violation.text.contains(words), "{violation}");
            }
        }
    }
}
