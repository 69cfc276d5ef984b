//! Histories written down as tests want to read them.

use super::{CallId, CallOutcome, History, MapOperation, MapResult};
use crate::observation::{Moment, SimTime};

/// Writes a history, one event after the other, each a microsecond later than the one before.
///
/// Operations are a method's name and its arguments, `set a 1` or `set_all a=1 b=2`; results are
/// what it answers, `none`, `true`, `3`, `a=1 b=2`, or nothing for an empty list.
pub(crate) struct Script {
    pub(crate) history: History,
    map: &'static str,
    /// The call under way at each client, and what it is.
    under_way: Vec<(CallId, MapOperation)>,
    calls: u64,
    index: u64,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self { history: History::new(), map: "m", under_way: vec![], calls: 0, index: 0 }
    }

    /// Goes on with another map.
    pub(crate) fn on(&mut self, map: &'static str) -> &mut Self {
        self.map = map;
        self
    }

    pub(crate) fn begin(&mut self, client: u64, operation: &str) -> CallId {
        let own = |event: &&super::HistoryEvent| matches!(event, super::HistoryEvent::Invoke { call, .. } if call.client == client);
        let number = 1 + self.history.events().iter().filter(own).count() as u64;
        let call = CallId { client, number };
        let operation = parse(operation);
        let moment = self.moment();
        self.history.invoke(call, moment, self.map, operation.clone());
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
        self.index += u64::from(!parse(operation).is_read());
        self.answer(client, self.index, result);
    }

    fn take(&mut self, client: u64) -> (CallId, MapOperation) {
        let place = self.under_way.iter().position(|(call, _)| call.client == client);
        self.under_way.remove(place.expect("the client has a call under way"))
    }

    fn moment(&mut self) -> Moment {
        self.calls += 1;
        Moment { at: SimTime::from_micros(self.calls), step: self.calls }
    }
}

pub(crate) fn parse(text: &str) -> MapOperation {
    let mut words = text.split(' ').map(str::to_owned);
    let method = words.next().expect("a method");
    let words: Vec<String> = words.collect();
    let word = |place: usize| words[place].clone();
    match method.as_str() {
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

pub(crate) fn answer(operation: &MapOperation, text: &str) -> MapResult {
    let words: Vec<String> =
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let kinds = [
        MapResult::Value((text != "none").then(|| text.to_owned())),
        MapResult::Flag(text == "true"),
        MapResult::Count(text.parse().unwrap_or_default()),
        MapResult::Keys(words.clone()),
        MapResult::Entries(if text.contains('=') { pairs(&words) } else { vec![] }),
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
