//! Copies, initial contents, closing and stopping, and nodes that come late or fall behind.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hamok::{
    Birth, Change, Collection, CollectionKind, Config, Event, Export, Failure, Field, ImportError,
    Incarnation, Index, Input, Map, MapEvent, Node, NodeId, NotExecuted, Output, Queue, QueueEvent,
    Record, RecordEvent, RequestId, Sequence, Stored, Ticks, open_session, ready, stop, submit,
    sync,
};
use serde::{Deserialize, Serialize};

use super::group::Group;

const SCORES: Map<String, u32> = Map::new("scores");
const JOBS: Queue<u32> = Queue::new("jobs");
const PROFILE: Record<Profile> = Record::new("profile");
const AGE: Field<u32> = Field::new("age");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    name: String,
    age: u32,
}

fn plain() -> Group {
    Group::of(3, |_| {})
}

fn profile() -> Profile {
    Profile { name: "Alice".into(), age: 7 }
}

fn entries(group: &Group, id: u64, map: &Map<String, u32>) -> Vec<(String, u32)> {
    group.map(id, map).iter().collect::<Result<_, _>>().expect("they decode")
}

fn fill(group: &mut Group) {
    let scores = [("b", 1), ("a", 0), ("", 9)].map(|(key, value)| (String::from(key), value));
    group.run(1, SCORES.set_all(scores).unwrap()).unwrap();
    group.run(1, JOBS.push_all([3, 1, 3]).unwrap()).unwrap();
    group.run(1, JOBS.pop()).unwrap();
    group.run(1, PROFILE.insert_instance(&profile()).unwrap()).unwrap();
    group.sync();
}

#[test]
fn what_is_exported_on_one_node_and_imported_on_another_is_the_same_everywhere() {
    let group = &mut plain();
    fill(group);
    let carried = |export: Export| Export::decode(&export.encode()).expect("its own bytes");
    let scores: Map<String, u32> = Map::new("scores again");
    let jobs: Queue<u32> = Queue::new("jobs again");
    let again: Record<Profile> = Record::new("profile again");
    group.run(1, scores.set(&"old".into(), &1).unwrap()).unwrap();
    group.sync();
    group.ids().into_iter().for_each(|id| drop(group.take_events(id)));
    let export = carried(group.map(3, &SCORES).export().unwrap());
    assert_eq!(group.run(2, scores.import(&export, true).unwrap()), Ok(()));
    let export = carried(group.node(3).queue(&JOBS).export().unwrap());
    assert_eq!(group.run(2, jobs.import(&export, true).unwrap()), Ok(()));
    let export = carried(group.node(3).record(&PROFILE).export().unwrap());
    assert_eq!(group.run(2, again.import(&export, true).unwrap()), Ok(()));
    group.sync();
    for id in group.ids() {
        assert_eq!(entries(group, id, &scores), entries(group, id, &SCORES), "order included");
        assert_eq!(group.map(id, &scores).export(), group.map(id, &SCORES).export());
        assert_eq!(group.node(id).queue(&jobs).export(), group.node(id).queue(&JOBS).export());
        assert_eq!(group.node(id).record(&again).instance(), Ok(profile()));
        let changes = group.take_changes(id);
        let of = |name: &str| changes.iter().filter(|it| it.collection() == name).count();
        assert_eq!([of("scores again"), of("jobs again"), of("profile again")], [4, 3, 2]);
        let positions: BTreeSet<Index> = changes.iter().map(Change::index).collect();
        assert_eq!(positions.len(), 3, "each import is one command");
    }
    group
        .run(3, scores.import(&carried(group.map(1, &SCORES).export().unwrap()), false).unwrap())
        .unwrap();
    group.sync();
    assert_eq!(group.take_changes(1), [], "imported in silence");
}

#[test]
fn an_import_keeps_what_sessions_remember() {
    let group = &mut plain();
    fill(group);
    let export = group.map(1, &SCORES).export().unwrap();
    let session = group.run(1, open_session()).unwrap();
    let remove = || {
        let call = SCORES.remove(&"b".into()).unwrap();
        call.in_session(session, Sequence::new(1), Sequence::new(1))
    };
    assert_eq!(group.run(1, remove()), Ok(Some(1)));
    group.run(2, SCORES.import(&export, true).unwrap()).unwrap();
    assert_eq!(group.run(3, remove()), Ok(Some(1)), "as it was answered before");
    assert_eq!(group.run(1, SCORES.read(&"b".into()).unwrap()), Ok(Some(1)), "and not done again");
}

#[test]
fn an_export_of_another_kind_or_with_damage_is_refused_before_it_is_asked_for() {
    let group = &mut plain();
    fill(group);
    let export = group.map(1, &SCORES).export().unwrap();
    let is = CollectionKind::Map;
    assert_eq!(JOBS.import(&export, true).err(), Some(ImportError::WrongKind { is }));
    assert_eq!(PROFILE.import(&export, true).err(), Some(ImportError::WrongKind { is }));
    let mut bytes = export.encode();
    *bytes.last_mut().expect("there are some") ^= 1;
    assert_eq!(Export::decode(&bytes), Err(ImportError::Damaged));
}

#[test]
fn of_nodes_that_bring_initial_contents_at_once_one_does() {
    let group = &mut plain();
    let initial = |id: u64| [("node".to_owned(), u32::try_from(id).unwrap())];
    let asked: Vec<_> = group
        .ids()
        .into_iter()
        .map(|id| group.ask(id, SCORES.create(initial(id)).unwrap()))
        .collect();
    let created: Vec<bool> = asked.into_iter().map(|it| group.answer(it).unwrap()).collect();
    assert_eq!(created.iter().filter(|created| **created).count(), 1);
    let winner = created.iter().position(|created| *created).expect("one") as u64 + 1;
    group.sync();
    for id in group.ids() {
        assert_eq!(entries(group, id, &SCORES), initial(winner));
        let events = group.take_changes(id);
        let expected = MapEvent::Insert { key: "node".into(), value: winner as u32 };
        assert!(events.iter().map(|it| SCORES.event(it).unwrap().unwrap()).eq([expected]));
    }
    // What is taken out does not come back with the next start.
    group.run(2, SCORES.delete(&"node".into()).unwrap()).unwrap();
    assert_eq!(group.run(3, SCORES.create(initial(3)).unwrap()), Ok(false));
    assert_eq!(group.run(3, SCORES.read_len()), Ok(0));
    let jobs =
        (group.run(1, JOBS.create([1, 2]).unwrap()), group.run(2, JOBS.create([3]).unwrap()));
    assert_eq!(jobs, (Ok(true), Ok(false)));
    let nobody = Profile { name: "".into(), age: 0 };
    let profiles = (
        group.run(1, PROFILE.create(&profile()).unwrap()),
        group.run(2, PROFILE.create(&nobody).unwrap()),
    );
    assert_eq!(profiles, (Ok(true), Ok(false)));
    assert_eq!(group.run(3, PROFILE.read(&AGE)), Ok(Some(7)));
}

#[test]
fn a_collection_closed_on_one_node_is_untouched_on_the_others() {
    let group = &mut plain();
    fill(group);
    let at = group.follower();
    let other = group.leader();
    group.ids().into_iter().for_each(|id| drop(group.take_events(id)));
    let pending = group.ask(at, SCORES.read(&"a".into()).unwrap());
    assert_eq!(group.run(at, SCORES.close()), Ok(()));
    let closed = Failure::NotExecuted(NotExecuted::Closed);
    assert!([Ok(Some(0)), Err(closed.clone())].contains(&group.answer(pending)));
    assert_eq!(group.run(at, SCORES.clear()), Err(closed.clone()));
    assert_eq!(group.run(at, SCORES.read_len()), Err(closed.clone()));
    assert_eq!(group.run(at, SCORES.ready()), Err(closed.clone()));
    assert_eq!(group.run(at, SCORES.drop_collection()), Err(closed));
    assert_eq!(group.run(at, SCORES.close()), Ok(()), "it is");
    assert_eq!(group.run(other, SCORES.set(&"a".into(), &5).unwrap()), Ok(Some(0)));
    assert_eq!(group.run(at, JOBS.read_len()), Ok(2), "the others are open");
    group.sync();
    let told = group.take_events(at);
    let is_closed = Event::Closed { collection: "scores".into() };
    assert_eq!(told.iter().filter(|event| **event == is_closed).count(), 1);
    assert!(!told.iter().any(|event| matches!(event, Event::Changed(_))));
    assert_eq!(group.take_changes(other).len(), 1);
    assert_eq!(group.map(at, &SCORES).get(&"a".into()), Ok(Some(5)), "local reads go on");
    let state = |group: &Group, id| {
        group.node(id).collections().find(|it| it.name == "scores").map(|it| it.closed)
    };
    assert_eq!((state(group, at), state(group, other)), (Some(true), Some(false)));
    assert_eq!(group.run(at, SCORES.reopen()), Ok(()));
    assert_eq!(group.run(at, SCORES.set(&"a".into(), &6).unwrap()), Ok(Some(5)));
    assert_eq!(group.take_changes(at).len(), 1);
    assert_eq!(state(group, at), Some(false));
}

#[test]
fn a_collection_that_is_dropped_is_gone_for_everyone() {
    let group = &mut plain();
    fill(group);
    assert_eq!(group.run(2, SCORES.drop_collection()), Ok(true));
    assert_eq!(group.run(3, SCORES.drop_collection()), Ok(false));
    group.sync();
    for id in group.ids() {
        assert_eq!(group.node(id).exists("scores"), None);
        let events = group.take_changes(id);
        assert_eq!(SCORES.event(events.last().unwrap()), Some(Ok(MapEvent::Dropped)));
    }
    assert_eq!(group.run(1, SCORES.set(&"a".into(), &1).unwrap()), Ok(None), "it is a new one");
}

#[test]
fn a_node_that_is_stopped_ends_its_requests_and_stays_a_member() {
    let group = &mut plain();
    fill(group);
    let at = group.follower();
    let pending = group.ask(at, SCORES.read(&"a".into()).unwrap());
    group.run(at, stop()).unwrap();
    let stopped = Failure::NotExecuted(NotExecuted::Stopped);
    assert!([Ok(Some(0)), Err(stopped.clone())].contains(&group.answer(pending)));
    assert_eq!(group.run(at, SCORES.read_len()), Err(stopped.clone()));
    assert_eq!(group.run(at, sync()), Err(stopped.clone()));
    assert_eq!(group.run(at, ready()), Err(stopped));
    assert_eq!(group.run(at, stop()), Ok(()), "it is");
    let told = group.take_events(at);
    let ends: Vec<&Event> = told
        .iter()
        .filter(|event| matches!(event, Event::Closed { .. } | Event::Stopped))
        .collect();
    let closed = |name: &str| Event::Closed { collection: name.into() };
    assert_eq!(ends, [&closed("jobs"), &closed("profile"), &closed("scores"), &Event::Stopped]);
    let other = group.leader();
    group.run(other, SCORES.set(&"a".into(), &5).unwrap()).unwrap();
    group.run_until(|group| group.map(at, &SCORES).get(&"a".into()) == Ok(Some(5)));
}

#[test]
fn a_newcomer_is_ready_once_it_is_a_member_and_has_applied_what_there_is() {
    let group = &mut plain();
    fill(group);
    group.add(4, Birth::Join { contacts: vec![NodeId::new(1)], voter: true }, |_| {});
    let asked = group.ask(4, ready());
    let usable = group.ask(4, SCORES.ready());
    let none_yet: Map<u8, u8> = Map::new("none yet");
    let to_be = group.ask(4, none_yet.ready());
    assert_eq!(group.answer(asked), Ok(()));
    assert!(group.node(4).status().configuration.members().any(|it| it.0.id == NodeId::new(4)));
    assert_eq!(group.answer(usable), Ok(()));
    assert_eq!(group.answer(to_be), Ok(()));
    assert_eq!(entries(group, 4, &SCORES), entries(group, 1, &SCORES));
    assert_eq!(group.run(4, SCORES.set(&"a".into(), &5).unwrap()), Ok(Some(0)));
}

#[test]
fn a_newcomer_that_is_sent_a_snapshot_which_names_it_is_ready() {
    let group = &mut Group::of(3, |config| {
        config.max_log_entries = 10;
        config.trailing_log_bytes = 0;
    });
    group.add(4, Birth::Join { contacts: vec![NodeId::new(1)], voter: false }, |_| {});
    let asked = group.ask(4, ready());
    group.run_until(|group| group.node(1).status().configuration.peers().count() == 4);
    group.cut_off(4);
    for value in 0..30 {
        group.run(1, SCORES.set(&"a".into(), &value).unwrap()).unwrap();
    }
    assert!(group.node(1).status().snapshot.index > group.node(1).status().configuration_index);
    group.heal();
    assert_eq!(group.answer(asked), Ok(()));
}

#[test]
fn a_node_that_finds_nobody_is_not_ready_in_time() {
    let group = &mut Group::default();
    group.add(4, Birth::Join { contacts: vec![NodeId::new(1)], voter: true }, |_| {});
    let asked = group.ask(4, ready().with_timeout(Ticks::new(20)));
    let set = group.ask(4, SCORES.set(&"a".into(), &1).unwrap().with_timeout(Ticks::new(5)));
    let no_group = Failure::NotExecuted(NotExecuted::NoGroup);
    assert_eq!(group.answer(set), Err(no_group.clone()));
    assert_eq!(group.answer(asked), Err(no_group));
}

#[test]
fn a_node_without_its_group_says_what_became_of_its_requests() {
    let group = &mut plain();
    fill(group);
    let at = group.follower();
    group.cut_off(at);
    group.run_until(|group| group.node(at).status().leader.is_none());
    let timeout = Ticks::new(20);
    let set = group.ask(at, SCORES.set(&"a".into(), &1).unwrap().with_timeout(timeout));
    assert_eq!(group.answer(set), Err(Failure::NotExecuted(NotExecuted::NoLeader)));
    let read = group.ask(at, SCORES.read_len().with_timeout(timeout));
    assert_eq!(group.answer(read), Err(Failure::NotExecuted(NotExecuted::NoLeader)));
    assert_eq!(group.map(at, &SCORES).len(), 3, "local reads go on");
}

/// Steps a node that is alone, and the disk it writes to, until that holds.
fn alone(
    node: &mut Node,
    stored: &mut Stored,
    first: Input,
    holds: impl Fn(&Node) -> bool,
) -> Vec<Event> {
    let mut inputs = VecDeque::from([first]);
    let mut events = Vec::new();
    while !holds(node) || !inputs.is_empty() || node.idle_ticks() == Ticks::ZERO {
        let left_over = u64::from(node.idle_ticks() > Ticks::ZERO);
        let next = inputs.pop_front().unwrap_or(Input::Tick(Ticks::new(left_over)));
        for output in node.step(next) {
            match output {
                Output::Persist(write) => {
                    inputs.push_back(Input::Persisted(write.id()));
                    stored.apply(&write).expect("they follow each other");
                }
                Output::Event(event) => events.push(event),
                Output::Send(_) | Output::Reply(_) | Output::Remote(_) => {}
            }
        }
    }
    events
}

#[test]
fn a_restored_node_stands_at_its_snapshot_and_tells_again_what_came_after() {
    let mut config = Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found);
    (config.max_log_entries, config.trailing_log_bytes) = (10, 0);
    let mut node = Node::new(config.clone()).unwrap();
    let mut stored = Stored::new();
    let set = |value: u32| {
        let (request, _) = SCORES.set(&"a".into(), &value).unwrap().into_parts();
        Input::Request(RequestId::new(u64::from(value)), request)
    };
    let holds = |value| move |node: &Node| node.map(&SCORES).get(&"a".into()) == Ok(Some(value));
    let told: Vec<Event> = (1..=25)
        .flat_map(|value| alone(&mut node, &mut stored, set(value), holds(value)))
        .collect();
    let changes = |told: &[Event]| -> Vec<Change> {
        let change = |event: &Event| {
            if let Event::Changed(change) = event { Some(change.clone()) } else { None }
        };
        told.iter().filter_map(change).collect()
    };
    let snapshot = node.status().snapshot.index;
    assert_eq!(changes(&told).len(), 25);

    let mut node = Node::restore(config, stored.clone()).unwrap();
    // Nothing is confirmed yet, so this node can know nothing of what is committed.
    let mut first = node.step(Input::Tick(Ticks::ZERO));
    while node.idle_ticks() == Ticks::ZERO {
        first.extend(node.step(Input::Tick(Ticks::ZERO)));
    }
    let is_restored = Event::Restored { index: snapshot, collection: "scores".into() };
    assert_eq!(first.iter().filter(|it| **it == Output::Event(is_restored.clone())).count(), 1);
    assert_eq!((node.status().applied, node.status().ready), (snapshot, false));
    assert!(node.map(&SCORES).get(&"a".into()).unwrap().unwrap() < 25);
    let Output::Persist(write) = &first[0] else { panic!("{first:?}") };
    stored.apply(write).unwrap();
    let confirmed = Input::Persisted(write.id());
    let again = alone(&mut node, &mut stored, confirmed, |node| node.status().ready);
    assert_eq!(node.map(&SCORES).get(&"a".into()), Ok(Some(25)));
    let after = changes(&told).into_iter().filter(|change| change.index() > snapshot);
    assert!(changes(&again).into_iter().eq(after), "the same, in a new life");
}

#[test]
fn what_was_submitted_before_the_snapshot_is_not_told_again() {
    let mut config = Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found);
    (config.max_log_entries, config.trailing_log_bytes) = (10, 0);
    let mut node = Node::new(config.clone()).unwrap();
    let mut stored = Stored::new();
    let messages = |told: Vec<Event>| -> Vec<Index> {
        let index =
            |event| if let Event::Message { index, .. } = event { Some(index) } else { None };
        told.into_iter().filter_map(index).collect()
    };
    let told: Vec<Event> = (1..=25)
        .flat_map(|number| {
            let applied = node.status().applied;
            let request =
                Input::Request(RequestId::new(number), submit(b"one".to_vec()).into_parts().0);
            alone(&mut node, &mut stored, request, |node| {
                node.status().ready && node.status().applied > applied
            })
        })
        .collect();
    let told = messages(told);
    assert_eq!(told.len(), 25);
    let snapshot = node.status().snapshot.index;
    assert!(told[0] < snapshot && snapshot < told[24], "{told:?}, {snapshot}");

    let mut node = Node::restore(config, stored.clone()).unwrap();
    let first = node.step(Input::Tick(Ticks::ZERO));
    let Output::Persist(write) = &first[0] else { panic!("{first:?}") };
    stored.apply(write).unwrap();
    let confirmed = Input::Persisted(write.id());
    let again = alone(&mut node, &mut stored, confirmed, |node| node.status().ready);
    let after: Vec<Index> = told.into_iter().filter(|index| *index > snapshot).collect();
    assert_eq!(messages(again), after);
}

/// A group of which one node fell behind and was sent a snapshot, and what that node told meanwhile.
fn fallen_behind(report: bool) -> (Group, Vec<Event>) {
    let mut group = Group::of(3, |config| {
        config.max_log_entries = 10;
        config.trailing_log_bytes = 0;
        config.report_differences = report;
    });
    let gone: Map<String, u32> = Map::new("gone");
    fill(&mut group);
    group.run(1, gone.set_all([("x".to_owned(), 1), ("y".to_owned(), 2)]).unwrap()).unwrap();
    group.sync();
    let behind = group.follower();
    let others: Vec<u64> = group.ids().into_iter().filter(|id| *id != behind).collect();
    group.take_events(behind);
    group.cut_off(behind);
    let at = others[0];
    for round in 0..30 {
        group.run(at, SCORES.set(&"a".into(), &(100 + round)).unwrap()).unwrap();
    }
    group.run(at, SCORES.remove(&"b".into()).unwrap()).unwrap();
    group.run(at, SCORES.set(&"new".into(), &0).unwrap()).unwrap();
    group.run(at, JOBS.pop()).unwrap();
    group.run(at, JOBS.push(&8).unwrap()).unwrap();
    group.run(at, PROFILE.set(&AGE, &8).unwrap()).unwrap();
    group.run(at, gone.drop_collection()).unwrap();
    let late: Map<String, u32> = Map::new("late");
    group.run(at, late.set(&"z".into(), &1).unwrap()).unwrap();
    for _ in 0..30 {
        group.run(at, JOBS.clear()).unwrap();
        group.run(at, JOBS.push(&9).unwrap()).unwrap();
    }
    group.heal();
    group.sync();
    let told = group.take_events(behind);
    for id in others {
        assert_eq!(entries(&group, behind, &SCORES), entries(&group, id, &SCORES));
    }
    (group, told)
}

#[test]
fn a_node_that_fell_behind_tells_what_is_restored() {
    let (_, told) = fallen_behind(false);
    let restored = |told: &[Event]| -> Vec<String> {
        let collection = |event: &Event| {
            if let Event::Restored { collection, .. } = event {
                Some(collection.clone())
            } else {
                None
            }
        };
        told.iter().filter_map(collection).collect()
    };
    // There may be several snapshots, one after the other.
    let is_loaded = |event: &Event| matches!(event, Event::SnapshotLoaded { .. });
    let [before, first, later @ ..] = &told.split(is_loaded).collect::<Vec<_>>()[..] else {
        panic!("no snapshot: {told:?}");
    };
    assert_eq!(restored(before), [""; 0]);
    assert_eq!(restored(first), ["gone", "jobs", "late", "profile", "scores"], "each once");
    for later in later {
        assert_eq!(restored(later), ["jobs", "late", "profile", "scores"]);
    }
    assert!(!told.iter().any(|event| matches!(event, Event::Difference(_))));
}

#[test]
fn a_node_that_fell_behind_tells_what_differs_if_it_is_to() {
    let (group, told) = fallen_behind(true);
    let mut scores: BTreeMap<String, u32> =
        [("b", 1), ("a", 0), ("", 9)].map(|(key, value)| (key.into(), value)).into();
    let mut age = 7;
    let mut jobs = vec![1, 3];
    let mut gone = false;
    let changes: Vec<&Change> = told
        .iter()
        .filter_map(|event| {
            if let Event::Difference(change) | Event::Changed(change) = event {
                Some(change)
            } else {
                None
            }
        })
        .collect();
    assert!(told.iter().filter(|event| matches!(event, Event::Difference(_))).count() > 4);
    for change in changes {
        match SCORES.event(change).transpose().unwrap() {
            Some(MapEvent::Insert { key, value }) => assert_eq!(scores.insert(key, value), None),
            Some(MapEvent::Update { key, old, new }) => {
                assert_eq!(scores.insert(key, new), Some(old));
            }
            Some(MapEvent::Remove { key, value }) => assert_eq!(scores.remove(&key), Some(value)),
            None => {}
            Some(other) => panic!("{other:?}"),
        }
        match JOBS.event(change).transpose().unwrap() {
            Some(QueueEvent::Add { value }) => jobs.push(value),
            Some(QueueEvent::Remove { value }) => assert_eq!(jobs.remove(0), value),
            Some(QueueEvent::Clear) => jobs.clear(),
            Some(QueueEvent::NotEmpty | QueueEvent::Empty) | None => {}
            Some(other) => panic!("{other:?}"),
        }
        if let Some(RecordEvent::Update { field, old, new }) = PROFILE.event(change) {
            assert_eq!((&*field, AGE.decode(&old)), ("age", Ok(age)));
            age = AGE.decode(&new).unwrap();
        }
        gone |= change.collection() == "gone" && change.to_string().ends_with("dropped");
    }
    assert_eq!(scores, entries(&group, 1, &SCORES).into_iter().collect());
    assert_eq!((age, jobs, gone), (8, vec![9], true));
}
