//! Remote maps in real servers, which are killed, as are the nodes, in the midst of operations: here nodes
//! that share a thread, which is fast; in `killed.rs` nodes that are processes.
//!
//! Debian's `redis-server` and `postgresql` are looked for. Where one is missing its tests say so and are
//! skipped; with `HAMOK_REQUIRE_SERVERS=1` they fail.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real servers take real time, and are found by the environment"
)]

mod clients;
#[path = "../../examples/postgres_remote_map/entries.rs"]
mod entries;
mod gates;
mod group;
mod killed;
#[path = "../../examples/postgres_remote_map/adapter.rs"]
mod postgres_adapter;
#[path = "../support/processes.rs"]
mod processes;
#[path = "../../examples/redis_remote_map/adapter.rs"]
mod redis_adapter;
mod servers;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use hamok::{
    Fence, FenceRefusal, RemoteAnswer, RemoteCall, RemoteOutcome, RemoteResult, RemoteWork, Ticks,
};

use clients::{COUNTER, Client, MAP};
use group::{Group, insist};
use servers::Server;

const CLIENTS: u64 = 4;
/// How many rounds all clients together do between two faults.
const ROUNDS: u64 = 20;

#[test]
fn each_operation_takes_effect_once_in_redis_whatever_is_killed() {
    if let Some(server) = Server::redis() {
        each_operation_takes_effect_once(server);
    }
}

#[test]
fn each_operation_takes_effect_once_in_postgres_whatever_is_killed() {
    if let Some(server) = Server::postgres() {
        each_operation_takes_effect_once(server);
    }
}

#[test]
fn every_method_works_in_redis() {
    if let Some(server) = Server::redis() {
        every_method_works(server);
    }
}

#[test]
fn every_method_works_in_postgres() {
    if let Some(server) = Server::postgres() {
        every_method_works(server);
    }
}

#[test]
fn what_redis_refuses_for_good_is_a_result() {
    let Some(mut server) = Server::redis() else { return };
    server.start();
    let client = redis::Client::open(server.url()).expect("a valid address");
    let mut connection = client.get_connection().expect("it answers");
    let entries = "hamok:{shared}:entries";
    let set: redis::RedisResult<()> = redis::cmd("SET").arg(entries).arg(1).query(&mut connection);
    set.expect("it answers");
    let mut group = Group::new(move || server.connect());
    let call = || MAP.set(&"a".to_owned(), &1).expect("it encodes");
    let error = group.try_to(call()).expect_err("the entries are no hash");
    assert_eq!(error.as_str(), "the entries are not a hash but a string");
    let deleted: redis::RedisResult<()> = redis::cmd("DEL").arg(entries).query(&mut connection);
    deleted.expect("it answers");
    assert_eq!(group.get(call()), None, "the queue goes on");
}

#[test]
fn what_postgres_refuses_for_good_is_a_result() {
    let Some(mut server) = Server::postgres() else { return };
    server.start();
    let mut group = Group::new(move || server.connect());
    // No index takes it, however it is compressed.
    let mut state = 1_u64;
    let digit = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from_digit(u32::try_from(state >> 59).expect("five bits"), 36).expect("a digit")
    };
    let long: String = (0..20_000).map(digit).collect();
    let both = MAP.set_all([("a".to_owned(), 1), (long, 2)]).expect("it encodes");
    let error = group.try_to(both).expect_err("the second key is too long");
    assert!(error.as_str().contains("index"), "{error}");
    assert_eq!(group.get(MAP.read_len()), 0, "nothing was changed");
    assert_eq!(group.get(MAP.set(&"a".to_owned(), &1).expect("it encodes")), None);
}

#[test]
fn what_takes_postgres_long_ends() {
    let Some(mut server) = Server::postgres() else { return };
    server.start();
    let mut outsider = postgres::Client::connect(&server.url(), postgres::NoTls).expect("it runs");
    let mut group = Group::new(move || server.connect());
    assert_eq!(group.get(MAP.set(&"a".to_owned(), &1).expect("it encodes")), None);
    let slow = "
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN PERFORM pg_sleep(6); RETURN OLD; END $$;
        CREATE TRIGGER slow BEFORE DELETE ON hamok_entries FOR EACH ROW EXECUTE FUNCTION slow();";
    outsider.batch_execute(slow).expect("it runs");
    assert_eq!(group.get(MAP.clear().with_timeout(Ticks::new(100_000))), 1);
}

#[test]
fn what_others_insert_into_postgres_meanwhile_is_not_overwritten() {
    let Some(mut server) = Server::postgres() else { return };
    server.start();
    let mut outsider = postgres::Client::connect(&server.url(), postgres::NoTls).expect("it runs");
    let mut group = Group::new(move || server.connect());
    let key = "a".to_owned();
    assert_eq!(group.get(MAP.set(&"b".to_owned(), &1).expect("it encodes")), None);
    let mut theirs = outsider.transaction().expect("it runs");
    let insert = r"INSERT INTO hamok_entries VALUES ('shared', '\x0161', '\x09')";
    theirs.execute(insert, &[]).expect("it runs");
    let (id, ticket) = group.ask(0, MAP.insert(&key, &1).expect("it encodes"));
    while group.executing().is_none() {
        group.run();
    }
    (0..50).for_each(|_| group.run());
    theirs.commit().expect("it runs");
    let reply = loop {
        group.run();
        if let Some(reply) = group.reply(id) {
            break reply;
        }
    };
    assert_eq!(ticket.redeem(reply), Ok(Some(9)));
    assert_eq!(group.get(MAP.read(&key).expect("it encodes")), Some(9));
}

/// Clients work; meanwhile the server and the leader are killed by turns, each time in the midst of an
/// operation. In the end the store has what the clients were told, and nothing twice.
fn each_operation_takes_effect_once(mut server: Server) {
    server.start();
    let server = Rc::new(RefCell::new(server));
    let connect = Rc::clone(&server);
    let mut group = Group::new(move || connect.borrow().connect());
    group.get(MAP.insert(&COUNTER.to_owned(), &0).expect("it encodes"));

    let mut clients: Vec<Client> = (0..CLIENTS).map(Client::new).collect();
    let work = |group: &mut Group, clients: &mut Vec<Client>| {
        group.run();
        clients.iter_mut().for_each(|client| client.act(group));
    };
    let mut stale = Vec::new();
    for fault in 1..=6 {
        let enough = rounds(&clients) + ROUNDS;
        while rounds(&clients) < enough {
            work(&mut group, &mut clients);
        }
        let leader = loop {
            match group.executing() {
                Some(leader) => break leader,
                None => work(&mut group, &mut clients),
            }
        };
        if fault % 2 == 0 {
            server.borrow_mut().kill();
            (0..30).for_each(|_| work(&mut group, &mut clients));
            server.borrow_mut().start();
        } else {
            stale.extend(group.kill(leader));
            clients.iter_mut().for_each(Client::forget_requests);
            (0..60).for_each(|_| work(&mut group, &mut clients));
            group.start(leader);
        }
    }
    clients.iter_mut().for_each(Client::stop);
    while !clients.iter().all(Client::is_done) {
        work(&mut group, &mut clients);
    }

    let counted: u64 = clients.iter().map(|client| client.counted).sum();
    let mut expected: BTreeMap<String, u64> = clients.iter().flat_map(Client::inserted).collect();
    expected.insert(COUNTER.to_owned(), counted);
    assert_eq!(contents(&mut group), expected);
    assert!(counted >= ROUNDS, "someone comes first: {counted}");

    // What the killed leaders called for last comes late, once more: it was executed by another since.
    assert_eq!(stale.len(), 3);
    let mut perform = server.borrow().connect();
    for call in &stale {
        let result = insist(&mut perform, call);
        let passed = matches!(result, RemoteResult::Refused(FenceRefusal::TermPassed { highest })
            if highest > fence(call).term);
        assert!(passed, "{call} after all: {result}");
    }
    assert_eq!(contents(&mut group), expected, "and has no effect");
}

fn rounds(clients: &[Client]) -> u64 {
    clients.iter().map(Client::rounds).sum()
}

fn fence(call: &RemoteCall) -> Fence {
    match call.work() {
        RemoteWork::Execute { fence, .. } => *fence,
        other @ (RemoteWork::Read(_) | _) => panic!("{other:?} executes nothing"),
    }
}

/// All entries, read page by page.
fn contents(group: &mut Group) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let mut from = None;
    loop {
        let page = group.get(MAP.read_entries(from.as_ref(), 10));
        found.extend(page.items);
        from = page.next;
        if from.is_none() {
            return found;
        }
    }
}

fn every_method_works(mut server: Server) {
    server.start();
    let made = Arc::new(Mutex::new(Vec::new()));
    let (server, record) = (Rc::new(server), Arc::clone(&made));
    let connect = Rc::clone(&server);
    let mut group = Group::new(move || {
        let (mut perform, record) = (connect.connect(), Arc::clone(&record));
        Box::new(move |call| {
            record.lock().expect("nobody panicked").push(call.clone());
            perform(call)
        })
    });
    let group = &mut group;
    let key = |key: &str| key.to_owned();
    let call = "it encodes";
    assert_eq!(group.get(MAP.set(&key("a"), &1).expect(call)), None);
    assert_eq!(group.get(MAP.set(&key("a"), &2).expect(call)), Some(1));
    let more = MAP.set_all([(key("a"), 3), (key("b"), 0), (key("b"), 1)]).expect(call);
    assert_eq!(group.get(more), [(key("a"), 2), (key("b"), 0)]);
    assert_eq!(group.get(MAP.insert(&key("a"), &9).expect(call)), Some(3));
    let more = MAP.insert_all([(key("a"), 9), (key("c"), 1), (key("c"), 9)]).expect(call);
    assert_eq!(group.get(more), [(key("a"), 3), (key("c"), 1)]);
    assert!(group.get(MAP.update_if(&key("c"), &2, &1).expect(call)));
    assert!(!group.get(MAP.update_if(&key("c"), &9, &1).expect(call)));
    assert!(!group.get(MAP.update_if(&key("x"), &9, &1).expect(call)));
    assert_eq!(group.get(MAP.read(&key("c")).expect(call)), Some(2));
    assert_eq!(group.get(MAP.get(&key("x")).expect(call)), None);
    let none: [String; 0] = [];
    assert_eq!(group.get(MAP.read_all(&none).expect(call)), []);
    assert_eq!(group.get(MAP.remove_all(&none).expect(call)), []);
    let both = [(key("c"), 2), (key("a"), 3)];
    assert_eq!(group.get(MAP.read_all([key("c"), key("x"), key("a")]).expect(call)), both);
    assert_eq!(group.get(MAP.read_len()), 3);
    assert!(group.get(MAP.read_contains_key(&key("b")).expect(call)));
    let mut keys = Vec::new();
    let mut from = None;
    loop {
        let page = group.get(MAP.read_keys(from.as_ref(), 2));
        keys.extend(page.items);
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    keys.sort_unstable();
    assert_eq!(keys, ["a", "b", "c"]);
    assert_eq!(group.get(MAP.read_keys(None, u64::MAX)).items.len(), 3, "all of them at once");
    assert!(!group.get(MAP.remove_if(&key("c"), &9).expect(call)));
    assert!(group.get(MAP.remove_if(&key("c"), &2).expect(call)));
    assert_eq!(group.get(MAP.remove(&key("a")).expect(call)), Some(3));
    assert_eq!(group.get(MAP.remove(&key("a")).expect(call)), None);
    assert!(group.get(MAP.delete(&key("b")).expect(call)));
    let quiet = MAP.clone().without_events();
    assert!(!group.get(quiet.delete(&key("b")).expect(call)));
    group.get(MAP.set_all((0..1000).map(|number| (number.to_string(), number))).expect(call));
    let gone = group.get(quiet.delete_all([key("7"), key("x"), key("8")]).expect(call));
    assert_eq!(gone, ["7", "8"]);
    assert_eq!(group.get(MAP.clear()), 998);
    assert_eq!(group.get(MAP.clear()), 0);
    // Of what is queued when the map is adopted, what has not been called for yet adopts, too.
    for value in 0..3 {
        drop(group.ask(0, MAP.set(&key("a"), &value).expect(call)));
    }
    group.get(MAP.adopt());
    group.get(MAP.sync());
    assert_eq!(group.get(MAP.clear()), 1);
    assert!(group.get(MAP.is_empty()));
    assert!(group.get(MAP.read_entries(None, 10)).items.is_empty());

    // All that was called for comes late once more, and has no effect.
    let mut perform = server.connect();
    let made = made.lock().expect("nobody panicked").clone();
    let executes = |call: &&RemoteCall| matches!(call.work(), RemoteWork::Execute { .. });
    let made: Vec<&RemoteCall> = made.iter().filter(executes).collect();
    assert!(made.iter().filter(|call| fence(call).adopt).count() >= 2, "some adopt");
    let (last, earlier) = made.split_last().expect("much was called for");
    for call in earlier {
        let result = perform(call);
        let refused = RemoteResult::Refused(FenceRefusal::OutOfOrder { last: fence(last).index });
        assert_eq!(result, refused, "{call}");
    }
    let one = RemoteOutcome::Done(RemoteAnswer::Count(1));
    assert_eq!(perform(last), RemoteResult::Ended(one), "the last one is answered for again");
    assert!(group.get(MAP.is_empty()));
}
