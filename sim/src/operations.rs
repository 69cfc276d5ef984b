//! What the map clients ask for: each operation follows from the seed, the client and its number.

use std::collections::BTreeMap;

use hamok::{Node, NodeId};

use crate::draw::Dice;
use crate::history::{CallId, CallResult, MapOperation, Operation};
use crate::map_calls::{MapCall, TextMap};
use crate::plan::{Knobs, Load};

/// An operation that was drawn.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    /// The collection's name.
    pub(crate) name: &'static str,
    pub(crate) operation: Operation,
    pub(crate) call: MapCall,
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

/// Operations here are about one key each, so that the search may look at every key alone.
const KEYS: &str = "keys";
/// Operations here are about several keys, or all: each map is one partition for the search, and must
/// stay small.
const BULK: [&str; 4] = ["bulk1", "bulk2", "bulk3", "bulk4"];

impl Drawing<'_> {
    pub(crate) fn draw(mut self) -> Drawn {
        let mut drawn = self.draw_operation();
        drawn.sessionless = self.dice.chance(self.load.sessionless);
        drawn.outside_window = !drawn.sessionless && self.dice.chance(self.load.outside_window);
        drawn
    }

    fn draw_operation(&mut self) -> Drawn {
        let reads = self.dice.chance(self.load.reads);
        let (map, operation) = match (self.dice.chance(self.load.bulk), reads) {
            (true, true) => (*self.dice.pick(&BULK), self.bulk_read()),
            (true, false) => (*self.dice.pick(&BULK), self.bulk_write()),
            (false, true) => (KEYS, MapOperation::Read { key: self.key() }),
            (false, false) => {
                if let Some(drawn) = self.conditional_on_view() {
                    return drawn;
                }
                (KEYS, self.write())
            }
        };
        let call =
            MapCall::new(&TextMap::new(map), &operation).expect("text of this length encodes");
        let (name, operation) = (map, Operation::Map(operation));
        Drawn { name, operation, call, outside_window: false, sessionless: false }
    }

    fn write(&mut self) -> MapOperation {
        let key = self.key();
        if self.dice.chance(self.load.oversized) && self.knobs.max_entry_bytes <= OVERSIZED {
            let length = usize::try_from(self.knobs.max_entry_bytes).expect("it is small");
            return MapOperation::Set { key, value: "x".repeat(length) };
        }
        let value = self.value(0);
        let expected = self.known.value(KEYS, &key);
        match self.dice.between(0, 99) {
            0..30 => MapOperation::Set { key, value },
            30..50 => MapOperation::Insert { key, value },
            50..68 => MapOperation::UpdateIf { key, value, expected },
            68..80 => MapOperation::Remove { key },
            80..90 => MapOperation::RemoveIf { key, expected },
            _ => MapOperation::Delete { key },
        }
    }

    /// An `update_if_by`, if the node near the client runs and holds a value.
    fn conditional_on_view(&mut self) -> Option<Drawn> {
        if !self.dice.chance(BY_PREDICATE) {
            return None;
        }
        let (key, value) = (self.key(), self.value(0));
        let mut expected = String::new();
        let call = TextMap::new(KEYS).update_if_by(self.near?, &key, &value, |found| {
            expected.clone_from(found);
            true
        });
        // What forgers put there may be no text.
        let call = MapCall::flag(call.ok()??);
        let operation = Operation::Map(MapOperation::UpdateIf { key, value, expected });
        Some(Drawn { name: KEYS, operation, call, outside_window: false, sessionless: false })
    }

    fn bulk_write(&mut self) -> MapOperation {
        let keys = self.bulk_keys();
        let key = keys[0].clone();
        let entries = |drawing: &mut Self| {
            keys.iter().zip(0..).map(|(key, part)| (key.clone(), drawing.value(part))).collect()
        };
        match self.dice.between(0, 99) {
            0..25 => MapOperation::SetAll { entries: entries(self) },
            25..45 => MapOperation::InsertAll { entries: entries(self) },
            45..60 => MapOperation::RemoveAll { keys },
            60..75 => MapOperation::DeleteAll { keys },
            75..85 => MapOperation::Clear,
            _ => MapOperation::Set { key, value: self.value(0) },
        }
    }

    fn bulk_read(&mut self) -> MapOperation {
        if self.dice.chance(400_000) {
            MapOperation::ReadLen
        } else {
            MapOperation::ReadAll { keys: self.bulk_keys() }
        }
    }

    fn key(&mut self) -> String {
        format!("k{}", self.dice.between(1, self.load.keys))
    }

    /// Some of three keys, each at most once, in any order.
    fn bulk_keys(&mut self) -> Vec<String> {
        let (first, count) = (self.dice.between(0, 2), self.dice.between(1, 3));
        (0..count).map(|step| format!("b{}", (first + step) % 3)).collect()
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

impl Known {
    /// Takes up what the result of an operation shows.
    pub(crate) fn learn(&mut self, name: &'static str, operation: &Operation, result: &CallResult) {
        let Operation::Map(operation) = operation else { return };
        let learnt = match (operation, result) {
            (MapOperation::Set { key, value }, _)
            | (MapOperation::Insert { key, value }, CallResult::Value(None))
            | (MapOperation::UpdateIf { key, value, .. }, CallResult::Flag(true))
            | (
                MapOperation::Insert { key, .. } | MapOperation::Read { key },
                CallResult::Value(Some(value)),
            ) => (key, value),
            _ => return,
        };
        self.0.insert((name, learnt.0.clone()), learnt.1.clone());
    }

    fn value(&self, map: &'static str, key: &str) -> String {
        self.0.get(&(map, key.to_owned())).cloned().unwrap_or_default()
    }
}

/// The node next to a client.
pub(crate) fn near(client: u64, nodes: u64) -> NodeId {
    NodeId::new(client % nodes + 1)
}

/// How many writes in a million look at a node's copy first.
const BY_PREDICATE: u32 = 120_000;
/// Oversized values are made only when the limit is not above this.
const OVERSIZED: u64 = 64 << 10;
