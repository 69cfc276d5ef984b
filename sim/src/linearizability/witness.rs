//! The witness: checks the very order that the log tells.
//!
//! Every command that was done took effect at a log position of its own, and every read saw the
//! state at one. That order must respect real time:
//!
//! - a command stands after every command and every read that had ended before it began;
//! - a read stands at or after every command and every read that had ended before it began.
//!
//! (For a read of a remote map, whose position is that of the last operation which its store had
//! executed: of those on the same map.)
//!
//! And it must explain what happened: replayed on the model, each call answers what its client was
//! told, and makes the very changes that the nodes reported at its position. Changes at a position
//! that no call claims must be those of a call whose outcome its client does not know, each such call
//! standing for one position at most.

use std::collections::BTreeMap;

use super::model::{Change, State};
use crate::history::{Call, CallId, CallOutcome, History, Model};
use crate::observation::SimTime;

/// What nodes reported to have changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects<'a> {
    /// By log position.
    pub(crate) at: BTreeMap<u64, Effect<'a>>,
    /// Positions above this one have been applied by no node.
    pub(crate) applied: u64,
}

/// What one log entry changed: one collection, and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effect<'a> {
    pub(crate) model: Model,
    pub(crate) name: &'a str,
    /// In order.
    pub(crate) changes: Vec<Change<'a>>,
    /// When the first node applied it.
    pub(crate) seen: SimTime,
}

/// Judges a history by the log.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn witness(history: &History, effects: &Effects<'_>) -> Result<(), String> {
    let calls = history.calls();
    let floors = check_order(&calls)?;
    let commands = commands_by_position(&calls, effects)?;
    let mut replay =
        Replay { calls: &calls, floors: &floors, states: BTreeMap::new(), open: vec![] };
    let mut reads = reads_by_position(&calls)?.into_iter().peekable();
    let mut positions: Vec<u64> = commands.keys().chain(effects.at.keys()).copied().collect();
    positions.sort_unstable();
    positions.dedup();
    for position in positions {
        while let Some((_, read)) = reads.next_if(|(saw, _)| *saw < position) {
            replay.call(read, &[])?;
        }
        let effect = effects.at.get(&position);
        match (commands.get(&position), effect) {
            (Some(call), _) => {
                let changes = effect.filter(|effect| effect.collection() == call.collection());
                if effect.is_some() && changes.is_none() {
                    return Err(format!(
                        "entry {position} changed another collection than that of {call}"
                    ));
                }
                replay.call(call, changes.map_or(&[], |effect| &effect.changes))?;
            }
            (None, Some(effect)) => replay.effect(position, effect)?,
            (None, None) => {}
        }
    }
    reads.try_for_each(|(_, read)| replay.call(read, &[]))?;
    replay.attribute()
}

/// Checks that the log positions respect real time; returns for each call the highest position of a
/// call that had ended before it began.
///
/// # Errors
/// The two calls that stand the wrong way round.
pub(crate) fn check_order(calls: &[Call<'_>]) -> Result<Vec<u64>, String> {
    let mut ends: Vec<(usize, usize)> =
        calls.iter().enumerate().map(|(place, call)| (call.completed, place)).collect();
    ends.sort_unstable();
    let mut ends = ends.into_iter().peekable();
    let mut highest = Highest::default();
    let mut floors = Vec::with_capacity(calls.len());
    for call in calls {
        while let Some((_, ended)) = ends.next_if(|(end, _)| *end < call.invoked) {
            highest.note(&calls[ended], ended);
        }
        let floor = highest.of_all.map_or(0, |(position, _)| position);
        floors.push(floor);
        let (Some(own), Some((before, earlier))) = (position(call), highest.before(call)) else {
            continue;
        };
        // A read may stand with the command whose effect it saw; a command stands alone.
        let least = if call.operation.is_read() { before } else { before + 1 };
        if own < least {
            return Err(format!(
                "the log's order is not that of real time: this call had ended\n    {}\n  \
                 before this one began, which yet does not come after it\n    {call}",
                calls[earlier]
            ));
        }
    }
    Ok(floors)
}

/// The highest log positions of calls that have ended, each with the place of its call.
#[derive(Default)]
struct Highest<'a> {
    of_all: Option<(u64, usize)>,
    /// By the map's name.
    of_remote: BTreeMap<&'a str, (u64, usize)>,
}

impl<'a> Highest<'a> {
    fn note(&mut self, call: &Call<'a>, place: usize) {
        let Some(position) = position(call) else { return };
        self.of_all = self.of_all.max(Some((position, place)));
        if call.operation.model() == Model::RemoteMap {
            let highest = self.of_remote.entry(call.name).or_default();
            *highest = (position, place).max(*highest);
        }
    }

    /// That of those which this call must not come before.
    ///
    /// A read of a remote map tells how far its store had come with that map. Others may have seen
    /// more of the log by then, without any operation on that map in it, and so it is compared with
    /// calls on the same map alone. To those that come later it is as good as any: the log had come
    /// as far at least.
    fn before(&self, call: &Call<'a>) -> Option<(u64, usize)> {
        if call.operation.model() == Model::RemoteMap && call.operation.is_read() {
            self.of_remote.get(call.name).copied()
        } else {
            self.of_all
        }
    }
}

/// The log position of a call that was done.
fn position(call: &Call<'_>) -> Option<u64> {
    match call.outcome {
        CallOutcome::Done { index, .. } => *index,
        CallOutcome::Refused { .. } | CallOutcome::NotExecuted | CallOutcome::Unknown => None,
    }
}

fn commands_by_position<'a>(
    calls: &'a [Call<'a>],
    effects: &Effects<'_>,
) -> Result<BTreeMap<u64, &'a Call<'a>>, String> {
    let mut commands: BTreeMap<u64, &Call<'_>> = BTreeMap::new();
    for call in calls.iter().filter(|call| !call.operation.is_read()) {
        let position = match call.outcome {
            CallOutcome::Done { index, .. } => index.ok_or_else(|| lacks_position(call))?,
            CallOutcome::Refused { index: Some(index) } => {
                if effects.at.contains_key(index) {
                    return Err(format!("this call was refused, yet changed something: {call}"));
                }
                continue;
            }
            CallOutcome::Refused { index: None }
            | CallOutcome::NotExecuted
            | CallOutcome::Unknown => continue,
        };
        if position > effects.applied {
            return Err(format!(
                "no node has applied an entry after {}, yet this call was answered: {call}",
                effects.applied
            ));
        }
        if let Some(other) = commands.insert(position, call) {
            return Err(format!(
                "two calls took effect at the same entry\n    {other}\n    {call}"
            ));
        }
    }
    Ok(commands)
}

/// The reads that were done, by what they saw.
fn reads_by_position<'a>(calls: &'a [Call<'a>]) -> Result<Vec<(u64, &'a Call<'a>)>, String> {
    let mut reads = Vec::new();
    for call in calls.iter().filter(|call| call.operation.is_read()) {
        if let CallOutcome::Done { index, .. } = call.outcome {
            reads.push((index.ok_or_else(|| lacks_position(call))?, call));
        }
    }
    reads.sort_by_key(|(position, _)| *position);
    Ok(reads)
}

fn lacks_position(call: &Call<'_>) -> String {
    format!("this call does not tell its log position: {call}")
}

/// The collections as the log makes them, one position after the other.
struct Replay<'a> {
    calls: &'a [Call<'a>],
    /// For each call, the log position that it comes after.
    floors: &'a [u64],
    states: BTreeMap<(Model, &'a str), State<'a>>,
    /// Effects that no call claims.
    open: Vec<Open>,
}

/// An effect that no call claims, and the calls that may have had it.
struct Open {
    text: String,
    /// Their places among the calls.
    suspects: Vec<usize>,
}

impl<'a> Effect<'a> {
    /// What it changed: the collection's kind and its name.
    const fn collection(&self) -> (Model, &'a str) {
        (self.model, self.name)
    }
}

impl<'a> Replay<'a> {
    fn call(&mut self, call: &Call<'a>, reported: &[Change<'_>]) -> Result<(), String> {
        let model = call.operation.model();
        let state = self.states.entry(call.collection()).or_insert_with(|| State::empty(model));
        let before = state.clone();
        let mut changes = Vec::new();
        let answered = state.apply(call.operation, |change| changes.push(change));
        if let CallOutcome::Done { result, .. } = call.outcome
            && answered != *result
        {
            return Err(format!(
                "replayed from the log this call answers {answered}\n    {call}\n  \
                 where before it {before}"
            ));
        }
        if changes != reported {
            return Err(format!(
                "the nodes report other changes than this call makes: {}\n    {call}",
                listed(reported)
            ));
        }
        Ok(())
    }

    fn effect(&mut self, position: u64, effect: &Effect<'a>) -> Result<(), String> {
        let Effect { model, name, .. } = *effect;
        let state = self.states.entry((model, name)).or_insert_with(|| State::empty(model));
        let text = format!("entry {position} on {model} {name:?}: {}", listed(&effect.changes));
        let suspects = self.calls.iter().enumerate().filter(|(place, call)| {
            matches!(call.outcome, CallOutcome::Unknown)
                && call.collection() == effect.collection()
                && call.invoked_at <= effect.seen
                && position > self.floors[*place]
                && makes(call, state, &effect.changes)
        });
        let suspects = suspects.map(|(place, _)| place).collect();
        if !effect.changes.iter().all(|change| state.force(*change)) {
            return Err(format!("these changes do not follow from those before: {text}"));
        }
        self.open.push(Open { text, suspects });
        Ok(())
    }

    /// Finds for each effect that no call claims a call of its own: a maximum matching, by
    /// augmenting paths.
    fn attribute(&self) -> Result<(), String> {
        let mut effect_of: BTreeMap<usize, usize> = BTreeMap::new();
        for (place, open) in self.open.iter().enumerate() {
            let mut asked = vec![false; self.calls.len()];
            if !self.assign(place, &mut effect_of, &mut asked) {
                let suspects: Vec<CallId> =
                    open.suspects.iter().map(|&call| self.calls[call].id).collect();
                let why = if suspects.is_empty() {
                    "no call of unknown outcome could have made it".to_owned()
                } else {
                    let names: Vec<String> = suspects.iter().map(ToString::to_string).collect();
                    format!("{} would have to have taken effect twice", names.join(" or "))
                };
                return Err(format!(
                    "a change that nobody can have asked for: {}; {why}",
                    open.text
                ));
            }
        }
        Ok(())
    }

    fn assign(
        &self,
        effect: usize,
        effect_of: &mut BTreeMap<usize, usize>,
        asked: &mut [bool],
    ) -> bool {
        for &call in &self.open[effect].suspects {
            if std::mem::replace(&mut asked[call], true) {
                continue;
            }
            let free = match effect_of.get(&call).copied() {
                Some(other) => self.assign(other, effect_of, asked),
                None => true,
            };
            if free {
                effect_of.insert(call, effect);
                return true;
            }
        }
        false
    }
}

/// Whether the call makes exactly these changes to `state`.
fn makes(call: &Call<'_>, state: &State<'_>, changes: &[Change<'_>]) -> bool {
    let mut made = Vec::new();
    state.clone().apply(call.operation, |change| made.push(change));
    made == changes
}

fn listed(changes: &[Change<'_>]) -> String {
    if changes.is_empty() {
        return "nothing".to_owned();
    }
    let shown: Vec<String> = changes.iter().map(ToString::to_string).collect();
    shown.join("; ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::history::testing::Script;
    use crate::linearizability::model::{EntryChange, QueueChange};
    use crate::linearizability::testing::{Execution, Planned};

    const INSERTED: Change<'static> = Change::Entry(EntryChange::Insert { key: "a", value: "1" });
    const REMOVED: Change<'static> = Change::Entry(EntryChange::Remove { key: "a", value: "1" });

    fn insert(key: &'static str, value: &'static str) -> Change<'static> {
        Change::Entry(EntryChange::Insert { key, value })
    }

    /// What the nodes report, each list of changes with its position.
    fn reported<'a>(effects: &[(u64, &'a [Change<'a>])]) -> Effects<'a> {
        let effect = |changes: &[Change<'a>]| Effect {
            model: Model::Map,
            name: "m",
            changes: changes.to_vec(),
            seen: SimTime::from_micros(1_000),
        };
        Effects {
            at: effects.iter().map(|(index, changes)| (*index, effect(changes))).collect(),
            applied: 100,
        }
    }

    #[track_caller]
    fn assert_rejected(script: &Script, effects: &[(u64, &[Change<'_>])], because: &str) {
        match witness(&script.history, &reported(effects)) {
            Ok(()) => panic!("accepted, though {because}"),
            Err(text) => assert!(text.contains(because), "{text}"),
        }
    }

    #[track_caller]
    fn assert_accepted(script: &Script, effects: &[(u64, &[Change<'_>])]) {
        assert_eq!(witness(&script.history, &reported(effects)), Ok(()));
    }

    #[test]
    fn a_command_comes_after_what_had_ended_before_it() {
        let mut script = Script::new();
        script.begin(1, "set a 1");
        script.answer(1, 5, "none");
        script.begin(2, "insert b 2");
        script.answer(2, 4, "none");
        let other = insert("b", "2");
        assert_rejected(
            &script,
            &[(5, &[INSERTED]), (4, &[other])],
            "order is not that of real time",
        );
    }

    #[test]
    fn a_read_sees_what_had_ended_before_it() {
        for (index, right) in [(5, true), (4, false)] {
            let mut script = Script::new();
            script.begin(1, "set a 1");
            script.answer(1, 5, "none");
            script.begin(2, "read a");
            script.answer(2, index, if right { "1" } else { "none" });
            let effects: &[(u64, &[Change<'_>])] = &[(5, &[INSERTED])];
            match right {
                true => assert_accepted(&script, effects),
                false => assert_rejected(&script, effects, "order is not that of real time"),
            }
        }
    }

    #[test]
    fn a_read_sees_what_an_earlier_read_saw() {
        let mut script = Script::new();
        script.begin(3, "set a 1");
        script.begin(1, "read a");
        script.answer(1, 5, "1");
        script.begin(2, "read a");
        script.answer(2, 4, "none");
        script.answer(3, 5, "none");
        assert_rejected(&script, &[(5, &[INSERTED])], "order is not that of real time");
    }

    #[test]
    fn a_command_comes_after_a_read_that_had_ended() {
        let mut script = Script::new();
        script.begin(1, "read a");
        script.answer(1, 5, "none");
        script.begin(2, "set a 1");
        script.answer(2, 5, "none");
        assert_rejected(&script, &[(5, &[INSERTED])], "order is not that of real time");
    }

    #[test]
    fn each_result_must_be_what_the_log_gives() {
        let mut script = Script::new();
        script.done(1, "set a 1", "none");
        script.done(1, "read a", "2");
        assert_rejected(&script, &[(1, &[INSERTED])], "this call answers \"1\"");
    }

    #[test]
    fn two_calls_do_not_share_an_entry() {
        let mut script = Script::new();
        script.begin(1, "set a 1");
        script.begin(2, "delete b");
        script.answer(1, 5, "none");
        script.answer(2, 5, "false");
        assert_rejected(&script, &[(5, &[INSERTED])], "two calls took effect at the same entry");
    }

    #[test]
    fn the_changes_must_be_those_that_the_nodes_report() {
        let mut script = Script::new();
        script.done(1, "set a 1", "none");
        assert_rejected(&script, &[], "other changes than this call makes: nothing");
        let other = insert("a", "2");
        assert_rejected(&script, &[(1, &[other])], "other changes than this call makes: insert");
    }

    #[test]
    fn an_answer_needs_an_entry_that_was_applied() {
        let mut script = Script::new();
        script.begin(1, "delete a");
        script.answer(1, 101, "false");
        assert_rejected(&script, &[], "no node has applied an entry after 100");
    }

    #[test]
    fn an_unknown_outcome_explains_one_change() {
        let mut script = Script::new();
        script.begin(1, "set a 1");
        script.end(1, CallOutcome::Unknown);
        script.begin(1, "remove a");
        assert_accepted(&script, &[]);
        assert_accepted(&script, &[(3, &[INSERTED])]);
        assert_accepted(&script, &[(3, &[INSERTED]), (7, &[REMOVED])]);
        assert_rejected(
            &script,
            &[(3, &[INSERTED]), (7, &[REMOVED]), (8, &[INSERTED])],
            "c1.1 would have to have taken effect twice",
        );
    }

    #[test]
    fn an_unknown_outcome_comes_after_what_had_ended_before_it() {
        let mut script = Script::new();
        script.begin(1, "delete b");
        script.answer(1, 5, "false");
        script.begin(2, "set a 1");
        assert_accepted(&script, &[(6, &[INSERTED])]);
        assert_rejected(&script, &[(4, &[INSERTED])], "nobody can have asked for");
    }

    #[test]
    fn which_call_explains_which_change_is_found_by_matching() {
        let mut script = Script::new();
        // c1 alone can have removed the second time, so that c2 must have removed the first time.
        script.begin(1, "remove a");
        script.begin(2, "remove_if a 1");
        script.done(3, "set a 1", "none");
        script.begin(3, "set a 2");
        script.answer(3, 3, "none");
        let second = insert("a", "2");
        let gone = Change::Entry(EntryChange::Remove { key: "a", value: "2" });
        assert_accepted(
            &script,
            &[(1, &[INSERTED]), (2, &[REMOVED]), (3, &[second]), (4, &[gone])],
        );
    }

    #[test]
    fn what_was_refused_or_not_executed_has_no_effect() {
        for outcome in [CallOutcome::NotExecuted, CallOutcome::Refused { index: None }] {
            let mut script = Script::new();
            script.begin(1, "set a 1");
            script.end(1, outcome);
            assert_accepted(&script, &[]);
            assert_rejected(&script, &[(3, &[INSERTED])], "nobody can have asked for");
        }
        let mut script = Script::new();
        script.begin(1, "set a 1");
        script.end(1, CallOutcome::Refused { index: Some(3) });
        assert_accepted(&script, &[]);
        assert_rejected(&script, &[(3, &[INSERTED])], "was refused, yet changed something");
    }

    #[test]
    fn changes_must_follow_from_those_before() {
        let mut script = Script::new();
        script.begin(1, "set a 1");
        assert_rejected(&script, &[(3, &[REMOVED])], "do not follow from those before");
    }

    /// What the nodes report of a queue.
    fn of_queue<'a>(effects: &[(u64, &[QueueChange<'a>])]) -> Effects<'a> {
        let effect = |changes: &[QueueChange<'a>]| Effect {
            model: Model::Queue,
            name: "q",
            changes: changes.iter().copied().map(Change::from).collect(),
            seen: SimTime::from_micros(1_000),
        };
        Effects {
            at: effects.iter().map(|(index, changes)| (*index, effect(changes))).collect(),
            applied: 100,
        }
    }

    #[test]
    fn the_log_must_make_the_changes_of_a_queue_in_its_order() {
        let [one, two] = ["1", "2"].map(|value| QueueChange::Add { value });
        let [gone, other] = ["1", "2"].map(|value| QueueChange::Remove { value });
        let mut script = Script::of(Model::Queue);
        script.done(1, "push_all 1 2", "");
        let pushed: (u64, &[QueueChange<'_>]) = (1, &[one, two]);
        let judge = |script: &Script, popped: &[QueueChange<'_>]| {
            witness(&script.history, &of_queue(&[pushed, (2, popped)]))
        };
        // Nobody knows how the pop ended, and then everybody does.
        script.begin(1, "pop");
        assert_eq!(judge(&script, &[gone]), Ok(()));
        let text = judge(&script, &[other]).expect_err("2 is not at the front");
        assert!(text.contains("do not follow from those before"), "{text}");
        let text = judge(&script, &[gone, other]).expect_err("a pop takes one");
        assert!(text.contains("nobody can have asked for"), "{text}");
        script.answer(1, 2, "1");
        assert_eq!(judge(&script, &[gone]), Ok(()));
        for wrong in [&[][..], &[other], &[gone, other], &[QueueChange::Clear]] {
            let text = judge(&script, wrong).expect_err("a pop takes the front");
            assert!(text.contains("other changes than this call makes"), "{text}");
        }
    }

    #[test]
    fn an_unknown_pop_explains_one_removal() {
        let [one, two] = ["1", "2"].map(|value| QueueChange::Add { value });
        let [gone, other] = ["1", "2"].map(|value| QueueChange::Remove { value });
        let mut script = Script::of(Model::Queue);
        script.done(1, "push_all 1 2", "");
        script.begin(1, "pop");
        let effects = of_queue(&[(1, &[one, two]), (2, &[gone]), (3, &[other])]);
        let text = witness(&script.history, &effects).expect_err("there is one pop");
        assert!(text.contains("c1.2 would have to have taken effect twice"), "{text}");
        script.begin(2, "pop_many 1");
        assert_eq!(witness(&script.history, &effects), Ok(()));
    }

    #[test]
    fn an_entry_changes_the_collection_that_its_call_is_about() {
        for model in [Model::RemoteMap, Model::Record, Model::Queue] {
            let mut script = Script::of(model);
            let operation = if model == Model::Queue { "push 1" } else { "set a 1" };
            script.on("m").done(1, operation, "none");
            assert_rejected(&script, &[(1, &[INSERTED])], "another collection than that of");
        }
        let mut script = Script::of(Model::Record);
        script.on("m").begin(1, "set a 1");
        assert_rejected(&script, &[(1, &[INSERTED])], "nobody can have asked for");
    }

    /// Others have seen more of the log by then, but nothing of this map.
    #[test]
    fn a_read_of_a_remote_map_is_at_its_last_operation() {
        for (index, right) in [(4, true), (3, false)] {
            let mut script = Script::of(Model::RemoteMap);
            script.begin(1, "delete a");
            script.answer(1, 4, "false");
            script.about(Model::Queue).begin(1, "pop");
            script.answer(1, 9, "none");
            script.about(Model::RemoteMap).on("other").begin(1, "delete a");
            script.answer(1, 10, "false");
            script.about(Model::RemoteMap).begin(1, "read a");
            script.answer(1, index, "none");
            match right {
                true => assert_accepted(&script, &[]),
                false => assert_rejected(&script, &[], "order is not that of real time"),
            }
        }
        // What comes later comes after what such a read saw.
        for model in [Model::RemoteMap, Model::Map] {
            let mut script = Script::of(Model::RemoteMap);
            script.begin(1, "read a");
            script.answer(1, 4, "none");
            script.about(model).begin(1, "delete a");
            script.answer(1, 4, "false");
            assert_rejected(&script, &[], "order is not that of real time");
        }
    }

    proptest! {
        #[test]
        fn a_real_execution_is_accepted(plan in any::<Planned>()) {
            let run = Execution::of(&plan);
            prop_assert_eq!(witness(&run.history(), &run.effects()), Ok(()));
        }

        #[test]
        fn any_other_result_is_rejected(
            plan in any::<Planned>(),
            which in any::<usize>(),
            value in "[0-9]{1,2}",
        ) {
            let mut run = Execution::of(&plan);
            if run.corrupt_with(which, &value).is_some() {
                prop_assert!(witness(&run.history(), &run.effects()).is_err());
            }
        }

        /// A removal may well be that of another call; a value has one writer.
        #[test]
        fn a_value_written_twice_is_rejected(plan in any::<Planned>(), which in any::<usize>()) {
            let run = Execution::of(&plan);
            let mut effects = run.effects();
            let writes = |change: &Change<'_>| change.written().is_some();
            let writes: Vec<Effect<'_>> =
                effects.at.values().filter(|it| it.changes.iter().any(writes)).cloned().collect();
            if let Some(again) = writes.get(which % (writes.len() + 1)).cloned() {
                effects.applied += 1;
                effects.at.insert(effects.applied, again);
                prop_assert!(witness(&run.history(), &effects).is_err());
            }
        }
    }
}
