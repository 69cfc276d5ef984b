//! The operations of remote maps, executed: calls on outside stores, which whoever leads makes.
//!
//! An operation is queued by its entry in the log, and ended by a later one that carries its outcome. In
//! between, the leader calls the outside store, one operation of each map at a time and in the order of
//! the log, and puts what comes of it into its own log. A call that is not answered for, or is turned
//! away, is made again, with ever longer pauses, and never becomes a failure: nobody knows whether it
//! took effect. An outcome that the log has no room for at the moment is kept and proposed again; the
//! operation is not executed anew.
//!
//! Only a leader that has applied the entry which opened its term makes calls. By then it has applied
//! every outcome that an earlier leader committed, so it begins where they ended, and repeats at most
//! the one operation of each map whose outcome had not been committed; the outside store tells such a
//! repetition by its [`Fence`]. A leader that is deposed forgets its calls. They may still take effect
//! until the next leader's first call reaches the store, and none after that.
//!
//! All of it goes on when the leader has closed the map or was stopped: the operations are the group's.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::bytes::Bytes;
use crate::config::Config;
use crate::event::Event;
use crate::io::Output;
use crate::raft::Raft;
use crate::remote_call::{Calls, Fence, RemoteResult, RemoteWork};
use crate::store::{CollectionRef, Command, Name, RemoteAnswer, RemoteOutcome, Store};
use crate::types::{Index, RemoteCallId, Term};

/// What a leader has under way with outside stores.
#[derive(Debug)]
pub(crate) struct Execution {
    limits: Limits,
    /// The term in which the attempts are made; none while this node may make none.
    term: Option<Term>,
    /// At most one for each map with operations in its queue.
    attempts: BTreeMap<Name, Attempt>,
    under_way: BTreeMap<RemoteCallId, Name>,
    outputs: Vec<Output>,
    repeated: u64,
    refused: u64,
}

#[derive(Debug)]
struct Limits {
    pause: u64,
    longest_pause: u64,
    entry_bytes: u64,
}

/// The first operation in the queue of one map, on its way to its end.
#[derive(Debug)]
struct Attempt {
    operation: Index,
    stage: Stage,
    /// How long the next pause is.
    pause: u64,
}

#[derive(Debug)]
enum Stage {
    /// It is to be called.
    New,
    Called(RemoteCallId),
    /// It was called in vain, and is to be called again then.
    Pausing {
        until: u64,
    },
    /// It has ended. The command that says so is to be proposed then.
    Ended {
        command: Bytes,
        until: u64,
    },
    /// That command stands in this leader's log. It will be applied, or this node does not lead any more.
    Proposed,
}

impl Execution {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            limits: Limits {
                pause: config.remote_retry.get(),
                longest_pause: config.max_remote_retry.get().max(config.remote_retry.get()),
                entry_bytes: config.max_entry_bytes,
            },
            term: None,
            attempts: BTreeMap::new(),
            under_way: BTreeMap::new(),
            outputs: Vec::new(),
            repeated: 0,
            refused: 0,
        }
    }

    /// Makes the calls and proposes the outcomes that are due, if this node `may` and leads.
    pub(crate) fn advance(
        &mut self,
        raft: &mut Raft,
        (store, applied): (&Store, Index),
        calls: &mut Calls,
        (now, may): (u64, bool),
    ) {
        let leads = raft.leads().filter(|(_, first)| may && applied >= *first);
        let term = leads.map(|(term, _)| term);
        if self.term != term {
            self.attempts.clear();
            self.under_way.clear();
            self.term = term;
        }
        let Some(term) = term else { return };
        self.forget_ended(store);
        for map in store.remote_maps_at_work() {
            let Some(operation) = store.first_queued_index(map) else { continue };
            let pause = self.limits.pause;
            let attempt = self.attempts.entry(map.clone()).or_insert(Attempt {
                operation,
                stage: Stage::New,
                pause,
            });
            match &attempt.stage {
                Stage::New => self.call(map, (raft, term), store, calls),
                Stage::Pausing { until } if *until <= now => {
                    self.repeated += 1;
                    self.call(map, (raft, term), store, calls);
                }
                Stage::Ended { until, .. } if *until <= now => self.propose(map, raft, now),
                Stage::Called(_)
                | Stage::Pausing { .. }
                | Stage::Ended { .. }
                | Stage::Proposed => {}
            }
        }
    }

    /// A call has been answered for.
    pub(crate) fn on_result(
        &mut self,
        call: RemoteCallId,
        result: RemoteResult,
        (raft, store): (&Raft, &Store),
        now: u64,
    ) {
        let Some(map) = self.under_way.remove(&call) else { return self.ignore(call) };
        let Some(attempt) = self.attempts.get_mut(&map) else { return self.ignore(call) };
        let operation = attempt.operation;
        match result {
            RemoteResult::Ended(outcome) if may_end(store, &map, operation, &outcome) => {
                let command = self.end(&map, operation, outcome, raft.version());
                if let Some(attempt) = self.attempts.get_mut(&map) {
                    attempt.stage = Stage::Ended { command, until: now };
                    attempt.pause = self.limits.pause;
                }
                return;
            }
            RemoteResult::Refused(because) => {
                self.refused += 1;
                let collection = map.as_str().to_owned();
                let event = Event::RemoteRefused { collection, operation, because };
                self.outputs.push(Output::Event(event));
            }
            RemoteResult::Ended(_) | RemoteResult::Read { .. } => self.ignore(call),
            RemoteResult::Unanswered => {}
        }
        if let Some(attempt) = self.attempts.get_mut(&map) {
            let until = attempt.pause(now, self.limits.longest_pause);
            attempt.stage = Stage::Pausing { until };
        }
    }

    pub(crate) fn next_alarm(&self) -> u64 {
        let alarms = self.attempts.values().map(|attempt| match attempt.stage {
            Stage::New | Stage::Called(_) | Stage::Proposed => u64::MAX,
            Stage::Pausing { until } | Stage::Ended { until, .. } => until,
        });
        alarms.min().unwrap_or(u64::MAX)
    }

    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        core::mem::take(&mut self.outputs)
    }

    /// How many calls are under way.
    pub(crate) fn len(&self) -> u64 {
        self.under_way.len() as u64
    }

    pub(crate) fn repeated(&self) -> u64 {
        self.repeated
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// An operation that is not the first of its queue any more has come to its end.
    fn forget_ended(&mut self, store: &Store) {
        let under_way = &mut self.under_way;
        self.attempts.retain(|map, attempt| {
            let waits = store.first_queued_index(map) == Some(attempt.operation);
            if let (Stage::Called(call), false) = (&attempt.stage, waits) {
                under_way.remove(call);
            }
            waits
        });
    }

    fn call(&mut self, map: &Name, (raft, term): (&Raft, Term), store: &Store, calls: &mut Calls) {
        let Some(attempt) = self.attempts.get_mut(map) else { return };
        let (index, queued) = store.first_queued(map).expect("an attempt is at the first queued");
        let progress = store.collection(map.as_str()).map(CollectionRef::progress);
        let progress = progress.expect("a map with a queue is there");
        let fence = Fence {
            group: raft.group().expect("a leader has a group"),
            term,
            index,
            previous: progress.executed,
            adopt: index <= progress.adopted,
        };
        let work = RemoteWork::Execute { fence, operation: queued.operation };
        let call = calls.make(map.clone(), work);
        attempt.stage = Stage::Called(call.id);
        self.under_way.insert(call.id, map.clone());
        self.outputs.push(Output::Remote(call));
    }

    fn propose(&mut self, map: &Name, raft: &mut Raft, now: u64) {
        let Some(attempt) = self.attempts.get_mut(map) else { return };
        let Stage::Ended { command, .. } = &attempt.stage else { return };
        let command = command.clone();
        if raft.propose_own(command.clone()) {
            attempt.stage = Stage::Proposed;
        } else {
            let until = attempt.pause(now, self.limits.longest_pause);
            attempt.stage = Stage::Ended { command, until };
        }
    }

    /// The command that ends an operation so, as far as an entry may tell it.
    fn end(&self, map: &Name, operation: Index, outcome: RemoteOutcome, version: u8) -> Bytes {
        let encode = |outcome: &RemoteOutcome| {
            let (name, outcome) = (map.clone(), outcome.clone());
            Command::EndRemote { name, operation, outcome }.encode(version)
        };
        let whole = encode(&outcome);
        let over = whole.len_u64().saturating_sub(self.limits.entry_bytes);
        if over == 0 {
            return whole;
        }
        encode(&match outcome {
            RemoteOutcome::Done(answer) => {
                RemoteOutcome::Done(RemoteAnswer::TooLarge { bytes: answer.size() })
            }
            RemoteOutcome::Failed(error) => RemoteOutcome::Failed(error.shortened(over)),
        })
    }

    fn ignore(&mut self, call: RemoteCallId) {
        self.outputs.push(Output::Event(Event::RemoteResultIgnored { call }));
    }
}

impl Attempt {
    /// Until when to wait; the next time twice as long.
    fn pause(&mut self, now: u64, longest: u64) -> u64 {
        let until = now.saturating_add(self.pause);
        self.pause = self.pause.saturating_mul(2).min(longest);
        until
    }
}

/// Whether the operation, the first in its queue, can end so.
fn may_end(store: &Store, map: &Name, operation: Index, outcome: &RemoteOutcome) -> bool {
    let first = store.first_queued(map).filter(|(index, _)| *index == operation);
    first.is_some_and(|(_, queued)| match outcome {
        RemoteOutcome::Done(answer) => queued.operation.may_answer(answer),
        RemoteOutcome::Failed(_) => true,
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::config::{Birth, RemoteQueueLimits, SessionLimits};
    use crate::remote_call::RemoteCall;
    use crate::store::{CollectionCommand, Operation, RemoteCommand, RemoteOperation, StoreError};
    use crate::types::{Identity, Incarnation, Life, NodeId, Peer, Sequence, SessionId, Ticks};

    fn config() -> Config {
        let mut config = Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found);
        config.remote_retry = Ticks::new(3);
        config
    }

    /// The leader of a group of one.
    fn leader() -> Raft {
        let mut raft = Raft::new(config());
        for now in 0..100 {
            raft.tick(now);
            while let Some(write) = raft.flush() {
                raft.on_persisted(write.id());
            }
        }
        assert!(raft.leads().is_some());
        raft
    }

    /// A state in which a map has one operation in its queue.
    fn queued() -> Store {
        let mut store = Store::new();
        store.found(SessionLimits::default(), RemoteQueueLimits::default());
        let peer = Peer { id: NodeId::new(1), incarnation: Incarnation::new(1) };
        let owner = Identity { peer, life: Life::FIRST };
        store.apply(Index::new(3), Command::OpenSession { owner });
        let command = RemoteCommand::Run { operation: RemoteOperation::Clear, events: false };
        let name = Name::new("m").expect("short");
        let command = CollectionCommand::RemoteMap(command);
        let operation = Operation::Collection { name, command };
        let (session, sequence) = (SessionId::new(Index::new(3)), Sequence::new(1));
        let command = Command::Execute { session, sequence, answered_below: sequence, operation };
        store.apply(Index::new(4), command);
        store
    }

    struct Driver {
        execution: Execution,
        raft: Raft,
        store: Store,
        calls: Calls,
    }

    impl Driver {
        fn new() -> Self {
            let (execution, raft) = (Execution::new(&config()), leader());
            Self { execution, raft, store: queued(), calls: Calls::default() }
        }

        fn advance(&mut self, now: u64, may: bool) -> Vec<Output> {
            let state = (&self.store, Index::new(4));
            self.execution.advance(&mut self.raft, state, &mut self.calls, (now, may));
            self.execution.take_outputs()
        }

        fn result(&mut self, call: RemoteCallId, result: RemoteResult, now: u64) -> Vec<Output> {
            self.execution.on_result(call, result, (&self.raft, &self.store), now);
            self.execution.take_outputs()
        }
    }

    fn only(outputs: &[Output]) -> &RemoteCall {
        match outputs {
            [Output::Remote(call)] => call,
            outputs => panic!("{outputs:?}"),
        }
    }

    #[test]
    fn a_node_that_has_halted_makes_no_calls_and_forgets_those_it_made() {
        let mut driver = Driver::new();
        assert_eq!(driver.advance(0, false), []);
        let first = only(&driver.advance(1, true)).id;
        assert_eq!((driver.advance(2, true), driver.execution.len()), (vec![], 1));
        assert_eq!((driver.advance(3, false), driver.execution.len()), (vec![], 0));
        let ended = RemoteResult::Ended(RemoteOutcome::Done(RemoteAnswer::Count(1)));
        let ignored = Output::Event(Event::RemoteResultIgnored { call: first });
        assert_eq!(driver.result(first, ended, 4), [ignored]);
        assert_ne!(only(&driver.advance(5, true)).id, first);
    }

    #[test]
    fn an_outcome_is_proposed_once() {
        let mut driver = Driver::new();
        let call = only(&driver.advance(0, true)).id;
        let last = driver.raft.last().index;
        let failed = RemoteResult::Ended(RemoteOutcome::Failed(StoreError::new("full")));
        assert_eq!(driver.result(call, failed, 1), []);
        assert_eq!(driver.execution.next_alarm(), 1);
        for now in 1..20 {
            assert_eq!(driver.advance(now, true), []);
            assert_eq!(driver.raft.last().index, last.next());
        }
        assert_eq!(driver.execution.next_alarm(), u64::MAX, "it waits to be applied");
    }

    #[test]
    fn an_operation_that_has_ended_is_not_called_for_again() {
        let mut driver = Driver::new();
        let call = only(&driver.advance(0, true)).id;
        assert_eq!(driver.result(call, RemoteResult::Unanswered, 1), []);
        assert_eq!(driver.execution.next_alarm(), 4);
        let (name, operation) = (Name::new("m").expect("short"), Index::new(4));
        let outcome = RemoteOutcome::Done(RemoteAnswer::Count(1));
        driver.store.apply(Index::new(5), Command::EndRemote { name, operation, outcome });
        assert_eq!(driver.advance(9, true), []);
        assert_eq!(driver.execution.next_alarm(), u64::MAX);
    }
}
