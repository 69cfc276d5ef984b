//! Cutting a history into parts that can be judged one by one.
//!
//! Linearizability is local (Herlihy and Wing 1990, theorem 1): a history is linearizable if and
//! only if, for each object, the calls on that object are. Each key of each map and each field of
//! each record is such an object. A call on several of them joins them into one, and a call on all of
//! them joins the whole collection. A queue is one object: all its values stand in one line.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Call, CallOutcome, CallResult, Model, Operation};

/// A call to be put in order.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a> {
    pub(super) call: Call<'a>,
    /// What it does, with every value that nobody ever saw replaced by one and the same.
    pub(super) operation: Operation,
    /// What it answered; none when its outcome is unknown, and it may or may not have an effect.
    pub(super) result: Option<&'a CallResult>,
}

/// Cuts a history into parts that share no collection, or at least no key or field. In each the calls stand in the order in which they
/// began. Those that cannot have had an effect and answered nothing are left out.
pub(super) fn partitions<'a>(calls: &[Call<'a>]) -> Vec<Vec<Piece<'a>>> {
    let mut collections: BTreeMap<(Model, &str), Vec<Piece<'a>>> = BTreeMap::new();
    for call in calls {
        let result = match call.outcome {
            CallOutcome::Done { result, .. } => Some(result),
            CallOutcome::Unknown if !call.operation.is_read() => None,
            CallOutcome::Unknown | CallOutcome::Refused { .. } | CallOutcome::NotExecuted => {
                continue;
            }
        };
        let operation = call.operation.clone();
        let piece = Piece { call: *call, operation, result };
        collections.entry(call.collection()).or_default().push(piece);
    }
    let mut parts: Vec<Vec<Piece<'a>>> = collections.into_values().flat_map(by_key).collect();
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
/// This changes no verdict. Let `h` do that replacement; a value that is seen it leaves alone, and
/// nothing else becomes a value that is seen. No operation compares a value that it finds with
/// anything but the values it expects, which are seen: maps and records go by keys and fields, and a
/// queue goes by places. So in one and the same order of the calls the state with `h` is `h` of the
/// state without, an answer with `h` is `h` of the answer without, and both change something or
/// neither does. A result shows seen values only, so that an answer is that result if and only if `h`
/// of it is. (In a queue, values that became the same stay as many as they were: they are counted by
/// their places.)
///
/// But states and calls that differ in them only become the same, which spares the search most of
/// its work on calls of unknown outcome.
fn hide_unseen_values(part: &mut [Piece<'_>]) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for piece in &*part {
        let shown = piece.result.map(CallResult::values).unwrap_or_default();
        seen.extend(piece.operation.expected().into_iter().chain(shown).map(str::to_owned));
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
    fn fields_are_judged_apart_until_a_call_joins_them() {
        let mut script = Script::of(Model::Record);
        script.done(1, "set f 1", "none");
        script.done(2, "insert g 2", "none");
        script.done(3, "set h 3", "none");
        script.done(1, "update_instance_if f=2 if h=3", "true");
        assert_eq!(shape(&script), [vec!["c1.1", "c3.1", "c1.2"], vec!["c2.1"]]);
        script.done(2, "clear", "3");
        assert_eq!(shape(&script).len(), 1);
    }

    #[test]
    fn a_queue_is_judged_as_a_whole_and_apart_from_all_else() {
        let mut script = Script::of(Model::Queue);
        script.done(1, "push 1", "");
        script.done(2, "pop", "1");
        script.on("other").done(3, "push 1", "");
        script.about(Model::Map).on("q").done(4, "set a 1", "none");
        script.about(Model::RemoteMap).on("q").done(5, "set a 1", "none");
        assert_eq!(
            shape(&script),
            [vec!["c4.1"], vec!["c3.1"], vec!["c1.1", "c2.1"], vec!["c5.1"]]
        );
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

    #[test]
    fn what_a_record_expects_is_seen() {
        let mut script = Script::of(Model::Record);
        script.begin(1, "insert_instance f=1 g=2");
        script.begin(2, "update_instance_if f=3 g=4 if f=1 g=4");
        let calls = script.history.calls();
        let parts = partitions(&calls);
        let values: Vec<Vec<&str>> =
            parts[0].iter().map(|piece| piece.operation.values()).collect();
        assert_eq!(values, [["1", "??"], ["??", "4"]]);
    }
}
