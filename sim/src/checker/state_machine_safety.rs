//! SM: nodes that have applied as far have the same state, and each entry gave them the same result
//! and the same events; every node applies every entry once in a life, in order, but for those that a
//! snapshot stands for (Raft §5.4.3, §7).

use std::collections::BTreeMap;

use hamok::{EntryId, Event, Index, NodeId, Status};

use crate::observation::{Checker, ClusterSeen, StepSeen, Violation};

/// Knows what applying each entry came to at the first node that did. Needs the verbose events.
#[derive(Debug, Default)]
pub(super) struct StateMachineSafety {
    applied: Vec<Applied>,
    /// How far each node has come in its present life.
    lives: BTreeMap<NodeId, Index>,
}

/// What applying an entry came to.
#[derive(Debug)]
struct Applied {
    first: NodeId,
    entry: EntryId,
    digest: u64,
    outcome: u64,
    /// Changes, expired sessions and commands that could not be read; none if the node stopped then.
    events: Option<Vec<Event>>,
}

impl StateMachineSafety {
    fn apply(&mut self, applied: Applied) -> Result<(), Violation> {
        let node = applied.first;
        let done = self.lives.entry(node).or_default();
        let index = applied.entry.index;
        if index != done.next() {
            let text =
                format!("entries are applied once each, in order, but after {done} came {index}");
            return Err(Violation::new(CODE, Some(node), text));
        }
        *done = index;
        match self.applied.get_mut(place(index)) {
            Some(first) => first.compare(applied),
            None => {
                self.applied.push(applied);
                Ok(())
            }
        }
    }

    /// A snapshot takes the place of the entries that it covers.
    fn load(&mut self, node: NodeId, last: EntryId) -> Result<(), Violation> {
        let done = self.lives.entry(node).or_default();
        let known = self.applied.get(place(last.index));
        let text = if last.index < *done {
            format!("a snapshot leads on, but after {done} came one up to {last}")
        } else if known.is_none_or(|known| known.entry != last) {
            format!("a snapshot stands for what was applied, but nobody has applied {last}")
        } else {
            *done = last.index;
            return Ok(());
        };
        Err(Violation::new(CODE, Some(node), text))
    }

    /// The state that a node shows must be the one it reached by applying.
    fn compare_state(&self, node: NodeId, status: &Status) -> Result<(), Violation> {
        let done = self.lives.get(&node).copied().unwrap_or_default();
        if status.applied != done {
            let text = format!("it reports {} as applied, having applied {done}", status.applied);
            return Err(Violation::new(CODE, Some(node), text));
        }
        match done {
            Index::ZERO => Ok(()),
            index => self.applied[place(index)].compare_state(node, status.digest),
        }
    }
}

impl Applied {
    /// Compares it with what the same entry came to at another node, which may be the first to tell events.
    fn compare(&mut self, other: Self) -> Result<(), Violation> {
        let node = other.first;
        if self.entry != other.entry {
            return Err(self.objection(node, "the entries are", &self.entry, &other.entry));
        }
        if self.outcome != other.outcome {
            return Err(self.objection(node, "the results are", &self.outcome, &other.outcome));
        }
        let digest = other.digest;
        if let (Some(first), Some(then)) = (&self.events, &other.events) {
            self.compare_events(first, (node, then))?;
        } else if self.events.is_none() {
            self.events = other.events;
        }
        self.compare_state(node, digest)
    }

    fn compare_events(
        &self,
        events: &[Event],
        (node, others): (NodeId, &[Event]),
    ) -> Result<(), Violation> {
        let shown = |event: Option<&Event>| event.map_or("none".to_owned(), Event::to_string);
        for place in 0..events.len().max(others.len()) {
            let (first, then) = (events.get(place), others.get(place));
            if first != then {
                return Err(self.objection(node, "events are", &shown(first), &shown(then)));
            }
        }
        Ok(())
    }

    fn compare_state(&self, node: NodeId, digest: u64) -> Result<(), Violation> {
        if self.digest == digest {
            return Ok(());
        }
        Err(self.objection(node, "the states are", &self.digest, &digest))
    }

    fn objection(
        &self,
        node: NodeId,
        what: &str,
        first: &dyn std::fmt::Display,
        then: &dyn std::fmt::Display,
    ) -> Violation {
        let text = format!(
            "what is applied comes to the same on all nodes, but after {} {what} {first} on {} and \
             {then} on {node}",
            self.entry, self.first
        );
        Violation::new(CODE, Some(node), text)
    }
}

impl Checker for StateMachineSafety {
    fn code(&self) -> &'static str {
        CODE
    }

    fn on_loss(&mut self) {
        *self = Self::default();
    }

    fn on_step(&mut self, _: &ClusterSeen<'_>, step: &StepSeen<'_>) -> Result<(), Violation> {
        let mut events = Vec::new();
        for event in super::events(step) {
            if let Event::Applied { entry, digest, outcome } = *event {
                let told = std::mem::take(&mut events);
                let events = (!super::stops(step)).then_some(told);
                self.apply(Applied { first: step.node, entry, digest, outcome, events })?;
            } else if let Event::SnapshotLoaded { last } = *event {
                self.load(step.node, last)?;
            } else if comes_of_applying(event) {
                events.push(event.clone());
            }
        }
        let (before, after) = (step.before, step.after);
        if (before.applied, before.digest) == (after.applied, after.digest) {
            return Ok(());
        }
        self.compare_state(step.node, after)
    }

    fn on_start(&mut self, _: &ClusterSeen<'_>, node: NodeId) -> Result<(), Violation> {
        self.lives.remove(&node);
        Ok(())
    }
}

fn comes_of_applying(event: &Event) -> bool {
    matches!(
        event,
        Event::Changed(_)
            | Event::SessionExpired { .. }
            | Event::CommandUnreadable { .. }
            | Event::CommandTooNew { .. }
    )
}

fn place(index: Index) -> usize {
    usize::try_from(index.get() - 1).expect("an index of a log in memory")
}

const CODE: &str = "SM";

#[cfg(test)]
mod tests {
    use hamok::Output;

    use super::*;
    use crate::checker::testing::{Seen, Story, assert_accepts, assert_objects};

    /// The true story, with the first event that `change` takes up replaced, at a node that is not
    /// the first to apply the entry.
    fn story(change: impl Fn(&Event) -> Option<Vec<Event>>) -> Story {
        let mut applied = Index::ZERO;
        Story::true_one().but(|seen| {
            let second = seen.after.applied <= applied;
            applied = applied.max(seen.after.applied);
            second && replace(seen, &change)
        })
    }

    fn replace(seen: &mut Seen, change: impl Fn(&Event) -> Option<Vec<Event>>) -> bool {
        let replacement =
            seen.outputs.iter().enumerate().find_map(|(place, output)| match output {
                Output::Event(event) => Some((place, change(event)?)),
                Output::Persist(_) | Output::Send(_) | Output::Reply(_) | Output::Remote(_) => None,
            });
        let Some((place, events)) = replacement else { return false };
        seen.outputs.splice(place..=place, events.into_iter().map(Output::Event));
        true
    }

    fn changed(event: &Event) -> bool {
        matches!(event, Event::Changed(_))
    }

    #[test]
    fn a_true_story_is_accepted() {
        assert_accepts(StateMachineSafety::default());
    }

    #[test]
    fn another_state_or_result_is_reported() {
        let state = story(|event| {
            let Event::Applied { entry, digest, outcome } = *event else { return None };
            Some(vec![Event::Applied { entry, digest: digest ^ 1, outcome }])
        });
        assert_objects(StateMachineSafety::default(), &state, "the states are");
        let result = story(|event| {
            let Event::Applied { entry, digest, outcome } = *event else { return None };
            Some(vec![Event::Applied { entry, digest, outcome: outcome ^ 1 }])
        });
        assert_objects(StateMachineSafety::default(), &result, "the results are");
    }

    #[test]
    fn a_missing_or_repeated_event_is_reported() {
        let missing = story(|event| changed(event).then(Vec::new));
        assert_objects(StateMachineSafety::default(), &missing, "and none on");
        let again = story(|event| changed(event).then(|| vec![event.clone(), event.clone()]));
        assert_objects(StateMachineSafety::default(), &again, "events are none on");
    }

    #[test]
    fn an_entry_applied_twice_is_reported() {
        let applied = |event: &Event| matches!(event, Event::Applied { .. });
        let story = story(|event| applied(event).then(|| vec![event.clone(), event.clone()]));
        assert_objects(StateMachineSafety::default(), &story, "entries are applied once each");
    }

    #[test]
    fn a_digest_shown_without_an_entry_is_reported() {
        let story = Story::true_one().but(|seen| {
            let found = seen.before.applied == seen.after.applied && seen.after.applied.get() > 3;
            seen.after.digest ^= u64::from(found);
            found
        });
        assert_objects(StateMachineSafety::default(), &story, "the states are");
    }
}
