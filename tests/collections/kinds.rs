//! Names and kinds, events, and calls made by several nodes at once.

use std::collections::BTreeSet;

use hamok::{
    Change, Collection, CollectionKind, Event, Failure, Field, Map, MapEvent, NodeId, Queue,
    QueueEvent, Record, RecordEvent, Refusal, Sequence, ViewError, open_session, submit, sync,
};
use serde::{Deserialize, Serialize};

use super::group::Group;

const SCORES: Map<u32, u32> = Map::new("scores");
const JOBS: Queue<u32> = Queue::new("jobs");
const PROFILE: Record<Profile> = Record::new("profile");
const NAME: Field<String> = Field::new("name");
const AGE: Field<u32> = Field::new("age");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    name: String,
    age: u32,
}

fn plain() -> Group {
    Group::of(3, |_| {})
}

#[test]
fn a_name_in_use_as_another_kind_is_refused_on_every_node() {
    let group = &mut plain();
    let as_queue: Queue<u32> = Queue::new("scores");
    let as_record: Record<Profile> = Record::new("scores");
    group.run(1, SCORES.set(&1, &7).unwrap()).unwrap();
    let is = CollectionKind::Map;
    let refused = Failure::Refused(Refusal::WrongKind { is });
    for id in group.ids() {
        assert_eq!(group.run(id, as_queue.push(&1).unwrap()), Err(refused.clone()));
        assert_eq!(group.run(id, as_queue.pop()), Err(refused.clone()));
        assert_eq!(group.run(id, as_queue.read_len()), Err(refused.clone()));
        assert_eq!(group.run(id, as_record.set(&AGE, &1).unwrap()), Err(refused.clone()));
        assert_eq!(
            group.run(id, as_record.create(&Profile { name: "".into(), age: 0 }).unwrap()),
            Err(refused.clone())
        );
        assert_eq!(group.run(id, as_queue.ready()), Err(refused.clone()));
        assert_eq!(group.run(id, as_queue.drop_collection()), Err(refused.clone()));
        assert_eq!(group.node(id).queue(&as_queue).peek(), Err(ViewError::WrongKind { is }));
        let export = group.node(id).queue(&as_queue).export();
        assert_eq!(export.err(), Some(ViewError::WrongKind { is }));
        assert_eq!(group.node(id).record(&as_record).instance(), Err(ViewError::WrongKind { is }));
    }
    assert_eq!(group.run(2, SCORES.read(&1).unwrap()), Ok(Some(7)), "nothing has changed");
    assert_eq!(group.take_changes(3).len(), 1);
    assert_eq!(group.run(2, SCORES.drop_collection()), Ok(true));
    assert_eq!(group.run(3, as_queue.push(&1).unwrap()), Ok(()), "the name is free again");
}

#[test]
fn of_two_kinds_that_race_for_a_name_one_wins_everywhere() {
    let group = &mut plain();
    let as_queue: Queue<u32> = Queue::new("scores");
    let map = group.ask(1, SCORES.set(&1, &7).unwrap());
    let queue = group.ask(2, as_queue.push(&7).unwrap());
    let (map, queue) = (group.answer(map), group.answer(queue));
    group.sync();
    let kinds: BTreeSet<_> =
        group.ids().iter().map(|&id| group.node(id).exists("scores")).collect();
    match kinds.into_iter().collect::<Vec<_>>()[..] {
        [Some(is @ CollectionKind::Map)] => {
            assert_eq!(queue, Err(Failure::Refused(Refusal::WrongKind { is })));
            assert_eq!(map, Ok(None));
        }
        [Some(is @ CollectionKind::Queue)] => {
            assert_eq!(map, Err(Failure::Refused(Refusal::WrongKind { is })));
            assert_eq!(queue, Ok(()));
        }
        ref kinds => panic!("{kinds:?}"),
    }
}

#[test]
fn a_collection_is_there_for_a_node_that_names_it_late() {
    let group = &mut plain();
    assert_eq!(group.node(3).exists("scores"), None);
    group.run(1, SCORES.set_all([(2, 0), (1, 1)]).unwrap()).unwrap();
    group.run(3, sync()).unwrap();
    assert_eq!(group.node(3).exists("scores"), Some(CollectionKind::Map));
    let late: Map<u32, u32> = Map::named("scores".into()).unwrap();
    assert!(group.map(3, &late).iter().map(Result::unwrap).eq([(2, 0), (1, 1)]));
    let listed: Vec<_> =
        group.node(3).collections().map(|it| (it.name, it.kind, it.len, it.closed)).collect();
    assert_eq!(listed, [("scores", CollectionKind::Map, 2, false)]);
    assert_eq!((late.name(), late.kind()), ("scores", CollectionKind::Map));
}

#[test]
fn events_are_the_same_once_and_in_the_same_order_on_every_node() {
    let group = &mut plain();
    let mut asked = Vec::new();
    for round in 0..20 {
        for id in group.ids() {
            let key = round % 4;
            asked.push(group.ask(id, SCORES.set(&key, &round).unwrap()));
            asked.push(group.ask(id, SCORES.remove(&(key + 1)).unwrap()));
        }
        for id in group.ids() {
            let push = group.ask(id, JOBS.push_all([round, round]).unwrap());
            let pop = group.ask(id, JOBS.pop_many(3));
            let set = group.ask(id, PROFILE.set(&AGE, &round).unwrap());
            group.answer(push).unwrap();
            group.answer(pop).unwrap();
            group.answer(set).unwrap();
        }
    }
    for asked in asked {
        group.answer(asked).unwrap();
    }
    let last = [group.run(1, SCORES.clear()).map(drop), group.run(2, JOBS.clear()).map(drop)];
    assert_eq!(last, [Ok(()), Ok(())]);
    group.run(3, PROFILE.drop_collection()).unwrap();
    group.sync();
    let told: Vec<Vec<Change>> = group.ids().iter().map(|&id| group.take_changes(id)).collect();
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
    assert!(told[0].is_sorted_by_key(Change::index));
    check_that_events_lead_where_they_should(&told[0]);
}

/// Events of scores and jobs, one after the other, are a history that a plain map and queue can have.
fn check_that_events_lead_where_they_should(told: &[Change]) {
    let mut scores = std::collections::BTreeMap::new();
    let mut jobs = std::collections::VecDeque::new();
    let mut counted = 0;
    for change in told {
        match SCORES.event(change).transpose().unwrap() {
            Some(MapEvent::Insert { key, value }) => assert_eq!(scores.insert(key, value), None),
            Some(MapEvent::Update { key, old, new }) => {
                assert_eq!(scores.insert(key, new), Some(old));
            }
            Some(MapEvent::Remove { key, value }) => assert_eq!(scores.remove(&key), Some(value)),
            Some(MapEvent::Clear) => scores.clear(),
            None => {}
            Some(other) => panic!("{other:?}"),
        }
        match JOBS.event(change).transpose().unwrap() {
            Some(QueueEvent::Add { value }) => {
                jobs.push_back(value);
                counted += 1;
            }
            Some(QueueEvent::Remove { value }) => assert_eq!(jobs.pop_front(), Some(value)),
            Some(QueueEvent::NotEmpty) => assert!(!jobs.is_empty()),
            Some(QueueEvent::Empty) => assert!(jobs.is_empty()),
            Some(QueueEvent::Clear) => jobs.clear(),
            None => {}
            Some(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(counted, 2 * 3 * 20, "each value came in once");
    assert!(scores.is_empty() && jobs.is_empty());
    let of_profile = told.iter().filter_map(|change| PROFILE.event(change)).collect::<Vec<_>>();
    assert_eq!(of_profile.last(), Some(&RecordEvent::Dropped));
    assert_eq!(of_profile.len(), 3 * 20 + 1);
}

#[test]
fn each_value_of_a_queue_is_given_to_one_who_asks() {
    let group = &mut plain();
    group.run(1, JOBS.push_all(0..90).unwrap()).unwrap();
    let ids = group.ids();
    let asked: Vec<_> = (0..120).map(|at| group.ask(ids[at % ids.len()], JOBS.pop())).collect();
    let popped: Vec<_> = asked.into_iter().map(|asked| group.answer(asked).unwrap()).collect();
    let given: Vec<u32> = popped.iter().copied().flatten().collect();
    assert_eq!(given.len(), 90);
    assert_eq!(given.into_iter().collect::<BTreeSet<_>>().len(), 90, "each once");
}

#[test]
fn a_pop_asked_for_again_through_another_node_gives_the_same_value() {
    let group = &mut plain();
    group.run(1, JOBS.push_all(0..5).unwrap()).unwrap();
    let session = group.run(1, open_session()).unwrap();
    let pop = |number| JOBS.pop().in_session(session, Sequence::new(number), Sequence::new(number));
    let (leader, follower) = (group.leader(), group.follower());
    assert_eq!(group.run(leader, pop(1)), Ok(Some(0)));
    group.cut_off(leader);
    group.run_until(|group| {
        let status = group.node(follower).status();
        status.ready && status.leader != Some(NodeId::new(leader))
    });
    assert_eq!(group.run(follower, pop(1)), Ok(Some(0)), "under another leader");
    assert_eq!(group.run(follower, pop(2)), Ok(Some(1)));
    group.heal();
    group.sync();
    assert_eq!(group.run(leader, pop(2)), Ok(Some(1)));
    assert_eq!(group.run(leader, JOBS.read_len()), Ok(3));
}

#[test]
fn two_nodes_set_different_fields_without_conflict() {
    let group = &mut plain();
    let name = group.ask(2, PROFILE.set(&NAME, &"Alice".into()).unwrap());
    let age = group.ask(3, PROFILE.set(&AGE, &7).unwrap());
    assert_eq!((group.answer(name), group.answer(age)), (Ok(None), Ok(None)));
    group.sync();
    let both = Profile { name: "Alice".into(), age: 7 };
    for id in group.ids() {
        assert_eq!(group.node(id).record(&PROFILE).instance(), Ok(both.clone()));
    }
    assert_eq!(group.run(1, PROFILE.read_instance().unwrap()).unwrap().instance(), Ok(both));
}

#[test]
fn an_update_by_a_predicate_is_conditional_on_the_version_read() {
    let group = &mut plain();
    group.run(1, SCORES.set(&1, &5).unwrap()).unwrap();
    group.sync();
    let update = |group: &Group| {
        let call = SCORES.update_if_by(group.node(2), &1, &6, |held| *held < 6).unwrap();
        call.expect("it holds")
    };
    let (first, second) = (update(group), update(group));
    assert_eq!(group.run(2, first), Ok(true));
    assert_eq!(group.run(2, second), Ok(false), "another version");
    group.sync();
    assert!(SCORES.update_if_by(group.node(2), &1, &7, |held| *held < 6).unwrap().is_none());
}

#[test]
fn a_mismatch_is_answered_at_once() {
    let group = &mut plain();
    group.run(1, SCORES.set(&1, &5).unwrap()).unwrap();
    let asked = [
        group.ask(group.leader(), SCORES.remove_if(&1, &4).unwrap()),
        group.ask(group.leader(), SCORES.update_if(&1, &6, &4).unwrap()),
    ];
    group.work_off_until(|group| asked.iter().all(|asked| group.is_answered(asked)));
    assert!(asked.iter().all(|asked| group.is_answered(asked)), "without a tick");
    assert!(asked.map(|asked| group.answer(asked)).iter().all(|answer| *answer == Ok(false)));
}

#[test]
fn what_is_submitted_reaches_every_node_in_the_order_of_the_log() {
    let group = &mut plain();
    let payloads: Vec<Vec<u8>> = (0..9).map(|at| vec![at]).chain([vec![]]).collect();
    let asked: Vec<_> = (1..=3)
        .cycle()
        .zip(&payloads)
        .map(|(id, payload)| group.ask(id, submit(payload.clone())))
        .collect();
    let mut expected: Vec<_> = asked
        .into_iter()
        .zip(payloads)
        .map(|(asked, payload)| (group.answer(asked).unwrap(), payload))
        .collect();
    expected.sort();
    group.sync();
    for id in group.ids() {
        let messages = group.take_events(id).into_iter().filter_map(|event| {
            if let Event::Message { index, payload } = event {
                Some((index, payload.to_vec()))
            } else {
                None
            }
        });
        assert_eq!(messages.collect::<Vec<_>>(), expected);
    }
}
