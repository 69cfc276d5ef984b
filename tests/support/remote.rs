//! The outside store of a cluster's remote map, and the calls that are under way.

use hamok::{Input, NodeId, RemoteCall, RemoteMap, RemoteResult, Request};

use super::cluster::{Cluster, Text};
use super::request::only;
use super::store::Store;

pub(super) const REMOTE: RemoteMap<String, String, Text> = RemoteMap::new("remote");

/// The store, and the calls that were made on it.
#[derive(Default)]
pub(crate) struct Outside {
    store: Store,
    /// Calls that were not answered for, and who made them.
    pub(super) calls: Vec<(NodeId, RemoteCall)>,
    /// Calls that were given up, and may still reach the store.
    late: Vec<RemoteCall>,
}

impl Outside {
    /// What the store has, and its row.
    pub(super) fn row(&self) -> String {
        let (entries, row) = (self.store.text(REMOTE_NAME), self.store.rows.get(REMOTE_NAME));
        let row = row.map_or("no row".to_owned(), |row| {
            format!("row {} in {}: {}", row.last, row.term, row.outcome)
        });
        format!("the store has {{{entries}}}, {row}")
    }
}

impl Cluster {
    /// What becomes of the first call that a node has under way: it is `performed` and answered for; its
    /// answer is lost (`answer-lost`), or the call itself (`lost`); it is `late`: given up, and performed by
    /// the next `call n arrives`, which nobody hears of.
    pub(super) fn on_call(&mut self, id: NodeId, words: &[&str]) {
        if words == ["arrives"] {
            let call = self.outside.late.remove(0);
            let result = self.outside.store.perform(&call);
            return self.transcript.note(format!("{call}: {result}"));
        }
        let first = self.outside.calls.iter().position(|(by, _)| *by == id);
        let (_, call) = self.outside.calls.remove(first.expect("a call is under way"));
        let mut result = RemoteResult::Unanswered;
        match words {
            ["performed"] => result = self.outside.store.perform(&call),
            ["answer-lost"] => drop(self.outside.store.perform(&call)),
            ["lost"] => {}
            ["late"] => self.outside.late.push(call.clone()),
            unknown => panic!("a call cannot be {unknown:?}"),
        }
        self.transcript.note(format!("{}: {result}", call.id()));
        self.feed(id, Input::Remote(call.id(), result));
    }
}

/// A request about the remote map.
///
/// # Panics
/// When there is no such request.
pub(super) fn request(words: &[&str]) -> Request {
    let text = |at: usize| words[at].to_owned();
    match words {
        ["set", ..] => only(REMOTE.set(&text(1), &text(2))),
        ["insert", ..] => only(REMOTE.insert(&text(1), &text(2))),
        ["get", ..] => only(REMOTE.get(&text(1))),
        ["read", ..] => only(REMOTE.read(&text(1))),
        ["adopt"] => only(Ok(REMOTE.adopt())),
        ["sync"] => only(Ok(REMOTE.sync())),
        unknown => panic!("no such request: {unknown:?}"),
    }
}

const REMOTE_NAME: &str = "remote";
