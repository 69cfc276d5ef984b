//! Cutting a history into parts that can be judged one by one.
//!
//! Linearizability is local (Herlihy and Wing 1990, theorem 1): a history is linearizable if and
//! only if, for each object, the calls on that object are. Each key of each map is such an object. A
//! call on several keys joins them into one, and a call on all of them joins the whole map.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Call, CallOutcome, MapOperation, MapResult};

/// A call to be put in order.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a> {
    pub(super) call: Call<'a>,
    /// What it does, with every value that nobody ever saw replaced by one and the same.
    pub(super) operation: MapOperation,
    /// What it answered; none when its outcome is unknown, and it may or may not have an effect.
    pub(super) result: Option<&'a MapResult>,
}

/// Cuts a history into parts that share no key. In each the calls stand in the order in which they
/// began. Those that cannot have had an effect and answered nothing are left out.
pub(super) fn partitions<'a>(calls: &[Call<'a>]) -> Vec<Vec<Piece<'a>>> {
    let mut maps: BTreeMap<&str, Vec<Piece<'a>>> = BTreeMap::new();
    for call in calls {
        let result = match call.outcome {
            CallOutcome::Done { result, .. } => Some(result),
            CallOutcome::Unknown if !call.operation.is_read() => None,
            CallOutcome::Unknown | CallOutcome::Refused { .. } | CallOutcome::NotExecuted => {
                continue;
            }
        };
        let operation = call.operation.clone();
        maps.entry(call.map).or_default().push(Piece { call: *call, operation, result });
    }
    let mut parts: Vec<Vec<Piece<'a>>> = maps.into_values().flat_map(by_key).collect();
    parts.iter_mut().for_each(|part| hide_unseen_values(part));
    parts
}

fn by_key(pieces: Vec<Piece<'_>>) -> Vec<Vec<Piece<'_>>> {
    let mut groups = Groups::default();
    for piece in &pieces {
        let Some(keys) = piece.call.operation.keys() else { return vec![pieces] };
        for key in &keys {
            groups.join(keys[0], key);
        }
    }
    let mut parts: BTreeMap<Option<usize>, Vec<Piece<'_>>> = BTreeMap::new();
    for piece in pieces {
        let keys = piece.call.operation.keys().unwrap_or_default();
        let group = keys.first().map(|key| groups.group(key));
        parts.entry(group).or_default().push(piece);
    }
    parts.into_values().collect()
}

/// Which keys belong together: disjoint sets, each named by one of its members.
#[derive(Default)]
struct Groups<'a> {
    names: BTreeMap<&'a str, usize>,
    parents: Vec<usize>,
}

impl<'a> Groups<'a> {
    fn join(&mut self, one: &'a str, other: &'a str) {
        let (one, other) = (self.group(one), self.group(other));
        self.parents[other] = one;
    }

    fn group(&mut self, key: &'a str) -> usize {
        let fresh = self.parents.len();
        let mut place = *self.names.entry(key).or_insert(fresh);
        if place == fresh {
            self.parents.push(fresh);
        }
        while self.parents[place] != place {
            self.parents[place] = self.parents[self.parents[place]];
            place = self.parents[place];
        }
        place
    }
}

/// Replaces the values that no result shows and no call expects by a single one.
///
/// Nothing ever compares them with anything, so this changes no answer; but states and calls that
/// differ in them only become the same, which spares the search most of its work on calls of
/// unknown outcome.
fn hide_unseen_values(part: &mut [Piece<'_>]) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for piece in &*part {
        match &piece.operation {
            MapOperation::UpdateIf { expected, .. } | MapOperation::RemoveIf { expected, .. } => {
                seen.insert(expected.clone());
            }
            MapOperation::Set { .. }
            | MapOperation::SetAll { .. }
            | MapOperation::Insert { .. }
            | MapOperation::InsertAll { .. }
            | MapOperation::Remove { .. }
            | MapOperation::RemoveAll { .. }
            | MapOperation::Delete { .. }
            | MapOperation::DeleteAll { .. }
            | MapOperation::Clear
            | MapOperation::Read { .. }
            | MapOperation::ReadAll { .. }
            | MapOperation::ReadLen => {}
        }
        match piece.result {
            Some(MapResult::Value(Some(value))) => {
                seen.insert(value.clone());
            }
            Some(MapResult::Entries(entries)) => {
                seen.extend(entries.iter().map(|(_, value)| value.clone()));
            }
            Some(
                MapResult::Value(None)
                | MapResult::Keys(_)
                | MapResult::Flag(_)
                | MapResult::Count(_),
            )
            | None => {}
        }
    }
    // Longer than anything seen, hence different from all of it.
    let unseen = "?".repeat(1 + seen.iter().map(String::len).max().unwrap_or(0));
    for value in part.iter_mut().flat_map(|piece| piece.operation.values_mut()) {
        if !seen.contains(value) {
            value.clone_from(&unseen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::Script;

    fn shape(script: &Script) -> Vec<Vec<String>> {
        let calls = script.history.calls();
        let parts = partitions(&calls);
        let name = |piece: &Piece<'_>| piece.call.id.to_string();
        parts.iter().map(|part| part.iter().map(name).collect()).collect()
    }

    #[test]
    fn calls_on_different_keys_are_judged_apart() {
        let mut script = Script::new();
        script.done(1, "set a 1", "none");
        script.done(2, "set b 2", "none");
        script.done(1, "read a", "1");
        script.on("other").done(3, "set a 3", "none");
        assert_eq!(shape(&script), [vec!["c1.1", "c1.2"], vec!["c2.1"], vec!["c3.1"]]);
    }

    #[test]
    fn a_call_on_several_keys_joins_them() {
        let mut script = Script::new();
        script.done(1, "set a 1", "none");
        script.done(2, "set b 2", "none");
        script.done(3, "set c 3", "none");
        script.done(1, "read_all c a", "c=3 a=1");
        assert_eq!(shape(&script), [vec!["c2.1"], vec!["c1.1", "c3.1", "c1.2"]]);
        script.done(2, "read_len", "3");
        assert_eq!(shape(&script).len(), 1);
    }

    #[test]
    fn what_had_no_effect_and_answered_nothing_is_left_out() {
        let mut script = Script::new();
        script.begin(1, "set a 1");
        script.end(1, CallOutcome::NotExecuted);
        script.begin(2, "read a");
        script.end(2, CallOutcome::Unknown);
        script.begin(3, "set a 3");
        script.end(3, CallOutcome::Refused { index: Some(4) });
        script.begin(4, "set a 4");
        assert_eq!(shape(&script), [vec!["c4.1"]]);
    }

    #[test]
    fn values_that_nobody_saw_become_one() {
        let mut script = Script::new();
        script.begin(1, "set a long");
        script.begin(2, "set a 2");
        script.begin(3, "set a 3");
        script.done(4, "read a", "2");
        let calls = script.history.calls();
        let parts = partitions(&calls);
        let values: Vec<Vec<&str>> =
            parts[0].iter().map(|piece| piece.operation.values()).collect();
        assert_eq!(values, [vec!["??"], vec!["2"], vec!["??"], vec![]]);
    }
}
