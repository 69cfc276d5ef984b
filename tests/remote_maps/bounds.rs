//! What an outside store that is slow, or is not what it was, may hold up, and what not.

use hamok::{Config, Queue};

use super::*;

const JOBS: Queue<String> = Queue::new("jobs");

/// A group of one whose sessions have few numbers, and whose outside store does not answer.
fn stalled(change: impl Fn(&mut Config)) -> Group {
    let mut group = Group::new(1, |config| {
        config.request_timeout = Ticks::new(500);
        config.max_pending_requests = 4;
        config.sessions.window = 4;
        change(config);
    });
    group.at_once = false;
    group
}

#[test]
fn a_stalled_operation_does_not_make_other_collections_busy() {
    let mut group = stalled(|_| {});
    let _stalled = group.ask(0, set("a", "1"));
    for number in 0..20_u32 {
        let pushed = group.get(0, JOBS.push(&number.to_string()).unwrap());
        assert_eq!(pushed, Ok(()), "push {number}");
    }
}

#[test]
fn a_bulk_call_beside_a_stalled_operation_is_done_whole() {
    let mut group = stalled(|config| config.max_values = 1);
    let _stalled = group.ask(0, set("a", "1"));
    let values: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(group.get(0, JOBS.push_all(&values).unwrap()), Ok(()));
    assert_eq!(group.node(0).queue(&JOBS).len(), 10);
}

#[test]
fn an_adoption_is_let_into_a_full_queue() {
    let mut group = Group::new(1, |config| {
        config.request_timeout = Ticks::new(500);
        config.remote_queue.operations = 4;
    });
    group.get(0, set("z", "0")).unwrap();
    group.store = crate::store::Store::default(); // It is emptied, and its row is gone.
    let asked: Vec<_> = (0..4).map(|key| group.ask(0, set(&key.to_string(), "1"))).collect();
    group.run(50);
    let refused = group.get(0, set("y", "1"));
    let because = hamok::Refusal::RemoteQueueFull { operations: 4 };
    assert_eq!(refused, Err(Failure::Refused(because)));
    assert_eq!(group.get(0, USERS.adopt()), Ok(()));
    for asked in asked {
        assert_eq!(group.redeem(&asked), Some(Ok(None)));
    }
}

#[test]
fn reads_are_refused_while_too_many_calls_are_not_answered_for() {
    let mut group = stalled(|_| {});
    let silent = Err(Failure::NotExecuted(NotExecuted::StoreSilent));
    for _ in 0..4 {
        let read = USERS.get(&text("a")).unwrap().with_timeout(Ticks::new(1));
        assert_eq!(group.get(0, read), silent);
    }
    let load = group.status(0).load;
    assert_eq!((load.remote_calls, load.pending_requests), (4, 0));
    let busy = Err(Failure::NotExecuted(NotExecuted::Busy));
    assert_eq!(group.get(0, USERS.read(&text("a")).unwrap()), busy);
    assert_eq!(group.get(0, JOBS.push(&text("a")).unwrap()), Ok(()), "others are taken");
    let (at, call) = group.calls.pop_front().unwrap();
    group.answer(at, &call, RemoteResult::Unanswered);
    let asked = group.ask(0, USERS.get(&text("a")).unwrap());
    group.run(1);
    let (at, call) = group.calls.pop_back().unwrap();
    let result = group.store.perform(&call);
    group.answer(at, &call, result);
    assert_eq!(group.redeem(&asked), Some(Ok(None)));
}

#[test]
fn a_map_named_again_adopts_what_the_dropped_one_left() {
    let mut group = Group::new(1, |config| config.request_timeout = Ticks::new(500));
    group.get(0, set("a", "1")).unwrap();
    assert_eq!(group.get(0, USERS.drop_collection()), Ok(true));
    let waiting = group.ask(0, set("a", "2"));
    group.run(50);
    assert!(group.redeem(&waiting).is_none());
    let told = group.told(0).pop().unwrap();
    assert!(told.contains("not allowed"), "{told}");
    assert_eq!(group.get(0, USERS.adopt()), Ok(()));
    assert_eq!(group.redeem(&waiting), Some(Ok(Some(text("1")))), "the entries have stayed");
}
