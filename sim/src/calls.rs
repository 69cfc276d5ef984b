//! Calls on collections: from what a history says of them to what a node is asked, and from its reply
//! back.

use hamok::{
    Call, EncodeError, Failure, Field, Fields, Map, Queue, Record, RemoteMap, Reply, Request,
    Ticket,
};
use serde::{Deserialize, Serialize, Serializer};

use crate::history::{CallResult, MapOperation, Operation, QueueOperation, RecordOperation};

/// A map of text to text.
pub(crate) type TextMap = Map<String, String>;
/// A queue of text.
pub(crate) type TextQueue = Queue<String>;
/// A map of text to text that the outside store holds.
pub(crate) type TextRemoteMap = RemoteMap<String, String>;
/// A record whose fields hold text.
pub(crate) type TextRecord = Record<Instance>;

/// What the clients' records hold.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Instance {
    #[expect(dead_code, reason = "only its name is asked for")]
    f0: String,
    #[expect(dead_code, reason = "only its name is asked for")]
    f1: String,
    #[expect(dead_code, reason = "only its name is asked for")]
    f2: String,
}

/// The names of the fields of an [`Instance`].
pub(crate) const FIELDS: [&str; 3] = ["f0", "f1", "f2"];

/// Some of the fields of an [`Instance`].
#[derive(Default, Serialize)]
struct Partial {
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "bare")]
    f0: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "bare")]
    f1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "bare")]
    f2: Option<String>,
}

/// A field's value by itself: that it may be left out is not a part of it.
fn bare<S: Serializer>(value: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_deref().unwrap_or_default().serialize(serializer)
}

impl Partial {
    fn of(entries: &[(String, String)]) -> Self {
        let value = |name: &str| {
            let found = entries.iter().rev().find(|(field, _)| field == name);
            found.map(|(_, value)| value.clone())
        };
        Self { f0: value("f0"), f1: value("f1"), f2: value("f2") }
    }
}

/// A request, and the result its reply will mean.
#[derive(Clone, Debug)]
pub(crate) struct ClientCall {
    pub(crate) request: Request,
    ticket: AnyTicket,
}

#[derive(Clone, Debug)]
enum AnyTicket {
    Value(Ticket<Option<String>>),
    Values(Ticket<Vec<String>>),
    Entries(Ticket<Vec<(String, String)>>),
    Keys(Ticket<Vec<String>>),
    Fields(Ticket<Fields>),
    Flag(Ticket<bool>),
    Count(Ticket<u64>),
    Nothing(Ticket<()>),
}

impl ClientCall {
    /// The call that does `operation` on the collection of that name.
    pub(crate) fn new(name: &'static str, operation: &Operation) -> Result<Self, EncodeError> {
        match operation {
            Operation::Map(operation) => on_map(&TextMap::new(name), operation),
            Operation::Queue(operation) => on_queue(&TextQueue::new(name), operation),
            Operation::Record(operation) => on_record(&TextRecord::new(name), operation),
            Operation::RemoteMap(operation) => on_remote_map(&TextRemoteMap::new(name), operation),
        }
    }

    /// The result, as a history notes it.
    pub(crate) fn redeem(&self, reply: Reply) -> Result<CallResult, Failure> {
        match self.ticket.clone() {
            AnyTicket::Value(ticket) => ticket.redeem(reply).map(CallResult::Value),
            AnyTicket::Values(ticket) => ticket.redeem(reply).map(CallResult::Values),
            AnyTicket::Entries(ticket) => ticket.redeem(reply).map(CallResult::Entries),
            AnyTicket::Keys(ticket) => ticket.redeem(reply).map(CallResult::Keys),
            AnyTicket::Fields(ticket) => entries_of(&ticket.redeem(reply)?),
            AnyTicket::Flag(ticket) => ticket.redeem(reply).map(CallResult::Flag),
            AnyTicket::Count(ticket) => ticket.redeem(reply).map(CallResult::Count),
            AnyTicket::Nothing(ticket) => ticket.redeem(reply).map(|()| CallResult::Nothing),
        }
    }
}

fn on_map(map: &TextMap, operation: &MapOperation) -> Result<ClientCall, EncodeError> {
    use MapOperation as Op;
    Ok(match operation {
        Op::Set { key, value } => map.set(key, value)?.into(),
        Op::SetAll { entries } => map.set_all(pairs(entries))?.into(),
        Op::Insert { key, value } => map.insert(key, value)?.into(),
        Op::InsertAll { entries } => map.insert_all(pairs(entries))?.into(),
        Op::UpdateIf { key, value, expected } => map.update_if(key, value, expected)?.into(),
        Op::Remove { key } => map.remove(key)?.into(),
        Op::RemoveAll { keys } => map.remove_all(keys)?.into(),
        Op::RemoveIf { key, expected } => map.remove_if(key, expected)?.into(),
        Op::Delete { key } => map.delete(key)?.into(),
        Op::DeleteAll { keys } => ClientCall::of(map.delete_all(keys)?, AnyTicket::Keys),
        Op::Clear => map.clear().into(),
        Op::Read { key } => map.read(key)?.into(),
        Op::ReadAll { keys } => map.read_all(keys)?.into(),
        Op::ReadLen => map.read_len().into(),
    })
}

fn on_remote_map(map: &TextRemoteMap, operation: &MapOperation) -> Result<ClientCall, EncodeError> {
    use MapOperation as Op;
    Ok(match operation {
        Op::Set { key, value } => map.set(key, value)?.into(),
        Op::SetAll { entries } => map.set_all(pairs(entries))?.into(),
        Op::Insert { key, value } => map.insert(key, value)?.into(),
        Op::InsertAll { entries } => map.insert_all(pairs(entries))?.into(),
        Op::UpdateIf { key, value, expected } => map.update_if(key, value, expected)?.into(),
        Op::Remove { key } => map.remove(key)?.into(),
        Op::RemoveAll { keys } => map.remove_all(keys)?.into(),
        Op::RemoveIf { key, expected } => map.remove_if(key, expected)?.into(),
        Op::Delete { key } => map.delete(key)?.into(),
        Op::DeleteAll { keys } => ClientCall::of(map.delete_all(keys)?, AnyTicket::Keys),
        Op::Clear => map.clear().into(),
        Op::Read { key } => map.read(key)?.into(),
        Op::ReadAll { keys } => map.read_all(keys)?.into(),
        Op::ReadLen => map.read_len().into(),
    })
}

fn on_queue(queue: &TextQueue, operation: &QueueOperation) -> Result<ClientCall, EncodeError> {
    use QueueOperation as Op;
    Ok(match operation {
        Op::Push { value } => queue.push(value)?.into(),
        Op::PushAll { values } => queue.push_all(values)?.into(),
        Op::Pop => queue.pop().into(),
        Op::PopMany { count } => ClientCall::of(queue.pop_many(*count), AnyTicket::Values),
        Op::Clear => queue.clear().into(),
        Op::ReadFront => queue.read_front().into(),
        Op::ReadLen => queue.read_len().into(),
    })
}

fn on_record(record: &TextRecord, operation: &RecordOperation) -> Result<ClientCall, EncodeError> {
    use RecordOperation as Op;
    let field = |name: &String| Field::<String>::named(name.clone());
    Ok(match operation {
        Op::Set { field: name, value } => record.set(&field(name), value)?.into(),
        Op::Insert { field: name, value } => record.insert(&field(name), value)?.into(),
        Op::UpdateIf { field: name, value, expected } => {
            record.update_if(&field(name), value, expected)?.into()
        }
        Op::Delete { field: name } => record.delete(&field(name)).into(),
        Op::Clear => record.clear().into(),
        Op::Read { field: name } => record.read(&field(name)).into(),
        Op::ReadInstance { .. } => record.read_instance().expect("a struct has fields").into(),
        Op::InsertInstance { entries } => record.insert_instance(&Partial::of(entries))?.into(),
        Op::UpdateInstanceIf { entries, expected } => {
            record.update_instance_if(&Partial::of(entries), &Partial::of(expected))?.into()
        }
    })
}

impl ClientCall {
    fn of<R>(call: Call<R>, ticket: fn(Ticket<R>) -> AnyTicket) -> Self {
        let (request, typed) = call.into_parts();
        Self { request, ticket: ticket(typed) }
    }
}

impl From<Call<Option<String>>> for ClientCall {
    fn from(call: Call<Option<String>>) -> Self {
        Self::of(call, AnyTicket::Value)
    }
}

impl From<Call<Vec<(String, String)>>> for ClientCall {
    fn from(call: Call<Vec<(String, String)>>) -> Self {
        Self::of(call, AnyTicket::Entries)
    }
}

impl From<Call<Fields>> for ClientCall {
    fn from(call: Call<Fields>) -> Self {
        Self::of(call, AnyTicket::Fields)
    }
}

impl From<Call<bool>> for ClientCall {
    fn from(call: Call<bool>) -> Self {
        Self::of(call, AnyTicket::Flag)
    }
}

impl From<Call<u64>> for ClientCall {
    fn from(call: Call<u64>) -> Self {
        Self::of(call, AnyTicket::Count)
    }
}

impl From<Call<()>> for ClientCall {
    fn from(call: Call<()>) -> Self {
        Self::of(call, AnyTicket::Nothing)
    }
}

fn entries_of(fields: &Fields) -> Result<CallResult, Failure> {
    let entry = |name: std::borrow::Cow<'_, str>| {
        let value = fields.get(&Field::<String>::named(name.to_string()))?;
        Ok((name.into_owned(), value.unwrap_or_default()))
    };
    fields.names().map(entry).collect::<Result<_, _>>().map(CallResult::Entries)
}

fn pairs(entries: &[(String, String)]) -> impl Iterator<Item = (&String, &String)> {
    entries.iter().map(|(key, value)| (key, value))
}
