//! LA: a leader never removes or rewrites entries of its own log (Raft §5.3).

use hamok::Event;

use super::ledger::Ledger;
use super::{events, stays_leader, writes};
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Looks at the leader's last entry: it must be where it was. What stands before it cannot have
/// changed without it, by log matching.
#[derive(Debug, Default)]
pub(super) struct LeaderAppendOnly {
    ledger: Ledger,
}

impl Checker for LeaderAppendOnly {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        self.ledger.note(cluster, step);
        if !stays_leader(step) || !writes(step) {
            return Ok(());
        }
        let last = step.before.last;
        let truncates = |event: &Event| matches!(event, Event::LogTruncated { .. });
        if self.ledger.holds(&cluster.node(step.node).issued, last) && !events(step).any(truncates)
        {
            return Ok(());
        }
        let text = format!(
            "a leader only appends to its log, but in {} it replaced entries up to {last}",
            step.after.term
        );
        Err(Violation::new(CODE, Some(step.node), text))
    }
}

const CODE: &str = "LA";

#[cfg(test)]
mod tests {
    use hamok::{EntryId, Index, Output};

    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    fn leads_and_writes(seen: &Seen) -> bool {
        let leads = |status: &hamok::Status| status.role == hamok::Role::Leader;
        leads(&seen.before) && leads(&seen.after) && seen.writes()
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(LeaderAppendOnly::default());
    }

    #[test]
    fn a_leader_that_loses_entries_is_reported() {
        let story = Story::true_one().but(|seen| {
            let found = leads_and_writes(seen);
            if found {
                let last = seen.before.last;
                seen.before.last = EntryId::new(last.index.plus(5), last.term);
            }
            found
        });
        assert_objects(LeaderAppendOnly::default(), &story, "a leader only appends");
    }

    #[test]
    fn a_leader_that_cuts_its_log_is_reported() {
        let story = Story::true_one().but(|seen| {
            let found = leads_and_writes(seen);
            if found {
                let kept = Index::new(1);
                seen.outputs.push(Output::Event(Event::LogTruncated { kept }));
            }
            found
        });
        assert_objects(LeaderAppendOnly::default(), &story, "a leader only appends");
    }
}
