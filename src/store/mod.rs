//! The replicated state: sessions and collections, as the log's commands make them.
//!
//! A store is a pure function of the entries applied to it. It knows nothing of terms or peers,
//! but for the owners of sessions, which are data to it.

mod answer;
mod change;
mod collections;
mod command;
mod digest;
#[cfg(test)]
mod draws;
mod loader;
mod map;
mod name;
mod session;
mod snapshot;
mod table;
mod waste;

use alloc::string::ToString;
use alloc::vec::Vec;

use self::collections::{CollectionMut, Collections};
use self::digest::{Digest, Kind};
use self::map::MapRun;
use self::session::{Admission, Opening, Sessions};
use self::snapshot::Writer;
use crate::config::SessionLimits;
use crate::io::{Outcome, Place};
use crate::types::{Identity, Index, SessionId};

pub use self::answer::Answer;
pub(crate) use self::answer::Content;
pub use self::change::Change;
pub(crate) use self::change::{ChangeKind, MapChange};
pub(crate) use self::collections::{CollectionKind, CollectionRef, Slot};
pub(crate) use self::command::{Command, CommandError, MapCommand, MapQuery, Operation, Query};
pub(crate) use self::loader::Loader;
pub use self::name::NameTooLong;
pub(crate) use self::name::{MAX_NAME_BYTES, Name};
pub(crate) use self::waste::Waste;

/// The replicated state.
#[derive(Debug)]
pub(crate) struct Store {
    sessions: Sessions,
    collections: Collections,
    /// The snapshot being written, if one is.
    writer: Option<Writer>,
    waste: Waste,
}

/// What a command did.
#[derive(Debug, PartialEq)]
pub(crate) struct Applied {
    pub(crate) effect: Effect,
    /// In the order in which they came about.
    pub(crate) changes: Vec<Change>,
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
}

impl Store {
    /// The state before the first entry.
    pub(crate) fn new() -> Self {
        Self {
            sessions: Sessions::new(SessionLimits::default()),
            collections: Collections::new(),
            writer: None,
            waste: Waste::default(),
        }
    }

    /// Applies the founding entry.
    pub(crate) fn found(&mut self, limits: SessionLimits) {
        self.sessions.limit(limits);
    }

    /// Applies an entry without a command for the store: only positions count. The sessions dropped.
    pub(crate) fn advance(&mut self, index: Index) -> Vec<SessionId> {
        self.sessions.expire(index)
    }

    /// Applies one committed command.
    pub(crate) fn apply(&mut self, index: Index, command: Command) -> Applied {
        let mut expired = self.sessions.expire(index);
        let mut changes = Vec::new();
        let effect = match command {
            Command::OpenSession { owner } => {
                match self.sessions.open_own(index, owner, &mut expired) {
                    Opening::Opened(session) => Effect::Opened { owner, session },
                    Opening::Superseded => Effect::Superseded { owner },
                }
            }
            Command::Execute { session, sequence, answered_below, operation } => {
                let place = Place { session, sequence, answered_below };
                let mut run =
                    Run { store: self, index, changes: &mut changes, expired: &mut expired };
                let (outcome, duplicate) = run.command(place, operation);
                Effect::Executed { place, outcome, duplicate }
            }
        };
        Applied { effect, changes, expired }
    }

    /// Reads the applied state.
    pub(crate) fn query(&self, query: &Query) -> Answer {
        match query {
            Query::Nothing => Answer(Content::Nothing),
            Query::Map { name, query } => map::query(self.map(name.as_str()), query),
        }
    }

    /// A digest of the whole state: equal on all nodes that have applied as far.
    pub(crate) fn digest(&self) -> u64 {
        let SessionLimits { max_sessions, window, max_reply_bytes, lifetime_entries } =
            self.sessions.limits();
        Digest::of(Kind::State)
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

    /// Whether a session is open.
    pub(crate) fn has_session(&self, session: SessionId) -> bool {
        self.sessions.contains(session)
    }

    /// The session of that life of a node, if it has one.
    pub(crate) fn session_of(&self, owner: Identity) -> Option<SessionId> {
        self.sessions.of(owner)
    }

    /// The map of that name, if a command ever named it.
    pub(crate) fn map(&self, name: &str) -> Option<CollectionRef<'_>> {
        self.collections.get(name)
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
        let Self { sessions, collections, writer: _, mut waste } = self;
        sessions.discard(&mut waste);
        collections.discard(&mut waste);
        waste
    }
}

impl Effect {
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
                Outcome::Refused { .. } | Outcome::NotExecuted(_) | Outcome::Unknown(_) => {
                    digest.number(4).bytes(outcome.to_string().as_bytes())
                }
            },
        }
        .get()
    }
}

/// One command being applied.
struct Run<'a> {
    store: &'a mut Store,
    index: Index,
    changes: &'a mut Vec<Change>,
    expired: &'a mut Vec<SessionId>,
}

impl Run<'_> {
    fn command(&mut self, place: Place, operation: Operation) -> (Outcome, bool) {
        match self.store.sessions.admit(self.index, place) {
            Admission::Settled { outcome, duplicate } => (outcome, duplicate),
            Admission::Fresh => {
                let answer = self.operation(operation);
                self.store.sessions.keep(place, self.index, answer.clone());
                (Outcome::Done { index: self.index, answer }, false)
            }
        }
    }

    fn operation(&mut self, operation: Operation) -> Answer {
        match operation {
            Operation::OpenSession => {
                let session = self.store.sessions.open(self.index, None, self.expired);
                Answer(Content::Session(session))
            }
            Operation::Map { name, command } => self.map(name, command),
        }
    }

    fn map(&mut self, name: Name, command: MapCommand) -> Answer {
        let index = self.index;
        let run = |map: CollectionMut<'_>| {
            let mut run = MapRun { map, index, changes: Vec::new() };
            (run.execute(command), run.changes)
        };
        let (answer, changes) = self.store.collections.edit(&name, CollectionKind::Map, run);
        self.changes.extend(changes.into_iter().map(|change| Change {
            index,
            name: name.clone(),
            kind: ChangeKind::Map(change),
        }));
        answer
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
        Operation::Map { name: Name::new(name).expect("short"), command }
    }

    fn apply(store: &mut Store, index: u64, command: &Command) -> Applied {
        store.apply(Index::new(index), command.clone())
    }

    fn outcome(applied: &Applied) -> (&Outcome, bool) {
        match &applied.effect {
            Effect::Executed { outcome, duplicate, .. } => (outcome, *duplicate),
            Effect::Opened { .. } | Effect::Superseded { .. } => panic!("{applied:?}"),
        }
    }

    #[test]
    fn a_copy_of_a_command_has_the_first_result_and_no_effect() {
        let mut store = Store::new();
        let opened = apply(&mut store, 2, &open(7));
        let session = SessionId::new(Index::new(2));
        assert_eq!(opened.effect, Effect::Opened { owner: owner(7), session });
        let first = apply(&mut store, 3, &execute(2, 1, set("scores", "k", "1")));
        assert_eq!(first.changes[0].to_string(), r#"map "scores" at 3: insert "k" = "1""#);
        apply(&mut store, 4, &execute(2, 2, set("scores", "k", "2")));
        let copy = apply(&mut store, 5, &execute(2, 1, set("scores", "k", "1")));
        assert_eq!(outcome(&copy), (outcome(&first).0, true));
        assert!(copy.changes.is_empty());
        let map = store.map("scores").expect("a command named it");
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
        assert!(applied.changes.is_empty() && store.map("scores").is_none());
        assert_eq!(store.digest(), before);
    }

    #[test]
    fn an_entry_without_a_command_still_counts_as_a_position() {
        let mut store = Store::new();
        store.found(SessionLimits { lifetime_entries: 10, ..SessionLimits::default() });
        apply(&mut store, 2, &open(7));
        let before = store.digest();
        let far = Index::new(1000);
        assert_eq!(store.advance(far), [SessionId::new(Index::new(2))]);
        assert_ne!(store.digest(), before);
    }

    #[test]
    fn a_session_may_open_another_even_in_its_own_place() {
        let mut store = Store::new();
        store.found(SessionLimits { max_sessions: 1, ..SessionLimits::default() });
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
        assert_eq!(store.query(&query), Answer(Content::Count(0)));
        apply(&mut store, 2, &open(7));
        let before = store.collections.digest();
        let clear = Operation::Map { name: name(), command: MapCommand::Clear };
        let applied = apply(&mut store, 3, &execute(2, 1, clear));
        assert!(applied.changes.is_empty());
        assert!(store.map("m").is_some());
        assert_ne!(store.collections.digest(), before);
        assert!(store.collections().eq([(&name(), CollectionKind::Map, 0)]));
        assert_eq!(store.query(&Query::Nothing), Answer(Content::Nothing));
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
