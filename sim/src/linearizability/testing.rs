//! Executions to test the oracles with: real ones, and small ones made of guesses.

use proptest::collection;
use proptest::prelude::*;

use super::model::State;
use super::witness::{Effect, Effects};
use crate::history::testing::{answer, name_of, parse};
use crate::history::{
    Call, CallId, CallOutcome, CallResult, History, HistoryEvent, Model, Operation,
};
use crate::observation::{Moment, SimTime};

/// What the scheduler of an execution is told, one number at a time.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// The kinds of the collections, one of each.
    models: Vec<Model>,
    choices: Vec<u32>,
}

/// What really happened when some clients used collections: every call took effect at one moment
/// between its beginning and its end, or, its outcome being unknown, perhaps later or never.
pub(super) struct Execution {
    events: Vec<HistoryEvent>,
    /// The calls that took effect and when, in the order in which they did.
    log: Vec<(Operation, SimTime)>,
}

#[derive(Clone)]
enum Client {
    Idle,
    Waiting(Operation, CallId),
    Answered(CallId, u64, CallResult),
}

impl Execution {
    pub(super) fn of(plan: &Planned) -> Self {
        let mut run = Self { events: vec![], log: vec![] };
        let mut clients = vec![Client::Idle; 4];
        let mut given_up: Vec<Operation> = Vec::new();
        for (step, choice) in plan.choices.iter().enumerate() {
            let at = SimTime::from_micros(step as u64);
            let (who, what) = (*choice as usize % clients.len(), choice / 4);
            let client = clients[who].clone();
            clients[who] = match client {
                Client::Idle if what % 5 == 0 && !given_up.is_empty() => {
                    let operation = given_up.swap_remove(what as usize % given_up.len());
                    run.take_effect(operation, at);
                    Client::Idle
                }
                Client::Idle => {
                    let call = CallId { client: who as u64, number: step as u64 };
                    let model = plan.models[what as usize / 64 % plan.models.len()];
                    let operation = parse(model, &operation(model, what, call));
                    let (name, invoked) = (name_of(model).to_owned(), operation.clone());
                    run.events.push(HistoryEvent::Invoke { call, at, name, operation: invoked });
                    Client::Waiting(operation, call)
                }
                Client::Waiting(operation, call) if what % 7 == 0 => {
                    let outcome = CallOutcome::Unknown;
                    run.events.push(HistoryEvent::Complete { call, at, outcome });
                    if !operation.is_read() {
                        given_up.push(operation);
                    }
                    Client::Idle
                }
                Client::Waiting(operation, call) => {
                    let (index, result) = run.take_effect(operation, at);
                    Client::Answered(call, index, result)
                }
                Client::Answered(call, index, result) => {
                    let outcome = CallOutcome::Done { index: Some(index), result };
                    run.events.push(HistoryEvent::Complete { call, at, outcome });
                    Client::Idle
                }
            };
        }
        run
    }

    pub(super) fn history(&self) -> History {
        recorded(&self.events)
    }

    pub(super) fn effects(&self) -> Effects<'_> {
        let mut effects = Effects { applied: self.log.len() as u64, ..Effects::default() };
        for (place, (operation, seen)) in self.log.iter().enumerate() {
            let model = operation.model();
            let mut changes = Vec::new();
            self.before(model, place).apply(operation, |change| changes.push(change));
            if !changes.is_empty() {
                let effect = Effect { model, name: name_of(model), changes, seen: *seen };
                effects.at.insert(place as u64 + 1, effect);
            }
        }
        effects
    }

    /// Makes one result another one, which shows `value` if it is of a kind that shows values. Tells
    /// whether it does; none if there is no result that could be another one.
    pub(super) fn corrupt_with(&mut self, which: usize, value: &str) -> Option<bool> {
        let results = self.events.iter_mut().filter_map(|event| match event {
            HistoryEvent::Complete { outcome: CallOutcome::Done { result, .. }, .. } => {
                (*result != CallResult::Nothing).then_some(result)
            }
            HistoryEvent::Complete { .. } | HistoryEvent::Invoke { .. } => None,
        });
        let mut results: Vec<&mut CallResult> = results.collect();
        let place = which.checked_rem(results.len())?;
        let text = value.to_owned();
        let (other, shows) = match &*results[place] {
            CallResult::Value(Some(old)) if old == value => (CallResult::Value(None), false),
            CallResult::Value(_) => (CallResult::Value(Some(text)), true),
            CallResult::Values(_) => (CallResult::Values(vec![text]), true),
            CallResult::Entries(_) => (CallResult::Entries(vec![(text.clone(), text)]), true),
            CallResult::Keys(_) => (CallResult::Keys(vec![text]), true),
            CallResult::Flag(flag) => (CallResult::Flag(!flag), false),
            CallResult::Count(count) => (CallResult::Count(count + 1), false),
            CallResult::Nothing => return None,
        };
        *results[place] = other;
        Some(shows)
    }

    /// A read takes no position of its own.
    fn take_effect(&mut self, operation: Operation, at: SimTime) -> (u64, CallResult) {
        let model = operation.model();
        let result =
            CallResult::from(&self.before(model, self.log.len()).apply(&operation, |_| {}));
        let is_read = operation.is_read();
        if !is_read {
            self.log.push((operation, at));
        }
        // A remote map's store has executed its own operations, and knows of no others.
        let own = |(operation, _): &(Operation, SimTime)| operation.model() == model;
        let last = match model {
            Model::RemoteMap => self.log.iter().rposition(own).map_or(0, |place| place + 1),
            Model::Map | Model::Queue | Model::Record => self.log.len(),
        };
        (last as u64, result)
    }

    /// The collection of a kind before the operation at a place in the log.
    fn before(&self, model: Model, place: usize) -> State<'_> {
        let mut state = State::empty(model);
        for (earlier, _) in self.log[..place].iter().filter(|(it, _)| it.model() == model) {
            state.apply(earlier, |_| {});
        }
        state
    }
}

impl Arbitrary for Planned {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    /// Collections of one kind, or of all.
    fn arbitrary_with((): ()) -> Self::Strategy {
        let [map, queue, record, remote] = Model::ALL.map(|model| vec![model]);
        let models = prop::sample::select(vec![map, queue, record, remote, Model::ALL.to_vec()]);
        let choices = collection::vec(any::<u32>(), 0..80);
        (models, choices).prop_map(|(models, choices)| Self { models, choices }).boxed()
    }
}

/// Small histories of calls that overlap at random and whose results are guessed.
pub(super) fn guesses() -> impl Strategy<Value = History> {
    let tables = [
        (Model::Map, &OF_MAPS[..]),
        (Model::Queue, &OF_QUEUES[..]),
        (Model::Record, &OF_RECORDS[..]),
        (Model::RemoteMap, &OF_MAPS[..]),
    ];
    let call = (0..12_usize, 0..6_usize, any::<prop::sample::Index>(), 0..8_usize);
    let calls = collection::vec(call, 1..7);
    (prop::sample::select(tables.to_vec()), calls).prop_map(|((model, guessed), calls)| {
        let mut events = Vec::new();
        for (number, (from, length, operation, answer)) in (1..).zip(calls) {
            let call = CallId { client: number, number: 1 };
            let (operation, outcome) = guess(model, *operation.get(guessed), answer);
            let (at, name) = (SimTime::ZERO, name_of(model).to_owned());
            events.push((from, 0, HistoryEvent::Invoke { call, at, name, operation }));
            events.push((from + length, 1, HistoryEvent::Complete { call, at, outcome }));
        }
        events.sort_by_key(|(time, kind, _)| (*time, *kind));
        let events: Vec<HistoryEvent> = events.into_iter().map(|(.., event)| event).collect();
        recorded(&events)
    })
}

/// Whether some order of some choice of the calls on one collection explains the history: everything
/// is tried.
pub(super) fn any_order_explains(history: &History) -> bool {
    let calls = history.calls();
    let empty = State::empty(calls[0].operation.model());
    extend(&calls, &mut vec![false; calls.len()], &empty)
}

fn extend<'a>(calls: &[Call<'a>], taken: &mut Vec<bool>, state: &State<'a>) -> bool {
    let left: Vec<usize> = (0..calls.len()).filter(|&place| !taken[place]).collect();
    let done = |place: &usize| matches!(calls[*place].outcome, CallOutcome::Done { .. });
    if !left.iter().any(done) {
        return true;
    }
    let first_end = left.iter().copied().filter(|place| done(place));
    let first_end = first_end.map(|place| calls[place].completed).min().unwrap_or(usize::MAX);
    left.iter().any(|&place| {
        let mut state = state.clone();
        let answered = state.apply(calls[place].operation, |_| {});
        let fits = match calls[place].outcome {
            CallOutcome::Done { result, .. } => answered == *result,
            CallOutcome::Unknown => true,
            CallOutcome::Refused { .. } | CallOutcome::NotExecuted => false,
        };
        if !fits || calls[place].invoked > first_end {
            return false;
        }
        taken[place] = true;
        let explained = extend(calls, taken, &state);
        taken[place] = false;
        explained
    })
}

/// The operation, and the guess of that number at its outcome, the last ones being unknown.
fn guess(
    model: Model,
    (operation, guesses): (&str, &[&str]),
    number: usize,
) -> (Operation, CallOutcome) {
    let operation = parse(model, operation);
    let outcome = match guesses.get(number) {
        Some(guess) => CallOutcome::Done { index: None, result: answer(&operation, guess) },
        None => CallOutcome::Unknown,
    };
    (operation, outcome)
}

fn operation(model: Model, choice: u32, call: CallId) -> String {
    match model {
        Model::Map | Model::RemoteMap => map_operation(choice, call),
        Model::Queue => queue_operation(choice, call),
        Model::Record => record_operation(choice, call),
    }
}

fn map_operation(choice: u32, call: CallId) -> String {
    let key = ["a", "b", "c"][choice as usize / 16 % 3];
    match choice % 16 {
        0 | 1 => format!("set {key} {call}"),
        2 => format!("insert {key} {call}"),
        3 => format!("set_all a={call}.0 c={call}.1"),
        4 => format!("insert_all b={call}.0 a={call}.1"),
        5 => format!("update_if {key} {call} c0.0"),
        6 => format!("remove {key}"),
        7 => "remove_all b a".to_owned(),
        8 => format!("remove_if {key} c1.1"),
        9 => format!("delete {key}"),
        10 => "delete_all c b".to_owned(),
        11 => "clear".to_owned(),
        12 | 13 => format!("read {key}"),
        14 => "read_all a b c".to_owned(),
        _ => "read_len".to_owned(),
    }
}

fn queue_operation(choice: u32, call: CallId) -> String {
    match choice % 16 {
        0..6 => format!("push {call}"),
        6 => format!("push_all {call}.0 {call}.1 {call}.2"),
        7..11 => "pop".to_owned(),
        11 => format!("pop_many {}", choice / 16 % 4),
        12 => "clear".to_owned(),
        13 | 14 => "read_front".to_owned(),
        _ => "read_len".to_owned(),
    }
}

fn record_operation(choice: u32, call: CallId) -> String {
    let field = ["f", "g", "h"][choice as usize / 16 % 3];
    match choice % 16 {
        0..3 => format!("set {field} {call}"),
        3 | 4 => format!("insert {field} {call}"),
        5 => format!("update_if {field} {call} c0.0"),
        6 => format!("delete {field}"),
        7 => "clear".to_owned(),
        8..10 => format!("read {field}"),
        10 | 11 => "read_instance h f g".to_owned(),
        12 => format!("insert_instance g={call}.0 f={call}.1"),
        13 => format!("update_instance_if f={call}.0 h={call}.1 if"),
        14 => format!("update_instance_if {field}={call} if f=c0.0 g=c1.1"),
        _ => format!("update_instance_if {field}={call} if {field}=c0.0"),
    }
}

fn recorded(events: &[HistoryEvent]) -> History {
    let mut history = History::new();
    for event in events {
        let moment = Moment { at: event.at(), step: 0 };
        match event.clone() {
            HistoryEvent::Invoke { call, name, operation, .. } => {
                history.invoke(call, moment, &name, operation);
            }
            HistoryEvent::Complete { call, outcome, .. } => history.complete(call, moment, outcome),
        }
    }
    history
}

/// Operations and guesses at what they answer.
type Guesses = (&'static str, &'static [&'static str]);

const OF_MAPS: [Guesses; 12] = [
    ("set a v1", &["none", "v2", "v3", "v4"]),
    ("set a v2", &["none", "v1", "v3", "v4"]),
    ("insert a v3", &["none", "v1", "v2", "v4"]),
    ("set_all a=v4 b=w4", &["", "a=v1", "a=v2 b=w5", "b=w5"]),
    ("insert_all b=w5 a=v5", &["", "a=v1", "b=w4 a=v2"]),
    ("update_if a v6 v1", &["true", "false"]),
    ("remove a", &["none", "v1", "v2", "v3", "v4"]),
    ("delete a", &["true", "false"]),
    ("remove_if a v2", &["true", "false"]),
    ("clear", &["0", "1", "2"]),
    ("read a", &["none", "v1", "v2", "v3", "v6"]),
    ("read_len", &["0", "1", "2"]),
];

/// Some values are pushed by several calls, or twice by one.
const OF_QUEUES: [Guesses; 13] = [
    ("push v1", &["", "", "", "", ""]),
    ("push v1", &["", "", ""]),
    ("push v2", &["", "", "", "", ""]),
    ("push v3", &["", "", ""]),
    ("push_all v4 v5", &["", "", "", ""]),
    ("push_all v6 v6", &["", "", ""]),
    ("pop", &["none", "v1", "v2", "v3", "v4", "v5", "v6"]),
    ("pop", &["v1", "v2", "v4", "v3"]),
    ("pop_many 2", &["v1 v2", "v2 v1", "v4 v5", "v1", "v4", ""]),
    ("pop_many 3", &["v1 v4 v5", "v4 v5 v2", "v6 v6", "v2 v3", "v5 v1"]),
    ("clear", &["0", "1", "2", "3"]),
    ("read_front", &["none", "v1", "v2", "v4", "v5", "v6"]),
    ("read_len", &["0", "1", "2", "3"]),
];

const OF_RECORDS: [Guesses; 12] = [
    ("set f v1", &["none", "v2", "v3", "v5"]),
    ("set g w1", &["none", "w4", "w5"]),
    ("insert f v2", &["none", "v1", "v3", "v4"]),
    ("update_if f v3 v1", &["true", "false"]),
    ("insert_instance f=v4 g=w4", &["", "f=v1", "g=w1", "f=v1 g=w1", "f=v2 g=w5"]),
    ("update_instance_if f=v5 g=w5 if f=v1 g=w1", &["true", "true", "false"]),
    ("update_instance_if g=w6 if f=v4", &["true", "true", "false"]),
    ("delete f", &["true", "false"]),
    ("clear", &["0", "1", "2"]),
    ("read f", &["none", "v1", "v2", "v3", "v5"]),
    ("read_instance g f", &["", "f=v1", "g=w5 f=v5", "g=w1 f=v5", "g=w4 f=v4"]),
    ("read g", &["none", "w1", "w4", "w5", "w6"]),
];
