//! LM: two logs that hold an entry of the same index and term hold the same entry there, and the same
//! entries before it; the images on disk included (Raft §5.3).

use std::collections::BTreeMap;

use hamok::{Entry, EntryId, GroupId, Index, NodeId, Stored, Term};

use super::writes;
use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Knows of each entry its content and the term of the one before it. When every entry of every log
/// agrees with that, then by induction over the index so do whole prefixes.
///
/// Logs of different groups have nothing to do with each other: a founder that crashes before it made
/// the founding durable founds another group.
#[derive(Debug, Default)]
pub(super) struct LogMatching {
    entries: BTreeMap<Name, Known>,
    /// Each log as far as it has been looked at.
    logs: BTreeMap<NodeId, Followed>,
}

type Name = (Option<GroupId>, Index, Term);

#[derive(Clone, Copy, Debug)]
struct Known {
    digest: u64,
    before: Term,
    holder: NodeId,
}

/// The terms of the entries of a log, after the last that its snapshot covers.
#[derive(Debug, Default)]
struct Followed {
    start: EntryId,
    terms: Vec<Term>,
}

impl Followed {
    /// Forgets what a new snapshot covers; all of it, if the log did not lead up to that.
    fn begin_after(&mut self, start: EntryId) {
        let covered = start.index.get().checked_sub(self.start.index.get());
        let covered = covered.and_then(|count| usize::try_from(count).ok());
        let led = covered.and_then(|count| self.terms.get(count.checked_sub(1)?));
        match covered {
            Some(count) if led == Some(&start.term) => _ = self.terms.drain(..count),
            Some(_) | None => self.terms.clear(),
        }
        self.start = start;
    }
}

impl LogMatching {
    /// Looks at what the log holds beyond what is known of it: the last `appended` entries at least.
    fn follow(&mut self, node: NodeId, log: &Stored, appended: u64) -> Result<(), Violation> {
        let known = self.logs.entry(node).or_default();
        let (group, start) = (log.group(), log.start());
        if known.start != start {
            known.begin_after(start);
            if !self.entries.contains_key(&(group, start.index, start.term)) {
                let text =
                    format!("a snapshot ends with an entry of a log, but {start} was in none");
                return Err(Violation::new(CODE, Some(node), text));
            }
        }
        let entries = log.entries();
        let old = entries.len().saturating_sub(usize::try_from(appended).unwrap_or(usize::MAX));
        let mut same = known.terms.len().min(old);
        while same > 0 && known.terms[same - 1] != entries[same - 1].id().term {
            same -= 1;
        }
        known.terms.truncate(same);
        for entry in &entries[same..] {
            let before = known.terms.last().copied().unwrap_or(start.term);
            let expected = start.index.plus(known.terms.len() as u64).next();
            known.terms.push(entry.id().term);
            if entry.id().index != expected {
                let text = format!("a log has no gaps, but {} stands at {expected}", entry.id());
                return Err(Violation::new(CODE, Some(node), text));
            }
            Self::compare(&mut self.entries, (group, node), entry, before)?;
        }
        Ok(())
    }

    fn compare(
        known: &mut BTreeMap<Name, Known>,
        (group, node): (Option<GroupId>, NodeId),
        entry: &Entry,
        before: Term,
    ) -> Result<(), Violation> {
        let EntryId { index, term } = entry.id();
        let this = Known { digest: entry.digest(), before, holder: node };
        let first = *known.entry((group, index, term)).or_insert(this);
        let differs = if first.digest != this.digest {
            format!("their contents differ ({:016x}, {:016x})", first.digest, this.digest)
        } else if first.before != before {
            format!("the entry before it is of {} there and of {before} here", first.before)
        } else {
            return Ok(());
        };
        let text = format!(
            "logs that share an entry are the same up to it, but {} on {} and on {node} are not: \
             {differs}",
            entry.id(),
            first.holder,
        );
        Err(Violation::new(CODE, Some(node), text))
    }
}

impl Checker for LogMatching {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_step(&mut self, cluster: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        if !writes(step) {
            return Ok(());
        }
        let (before, after) = (&step.before.counters, &step.after.counters);
        let appended = after.entries_appended.saturating_sub(before.entries_appended);
        self.follow(step.node, &cluster.node(step.node).issued, appended)
    }

    /// What survived a crash is looked at from the start.
    fn on_start(&mut self, cluster: &ClusterSeen<'_>, node: NodeId) -> Result<(), Violation> {
        self.logs.remove(&node);
        self.follow(node, &cluster.node(node).issued, 0)
    }
}

const CODE: &str = "LM";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::testing::{Story, Told, assert_accepts, assert_objects};

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(LogMatching::default());
    }

    #[test]
    fn an_entry_that_differs_from_its_namesake_is_reported() {
        let other = Story::led_next_by(NodeId::new(2)).last_image(NodeId::new(1));
        let story = Story::true_one().but(|seen| {
            let found = seen.writes() && seen.after.last.index >= other.last().index;
            if found {
                seen.own().issued = other.clone();
            }
            found
        });
        assert_objects(LogMatching::default(), &story, "their contents differ");
    }

    #[test]
    fn an_image_that_differs_after_a_crash_is_reported() {
        let other = Story::led_next_by(NodeId::new(2)).last_image(NodeId::new(1));
        let mut story = Story::true_one();
        let crash = |told: &Told| matches!(told, Told::Crash(..));
        let crashed = story.told.iter().position(crash).expect("a node crashes");
        let start = story.told[crashed..].iter_mut().find_map(|told| match told {
            Told::Start(node, nodes) => nodes.get_mut(node),
            Told::Crash(..) | Told::Step(_) => None,
        });
        start.expect("and is back").issued = other;
        assert_objects(LogMatching::default(), &story, "their contents differ");
    }

    #[test]
    fn a_different_predecessor_is_reported() {
        let image = Story::true_one().last_image(NodeId::new(1));
        let entry = image.entries().last().expect("the log is not empty");
        let mut known = BTreeMap::new();
        let mut compare = |group, before| {
            let log = (group, NodeId::new(1));
            LogMatching::compare(&mut known, log, entry, Term::new(before))
        };
        assert_eq!(compare(image.group(), 2), Ok(()));
        assert_eq!(compare(None, 1), Ok(()), "of another group");
        let violation = compare(image.group(), 1).expect_err("the terms before it differ");
        assert!(violation.text.contains("the entry before it is of t2 there and of t1 here"));
    }
}
