//! The replicated state of one node: applied entry by entry, written down in snapshots, loaded from
//! them.
//!
//! Nothing here is done all at once. Applying, writing a snapshot, loading one and freeing what was
//! thrown away each have a budget per step; what is left over goes on at the next. A snapshot shows the
//! state at one moment although commands go on being applied while it is written, and the state that a
//! loaded one replaces stays readable until it is whole.

use alloc::borrow::ToOwned;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::bytes::Bytes;
use crate::config::Config;
use crate::event::Event;
use crate::io::Output;
use crate::raft::Configuration;
use crate::raft::Raft;
use crate::raft::entries::{Entry, Payload};
use crate::raft::snapshot::{PartSum, Snapshot};
use crate::requests::Requests;
use crate::store::{Applied, Command, CommandError, Comparison, Effect, Loader, Store, Told};
use crate::types::{EntryId, Index};

/// The replicated state of one node.
#[derive(Debug)]
pub(crate) struct StateMachine {
    store: Store,
    applied: EntryId,
    limits: Limits,
    /// Set when something was met that this node cannot apply: nothing after it is applied.
    halted: bool,
    /// Entries applied that no snapshot covers, and their bytes.
    uncovered: (u64, u64),
    taking: Option<Taking>,
    loading: Option<Loading>,
    /// What a loaded snapshot changed, while it is told. Nothing is applied or loaded meanwhile.
    comparing: Option<Comparison>,
    /// Whether something thrown away is still to be freed.
    littered: bool,
    /// Operations on remote maps that came to their end.
    ended: Vec<Index>,
    duplicates: u64,
}

#[derive(Debug)]
struct Limits {
    step_bytes: u64,
    part_bytes: u64,
    log_bytes: u64,
    log_entries: u64,
    newest_version: u8,
    report_differences: bool,
    verbose: bool,
}

/// A snapshot being written.
#[derive(Debug)]
struct Taking {
    last: EntryId,
    digest: u64,
    parts: Vec<Bytes>,
    sum: PartSum,
}

/// A snapshot being loaded.
#[derive(Debug)]
struct Loading {
    snapshot: Arc<Snapshot>,
    loader: Loader,
    next_part: usize,
}

impl StateMachine {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            store: Store::new(),
            applied: EntryId::ZERO,
            limits: Limits {
                step_bytes: config.step_budget_bytes,
                part_bytes: config.snapshot_part_bytes,
                log_bytes: config.max_log_bytes,
                log_entries: config.max_log_entries,
                newest_version: config.newest_version,
                report_differences: config.report_differences,
                verbose: config.verbose,
            },
            halted: false,
            uncovered: (0, 0),
            taking: None,
            loading: None,
            comparing: None,
            littered: false,
            ended: Vec::new(),
            duplicates: 0,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn applied(&self) -> Index {
        self.applied.index
    }

    /// Whether it met something that it cannot apply.
    pub(crate) fn is_halted(&self) -> bool {
        self.halted
    }

    /// How many commands were applied a second time, without effect.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Operations on remote maps that have come to their end since this was last asked.
    pub(crate) fn take_ended(&mut self) -> Vec<Index> {
        core::mem::take(&mut self.ended)
    }

    /// Bytes of a snapshot that is being written.
    pub(crate) fn taking_bytes(&self) -> u64 {
        self.taking.as_ref().map_or(0, |taking| taking.sum.bytes)
    }

    /// Whether another step would go on with something.
    pub(crate) fn has_work_left(&self, committed: Index) -> bool {
        let applies = !self.halted && self.applied.index < committed;
        let loads = self.loading.is_some() || self.comparing.is_some();
        applies || loads || self.taking.is_some() || self.littered
    }

    /// Goes on with all there is to do, as far as the step's budget reaches.
    pub(crate) fn advance(&mut self, raft: &mut Raft, requests: &mut Requests) {
        if let Some(snapshot) = raft.take_installed() {
            self.begin_loading(snapshot);
        }
        let mut budget = self.limits.step_bytes;
        self.compare(raft, requests);
        self.load(&mut budget, raft, requests);
        self.apply_committed(&mut budget, raft, requests);
        self.write_snapshot(budget, raft);
        self.littered = self.store.sweep(SWEPT);
        raft.on_applied(self.applied.index);
        raft.on_store(self.taking.is_some(), self.halted);
    }

    // --- loading ----------------------------------------------------------------------------------

    fn begin_loading(&mut self, snapshot: Arc<Snapshot>) {
        self.store.thaw();
        self.taking = None;
        // Whatever could not be applied lies before what this one covers, or will be met again.
        self.halted = false;
        let loading = Loading { snapshot, loader: Loader::new(), next_part: 0 };
        if let Some(before) = self.loading.replace(loading) {
            self.store.discard(before.loader.into_waste());
        }
    }

    fn load(&mut self, budget: &mut u64, raft: &mut Raft, requests: &mut Requests) {
        while self.comparing.is_none()
            && let Some(loading) = self.loading.as_mut().filter(|_| *budget > 0 && !self.halted)
        {
            match loading.snapshot.parts.get(loading.next_part) {
                Some(part) => {
                    *budget = budget.saturating_sub(LOADING_COST * part.len_u64());
                    loading.next_part += 1;
                    if loading.loader.load(part).is_err() {
                        return self.refuse(raft);
                    }
                }
                None => self.finish_loading(raft, requests),
            }
        }
    }

    /// The snapshot is whole: it takes the place of the state there was.
    fn finish_loading(&mut self, raft: &mut Raft, requests: &mut Requests) {
        let Some(Loading { snapshot, loader, .. }) = self.loading.take() else { return };
        let head = &snapshot.head;
        let loaded = loader.finish().ok().filter(|store| store.digest() == head.digest);
        let Some(mut loaded) = loaded else { return self.refuse(raft) };
        loaded.seat(head.last.index, head.configuration.members().map(|it| it.0).collect());
        let before = core::mem::replace(&mut self.store, loaded);
        self.applied = head.last;
        self.uncovered = (0, 0);
        raft.on_applied(head.last.index);
        emit(raft, Event::SnapshotLoaded { last: head.last });
        let entries = self.limits.report_differences;
        self.comparing = Some(Comparison::new(before, head.last.index, entries));
        let version = head.configuration.version();
        if version > self.limits.newest_version {
            self.halted = true;
            emit(raft, Event::CommandTooNew { index: head.last.index, version });
        }
        requests.on_restored(head.last.index, &self.store);
        requests.serve_reads(head.last.index, &self.store);
        self.compare(raft, requests);
    }

    /// Tells what a loaded snapshot changed, or some of it.
    fn compare(&mut self, raft: &mut Raft, requests: &Requests) {
        let Some(comparing) = &mut self.comparing else { return };
        let index = self.applied.index;
        for _ in 0..COMPARED {
            let Some(told) = comparing.next(&self.store) else {
                if let Some(comparing) = self.comparing.take() {
                    self.store.discard(comparing.into_before().into_waste());
                }
                return;
            };
            match told {
                Told::Collection(name) if !requests.is_closed(&name) => {
                    let collection = name.as_str().to_owned();
                    emit(raft, Event::Restored { index, collection });
                }
                Told::Difference(change) if !requests.is_closed(&change.name) => {
                    emit(raft, Event::Difference(change));
                }
                Told::Collection(_) | Told::Difference(_) | Told::Nothing => {}
            }
        }
    }

    /// The snapshot cannot be read, and there is no way on without it.
    fn refuse(&mut self, raft: &mut Raft) {
        self.halted = true;
        let refused = raft.snapshot();
        if let Some(loading) = self.loading.take() {
            self.store.discard(loading.loader.into_waste());
        }
        emit(raft, Event::SnapshotRefused { last: refused });
    }

    // --- applying ---------------------------------------------------------------------------------

    fn apply_committed(&mut self, budget: &mut u64, raft: &mut Raft, requests: &mut Requests) {
        while *budget > 0
            && !self.halted
            && self.loading.is_none()
            && self.comparing.is_none()
            && self.applied.index < raft.committed()
        {
            let entry = raft.entry_to_apply(self.applied.index.next());
            let changes = self.apply(&entry, raft, requests);
            *budget = budget.saturating_sub(entry.size() + CHANGE_COST * changes);
            self.begin_snapshot_if_due();
        }
    }

    /// How many changes came of it.
    fn apply(&mut self, entry: &Entry, raft: &mut Raft, requests: &mut Requests) -> u64 {
        let index = entry.id().index;
        let members =
            |configuration: &Configuration| configuration.members().map(|it| it.0).collect();
        let applied = match &entry.payload {
            Payload::Noop => self.pass_over(index),
            Payload::Members(configuration) => {
                let changes = self.store.seat(index, members(configuration));
                Applied { changes, ..self.pass_over(index) }
            }
            Payload::Founding(founding) => {
                self.store.found(founding.sessions, founding.remote_queue);
                self.store.seat(index, members(&founding.configuration));
                Applied::default()
            }
            Payload::Command(bytes) => match Command::decode(bytes, self.limits.newest_version) {
                Ok(command) => self.store.apply(index, command),
                Err(CommandError::TooNew(version)) => {
                    self.halted = true;
                    emit(raft, Event::CommandTooNew { index, version });
                    return 0;
                }
                Err(CommandError::Unreadable) => {
                    emit(raft, Event::CommandUnreadable { index });
                    self.pass_over(index)
                }
            },
        };
        let Applied { effect, changes, message, expired } = applied;
        let count = changes.len() as u64;
        self.applied = entry.id();
        self.uncovered = (self.uncovered.0 + 1, self.uncovered.1 + entry.size());
        raft.on_applied(index);
        for change in changes {
            if !requests.is_closed(&change.name) {
                emit(raft, Event::Changed(change));
            }
        }
        if let Some(payload) = message {
            emit(raft, Event::Message { index, payload });
        }
        for session in expired {
            emit(raft, Event::SessionExpired { session });
            requests.on_session_expired(session);
        }
        if let Some(Effect::Ended { operation, .. }) = &effect {
            self.ended.push(*operation);
        }
        self.duplicates += u64::from(effect.as_ref().is_some_and(Effect::is_duplicate));
        if self.limits.verbose {
            let outcome = effect.as_ref().map_or(0, Effect::digest);
            let digest = self.store.digest();
            emit(raft, Event::Applied { entry: entry.id(), digest, outcome });
        }
        requests.on_applied(entry.id(), effect.as_ref());
        requests.serve_reads(index, &self.store);
        count
    }

    /// An entry without a command for the store.
    fn pass_over(&mut self, index: Index) -> Applied {
        Applied { expired: self.store.advance(index), ..Applied::default() }
    }

    // --- writing snapshots ------------------------------------------------------------------------

    /// Fixes the state for a snapshot when enough has been applied since the last.
    fn begin_snapshot_if_due(&mut self) {
        let (entries, bytes) = self.uncovered;
        let due = entries >= self.limits.log_entries || bytes >= self.limits.log_bytes;
        if !due || self.taking.is_some() {
            return;
        }
        self.store.freeze();
        self.uncovered = (0, 0);
        self.taking = Some(Taking {
            last: self.applied,
            digest: self.store.digest(),
            parts: Vec::new(),
            sum: PartSum::default(),
        });
    }

    /// Writes one part of the snapshot under way, or more if the budget allows.
    fn write_snapshot(&mut self, mut budget: u64, raft: &mut Raft) {
        let Some(taking) = &mut self.taking else { return };
        while let Some(part) = self.store.next_part(self.limits.part_bytes) {
            taking.sum.add(&part);
            budget = budget.saturating_sub(part.len_u64());
            taking.parts.push(part);
            if budget == 0 {
                return;
            }
        }
        if let Some(Taking { last, digest, parts, sum }) = self.taking.take() {
            let head = raft.head_of(last, sum, digest);
            raft.adopt_snapshot(Snapshot { head, parts });
        }
    }
}

fn emit(raft: &mut Raft, event: Event) {
    raft.output(Output::Event(event));
}

/// How many times as long loading takes as applying or writing as much.
const LOADING_COST: u64 = 4;
/// What a change costs of it besides the bytes of the entry that makes it.
const CHANGE_COST: u64 = 32;
/// How many collections and entries one step compares.
const COMPARED: u64 = 1024;
/// How many elements of what was thrown away one step frees.
const SWEPT: u64 = 1024;
