//! Executions to test the oracles with: real ones, and small ones made of guesses.

use proptest::collection::vec;
use proptest::prelude::*;

use super::model::MapModel;
use super::witness::{Effect, Effects};
use crate::history::testing::{answer, parse};
use crate::history::{Call, CallId, CallOutcome, History, HistoryEvent, MapOperation, MapResult};
use crate::observation::{Moment, SimTime};

/// What the scheduler of an execution is told, one number at a time.
#[derive(Clone, Debug)]
pub(super) struct Planned(Vec<u32>);

/// What really happened when some clients used a map: every call took effect at one moment between
/// its beginning and its end, or, its outcome being unknown, perhaps later or never.
pub(super) struct Execution {
    events: Vec<HistoryEvent>,
    /// The calls that took effect and when, in the order in which they did.
    log: Vec<(CallId, MapOperation, SimTime)>,
}

#[derive(Clone)]
enum Client {
    Idle,
    Waiting(CallId, MapOperation),
    Answered(CallId, u64, MapResult),
}

impl Execution {
    pub(super) fn of(plan: &Planned) -> Self {
        let mut run = Self { events: vec![], log: vec![] };
        let mut clients = vec![Client::Idle; 4];
        let mut given_up: Vec<(CallId, MapOperation)> = Vec::new();
        for (step, choice) in plan.0.iter().enumerate() {
            let at = SimTime::from_micros(step as u64);
            let (who, what) = (*choice as usize % clients.len(), choice / 4);
            let client = clients[who].clone();
            clients[who] = match client {
                Client::Idle if what % 5 == 0 && !given_up.is_empty() => {
                    let (call, operation) = given_up.swap_remove(what as usize % given_up.len());
                    run.take_effect(call, operation, at);
                    Client::Idle
                }
                Client::Idle => {
                    let call = CallId { client: who as u64, number: step as u64 };
                    let operation = operation(what, call);
                    let (map, invoked) = ("m".to_owned(), operation.clone());
                    run.events.push(HistoryEvent::Invoke { call, at, map, operation: invoked });
                    Client::Waiting(call, operation)
                }
                Client::Waiting(call, operation) if what % 7 == 0 => {
                    let outcome = CallOutcome::Unknown;
                    run.events.push(HistoryEvent::Complete { call, at, outcome });
                    if !operation.is_read() {
                        given_up.push((call, operation));
                    }
                    Client::Idle
                }
                Client::Waiting(call, operation) => {
                    let (index, result) = run.take_effect(call, operation, at);
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
        let mut model = MapModel::default();
        let mut effects = Effects { applied: self.log.len() as u64, ..Effects::default() };
        for (index, (_, operation, seen)) in (1..).zip(&self.log) {
            let mut changes = Vec::new();
            model.apply(operation, |change| changes.push(change));
            if !changes.is_empty() {
                effects.at.insert(index, Effect { map: "m", changes, seen: *seen });
            }
        }
        effects
    }

    /// Makes one result another one, which shows `value` if it is of a kind that shows values. Tells
    /// whether it does; none if there is no result at all.
    pub(super) fn corrupt_with(&mut self, which: usize, value: &str) -> Option<bool> {
        let results = self.events.iter_mut().filter_map(|event| match event {
            HistoryEvent::Complete { outcome: CallOutcome::Done { result, .. }, .. } => {
                Some(result)
            }
            HistoryEvent::Complete { .. } | HistoryEvent::Invoke { .. } => None,
        });
        let mut results: Vec<&mut MapResult> = results.collect();
        let place = which.checked_rem(results.len())?;
        let text = value.to_owned();
        let (other, shows) = match &*results[place] {
            MapResult::Value(Some(old)) if old == value => (MapResult::Value(None), false),
            MapResult::Value(_) => (MapResult::Value(Some(text)), true),
            MapResult::Entries(_) => (MapResult::Entries(vec![(text.clone(), text)]), true),
            MapResult::Keys(_) => (MapResult::Keys(vec![text]), true),
            MapResult::Flag(flag) => (MapResult::Flag(!flag), false),
            MapResult::Count(count) => (MapResult::Count(count + 1), false),
        };
        *results[place] = other;
        Some(shows)
    }

    /// A read takes no position of its own.
    fn take_effect(
        &mut self,
        call: CallId,
        operation: MapOperation,
        at: SimTime,
    ) -> (u64, MapResult) {
        let mut model = MapModel::default();
        for (_, earlier, _) in &self.log {
            model.apply(earlier, |_| {});
        }
        let result = MapResult::from(&model.apply(&operation, |_| {}));
        if !operation.is_read() {
            self.log.push((call, operation, at));
        }
        (self.log.len() as u64, result)
    }
}

impl Arbitrary for Planned {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        vec(any::<u32>(), 0..80).prop_map(Self).boxed()
    }
}

/// Small histories of calls that overlap at random and whose results are guessed.
pub(super) fn guesses() -> impl Strategy<Value = History> {
    let call = (0..12_usize, 0..6_usize, 0..GUESSED.len(), 0..8_usize);
    vec(call, 1..7).prop_map(|calls| {
        let mut events = Vec::new();
        for (number, (from, length, operation, answer)) in (1..).zip(calls) {
            let call = CallId { client: number, number: 1 };
            let (operation, outcome) = guess(GUESSED[operation], answer);
            let (at, map) = (SimTime::ZERO, "m".to_owned());
            events.push((from, 0, HistoryEvent::Invoke { call, at, map, operation }));
            events.push((from + length, 1, HistoryEvent::Complete { call, at, outcome }));
        }
        events.sort_by_key(|(time, kind, _)| (*time, *kind));
        let events: Vec<HistoryEvent> = events.into_iter().map(|(.., event)| event).collect();
        recorded(&events)
    })
}

/// Whether some order of some choice of the calls explains the history: everything is tried.
pub(super) fn any_order_explains(history: &History) -> bool {
    let calls = history.calls();
    extend(&calls, &mut vec![false; calls.len()], &MapModel::default())
}

fn extend<'a>(calls: &[Call<'a>], taken: &mut Vec<bool>, model: &MapModel<'a>) -> bool {
    let left: Vec<usize> = (0..calls.len()).filter(|&place| !taken[place]).collect();
    let done = |place: &usize| matches!(calls[*place].outcome, CallOutcome::Done { .. });
    if !left.iter().any(done) {
        return true;
    }
    let first_end = left.iter().copied().filter(|place| done(place));
    let first_end = first_end.map(|place| calls[place].completed).min().unwrap_or(usize::MAX);
    left.iter().any(|&place| {
        let mut state = model.clone();
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
fn guess((operation, guesses): (&str, &[&str]), number: usize) -> (MapOperation, CallOutcome) {
    let operation = parse(operation);
    let outcome = match guesses.get(number) {
        Some(guess) => CallOutcome::Done { index: None, result: answer(&operation, guess) },
        None => CallOutcome::Unknown,
    };
    (operation, outcome)
}

fn operation(choice: u32, call: CallId) -> MapOperation {
    let key = ["a", "b", "c"][choice as usize / 16 % 3];
    parse(&match choice % 16 {
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
    })
}

fn recorded(events: &[HistoryEvent]) -> History {
    let mut history = History::new();
    for event in events {
        let moment = Moment { at: event.at(), step: 0 };
        match event.clone() {
            HistoryEvent::Invoke { call, map, operation, .. } => {
                history.invoke(call, moment, &map, operation);
            }
            HistoryEvent::Complete { call, outcome, .. } => history.complete(call, moment, outcome),
        }
    }
    history
}

const GUESSED: [(&str, &[&str]); 12] = [
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
