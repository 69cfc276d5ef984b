//! Collections that this node uses no more, and the end of all requests.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::copies::Copies;
use super::{Ask, Kind, Pending, Requests};
use crate::event::Event;
use crate::io::{Local, NotExecuted, Outcome, Output, Reply, Unknown, What};
use crate::store::{Answer, Content, Name, Store};
use crate::types::{Index, RequestId};

impl Requests {
    /// Whether a collection is closed on this node.
    pub(crate) fn is_closed(&self, name: &Name) -> bool {
        self.stopped || self.closed.contains(name)
    }

    /// Why this node does not take a request, if it does not.
    pub(super) fn closed_for(&self, what: &What) -> Option<NotExecuted> {
        if self.stopped && !matches!(what, What::Local(Local::Stop)) {
            return Some(NotExecuted::Stopped);
        }
        let closed = what.collection().is_some_and(|name| self.closed.contains(name));
        closed.then_some(NotExecuted::Closed)
    }

    pub(super) fn on_local(&mut self, id: RequestId, local: Local, store: &Store) {
        match local {
            Local::Close(name) => {
                let ends = |name: &Name, pending: &Pending| pending.kind.collection() == Some(name);
                self.end_all(|pending| ends(&name, pending), Ending::Closed);
                if self.closed.insert(name.clone()) {
                    self.report_closed(&name);
                }
            }
            Local::Reopen(name) => drop(self.closed.remove(&name)),
            Local::Stop => {
                self.end_all(|_| true, Ending::Stopped);
                if !core::mem::replace(&mut self.stopped, true) {
                    let open: Vec<Name> = store
                        .collections()
                        .map(|(name, ..)| name.clone())
                        .filter(|name| !self.closed.contains(name))
                        .collect();
                    open.iter().for_each(|name| self.report_closed(name));
                    self.outputs.push(Output::Event(Event::Stopped));
                }
            }
        }
        let outcome = Outcome::Done { index: self.applied, answer: Answer(Content::Nothing) };
        self.outputs.push(Output::Reply(Reply { id, outcome }));
    }

    fn report_closed(&mut self, name: &Name) {
        let collection = name.as_str().to_owned();
        self.outputs.push(Output::Event(Event::Closed { collection }));
    }

    /// Ends pending requests, each with what is true of it.
    fn end_all(&mut self, ends: impl Fn(&Pending) -> bool, ending: Ending) {
        let over = self.pending.iter().filter(|(_, pending)| ends(pending));
        let over: Vec<(Ask, Outcome)> =
            over.map(|(ask, pending)| (*ask, pending.kind.cut_off(ending, self.applied))).collect();
        for (ask, outcome) in over {
            self.finish(ask, outcome);
        }
    }
}

/// Why requests end before their time.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Closed,
    Stopped,
}

impl Kind {
    /// What is true of a request that is not waited for any longer.
    fn cut_off(&self, ending: Ending, applied: Index) -> Outcome {
        let harmless = match self {
            Self::Command { copies, queued, .. } => *copies == Copies::None && queued.is_none(),
            Self::Read { .. } | Self::RemoteRead { .. } => true,
            Self::Upkeep { number, doubtful, .. } => number.is_none() && !doubtful,
            Self::Publish(publishing) if publishing.offered => return publishing.outcome(applied),
            Self::Publish(_) => true,
        };
        match (harmless, ending) {
            (true, Ending::Closed) => Outcome::NotExecuted(NotExecuted::Closed),
            (true, Ending::Stopped) => Outcome::NotExecuted(NotExecuted::Stopped),
            (false, Ending::Closed) => Outcome::Unknown(Unknown::Closed),
            (false, Ending::Stopped) => Outcome::Unknown(Unknown::Stopped),
        }
    }

    /// The collection it is about.
    fn collection(&self) -> Option<&Name> {
        match self {
            Self::Command { operation, .. } => operation.collection(),
            Self::Read { query, .. } => query.collection(),
            Self::RemoteRead { read, .. } => Some(&read.map),
            Self::Upkeep { .. } => None,
            Self::Publish(publishing) => Some(publishing.emitter()),
        }
    }
}

impl What {
    /// The collection that a request uses.
    fn collection(&self) -> Option<&Name> {
        match self {
            Self::Command { operation, .. } => operation.collection(),
            Self::Subscription { emitter, .. } => Some(emitter),
            Self::Read(query) | Self::Ready(query) => query.collection(),
            Self::RemoteRead(read) => Some(&read.map),
            Self::Publish(publish) => Some(&publish.emitter),
            Self::Local(_) | Self::Upkeep(_) => None,
        }
    }
}
