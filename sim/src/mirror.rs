//! What each node's events say that its collections hold, kept beside the node and compared with what it
//! holds.
//!
//! An application that keeps such a copy by the events alone must never see it differ: not when changes
//! come one after the other, and not when a snapshot takes their place and only the difference is told.

use std::collections::{BTreeMap, VecDeque};

use hamok::{
    Change, CollectionKind, Event, Field, Map, MapEvent, Node, NodeId, Queue, QueueEvent, Record,
    RecordEvent,
};

use crate::observation::Violation;
use crate::workload::Context;

/// The copies beside all nodes.
#[derive(Debug, Default)]
pub(crate) struct Mirrors {
    nodes: BTreeMap<NodeId, Mirror>,
    objection: Option<Violation>,
}

/// The copy beside a node since it started.
#[derive(Debug)]
struct Mirror {
    /// How often it had started.
    start: u64,
    collections: BTreeMap<String, Contents>,
}

/// What a collection holds. The order of entries is not told by a difference, that of values is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Contents {
    Map(BTreeMap<String, String>),
    Queue(VecDeque<String>),
    Record(BTreeMap<String, String>),
}

impl Mirrors {
    /// A node emitted something.
    pub(crate) fn on_event(&mut self, context: &Context<'_>, node: NodeId, event: &Event) {
        let (Event::Changed(change) | Event::Difference(change)) = event else { return };
        if !context.plan().knobs.report_differences || !is_ours(change.collection()) {
            return;
        }
        let start = context.starts(node);
        let fresh = || Mirror { start, collections: BTreeMap::new() };
        let mirror = self.nodes.entry(node).or_insert_with(fresh);
        if mirror.start != start {
            *mirror = fresh();
        }
        if let Err(text) = mirror.take(change) {
            self.objection.get_or_insert_with(|| Violation::new(CODE, Some(node), text));
        }
    }

    /// Compares all copies with what their nodes hold; to be done when every event has been told.
    pub(crate) fn compare(&mut self, context: &Context<'_>) {
        for (&id, mirror) in &self.nodes {
            let Some(node) = context.node(id) else { continue };
            if context.starts(id) != mirror.start {
                continue; // It has started again, and has not said anything yet.
            }
            let differing = mirror.collections.iter().find_map(|(name, copied)| {
                let held = held(node, name, copied);
                (held != *copied).then(|| {
                    format!("by its events {name:?} holds {copied:?}, but it holds {held:?}")
                })
            });
            if let Some(text) = differing {
                self.objection.get_or_insert_with(|| Violation::new(CODE, Some(id), text));
            }
        }
    }

    pub(crate) fn verdict(&mut self) -> Result<(), Violation> {
        self.objection.take().map_or(Ok(()), Err)
    }
}

impl Mirror {
    fn take(&mut self, change: &Change) -> Result<(), String> {
        let name = change.collection();
        let empty = match change.kind() {
            CollectionKind::Map => Contents::Map(BTreeMap::new()),
            CollectionKind::Queue => Contents::Queue(VecDeque::new()),
            CollectionKind::Record => Contents::Record(BTreeMap::new()),
            CollectionKind::Emitter | CollectionKind::RemoteMap | _ => return Ok(()),
        };
        let contents = self.collections.entry(name.to_owned()).or_insert(empty);
        let follows = match contents {
            Contents::Map(entries) => take_map(entries, name, change),
            Contents::Queue(values) => take_queue(values, name, change),
            Contents::Record(fields) => take_record(fields, name, change),
        };
        match follows {
            Some(true) => Ok(()),
            Some(false) => Err(format!("{change} does not follow from the events before")),
            None => Err(format!("{change} is none of its collection")),
        }
    }
}

/// Whether the change follows from what there was.
fn take_map(entries: &mut BTreeMap<String, String>, name: &str, change: &Change) -> Option<bool> {
    let map = Map::<String, String>::named(name.to_owned()).ok()?;
    Some(match map.event(change)?.ok()? {
        MapEvent::Insert { key, value } => entries.insert(key, value).is_none(),
        MapEvent::Update { key, old, new } => entries.insert(key, new) == Some(old),
        MapEvent::Remove { key, value } => entries.remove(&key) == Some(value),
        MapEvent::Clear => !std::mem::take(entries).is_empty(),
        MapEvent::Dropped | _ => return None,
    })
}

fn take_queue(values: &mut VecDeque<String>, name: &str, change: &Change) -> Option<bool> {
    let queue = Queue::<String>::named(name.to_owned()).ok()?;
    Some(match queue.event(change)?.ok()? {
        QueueEvent::Add { value } => {
            values.push_back(value);
            true
        }
        QueueEvent::Remove { value } => values.pop_front() == Some(value),
        QueueEvent::Clear => !std::mem::take(values).is_empty(),
        QueueEvent::NotEmpty => !values.is_empty(),
        QueueEvent::Empty => values.is_empty(),
        QueueEvent::Dropped | _ => return None,
    })
}

fn take_record(fields: &mut BTreeMap<String, String>, name: &str, change: &Change) -> Option<bool> {
    let record = Record::<()>::named(name.to_owned()).ok()?;
    let text = |bytes| Field::<String>::new("").decode(&bytes).ok();
    Some(match record.event(change)? {
        RecordEvent::Insert { field, value } => fields.insert(field, text(value)?).is_none(),
        RecordEvent::Update { field, old, new } => {
            fields.insert(field, text(new)?) == Some(text(old)?)
        }
        RecordEvent::Remove { field, value } => fields.remove(&field) == Some(text(value)?),
        RecordEvent::Clear => !std::mem::take(fields).is_empty(),
        RecordEvent::Dropped | _ => return None,
    })
}

/// What the node holds of a collection, in the form of the copy.
fn held(node: &Node, name: &str, copied: &Contents) -> Contents {
    let name = || name.to_owned();
    let named = "the name was taken from a collection";
    match copied {
        Contents::Map(_) => {
            let map = Map::<String, String>::named(name()).expect(named);
            Contents::Map(node.map(&map).iter().filter_map(Result::ok).collect())
        }
        Contents::Queue(_) => {
            let queue = Queue::<String>::named(name()).expect(named);
            Contents::Queue(node.queue(&queue).iter().filter_map(Result::ok).collect())
        }
        Contents::Record(_) => {
            let record = Record::<()>::named(name()).expect(named);
            let text = |bytes| Field::<String>::new("").decode(bytes).unwrap_or_default();
            let fields = node.record(&record);
            let fields = fields.iter().map(|(field, value)| (field.into_owned(), text(value)));
            Contents::Record(fields.collect())
        }
    }
}

/// Whether the clients use a collection of that name.
fn is_ours(name: &str) -> bool {
    ["keys", "bulk", "queue", "record"].iter().any(|ours| name.starts_with(ours))
}

const CODE: &str = "EV";

#[cfg(test)]
mod tests {
    use hamok::{Birth, Config, Incarnation, Input, Output, RequestId, Ticks};

    use super::*;
    use crate::calls::ClientCall;
    use crate::history::{MapOperation, Operation, QueueOperation, RecordOperation};

    /// A node that has done something with each kind, and the changes it told of.
    fn told() -> (Node, Vec<Change>) {
        let text = |text: &str| text.to_owned();
        let set = |value| Operation::Map(MapOperation::Set { key: text("k"), value: text(value) });
        let push = |value| Operation::Queue(QueueOperation::Push { value: text(value) });
        let field = |value| {
            Operation::Record(RecordOperation::Set { field: text("f0"), value: text(value) })
        };
        let operations = [
            ("keys", set("1")),
            ("keys", set("2")),
            ("queue1", push("a")),
            ("queue1", push("b")),
            ("queue1", Operation::Queue(QueueOperation::Pop)),
            ("record1", field("1")),
            ("record1", field("2")),
        ];
        let config = Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found);
        let mut node = Node::new(config).expect("the defaults are valid");
        let mut changes = Vec::new();
        let mut inputs = vec![Input::Tick(Ticks::new(1))];
        for (number, (name, operation)) in (1..).zip(&operations) {
            let call = ClientCall::new(name, operation).expect("text encodes");
            inputs.push(Input::Request(RequestId::new(number), call.request));
        }
        for _ in 0..40 {
            inputs.push(Input::Tick(Ticks::new(1)));
            for output in std::mem::take(&mut inputs).into_iter().flat_map(|it| node.step(it)) {
                match output {
                    Output::Persist(write) => inputs.push(Input::Persisted(write.id())),
                    Output::Event(Event::Changed(change)) => changes.push(change),
                    Output::Send(_) | Output::Reply(_) | Output::Event(_) | Output::Remote(_) => {}
                }
            }
        }
        (node, changes)
    }

    /// The copy that these changes make; none if one of them does not follow.
    fn mirror(changes: &[Change]) -> Option<Mirror> {
        let mut mirror = Mirror { start: 1, collections: BTreeMap::new() };
        changes.iter().try_for_each(|change| mirror.take(change)).ok().map(|()| mirror)
    }

    fn is_true(mirror: &Mirror, node: &Node) -> bool {
        mirror.collections.iter().all(|(name, copied)| held(node, name, copied) == *copied)
    }

    #[test]
    fn a_copy_by_all_changes_is_what_the_node_holds() {
        let (node, changes) = told();
        assert_eq!(changes.len(), 8, "one of them is that the queue is not empty");
        let mirror = mirror(&changes).expect("each follows from those before");
        assert_eq!(mirror.collections.len(), 3);
        assert!(is_true(&mirror, &node));
    }

    #[test]
    fn a_change_left_out_or_told_twice_is_found() {
        let (node, changes) = told();
        for place in 0..changes.len() {
            let (before, rest) = changes.split_at(place);
            let without = [before, &rest[1..]].concat();
            let concludes = changes[place].to_string().contains("not empty");
            let found = mirror(&without).is_none_or(|mirror| !is_true(&mirror, &node));
            assert!(found || concludes, "without {}", changes[place]);
            let twice = [before, &rest[..1], rest].concat();
            let found = mirror(&twice).is_none_or(|mirror| !is_true(&mirror, &node));
            assert!(found || concludes, "twice {}", changes[place]);
        }
    }
}
