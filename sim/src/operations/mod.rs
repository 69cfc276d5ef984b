//! What the clients ask for: each operation follows from the seed, the client and its number.

mod map;
mod queue;
mod record;

use std::collections::BTreeMap;

use hamok::{Node, NodeId};

use crate::calls::ClientCall;
use crate::draw::Dice;
use crate::history::{CallId, CallResult, MapOperation, Model, Operation, RecordOperation};
use crate::plan::{Knobs, Load};

/// An operation that was drawn.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    /// The collection's name.
    pub(crate) name: &'static str,
    pub(crate) operation: Operation,
    pub(crate) call: ClientCall,
    /// It asks for a sequence number that no session gives.
    pub(crate) outside_window: bool,
    /// It goes without a session of the client's.
    pub(crate) sessionless: bool,
}

/// What the clients have last seen under each key, so that conditional operations have a chance.
#[derive(Debug, Default)]
pub(crate) struct Known(BTreeMap<(&'static str, String), String>);

/// Draws one operation after the other.
pub(crate) struct Drawing<'a> {
    pub(crate) load: Load,
    pub(crate) knobs: Knobs,
    pub(crate) known: &'a Known,
    /// The node next to the client, for operations that look at its copy first.
    pub(crate) near: Option<&'a Node>,
    pub(crate) id: CallId,
    pub(crate) dice: Dice,
}

impl Drawing<'_> {
    pub(crate) fn draw(mut self) -> Drawn {
        let mut drawn = self.draw_operation();
        drawn.sessionless = self.dice.chance(self.load.sessionless);
        drawn.outside_window = !drawn.sessionless && self.dice.chance(self.load.outside_window);
        drawn
    }

    fn draw_operation(&mut self) -> Drawn {
        let reads = self.dice.chance(self.load.reads);
        let (name, operation) = match self.draw_model() {
            Model::Queue => {
                let name = *self.dice.pick(&queue::QUEUES);
                let operation = if reads { self.queue_read() } else { self.queue_write() };
                (name, Operation::Queue(operation))
            }
            Model::Record => {
                let name = *self.dice.pick(&record::RECORDS);
                let operation = if reads { self.record_read() } else { self.record_write(name) };
                (name, Operation::Record(operation))
            }
            Model::RemoteMap => {
                let (name, operation) = self.map_operation(map::REMOTE_MAPS, reads);
                (name, Operation::RemoteMap(operation))
            }
            Model::Map => match self.conditional_on_view(reads) {
                Some(drawn) => return drawn,
                None => {
                    let (name, operation) = self.map_operation(map::MAPS, reads);
                    (name, Operation::Map(operation))
                }
            },
        };
        Drawn::new(name, operation)
    }

    fn draw_model(&mut self) -> Model {
        let mut drawn = self.dice.between(0, 999_999);
        let Load { queues, records, remote_maps, .. } = self.load;
        for (model, share) in
            [(Model::Queue, queues), (Model::Record, records), (Model::RemoteMap, remote_maps)]
        {
            match drawn.checked_sub(u64::from(share)) {
                None => return model,
                Some(rest) => drawn = rest,
            }
        }
        Model::Map
    }

    /// A value that no other call writes.
    fn value(&mut self, part: u64) -> String {
        let CallId { client, number } = self.id;
        let mut value = format!("c{client}.{number}.{part}");
        if self.dice.chance(self.load.long_values) {
            let longest = (self.knobs.max_entry_bytes / 8).min(self.load.longest_value);
            let length = self.dice.between(1, longest.max(1));
            value.extend(std::iter::repeat_n('x', usize::try_from(length).unwrap_or(0)));
        }
        value
    }
}

impl Drawn {
    fn new(name: &'static str, operation: Operation) -> Self {
        let call = ClientCall::new(name, &operation).expect("text of this length encodes");
        Self { name, operation, call, outside_window: false, sessionless: false }
    }
}

impl Known {
    /// Takes up what the result of an operation shows.
    pub(crate) fn learn(&mut self, name: &'static str, operation: &Operation, result: &CallResult) {
        let learnt = match operation {
            Operation::Map(operation) | Operation::RemoteMap(operation) => {
                shown_by_map(operation, result)
            }
            Operation::Record(operation) => shown_by_record(operation, result),
            Operation::Queue(_) => None,
        };
        let Some(learnt) = learnt else { return };
        self.0.insert((name, learnt.0.clone()), learnt.1.clone());
    }

    fn value(&self, map: &'static str, key: &str) -> String {
        self.0.get(&(map, key.to_owned())).cloned().unwrap_or_default()
    }
}

/// A key and the value that it has after an operation with this result.
fn shown_by_map<'a>(
    operation: &'a MapOperation,
    result: &'a CallResult,
) -> Option<(&'a String, &'a String)> {
    match (operation, result) {
        (MapOperation::Set { key, value }, _)
        | (MapOperation::Insert { key, value }, CallResult::Value(None))
        | (MapOperation::UpdateIf { key, value, .. }, CallResult::Flag(true))
        | (
            MapOperation::Insert { key, .. } | MapOperation::Read { key },
            CallResult::Value(Some(value)),
        ) => Some((key, value)),
        _ => None,
    }
}

/// A field and the value that it has after an operation with this result.
fn shown_by_record<'a>(
    operation: &'a RecordOperation,
    result: &'a CallResult,
) -> Option<(&'a String, &'a String)> {
    match (operation, result) {
        (RecordOperation::Set { field, value }, _)
        | (RecordOperation::Insert { field, value }, CallResult::Value(None))
        | (RecordOperation::UpdateIf { field, value, .. }, CallResult::Flag(true))
        | (
            RecordOperation::Insert { field, .. } | RecordOperation::Read { field },
            CallResult::Value(Some(value)),
        ) => Some((field, value)),
        _ => None,
    }
}

/// The node next to a client.
pub(crate) fn near(client: u64, nodes: u64) -> NodeId {
    NodeId::new(client % nodes + 1)
}
