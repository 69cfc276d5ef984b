//! Arbitrary messages, for property tests.

use alloc::boxed::Box;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::entries::{Founding, Payload, Run};
use super::membership::Configuration;
use super::message::{AppendOutcome, Message, ProposeOutcome, ProposeRefusal};
use crate::types::{EntryId, GroupId, Incarnation, Index, NodeId, Peer, Term};
use crate::{Bytes, SessionLimits};

/// Small numbers, which make messages that fit a young log, and now and then enormous ones.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..12_u64, 1 => Just(Index::MAX.get()), 1 => 0..Index::MAX.get()]
}

fn term() -> impl Strategy<Value = Term> {
    number().prop_map(Term::new)
}

fn index() -> impl Strategy<Value = Index> {
    number().prop_map(Index::new)
}

fn entry_id() -> impl Strategy<Value = EntryId> {
    (index(), term()).prop_map(|(index, term)| EntryId::new(index, term))
}

fn founding(nodes: u64) -> impl Strategy<Value = Payload> {
    (number(), 1..=nodes).prop_map(|(group, voters)| {
        let peer = |id| Peer { id: NodeId::new(id), incarnation: Incarnation::new(id) };
        Payload::Founding(Box::new(Founding {
            group: GroupId::new(group),
            version: 1,
            configuration: Configuration::of_voters((1..=voters).map(peer)),
            sessions: SessionLimits::default(),
        }))
    })
}

fn payload(nodes: u64) -> impl Strategy<Value = Payload> {
    prop_oneof![
        Just(Payload::Noop),
        any::<Vec<u8>>().prop_map(|bytes| Payload::Command(Bytes::from(bytes))),
        founding(nodes),
    ]
}

fn run(nodes: u64) -> impl Strategy<Value = Run> {
    let entries = prop::collection::vec((term(), payload(nodes)), 0..5);
    (entry_id(), entries).prop_map(|(previous, mut entries)| {
        entries.sort_by_key(|(term, _)| *term);
        Run::new(previous, entries)
            .unwrap_or_else(|_| Run::new(previous, []).expect("nothing follows anything"))
    })
}

/// Any message that a node of a group of so many could be sent.
pub(crate) fn any_message(nodes: u64) -> BoxedStrategy<Message> {
    let append_outcome = prop_oneof![
        index().prop_map(AppendOutcome::Matched),
        (index(), entry_id())
            .prop_map(|(rejected, hint)| AppendOutcome::Conflict { rejected, hint }),
    ];
    let propose_outcome = prop_oneof![
        entry_id().prop_map(ProposeOutcome::Appended),
        Just(ProposeOutcome::Refused(ProposeRefusal::Busy)),
    ];
    let votes = prop_oneof![
        (term(), entry_id()).prop_map(|(term, last)| Message::PreVote { term, last }),
        term().prop_map(|term| Message::PreVoteGranted { term }),
        term().prop_map(|term| Message::PreVoteRefused { term }),
        (term(), entry_id()).prop_map(|(term, last)| Message::RequestVote { term, last }),
        (term(), any::<bool>())
            .prop_map(|(term, granted)| Message::RequestVoteReply { term, granted }),
        term().prop_map(|term| Message::TermPassed { term }),
    ];
    let entries = prop_oneof![
        (term(), run(nodes), index()).prop_map(|(term, run, commit)| Message::AppendEntries {
            term,
            run,
            commit
        }),
        (term(), append_outcome)
            .prop_map(|(term, outcome)| Message::AppendEntriesReply { term, outcome }),
        (term(), index(), number()).prop_map(|(term, commit, round)| Message::Heartbeat {
            term,
            commit,
            round
        }),
        (term(), number(), index(), index()).prop_map(|(term, round, matched, durable)| {
            Message::HeartbeatReply { term, round, matched, durable }
        }),
        (term(), index()).prop_map(|(term, commit)| Message::Commit { term, commit }),
    ];
    let requests = prop_oneof![
        number().prop_map(|asked| Message::Hello { asked }),
        number().prop_map(|asked| Message::HelloReply { asked }),
        (term(), number(), any::<Vec<u8>>()).prop_map(|(term, number, bytes)| {
            Message::Propose { term, number, command: Bytes::from(bytes) }
        }),
        (term(), number(), propose_outcome)
            .prop_map(|(term, number, outcome)| Message::ProposeReply { term, number, outcome }),
        (term(), number()).prop_map(|(term, read)| Message::ReadIndex { term, read }),
        (term(), number(), index()).prop_map(|(term, read, index)| Message::ReadIndexReply {
            term,
            read,
            index
        }),
    ];
    prop_oneof![votes, entries, requests].boxed()
}
