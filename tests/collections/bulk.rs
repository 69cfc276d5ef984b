//! Calls on many keys or values at once.

use hamok::{
    Birth, Call, Collection, CollectionKind, Config, Event, Failure, Field, Incarnation, Input,
    Map, MapEvent, Node, NodeId, NotExecuted, Outcome, Output, Queue, Record, Redeemed, Refusal,
    RequestId, Sequence, Ticks, Unknown, WriteId, open_session, stop,
};
use serde::{Deserialize, Serialize};

use super::group::Group;

const SCORES: Map<u32, u32> = Map::new("scores");
const JOBS: Queue<u32> = Queue::new("jobs");
const MANY: u32 = 100_000;

#[derive(Debug, Serialize, Deserialize)]
struct Nothing {}

fn split() -> Group {
    Group::of(3, |config| config.max_keys = 1_000)
}

#[test]
fn a_call_on_nothing_does_nothing_and_succeeds() {
    let none = [(0_u32, 0_u32); 0];
    let record: Record<Nothing> = Record::new("record");
    let group = &mut Group::of(3, |_| {});
    assert_eq!(group.run(1, SCORES.set_all(none).unwrap()), Ok(vec![]));
    assert_eq!(group.run(1, SCORES.insert_all(none).unwrap()), Ok(vec![]));
    assert_eq!(group.run(1, SCORES.remove_all([0; 0]).unwrap()), Ok(vec![]));
    assert_eq!(group.run(1, SCORES.delete_all([0; 0]).unwrap()), Ok(vec![]));
    assert_eq!(group.run(1, SCORES.read_all([0; 0]).unwrap()), Ok(vec![]));
    assert_eq!(group.run(1, JOBS.push_all([0; 0]).unwrap()), Ok(()));
    assert_eq!(group.run(1, JOBS.pop_many(0)), Ok(vec![]));
    let fields = group.run(1, record.insert_instance(&Nothing {}).unwrap()).unwrap();
    assert!(fields.is_empty());
    assert_eq!(
        group.run(1, record.update_instance_if(&Nothing {}, &Nothing {}).unwrap()),
        Ok(true)
    );
    assert_eq!(group.run(1, SCORES.clear()), Ok(0));
    assert_eq!(group.run(1, JOBS.clear()), Ok(0));
    assert_eq!(group.run(1, record.clear()), Ok(0));
    group.sync();
    for id in group.ids() {
        assert_eq!(group.take_changes(id), []);
        assert_eq!(group.node(id).collections().count(), 3, "to name them is to create them");
    }
}

#[test]
fn a_call_below_the_limits_is_one_command() {
    let group = &mut split();
    group.run(2, SCORES.set_all((0..1_000).map(|key| (key, 0))).unwrap()).unwrap();
    group.sync();
    let mut positions: Vec<_> = group.take_changes(3).iter().map(|change| change.index()).collect();
    assert_eq!(positions.len(), 1_000);
    positions.dedup();
    assert_eq!(positions.len(), 1);
}

#[test]
fn a_call_on_a_hundred_thousand_keys_is_split_and_its_results_are_merged() {
    let group = &mut split();
    let at = group.follower();
    let entries = |value| (0..MANY).map(move |key| (key, value));
    assert_eq!(group.run(at, SCORES.set_all(entries(1)).unwrap()), Ok(vec![]));
    let before = group.run(at, SCORES.set_all(entries(2)).unwrap()).unwrap();
    assert!(before.into_iter().eq(entries(1)), "all of them, in the order given");
    let existing = group.run(at, SCORES.insert_all(entries(3)).unwrap()).unwrap();
    assert!(existing.into_iter().eq(entries(2)));
    let odd = |key: &u32| key % 2 == 1;
    let deleted = group.run(at, SCORES.delete_all((0..MANY).filter(odd)).unwrap()).unwrap();
    assert!(deleted.into_iter().eq((0..MANY).filter(odd)));
    let removed = group.run(at, SCORES.remove_all(0..MANY).unwrap()).unwrap();
    assert!(removed.into_iter().eq((0..MANY).filter(|key| !odd(key)).map(|key| (key, 2))));
    assert_eq!(group.run(at, SCORES.read_len()), Ok(0));
}

#[test]
fn a_queue_takes_and_gives_a_hundred_thousand_in_order() {
    let group = &mut Group::of(3, |config| config.max_values = 5_000);
    group.run(1, JOBS.push_all(0..MANY).unwrap()).unwrap();
    assert_eq!(group.run(2, JOBS.read_len()), Ok(u64::from(MANY)));
    let popped = group.run(3, JOBS.pop_many(u64::MAX)).unwrap();
    assert!(popped.into_iter().eq(0..MANY));
}

#[test]
fn what_a_call_that_is_split_collects_is_bounded() {
    let group = &mut Group::of(3, |config| config.max_pending_bytes = 100_000);
    group.run(1, JOBS.push_all(0..10_000).unwrap()).unwrap();
    let asked = group.ask(2, JOBS.pop_many(u64::MAX));
    group.work_off_until(|group| group.node(2).status().load.pending_bytes > 30_000);
    let (ticket, reply) = group.reply(asked);
    let redeemed = ticket.redeem_partial(reply);
    let Ok(Redeemed::Partial { results, next, because }) = redeemed else { panic!("{redeemed:?}") };
    // What a value costs beside its own bytes is counted, too.
    assert_eq!((next, because), (6 * 1_024, Failure::NotExecuted(NotExecuted::Busy)));
    assert!(results.into_iter().eq(0..6 * 1_024), "what was taken is given");
    assert_eq!(group.node(2).status().load.pending_bytes, 0);
    assert_eq!(group.run(2, JOBS.pop()), Ok(Some(6 * 1_024)), "and the next is the next");
}

#[test]
fn a_call_done_in_part_whose_results_do_not_decode_tells_where_to_go_on() {
    let numbers: Map<u32, u8> = Map::new("texts");
    let texts: Map<u32, String> = Map::new("texts");
    let group = &mut Group::of(3, |config| {
        config.max_keys = 2;
        config.max_entry_bytes = 1_000;
    });
    group.run(1, numbers.set(&0, &0xff).unwrap()).unwrap();
    let text = |key: u32| if key == 3 { "x".repeat(2_000) } else { "x".into() };
    let asked = group.ask(1, texts.set_all((0..4).map(|key| (key, text(key)))).unwrap());
    let (ticket, reply) = group.reply(asked);
    for failure in [
        ticket.clone().redeem(reply.clone()).unwrap_err(),
        ticket.redeem_partial(reply).unwrap_err(),
    ] {
        let Failure::Partial { next: 2, because } = failure else { panic!("{failure}") };
        assert!(matches!(*because, Failure::NotExecuted(NotExecuted::TooLarge { .. })));
    }
    assert_eq!(group.run(1, texts.read_len()), Ok(2));
}

#[test]
fn what_times_out_in_the_middle_tells_how_far_it_came() {
    let group = &mut split();
    let leader = group.leader();
    let call = SCORES.set_all((0..MANY).map(|key| (key, key))).unwrap();
    let asked = group.ask(leader, call.with_timeout(Ticks::new(30)));
    group.work_off_until(|group| group.map(leader, &SCORES).len() >= 20_000);
    group.cut_off(leader);
    let (ticket, reply) = group.reply(asked);
    let redeemed = ticket.redeem_partial(reply);
    let Ok(Redeemed::Partial { results, next, because }) = redeemed else { panic!("{redeemed:?}") };
    assert_eq!(results, [], "no key had a value before");
    assert_eq!(because, Failure::Unknown(Unknown::TimedOut));
    assert!(next >= 20_000 && next < u64::from(MANY) && next % 1_000 == 0, "{next}");
    let next = u32::try_from(next).unwrap();
    let view = group.map(leader, &SCORES);
    assert!((0..next).all(|key| view.get(&key) == Ok(Some(key))), "what is done is done");
    assert_eq!(view.get(&next), Ok(None), "and no more than that was seen to be");
    // Whatever became of the one command that is unknown, the rest can go on from `next`.
    group.heal();
    let rest = SCORES.insert_all((next..MANY).map(|key| (key, key))).unwrap();
    let existing = group.run(leader, rest).unwrap();
    assert!(existing.len() == 1_000 || existing.is_empty(), "{}", existing.len());
    group.sync();
    for id in group.ids() {
        assert!(group.map(id, &SCORES).iter().map(Result::unwrap).eq((0..MANY).map(|k| (k, k))));
    }
}

#[test]
fn a_part_that_is_too_large_ends_the_call_before_it() {
    let texts: Map<u32, String> = Map::new("texts");
    let group = &mut Group::of(3, |config| {
        config.max_keys = 2;
        config.max_entry_bytes = 1_000;
    });
    let text = |key: u32| if key == 5 { "x".repeat(2_000) } else { "x".into() };
    let asked = group.ask(1, texts.set_all((0..8).map(|key| (key, text(key)))).unwrap());
    let (ticket, reply) = group.reply(asked);
    let Outcome::Partial { next: 4, .. } = reply.outcome() else { panic!("{reply}") };
    let failure = ticket.redeem(reply).unwrap_err();
    let Failure::Partial { next: 4, because } = failure else { panic!("{failure}") };
    let Failure::NotExecuted(NotExecuted::TooLarge { limit: 1_000, .. }) = *because else {
        panic!("{because}");
    };
    assert_eq!(group.run(1, texts.read_len()), Ok(4));
}

#[test]
fn a_busy_leader_ends_a_call_that_is_split_with_what_was_done() {
    let group = &mut Group::of(3, |config| {
        config.max_keys = 10;
        config.max_uncommitted_bytes = 400;
    });
    let (at, leader) = (group.follower(), group.leader());
    let asked = group.ask(at, SCORES.set_all((0..1_000).map(|key| (key, key))).unwrap());
    group.work_off_until(|group| group.map(at, &SCORES).len() >= 100);
    // The leader is given more than it takes, before the next part can reach it.
    let others: Vec<_> =
        (0..20).map(|job| group.ask(leader, JOBS.push_all([job; 50]).unwrap())).collect();
    let (ticket, reply) = group.reply(asked);
    let redeemed = ticket.redeem_partial(reply);
    let Ok(Redeemed::Partial { next, because, .. }) = redeemed else { panic!("{redeemed:?}") };
    assert_eq!(because, Failure::NotExecuted(NotExecuted::Busy));
    for other in others {
        let answer = group.answer(other);
        assert!(matches!(answer, Ok(()) | Err(Failure::NotExecuted(NotExecuted::Busy))));
    }
    assert_eq!(group.run(at, SCORES.read_len()), Ok(next), "none after it was begun");
}

#[test]
fn a_collection_that_is_closed_in_the_middle_tells_how_far_the_call_came() {
    let group = &mut split();
    let asked = group.ask(1, SCORES.set_all((0..MANY).map(|key| (key, key))).unwrap());
    group.work_off_until(|group| group.map(1, &SCORES).len() >= 10_000);
    let closing = group.ask(1, SCORES.close());
    let (ticket, reply) = group.reply(asked);
    let redeemed = ticket.redeem_partial(reply);
    let Ok(Redeemed::Partial { next, because, .. }) = redeemed else { panic!("{redeemed:?}") };
    assert_eq!(group.answer(closing), Ok(()));
    let len = group.run(2, SCORES.read_len()).unwrap();
    let is_unknown = because == Failure::Unknown(Unknown::Closed);
    assert!(is_unknown || because == Failure::NotExecuted(NotExecuted::Closed), "{because}");
    assert!(len == next || is_unknown && len == next + 1_000, "{len} after {next}: {because}");
}

#[test]
fn a_name_that_means_another_kind_in_the_middle_ends_the_call() {
    let as_queue: Queue<u8> = Queue::new("scores");
    let group = &mut split();
    let (at, leader) = (group.follower(), group.leader());
    let asked = group.ask(at, SCORES.set_all((0..MANY).map(|key| (key, key))).unwrap());
    group.work_off_until(|group| group.map(at, &SCORES).len() >= 10_000);
    let dropping = group.ask(leader, SCORES.drop_collection());
    let pushing = group.ask(leader, as_queue.push(&1).unwrap());
    let (ticket, reply) = group.reply(asked);
    let redeemed = ticket.redeem_partial(reply);
    let Ok(Redeemed::Partial { next, because, .. }) = redeemed else { panic!("{redeemed:?}") };
    assert!(next >= 10_000 && next < u64::from(MANY));
    let is = CollectionKind::Queue;
    assert_eq!(because, Failure::Refused(Refusal::WrongKind { is }));
    assert_eq!((group.answer(dropping), group.answer(pushing)), (Ok(true), Ok(())));
}

#[test]
fn a_node_that_is_stopped_in_the_middle_tells_how_far_the_call_came() {
    let group = &mut split();
    let (at, leader) = (group.follower(), group.leader());
    let asked = group.ask(at, SCORES.set_all((0..MANY).map(|key| (key, key))).unwrap());
    group.work_off_until(|group| group.map(at, &SCORES).len() >= 10_000);
    let stopping = group.ask(at, stop());
    let (ticket, reply) = group.reply(asked);
    let redeemed = ticket.redeem_partial(reply);
    let Ok(Redeemed::Partial { next, because, .. }) = redeemed else { panic!("{redeemed:?}") };
    assert_eq!(group.answer(stopping), Ok(()));
    let len = group.run(leader, SCORES.read_len()).unwrap();
    let is_unknown = because == Failure::Unknown(Unknown::Stopped);
    assert!(is_unknown || because == Failure::NotExecuted(NotExecuted::Stopped), "{because}");
    assert!(len == next || is_unknown && len == next + 1_000, "{len} after {next}: {because}");
}

#[test]
fn what_would_be_split_cannot_have_a_single_place_in_a_session() {
    let group = &mut split();
    let session = group.run(1, open_session()).unwrap();
    let place = |call: hamok::Call<_>| call.in_session(session, Sequence::new(1), Sequence::new(1));
    let call = place(SCORES.set_all((0..1_001).map(|key| (key, 0))).unwrap());
    let too_many = NotExecuted::TooMany { count: 1_001, limit: 1_000 };
    assert_eq!(group.run(1, call), Err(Failure::NotExecuted(too_many)));
    let call = place(SCORES.set_all((0..1_000).map(|key| (key, 0))).unwrap());
    assert_eq!(group.run(1, call), Ok(vec![]));
}

#[test]
fn a_key_that_is_named_twice_is_changed_and_reported_twice() {
    let group = &mut Group::of(3, |_| {});
    let set = SCORES.set_all([(1, 1), (1, 2), (2, 0), (1, 2)]).unwrap();
    assert_eq!(group.run(1, set), Ok(vec![(1, 1), (1, 2)]));
    assert_eq!(group.run(1, SCORES.remove_all([2, 1, 2]).unwrap()), Ok(vec![(2, 0), (1, 2)]));
    group.sync();
    let events: Vec<_> =
        group.take_changes(2).iter().map(|change| SCORES.event(change).unwrap().unwrap()).collect();
    use MapEvent::{Insert, Remove, Update};
    let expected = [
        Insert { key: 1, value: 1 },
        Update { key: 1, old: 1, new: 2 },
        Insert { key: 2, value: 0 },
        Update { key: 1, old: 2, new: 2 },
        Remove { key: 2, value: 0 },
        Remove { key: 1, value: 2 },
    ];
    assert_eq!(events, expected);
    let record: Record<Nothing> = Record::new("record");
    let field: Field<u8> = Field::new("field");
    assert_eq!(group.run(1, record.set(&field, &1).unwrap()), Ok(None));
}

/// A node that is alone, and the writes that it has not been told to be durable.
struct Alone {
    node: Node,
    writes: Vec<WriteId>,
}

impl Alone {
    /// How many changes the step tells of.
    fn step(&mut self, input: Input) -> usize {
        let outputs = self.node.step(input);
        let writes = outputs.iter().filter_map(|output| {
            if let Output::Persist(write) = output { Some(write.id()) } else { None }
        });
        self.writes.extend(writes);
        let is_change = |output: &&Output| matches!(output, Output::Event(Event::Changed(_)));
        outputs.iter().filter(is_change).count()
    }

    /// All that follows once all writes are durable: the changes of each step.
    fn confirm(&mut self) -> Vec<usize> {
        let mut changes = Vec::new();
        while let Some(last) = self.writes.pop() {
            self.writes.clear();
            changes.push(self.step(Input::Persisted(last)));
            while self.node.idle_ticks() == Ticks::ZERO {
                changes.push(self.step(Input::Tick(Ticks::ZERO)));
            }
        }
        changes
    }

    fn ask<R>(&mut self, number: u64, call: Call<R>) {
        self.step(Input::Request(RequestId::new(number), call.into_parts().0));
    }
}

#[test]
fn a_step_makes_a_bounded_number_of_changes_whatever_the_commands() {
    let config = Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found);
    let mut alone = Alone { node: Node::new(config).unwrap(), writes: Vec::new() };
    while !alone.node.status().ready {
        alone.step(Input::Tick(Ticks::new(1)));
        alone.confirm();
    }
    for number in 0..20 {
        alone.ask(number, JOBS.push_all(0..1_024).unwrap());
        alone.confirm();
    }
    for number in 0..20 {
        alone.ask(number, JOBS.pop_many(1_024));
    }
    let steps = alone.confirm();
    assert_eq!(steps.iter().filter(|changes| **changes > 0).count(), 5, "{steps:?}");
    // 128 KiB at 32 bytes a change, and the last command to begin within that. A queue that is empty
    // says so.
    assert!(steps.iter().all(|changes| *changes <= 4 * 1_024 + 1), "{steps:?}");
    assert_eq!(steps.iter().sum::<usize>(), 20 * 1_024 + 1);
}
