//! Remote maps through the public API: who calls the outside store when, and what becomes of it.

mod bounds;
mod damage;
mod group;
mod many_maps;
mod schedules;
#[path = "../support/store.rs"]
mod store;

use std::collections::BTreeMap;

use hamok::{
    Collection, Event, Failure, Fence, FenceRefusal, Index, Map, NodeId, NotExecuted, Redeemed,
    Refusal, RemoteAnswer, RemoteCall, RemoteCallId, RemoteMap, RemoteMapEvent, RemoteOperation,
    RemoteOutcome, RemoteResult, RemoteWork, Role, Sequence, StoreError, Ticks, Unknown,
    transfer_leadership,
};

use group::{Group, Text};

const USERS: RemoteMap<String, String, Text> = RemoteMap::new("users");
const OTHERS: RemoteMap<String, String, Text> = RemoteMap::new("others");

fn text(text: &str) -> String {
    text.to_owned()
}

fn set(key: &str, value: &str) -> hamok::Call<Option<String>> {
    USERS.set(&text(key), &text(value)).expect("text encodes")
}

fn fence(call: &RemoteCall) -> Fence {
    match call.work() {
        RemoteWork::Execute { fence, .. } => *fence,
        other @ (RemoteWork::Read(_) | _) => panic!("{other:?} executes nothing"),
    }
}

fn ended(answer: RemoteAnswer) -> RemoteResult {
    RemoteResult::Ended(RemoteOutcome::Done(answer))
}

/// A group that keeps its calls for the test to answer, and where its leader and a follower are.
fn held(count: u64) -> (Group, usize, usize) {
    let mut group = Group::new(count, |config| config.request_timeout = Ticks::new(500));
    group.at_once = false;
    let (leader, follower) = (group.leader(), group.follower());
    (group, leader, follower)
}

// --- who calls, and when --------------------------------------------------------------------------

#[test]
fn the_leader_calls_and_every_node_tells_what_changed() {
    let (mut group, leader, follower) = held(3);
    let asked = group.ask(follower, set("a", "1"));
    assert_eq!(group.status(leader).load.remote_calls, 1);
    let (caller, call) = group.only_call();
    assert_eq!((caller, call.map()), (leader, "users"));
    let Fence { term, index, previous, adopt, .. } = fence(&call);
    assert_eq!((previous, adopt), (Index::ZERO, false));
    assert_eq!(term, group.status(leader).term);
    assert!(group.redeem(&asked).is_none(), "not before the store has answered");

    let result = group.store.perform(&call);
    group.answer(caller, &call, result);
    assert_eq!(group.redeem(&asked), Some(Ok(None)));
    group.run(5);
    for at in 0..3 {
        let view = group.node(at).remote_map(&USERS);
        assert_eq!((view.executed(), view.queued()), (index, 0));
        let changed: Vec<&Event> =
            group.events.iter().filter(|(by, _)| *by == at).map(|(_, event)| event).collect();
        let [Event::Changed(change)] = changed[..] else { panic!("{changed:?}") };
        let insert = RemoteMapEvent::Insert { key: text("a"), value: text("1") };
        assert_eq!(USERS.event(change), Some(Ok(insert)));
        assert!(OTHERS.event(change).is_none());
    }
    let status = group.status(leader);
    assert_eq!((status.load.remote_calls, status.counters.remote_calls_made), (0, 1));
    assert_eq!(status.counters.remote_calls_repeated, 0);
}

#[test]
fn operations_of_one_map_are_executed_one_at_a_time_and_in_order() {
    let (mut group, leader, follower) = held(3);
    let asked: Vec<_> = ["1", "2", "3"].map(|value| group.ask(follower, set("a", value))).into();
    let other = OTHERS.insert(&text("b"), &text("x")).expect("text encodes");
    let other = group.ask(leader, other);
    assert_eq!(group.calls.len(), 2, "one of each map");
    assert_eq!(group.node(leader).remote_map(&USERS).queued(), 3);

    let mut previous = Index::ZERO;
    for (nth, asked) in asked.iter().enumerate() {
        let at = group.calls.iter().position(|(_, call)| call.map() == "users");
        group.calls.swap(0, at.expect("the next is called"));
        let next = fence(&group.calls[0].1);
        assert_eq!(next.previous, previous);
        previous = next.index;
        group.perform();
        let before = nth.checked_sub(1).map(|_| nth.to_string());
        assert_eq!(group.redeem(asked), Some(Ok(before)));
    }
    assert!(group.redeem(&other).is_none(), "one map does not wait for another");
    group.perform();
    assert_eq!(group.redeem(&other), Some(Ok(None)));
    assert_eq!(group.store.text("users"), "a=3");
}

#[test]
fn a_call_in_vain_is_made_again_after_pauses_that_double_and_begin_anew_with_the_next() {
    let mut group = Group::new(1, |config| {
        config.request_timeout = Ticks::new(500);
        (config.remote_retry, config.max_remote_retry) = (Ticks::new(2), Ticks::new(9));
    });
    group.at_once = false;
    let refusal = RemoteResult::Refused(FenceRefusal::OutOfOrder { last: Index::new(1) });
    let mut pauses = Vec::new();
    let mut ids = Vec::new();
    let asked = [group.ask(0, set("a", "1")), group.ask(0, set("a", "2"))];
    for nth in 0..10 {
        let (at, call) = group.only_call();
        ids.push(call.id());
        if nth == 5 {
            let result = group.store.perform(&call);
            group.answer(at, &call, result);
            continue;
        }
        let in_vain = if nth % 2 == 0 { RemoteResult::Unanswered } else { refusal.clone() };
        group.answer(at, &call, in_vain);
        let begun = group.now;
        group.run_until("the call is made again", |group| !group.calls.is_empty());
        pauses.push(group.now - begun);
    }
    assert_eq!(pauses, [2, 4, 8, 9, 9, 2, 4, 8, 9]);
    assert!(ids.is_sorted_by(|one, next| one < next), "every call has an id of its own: {ids:?}");
    let counters = group.status(0).counters;
    assert_eq!((counters.remote_calls_made, counters.remote_calls_repeated), (11, 9));
    assert_eq!(counters.remote_calls_refused, 4);
    let told = group.told(0);
    assert_eq!(told.iter().filter(|told| told.contains("not allowed")).count(), 4, "{told:?}");
    group.perform();
    assert!(asked.iter().all(|asked| group.redeem(asked).is_some_and(|result| result.is_ok())));
}

#[test]
fn an_answer_that_is_none_to_the_call_is_ignored_and_the_call_made_again() {
    let (mut group, leader, _) = held(1);
    let asked = group.ask(leader, set("a", "1"));
    let read =
        RemoteResult::Read { row: None, outcome: RemoteOutcome::Done(RemoteAnswer::Nothing) };
    for misfit in [ended(RemoteAnswer::Count(1)), ended(RemoteAnswer::Values(vec![])), read] {
        let (at, call) = group.only_call();
        group.answer(at, &call, misfit);
        assert_eq!(group.told(leader).pop(), Some(format!("result of {} ignored", call.id())));
        group.run(10);
    }
    group.answer(leader, &group.calls[0].1.clone(), RemoteResult::Unanswered);
    // It is answered for once: what comes after that is nothing to anybody.
    let call = group.calls.pop_front().expect("a call").1;
    group.answer(leader, &call, ended(RemoteAnswer::Values(vec![None])));
    assert!(group.redeem(&asked).is_none());
    group.input(leader, hamok::Input::Remote(RemoteCallId::new(99), RemoteResult::Unanswered));
    assert_eq!(group.told(leader).pop(), Some(text("result of x99 ignored")));
    group.run(100);
    group.perform();
    assert_eq!(group.redeem(&asked), Some(Ok(None)));
}

// --- leaders that change --------------------------------------------------------------------------

#[test]
fn a_new_leader_repeats_the_call_and_the_old_ones_is_refused() {
    let (mut group, old, _) = held(3);
    let asked = group.ask(old, USERS.insert(&text("a"), &text("1")).expect("text encodes"));
    let (_, stale) = group.only_call();
    group.isolate(old);
    group.run_until("another leads", |group| !group.calls.is_empty());
    assert_eq!(group.status(old).role, Role::Follower, "no quorum answers it");
    assert_eq!(group.status(old).load.remote_calls, 1, "it is to be answered for all the same");

    let (new, call) = group.only_call();
    assert_ne!(new, old);
    let (before, after) = (fence(&stale), fence(&call));
    assert_eq!((after.index, after.previous), (before.index, before.previous));
    assert!(after.term > before.term);
    let result = group.store.perform(&call);
    group.answer(new, &call, result);

    let late = group.store.perform(&stale);
    let refused = FenceRefusal::TermPassed { highest: after.term };
    assert_eq!(late, RemoteResult::Refused(refused));
    group.answer(old, &stale, late);
    assert_eq!(group.told(old).pop(), Some(format!("result of {} ignored", stale.id())));
    assert_eq!(group.status(old).load.remote_calls, 0);
    group.heal();
    group.run(30);
    assert_eq!(group.redeem(&asked), Some(Ok(None)), "it reports what it did, once");
    assert_eq!(group.store.executed.values().max(), Some(&1));
}

#[test]
fn what_the_old_leader_did_is_reported_by_the_new_one() {
    let (mut group, old, follower) = held(3);
    let asked = group.ask(follower, USERS.insert(&text("a"), &text("1")).expect("text encodes"));
    let (_, call) = group.only_call();
    // It took effect, and the answer was lost with the leader.
    assert_eq!(group.store.perform(&call), ended(RemoteAnswer::Values(vec![None])));
    group.kill(old);
    group.at_once = true;
    group.run_until("it is done", |group| group.reply(asked.id).is_some());
    assert_eq!(group.redeem(&asked), Some(Ok(None)), "it was inserted, and not in its own way");
    assert_eq!(group.store.executed.values().max(), Some(&1));
    group.restore(old);
    group.run(30);
    assert_eq!(group.node(old).remote_map(&USERS).queued(), 0);
}

#[test]
fn a_leader_begins_after_the_outcomes_that_were_committed() {
    let (mut group, old, follower) = held(3);
    let asked = [group.ask(follower, set("a", "1")), group.ask(follower, set("a", "2"))];
    group.perform();
    let first = group.store.executed.keys().next().copied();
    let (_, lost) = group.only_call();
    group.kill(old);
    group.run_until("another leads", |group| !group.calls.is_empty());
    let (new, call) = group.only_call();
    assert_eq!(Some(fence(&call).previous), first);
    assert_eq!(fence(&call).index, fence(&lost).index);
    let result = group.store.perform(&call);
    group.answer(new, &call, result);
    assert_eq!(group.redeem(&asked[1]), Some(Ok(Some(text("1")))));
}

/// An adopted row lets any operation pass, so the term's first entry must have been applied before.
#[test]
fn a_new_leader_that_does_not_know_yet_what_is_committed_calls_for_nothing() {
    let (mut group, old, follower) = held(3);
    let asked = [group.ask(follower, set("a", "1")), group.ask(follower, set("a", "2"))];
    group.ask(follower, USERS.adopt());
    group.run(5);
    // The followers hold the first outcome, and do not know that it is committed.
    let (_, first) = group.only_call();
    let result = group.store.perform(&first);
    group.input(old, hamok::Input::Remote(first.id(), result));
    group.settle_rounds(2);
    let (_, second) = group.only_call();
    assert!(fence(&second).adopt);
    assert_eq!(group.node(follower).remote_map(&USERS).queued(), 3);
    group.store.perform(&second);
    group.kill(old);
    group.run_until("another leads and calls", |group| !group.calls.is_empty());
    assert_eq!(fence(&group.calls[0].1).index, fence(&second).index);
    group.perform();
    assert_eq!(group.redeem(&asked[1]), Some(Ok(Some(text("1")))));
    assert_eq!(group.store.text("users"), "a=2");
    assert!(group.store.executed.values().all(|times| *times == 1));
}

#[test]
fn an_outcome_that_finds_no_room_is_proposed_again_and_the_call_not_made_again() {
    let (mut group, leader, follower) = held(3);
    let asked = group.ask(leader, set("a", "1"));
    let (_, call) = group.only_call();
    // Leadership is being handed on, to one who does not hear of it.
    group.isolate(follower);
    let to = NodeId::new(follower as u64 + 1);
    group.ask(leader, transfer_leadership(Some(to)));
    let result = group.store.perform(&call);
    group.answer(leader, &call, result);
    group.run(3);
    assert!(group.redeem(&asked).is_none());
    assert_eq!(group.status(leader).transferring_to, Some(to));
    group.run(30);
    assert_eq!(group.leader(), leader, "nobody took it");
    assert_eq!(group.redeem(&asked), Some(Ok(None)));
    assert_eq!(group.status(leader).counters.remote_calls_made, 1);
}

#[test]
fn the_whole_group_restarts_and_goes_on() {
    let mut group = Group::new(3, |config| {
        config.request_timeout = Ticks::new(500);
        (config.max_log_entries, config.trailing_log_bytes) = (5, 0);
    });
    group.at_once = false;
    let leader = group.leader();
    for value in 0..20 {
        group.ask(leader, set("a", &value.to_string()));
    }
    let performed = 3;
    for _ in 0..performed {
        group.perform();
    }
    // One more takes effect, and nobody hears of it.
    let (_, call) = group.only_call();
    group.store.perform(&call);
    (0..3).for_each(|at| group.kill(at));
    (0..3).for_each(|at| group.restore(at));
    group.at_once = true;
    group.run_until("all are executed", |group| {
        (0..3).all(|at| group.node(at).remote_map(&USERS).queued() == 0)
    });
    assert_eq!(group.store.text("users"), "a=19");
    assert_eq!(group.store.executed.len(), 20);
    assert!(group.store.executed.values().all(|times| *times == 1));
}

// --- rows, errors, sizes --------------------------------------------------------------------------

#[test]
fn entries_of_another_group_are_taken_over_by_adopting_them() {
    let mut group = Group::new(1, |config| config.request_timeout = Ticks::new(500));
    group.get(0, set("a", "1")).expect("it is the first");
    group.store.give_away("users");
    let waiting = group.ask(0, set("a", "2"));
    group.run(20);
    let told = group.told(0).pop().expect("it is told");
    assert!(told.contains("not allowed: the entries are those of"), "{told}");
    assert!(group.redeem(&waiting).is_none(), "that is no failure");
    group.at_once = false;
    let adopted = group.ask(0, USERS.adopt());
    let after = group.ask(0, set("a", "3"));
    group.run(100);
    let adopts: Vec<bool> = (0..3)
        .map(|_| {
            let adopt = fence(&group.calls[0].1).adopt;
            group.perform();
            adopt
        })
        .collect();
    assert_eq!(adopts, [true, true, false], "those up to the adoption");
    assert_eq!(group.redeem(&waiting), Some(Ok(Some(text("1")))));
    assert_eq!(group.redeem(&adopted), Some(Ok(())));
    assert_eq!(group.redeem(&after), Some(Ok(Some(text("2")))));
}

#[test]
fn a_call_that_adopts_and_comes_late_is_refused() {
    let (mut group, leader, _) = held(1);
    group.ask(leader, set("a", "1"));
    group.ask(leader, set("a", "2"));
    group.ask(leader, USERS.adopt());
    let mut late = None;
    for adopts in [false, true] {
        let (at, call) = group.only_call();
        assert_eq!(fence(&call).adopt, adopts, "once the adoption is applied");
        group.answer(at, &call, RemoteResult::Unanswered);
        group.run(10);
        late = Some(call);
    }
    let late = late.expect("it was given up");
    group.perform();
    group.perform();
    let last = *group.store.executed.keys().last().expect("two were executed");
    let refused = RemoteResult::Refused(FenceRefusal::OutOfOrder { last });
    assert_eq!(group.store.perform(&late), refused);
    assert_eq!(group.store.text("users"), "a=2");
}

#[test]
fn the_stores_own_error_is_a_result_and_is_told() {
    let mut group = Group::new(1, |_| {});
    group.store.failing = Some(StoreError::new("disk full"));
    let error = Err(Failure::Store(StoreError::new("disk full")));
    assert_eq!(group.get(0, set("a", "1")), error);
    let (_, event) = group.events.pop().expect("it is told");
    let Event::Changed(change) = event else { panic!("{event}") };
    let index = *group.store.executed.keys().next().expect("it was tried");
    let failed = RemoteMapEvent::ApplyFailed { index, error: StoreError::new("disk full") };
    assert_eq!(USERS.event(&change), Some(Ok(failed)));
    group.store.failing = None;
    assert_eq!(group.get(0, set("a", "1")), Ok(None), "the queue goes on");
}

#[test]
fn an_answer_larger_than_an_entry_is_not_carried_and_holds_nothing_up() {
    let mut group = Group::new(1, |config| config.max_entry_bytes = 200);
    let long = "x".repeat(1000);
    group.store.put("users", "a", &long);
    let forgotten = Err(Failure::Unknown(Unknown::ResultForgotten));
    assert_eq!(group.get(0, USERS.remove(&text("a")).expect("text")), forgotten);
    assert_eq!(group.store.text("users"), "", "it was done");
    assert_eq!(group.told(0), [""; 0], "and nothing can be told of it");
    group.store.failing = Some(StoreError::new(&long));
    let failed = group.get(0, set("a", "1"));
    let Err(Failure::Store(error)) = failed else { panic!("{failed:?}") };
    assert!((100..200).contains(&error.as_str().len()), "{error}");
    group.store.failing = None;
    assert_eq!(group.get(0, set("a", "1")), Ok(None));
}

#[test]
fn the_end_of_an_operation_has_room_however_small_entries_must_be() {
    for entry_bytes in 1..40 {
        let mut group = Group::new(1, |config| config.max_entry_bytes = entry_bytes);
        group.store.put("users", "a", &"x".repeat(100_000));
        match group.get(0, USERS.remove(&text("a")).expect("text")) {
            Err(Failure::Unknown(Unknown::ResultForgotten)) => {}
            // What does not fit is not queued.
            Err(Failure::NotExecuted(_)) if entry_bytes < 30 => {}
            other => panic!("{entry_bytes}: {other:?}"),
        }
    }
}

#[test]
fn the_queue_is_bounded() {
    let mut group = Group::new(1, |config| config.remote_queue.operations = 2);
    group.at_once = false;
    let asked = [0; 3].map(|_| group.ask(0, set("a", "1")));
    let full = Refusal::RemoteQueueFull { operations: 2 };
    assert_eq!(group.redeem(&asked[2]), Some(Err(Failure::Refused(full))));
    let dropped = group.get(0, USERS.drop_collection());
    let queued = Refusal::OperationsQueued { operations: 2 };
    assert_eq!(dropped, Err(Failure::Refused(queued)));
    group.perform();
    let once_more = group.ask(0, set("a", "1"));
    group.perform();
    group.perform();
    assert_eq!(group.redeem(&once_more), Some(Ok(Some(text("1")))));
    assert_eq!(group.get(0, USERS.drop_collection()), Ok(true));
    let (_, event) = group.events.pop().expect("it is told");
    let Event::Changed(change) = event else { panic!("{event}") };
    assert_eq!(USERS.event(&change), Some(Ok(RemoteMapEvent::Dropped)));
}

// --- every method ---------------------------------------------------------------------------------

#[test]
fn every_method_has_its_typed_result() {
    let group = &mut Group::new(1, |_| {});
    let (a, b, c) = (text("a"), text("b"), text("c"));
    let pair = |key: &str, value: &str| (text(key), text(value));
    assert_eq!(group.get(0, USERS.set(&a, &text("1")).unwrap()), Ok(None));
    assert_eq!(group.get(0, USERS.set(&a, &text("2")).unwrap()), Ok(Some(text("1"))));
    let more = USERS.set_all([pair("a", "3"), pair("b", ""), pair("b", "x")]).unwrap();
    assert_eq!(group.get(0, more), Ok(vec![pair("a", "2"), pair("b", "")]));
    assert_eq!(group.get(0, USERS.insert(&a, &text("9")).unwrap()), Ok(Some(text("3"))));
    let more = USERS.insert_all([pair("a", "9"), pair("c", "1"), pair("c", "9")]).unwrap();
    assert_eq!(group.get(0, more), Ok(vec![pair("a", "3"), pair("c", "1")]));
    assert_eq!(group.get(0, USERS.update_if(&c, &text("2"), &text("1")).unwrap()), Ok(true));
    assert_eq!(group.get(0, USERS.update_if(&c, &text("9"), &text("1")).unwrap()), Ok(false));
    let held = group.get(0, USERS.get_held(&c).unwrap()).unwrap().expect("it has a value");
    assert_eq!(held.value, "2");
    assert_eq!(group.get(0, USERS.update_held(&c, &text("3"), &held).unwrap()), Ok(true));
    assert_eq!(group.get(0, USERS.update_held(&c, &text("4"), &held).unwrap()), Ok(false));
    assert_eq!(group.get(0, USERS.get_held(&text("x")).unwrap()), Ok(None));

    assert_eq!(group.get(0, USERS.get(&c).unwrap()), Ok(Some(text("3"))));
    assert_eq!(group.get(0, USERS.read(&text("x")).unwrap()), Ok(None));
    let keys = [&c, &text("x"), &a];
    let both = Ok(vec![pair("c", "3"), pair("a", "3")]);
    assert_eq!(group.get(0, USERS.get_all(keys).unwrap()), both);
    assert_eq!(group.get(0, USERS.read_all(keys).unwrap()), both);
    assert_eq!(group.get(0, USERS.contains_key(&b).unwrap()), Ok(true));
    assert_eq!(group.get(0, USERS.read_contains_key(&text("x")).unwrap()), Ok(false));
    assert_eq!(group.get(0, USERS.len()), Ok(3));
    assert_eq!(group.get(0, USERS.read_len()), Ok(3));
    assert_eq!(group.get(0, USERS.is_empty()), Ok(false));
    assert_eq!(group.get(0, USERS.read_is_empty()), Ok(false));
    let page = group.get(0, USERS.keys(None, 2)).unwrap();
    assert_eq!(page.items, [text("a"), text("b")]);
    let page = group.get(0, USERS.read_keys(page.next.as_ref(), 2)).unwrap();
    assert_eq!((page.items, page.next), (vec![text("c")], None));
    let page = group.get(0, USERS.entries(None, 2)).unwrap();
    assert_eq!(page.items, [pair("a", "3"), pair("b", "x")]);
    let page = group.get(0, USERS.read_entries(page.next.as_ref(), 2)).unwrap();
    assert_eq!((page.items, page.next), (vec![pair("c", "3")], None));

    assert_eq!(group.get(0, USERS.remove_if(&c, &text("9")).unwrap()), Ok(false));
    assert_eq!(group.get(0, USERS.remove_if(&c, &text("3")).unwrap()), Ok(true));
    assert_eq!(group.get(0, USERS.remove(&a).unwrap()), Ok(Some(text("3"))));
    assert_eq!(group.get(0, USERS.remove_all([&a, &b]).unwrap()), Ok(vec![pair("b", "x")]));
    assert_eq!(group.get(0, USERS.clear()), Ok(0));
    assert_eq!(group.get(0, USERS.adopt()), Ok(()));
    assert_eq!(group.get(0, USERS.sync()), Ok(()));
    assert_eq!(group.get(0, USERS.ready()), Ok(()));
}

#[test]
fn deletions_carry_values_only_to_be_told() {
    const QUIET: RemoteMap<String, String, Text> = RemoteMap::new("users").without_events();
    for (map, told) in [(&USERS, 4), (&QUIET, 0)] {
        let group = &mut Group::new(1, |_| {});
        group.store.put("users", "a", "1");
        group.store.put("users", "b", "2");
        group.store.put("users", "c", "3");
        group.store.put("users", "d", "4");
        group.at_once = false;
        let asked = group.ask(0, map.delete(&text("d")).unwrap());
        let RemoteWork::Execute { operation, .. } = group.calls[0].1.work() else {
            panic!("{:?}", group.calls)
        };
        let carries_values = matches!(operation, RemoteOperation::Remove(_));
        assert_eq!(carries_values, told > 0, "{operation:?}");
        group.perform();
        assert_eq!(group.redeem(&asked), Some(Ok(true)));
        group.at_once = true;
        assert_eq!(group.get(0, map.delete(&text("a")).unwrap()), Ok(true));
        assert_eq!(group.get(0, map.delete(&text("a")).unwrap()), Ok(false));
        let keys = [text("b"), text("x"), text("c")];
        let gone = group.get(0, map.delete_all(&keys).unwrap());
        assert_eq!(gone, Ok(vec![text("b"), text("c")]));
        assert_eq!(group.told(0).len(), told, "{:?}", group.told(0));
    }
}

#[test]
fn a_bulk_call_over_the_limits_is_several_operations() {
    let mut group = Group::new(1, |config| {
        (config.max_keys, config.max_entry_bytes) = (2, 300);
    });
    let pairs = ["a", "b", "c", "d", "e"].map(|key| (text(key), text("1")));
    assert_eq!(group.get(0, USERS.set_all(pairs.clone()).unwrap()), Ok(vec![]));
    assert_eq!(group.store.executed.len(), 3);
    let keys = pairs.clone().map(|(key, _)| key);
    let removed = group.get(0, USERS.remove_all(&keys).unwrap());
    assert_eq!(removed, Ok(pairs.clone().into()));

    // What one of them answers is too large to be carried.
    group.get(0, USERS.set_all(pairs).unwrap()).expect("there is room");
    group.store.put("users", "c", &"x".repeat(1000));
    let asked = group.ask(0, USERS.remove_all(&keys).unwrap());
    group.run(20);
    let because = Box::new(Failure::Unknown(Unknown::ResultForgotten));
    let partial = Failure::Partial { next: 2, because };
    assert_eq!(group.redeem(&asked), Some(Err(partial)));
    let reply = group.reply(asked.id).expect("it was answered").clone();
    let redeemed = asked.ticket.redeem_partial(reply).expect("some were removed");
    let Redeemed::Partial { results, .. } = redeemed else { panic!("{redeemed:?}") };
    assert_eq!(results, [(text("a"), text("1")), (text("b"), text("1"))]);
    assert_eq!(group.store.text("users"), "e=1");
}

// --- reads ----------------------------------------------------------------------------------------

#[test]
fn a_direct_read_needs_nobody_but_the_store() {
    let (mut group, _, follower) = held(3);
    group.store.put("users", "a", "1");
    group.isolate(follower);
    group.run(50);
    let asked = group.ask(follower, USERS.get(&text("a")).expect("text encodes"));
    assert_eq!(group.calls[0].0, follower, "it calls by itself");
    assert_eq!(group.status(follower).load.remote_calls, 1);
    group.perform();
    assert_eq!(group.redeem(&asked), Some(Ok(Some(text("1")))));
}

#[test]
fn an_ordered_read_waits_for_the_operations_before_it_and_no_others() {
    let (mut group, leader, follower) = held(3);
    group.ask(leader, set("a", "1"));
    let read = group.ask(follower, USERS.read(&text("a")).expect("text encodes"));
    let synced = group.ask(follower, USERS.sync());
    group.run(5);
    group.ask(leader, set("a", "2"));
    group.run(5);
    assert_eq!(group.calls.len(), 1, "the operation's");
    group.perform();
    group.run(1);
    let (by, call) = group.calls.pop_back().expect("the read's");
    assert_eq!(by, follower);
    let result = group.store.perform(&call);
    group.answer(by, &call, result);
    assert_eq!(group.redeem(&read), Some(Ok(Some(text("1")))));
    assert_eq!(group.redeem(&synced), Some(Ok(())));
    assert_eq!(group.calls.len(), 1, "that of the second operation, which nobody waits for");
}

#[test]
fn what_a_lagging_copy_of_the_store_says_does_not_end_an_ordered_read() {
    let (mut group, leader, _) = held(1);
    let behind = group.store.clone();
    group.ask(leader, set("a", "1"));
    group.perform();
    let read = group.ask(leader, USERS.read(&text("a")).expect("text encodes"));
    group.run(3);
    for mut store in [behind, group.store.clone()] {
        assert!(group.redeem(&read).is_none());
        let (at, call) = group.only_call();
        let result = store.perform(&call);
        group.answer(at, &call, result);
        group.run(3);
    }
    assert_eq!(group.redeem(&read), Some(Ok(Some(text("1")))));
    assert_eq!(group.status(leader).counters.remote_calls_repeated, 1);
}

#[test]
fn an_ordered_read_does_not_show_the_entries_of_another_group() {
    let mut group = Group::new(1, |config| config.request_timeout = Ticks::new(500));
    group.get(0, set("a", "ours")).expect("it is the first");
    group.store.give_away("users");
    group.store.put("users", "a", "theirs");
    let read = || USERS.read(&text("a")).unwrap();
    let silent = Err(Failure::NotExecuted(NotExecuted::StoreSilent));
    assert_eq!(group.get(0, read().with_timeout(Ticks::new(40))), silent);
    let told = group.told(0);
    let because = "reading \"users\" not allowed: the entries are those of";
    assert!(told.iter().any(|told| told.starts_with(because)), "{told:?}");
    let direct = USERS.get(&text("a")).unwrap();
    assert_eq!(group.get(0, direct), Ok(Some(text("theirs"))), "it shows what there is");
    assert_eq!(group.get(0, USERS.adopt()), Ok(()));
    assert_eq!(group.get(0, read()), Ok(Some(text("theirs"))));
}

#[test]
fn a_read_that_is_not_answered_is_asked_again_until_its_time_is_up() {
    let (mut group, leader, _) = held(1);
    let call = USERS.get(&text("a")).expect("text encodes").with_timeout(Ticks::new(40));
    let asked = group.ask(leader, call);
    let (begun, mut at) = (group.now, Vec::new());
    let mut last = None;
    while group.redeem(&asked).is_none() {
        if let Some((by, call)) = group.calls.pop_front() {
            at.push(group.now - begun);
            group.answer(by, &call, RemoteResult::Unanswered);
            last = Some(call);
        }
        group.run(1);
    }
    assert_eq!(at, [0, 2, 6, 14, 30]);
    let silent = Err(Failure::NotExecuted(NotExecuted::StoreSilent));
    assert_eq!((group.now - begun, group.redeem(&asked)), (40, Some(silent)));
    let last = last.expect("it was called");
    let result = group.store.perform(&last);
    group.answer(leader, &last, result);
    assert_eq!(group.told(leader).pop(), Some(format!("result of {} ignored", last.id())));
}

#[test]
fn operations_that_wait_keep_an_ordered_read_waiting_until_its_time_is_up() {
    let (mut group, leader, _) = held(1);
    group.ask(leader, set("a", "1"));
    let asked = group.ask(leader, USERS.sync().with_timeout(Ticks::new(20)));
    group.run(21);
    let silent = Err(Failure::NotExecuted(NotExecuted::StoreSilent));
    assert_eq!(group.redeem(&asked), Some(silent));
}

#[test]
fn reads_of_a_collection_of_another_kind_are_refused() {
    const MAP: Map<String, String, Text> = Map::new("users");
    let mut group = Group::new(1, |_| {});
    group.get(0, MAP.set(&text("a"), &text("1")).unwrap()).expect("it is a map");
    let wrong = Failure::Refused(Refusal::WrongKind { is: MAP.kind() });
    assert_eq!(group.get(0, USERS.get(&text("a")).unwrap()), Err(wrong.clone()));
    assert_eq!(group.get(0, USERS.read_len()), Err(wrong.clone()));
    assert_eq!(group.get(0, USERS.sync()), Err(wrong.clone()));
    assert_eq!(group.get(0, set("a", "1")), Err(wrong));
    assert_eq!(group.node(0).remote_map(&USERS).executed(), Index::ZERO);
}

#[test]
fn closing_ends_the_reads_and_the_waits_and_not_the_execution() {
    let (mut group, leader, _) = held(1);
    let queued = group.ask(leader, set("a", "1"));
    let read = group.ask(leader, USERS.read(&text("a")).unwrap());
    let direct = group.ask(leader, USERS.get(&text("a")).unwrap());
    group.run(3);
    group.ask(leader, USERS.close());
    assert_eq!(group.redeem(&queued), Some(Err(Failure::Unknown(Unknown::Closed))));
    let closed = || Some(Err(Failure::NotExecuted(NotExecuted::Closed)));
    assert_eq!(group.redeem(&read), closed());
    assert_eq!(group.redeem(&direct), closed());
    group.perform();
    group.perform();
    assert_eq!(group.store.text("users"), "a=1", "the operations are the group's");
    assert_eq!(group.node(leader).remote_map(&USERS).queued(), 0);
    assert_eq!(group.told(leader).len(), 1, "the late answer: {:?}", group.told(leader));
}

// --- those who wait -------------------------------------------------------------------------------

#[test]
fn time_being_up_tells_nothing_of_an_operation_in_the_queue() {
    let (mut group, leader, _) = held(3);
    let asked = group.ask(leader, set("a", "1").with_timeout(Ticks::new(20)));
    group.run(21);
    let unknown = Err(Failure::Unknown(Unknown::TimedOut));
    assert_eq!(group.redeem(&asked), Some(unknown));
    group.perform();
    assert_eq!(group.store.text("users"), "a=1", "it takes effect later");
}

#[test]
fn an_operation_outlives_the_session_it_came_in() {
    let mut group = Group::new(1, |config| {
        config.request_timeout = Ticks::new(500);
        config.sessions.lifetime_entries = 5;
    });
    group.at_once = false;
    let session = group.get(0, hamok::open_session()).expect("there is a leader");
    let number = Sequence::new(1);
    let queued = group.ask(0, set("a", "1").in_session(session, number, number));
    let own = group.ask(0, set("a", "2"));
    // What others do lets both sessions expire.
    for _ in 0..20 {
        let next = group.get(0, hamok::open_session()).expect("there is a leader");
        let call = set("b", "1").in_session(next, number, number).with_timeout(Ticks::new(1));
        group.ask(0, call);
    }
    assert!(group.redeem(&queued).is_none() && group.redeem(&own).is_none());
    let expired = group.ask(0, set("a", "1").in_session(session, number, number));
    let unknown = Err(Failure::Unknown(Unknown::SessionExpired));
    assert_eq!(group.redeem(&expired), Some(unknown));
    while !group.calls.is_empty() {
        group.perform();
    }
    assert_eq!(group.redeem(&queued), Some(Ok(None)));
    assert_eq!(group.redeem(&own), Some(Ok(Some(text("1")))));
    assert!(group.store.executed.values().all(|times| *times == 1));
}

#[test]
fn a_snapshot_tells_how_an_operation_ended_that_was_waited_for() {
    let mut group = Group::new(3, |config| {
        config.request_timeout = Ticks::new(5000);
        (config.max_log_entries, config.trailing_log_bytes) = (8, 0);
    });
    group.at_once = false;
    let (leader, follower) = (group.leader(), group.follower());
    let asked = group.ask(follower, set("a", "1"));
    group.run(3);
    group.isolate(follower);
    group.at_once = true;
    let (at, call) = group.only_call();
    let result = group.store.perform(&call);
    group.answer(at, &call, result);
    for value in 0..30 {
        group.get(leader, set("b", &value.to_string())).expect("two of three are there");
    }
    assert!(group.redeem(&asked).is_none());
    group.heal();
    group.run(100);
    assert!(group.status(follower).counters.snapshots_installed > 0);
    assert_eq!(group.redeem(&asked), Some(Ok(None)));
    let executed = |at: usize| group.node(at).remote_map(&USERS).executed();
    assert_eq!(executed(follower), executed(leader));
}

#[test]
fn an_operation_sent_again_waits_for_the_one_that_is_queued() {
    let (mut group, leader, follower) = held(3);
    let session = group.ask(leader, hamok::open_session());
    group.run(3);
    let session = group.redeem(&session).expect("there is a leader").expect("a session");
    let number = Sequence::new(1);
    let call = || USERS.insert(&text("a"), &text("1")).unwrap().in_session(session, number, number);
    let first = group.ask(leader, call());
    let again = group.ask(follower, call());
    group.run(3);
    assert_eq!(group.node(leader).remote_map(&USERS).queued(), 1);
    group.perform();
    let later = group.ask(follower, call());
    group.run(3);
    for asked in [first, again, later] {
        assert_eq!(group.redeem(&asked), Some(Ok(None)));
    }
    assert_eq!(group.store.executed, BTreeMap::from([(executed(&group, leader), 1)]));
}

fn executed(group: &Group, at: usize) -> Index {
    group.node(at).remote_map(&USERS).executed()
}

#[test]
fn a_value_that_does_not_decode_is_an_error_of_the_reader() {
    let numbers: RemoteMap<String, u64> = RemoteMap::new("users");
    let texts: RemoteMap<String, String> = RemoteMap::new("users");
    let mut group = Group::new(1, |_| {});
    assert_eq!(group.get(0, texts.set(&text("a"), &text("long")).unwrap()), Ok(None));
    let read = group.get(0, numbers.get(&text("a")).unwrap());
    assert!(matches!(read, Err(Failure::Value(_))), "{read:?}");
    assert_eq!(group.get(0, numbers.contains_key(&text("a")).unwrap()), Ok(true));
}
