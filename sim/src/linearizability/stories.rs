//! Stories of each kind of collection that are true, and the lies told about them: both oracles
//! believe the first and none of the second.

use super::model::State;
use super::witness::{Effect, Effects, witness};
use super::{Verdict, search};
use crate::history::testing::{Script, name_of, parse};
use crate::history::{CallOutcome, Model, Operation};
use crate::observation::SimTime;

/// Calls one after the other, and what each answered.
type Story<'a> = &'a [(&'a str, &'a str)];

/// The place of a call in a story, another answer to it, and what that would mean.
type Lie<'a> = (usize, &'a str, &'a str);

#[track_caller]
fn assert_judged(model: Model, story: Story<'_>, lies: &[Lie<'_>]) {
    let log = log(model, story);
    let told = script(model, story);
    assert_eq!(search(&told.history, STEPS), Verdict::Linearizable);
    assert_eq!(witness(&told.history, &effects(model, &log)), Ok(()));
    for (place, answer, meaning) in lies {
        let mut lie = story.to_vec();
        assert_ne!(lie[*place].1, *answer, "{meaning}");
        lie[*place].1 = answer;
        let told = script(model, &lie);
        let verdict = search(&told.history, STEPS);
        assert!(matches!(verdict, Verdict::Violation(_)), "{meaning}: {verdict}");
        let judged = witness(&told.history, &effects(model, &log));
        assert!(judged.is_err(), "the witness believes it: {meaning}");
    }
}

fn script(model: Model, story: Story<'_>) -> Script {
    let mut script = Script::of(model);
    for (place, (operation, answer)) in story.iter().enumerate() {
        script.done(place as u64 % 3, operation, answer);
    }
    script
}

/// What takes a position in the log.
fn log(model: Model, story: Story<'_>) -> Vec<Operation> {
    let operations = story.iter().map(|(operation, _)| parse(model, operation));
    operations.filter(|operation| !operation.is_read()).collect()
}

fn effects(model: Model, log: &[Operation]) -> Effects<'_> {
    let mut state = State::empty(model);
    let mut effects = Effects { applied: log.len() as u64, ..Effects::default() };
    for (index, operation) in (1..).zip(log) {
        let mut changes = Vec::new();
        state.apply(operation, |change| changes.push(change));
        if !changes.is_empty() {
            let seen = SimTime::from_micros(1_000);
            let effect = Effect { model, name: name_of(model), changes, seen };
            effects.at.insert(index, effect);
        }
    }
    effects
}

#[test]
fn a_queue() {
    let story = [
        ("pop", "none"),
        ("push 1", ""),
        ("push_all 2 3", ""),
        ("read_front", "1"),
        ("pop", "1"),
        ("pop", "2"),
        ("read_front", "3"),
        ("push 4", ""),
        ("push 5", ""),
        ("read_len", "3"),
        ("pop_many 2", "3 4"),
        ("push 6", ""),
        ("clear", "2"),
        ("pop", "none"),
        ("pop_many 3", ""),
    ];
    let lies = [
        (0, "1", "an item comes before it is pushed"),
        (3, "none", "a read misses what is there"),
        (3, "2", "a read sees what is not at the front yet"),
        (4, "2", "an item is passed over"),
        (4, "none", "none is popped while there are three"),
        (5, "1", "an item is popped twice"),
        (6, "2", "a read sees what is gone"),
        (9, "2", "an item is lost"),
        (9, "4", "an item is counted twice"),
        (10, "4 3", "items come out of order"),
        (10, "3", "fewer are popped than there are"),
        (10, "3 5", "an item between is passed over"),
        (10, "3 4 5", "more are popped than were asked for"),
        (12, "1", "the clearing leaves one"),
        (13, "6", "what was cleared comes back"),
        (14, "5 6", "what was cleared comes back"),
    ];
    assert_judged(Model::Queue, &story, &lies);
}

#[test]
fn a_record() {
    let story = [
        ("set f 1", "none"),
        ("insert f 2", "1"),
        ("read f", "1"),
        ("insert_instance f=3 g=4", "f=1"),
        ("read_instance g f h", "g=4 f=1"),
        ("update_instance_if f=5 g=5 if f=1 g=0", "false"),
        ("read f", "1"),
        ("update_instance_if f=6 g=6 if f=1 g=4", "true"),
        ("read_instance f g", "f=6 g=6"),
        ("update_if g 7 6", "true"),
        ("read g", "7"),
        ("delete f", "true"),
        ("update_instance_if g=8 if f=6", "false"),
        ("clear", "1"),
        ("read_instance f g", ""),
    ];
    let lies = [
        (0, "1", "there was something before anything was set"),
        (1, "none", "an insert overwrites"),
        (2, "2", "an insert overwrites, though it says otherwise"),
        (3, "f=1 g=4", "an insert finds what it put there itself"),
        (3, "", "an insert overwrites"),
        (4, "g=4 f=3", "an insert overwrites, though it says otherwise"),
        (4, "f=1 g=4", "fields come in another order than asked"),
        (5, "true", "an update is made though one field differs"),
        (6, "5", "an update is torn: the field that was as expected is set"),
        (7, "false", "an update is not made though all is as expected"),
        (8, "f=1 g=6", "an update is torn: one field stays behind"),
        (8, "f=6", "an update is torn: one field is lost"),
        (9, "false", "an update is not made though all is as expected"),
        (10, "6", "a read is stale"),
        (11, "false", "what is there is not found"),
        (12, "true", "a field that is missing counts as expected"),
        (13, "2", "a field is counted that is gone"),
        (14, "g=7", "what was cleared comes back"),
    ];
    assert_judged(Model::Record, &story, &lies);
}

#[test]
fn a_map_here_and_elsewhere() {
    let story = [
        ("set a 1", "none"),
        ("insert a 2", "1"),
        ("read a", "1"),
        ("insert_all a=3 b=4", "a=1"),
        ("read_all a b", "a=1 b=4"),
        ("update_if a 5 2", "false"),
        ("remove b", "4"),
        ("read_len", "1"),
        ("clear", "1"),
        ("read a", "none"),
    ];
    let lies = [
        (1, "none", "an insert overwrites"),
        (2, "2", "an insert overwrites, though it says otherwise"),
        (4, "a=3 b=4", "an insert overwrites, though it says otherwise"),
        (5, "true", "an update is made though the value differs"),
        (6, "none", "what is there is not found"),
        (7, "2", "a read is stale"),
        (9, "1", "what was cleared comes back"),
    ];
    for model in [Model::Map, Model::RemoteMap] {
        assert_judged(model, &story, &lies);
    }
}

/// Of two updates at once that expect the same, one is made, and it is made whole.
#[test]
fn updates_of_an_instance_at_once() {
    let cases = [
        ("true", "false", "f=2 g=2", true),
        ("false", "true", "f=3 g=3", true),
        ("true", "true", "f=3 g=3", false),
        ("false", "false", "f=1 g=1", false),
        ("true", "false", "f=3 g=3", false),
        ("true", "false", "f=2 g=3", false),
        ("true", "false", "f=2 g=1", false),
    ];
    for (one, other, after, right) in cases {
        let mut script = Script::of(Model::Record);
        script.done(3, "insert_instance f=1 g=1", "");
        script.begin(1, "update_instance_if f=2 g=2 if f=1 g=1");
        script.begin(2, "update_instance_if g=3 f=3 if g=1 f=1");
        script.answer(1, 2, one);
        script.answer(2, 3, other);
        script.done(3, "read_instance f g", after);
        let verdict = search(&script.history, STEPS);
        assert_eq!(verdict == Verdict::Linearizable, right, "{one} {other} {after}: {verdict}");
    }
}

/// Of two items pushed at once either may be first, for all poppers the same.
#[test]
fn pushes_and_pops_at_once() {
    let cases = [
        ("1", "2", "none", true),
        ("2", "1", "none", true),
        ("1", "none", "2", false),
        ("none", "1", "2", false),
        ("1", "1", "none", false),
        ("2", "2", "1", false),
    ];
    for (one, other, after, right) in cases {
        let mut script = Script::of(Model::Queue);
        script.begin(1, "push 1");
        script.begin(2, "push 2");
        script.answer(1, 1, "");
        script.answer(2, 2, "");
        script.begin(3, "pop");
        script.begin(4, "pop");
        script.answer(3, 3, one);
        script.answer(4, 4, other);
        script.done(5, "pop", after);
        let verdict = search(&script.history, STEPS);
        assert_eq!(verdict == Verdict::Linearizable, right, "{one} {other} {after}: {verdict}");
    }
}

#[test]
fn a_push_or_a_pop_of_unknown_outcome_happens_once_at_most() {
    let mut script = Script::of(Model::Queue);
    script.done(1, "push_all 1 2 3", "");
    script.begin(2, "pop");
    script.begin(3, "push 4");
    script.done(1, "pop", "2");
    assert_eq!(search(&script.history, STEPS), Verdict::Linearizable, "1 was popped");
    script.done(1, "pop_many 9", "3 4");
    assert_eq!(search(&script.history, STEPS), Verdict::Linearizable, "4 was pushed");
    script.done(1, "pop", "4");
    let verdict = search(&script.history, STEPS);
    assert!(matches!(verdict, Verdict::Violation(_)), "4 was pushed twice: {verdict}");
    let mut script = Script::of(Model::Queue);
    script.done(1, "push_all 1 2 3", "");
    script.begin(2, "pop");
    script.done(1, "pop", "3");
    let verdict = search(&script.history, STEPS);
    assert!(matches!(verdict, Verdict::Violation(_)), "1 and 2 were popped: {verdict}");
}

/// Without their turns, every set of pushes of unknown outcome is tried at every place.
#[test]
fn pushes_of_unknown_outcome_find_their_places() {
    let pushes = 1..=12_u64;
    let mut script = Script::of(Model::Queue);
    for client in pushes.clone() {
        script.begin(client, &format!("push unknown{client}"));
        script.end(client, CallOutcome::Unknown);
    }
    for client in pushes.clone() {
        script.done(client, &format!("push known{client}"), "");
    }
    for client in pushes {
        script.done(client, "pop", &format!("unknown{client}"));
        script.done(client, "pop", &format!("known{client}"));
    }
    assert_eq!(search(&script.history, 1_000), Verdict::Linearizable);
    script.done(1, "pop", "known12");
    let verdict = search(&script.history, 1_000);
    assert!(matches!(verdict, Verdict::Violation(_)), "{verdict}");
}

/// Each collection is judged on its own, though all have the same name.
#[test]
fn collections_of_all_kinds_at_once() {
    let stories: [(Model, [(&str, &str); 2]); 4] = [
        (Model::Map, [("set a 1", "none"), ("read a", "1")]),
        (Model::Queue, [("push 1", ""), ("read_front", "1")]),
        (Model::Record, [("set f 1", "none"), ("read f", "1")]),
        (Model::RemoteMap, [("insert a 1", "none"), ("read a", "1")]),
    ];
    for liar in [None, Some(Model::Map), Some(Model::Queue), Some(Model::Record)] {
        let mut script = Script::new();
        for place in 0..2 {
            for (model, story) in &stories {
                let (operation, answer) = story[place];
                let lies = liar == Some(*model) && place == 1;
                let answer = if lies { "none" } else { answer };
                script.about(*model).on("same").done(1, operation, answer);
            }
        }
        let verdict = search(&script.history, STEPS);
        assert_eq!(verdict == Verdict::Linearizable, liar.is_none(), "{liar:?}: {verdict}");
    }
}

const STEPS: u64 = 100_000;
