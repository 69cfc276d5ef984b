//! Client sessions: each command takes effect at most once (Raft thesis §6.3).
//!
//! A command carries the number it has in its session. The session keeps the reply of each number
//! it has executed, so that a second copy in the log is given the first result instead of a second
//! effect. What is kept is bounded: by the numbers that may be in use at a time, by the bytes of
//! their replies, and by how long a session may stand unused, counted in log entries.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::answer::Answer;
use super::digest::{Digest, Kind, SetDigest};
use super::reply::{End, Reply, digest_of_forgotten, numbers_of, pop_first};
use super::table::Table;
use super::waste::Waste;
use crate::config::SessionLimits;
use crate::io::{Outcome, Place, Refusal, Unknown};
use crate::types::{Identity, Index, NodeId, Sequence, SessionId};

/// All open sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    limits: SessionLimits,
    open: Table<SessionId, Session>,
    replies: Table<(SessionId, Sequence), Reply>,
    /// Numbers that were executed and whose replies are no longer kept.
    forgotten: Table<(SessionId, Sequence), ()>,
    /// Sessions that are gone and of whose numbers some may be left.
    closed: Vec<SessionId>,
    by_last_use: BTreeSet<(Index, SessionId)>,
    /// A node has at most one session of its own, that of the last life which opened one.
    by_node: BTreeMap<NodeId, (Identity, SessionId)>,
    digest: SetDigest,
}

/// Whether a command is to be executed.
#[derive(Debug, PartialEq)]
pub(super) enum Admission {
    /// It is: its number was not used before.
    Fresh,
    /// It is not: this is how it ends.
    Settled { outcome: Outcome, duplicate: bool },
    /// It is not: the operation of that index is still to come to its end.
    Awaited(Index),
}

/// What became of a life's wish for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Opened(SessionId),
    /// A later life of the same incarnation has one.
    Superseded,
}

/// One session, but for the numbers it has executed.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) owner: Option<Identity>,
    pub(super) last_used: Index,
    /// Nobody waits for the reply of a lower number.
    pub(super) answered_below: Sequence,
    reply_bytes: u64,
    /// Over the replies and the forgotten numbers.
    numbers: SetDigest,
}

/// One session and what it has executed, to change.
struct Numbers<'a> {
    id: SessionId,
    session: &'a mut Session,
    replies: &'a mut Table<(SessionId, Sequence), Reply>,
    forgotten: &'a mut Table<(SessionId, Sequence), ()>,
}

impl Sessions {
    pub(super) fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            open: Table::new(),
            replies: Table::weighing(Reply::weight),
            forgotten: Table::new(),
            closed: Vec::new(),
            by_last_use: BTreeSet::new(),
            by_node: BTreeMap::new(),
            digest: SetDigest::default(),
        }
    }

    pub(super) fn limit(&mut self, limits: SessionLimits) {
        self.limits = limits;
    }

    pub(super) fn limits(&self) -> SessionLimits {
        self.limits
    }

    pub(super) fn len(&self) -> u64 {
        self.open.len()
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest.get()
    }

    /// Drops the sessions which, at `index`, have stood unused for too long.
    ///
    /// An entry uses one session and may open another, so no more than two run out with each one.
    pub(super) fn expire(&mut self, index: Index) -> Vec<SessionId> {
        let mut dropped = Vec::new();
        while let Some(&(last_used, session)) = self.by_last_use.first()
            && index.since(last_used) > self.limits.lifetime_entries
        {
            self.close(session);
            dropped.push(session);
        }
        dropped
    }

    /// Opens the session of one life of a node, or finds it open.
    ///
    /// The session of an earlier life is dropped, which also keeps out whatever commands that life
    /// has left on their way. Between two incarnations there is no order but that of the log.
    pub(super) fn open_own(
        &mut self,
        index: Index,
        owner: Identity,
        dropped: &mut Vec<SessionId>,
    ) -> Opening {
        if let Some(&(holder, session)) = self.by_node.get(&owner.peer.id) {
            if holder == owner {
                self.touch(index, session);
                return Opening::Opened(session);
            }
            if holder.peer == owner.peer && holder.life > owner.life {
                return Opening::Superseded;
            }
            self.close(session);
            dropped.push(session);
        }
        Opening::Opened(self.open(index, Some(owner), dropped))
    }

    /// Opens a session, in place of the one unused for longest if there is no room.
    pub(super) fn open(
        &mut self,
        index: Index,
        owner: Option<Identity>,
        dropped: &mut Vec<SessionId>,
    ) -> SessionId {
        while self.len() >= self.limits.max_sessions
            && let Some(&(_, oldest)) = self.by_last_use.first()
        {
            self.close(oldest);
            dropped.push(oldest);
        }
        let id = SessionId::new(index);
        self.add(id, Session::new(owner, index, Sequence::new(0)));
        id
    }

    /// Decides whether the command at `index` is to be executed.
    ///
    /// The window is judged by the command alone, so that every copy of it is refused alike,
    /// whatever has become of the session.
    pub(super) fn admit(&mut self, index: Index, place: Place) -> Admission {
        let Place { session, sequence, answered_below } = place;
        let window = self.limits.window;
        if sequence < answered_below || sequence.get() - answered_below.get() >= window {
            let because = Refusal::OutsideWindow { window };
            let outcome = Outcome::Refused { index, because };
            return Admission::Settled { outcome, duplicate: false };
        }
        self.touch(index, session);
        if self.change(session, |mut open| open.drop_below(answered_below)).is_none() {
            let outcome = Outcome::Unknown(Unknown::SessionExpired);
            return Admission::Settled { outcome, duplicate: false };
        }
        if let Some(index) = self.awaited(place) {
            return Admission::Awaited(index);
        }
        match self.settled(place) {
            Some(outcome) => Admission::Settled { outcome, duplicate: true },
            None => Admission::Fresh,
        }
    }

    /// How the command of this place ended, if it was executed and its session is open.
    pub(super) fn settled(&self, place: Place) -> Option<Outcome> {
        let session = self.open.get(&place.session)?;
        let number = (place.session, place.sequence);
        if let Some(Reply { index, end }) = self.replies.get(&number) {
            let index = *index;
            return match end {
                End::Answer(answer) => Some(Outcome::Done { index, answer: Answer::clone(answer) }),
                End::Refused(because) => Some(Outcome::Refused { index, because: *because }),
                End::Awaited => None,
            };
        }
        let forgotten =
            place.sequence < session.answered_below || self.forgotten.get(&number).is_some();
        forgotten.then_some(Outcome::Unknown(Unknown::ResultForgotten))
    }

    /// The index of the operation of this place, if it was queued for an outside store and has not come
    /// to its end.
    pub(super) fn awaited(&self, place: Place) -> Option<Index> {
        let reply = self.replies.get(&(place.session, place.sequence))?;
        matches!(reply.end, End::Awaited).then_some(reply.index)
    }

    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.open.get(&session).is_some()
    }

    /// The session of that life of a node.
    pub(super) fn of(&self, owner: Identity) -> Option<SessionId> {
        let &(holder, session) = self.by_node.get(&owner.peer.id)?;
        (holder == owner).then_some(session)
    }

    /// Keeps how a command ended, unless its session is gone: a command may open another session in
    /// place of its own.
    pub(super) fn keep(&mut self, place: Place, index: Index, end: End) {
        let most = self.limits.max_reply_bytes;
        let reply = Reply { index, end };
        self.change(place.session, |mut open| open.keep(place.sequence, reply, most));
    }

    /// Keeps the answer of an operation that was awaited, if anybody may still ask for it.
    pub(super) fn fulfil(&mut self, place: Place, operation: Index, answer: Answer) {
        if self.awaited(place) == Some(operation) {
            let most = self.limits.max_reply_bytes;
            let reply = Reply { index: operation, end: End::Answer(Arc::new(answer)) };
            self.change(place.session, |mut open| {
                open.remove(place.sequence);
                open.keep(place.sequence, reply, most);
            });
        }
    }

    /// Frees as much of what closed sessions left as the budget allows and takes it off. Whether
    /// more is left.
    pub(super) fn spend(&mut self, budget: &mut u64) -> bool {
        while *budget > 0
            && let Some(&id) = self.closed.last()
        {
            let weight = if let Some((_, reply)) = pop_first(&mut self.replies, numbers_of(id)) {
                reply.weight()
            } else {
                if pop_first(&mut self.forgotten, numbers_of(id)).is_none() {
                    self.closed.pop();
                }
                1
            };
            *budget = budget.saturating_sub(weight);
        }
        !self.closed.is_empty()
    }

    pub(super) fn discard(self, waste: &mut Waste) {
        self.open.discard(waste);
        self.replies.discard(waste);
        self.forgotten.discard(waste);
        waste.add(self.by_last_use);
        waste.add(self.by_node);
    }

    /// Fixes the present state for [`next_frozen`](Self::next_frozen). O(1).
    pub(super) fn freeze(&mut self) {
        self.open.freeze();
        self.replies.freeze();
        self.forgotten.freeze();
    }

    /// The next session as it was at the freeze, in the order of their ids.
    pub(super) fn next_frozen(&mut self) -> Option<(SessionId, Session)> {
        self.open.next_frozen(..)
    }

    /// The next reply, by number, of a session as it was at the freeze.
    pub(super) fn next_frozen_reply(&mut self, id: SessionId) -> Option<(Sequence, Reply)> {
        self.replies.next_frozen(numbers_of(id)).map(|((_, sequence), reply)| (sequence, reply))
    }

    /// The next forgotten number of a session as it was at the freeze.
    pub(super) fn next_frozen_forgotten(&mut self, id: SessionId) -> Option<Sequence> {
        self.forgotten.next_frozen(numbers_of(id)).map(|((_, sequence), ())| sequence)
    }

    pub(super) fn thaw(&mut self, waste: &mut Waste) {
        self.open.thaw(waste);
        self.replies.thaw(waste);
        self.forgotten.thaw(waste);
    }

    /// Adds a session of a snapshot, which come in the order of their ids. Whether there can be one
    /// like it.
    #[must_use]
    pub(super) fn load(&mut self, id: SessionId, session: Session) -> bool {
        let has_room = self.len() < self.limits.max_sessions.max(1);
        let is_next = self.open.last_key().is_none_or(|last| *last < id);
        let is_only_one =
            session.owner.is_none_or(|owner| !self.by_node.contains_key(&owner.peer.id));
        let fits = has_room && is_next && is_only_one && session.last_used >= id.opened_at();
        if fits {
            self.add(id, session);
        }
        fits
    }

    /// Adds a reply to the session loaded last, in the order of their numbers and before those that
    /// are forgotten. Whether it can have such a one.
    #[must_use]
    pub(super) fn load_reply(&mut self, sequence: Sequence, reply: Reply) -> bool {
        let Some(&id) = self.open.last_key() else { return false };
        let SessionLimits { window, max_reply_bytes, .. } = self.limits;
        let is_next = self.replies.last_key().is_none_or(|last| *last < (id, sequence))
            && self.forgotten.last_key().is_none_or(|(session, _)| *session < id);
        let load = |mut open: Numbers<'_>| {
            let fits = is_next
                && open.session.may_hold(sequence, window)
                && open.session.reply_bytes.saturating_add(reply.size()) <= max_reply_bytes;
            if fits {
                open.add(sequence, reply);
            }
            fits
        };
        self.change(id, load).expect("a key of the table")
    }

    /// Adds a forgotten number to the session loaded last, in their order. Whether it can have
    /// forgotten this one.
    #[must_use]
    pub(super) fn load_forgotten(&mut self, sequence: Sequence) -> bool {
        let Some(&id) = self.open.last_key() else { return false };
        let window = self.limits.window;
        let is_next = self.forgotten.last_key().is_none_or(|last| *last < (id, sequence));
        let load = |mut open: Numbers<'_>| {
            let fits = is_next
                && open.session.may_hold(sequence, window)
                && open.replies.get(&(id, sequence)).is_none();
            if fits {
                open.add_forgotten(sequence);
            }
            fits
        };
        self.change(id, load).expect("a key of the table")
    }

    fn add(&mut self, id: SessionId, session: Session) {
        self.digest.add(session.digest(id));
        self.by_last_use.insert((session.last_used, id));
        if let Some(owner) = session.owner {
            self.by_node.insert(owner.peer.id, (owner, id));
        }
        let before = self.open.insert(id, session);
        assert!(before.is_none(), "two sessions {id}");
    }

    fn touch(&mut self, index: Index, id: SessionId) {
        let before = self.change(id, |open| core::mem::replace(&mut open.session.last_used, index));
        if let Some(before) = before {
            self.by_last_use.remove(&(before, id));
            self.by_last_use.insert((index, id));
        }
    }

    fn change<R>(&mut self, id: SessionId, change: impl FnOnce(Numbers<'_>) -> R) -> Option<R> {
        let Self { open, replies, forgotten, digest, .. } = self;
        let session = open.get_mut(&id)?;
        digest.remove(session.digest(id));
        let result = change(Numbers { id, session: &mut *session, replies, forgotten });
        digest.add(session.digest(id));
        Some(result)
    }

    fn close(&mut self, id: SessionId) {
        let session = self.open.remove(&id).expect("a session that is listed is open");
        self.digest.remove(session.digest(id));
        self.by_last_use.remove(&(session.last_used, id));
        if let Some(owner) = session.owner {
            self.by_node.remove(&owner.peer.id);
        }
        self.closed.push(id);
    }
}

impl Session {
    /// One that has executed nothing.
    pub(super) fn new(owner: Option<Identity>, last_used: Index, answered_below: Sequence) -> Self {
        Self { owner, last_used, answered_below, reply_bytes: 0, numbers: SetDigest::default() }
    }

    /// Whether a number is one that commands within the window may have used and that may still be
    /// waited for.
    fn may_hold(&self, sequence: Sequence, window: u64) -> bool {
        sequence >= self.answered_below && sequence.get() - self.answered_below.get() < window
    }

    fn digest(&self, id: SessionId) -> Digest {
        let digest = Digest::of(Kind::Session)
            .number(id.opened_at().get())
            .number(self.last_used.get())
            .number(self.answered_below.get())
            .number(self.numbers.get());
        match self.owner {
            None => digest,
            Some(Identity { peer, life }) => digest
                .number(peer.id.get())
                .number(peer.incarnation.get())
                .number(u64::from(life.get())),
        }
    }
}

impl Numbers<'_> {
    fn drop_below(&mut self, bound: Sequence) {
        let Self { id, session, replies, forgotten } = self;
        session.answered_below = session.answered_below.max(bound);
        let below = || (*id, Sequence::new(0))..(*id, bound);
        while let Some((sequence, reply)) = pop_first(replies, below()) {
            session.reply_bytes -= reply.size();
            session.numbers.remove(reply.digest(sequence));
        }
        while let Some((sequence, ())) = pop_first(forgotten, below()) {
            session.numbers.remove(digest_of_forgotten(sequence));
        }
    }

    /// Keeps a reply and forgets those of the lowest numbers beyond `most` bytes.
    fn keep(&mut self, sequence: Sequence, reply: Reply, most: u64) {
        self.add(sequence, reply);
        while self.session.reply_bytes > most
            && let Some((lowest, reply)) = pop_first(self.replies, numbers_of(self.id))
        {
            self.session.reply_bytes -= reply.size();
            self.session.numbers.remove(reply.digest(lowest));
            self.add_forgotten(lowest);
        }
    }

    fn add(&mut self, sequence: Sequence, reply: Reply) {
        self.session.reply_bytes += reply.size();
        self.session.numbers.add(reply.digest(sequence));
        self.replies.insert((self.id, sequence), reply);
    }

    fn remove(&mut self, sequence: Sequence) {
        if let Some(reply) = self.replies.remove(&(self.id, sequence)) {
            self.session.reply_bytes -= reply.size();
            self.session.numbers.remove(reply.digest(sequence));
        }
    }

    fn add_forgotten(&mut self, sequence: Sequence) {
        self.session.numbers.add(digest_of_forgotten(sequence));
        self.forgotten.insert((self.id, sequence), ());
    }
}

#[cfg(test)]
impl Sessions {
    /// That what is kept on the way is what follows from the sessions and their numbers alone, and
    /// that they keep to the limits.
    pub(super) fn check(&self) {
        let mut digest = SetDigest::default();
        let mut kept = 0;
        for (id, session) in self.open.range(..) {
            let (mut numbers, mut bytes, before) = (SetDigest::default(), 0, kept);
            for ((_, sequence), reply) in self.replies.range(numbers_of(*id)) {
                numbers.add(reply.digest(*sequence));
                bytes += reply.size();
                kept += 1;
                assert!(session.may_hold(*sequence, self.limits.window), "{id}: {sequence}");
            }
            for ((_, sequence), ()) in self.forgotten.range(numbers_of(*id)) {
                numbers.add(digest_of_forgotten(*sequence));
                kept += 1;
                assert!(session.may_hold(*sequence, self.limits.window), "{id}: {sequence}");
            }
            assert_eq!((session.numbers, session.reply_bytes), (numbers, bytes), "{id}");
            assert!(bytes <= self.limits.max_reply_bytes, "{id}");
            assert!(kept - before <= self.limits.window, "{id}");
            assert!(self.by_last_use.contains(&(session.last_used, *id)), "{id}");
            let own = session.owner.map(|owner| (owner.peer.id, (owner, *id)));
            assert!(own.is_none_or(|(node, it)| self.by_node.get(&node) == Some(&it)), "{id}");
            digest.add(session.digest(*id));
        }
        assert_eq!(self.digest, digest);
        assert_eq!(self.by_last_use.len() as u64, self.len());
        let with_owner = self.open.range(..).filter(|(_, session)| session.owner.is_some());
        assert_eq!(self.by_node.len(), with_owner.count());
        assert!(self.len() <= self.limits.max_sessions.max(1));
        let numbers = self.replies.len() + self.forgotten.len();
        assert!(numbers == kept || !self.closed.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::Content;
    use super::super::draws::Draws;
    use super::*;
    use crate::types::{Incarnation, Life, Peer};

    fn limits(max_sessions: u64, window: u64, reply_bytes: u64, lifetime: u64) -> SessionLimits {
        SessionLimits {
            max_sessions,
            window,
            max_reply_bytes: reply_bytes,
            lifetime_entries: lifetime,
        }
    }

    fn roomy() -> Sessions {
        Sessions::new(limits(8, 10, 1000, 1000))
    }

    fn owner(id: u64, incarnation: u64, life: u32) -> Identity {
        let incarnation = Incarnation::new(incarnation);
        Identity { peer: Peer { id: NodeId::new(id), incarnation }, life: Life::new(life) }
    }

    fn session(index: u64) -> SessionId {
        SessionId::new(Index::new(index))
    }

    fn place(opened: u64, sequence: u64, answered_below: u64) -> Place {
        Place {
            session: session(opened),
            sequence: Sequence::new(sequence),
            answered_below: Sequence::new(answered_below),
        }
    }

    /// Runs the command that answers with its own index.
    fn run(sessions: &mut Sessions, index: u64, place: Place) -> Admission {
        let admission = sessions.admit(Index::new(index), place);
        if admission == Admission::Fresh {
            let answer = Answer(Content::Count(index));
            sessions.keep(place, Index::new(index), End::Answer(answer.into()));
        }
        sessions.check();
        admission
    }

    fn again(index: u64) -> Admission {
        let answer = Answer(Content::Count(index));
        let outcome = Outcome::Done { index: Index::new(index), answer };
        Admission::Settled { outcome, duplicate: true }
    }

    fn forgotten_result() -> Admission {
        let outcome = Outcome::Unknown(Unknown::ResultForgotten);
        Admission::Settled { outcome, duplicate: true }
    }

    fn expired() -> Admission {
        let outcome = Outcome::Unknown(Unknown::SessionExpired);
        Admission::Settled { outcome, duplicate: false }
    }

    fn refused(index: u64, window: u64) -> Admission {
        let because = Refusal::OutsideWindow { window };
        let outcome = Outcome::Refused { index: Index::new(index), because };
        Admission::Settled { outcome, duplicate: false }
    }

    #[test]
    fn a_command_runs_once_and_its_copies_get_the_first_result() {
        let mut sessions = roomy();
        sessions.open(Index::new(1), None, &mut Vec::new());
        let script = [
            (place(1, 0, 0), Admission::Fresh),
            (place(1, 0, 0), again(2)),
            (place(1, 2, 0), Admission::Fresh),
            (place(1, 1, 0), Admission::Fresh),
            (place(1, 2, 0), again(4)),
            (place(1, 1, 1), again(5)),
            (place(1, 0, 0), forgotten_result()),
            (place(1, 3, 3), Admission::Fresh),
            (place(1, 2, 0), forgotten_result()),
            // A late copy with an older promise does not lower the bound again.
            (place(1, 3, 0), again(9)),
            (place(1, 1, 0), forgotten_result()),
            // Never executed, but below what the session was told nobody waits for.
            (place(1, 9, 9), Admission::Fresh),
            (place(1, 8, 3), forgotten_result()),
        ];
        for (index, (place, admission)) in (2..).zip(script) {
            assert_eq!(run(&mut sessions, index, place), admission, "{index}: {place:?}");
        }
    }

    #[test]
    fn outside_the_window_every_copy_is_refused_and_nothing_changes() {
        let mut sessions = roomy();
        sessions.open(Index::new(1), None, &mut Vec::new());
        run(&mut sessions, 2, place(1, 0, 0));
        let before = sessions.digest();
        for outside in [
            place(1, 10, 0),
            place(1, 4, 5),
            place(1, Sequence::MAX.get(), 0),
            place(1, 0, Sequence::MAX.get()),
            place(7, 10, 0),
        ] {
            assert_eq!(run(&mut sessions, 3, outside), refused(3, 10), "{outside:?}");
            assert_eq!(sessions.digest(), before, "{outside:?}");
        }
        assert_eq!(run(&mut sessions, 4, place(1, 9, 0)), Admission::Fresh);
        assert_eq!(run(&mut sessions, 5, place(1, 0, 0)), again(2));
    }

    #[test]
    fn what_is_kept_is_bounded_by_bytes_and_the_lowest_numbers_are_forgotten_first() {
        // Each reply counts 16 bytes, so that two fit.
        let mut sessions = Sessions::new(limits(8, 10, 40, 1000));
        sessions.open(Index::new(1), None, &mut Vec::new());
        let script = [
            (place(1, 0, 0), Admission::Fresh),
            (place(1, 1, 0), Admission::Fresh),
            (place(1, 0, 0), again(2)),
            (place(1, 3, 0), Admission::Fresh),
            (place(1, 0, 0), forgotten_result()),
            (place(1, 1, 0), again(3)),
            // The lowest of the three is the new one.
            (place(1, 2, 0), Admission::Fresh),
            (place(1, 1, 0), forgotten_result()),
            (place(1, 2, 0), again(8)),
            (place(1, 3, 0), again(5)),
        ];
        for (index, (place, admission)) in (2..).zip(script) {
            assert_eq!(run(&mut sessions, index, place), admission, "{index}: {place:?}");
        }
        assert_eq!((sessions.replies.len(), sessions.forgotten.len()), (2, 2));
        run(&mut sessions, 12, place(1, 9, 9));
        assert_eq!((sessions.replies.len(), sessions.forgotten.len()), (1, 0));
    }

    #[test]
    fn a_reply_that_alone_is_too_large_is_forgotten_at_once() {
        let mut sessions = Sessions::new(limits(8, 10, 15, 1000));
        sessions.open(Index::new(1), None, &mut Vec::new());
        assert_eq!(run(&mut sessions, 2, place(1, 0, 0)), Admission::Fresh);
        assert_eq!(run(&mut sessions, 3, place(1, 0, 0)), forgotten_result());
    }

    #[test]
    fn a_session_expires_by_position_unless_it_is_used() {
        let mut sessions = Sessions::new(limits(8, 10, 1000, 5));
        sessions.open(Index::new(1), None, &mut Vec::new());
        sessions.open(Index::new(2), None, &mut Vec::new());
        assert_eq!(sessions.expire(Index::new(6)), []);
        // A refused command does not count as use, a copy does.
        run(&mut sessions, 6, place(1, 10, 0));
        run(&mut sessions, 6, place(2, 0, 0));
        assert_eq!(sessions.expire(Index::new(7)), [session(1)]);
        run(&mut sessions, 8, place(2, 0, 0));
        assert_eq!(sessions.expire(Index::new(13)), []);
        assert_eq!(sessions.expire(Index::new(14)), [session(2)]);
        assert_eq!(sessions.len(), 0);
        assert_eq!(run(&mut sessions, 14, place(2, 1, 0)), expired());
        assert_eq!(sessions.digest, SetDigest::default());
        assert!(sessions.by_last_use.is_empty());
    }

    #[test]
    fn the_session_unused_for_longest_makes_room() {
        let mut sessions = Sessions::new(limits(2, 10, 1000, 1000));
        let mut dropped = Vec::new();
        sessions.open(Index::new(1), None, &mut dropped);
        sessions.open(Index::new(2), None, &mut dropped);
        run(&mut sessions, 3, place(1, 0, 0));
        sessions.open(Index::new(4), None, &mut dropped);
        assert_eq!(dropped, [session(2)]);
        assert_eq!(sessions.len(), 2);
        assert_eq!(run(&mut sessions, 5, place(2, 0, 0)), expired());
        assert_eq!(run(&mut sessions, 6, place(1, 0, 0)), again(3));
    }

    #[test]
    fn a_life_has_one_session_and_ends_those_of_earlier_lives() {
        let mut sessions = roomy();
        let script = [
            (owner(7, 1, 1), Opening::Opened(session(1))),
            (owner(7, 1, 1), Opening::Opened(session(1))),
            (owner(8, 1, 1), Opening::Opened(session(3))),
            (owner(7, 1, 2), Opening::Opened(session(4))),
            (owner(7, 1, 1), Opening::Superseded),
            (owner(7, 2, 1), Opening::Opened(session(6))),
            (owner(7, 2, 1), Opening::Opened(session(6))),
        ];
        let mut dropped = Vec::new();
        for (index, (owner, opening)) in (1..).zip(script) {
            let opened = sessions.open_own(Index::new(index), owner, &mut dropped);
            assert_eq!(opened, opening, "{index}: {owner}");
            sessions.check();
        }
        assert_eq!(dropped, [session(1), session(4)]);
        assert!(sessions.open.range(..).map(|(id, _)| *id).eq([session(3), session(6)]));
        assert_eq!(run(&mut sessions, 8, place(4, 0, 0)), expired());
    }

    #[test]
    fn a_life_whose_session_expired_may_open_another() {
        let mut sessions = Sessions::new(limits(8, 10, 1000, 5));
        let me = owner(7, 1, 1);
        sessions.open_own(Index::new(1), me, &mut Vec::new());
        assert_eq!(sessions.expire(Index::new(7)), [session(1)]);
        assert!(sessions.by_node.is_empty());
        let opening = sessions.open_own(Index::new(7), me, &mut Vec::new());
        assert_eq!(opening, Opening::Opened(session(7)));
    }

    #[test]
    fn the_digest_follows_any_run_of_commands() {
        let mut sessions = Sessions::new(limits(4, 6, 60, 30));
        let mut draws = Draws::new(2);
        for index in 1..4000 {
            let at = Index::new(index);
            sessions.expire(at);
            match draws.below(8) {
                0 => {
                    let life = u32::try_from(draws.below(5)).expect("less than 5");
                    sessions.open_own(at, owner(draws.below(4), 1, life), &mut Vec::new());
                }
                1 => {
                    sessions.open(at, None, &mut Vec::new());
                }
                _ => {
                    let opened = at.get().saturating_sub(draws.below(12));
                    let sequence = draws.below(12);
                    run(&mut sessions, index, place(opened, sequence, draws.below(12)));
                }
            }
            sessions.spend(&mut draws.below(5));
            sessions.check();
        }
        while sessions.spend(&mut 1) {}
        sessions.check();
    }
}
