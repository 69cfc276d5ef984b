//! Calls on maps: from what a history says of them to what a node is asked, and from its reply back.

use hamok::{Call, EncodeError, Failure, Map, Reply, Request, Ticket};

use crate::history::{CallResult, MapOperation};

/// A map of text to text.
pub(crate) type TextMap = Map<String, String>;

/// A request, and the result its reply will mean.
#[derive(Clone, Debug)]
pub(crate) struct MapCall {
    pub(crate) request: Request,
    ticket: AnyTicket,
}

#[derive(Clone, Copy, Debug)]
enum AnyTicket {
    Value(Ticket<Option<String>>),
    Entries(Ticket<Vec<(String, String)>>),
    Keys(Ticket<Vec<String>>),
    Flag(Ticket<bool>),
    Count(Ticket<u64>),
}

impl MapCall {
    /// The call that does `operation` on `map`.
    pub(crate) fn new(map: &TextMap, operation: &MapOperation) -> Result<Self, EncodeError> {
        use MapOperation as Op;
        Ok(match operation {
            Op::Set { key, value } => Self::value(map.set(key, value)?),
            Op::SetAll { entries } => Self::entries(map.set_all(pairs(entries))?),
            Op::Insert { key, value } => Self::value(map.insert(key, value)?),
            Op::InsertAll { entries } => Self::entries(map.insert_all(pairs(entries))?),
            Op::UpdateIf { key, value, expected } => {
                Self::flag(map.update_if(key, value, expected)?)
            }
            Op::Remove { key } => Self::value(map.remove(key)?),
            Op::RemoveAll { keys } => Self::entries(map.remove_all(keys)?),
            Op::RemoveIf { key, expected } => Self::flag(map.remove_if(key, expected)?),
            Op::Delete { key } => Self::flag(map.delete(key)?),
            Op::DeleteAll { keys } => Self::keys(map.delete_all(keys)?),
            Op::Clear => Self::count(map.clear()),
            Op::Read { key } => Self::value(map.read(key)?),
            Op::ReadAll { keys } => Self::entries(map.read_all(keys)?),
            Op::ReadLen => Self::count(map.read_len()),
        })
    }

    /// The result, as a history notes it.
    pub(crate) fn redeem(&self, reply: Reply) -> Result<CallResult, Failure> {
        match self.ticket {
            AnyTicket::Value(ticket) => ticket.redeem(reply).map(CallResult::Value),
            AnyTicket::Entries(ticket) => ticket.redeem(reply).map(CallResult::Entries),
            AnyTicket::Keys(ticket) => ticket.redeem(reply).map(CallResult::Keys),
            AnyTicket::Flag(ticket) => ticket.redeem(reply).map(CallResult::Flag),
            AnyTicket::Count(ticket) => ticket.redeem(reply).map(CallResult::Count),
        }
    }

    pub(crate) fn flag(call: Call<bool>) -> Self {
        let (request, ticket) = call.into_parts();
        Self { request, ticket: AnyTicket::Flag(ticket) }
    }

    fn value(call: Call<Option<String>>) -> Self {
        let (request, ticket) = call.into_parts();
        Self { request, ticket: AnyTicket::Value(ticket) }
    }

    fn entries(call: Call<Vec<(String, String)>>) -> Self {
        let (request, ticket) = call.into_parts();
        Self { request, ticket: AnyTicket::Entries(ticket) }
    }

    fn keys(call: Call<Vec<String>>) -> Self {
        let (request, ticket) = call.into_parts();
        Self { request, ticket: AnyTicket::Keys(ticket) }
    }

    fn count(call: Call<u64>) -> Self {
        let (request, ticket) = call.into_parts();
        Self { request, ticket: AnyTicket::Count(ticket) }
    }
}

fn pairs(entries: &[(String, String)]) -> impl Iterator<Item = (&String, &String)> {
    entries.iter().map(|(key, value)| (key, value))
}
