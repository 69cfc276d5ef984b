//! Requests, as scripts spell them.

use hamok::{
    Bytes, Call, Collection, EncodeError, Index, MemberChange, Request, Sequence, SessionId, Ticks,
    change_members, join, leave, open_session, sync, transfer_leadership,
};

use super::cluster::{Cluster, EMITTER, MAP};
use super::script::{count, node, number};

impl Cluster {
    /// # Panics
    /// When there is no such request.
    pub(super) fn parse_request(&self, words: &[&str]) -> Request {
        let options = words.iter().position(|word| word.contains('=')).unwrap_or(words.len());
        let (what, options) = words.split_at(options);
        let mut request = match what {
            ["change", changes @ ..] => only(Ok(change_members(self.changes(changes)))),
            what => operation(what),
        };
        for option in options {
            request = match option.split_once('=').expect("an option has a value") {
                ("timeout", ticks) => request.with_timeout(Ticks::new(number(ticks))),
                ("in", place) => {
                    let place: Vec<u64> = place.split('/').map(number).collect();
                    let session = SessionId::new(Index::new(place[0]));
                    request.in_session(session, Sequence::new(place[1]), Sequence::new(place[2]))
                }
                (unknown, _) => panic!("no such option: {unknown}"),
            };
        }
        request
    }

    /// `+4` adds a voter and `~4` a learner, `+4/2` in the place of another, `-4` removes; each in the
    /// incarnation that the machine has.
    fn changes(&self, words: &[&str]) -> Vec<MemberChange> {
        let mut changes = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let add = |named: &str, voter| {
                let (id, replaces) = match named.split_once('/') {
                    Some((id, replaces)) => (node(id), Some(node(replaces))),
                    None => (node(named), None),
                };
                let peer = self.peer(id);
                MemberChange::Add { peer, metadata: Bytes::default(), voter, replaces }
            };
            let mut next = || node(words.next().expect("a node's number follows"));
            changes.push(match (*word, word.split_at(1)) {
                ("promote", _) => MemberChange::Promote(next()),
                ("demote", _) => MemberChange::Demote(next()),
                (_, ("+", named)) => add(named, true),
                (_, ("~", named)) => add(named, false),
                (_, ("-", id)) => MemberChange::Remove(node(id)),
                (unknown, _) => panic!("no such change: {unknown}"),
            });
        }
        changes
    }
}

fn operation(words: &[&str]) -> Request {
    let text = |at: usize| words[at].to_owned();
    match words {
        ["set", ..] => only(MAP.set(&text(1), &text(2))),
        ["insert", ..] => only(MAP.insert(&text(1), &text(2))),
        ["update-if", ..] => only(MAP.update_if(&text(1), &text(2), &text(3))),
        ["remove", ..] => only(MAP.remove(&text(1))),
        ["clear"] => only(Ok(MAP.clear())),
        ["big", size] => only(MAP.set(&"big".to_owned(), &"x".repeat(count(size)))),
        ["read", ..] => only(MAP.read(&text(1))),
        ["subscribe", event] => only(EMITTER.subscribe(event, &String::new())),
        ["subscribe", event, metadata] => only(EMITTER.subscribe(event, &(*metadata).to_owned())),
        ["unsubscribe", event] => only(Ok(EMITTER.unsubscribe(event))),
        ["close-emitter"] => only(Ok(EMITTER.close())),
        ["reopen-emitter"] => only(Ok(EMITTER.reopen())),
        ["publish", event, _] => only(EMITTER.publish(event, &text(2))),
        ["notify", event, _] => only(EMITTER.notify(event, &text(2))),
        ["sync"] => only(Ok(sync())),
        ["open-session"] => only(Ok(open_session())),
        ["leave"] => only(Ok(leave())),
        ["join"] => only(Ok(join(true))),
        ["join", "learner"] => only(Ok(join(false))),
        ["transfer"] => only(Ok(transfer_leadership(None))),
        ["transfer", to] => only(Ok(transfer_leadership(Some(node(to))))),
        ["remote", rest @ ..] => super::remote::request(rest),
        unknown => panic!("no such request: {unknown:?}"),
    }
}

pub(super) fn only<R>(call: Result<Call<R>, EncodeError>) -> Request {
    call.expect("short text can be encoded").into_parts().0
}
