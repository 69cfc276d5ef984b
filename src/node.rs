//! The node: consensus and the replicated state, joined into one synchronous state machine.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::{Config, ConfigError};
use crate::delivery::Inboxes;
use crate::execution::Execution;
use crate::handle::{
    Collection, Emitter, EmitterView, Map, MapView, Queue, QueueView, Record, RecordView,
    RemoteMap, RemoteMapView,
};
use crate::io::{Input, Output};
use crate::raft::{Notice, Raft};
use crate::remote_call::{Calls, RemoteResult};
use crate::requests::Requests;
use crate::state_machine::StateMachine;
use crate::status::{CollectionStatus, Counters, Load, Status};
use crate::store::{CollectionKind, CollectionRef};
use crate::stored::{RestoreError, Stored};
use crate::types::{Peer, RemoteCallId, Ticks};

/// One member of a group: a synchronous state machine without clock, socket, file or thread.
///
/// Everything that happens to it is an [`Input`]; everything it wants done is an [`Output`]. The
/// same inputs give the same outputs, byte for byte, on every platform.
#[derive(Debug)]
pub struct Node {
    raft: Raft,
    requests: Requests,
    state: StateMachine,
    execution: Execution,
    calls: Calls,
    inboxes: Inboxes,
    now: u64,
    /// Ticks that were fed and have not passed yet.
    owed_ticks: u64,
}

impl Node {
    /// A node that has never been, or has lost what it had stored: a new incarnation.
    ///
    /// The first [`step`](Node::step), whatever its input, asks for the first write. Until that is
    /// confirmed the node neither speaks nor listens.
    ///
    /// # Errors
    /// When the configuration is not valid.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self::around(&config, Raft::new(config.clone())))
    }

    /// Another life of the node whose disk holds `stored`.
    ///
    /// The local views stand at the snapshot, once the first steps have loaded it, until the node learns
    /// anew what is committed ([`Status::ready`](crate::Status)); the events of replayed entries are
    /// emitted again. As with [`new`](Node::new), the first step asks for a write, which replaces the
    /// file.
    ///
    /// # Errors
    /// When the configuration is not valid; or the image is empty, another node's, or of no state a
    /// node can be in; or its disk was shown to have lost what it acknowledged; or this incarnation has
    /// been started too often.
    pub fn restore(config: Config, stored: Stored) -> Result<Self, RestoreError> {
        config.check().map_err(RestoreError::Config)?;
        let peer = stored.peer().ok_or(RestoreError::Empty)?;
        if peer.id != config.id {
            return Err(RestoreError::OtherNode { stored: peer });
        }
        stored.check()?;
        let life = stored.life().checked_next().ok_or(RestoreError::TooManyLives)?;
        Ok(Self::around(&config, Raft::restore(config.clone(), peer, life, stored)))
    }

    /// What is to be restored from after the majority of a group is lost for good: a new group, which
    /// has the state of the old one as far as this node's disk holds it.
    ///
    /// **This is not safe.** What others had and this disk has not is lost, committed or not, and was
    /// acknowledged all the same; what was in this disk's log and never committed becomes so. An operation on
    /// a remote map whose outcome this disk lacks takes effect once more when the new group
    /// [adopts](crate::RemoteMap::adopt) the entries: nobody can tell whether it is the one that the old
    /// group had there. Use it
    /// only when a majority of the disks is gone, on one of the disks that are left, the one whose
    /// [`Stored::last`] has the highest term and then index; everything else that is left of the old
    /// group must be wiped. `members` is this node and, if wished, new incarnations that are waiting to
    /// be taken in; more usually it is this node alone, and others join afterwards.
    ///
    /// # Errors
    /// When the image cannot be restored from, or `members` lacks this node or has more than a group
    /// may.
    pub fn recover(
        stored: Stored,
        members: impl IntoIterator<Item = Peer>,
    ) -> Result<Stored, RestoreError> {
        stored.recover(members)
    }

    fn around(config: &Config, raft: Raft) -> Self {
        Self {
            requests: Requests::new(config, raft.identity()),
            state: StateMachine::new(config),
            execution: Execution::new(config),
            calls: Calls::default(),
            inboxes: Inboxes::new(config),
            raft,
            now: 0,
            owed_ticks: 0,
        }
    }

    /// Takes one input, and tells what is to be done.
    ///
    /// Total: whatever a peer, a disk or a caller hands in, the worst that comes of it is an event
    /// or a reply that says why nothing was done. At most one [`Output::Persist`] comes of an input
    /// other than a tick, and it comes first.
    ///
    /// # Panics
    /// Only when an invariant of the library itself is broken.
    #[must_use]
    pub fn step(&mut self, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        match input {
            Input::Tick(ticks) => return self.tick(ticks),
            Input::Receive(envelope) => self.raft.receive(envelope),
            Input::Persisted(id) => self.raft.on_persisted(id),
            Input::PersistFailed(id) => self.raft.on_persist_failed(id),
            Input::Remote(call, result) => self.on_remote_result(call, result),
            Input::Request(id, request) => {
                let halted = self.state.is_halted();
                let store = self.state.store();
                self.requests.on_request((id, request), store, self.now, halted);
            }
        }
        self.settle(&mut outputs);
        outputs
    }

    /// How many ticks until a tick can have an effect: 0 when work is left over from the last step or
    /// none has been taken yet, [`Ticks::FOREVER`] when only another input can. Until then an embedder may sleep.
    #[must_use]
    pub fn idle_ticks(&self) -> Ticks {
        if self.owed_ticks > 0 { Ticks::ZERO } else { Ticks::new(self.ticks_to_next()) }
    }

    /// A copy of the node's state in numbers.
    #[must_use]
    pub fn status(&self) -> Status {
        let raft = &self.raft;
        Status {
            identity: raft.identity(),
            group: raft.group(),
            role: raft.role(),
            term: raft.term(),
            leader: raft.leader(),
            configuration: Arc::clone(raft.configuration()),
            configuration_index: raft.configuration_index(),
            membership: raft.membership(),
            halted: self.state.is_halted(),
            transferring_to: raft.transferring_to(),
            version: raft.version(),
            snapshot: raft.snapshot(),
            compacted: raft.compacted(),
            last: raft.last(),
            durable: raft.durable(),
            committed: raft.committed(),
            applied: self.state.applied(),
            digest: self.state.store().digest(),
            ready: raft.leader().is_some()
                && raft.caught_up_at().is_some_and(|index| self.state.applied() >= index),
            idle_ticks: self.idle_ticks(),
            load: self.load(),
            counters: self.counters(),
        }
    }

    /// What this node has applied of a map: a local read, which may lag behind the group.
    #[must_use]
    pub fn map<K, V, C>(&self, map: &Map<K, V, C>) -> MapView<'_, K, V, C> {
        MapView::new(self.state.store().collection(map.name()))
    }

    /// How far the operations of a remote map have come, by what this node has applied. Its entries are
    /// in the outside store.
    #[must_use]
    pub fn remote_map<K, V, C>(&self, map: &RemoteMap<K, V, C>) -> RemoteMapView {
        RemoteMapView::new(self.state.store().collection(map.name()))
    }

    /// What this node has applied of a queue: a local read, which may lag behind the group.
    #[must_use]
    pub fn queue<T, C>(&self, queue: &Queue<T, C>) -> QueueView<'_, T, C> {
        QueueView::new(self.state.store().collection(queue.name()))
    }

    /// What this node has applied of a record: a local read, which may lag behind the group.
    #[must_use]
    pub fn record<T>(&self, record: &Record<T>) -> RecordView<'_, T> {
        RecordView::new(self.state.store().collection(record.name()))
    }

    /// The collections there are, by what this node has applied, in the order of their names. O(n) for
    /// all *n*.
    pub fn collections(&self) -> impl Iterator<Item = CollectionStatus<'_>> {
        self.state.store().collections().map(|(name, kind, len)| CollectionStatus {
            name: name.as_str(),
            kind,
            len,
            closed: self.requests.is_closed(name),
        })
    }

    /// The kind of the collection of that name, by what this node has applied; none if there is none.
    /// O(log n).
    #[must_use]
    pub fn exists(&self, name: &str) -> Option<CollectionKind> {
        self.state.store().collection(name).map(CollectionRef::kind)
    }

    /// What this node has applied of an emitter's subscriptions: a local read, which may lag behind the
    /// group.
    #[must_use]
    pub fn emitter<E, M, C>(&self, emitter: &Emitter<E, M, C>) -> EmitterView<'_, E, M, C> {
        EmitterView::new(self.state.store(), emitter.name())
    }

    /// n ticks are n single ones; those at which nothing can happen are passed over together. Once
    /// they have woken the node often, the rest waits.
    fn tick(&mut self, ticks: Ticks) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.owed_ticks = self.owed_ticks.saturating_add(ticks.get()).min(MOST_OWED_TICKS);
        if self.owed_ticks == 0 {
            self.settle(&mut outputs);
        }
        for _ in 0..MOST_WAKES {
            if self.owed_ticks == 0 {
                break;
            }
            let passed = self.ticks_to_next().clamp(1, self.owed_ticks);
            self.owed_ticks -= passed;
            self.now = self.now.saturating_add(passed);
            self.raft.tick(self.now);
            self.requests.on_tick(self.now, &self.raft);
            self.settle(&mut outputs);
        }
        outputs
    }

    /// How many ticks until one has an effect, those owed apart.
    fn ticks_to_next(&self) -> u64 {
        if self.state.has_work_left(self.raft.committed())
            || self.raft.has_leftovers()
            || self.raft.has_draft()
            || self.execution.has_work_left(self.state.store(), self.now)
        {
            return 0;
        }
        let alarm = self.requests.next_alarm().min(self.execution.next_alarm());
        match self.raft.next_tick().min(alarm) {
            u64::MAX => u64::MAX,
            next => next.saturating_sub(self.now).max(1),
        }
    }

    fn on_remote_result(&mut self, call: RemoteCallId, result: RemoteResult) {
        let known = (self.raft.group(), self.now);
        let result = self.requests.on_remote_result(call, result, known);
        if let Some(result) = result {
            let known = (&self.raft, self.state.store());
            self.execution.on_result(call, result, known, self.now);
        }
    }

    /// Lets all that follows from an input happen, and collects what is to be done.
    fn settle(&mut self, outputs: &mut Vec<Output>) {
        self.heed_notices();
        self.state.advance(&mut self.raft, &mut self.requests);
        for operation in self.state.take_ended() {
            self.execution.on_ended(operation, self.state.store(), self.now);
        }
        let state = (self.state.store(), self.state.applied());
        let may = (self.now, !self.state.is_halted());
        self.execution.advance(&mut self.raft, state, &mut self.calls, may);
        self.requests.hand_over(&mut self.raft, self.state.store(), self.now);
        outputs.extend(self.raft.flush().map(Output::Persist));
        self.heed_notices();
        let state = (self.state.applied(), self.state.store());
        self.requests.serve_reads(state.0, state.1);
        self.requests.read_stores(state, &mut self.calls);
        outputs.append(&mut self.raft.take_outputs());
        outputs.append(&mut self.execution.take_outputs());
        outputs.append(&mut self.requests.take_outputs());
    }

    fn heed_notices(&mut self) {
        for notice in self.raft.take_notices() {
            if matches!(notice, Notice::MembersChanged) {
                self.inboxes.on_members_changed(self.raft.configuration());
            }
            self.requests.on_notice(notice, &self.raft, self.now);
        }
        for parcel in self.raft.take_parcels() {
            self.inboxes.receive(parcel, &mut self.raft, &self.state, &mut self.requests);
        }
    }

    fn load(&self) -> Load {
        let leader = self.raft.leader_load();
        let (log_entries, log_bytes) = self.raft.log_size();
        Load {
            pending_requests: self.requests.len(),
            pending_bytes: self.requests.bytes(),
            pending_reads: leader.pending_reads,
            uncommitted_bytes: leader.uncommitted_bytes,
            inflight_bytes: leader.inflight_bytes,
            inflight_messages: leader.inflight_messages,
            deferred_messages: self.raft.owed(),
            unconfirmed_writes: self.raft.unconfirmed_writes(),
            log_entries,
            log_bytes,
            snapshot_bytes: self.raft.snapshot_bytes() + self.state.taking_bytes(),
            incoming_bytes: self.raft.incoming_bytes(),
            sessions: self.state.store().sessions(),
            queued_operations: self.state.store().queued_operations(),
            remote_calls: self.execution.len() + self.requests.remote_calls(),
            offered_events: self.requests.offered_events(),
            early_events: self.inboxes.early_events(),
            early_bytes: self.inboxes.early_bytes(),
        }
    }

    fn counters(&self) -> Counters {
        let mut counters = *self.raft.counters();
        counters.duplicates_suppressed = self.state.duplicates();
        counters.refused_busy = self.requests.refused_busy();
        counters.remote_calls_made = self.calls.made();
        counters.remote_calls_repeated =
            self.execution.repeated() + self.requests.remote_reads_repeated();
        counters.remote_calls_refused = self.execution.refused();
        let tally = self.requests.tally();
        counters.events_published = tally.published;
        counters.events_delivered = tally.delivered + self.inboxes.delivered();
        counters.events_acknowledged = tally.acknowledged;
        counters
    }
}

/// The most ticks that may be owed; what is fed beyond them is lost.
const MOST_OWED_TICKS: u64 = 1 << 32;
/// How often ticks may wake the node in one step.
const MOST_WAKES: usize = 64;

#[cfg(test)]
mod tests {
    use alloc::collections::VecDeque;
    use alloc::vec;

    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::codec::{Address, Header};
    use crate::config::Birth;
    use crate::event::{Event, Role};
    use crate::raft::entries::Payload;
    use crate::raft::entries::Run;
    use crate::raft::message::Message;
    use crate::raft::snapshot::Outgoing;
    use crate::raft::snapshot::testing::snapshot;
    use crate::raft::testing::any_message;
    use crate::reasons::DropReason;
    use crate::stored::Record;
    use crate::types::{
        EntryId, GroupId, Identity, Incarnation, Index, Life, NodeId, Peer, RequestId, Term,
    };
    use crate::{Envelope, Write};

    const SCORES: Map<u8, u64> = Map::new("scores");

    fn config(id: u64) -> Config {
        let peers = (1..=3).map(NodeId::new).collect();
        let mut config = Config::new(NodeId::new(id), Incarnation::new(id), Birth::Meet { peers });
        config.seed = 7;
        config
    }

    /// The group that three nodes of this configuration always found.
    static GROUP: LazyLock<GroupId> =
        LazyLock::new(|| group_of_three()[0].raft.group().expect("it is founded"));

    fn group_of_three() -> Vec<Node> {
        let mut nodes: Vec<Node> =
            (1..=3).map(|id| Node::new(config(id)).expect("a valid configuration")).collect();
        for _ in 0..40 {
            tick_all(&mut nodes);
        }
        nodes
    }

    /// One tick of every node, and all that follows from it.
    fn tick_all(nodes: &mut [Node]) {
        let ticks = (0..nodes.len()).map(|at| (at, Input::Tick(Ticks::new(1))));
        let mut inputs: VecDeque<(usize, Input)> = ticks.collect();
        while let Some((at, input)) = inputs.pop_front() {
            for output in nodes[at].step(input) {
                match output {
                    Output::Persist(write) => inputs.push_back((at, Input::Persisted(write.id()))),
                    Output::Send(envelope) => {
                        let to = usize::try_from(envelope.to().get() - 1).expect("small");
                        inputs.push_back((to, Input::Receive(envelope)));
                    }
                    Output::Reply(_) | Output::Event(_) | Output::Remote(_) => {}
                }
            }
        }
    }

    /// A message in the name of a peer, nearly always one that passes the door.
    fn forged() -> impl Strategy<Value = (Message, u64, bool)> {
        (any_message(3, *GROUP), 1..=4_u64, prop::bool::weighted(0.95))
    }

    fn envelope(node: &Node, (message, from, ours): (Message, u64, bool)) -> Envelope {
        let peer = Peer { id: NodeId::new(from), incarnation: Incarnation::new(from) };
        let group = if ours { node.raft.group() } else { Some(GroupId::new(5)) };
        let from = Identity { peer, life: Life::FIRST };
        let to = Address::of(node.raft.identity());
        Envelope { header: Header { group, from, to }, message }
    }

    #[derive(Clone, Debug)]
    enum Act {
        Forge((Message, u64, bool)),
        Tick(u64),
        Confirm,
        Set(u8),
        Read(u8),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            8 => forged().prop_map(Act::Forge),
            2 => (0..30_u64).prop_map(Act::Tick),
            3 => Just(Act::Confirm),
            1 => any::<u8>().prop_map(Act::Set),
            1 => any::<u8>().prop_map(Act::Read),
        ]
    }

    /// Drives one node through acts, confirming its writes only when told to.
    struct Driver {
        node: Node,
        unconfirmed: VecDeque<Write>,
        requests: u64,
        replies: u64,
    }

    impl Driver {
        fn input(&mut self, act: &Act) -> Option<Input> {
            let request = |number: u64| RequestId::new(number);
            Some(match act {
                Act::Forge(forged) => Input::Receive(envelope(&self.node, forged.clone())),
                Act::Tick(ticks) => Input::Tick(Ticks::new(*ticks)),
                Act::Confirm => Input::Persisted(self.unconfirmed.pop_front()?.id()),
                Act::Set(key) => {
                    self.requests += 1;
                    let call = SCORES.set(key, &1).expect("a small value");
                    Input::Request(request(self.requests), call.into_parts().0)
                }
                Act::Read(key) => {
                    self.requests += 1;
                    let call = SCORES.read(key).expect("a small key");
                    Input::Request(request(self.requests), call.into_parts().0)
                }
            })
        }

        fn act(&mut self, act: &Act) -> Vec<Output> {
            let Some(input) = self.input(act) else { return Vec::new() };
            let outputs = self.node.step(input);
            for output in &outputs {
                match output {
                    Output::Persist(write) => self.unconfirmed.push_back(write.clone()),
                    Output::Reply(_) => self.replies += 1,
                    Output::Send(_) | Output::Event(_) | Output::Remote(_) => {}
                }
            }
            outputs
        }
    }

    fn driver() -> Driver {
        let node = group_of_three().swap_remove(0);
        Driver { node, unconfirmed: VecDeque::new(), requests: 0, replies: 0 }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        /// Forgeries in the name of members may mislead a node, but neither stop it nor make it
        /// forget a request.
        #[test]
        fn no_message_makes_a_node_panic(acts in prop::collection::vec(act(), 1..40)) {
            let mut driver = driver();
            for act in &acts {
                driver.act(act);
            }
            driver.act(&Act::Tick(200));
            prop_assert_eq!(driver.replies, driver.requests);
            prop_assert_eq!(driver.node.status().load.pending_requests, 0);
        }

        #[test]
        fn what_is_dropped_is_counted_by_its_reason(acts in prop::collection::vec(act(), 1..40)) {
            let mut driver = driver();
            let before = driver.node.status().counters.drops;
            let outputs: Vec<Output> = acts.iter().flat_map(|act| driver.act(act)).collect();
            let reasons: Vec<DropReason> = outputs
                .iter()
                .filter_map(|output| match output {
                    Output::Event(Event::EnvelopeDropped { because, .. }) => Some(*because),
                    Output::Event(_)
                    | Output::Persist(_)
                    | Output::Send(_)
                    | Output::Reply(_)
                    | Output::Remote(_) => None,
                })
                .collect();
            let told = |is: fn(&DropReason) -> bool| reasons.iter().filter(|it| is(it)).count() as u64;
            let after = driver.node.status().counters.drops;
            prop_assert_eq!(after.total() - before.total(), told(|_| true));
            let stale = told(|it| matches!(it, DropReason::StaleTerm { .. }));
            prop_assert_eq!(after.stale_term - before.stale_term, stale);
            let unexpected = told(|it| matches!(it, DropReason::Unexpected));
            prop_assert_eq!(after.unexpected - before.unexpected, unexpected);
            let impossible = told(|it| matches!(it, DropReason::Impossible(_)));
            prop_assert_eq!(after.impossible - before.impossible, impossible);
            let of_others = told(|it| matches!(it, DropReason::OtherGroup));
            prop_assert_eq!(after.other_group - before.other_group, of_others);
        }

        #[test]
        fn many_ticks_are_that_many_single_ones(
            acts in prop::collection::vec(act(), 1..20),
            ticks in 1..60_u64,
        ) {
            let (mut together, mut one_by_one) = (driver(), driver());
            for act in &acts {
                prop_assert_eq!(together.act(act), one_by_one.act(act));
            }
            let expected: Vec<Output> =
                (0..ticks).flat_map(|_| one_by_one.act(&Act::Tick(1))).collect();
            let mut outputs = together.act(&Act::Tick(ticks));
            while together.node.idle_ticks() == Ticks::ZERO {
                outputs.extend(together.act(&Act::Tick(0)));
            }
            prop_assert_eq!(outputs, expected);
            prop_assert_eq!(together.node.status(), one_by_one.node.status());
        }
    }

    #[test]
    fn a_node_before_its_first_write_is_durable_is_deaf_and_dumb() {
        let mut node = Node::new(config(2)).expect("a valid configuration");
        let outputs = node.step(Input::Tick(Ticks::new(100)));
        assert!(matches!(outputs.as_slice(), [Output::Persist(_)]), "{outputs:?}");
        let hello = envelope(&node, (Message::Hello { asked: 1 }, 1, true));
        let outputs = node.step(Input::Receive(hello));
        assert_eq!(outputs.len(), 1, "{outputs:?}");
        assert!(matches!(outputs[0], Output::Event(Event::EnvelopeDropped { .. })));
        assert_eq!(node.idle_ticks(), Ticks::FOREVER);
        let counters = node.status().counters;
        assert_eq!((counters.drops.starting, counters.drops.total()), (1, 1));
    }

    #[test]
    fn entries_that_rewrite_what_their_leader_sent_before_are_dropped() {
        let mut driver = driver();
        let last = driver.node.status().last;
        let (term, older) = (Term::new(9), Term::new(8));
        let noops = |term, count| Run::new(last, vec![(term, Payload::Noop); count]);
        let append = |run: Result<Run, _>, commit| {
            let run = run.expect("terms do not fall");
            Act::Forge((Message::AppendEntries { term, run, commit }, 2, true))
        };
        driver.act(&append(noops(term, 5), last.index));
        assert_eq!(driver.node.status().last, EntryId::new(last.index.plus(5), term));
        driver.act(&append(noops(older, 1), last.index.plus(5)));
        let status = driver.node.status();
        assert_eq!(status.last, EntryId::new(last.index.plus(5), term));
        assert_eq!((status.committed, status.counters.drops.impossible), (last.index, 1));
    }

    #[test]
    fn a_snapshot_that_cannot_be_read_stops_applying_and_nothing_else() {
        let mut driver = driver();
        let (term, last) = (Term::new(9), EntryId::new(Index::new(50), Term::new(8)));
        let nonsense = snapshot(*GROUP, last, &[b"one", b"two"]);
        let outgoing = Outgoing::new(Arc::new(nonsense));
        let mut events = Vec::new();
        for piece in 0..outgoing.pieces() {
            let bytes = outgoing.piece(piece).expect("there are as many");
            let snapshot = outgoing.id();
            let message = Message::InstallSnapshot { term, snapshot, piece, bytes };
            events.extend(driver.act(&Act::Forge((message, 2, true))));
        }
        for event in [Event::SnapshotInstalled { last }, Event::SnapshotRefused { last }] {
            assert!(events.contains(&Output::Event(event.clone())), "{event}");
        }
        let status = driver.node.status();
        assert_eq!((status.committed, status.snapshot), (last.index, last));
        assert!(status.applied < last.index);
        driver.act(&Act::Set(1));
        driver.act(&Act::Tick(200));
        assert_eq!(driver.replies, driver.requests);
    }

    #[test]
    fn a_long_sleep_is_made_up_for_in_steps_of_bounded_work() {
        let mut driver = driver();
        let outputs = driver.act(&Act::Tick(u64::MAX));
        assert!(outputs.len() <= 10 * MOST_WAKES, "{} outputs", outputs.len());
        assert_eq!(driver.node.idle_ticks(), Ticks::ZERO, "the rest is owed");
        assert!(driver.node.now < MOST_OWED_TICKS);
    }

    #[test]
    fn the_last_term_of_all_ends_elections_and_can_be_read_back() {
        let mut driver = driver();
        let forged = (Message::PreVoteRefused { term: Term::MAX }, 2, true);
        driver.act(&Act::Forge(forged));
        driver.act(&Act::Tick(200));
        assert_eq!(driver.node.status().term, Term::MAX);
        assert_eq!(driver.node.status().role, Role::Follower);
        let write = driver.unconfirmed.back().expect("the term is to be stored");
        let identity = Record::Identity(driver.node.status().identity.peer);
        let image = [identity].into_iter().chain(write.records.clone()).collect();
        let image = Write { id: write.id(), starts_file: true, records: image };
        let stored = Stored::decode(&image.encode()).expect("our own bytes");
        assert_eq!(stored.term(), Term::MAX);
    }

    #[test]
    fn values_that_cross_threads_and_queues_stay_small() {
        fn sendable<T: Send>() -> usize {
            size_of::<T>()
        }
        assert!(sendable::<Node>() > 0);
        assert!(sendable::<Input>() <= 200, "{}", size_of::<Input>());
        assert!(sendable::<Output>() <= 200, "{}", size_of::<Output>());
        assert_eq!(vec![Ticks::ZERO].len(), 1);
    }
}
