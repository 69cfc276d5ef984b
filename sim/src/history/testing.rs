//! Histories written down as tests want to read them.

use super::{
    CallId, CallOutcome, CallResult, History, HistoryEvent, MapOperation, Model, Operation,
    QueueOperation, RecordOperation,
};
use crate::observation::{Moment, SimTime};

/// Writes a history, one event after the other, each a microsecond later than the one before.
///
/// Operations are a method's name and its arguments, `set a 1`, `set_all a=1 b=2`, `push_all 1 2` or
/// `update_instance_if a=1 if b=2`; results are what it answers, `none`, `true`, `3`, `a=1 b=2`, `1 2`,
/// or nothing for an empty list and for what answers nothing.
pub(crate) struct Script {
    pub(crate) history: History,
    model: Model,
    name: &'static str,
    /// The call under way at each client, and what it is.
    under_way: Vec<(CallId, Operation)>,
    calls: u64,
    index: u64,
}

impl Script {
    /// About a map.
    pub(crate) fn new() -> Self {
        Self::of(Model::Map)
    }

    pub(crate) fn of(model: Model) -> Self {
        Self {
            history: History::new(),
            model,
            name: name_of(model),
            under_way: vec![],
            calls: 0,
            index: 0,
        }
    }

    /// Goes on with the collection of this kind that has its usual name.
    pub(crate) fn about(&mut self, model: Model) -> &mut Self {
        self.model = model;
        self.on(name_of(model))
    }

    /// Goes on with another collection of the same kind.
    pub(crate) fn on(&mut self, name: &'static str) -> &mut Self {
        self.name = name;
        self
    }

    pub(crate) fn begin(&mut self, client: u64, operation: &str) -> CallId {
        let own = |event: &&HistoryEvent| matches!(event, HistoryEvent::Invoke { call, .. } if call.client == client);
        let number = 1 + self.history.events().iter().filter(own).count() as u64;
        let call = CallId { client, number };
        let operation = parse(self.model, operation);
        let moment = self.moment();
        self.history.invoke(call, moment, self.name, operation.clone());
        self.under_way.push((call, operation));
        call
    }

    pub(crate) fn end(&mut self, client: u64, outcome: CallOutcome) {
        let (call, _) = self.take(client);
        let moment = self.moment();
        self.history.complete(call, moment, outcome);
    }

    /// Ends the client's call as done at a log position.
    pub(crate) fn answer(&mut self, client: u64, index: u64, result: &str) {
        let (call, operation) = self.take(client);
        let outcome = CallOutcome::Done { index: Some(index), result: answer(&operation, result) };
        let moment = self.moment();
        self.history.complete(call, moment, outcome);
    }

    /// A whole call with nothing in between, at the next log position; a read at the last.
    pub(crate) fn done(&mut self, client: u64, operation: &str, result: &str) {
        self.begin(client, operation);
        self.index += u64::from(!parse(self.model, operation).is_read());
        self.answer(client, self.index, result);
    }

    fn take(&mut self, client: u64) -> (CallId, Operation) {
        let place = self.under_way.iter().position(|(call, _)| call.client == client);
        self.under_way.remove(place.expect("the client has a call under way"))
    }

    fn moment(&mut self) -> Moment {
        self.calls += 1;
        Moment { at: SimTime::from_micros(self.calls), step: self.calls }
    }
}

/// What tests call the collection of a kind when they use one only.
pub(crate) fn name_of(model: Model) -> &'static str {
    match model {
        Model::Map => "m",
        Model::Queue => "q",
        Model::Record => "r",
        Model::RemoteMap => "t",
    }
}

pub(crate) fn parse(model: Model, text: &str) -> Operation {
    let mut words = text.split(' ').map(str::to_owned);
    let method = words.next().expect("a method");
    let words: Vec<String> = words.collect();
    match model {
        Model::Map => Operation::Map(map(&method, words)),
        Model::Queue => Operation::Queue(queue(&method, words)),
        Model::Record => Operation::Record(record(&method, words)),
        Model::RemoteMap => Operation::RemoteMap(map(&method, words)),
    }
}

fn map(method: &str, words: Vec<String>) -> MapOperation {
    let word = |place: usize| words[place].clone();
    match method {
        "set" => MapOperation::Set { key: word(0), value: word(1) },
        "set_all" => MapOperation::SetAll { entries: pairs(&words) },
        "insert" => MapOperation::Insert { key: word(0), value: word(1) },
        "insert_all" => MapOperation::InsertAll { entries: pairs(&words) },
        "update_if" => MapOperation::UpdateIf { key: word(0), value: word(1), expected: word(2) },
        "remove" => MapOperation::Remove { key: word(0) },
        "remove_all" => MapOperation::RemoveAll { keys: words },
        "remove_if" => MapOperation::RemoveIf { key: word(0), expected: word(1) },
        "delete" => MapOperation::Delete { key: word(0) },
        "delete_all" => MapOperation::DeleteAll { keys: words },
        "clear" => MapOperation::Clear,
        "read" => MapOperation::Read { key: word(0) },
        "read_all" => MapOperation::ReadAll { keys: words },
        "read_len" => MapOperation::ReadLen,
        other => panic!("{other} is no method"),
    }
}

fn queue(method: &str, words: Vec<String>) -> QueueOperation {
    match method {
        "push" => QueueOperation::Push { value: words[0].clone() },
        "push_all" => QueueOperation::PushAll { values: words },
        "pop" => QueueOperation::Pop,
        "pop_many" => QueueOperation::PopMany { count: words[0].parse().expect("a number") },
        "clear" => QueueOperation::Clear,
        "read_front" => QueueOperation::ReadFront,
        "read_len" => QueueOperation::ReadLen,
        other => panic!("{other} is no method"),
    }
}

fn record(method: &str, words: Vec<String>) -> RecordOperation {
    use RecordOperation as Op;
    let word = |place: usize| words[place].clone();
    match method {
        "set" => Op::Set { field: word(0), value: word(1) },
        "insert" => Op::Insert { field: word(0), value: word(1) },
        "update_if" => Op::UpdateIf { field: word(0), value: word(1), expected: word(2) },
        "delete" => Op::Delete { field: word(0) },
        "clear" => Op::Clear,
        "read" => Op::Read { field: word(0) },
        "read_instance" => Op::ReadInstance { fields: words },
        "insert_instance" => Op::InsertInstance { entries: pairs(&words) },
        "update_instance_if" => {
            let (entries, expected) = words
                .split_at(words.iter().position(|word| word == "if").expect("if stands between"));
            Op::UpdateInstanceIf { entries: pairs(entries), expected: pairs(&expected[1..]) }
        }
        other => panic!("{other} is no method"),
    }
}

pub(crate) fn answer(operation: &Operation, text: &str) -> CallResult {
    let words: Vec<String> =
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let kinds = [
        CallResult::Value((text != "none").then(|| text.to_owned())),
        CallResult::Flag(text == "true"),
        CallResult::Count(text.parse().unwrap_or_default()),
        CallResult::Keys(words.clone()),
        CallResult::Values(words.clone()),
        CallResult::Nothing,
        CallResult::Entries(if text.contains('=') { pairs(&words) } else { vec![] }),
    ];
    kinds.into_iter().find(|kind| operation.may_answer(kind)).expect("each operation answers one")
}

fn pairs(words: &[String]) -> Vec<(String, String)> {
    let pair = |word: &String| {
        let (key, value) = word.split_once('=').expect("key=value");
        (key.to_owned(), value.to_owned())
    };
    words.iter().map(pair).collect()
}
