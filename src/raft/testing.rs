//! Arbitrary messages, for property tests.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::change::MemberChange;
use super::configuration::Configuration;
use super::entries::{Founding, Payload, Run};
use super::message::{
    AppendOutcome, JoinRefusal, Message, ProposeOutcome, ProposeRefusal, Speaks, Task, TaskOutcome,
    TaskRefusal,
};
use super::snapshot::testing::snapshot;
use super::snapshot::{Outgoing, SnapshotId};
use crate::delivery::Parcel;
use crate::store::Name;
use crate::types::{
    EntryId, GroupId, Identity, Incarnation, Index, Life, NodeId, Peer, Sequence, Term,
};
use crate::{Bytes, RemoteQueueLimits, SessionLimits};

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
            remote_queue: RemoteQueueLimits::default(),
            group: GroupId::new(group),
            configuration: Configuration::of_voters((1..=voters).map(peer)),
            sessions: SessionLimits::default(),
        }))
    })
}

/// Configurations of all kinds, of the nodes there are and one more.
fn members(nodes: u64) -> impl Strategy<Value = Payload> {
    (1..=nodes, 0..4_u8, peer(nodes)).prop_map(|(voters, kind, stranger)| {
        let peer = |id| Peer { id: NodeId::new(id), incarnation: Incarnation::new(id) };
        let plain = Configuration::of_voters((1..=voters).map(peer));
        let add = MemberChange::Add {
            peer: stranger,
            metadata: Bytes::default(),
            voter: true,
            replaces: None,
        };
        let changed = match kind {
            0 => Ok(plain.clone()),
            1 => plain.changed(&[MemberChange::Remove(NodeId::new(1))]),
            2 => plain.changed(&[add]),
            _ => plain.changed(&[add]).and_then(|with| with.promoted(&[stranger])),
        };
        Payload::Members(Box::new(changed.unwrap_or(plain)))
    })
}

fn payload(nodes: u64) -> impl Strategy<Value = Payload> {
    prop_oneof![
        Just(Payload::Noop),
        any::<Vec<u8>>().prop_map(|bytes| Payload::Command(Bytes::from(bytes))),
        members(nodes),
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
pub(crate) fn any_message(nodes: u64, group: GroupId) -> BoxedStrategy<Message> {
    prop_oneof![
        any_vote(),
        any_replication(nodes),
        any_asking(),
        any_upkeep(nodes, group),
        any_parcel().prop_map(Message::Parcel),
    ]
    .boxed()
}

fn any_vote() -> BoxedStrategy<Message> {
    prop_oneof![
        (term(), entry_id()).prop_map(|(term, last)| Message::PreVote { term, last }),
        term().prop_map(|term| Message::PreVoteGranted { term }),
        term().prop_map(|term| Message::PreVoteRefused { term }),
        (term(), entry_id(), any::<bool>())
            .prop_map(|(term, last, transfer)| Message::RequestVote { term, last, transfer }),
        (term(), any::<bool>())
            .prop_map(|(term, granted)| Message::RequestVoteReply { term, granted }),
        term().prop_map(|term| Message::TermPassed { term }),
    ]
    .boxed()
}

fn any_replication(nodes: u64) -> BoxedStrategy<Message> {
    let append_outcome = prop_oneof![
        index().prop_map(AppendOutcome::Matched),
        (index(), entry_id())
            .prop_map(|(rejected, hint)| AppendOutcome::Conflict { rejected, hint }),
    ];
    prop_oneof![
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
        (term(), number(), index(), index(), speaks()).prop_map(
            |(term, round, matched, durable, speaks)| Message::HeartbeatReply {
                term,
                round,
                matched,
                durable,
                speaks,
            },
        ),
        (term(), index()).prop_map(|(term, commit)| Message::Commit { term, commit }),
    ]
    .boxed()
}

fn any_asking() -> BoxedStrategy<Message> {
    let propose_outcome = prop_oneof![
        entry_id().prop_map(ProposeOutcome::Appended),
        Just(ProposeOutcome::Refused(ProposeRefusal::Busy)),
    ];
    prop_oneof![
        number().prop_map(|asked| Message::Hello { asked }),
        number().prop_map(|asked| Message::HelloReply { asked }),
        (term(), number(), any::<Vec<u8>>()).prop_map(|(term, number, bytes)| {
            Message::Propose { term, number, command: Bytes::from(bytes) }
        }),
        (term(), number(), propose_outcome)
            .prop_map(|(term, number, outcome)| Message::ProposeReply { term, number, outcome }),
        (term(), number()).prop_map(|(term, read)| Message::ReadIndex { term, read }),
        (term(), number(), proptest::option::of(index()))
            .prop_map(|(term, read, index)| Message::ReadIndexReply { term, read, index }),
    ]
    .boxed()
}

/// Any message by which a group is kept in order.
fn any_upkeep(nodes: u64, group: GroupId) -> BoxedStrategy<Message> {
    let outcome = prop_oneof![
        index().prop_map(TaskOutcome::Done),
        Just(TaskOutcome::Refused(TaskRefusal::NotAVoter)),
        Just(TaskOutcome::Later),
    ];
    prop_oneof![
        4 => (term(), piece(group)).prop_map(|(term, (snapshot, piece, bytes))| {
            Message::InstallSnapshot { term, snapshot, piece, bytes }
        }),
        1 => (term(), piece(group), number()).prop_map(|(term, (snapshot, ..), pieces)| {
            Message::InstallSnapshotReply { term, snapshot, pieces }
        }),
        1 => term().prop_map(|term| Message::TimeoutNow { term }),
        1 => (peer(nodes), 0..3_u32, any::<bool>(), speaks()).prop_map(
            |(peer, life, voter, speaks)| Message::Join {
                joiner: Identity { peer, life: Life::new(life) },
                voter,
                metadata: Bytes::default(),
                speaks,
            },
        ),
        1 => Just(Message::JoinRefused { because: JoinRefusal::NotAdmitted }),
        1 => entry_id().prop_map(|by| Message::Removed { by }),
        1 => (term(), index(), prop::option::of(term()))
            .prop_map(|(term, acknowledged, of)| Message::EntriesLost { term, acknowledged, of }),
        2 => (term(), number(), task(nodes))
            .prop_map(|(term, number, task)| Message::Assign { term, number, task }),
        1 => (term(), number(), outcome)
            .prop_map(|(term, number, outcome)| Message::AssignReply { term, number, outcome }),
    ]
    .boxed()
}

fn any_parcel() -> BoxedStrategy<Parcel> {
    let sequence = || number().prop_map(Sequence::new);
    let occasion = || ("[ab]", any::<Vec<u8>>(), any::<Vec<u8>>(), index());
    prop_oneof![
        (occasion(), sequence(), sequence()).prop_map(
            |((emitter, event, payload, as_of), sequence, lowest)| Parcel::Publish {
                emitter: Name::new(&emitter).expect("short"),
                event: Bytes::from(event),
                payload: Bytes::from(payload),
                sequence,
                lowest,
                as_of,
            },
        ),
        (sequence(), any::<bool>())
            .prop_map(|(sequence, delivered)| Parcel::PublishReply { sequence, delivered }),
        (occasion(), sequence()).prop_map(|((emitter, event, payload, as_of), number)| {
            Parcel::Notify {
                emitter: Name::new(&emitter).expect("short"),
                event: Bytes::from(event),
                payload: Bytes::from(payload),
                number,
                as_of,
            }
        }),
    ]
    .boxed()
}

fn speaks() -> impl Strategy<Value = Speaks> {
    (1..3_u8, any::<bool>()).prop_map(|(version, last_resort)| Speaks { version, last_resort })
}

fn peer(nodes: u64) -> impl Strategy<Value = Peer> {
    (1..=nodes + 1, 1..=nodes + 1).prop_map(|(id, incarnation)| Peer {
        id: NodeId::new(id),
        incarnation: Incarnation::new(incarnation),
    })
}

fn task(nodes: u64) -> impl Strategy<Value = Task> {
    let id = || (1..=nodes + 1).prop_map(NodeId::new);
    let change = prop_oneof![
        (peer(nodes), any::<bool>(), prop::option::of(id())).prop_map(|(peer, voter, replaces)| {
            MemberChange::Add { peer, metadata: Bytes::default(), voter, replaces }
        }),
        id().prop_map(MemberChange::Remove),
        id().prop_map(MemberChange::Promote),
        id().prop_map(MemberChange::Demote),
    ];
    prop_oneof![
        prop::collection::vec(change, 0..3).prop_map(Task::Change),
        prop::option::of(id()).prop_map(Task::Transfer),
    ]
}

/// A piece of a small snapshot, now and then with the wrong number or bytes.
fn piece(group: GroupId) -> impl Strategy<Value = (SnapshotId, u64, Bytes)> {
    (0..12_u64, 0..4_u64, 0..3_u64, prop::bool::weighted(0.1)).prop_map(
        move |(index, term, number, spoilt)| {
            let last = EntryId::new(Index::new(index), Term::new(term));
            let outgoing = Outgoing::new(Arc::new(snapshot(group, last, &[b"one", b"two"])));
            let bytes = match outgoing.piece(number) {
                Some(piece) if !spoilt => piece,
                Some(_) | None => Bytes::copy_from(b"spoilt"),
            };
            (outgoing.id(), number, bytes)
        },
    )
}
