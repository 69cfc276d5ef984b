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
//! repetition by its [`Fence`]. A leader that is deposed waits for its calls no longer. They may still take effect
//! until the next leader's first call reaches the store, and none after that.
//!
//! All of it goes on when the leader has closed the map or was stopped: the operations are the group's.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
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
    /// All operations in the queues up to here have been looked at in this term.
    seen: Index,
    /// At most one for each map, by its operation.
    attempts: BTreeMap<Index, Attempt>,
    /// Which of them are to be called then, and which have ended and are to be proposed then.
    to_call: BTreeSet<(u64, Index)>,
    to_propose: BTreeSet<(u64, Index)>,
    /// The calls that were made, in this term or before, and not answered for, and the operations which
    /// still wait for them.
    under_way: BTreeMap<RemoteCallId, Option<Index>>,
    outputs: Vec<Output>,
    repeated: u64,
    refused: u64,
}

#[derive(Debug)]
struct Limits {
    pause: u64,
    longest_pause: u64,
    calls: u64,
    entry_bytes: u64,
    step_bytes: u64,
}

/// The first operation in the queue of one map, on its way to its end.
#[derive(Debug)]
struct Attempt {
    map: Name,
    stage: Stage,
    /// How long the next pause is.
    pause: u64,
}

#[derive(Debug)]
enum Stage {
    /// It is to be called then: for the first time, or again.
    ToCall {
        at: u64,
        again: bool,
    },
    Called(RemoteCallId),
    /// It has ended. The command that says so is to be proposed then.
    Ended {
        command: Bytes,
        at: u64,
    },
    /// That command stands in this leader's log. It will be applied, or this node does not lead any more.
    Proposed,
}

/// What it costs of a step's budget to look at an operation, besides its bytes.
const LOOKING_COST: u64 = 64;

impl Execution {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            limits: Limits {
                pause: config.remote_retry.get(),
                longest_pause: config.max_remote_retry.get().max(config.remote_retry.get()),
                calls: config.max_remote_calls,
                entry_bytes: config.max_entry_bytes,
                step_bytes: config.step_budget_bytes,
            },
            term: None,
            seen: Index::ZERO,
            attempts: BTreeMap::new(),
            to_call: BTreeSet::new(),
            to_propose: BTreeSet::new(),
            under_way: BTreeMap::new(),
            outputs: Vec::new(),
            repeated: 0,
            refused: 0,
        }
    }

    /// Makes the calls and proposes the outcomes that are due, if this node `may` and leads: of either, and
    /// of what has been queued, as far as the step's budget reaches.
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
            self.begin(term);
        }
        let Some(term) = term else { return };
        self.look(store, now);
        let mut budget = self.limits.step_bytes;
        while budget > 0
            && let Some(operation) = self.next_to_propose(now)
        {
            self.propose(&mut budget, operation, raft, now);
        }
        let mut budget = self.limits.step_bytes;
        while budget > 0
            && let Some(operation) = self.next_to_call(now)
        {
            self.call(&mut budget, operation, (raft, term), store, calls);
        }
    }

    /// An operation has come to its end: the next of its map is the first.
    pub(crate) fn on_ended(&mut self, operation: Index, store: &Store, now: u64) {
        let Some(attempt) = self.attempts.remove(&operation) else { return };
        match attempt.stage {
            Stage::ToCall { at, .. } => drop(self.to_call.remove(&(at, operation))),
            Stage::Called(call) => drop(self.under_way.get_mut(&call).map(Option::take)),
            Stage::Ended { at, .. } => drop(self.to_propose.remove(&(at, operation))),
            Stage::Proposed => {}
        }
        if let Some(next) = store.first_queued_index(&attempt.map) {
            self.attempt(next, attempt.map, now);
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
        let Some(operation) = self.under_way.remove(&call).flatten() else {
            return self.ignore(call);
        };
        let Some(attempt) = self.attempts.get_mut(&operation) else { return self.ignore(call) };
        match result {
            RemoteResult::Ended(outcome) if may_end(store, &attempt.map, operation, &outcome) => {
                let command = self.limits.end(&attempt.map, operation, outcome, raft.version());
                attempt.stage = Stage::Ended { command, at: now };
                attempt.pause = self.limits.pause;
                self.to_propose.insert((now, operation));
                return;
            }
            RemoteResult::Refused(because) => {
                self.refused += 1;
                let collection = attempt.map.as_str().to_owned();
                let operation = Some(operation);
                let event = Event::RemoteRefused { collection, operation, because };
                self.outputs.push(Output::Event(event));
            }
            RemoteResult::Ended(_) | RemoteResult::Read { .. } => self.ignore(call),
            RemoteResult::Unanswered => {}
        }
        if let Some(attempt) = self.attempts.get_mut(&operation) {
            let at = attempt.pause(now, self.limits.longest_pause);
            attempt.stage = Stage::ToCall { at, again: true };
            self.to_call.insert((at, operation));
        }
    }

    /// Whether another step would go on with something.
    pub(crate) fn has_work_left(&self, store: &Store, now: u64) -> bool {
        self.term.is_some() && store.next_queued(self.seen).is_some()
            || self.next_to_propose(now).is_some()
            || self.next_to_call(now).is_some()
    }

    pub(crate) fn next_alarm(&self) -> u64 {
        let call = self.to_call.first().filter(|_| self.may_call());
        let alarms = call.into_iter().chain(self.to_propose.first());
        alarms.map(|(at, _)| *at).min().unwrap_or(u64::MAX)
    }

    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        core::mem::take(&mut self.outputs)
    }

    /// How many calls have not been answered for.
    pub(crate) fn len(&self) -> u64 {
        self.under_way.len() as u64
    }

    pub(crate) fn repeated(&self) -> u64 {
        self.repeated
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// This node takes office, or has no office any more.
    fn begin(&mut self, term: Option<Term>) {
        self.term = term;
        self.seen = Index::ZERO;
        self.attempts.clear();
        self.to_call.clear();
        self.to_propose.clear();
        self.under_way.values_mut().for_each(|operation| *operation = None);
    }

    /// Looks at operations that were queued since, for those that are the first of their maps.
    fn look(&mut self, store: &Store, now: u64) {
        let mut budget = self.limits.step_bytes;
        while budget > 0
            && let Some((operation, map)) = store.next_queued(self.seen)
        {
            budget = budget.saturating_sub(LOOKING_COST);
            self.seen = operation;
            if store.first_queued_index(map) == Some(operation) {
                self.attempt(operation, map.clone(), now);
            }
        }
    }

    /// Begins with the first operation of a map, if that is not done already.
    fn attempt(&mut self, operation: Index, map: Name, now: u64) {
        let pause = self.limits.pause;
        self.attempts.entry(operation).or_insert_with(|| {
            self.to_call.insert((now, operation));
            Attempt { map, stage: Stage::ToCall { at: now, again: false }, pause }
        });
    }

    fn may_call(&self) -> bool {
        self.len() < self.limits.calls
    }

    fn next_to_call(&self, now: u64) -> Option<Index> {
        let due = self.to_call.first().filter(|(at, _)| *at <= now && self.may_call());
        due.map(|(_, operation)| *operation)
    }

    fn next_to_propose(&self, now: u64) -> Option<Index> {
        let due = self.to_propose.first().filter(|(at, _)| *at <= now);
        due.map(|(_, operation)| *operation)
    }

    fn call(
        &mut self,
        budget: &mut u64,
        operation: Index,
        (raft, term): (&Raft, Term),
        store: &Store,
        calls: &mut Calls,
    ) {
        self.to_call.pop_first();
        let attempt = self.attempts.get_mut(&operation).expect("what is to be called is attempted");
        let map = &attempt.map;
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
        *budget = budget.saturating_sub(LOOKING_COST + queued.operation.size());
        let work = RemoteWork::Execute { fence, operation: queued.operation };
        let call = calls.make(map.clone(), work);
        self.repeated += u64::from(matches!(attempt.stage, Stage::ToCall { again: true, .. }));
        attempt.stage = Stage::Called(call.id);
        self.under_way.insert(call.id, Some(operation));
        self.outputs.push(Output::Remote(call));
    }

    fn propose(&mut self, budget: &mut u64, operation: Index, raft: &mut Raft, now: u64) {
        self.to_propose.pop_first();
        let attempt = self.attempts.get_mut(&operation).expect("what has ended was attempted");
        let Stage::Ended { command, .. } = &attempt.stage else { return };
        let command = command.clone();
        *budget = budget.saturating_sub(LOOKING_COST + command.len_u64());
        if raft.propose_own(command.clone()) {
            attempt.stage = Stage::Proposed;
        } else {
            let at = attempt.pause(now, self.limits.longest_pause);
            attempt.stage = Stage::Ended { command, at };
            self.to_propose.insert((at, operation));
        }
    }

    fn ignore(&mut self, call: RemoteCallId) {
        self.outputs.push(Output::Event(Event::RemoteResultIgnored { call }));
    }
}

impl Limits {
    /// The command that ends an operation so, as far as an entry may tell it.
    fn end(&self, map: &Name, operation: Index, outcome: RemoteOutcome, version: u8) -> Bytes {
        let encode = |outcome: &RemoteOutcome| {
            let (name, outcome) = (map.clone(), outcome.clone());
            Command::EndRemote { name, operation, outcome }.encode(version)
        };
        let too_large = |bytes| encode(&RemoteOutcome::Done(RemoteAnswer::TooLarge { bytes }));
        // How large an answer is, the store decides: only one that may fit is encoded.
        let bytes = match &outcome {
            RemoteOutcome::Done(answer) => answer.size(),
            RemoteOutcome::Failed(_) => 0,
        };
        if bytes > self.entry_bytes {
            return too_large(bytes);
        }
        let whole = encode(&outcome);
        let over = whole.len_u64().saturating_sub(self.entry_bytes);
        match outcome {
            _ if over == 0 => whole,
            RemoteOutcome::Done(_) => too_large(bytes),
            RemoteOutcome::Failed(error) => encode(&RemoteOutcome::Failed(error.shortened(over))),
        }
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

    /// A state in which each of these maps has one operation in its queue, from index 4 on.
    fn queued(maps: &[&str]) -> Store {
        let mut store = Store::new();
        store.found(SessionLimits::default(), RemoteQueueLimits::default());
        let peer = Peer { id: NodeId::new(1), incarnation: Incarnation::new(1) };
        let owner = Identity { peer, life: Life::FIRST };
        store.apply(Index::new(3), Command::OpenSession { owner });
        for (number, map) in (1..).zip(maps) {
            let command = RemoteCommand::Run { operation: RemoteOperation::Clear, events: false };
            let name = Name::new(map).expect("short");
            let command = CollectionCommand::RemoteMap(command);
            let operation = Operation::Collection { name, command };
            let (session, sequence) = (SessionId::new(Index::new(3)), Sequence::new(number));
            let answered_below = Sequence::new(1);
            let command = Command::Execute { session, sequence, answered_below, operation };
            store.apply(Index::new(3 + number), command);
        }
        store
    }

    struct Driver {
        execution: Execution,
        raft: Raft,
        store: Store,
        calls: Calls,
    }

    impl Driver {
        fn new(maps: &[&str], configure: impl FnOnce(&mut Config)) -> Self {
            let mut config = config();
            configure(&mut config);
            let (execution, raft) = (Execution::new(&config), leader());
            Self { execution, raft, store: queued(maps), calls: Calls::default() }
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

        /// What ends the operation is applied.
        fn end(&mut self, index: u64, map: &str, operation: u64, now: u64) {
            let (name, operation) = (Name::new(map).expect("short"), Index::new(operation));
            let outcome = RemoteOutcome::Done(RemoteAnswer::Count(1));
            self.store.apply(Index::new(index), Command::EndRemote { name, operation, outcome });
            self.execution.on_ended(operation, &self.store, now);
        }

        fn has_work_left(&self, now: u64) -> bool {
            self.execution.has_work_left(&self.store, now)
        }
    }

    const DONE: RemoteResult = RemoteResult::Ended(RemoteOutcome::Done(RemoteAnswer::Count(1)));

    /// The maps that are called for.
    fn called(outputs: &[Output]) -> Vec<&str> {
        let maps = outputs.iter().map(|output| {
            let Output::Remote(call) = output else { panic!("{output:?}") };
            call.map()
        });
        maps.collect()
    }

    fn only(outputs: &[Output]) -> &RemoteCall {
        match outputs {
            [Output::Remote(call)] => call,
            outputs => panic!("{outputs:?}"),
        }
    }

    #[test]
    fn a_node_that_has_halted_makes_no_calls_and_forgets_those_it_made() {
        let mut driver = Driver::new(&["m"], |_| {});
        assert_eq!(driver.advance(0, false), []);
        let first = only(&driver.advance(1, true)).id;
        assert_eq!((driver.advance(2, true), driver.execution.len()), (vec![], 1));
        assert_eq!((driver.advance(3, false), driver.execution.len()), (vec![], 1));
        let ignored = Output::Event(Event::RemoteResultIgnored { call: first });
        assert_eq!(driver.result(first, DONE, 4), vec![ignored.clone()]);
        assert_eq!((driver.result(first, DONE, 4), driver.execution.len()), (vec![ignored], 0));
        assert_ne!(only(&driver.advance(5, true)).id, first);
    }

    #[test]
    fn an_outcome_is_proposed_once() {
        let mut driver = Driver::new(&["m"], |_| {});
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
        let mut driver = Driver::new(&["m"], |_| {});
        let call = only(&driver.advance(0, true)).id;
        assert_eq!(driver.result(call, RemoteResult::Unanswered, 1), []);
        assert_eq!(driver.execution.next_alarm(), 4);
        driver.end(5, "m", 4, 5);
        assert_eq!(driver.advance(9, true), []);
        assert_eq!(driver.execution.next_alarm(), u64::MAX);
    }
    #[test]
    fn what_waits_is_called_for_in_the_order_of_the_log_as_far_as_there_is_room() {
        let maps = ["d", "c", "b", "a"];
        let mut driver = Driver::new(&maps, |config| config.max_remote_calls = 2);
        let first = driver.advance(0, true);
        assert_eq!(called(&first), ["d", "c"]);
        assert_eq!((driver.execution.next_alarm(), driver.has_work_left(0)), (u64::MAX, false));
        let [Output::Remote(of_d), Output::Remote(of_c)] = &first[..] else { unreachable!() };
        // One that was called in vain goes behind those that wait.
        driver.result(of_c.id, RemoteResult::Unanswered, 1);
        assert!(driver.has_work_left(1));
        let of_b = only(&driver.advance(1, true)).clone();
        assert_eq!(of_b.map(), "b");
        driver.result(of_d.id, RemoteResult::Unanswered, 1);
        assert_eq!(called(&driver.advance(4, true)), ["a"]);
        assert_eq!((called(&driver.advance(9, true)).len(), driver.execution.len()), (0, 2));
        driver.result(of_b.id, DONE, 9);
        assert_eq!(called(&driver.advance(9, true)), ["d"], "it has waited longer than any other");
    }

    #[test]
    fn what_was_called_for_in_an_earlier_term_takes_up_room_until_it_is_answered_for() {
        let mut driver = Driver::new(&["m"], |config| config.max_remote_calls = 1);
        let first = only(&driver.advance(0, true)).id;
        assert_eq!(driver.advance(1, false), []);
        assert_eq!((driver.advance(2, true), driver.execution.len()), (vec![], 1));
        assert_eq!((driver.execution.next_alarm(), driver.has_work_left(2)), (u64::MAX, false));
        driver.result(first, DONE, 3);
        assert_eq!(called(&driver.advance(3, true)), ["m"]);
    }

    #[test]
    fn a_step_looks_at_and_calls_for_no_more_than_its_budget_allows() {
        let names: Vec<alloc::string::String> =
            (0..40).map(|at| alloc::format!("{at:02}")).collect();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let mut driver = Driver::new(&names, |config| config.step_budget_bytes = 10 * LOOKING_COST);
        let mut all = Vec::new();
        for step in 1..=10 {
            let outputs = driver.advance(0, true);
            assert!(outputs.len() <= 10, "{outputs:?}");
            all.extend(called(&outputs).into_iter().map(alloc::borrow::ToOwned::to_owned));
            assert_eq!(driver.has_work_left(0), all.len() < 40, "step {step}");
        }
        assert_eq!(all, names);
        // However small the budget: of each kind there is one.
        let mut driver = Driver::new(&["m", "n"], |config| config.step_budget_bytes = 1);
        let of_m = only(&driver.advance(0, true)).id;
        let last = driver.raft.last().index;
        driver.result(of_m, DONE, 0);
        assert_eq!(called(&driver.advance(0, true)), ["n"]);
        assert_eq!((driver.raft.last().index, driver.has_work_left(0)), (last.next(), false));
    }
}
