//! Pending requests: each gets exactly one reply, and the truth.
//!
//! A command is wrapped into a session and handed to the leader as a *copy*; when this node applies
//! it, wherever in the log it came to stand, the request is answered. Copies may be lost, and the
//! leader may change, so a request is handed over again until its time is up: the session makes sure
//! that it takes effect once.
//!
//! What a request may be told when its time is up depends on its copies. If none can come to stand in
//! the log any more, it was *not executed*: none was handed over, or the leader refused it, or another
//! entry is committed where it stood. A truncation proves nothing, since a third node may still hold
//! the entry and commit it. In all other cases the outcome is *unknown*.
//!
//! An event that is published goes to its subscribers and not to the leader ([`publishing`]).
//!
//! Each life of a node opens a session for its own requests when the first of them comes. If the
//! group drops that session, whatever of it has not been applied by then never will be, and goes again
//! in a new one.

mod closing;
mod copies;
mod ends;
mod handing_over;
mod own_session;
mod publishing;
mod queued;
mod remote_reads;
mod split;
mod upkeep;
mod waiting;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::config::Config;
use crate::delivery::Links;
use crate::event::Event;
use crate::io::{NotExecuted, Outcome, Output, Place, RemoteRead, Reply, Request, Upkeep, What};
use crate::raft::{Notice, Raft};
use crate::store::{CollectionCommand, Effect, Name, Operation, Query, Store};
use crate::types::{EntryId, Identity, Index, NodeId, RequestId, Sequence, SessionId};
use copies::Copies;
use own_session::OwnSession;
use publishing::Publishing;
use remote_reads::{RemoteReads, Stage};
use split::{BulkLimits, Split};

/// The requests of one life that have no reply yet.
#[derive(Debug)]
pub(crate) struct Requests {
    me: Identity,
    limits: Limits,
    pending: BTreeMap<Ask, Pending>,
    ids: BTreeMap<RequestId, Ask>,
    bytes: u64,
    session: OwnSession,
    /// Who waits for a command of that session to be applied.
    places: BTreeMap<(SessionId, Sequence), BTreeSet<Ask>>,
    /// Who sent the copy, or asked for the read, of that number.
    numbers: BTreeMap<u64, Ask>,
    /// Whose copy stands at that index, if the entry there is of that term.
    standing: BTreeSet<(Index, Ask)>,
    /// Who may read once that index is applied.
    readable: BTreeSet<(Index, Ask)>,
    /// Who waits for the operation of that index on a remote map.
    queued: BTreeSet<(Index, Ask)>,
    remote_reads: RemoteReads,
    /// What those who publish wait to be answered.
    links: Links<Ask>,
    /// Collections that this node does not use.
    closed: BTreeSet<Name>,
    stopped: bool,
    /// How this node is to stand to its group, as was asked last.
    wish: Option<Upkeep>,
    /// To be handed over at the end of the step.
    unsent: BTreeSet<Ask>,
    /// Publishes that came before this node can tell who subscribed. They go before any that comes later.
    muted: BTreeSet<Ask>,
    applied: Index,
    alarms: BTreeSet<(u64, Ask)>,
    next_ask: u64,
    next_number: u64,
    outputs: Vec<Output>,
    refused_busy: u64,
    tally: publishing::Tally,
}

/// A request in the order of its coming; 0 is the opening of this life's own session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ask(u64);

#[derive(Debug)]
struct Limits {
    requests: u64,
    bytes: u64,
    entry_bytes: u64,
    timeout: u64,
    retry: u64,
    remote_retry: u64,
    max_remote_retry: u64,
    bulk: BulkLimits,
}

#[derive(Debug)]
struct Pending {
    id: RequestId,
    deadline: u64,
    retry: Option<u64>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Command {
        operation: Operation,
        place: Option<Place>,
        own: bool,
        bytes: u64,
        copies: Copies,
        /// The operation that it is, once it stands in the queue of a remote map: no copy is handed over
        /// any more.
        queued: Option<Index>,
        /// What comes after it, of a call that is run as several commands.
        split: Option<Box<Split>>,
    },
    /// Once `ready`, it waits only for that index to be applied.
    Read {
        query: Query,
        /// Whether this node must be a member first.
        as_member: bool,
        number: Option<u64>,
        ready: Option<Index>,
    },
    RemoteRead {
        read: RemoteRead,
        stage: Stage,
        /// How long to wait before a call on the outside store is made again.
        pause: u64,
    },
    Upkeep {
        upkeep: Upkeep,
        number: Option<u64>,
        /// An asking went out and was not answered: it may have done something.
        doubtful: bool,
        /// Who led when it was asked.
        led_by: Option<NodeId>,
    },
    Publish(Publishing),
}

impl Requests {
    pub(crate) fn new(config: &Config, me: Identity) -> Self {
        Self {
            me,
            limits: Limits {
                requests: config.max_pending_requests,
                bytes: config.max_pending_bytes,
                entry_bytes: config.max_entry_bytes,
                timeout: config.request_timeout.get(),
                retry: config.election_timeout.get(),
                remote_retry: config.remote_retry.get(),
                max_remote_retry: config.max_remote_retry.get().max(config.remote_retry.get()),
                bulk: BulkLimits { keys: config.max_keys, values: config.max_values },
            },
            pending: BTreeMap::new(),
            ids: BTreeMap::new(),
            bytes: 0,
            session: OwnSession::Closed,
            places: BTreeMap::new(),
            numbers: BTreeMap::new(),
            standing: BTreeSet::new(),
            readable: BTreeSet::new(),
            queued: BTreeSet::new(),
            remote_reads: RemoteReads::default(),
            links: Links::new(config),
            closed: BTreeSet::new(),
            stopped: false,
            wish: None,
            unsent: BTreeSet::new(),
            muted: BTreeSet::new(),
            applied: Index::ZERO,
            alarms: BTreeSet::new(),
            next_ask: 1,
            next_number: 1,
            outputs: Vec::new(),
            refused_busy: 0,
            tally: publishing::Tally::default(),
        }
    }

    // --- what happens -----------------------------------------------------------------------------

    /// The application asks.
    pub(crate) fn on_request(
        &mut self,
        (id, request): (RequestId, Request),
        store: &Store,
        now: u64,
        halted: bool,
    ) {
        if self.ids.contains_key(&id) {
            self.outputs.push(Output::Event(Event::RequestIdInUse { id }));
            return;
        }
        let Request { what, timeout } = request;
        if halted && !matches!(what, What::Upkeep(_) | What::Local(_)) {
            let outcome = Outcome::NotExecuted(NotExecuted::Halted);
            return self.outputs.push(Output::Reply(Reply { id, outcome }));
        }
        if let Some(because) = self.closed_for(&what) {
            let outcome = Outcome::NotExecuted(because);
            return self.outputs.push(Output::Reply(Reply { id, outcome }));
        }
        let kind = match what {
            What::Local(local) => return self.on_local(id, local, store),
            What::Command { operation, place } => match self.limits.bulk.exceeded_by(&operation) {
                None => Kind::command(operation, place),
                Some((_, limit)) if place.is_none() => Kind::bulk(operation, limit),
                Some((count, limit)) => {
                    let because = NotExecuted::TooMany { count, limit };
                    let outcome = Outcome::NotExecuted(because);
                    return self.outputs.push(Output::Reply(Reply { id, outcome }));
                }
            },
            What::Subscription { emitter, change, place } => {
                let subscriber = self.me.peer;
                let command = CollectionCommand::Emitter { subscriber, change };
                Kind::command(Operation::Collection { name: emitter, command }, place)
            }
            What::Read(query) => Kind::Read { query, as_member: false, number: None, ready: None },
            What::Ready(query) => Kind::Read { query, as_member: true, number: None, ready: None },
            What::RemoteRead(read) => Kind::remote_read(read, self.limits.remote_retry),
            What::Publish(publish) => Kind::Publish(Publishing::new(publish)),
            What::Upkeep(upkeep) => {
                Kind::Upkeep { upkeep, number: None, doubtful: false, led_by: None }
            }
        };
        let ticks = timeout.map_or(self.limits.timeout, |ticks| ticks.get());
        self.admit(id, kind, now.saturating_add(ticks));
    }

    /// Takes a request up, unless there are too many.
    fn admit(&mut self, id: RequestId, kind: Kind, deadline: u64) {
        let (count, bytes) = (self.pending.len() as u64, kind.bytes());
        let full = count >= self.limits.requests
            || (self.bytes > 0 && self.bytes.saturating_add(bytes) > self.limits.bytes)
            || (matches!(kind, Kind::RemoteRead { .. }) && self.has_too_many_calls());
        if full {
            return self.turn_away(id);
        }
        let ask = Ask(self.next_ask);
        self.next_ask += 1;
        if let Kind::Upkeep { upkeep, .. } = &kind
            && upkeep.is_wish()
        {
            self.wish = Some(upkeep.clone());
        }
        if let Some(place) = kind.place() {
            self.wait_at(place, ask);
        }
        self.bytes += bytes;
        self.ids.insert(id, ask);
        self.pending.insert(ask, Pending { id, deadline, retry: None, kind });
        self.alarms.insert((deadline, ask));
        self.unsent.insert(ask);
    }

    pub(crate) fn on_notice(&mut self, notice: Notice, raft: &Raft, now: u64) {
        match notice {
            Notice::LeaderChanged => {
                self.on_leader_changed(raft);
                self.hand_over_again(now);
            }
            Notice::MembersChanged => self.on_members_changed(raft),
            Notice::PeerStarted { peer } => self.on_peer_started(peer, now),
            Notice::TaskAnswered { number, outcome } => {
                if let Some(ask) = self.numbers.remove(&number) {
                    self.on_task_answered(ask, outcome, now);
                }
            }
            Notice::ReadAnswered { read, index } => {
                if let Some(ask) = self.numbers.remove(&read) {
                    self.on_read_answered(ask, index);
                }
            }
            Notice::ProposeAnswered { number, outcome } => {
                if let Some(ask) = self.numbers.remove(&number) {
                    self.on_answer(ask, number, outcome, now);
                }
            }
        }
    }

    pub(crate) fn on_tick(&mut self, now: u64, raft: &Raft) {
        while let Some(&(at, ask)) = self.alarms.first() {
            if at > now {
                break;
            }
            self.alarms.pop_first();
            if self.pending.get(&ask).is_some_and(|pending| pending.deadline <= now) {
                self.give_up(ask, raft);
            } else {
                self.set_retry(ask, None);
                self.unsent.insert(ask);
            }
        }
    }

    /// An entry was applied, with this effect if it carried a command.
    pub(crate) fn on_applied(&mut self, entry: EntryId, effect: Option<&Effect>) {
        match effect {
            Some(Effect::Opened { owner, session }) if *owner == self.me => {
                self.on_session_opened(*session);
            }
            Some(Effect::Executed { place, outcome, .. }) => self.on_executed(*place, outcome),
            Some(Effect::Queued { place, operation, .. }) => self.on_queued(*place, *operation),
            Some(Effect::Ended { operation, outcome }) => self.on_ended(*operation, outcome),
            Some(
                Effect::Opened { .. } | Effect::Superseded { .. } | Effect::EndedBefore { .. },
            )
            | None => {}
        }
        self.on_superseded(entry);
    }

    /// A command of this place came to its end: all who wait there are answered.
    fn on_executed(&mut self, place: Place, outcome: &Outcome) {
        let key = (place.session, place.sequence);
        for ask in self.places.get(&key).cloned().unwrap_or_default() {
            // What is outside its session's window is refused by what it says itself, and leaves its
            // number free: one sent later under that number is another command. A node that starts
            // again applies the first while the second waits.
            let refused = matches!(outcome, Outcome::Refused { .. });
            let waits = self.pending.get(&ask).and_then(|pending| pending.kind.place());
            if (!refused || waits == Some(place)) && !self.is_queued(ask) {
                self.finish(ask, outcome.clone());
            }
        }
    }

    /// Answers the reads that `applied` is far enough for.
    pub(crate) fn serve_reads(&mut self, applied: Index, store: &Store) {
        while let Some(&(index, ask)) = self.readable.first() {
            if index > applied {
                break;
            }
            self.readable.pop_first();
            match self.pending.get(&ask).map(|pending| &pending.kind) {
                Some(Kind::Read { query, .. }) => {
                    let outcome = match store.query(query) {
                        Ok(answer) => Outcome::Done { index: applied, answer },
                        Err(because) => Outcome::Refused { index: applied, because },
                    };
                    self.finish(ask, outcome);
                }
                Some(Kind::RemoteRead { .. }) => self.follow_operations(ask, index),
                Some(Kind::Command { .. } | Kind::Upkeep { .. } | Kind::Publish(_)) | None => {}
            }
        }
    }

    /// Hands over what waits for it.
    pub(crate) fn hand_over(&mut self, raft: &mut Raft, store: &Store, now: u64) {
        if self.knows_subscribers(raft) {
            self.unsent.append(&mut self.muted);
        }
        while let Some(ask) = self.unsent.pop_first() {
            if ask == Ask::SESSION {
                self.hand_over_opening(raft, now);
                continue;
            }
            match self.pending.get(&ask).map(|pending| &pending.kind) {
                // It goes when this node is a member.
                Some(Kind::Read { as_member: true, .. }) if raft.member_by().is_none() => {}
                Some(Kind::Read { ready: None, .. }) => self.hand_over_read(ask, raft, now),
                Some(Kind::Read { ready: Some(_), .. } | Kind::Command { queued: Some(_), .. })
                | None => {}
                Some(Kind::RemoteRead { .. }) => self.hand_over_remote_read(ask, raft, now),
                Some(Kind::Upkeep { .. }) => self.hand_over_upkeep(ask, raft, now),
                Some(Kind::Command { .. }) => self.hand_over_command(ask, raft, store, now),
                Some(Kind::Publish(_)) => self.hand_over_publish(ask, raft, store, now),
            }
        }
        self.send_offers(raft);
    }

    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        core::mem::take(&mut self.outputs)
    }

    pub(crate) fn next_alarm(&self) -> u64 {
        self.alarms.first().map_or(u64::MAX, |(at, _)| *at)
    }

    pub(crate) fn len(&self) -> u64 {
        self.pending.len() as u64
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn refused_busy(&self) -> u64 {
        self.refused_busy
    }
}

impl Ask {
    const SESSION: Self = Self(0);
}

impl Pending {
    fn is_own(&self) -> bool {
        matches!(self.kind, Kind::Command { own: true, .. })
    }
}

impl Kind {
    fn command(operation: Operation, place: Option<Place>) -> Self {
        let (bytes, own) = (operation.size(), place.is_none());
        let copies = Copies::None;
        Self::Command { operation, place, own, bytes, copies, queued: None, split: None }
    }

    /// A command of this life's own session, of which a part is run after the other.
    fn bulk(operation: Operation, limit: u64) -> Self {
        let bytes = operation.size();
        let (operation, split) = Split::new(operation, limit);
        let (copies, split) = (Copies::None, Some(split));
        Self::Command { operation, place: None, own: true, bytes, copies, queued: None, split }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Command { bytes, .. } => *bytes,
            Self::Read { query, .. } => query.size(),
            Self::RemoteRead { read, .. } => read.size(),
            Self::Upkeep { upkeep, .. } => upkeep.size(),
            Self::Publish(publishing) => publishing.size(),
        }
    }

    fn place(&self) -> Option<Place> {
        match self {
            Self::Command { place, .. } => *place,
            Self::Read { .. }
            | Self::RemoteRead { .. }
            | Self::Upkeep { .. }
            | Self::Publish(_) => None,
        }
    }
}
