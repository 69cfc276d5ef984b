//! Every value is a value, whatever its size and its type; names are any text.

use hamok::{
    Codec, Collection, CollectionKind, EncodeError, Failure, Field, Map, MapEvent, NotExecuted,
    Queue, QueueEvent, Record, RecordEvent, ValueError, ViewError,
};
use serde::{Deserialize, Serialize};

use super::group::Group;

fn plain() -> Group {
    Group::of(3, |_| {})
}

#[test]
fn values_of_a_map_that_are_zero_or_empty_are_values() {
    let numbers: Map<String, u64> = Map::new("numbers");
    let empty = String::new();
    let group = &mut plain();
    let set = numbers.set(&empty, &0).unwrap();
    assert_eq!(group.run(1, set), Ok(None));
    assert_eq!(group.run(2, numbers.read(&empty).unwrap()), Ok(Some(0)));
    assert_eq!(group.run(3, numbers.insert(&empty, &1).unwrap()), Ok(Some(0)));
    assert_eq!(group.run(1, numbers.set(&empty, &0).unwrap()), Ok(Some(0)));
    assert_eq!(group.run(1, numbers.update_if(&"none".into(), &1, &0).unwrap()), Ok(false));
    assert_eq!(group.run(1, numbers.update_if(&empty, &0, &0).unwrap()), Ok(true));
    assert_eq!(group.run(1, numbers.read_all([&empty]).unwrap()), Ok(vec![(empty.clone(), 0)]));
    group.sync();
    let view = group.map(2, &numbers);
    assert_eq!(
        (view.get(&empty), view.contains_key(&empty), view.len()),
        (Ok(Some(0)), Ok(true), 1)
    );
    assert_eq!(group.run(1, numbers.remove_if(&empty, &1).unwrap()), Ok(false));
    assert_eq!(group.run(1, numbers.remove(&empty).unwrap()), Ok(Some(0)));
    assert_eq!(group.run(1, numbers.read(&empty).unwrap()), Ok(None));
}

#[test]
fn keys_and_values_that_are_false_or_none_or_nothing_are_values() {
    let group = &mut plain();
    let options: Map<Option<bool>, Option<String>> = Map::new("options");
    let entries = [(None, None), (Some(false), Some(String::new())), (Some(true), None)];
    let set = options.set_all(entries.clone()).unwrap();
    assert_eq!(group.run(1, set), Ok(vec![]));
    let again = options.set_all(entries.clone()).unwrap();
    assert_eq!(group.run(2, again), Ok(entries.to_vec()), "each had a value before");
    assert_eq!(group.run(3, options.read(&None).unwrap()), Ok(Some(None)));
    assert_eq!(group.run(3, options.remove(&Some(true)).unwrap()), Ok(Some(None)));
    assert_eq!(group.run(3, options.delete(&Some(true)).unwrap()), Ok(false));
    // A value of no bytes at all.
    let nothing: Map<(), ()> = Map::new("nothing");
    assert_eq!(group.run(1, nothing.set(&(), &()).unwrap()), Ok(None));
    assert_eq!(group.run(1, nothing.insert(&(), &()).unwrap()), Ok(Some(())));
    assert_eq!(group.run(1, nothing.update_if(&(), &(), &()).unwrap()), Ok(true));
    assert_eq!(group.run(1, nothing.remove_if(&(), &()).unwrap()), Ok(true));
}

#[test]
fn values_of_a_queue_that_are_none_or_empty_are_values() {
    let jobs: Queue<Option<String>> = Queue::new("jobs");
    let group = &mut plain();
    let values = [None, Some(String::new()), None];
    group.run(1, jobs.push_all(&values).unwrap()).unwrap();
    assert_eq!(group.run(2, jobs.read_len()), Ok(3));
    assert_eq!(group.run(2, jobs.read_front()), Ok(Some(None)));
    group.sync();
    assert_eq!(group.node(3).queue(&jobs).peek(), Ok(Some(None)));
    assert_eq!(group.run(2, jobs.pop()), Ok(Some(None)), "not the same as an empty queue");
    assert_eq!(group.run(2, jobs.pop_many(9)), Ok(values[1..].to_vec()));
    assert_eq!(group.run(2, jobs.pop()), Ok(None));
    let add = |change: &_| jobs.event(change) == Some(Ok(QueueEvent::Add { value: None }));
    assert_eq!(group.take_changes(1).iter().filter(|change| add(change)).count(), 2);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    number: u32,
    text: String,
    flag: bool,
    choice: Option<u8>,
    nothing: (),
}

#[test]
fn fields_of_a_record_that_are_zero_or_empty_are_values() {
    let settings: Record<Settings> = Record::new("settings");
    let nil = Settings { number: 0, text: String::new(), flag: false, choice: None, nothing: () };
    let flag: Field<bool> = Field::new("flag");
    let choice: Field<Option<u8>> = Field::new("choice");
    let unnamed: Field<u8> = Field::new("");
    let group = &mut plain();
    assert_eq!(group.run(1, settings.insert_instance(&nil).unwrap()).map(|had| had.len()), Ok(0));
    let existing = group.run(2, settings.insert_instance(&nil).unwrap()).unwrap();
    assert_eq!(existing.len(), 5, "all are there");
    assert_eq!(existing.instance(), Ok(nil.clone()));
    assert_eq!(group.run(3, settings.set(&unnamed, &0).unwrap()), Ok(None));
    assert_eq!(group.run(3, settings.read(&unnamed)), Ok(Some(0)));
    assert_eq!(group.run(3, settings.read(&choice)), Ok(Some(None)));
    assert_eq!(group.run(3, settings.insert(&choice, &Some(1)).unwrap()), Ok(Some(None)));
    assert_eq!(group.run(3, settings.update_if(&flag, &true, &false).unwrap()), Ok(true));
    assert_eq!(group.run(3, settings.update_if(&flag, &false, &true).unwrap()), Ok(true));
    group.sync();
    assert_eq!(group.node(1).record(&settings).instance(), Ok(nil.clone()));
    assert_eq!(group.run(1, settings.update_instance_if(&nil, &nil).unwrap()), Ok(true));
    assert_eq!(group.run(1, settings.delete(&choice)), Ok(true));
    assert_eq!(group.run(1, settings.read(&choice)), Ok(None), "not the same as a value of None");
    let inserted = |change: &_| matches!(settings.event(change), Some(RecordEvent::Insert { field, .. }) if field == "flag");
    assert_eq!(group.take_changes(2).iter().filter(|change| inserted(change)).count(), 1);
}

/// Writes a number as its decimal digits.
struct Digits;

impl Codec<u32> for Digits {
    fn encode(value: &u32) -> Result<Vec<u8>, EncodeError> {
        // As a codec that has its limits would.
        if *value == u32::MAX {
            Err(EncodeError::Unencodable)
        } else {
            Ok(value.to_string().into())
        }
    }

    fn decode(bytes: &[u8]) -> Result<u32, ValueError> {
        let digits = std::str::from_utf8(bytes).map_err(|_| ValueError::Malformed)?;
        digits.parse().map_err(|_| ValueError::Malformed)
    }
}

#[test]
fn a_field_and_a_map_may_have_a_codec_of_their_own() {
    let settings: Record<Settings> = Record::new("settings");
    let digits: Field<u32, Digits> = Field::new("digits");
    let plain_field: Field<u32> = Field::new("digits");
    let scores: Map<u32, u32, Digits> = Map::new("scores");
    let group = &mut plain();
    assert_eq!(group.run(1, settings.set(&digits, &1234).unwrap()), Ok(None));
    assert_eq!(group.run(2, settings.update_if(&digits, &5, &1234).unwrap()), Ok(true));
    assert_eq!(group.run(3, settings.read(&digits)), Ok(Some(5)));
    group.sync();
    let changes = group.take_changes(1);
    let Some(RecordEvent::Update { old, new, .. }) = settings.event(&changes[1]) else {
        panic!("{changes:?}");
    };
    assert_eq!((&*old, digits.decode(&new)), (&b"1234"[..], Ok(5)));
    assert_eq!(group.node(1).record(&settings).get(&plain_field), Ok(Some(u32::from(b'5'))));
    assert_eq!(settings.set(&digits, &u32::MAX).err(), Some(EncodeError::Unencodable));
    assert_eq!(group.run(1, scores.set(&10, &20).unwrap()), Ok(None));
    assert_eq!(group.run(2, scores.read(&10).unwrap()), Ok(Some(20)));
    assert_eq!(scores.set(&u32::MAX, &0).err(), Some(EncodeError::Unencodable));
}

#[test]
fn a_value_of_a_mebibyte_goes_round() {
    let blobs: Map<String, Vec<u8>> = Map::new("blobs");
    let queue: Queue<Vec<u8>> = Queue::new("blob queue");
    let group = &mut Group::of(3, |config| {
        config.max_entry_bytes = 4 << 20;
        config.max_uncommitted_bytes = 16 << 20;
        config.sessions.max_reply_bytes = 4 << 20;
    });
    let mebibyte: Vec<u8> = (0..1 << 20).map(|at: u32| (at % 251) as u8).collect();
    let at = group.follower();
    assert_eq!(group.run(at, blobs.set(&"a".into(), &mebibyte).unwrap()), Ok(None));
    let before = group.run(at, blobs.set(&"a".into(), &vec![]).unwrap());
    assert!(before == Ok(Some(mebibyte.clone())));
    group.run(at, blobs.set(&"a".into(), &mebibyte).unwrap()).unwrap();
    group.run(at, queue.push_all([&mebibyte, &vec![], &mebibyte]).unwrap()).unwrap();
    group.sync();
    for id in group.ids() {
        assert!(group.map(id, &blobs).get(&"a".into()) == Ok(Some(mebibyte.clone())));
        assert_eq!(group.node(id).queue(&queue).len(), 3);
    }
    assert!(group.run(at, blobs.remove(&"a".into()).unwrap()) == Ok(Some(mebibyte.clone())));
    assert!(group.run(at, queue.pop_many(3)).map(|popped| popped.len()) == Ok(3));
}

#[test]
fn what_is_larger_than_an_entry_may_be_is_refused_with_its_size() {
    let blobs: Map<String, Vec<u8>> = Map::new("blobs");
    let group = &mut plain();
    let mebibyte = vec![7; 1 << 20];
    for id in group.ids() {
        let failure = group.run(id, blobs.set(&"a".into(), &mebibyte).unwrap());
        let Err(Failure::NotExecuted(NotExecuted::TooLarge { bytes, limit })) = failure else {
            panic!("{failure:?}");
        };
        assert_eq!(limit, 1 << 20);
        assert!(bytes > limit && bytes < limit + 100, "{bytes}");
    }
    assert_eq!(group.run(1, blobs.read_len()), Ok(0));
    assert_eq!(group.run(1, blobs.set(&"a".into(), &vec![1]).unwrap()), Ok(None), "unharmed");
}

#[test]
fn names_are_any_text_and_compared_byte_for_byte() {
    let group = &mut plain();
    // The same letter in two ways of writing it, and other scripts.
    let names = ["é", "e\u{301}", "地図 🗺", "خريطة", "", " ", "a\0b", "Scores", "scores"];
    for (at, name) in names.iter().enumerate() {
        let map: Map<String, usize> = Map::named((*name).into()).unwrap();
        assert_eq!(group.run(1, map.set(&(*name).into(), &at).unwrap()), Ok(None), "{name:?}");
    }
    group.sync();
    for id in group.ids() {
        let mut listed: Vec<&str> = group.node(id).collections().map(|it| it.name).collect();
        listed.sort_unstable();
        let mut expected = names;
        expected.sort_unstable();
        assert_eq!(listed, expected);
        for (at, name) in names.iter().enumerate() {
            assert_eq!(group.node(id).exists(name), Some(CollectionKind::Map));
            let map: Map<String, usize> = Map::named((*name).into()).unwrap();
            assert_eq!(map.name(), *name);
            assert_eq!(group.map(id, &map).get(&(*name).into()), Ok(Some(at)));
        }
    }
    let longest = "地".repeat(85);
    assert!(Map::<u8, u8>::named(longest.clone()).is_ok(), "255 bytes");
    assert!(Map::<u8, u8>::named(longest + "a").is_err(), "256 bytes");
    let record: Record<Settings> = Record::new("プロフィール");
    let field: Field<String> = Field::new("имя");
    group.run(2, record.set(&field, &"Олена".into()).unwrap()).unwrap();
    assert_eq!(group.run(3, record.read(&field)), Ok(Some("Олена".into())));
}

#[test]
fn what_does_not_decode_is_told_to_whoever_reads_it_and_harms_nobody() {
    let wide: Map<u8, u64> = Map::new("map");
    let narrow: Map<u8, u8> = Map::new("map");
    let group = &mut plain();
    group.run(1, wide.set(&1, &300).unwrap()).unwrap();
    let left_over = ValueError::LeftOver { bytes: 1 };
    assert_eq!(group.run(2, narrow.read(&1).unwrap()), Err(Failure::Value(left_over)));
    let set = group.run(2, narrow.set(&1, &9).unwrap());
    assert_eq!(
        set,
        Err(Failure::Value(left_over)),
        "it has taken effect; its result is unreadable"
    );
    assert_eq!(group.run(2, wide.read(&1).unwrap()), Ok(Some(9)));
    group.run(2, wide.set(&2, &70_000).unwrap()).unwrap();
    group.sync();
    let view = group.map(3, &narrow);
    assert_eq!(view.get(&2), Err(ViewError::Value(ValueError::LeftOver { bytes: 2 })));
    assert_eq!(view.contains_key(&2), Ok(true));
    assert_eq!(view.iter().filter(Result::is_ok).count(), 1, "the others can be read");
    assert_eq!(view.len(), 2);
    let changes = group.take_changes(3);
    let readable: Vec<bool> =
        changes.iter().map(|change| narrow.event(change).unwrap().is_ok()).collect();
    assert_eq!(readable, [false, false, false]);
    let last = MapEvent::Insert { key: 2, value: 70_000 };
    assert_eq!(wide.event(&changes[2]), Some(Ok(last)));
}
