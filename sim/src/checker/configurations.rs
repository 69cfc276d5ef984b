//! CF: a node uses the latest configuration in its snapshot and log, committed or not; one at most is not
//! committed; two that follow each other have quorums that intersect, by way of a joint one (Raft §6); a
//! leader changes them only after it has committed an entry of its own term; and no command is of a later
//! format version than the configuration before it.

use std::collections::BTreeMap;

use hamok::{Configuration, EntryId, Index, NodeId, Peer, Role, Status, Stored};

use super::ledger::Ledger;
use super::writes;
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Finds the configurations in a log by itself, entry by entry, and compares them with what the node
/// says.
#[derive(Debug, Default)]
pub(super) struct Configurations {
    ledger: Ledger,
    logs: BTreeMap<NodeId, Followed>,
}

/// The configurations in one log, as far as it has been looked at.
#[derive(Debug, Default)]
struct Followed {
    start: EntryId,
    end: EntryId,
    found: Vec<(EntryId, Configuration)>,
}

/// What is wrong.
type Objection = String;

impl Followed {
    /// Looks at what is new in the log; all of it, if that does not go on from what is known.
    fn follow(&mut self, log: &Stored) -> Result<(), Objection> {
        let goes_on = self.start == log.start()
            && (self.end == log.start()
                || log.entry(self.end.index).is_some_and(|entry| entry.id() == self.end));
        if !goes_on {
            self.start = log.start();
            self.end = log.start();
            self.found.clear();
            if let Some(head) = log.snapshot() {
                // Its term is not known, and does not matter: it is committed.
                let at = EntryId::new(head.configuration_index(), head.last().term);
                self.found.push((at, head.configuration().clone()));
            }
        }
        let known = usize::try_from(self.end.index.since(self.start.index));
        for entry in &log.entries()[known.expect("a log in memory")..] {
            self.end = entry.id();
            if let Some(configuration) = entry.configuration() {
                if let Some((at, before)) = self.found.last() {
                    follows(before, configuration).map_err(|because| {
                        format!(
                            "{configuration} of {} comes after {before} of {at}: {because}",
                            self.end
                        )
                    })?;
                }
                self.found.push((self.end, configuration.clone()));
            }
            let version = self.found.last().map_or(0, |(_, configuration)| configuration.version());
            if let Some(&first) = entry.command().and_then(<[u8]>::first)
                && first > version
            {
                let id = entry.id();
                return Err(format!(
                    "the command {id} is of version {first}, the group's is {version}"
                ));
            }
        }
        Ok(())
    }
}

/// Whether one configuration may follow the other: every quorum of the one then meets every quorum of
/// the other.
fn follows(before: &Configuration, after: &Configuration) -> Result<(), &'static str> {
    let voters = |voters: &mut dyn Iterator<Item = Peer>| voters.collect::<Vec<Peer>>();
    let (old, new) = (voters(&mut before.old_voters()), voters(&mut before.new_voters()));
    let (next_old, next_new) = (voters(&mut after.old_voters()), voters(&mut after.new_voters()));
    match (before.is_joint(), after.is_joint()) {
        (false, false) if old != next_old => Err("the voters change at one stroke"),
        (false, true) if old != next_old => Err("the old voters are not those there were"),
        (true, false) if new != next_new => Err("the voters are not the new ones"),
        (true, true) if (old, new) != (next_old, next_new) => Err("one change begins in another"),
        _ => Ok(()),
    }
}

impl Configurations {
    fn judge(&self, node: NodeId, status: &Status, found: &Followed) -> Result<(), Objection> {
        let none = Configuration::default();
        let (at, latest) =
            found.found.last().map_or((Index::ZERO, &none), |(at, latest)| (at.index, latest));
        let (theirs, theirs_at) = (&*status.configuration, status.configuration_index);
        if (at, latest) != (theirs_at, theirs) {
            return Err(format!(
                "the latest in the log of {node} is {latest} of {at}, it uses {theirs} of {theirs_at}"
            ));
        }
        let open = |(at, _): &&(EntryId, Configuration)| {
            at.index > found.start.index && self.ledger.committed(at.index) != Some(*at)
        };
        let open: Vec<String> =
            found.found.iter().filter(open).map(|(at, _)| at.to_string()).collect();
        if open.len() > 1 {
            return Err(format!("several are not committed: {}", open.join(", ")));
        }
        Ok(())
    }

    /// A leader's own configurations come after an entry of its term that is committed.
    fn judge_leader(&self, status: &Status, found: &Followed) -> Result<(), Objection> {
        let Some((at, latest)) = found.found.last().filter(|(at, _)| at.term == status.term) else {
            return Ok(());
        };
        let committed = self.ledger.committed(status.committed);
        if committed.is_some_and(|committed| committed.term == status.term) {
            return Ok(());
        }
        let committed = committed.unwrap_or_default();
        Err(format!(
            "the leader of {} made {latest} of {at}, having committed {committed}",
            at.term
        ))
    }
}

impl Checker for Configurations {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        self.ledger.note(cluster, step);
        let changed = step.before.configuration_index != step.after.configuration_index;
        if !changed && !writes(step) {
            return Ok(());
        }
        let mut found = self.logs.remove(&step.node).unwrap_or_default();
        let count = found.found.len();
        let judged = found.follow(&cluster.node(step.node).issued);
        let judged = judged.and_then(|()| self.judge(step.node, step.after, &found));
        let leads = step.after.role == Role::Leader && found.found.len() > count;
        let judged = match leads {
            true => judged.and_then(|()| self.judge_leader(step.after, &found)),
            false => judged,
        };
        self.logs.insert(step.node, found);
        judged.map_err(|text| object(step.node, &text))
    }

    fn on_start(&mut self, cluster: &ClusterSeen<'_>, node: NodeId) -> Result<(), Violation> {
        self.logs.remove(&node);
        let seen = cluster.node(node);
        let mut found = Followed::default();
        // A new node may have founded a group already, and has yet to say so to its disk.
        let restored = seen.status.as_ref().filter(|_| seen.issued.peer().is_some());
        let judged = found
            .follow(&seen.issued)
            .and_then(|()| restored.map_or(Ok(()), |status| self.judge(node, status, &found)));
        self.logs.insert(node, found);
        judged.map_err(|text| object(node, &text))
    }
}

fn object(node: NodeId, because: &str) -> Violation {
    Violation::new(CODE, Some(node), format!("configurations follow from the log, but {because}"))
}

const CODE: &str = "CF";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hamok::Term;

    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    /// The configurations of the story, in order, each as the log first had it.
    fn configurations() -> Vec<Configuration> {
        let mut all: BTreeMap<Index, Configuration> = BTreeMap::new();
        for seen in Story::of_snapshots().steps() {
            let status = &seen.after;
            all.insert(status.configuration_index, (*status.configuration).clone());
        }
        all.into_values().filter(|configuration| configuration.voters().next().is_some()).collect()
    }

    fn late_write(seen: &Seen) -> bool {
        seen.writes() && seen.after.configuration_index > Index::new(1)
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(Configurations::default());
    }

    #[test]
    fn another_configuration_in_use_is_reported() {
        let story = Story::of_snapshots().but(|seen| {
            let found = late_write(seen);
            if found {
                seen.after.configuration = Arc::default();
            }
            found
        });
        assert_objects(Configurations::default(), &story, "it uses {}");
        let story = Story::of_snapshots().but(|seen| {
            let found = late_write(seen);
            if found {
                seen.after.configuration_index = Index::new(1);
            }
            found
        });
        assert_objects(Configurations::default(), &story, "of 1");
    }

    #[test]
    fn configurations_follow_each_other_only_by_way_of_a_joint_one() {
        let all = configurations();
        for pair in all.windows(2) {
            assert_eq!(follows(&pair[0], &pair[1]), Ok(()), "{} then {}", pair[0], pair[1]);
        }
        let joint = all.iter().position(Configuration::is_joint).expect("a node left");
        let (before, joint, after) = (&all[joint - 1], &all[joint], &all[joint + 1]);
        assert_eq!(follows(before, after), Err("the voters change at one stroke"));
        assert_eq!(follows(after, joint), Err("the old voters are not those there were"));
        assert_eq!(follows(joint, before), Err("the voters are not the new ones"));
        let back = all.iter().rev().find(|other| other.is_joint()).expect("it came back");
        assert_eq!(follows(joint, back), Err("one change begins in another"));
    }

    #[test]
    fn two_that_are_not_committed_are_reported() {
        let entry = |index| EntryId::new(Index::new(index), Term::new(2));
        let configuration = configurations().remove(0);
        let found = |open: &[u64]| Followed {
            found: open.iter().map(|&at| (entry(at), configuration.clone())).collect(),
            ..Followed::default()
        };
        let story = Story::true_one();
        let mut status = story.steps().next().expect("something happened").after.clone();
        status.configuration = Arc::new(configuration.clone());
        status.configuration_index = Index::new(9);
        let node = NodeId::new(1);
        assert_eq!(Configurations::default().judge(node, &status, &found(&[9])), Ok(()));
        let objection = Configurations::default().judge(node, &status, &found(&[7, 9]));
        assert!(objection.expect_err("two are open").contains("7@2, 9@2"));
    }

    #[test]
    fn a_change_before_an_entry_of_the_term_is_committed_is_reported() {
        let story = Story::of_snapshots().but(|seen| {
            let begins = seen.after.role == Role::Leader
                && seen.before.configuration_index < seen.after.configuration_index;
            if begins {
                seen.after.committed = Index::new(1);
            }
            begins
        });
        assert_objects(Configurations::default(), &story, "having committed 1@1");
    }

    #[test]
    fn a_command_of_a_later_version_is_reported() {
        let image = Story::true_one().last_image(NodeId::new(1));
        let mut found = Followed::default();
        assert_eq!(found.follow(&image), Ok(()));
        // Without the configurations before it, any version is too late.
        let behind = image.entries().iter().position(|entry| entry.configuration().is_some());
        assert_eq!(behind, Some(0));
        let first = image.entries()[0].id();
        let mut found = Followed { start: EntryId::ZERO, end: first, found: Vec::new() };
        assert!(found.follow(&image).expect_err("none is in force").contains("the group's is 0"));
    }
}
