//! The replicated state: sessions and collections, as the log's commands make them.
//!
//! A store is a pure function of the entries applied to it. It knows nothing of terms or peers,
//! but for the owners of sessions, which are data to it.

mod answer;
mod change;
mod collections;
mod command;
mod difference;
mod digest;
#[cfg(test)]
mod draws;
mod emitter;
mod keyed;
mod kind;
mod loader;
mod map;
mod name;
mod queue;
mod record;
mod remote_map;
mod remote_operation;
mod reply;
mod run;
mod session;
mod snapshot;
mod table;
mod waste;

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use self::collections::Collections;
use self::digest::{Digest, Kind};
use self::emitter::EmitterRun;
use self::remote_map::Operations;
use self::run::Run;
use self::session::{Opening, Sessions};
use self::snapshot::Writer;
use crate::bytes::Bytes;
use crate::config::{RemoteQueueLimits, SessionLimits};
use crate::io::{Outcome, Place, Refusal};
use crate::types::{Identity, Index, Peer, SessionId};

pub use self::answer::Answer;
pub(crate) use self::answer::Content;
pub use self::change::Change;
pub(crate) use self::change::{ChangeKind, EmitterChange, EntryChange, QueueChange};
pub(crate) use self::collections::{CollectionRef, Slot};
pub(crate) use self::command::{
    CollectionCommand, Command, CommandError, Contents, EmitterQuery, MapCommand, MapQuery,
    Operation, Query, QueueCommand, QueueQuery, RecordCommand, RecordQuery, RemoteCommand,
    SubscriptionChange,
};
pub(crate) use self::difference::{Comparison, Told};
pub(crate) use self::emitter::{Subscription, subscribers};
pub use self::kind::CollectionKind;
pub(crate) use self::loader::Loader;
pub use self::name::NameTooLong;
pub(crate) use self::name::{MAX_NAME_BYTES, Name};
pub(crate) use self::queue::MOST_POPPED;
pub(crate) use self::remote_map::Queued;
pub use self::remote_operation::{
    RemoteAnswer, RemoteOperation, RemoteOutcome, RemoteQuery, StoreError,
};
pub(crate) use self::waste::Waste;

/// The replicated state.
#[derive(Debug)]
pub(crate) struct Store {
    sessions: Sessions,
    collections: Collections,
    remote_queue: RemoteQueueLimits,
    /// The members of the group by the entries applied: not a part of snapshots, which name them
    /// elsewhere.
    members: BTreeSet<Peer>,
    /// What outside stores are still to execute.
    queued: Operations,
    /// The snapshot being written, if one is.
    writer: Option<Writer>,
    waste: Waste,
}

/// What a command did.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Applied {
    pub(crate) effect: Option<Effect>,
    /// In the order in which they came about.
    pub(crate) changes: Vec<Change>,
    /// What the application asked to be handed to every node.
    pub(crate) message: Option<Bytes>,
    /// Sessions dropped on the way: unused for too long, crowded out, or of an earlier life.
    pub(crate) expired: Vec<SessionId>,
}

/// What a command did for the one who asked.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// A life of a node has this session, opened by this command or by an earlier one.
    Opened { owner: Identity, session: SessionId },
    /// A session was not opened, since a later life of that incarnation has one.
    Superseded { owner: Identity },
    /// A command of a session came to this end, by this copy of it or by an earlier one.
    Executed { place: Place, outcome: Outcome, duplicate: bool },
    /// A command of a session stands in the queue of a remote map, as the operation of that index, by
    /// this copy of it or by an earlier one.
    Queued { place: Place, operation: Index, duplicate: bool },
    /// The operation of that index came to its end.
    Ended { operation: Index, outcome: Outcome },
    /// The end of an operation that had come to its end before, or that cannot end so.
    EndedBefore { operation: Index },
}

impl Store {
    /// The state before the first entry.
    pub(crate) fn new() -> Self {
        Self {
            sessions: Sessions::new(SessionLimits::default()),
            collections: Collections::new(),
            remote_queue: RemoteQueueLimits::default(),
            members: BTreeSet::new(),
            queued: Operations::default(),
            writer: None,
            waste: Waste::default(),
        }
    }

    /// Applies the founding entry.
    pub(crate) fn found(&mut self, sessions: SessionLimits, remote_queue: RemoteQueueLimits) {
        self.sessions.limit(sessions);
        self.remote_queue = remote_queue;
    }

    /// Applies an entry without a command for the store: only positions count. The sessions dropped.
    pub(crate) fn advance(&mut self, index: Index) -> Vec<SessionId> {
        self.sessions.expire(index)
    }

    /// Applies one committed command.
    pub(crate) fn apply(&mut self, index: Index, command: Command) -> Applied {
        let mut applied = Applied { expired: self.sessions.expire(index), ..Applied::default() };
        let effect = match command {
            Command::OpenSession { owner } => {
                match self.sessions.open_own(index, owner, &mut applied.expired) {
                    Opening::Opened(session) => Effect::Opened { owner, session },
                    Opening::Superseded => Effect::Superseded { owner },
                }
            }
            Command::Execute { session, sequence, answered_below, operation } => {
                let place = Place { session, sequence, answered_below };
                Run { store: self, index, applied: &mut applied }.command(place, operation)
            }
            Command::EndRemote { name, operation, outcome } => {
                Run { store: self, index, applied: &mut applied }.end(&name, operation, outcome)
            }
        };
        Applied { effect: Some(effect), ..applied }
    }

    /// The group has these members from an entry on: the subscriptions of those that are not among them
    /// any more end.
    pub(crate) fn seat(&mut self, index: Index, members: BTreeSet<Peer>) -> Vec<Change> {
        let departed: Vec<Peer> = self.members.difference(&members).copied().collect();
        self.members = members;
        if departed.is_empty() {
            return Vec::new();
        }
        let is_emitter = |kind| kind == CollectionKind::Emitter;
        let all = self.collections.iter().filter(|(_, kind, _)| is_emitter(*kind));
        let emitters: Vec<Name> = all.map(|(name, ..)| name.clone()).collect();
        let mut changes = Vec::new();
        for name in emitters {
            let ended = self.collections.edit(&name, CollectionKind::Emitter, |emitter| {
                let mut run = EmitterRun { emitter, index, changes: Vec::new() };
                for peer in &departed {
                    run.clear(*peer);
                }
                run.changes
            });
            let ended = ended.expect("an emitter").into_iter();
            changes.extend(ended.map(|change| {
                let kind = ChangeKind::Emitter(change);
                Change { index, name: name.clone(), kind }
            }));
        }
        changes
    }

    /// Reads the applied state.
    ///
    /// # Errors
    /// If the collection is of another kind than the query is for.
    pub(crate) fn query(&self, query: &Query) -> Result<Answer, Refusal> {
        let collection = query.collection().and_then(|name| self.collection(name.as_str()));
        if let (Some(found), Some(kind)) = (collection.map(CollectionRef::kind), query.kind())
            && found != kind
        {
            return Err(Refusal::WrongKind { is: found });
        }
        Ok(match query {
            Query::Nothing | Query::Usable { .. } => Answer(Content::Nothing),
            Query::Map { query, .. } => map::query(collection, query),
            Query::Queue { query, .. } => queue::query(collection, *query),
            Query::Record { query, .. } => record::query(collection, query),
            Query::Emitter { query, .. } => emitter::query(collection, &self.members, query),
        })
    }

    /// A digest of the whole state: equal on all nodes that have applied as far.
    pub(crate) fn digest(&self) -> u64 {
        let SessionLimits { max_sessions, window, max_reply_bytes, lifetime_entries } =
            self.sessions.limits();
        let RemoteQueueLimits { operations, bytes } = self.remote_queue;
        Digest::of(Kind::State)
            .number(operations)
            .number(bytes)
            .number(max_sessions)
            .number(window)
            .number(max_reply_bytes)
            .number(lifetime_entries)
            .number(self.sessions.digest())
            .number(self.collections.digest())
            .get()
    }

    /// How many sessions are open.
    pub(crate) fn sessions(&self) -> u64 {
        self.sessions.len()
    }

    /// How many sequence numbers, counted from the lowest unanswered, a session may use.
    pub(crate) fn session_window(&self) -> u64 {
        self.sessions.limits().window
    }

    /// How the command of this place ended, if it was executed and its session is open.
    pub(crate) fn settled(&self, place: Place) -> Option<Outcome> {
        self.sessions.settled(place)
    }

    /// The operation that the command of this place is, if an outside store is still to execute it.
    pub(crate) fn awaited(&self, place: Place) -> Option<Index> {
        self.sessions.awaited(place)
    }

    /// Whether a session is open.
    pub(crate) fn has_session(&self, session: SessionId) -> bool {
        self.sessions.contains(session)
    }

    /// The session of that life of a node, if it has one.
    pub(crate) fn session_of(&self, owner: Identity) -> Option<SessionId> {
        self.sessions.of(owner)
    }

    /// The collection of that name, if there is one.
    pub(crate) fn collection(&self, name: &str) -> Option<CollectionRef<'_>> {
        self.collections.get(name)
    }

    /// The first collection whose name comes after `name`; the first of all if there is none.
    pub(crate) fn collection_after(
        &self,
        name: Option<&Name>,
    ) -> Option<(&Name, CollectionRef<'_>)> {
        self.collections.after(name)
    }

    /// The members of the group, by what is applied.
    pub(crate) fn members(&self) -> &BTreeSet<Peer> {
        &self.members
    }

    /// Who has subscribed to an event of an emitter.
    pub(crate) fn subscribers<'a>(
        &'a self,
        name: &Name,
        event: &'a Bytes,
    ) -> impl Iterator<Item = Peer> + use<'a> {
        let emitter = self.collection(name.as_str());
        let emitter = emitter.filter(|found| found.kind() == CollectionKind::Emitter);
        emitter::subscribers(emitter, &self.members, event)
    }

    /// The first operation after that one which an outside store is still to execute, of whichever map.
    pub(crate) fn next_queued(&self, after: Index) -> Option<(Index, &Name)> {
        self.queued.next(after)
    }

    /// The first operation in the queue of a remote map.
    pub(crate) fn first_queued(&self, name: &Name) -> Option<(Index, Queued)> {
        let map = self.collection(name.as_str())?;
        (map.kind() == CollectionKind::RemoteMap).then(|| remote_map::first(map))?
    }

    /// The first operation in the queue of a remote map of which nothing but its index is wanted.
    pub(crate) fn first_queued_index(&self, name: &Name) -> Option<Index> {
        let map = self.collection(name.as_str())?;
        let is_remote = map.kind() == CollectionKind::RemoteMap;
        is_remote.then(|| map.slot_from(0)).flatten().map(|(_, slot)| slot.version)
    }

    /// How many operations outside stores are still to execute.
    pub(crate) fn queued_operations(&self) -> u64 {
        self.queued.len()
    }

    /// Whether an outside store is still to execute the operation of that index.
    pub(crate) fn is_queued(&self, operation: Index) -> bool {
        self.queued.map_of(operation).is_some()
    }

    /// The names, kinds and lengths of all collections, in the order of the names.
    pub(crate) fn collections(&self) -> impl Iterator<Item = (&Name, CollectionKind, u64)> {
        self.collections.iter()
    }

    /// Frees about `elements` of what was cleared, closed or thrown away. Whether more is left.
    ///
    /// It changes nothing that shows.
    pub(crate) fn sweep(&mut self, mut elements: u64) -> bool {
        let budget = &mut elements;
        let sessions = self.sessions.spend(budget);
        let collections = self.collections.spend(budget);
        let waste = self.waste.spend(budget);
        sessions || collections || waste
    }

    /// Takes waste to be freed by [`sweep`](Self::sweep). O(1).
    pub(crate) fn discard(&mut self, waste: Waste) {
        self.waste.append(waste);
    }

    /// Throws the whole state away. O(1).
    pub(crate) fn into_waste(self) -> Waste {
        let Self { sessions, collections, queued, mut waste, .. } = self;
        queued.discard(&mut waste);
        sessions.discard(&mut waste);
        collections.discard(&mut waste);
        waste
    }
}

impl Effect {
    /// Whether it is that of a copy of a command that was applied before.
    pub(crate) fn is_duplicate(&self) -> bool {
        match self {
            Self::Executed { duplicate, .. } | Self::Queued { duplicate, .. } => *duplicate,
            Self::EndedBefore { .. } => true,
            Self::Opened { .. } | Self::Superseded { .. } | Self::Ended { .. } => false,
        }
    }

    /// A digest of what the asker is told.
    pub(crate) fn digest(&self) -> u64 {
        let digest = Digest::of(Kind::Effect);
        match self {
            Self::Opened { session, .. } => digest.number(1).number(session.opened_at().get()),
            Self::Superseded { .. } => digest.number(2),
            Self::Executed { outcome, .. } => match outcome {
                Outcome::Done { index, answer } => {
                    digest.number(3).number(index.get()).number(answer.digest())
                }
                Outcome::Refused { .. }
                | Outcome::NotExecuted(_)
                | Outcome::Unknown(_)
                | Outcome::Partial { .. } => digest.number(4).bytes(outcome.to_string().as_bytes()),
            },
            Self::Queued { operation, .. } => digest.number(5).number(operation.get()),
            Self::Ended { operation, outcome } => {
                let text = outcome.to_string();
                digest.number(6).number(operation.get()).bytes(text.as_bytes())
            }
            Self::EndedBefore { operation } => digest.number(7).number(operation.get()),
        }
        .get()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::draws::Draws;
    use super::*;
    use crate::Bytes;
    use crate::types::{Incarnation, Life, NodeId, Peer, Sequence};

    fn owner(id: u64) -> Identity {
        let peer = Peer { id: NodeId::new(id), incarnation: Incarnation::new(1) };
        Identity { peer, life: Life::FIRST }
    }

    fn open(id: u64) -> Command {
        Command::OpenSession { owner: owner(id) }
    }

    fn execute(session: u64, sequence: u64, operation: Operation) -> Command {
        Command::Execute {
            session: SessionId::new(Index::new(session)),
            sequence: Sequence::new(sequence),
            answered_below: Sequence::new(0),
            operation,
        }
    }

    fn set(name: &str, key: &str, value: &str) -> Operation {
        let bytes = |text: &str| Bytes::copy_from(text.as_bytes());
        let command = MapCommand::Set(vec![(bytes(key), bytes(value))]);
        on(name, CollectionCommand::Map(command))
    }

    fn on(name: &str, command: CollectionCommand) -> Operation {
        Operation::Collection { name: Name::new(name).expect("short"), command }
    }

    fn apply(store: &mut Store, index: u64, command: &Command) -> Applied {
        store.apply(Index::new(index), command.clone())
    }

    fn outcome(applied: &Applied) -> (&Outcome, bool) {
        match &applied.effect {
            Some(Effect::Executed { outcome, duplicate, .. }) => (outcome, *duplicate),
            _ => panic!("{applied:?}"),
        }
    }

    #[test]
    fn a_copy_of_a_command_has_the_first_result_and_no_effect() {
        let mut store = Store::new();
        let opened = apply(&mut store, 2, &open(7));
        let session = SessionId::new(Index::new(2));
        assert_eq!(opened.effect, Some(Effect::Opened { owner: owner(7), session }));
        let first = apply(&mut store, 3, &execute(2, 1, set("scores", "k", "1")));
        assert_eq!(first.changes[0].to_string(), r#"map "scores" at 3: insert "k" = "1""#);
        apply(&mut store, 4, &execute(2, 2, set("scores", "k", "2")));
        let copy = apply(&mut store, 5, &execute(2, 1, set("scores", "k", "1")));
        assert_eq!(outcome(&copy), (outcome(&first).0, true));
        assert!(copy.changes.is_empty());
        let map = store.collection("scores").expect("a command named it");
        let slot = map.get(&b"k".as_slice().into());
        assert_eq!(slot.map(|slot| &*slot.value), Some(b"2".as_slice()));
    }

    #[test]
    fn a_command_of_an_unknown_session_does_nothing() {
        let mut store = Store::new();
        let before = store.digest();
        let applied = apply(&mut store, 2, &execute(1, 1, set("scores", "k", "1")));
        let expired = Outcome::Unknown(crate::io::Unknown::SessionExpired);
        assert_eq!(outcome(&applied), (&expired, false));
        assert!(applied.changes.is_empty() && store.collection("scores").is_none());
        assert_eq!(store.digest(), before);
    }

    #[test]
    fn an_entry_without_a_command_still_counts_as_a_position() {
        let mut store = Store::new();
        let limits = SessionLimits { lifetime_entries: 10, ..SessionLimits::default() };
        store.found(limits, RemoteQueueLimits::default());
        apply(&mut store, 2, &open(7));
        let before = store.digest();
        let far = Index::new(1000);
        assert_eq!(store.advance(far), [SessionId::new(Index::new(2))]);
        assert_ne!(store.digest(), before);
    }

    #[test]
    fn a_session_may_open_another_even_in_its_own_place() {
        let mut store = Store::new();
        let limits = SessionLimits { max_sessions: 1, ..SessionLimits::default() };
        store.found(limits, RemoteQueueLimits::default());
        apply(&mut store, 2, &open(7));
        let applied = apply(&mut store, 3, &execute(2, 1, Operation::OpenSession));
        let answer = Answer(Content::Session(SessionId::new(Index::new(3))));
        let done = Outcome::Done { index: Index::new(3), answer };
        assert_eq!(outcome(&applied), (&done, false));
        assert_eq!(applied.expired, [SessionId::new(Index::new(2))]);
        assert_eq!(store.sessions(), 1);
        let copy = apply(&mut store, 4, &execute(2, 1, Operation::OpenSession));
        let expired = Outcome::Unknown(crate::io::Unknown::SessionExpired);
        assert_eq!(outcome(&copy), (&expired, false));
    }

    #[test]
    fn a_map_that_nobody_named_reads_as_empty_and_naming_it_shows() {
        let mut store = Store::new();
        let name = || Name::new("m").expect("short");
        let query = Query::Map { name: name(), query: MapQuery::Len };
        assert_eq!(store.query(&query), Ok(Answer(Content::Count(0))));
        apply(&mut store, 2, &open(7));
        let before = store.collections.digest();
        let clear = on("m", CollectionCommand::Map(MapCommand::Clear));
        let applied = apply(&mut store, 3, &execute(2, 1, clear));
        assert!(applied.changes.is_empty());
        assert!(store.collection("m").is_some());
        assert_ne!(store.collections.digest(), before);
        assert!(store.collections().eq([(&name(), CollectionKind::Map, 0)]));
        assert_eq!(store.query(&Query::Nothing), Ok(Answer(Content::Nothing)));
    }

    #[test]
    fn two_stores_agree_after_every_entry() {
        let mut draws = Draws::new(3);
        let mut stores = [Store::new(), Store::new()];
        for index in 2..2000 {
            let command = match draws.below(10) {
                0 => open(draws.below(5)),
                1 => execute(index - draws.below(index), 0, Operation::OpenSession),
                _ => {
                    let name = ["a", "b", ""][usize::try_from(draws.below(3)).expect("small")];
                    let operation = set(name, &draws.below(9).to_string(), "v");
                    let session = index - draws.below(index.min(30));
                    execute(session, draws.below(1100), operation)
                }
            };
            let [left, right] = &mut stores;
            assert_eq!(apply(left, index, &command), apply(right, index, &command), "at {index}");
            assert_eq!(left.digest(), right.digest(), "at {index}");
            left.collections.check();
            left.sessions.check();
        }
    }
}
