//! Consensus: a replicated log that survives lost messages, crashed nodes and slow disks.
//!
//! This module knows entries as opaque bytes. It follows the Raft paper (Ongaro and Ousterhout, "In
//! Search of an Understandable Consensus Algorithm", extended version) and the thesis where it says
//! more; each rule is cited where it is obeyed.
//!
//! # How it works
//!
//! Time is divided into terms. In each, at most one node leads: it takes commands, appends them to
//! its log, sends them to the others, and once a majority holds an entry durably it is *committed*
//! and will never be lost. A node that hears of no leader for a while first asks the others whether
//! they would elect it (a *pre-vote*, which disturbs nobody), then begins a term of its own and asks
//! for their votes. A voter grants one vote per term, and only to a log at least as up to date as its
//! own, so whoever wins holds everything that was committed.
//!
//! Every message passes the [door](Raft::receive) first: it must be meant for this run of this node,
//! come from a run that is not known to be over, and belong to this group. There, too, the term is
//! settled: what a handler sees is of the current term.
//!
//! # Where Figure 2 of the paper is
//!
//! Scripts are in `tests/scripts/`, checkers in `sim/src/checker/`.
//!
//! | rule | function | script | checker |
//! |---|---|---|---|
//! | persistent state is durable before responding | [`Raft::release`] | `election_vote_waits_for_disk`, `replication_ack_waits_for_disk` | VD, AK, TM |
//! | `AppendEntries` 1: refuse a past term | [`Raft::turn_away_stale`] | `election_higher_term` | ES |
//! | `AppendEntries` 2: refuse without the previous entry | [`Raft::on_append_entries`] | `replication_conflict_by_term` | LM |
//! | `AppendEntries` 3, 4: cut at a conflict, append what is new | [`log::Log::splice`] | `replication_late_append`, `replication_duplicate_append` | LM, LA |
//! | `AppendEntries` 5: commit up to what matched | [`Raft::on_leader_commit`] | `commit_follower_only_matched` | CI |
//! | `RequestVote` 1: refuse a past term | [`Raft::turn_away_stale`] | `election_higher_term` | VU |
//! | `RequestVote` 2: one vote, to an up-to-date log | [`Raft::vote_refusal`] | `election_one_vote`, `election_log_behind` | VU, LC |
//! | all: apply what is committed | [`Node::step`](crate::Node::step) | `commit_needs_a_quorum` | SM |
//! | all: a higher term makes a follower | [`Raft::settle_term`] | `election_higher_term` | ES |
//! | followers: time out and stand for election | [`Raft::tick`] | `election_pre_vote` | LV |
//! | candidates: begin a term, vote for oneself, ask all | [`Raft::become_candidate`] | `election_candidacy_waits_for_disk` | VU |
//! | candidates: lead on a majority, yield to a leader | [`Raft::count_votes`], [`Raft::follow`] | `election_split_vote`, `election_candidate_yields` | ES |
//! | leaders: heartbeats | [`Raft::begin_round`] | `election_slow_disks` | LV |
//! | leaders: append commands | [`Raft::propose`] | `request_forwarded` | EO |
//! | leaders: send what a follower lacks, step back on conflict | [`Raft::send_what_is_due`] | `replication_lost_append`, `replication_conflict_by_term` | LV |
//! | leaders: commit by counting, own term only | [`Raft::advance_commit`] | `commit_own_term_only`, `commit_counts_own_copy_when_durable` | CT, CQ |
//!
//! Beyond the figure:
//!
//! | rule | function | script | checker |
//! |---|---|---|---|
//! | a snapshot takes the place of the log (Raft §7) | [`Raft::adopt_snapshot`], [`Raft::on_install_snapshot`] | `snapshot_*` | SE, LM |
//! | old and new voters must each agree (Raft §6) | [`quorum::reached`] | `member_*` | CQ, CF |
//! | a configuration is in force once appended, and rolled back by truncation | [`membership::Membership`] | `member_rolled_back` | CF |
//! | one change at a time, after a commit in this term; whoever leads ends a joint configuration | [`Raft::tend_members`] | `member_*` | CF |
//! | leadership is handed on (thesis §3.10) | [`Raft::begin_transfer`] | `transfer_*` | LV |
//!
//! Added to it: pre-vote (thesis §9.6), check-quorum and leader stickiness (thesis §6.2, §9.6), reads
//! without log entries (thesis §6.4), the leader's disk write in parallel with replication (thesis
//! §10.2.1), conflict back-off by term (paper §5.3, end), pipelining, and the group, incarnation and
//! life in every envelope, so that nothing said by or to an earlier run of a node is ever believed.
//!
//! # What is not here
//!
//! Leader leases: without a clock a node cannot see that it was paused, so every linearizable read
//! costs a round of heartbeats. Witnesses, which vote without a copy of the state: three members are
//! three copies. A leader that stops without handing on is replaced only after an election time-out.

mod candidate;
mod change;
mod check;
pub(crate) mod configuration;
mod door;
pub(crate) mod entries;
mod follower;
mod handing;
mod install;
mod leader;
mod log;
mod meeting;
mod members;
mod membership;
pub(crate) mod message;
mod outbox;
mod parcels;
mod peers;
mod progress;
mod quorum;
mod reads;
mod replication;
mod service;
pub(crate) mod snapshot;
mod speech;
mod standing;
#[cfg(test)]
pub(crate) mod testing;
mod transfer;
mod view;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::config::{Birth, Config, Priority};
use crate::delivery::Parcel;
use crate::event::{Event, Role as RoleName};
use crate::io::Output;
use crate::status::Counters;
use crate::stored::{HardState, Stored, Write};
use crate::types::{Identity, Index, Life, Peer, Term, Ticks, WriteId};

use candidate::{Candidate, PreCandidate};
use follower::Follower;
use leader::Leader;
use log::Log;
use meeting::Meeting;
use membership::Membership;
use message::{ProposeOutcome, Speaks, TaskOutcome};
use outbox::{Outbox, Whole};
use peers::Peers;
use snapshot::{Incoming, Snapshot};

pub(crate) use handing::Handed;

pub use change::{ChangeRefusal, MemberChange};
pub use configuration::{Afterwards, Configuration, Member, Standing};
pub use entries::Entry;
pub use message::{JoinRefusal, TaskRefusal};
pub use snapshot::SnapshotHead;

/// One node's part in the consensus.
#[derive(Debug)]
pub(crate) struct Raft {
    me: Identity,
    config: Config,
    hard: HardState,
    log: Log,
    /// What the log goes on after, if any of it is gone. Never behind the log's start.
    snapshot: Option<Arc<Snapshot>>,
    /// A snapshot that a leader is sending. It outlives the leader: the next may have the same.
    incoming: Option<Incoming>,
    /// A snapshot that took the place of the log, and is still to be loaded.
    installed: Option<Arc<Snapshot>>,
    /// How far the log is to be let go of, a little at a time, and what was let go of at once.
    compact_to: Index,
    discarded: VecDeque<Entry>,
    membership: Membership,
    commit: Index,
    /// How far the store has come, and whether it is taking a snapshot.
    applied: Index,
    taking_snapshot: bool,
    /// The store met what it cannot apply.
    halted: bool,
    /// How far the log is known to match that of this term's leader, durably or not.
    matched: Index,
    role: Role,
    meeting: Option<Meeting>,
    peers: Peers,
    outbox: Outbox,
    /// Nothing is said or heard before this write is durable: the first of a life, or the one that
    /// founds a group.
    silent_until: u64,
    /// Set once the commit index is known to be a leader's, and how far it then was.
    caught_up_at: Option<Index>,
    rng: ChaCha8Rng,
    now: u64,
    outputs: Vec<Output>,
    notices: Vec<Notice>,
    /// From members, for others than consensus.
    parcels: Vec<(Identity, Parcel)>,
    counters: Counters,
}

/// A node's role in its term, with what only that role has.
#[derive(Debug)]
enum Role {
    Follower(Follower),
    PreCandidate(PreCandidate),
    Candidate(Candidate),
    Leader(Box<Leader>),
}

/// What consensus has to say to the table of requests.
#[derive(Debug, PartialEq)]
pub(crate) enum Notice {
    /// A leader answered for a copy of a command that was sent to it.
    ProposeAnswered { number: u64, outcome: ProposeOutcome },
    /// A read may be served once this index is applied; without one, the leader has too many.
    ReadAnswered { read: u64, index: Option<Index> },
    /// There is another leader, or a leader in another term.
    LeaderChanged,
    /// A leader answered for a task that was asked of it.
    TaskAnswered { number: u64, outcome: TaskOutcome },
    /// Another configuration is in force, or is committed.
    MembersChanged,
    /// A member was heard from in a new life or for the first time.
    PeerStarted { peer: Peer },
}

impl Raft {
    /// A new incarnation.
    pub(crate) fn new(config: Config) -> Self {
        let peer = Peer { id: config.id, incarnation: config.incarnation };
        let hard = HardState { life: Life::FIRST.get(), ..HardState::default() };
        let mut raft = Self::with_state(config, peer, hard, Log::default());
        raft.outbox.save_image();
        raft.be_born();
        raft
    }

    /// Another life of the incarnation that is stored, if there is one.
    pub(crate) fn restore(config: Config, peer: Peer, life: Life, stored: Stored) -> Self {
        let hard = HardState { life: life.get(), ..stored.hard };
        let log = Log::new(stored.start(), stored.entries);
        let mut raft = Self::with_state(config, peer, hard, log);
        if let Some(snapshot) = stored.snapshot {
            let head = &snapshot.head;
            raft.commit = head.last.index;
            raft.membership.reset(head.configuration_index, head.configuration.clone());
            raft.installed = Some(Arc::clone(&snapshot));
            raft.snapshot = Some(snapshot);
        }
        let entries: Vec<Entry> = raft.log.after(raft.log.start().index).cloned().collect();
        raft.membership.on_append(&entries);
        raft.outbox.save_image();
        if raft.membership.since(raft.commit).all(|configuration| configuration.keeps(peer)) {
            raft.note_admission(raft.membership.at(raft.commit).0);
        }
        raft.note_vote();
        // A learner by a configuration that was never known to be committed may never become one: that may
        // be lost, and nobody then knows of this node.
        let latest = raft.membership.configuration();
        let learns = latest.contains(peer) && !latest.is_voter(peer);
        let newcomer = raft.hard.asked_in && learns;
        let joins = hard.group.is_none() || newcomer || !raft.membership.ever_named();
        let said = latest.member(peer).map(|me| &me.metadata);
        let news = said.is_some_and(|said| *said != raft.config.metadata);
        let silent = raft.config.metadata.is_empty();
        if raft.hard.removed.is_some() {
            return raft; // It stays so until the application wishes otherwise.
        }
        if joins {
            raft.be_born();
        } else if !silent && news {
            raft.reintroduce();
        }
        raft
    }

    fn be_born(&mut self) {
        let me = self.me.peer;
        let meeting = match &self.config.birth {
            Birth::Found if self.hard.group.is_none() => return self.found([me]),
            Birth::Found => return,
            Birth::Join { contacts, voter } => Meeting::to_join(me.id, contacts, *voter),
            Birth::Meet { peers } => Meeting::new(me.id, peers),
        };
        self.meeting = Some(meeting);
        self.hard.asked_in = true;
    }

    fn with_state(config: Config, peer: Peer, hard: HardState, log: Log) -> Self {
        let me = Identity { peer, life: Life::new(hard.life) };
        let mut rng = seeded(config.seed, me);
        let timeout = draw_timeout(&mut rng, config.election_timeout);
        Self {
            me,
            config,
            hard,
            log,
            snapshot: None,
            incoming: None,
            installed: None,
            compact_to: Index::ZERO,
            discarded: VecDeque::new(),
            membership: Membership::new(peer),
            commit: Index::ZERO,
            applied: Index::ZERO,
            taking_snapshot: false,
            halted: false,
            matched: Index::ZERO,
            role: Role::Follower(Follower::new(None, 0, timeout)),
            meeting: None,
            peers: Peers::default(),
            outbox: Outbox::new(me.life),
            silent_until: 1,
            caught_up_at: None,
            rng,
            now: 0,
            outputs: Vec::new(),
            notices: Vec::new(),
            parcels: Vec::new(),
            counters: Counters::default(),
        }
    }

    // --- inputs -----------------------------------------------------------------------------------

    /// The clock stands at `now`.
    pub(crate) fn tick(&mut self, now: u64) {
        self.now = now;
        if self.is_silent() {
            return;
        }
        if self.meeting.as_ref().is_some_and(|meeting| meeting.next_ask() <= now) {
            self.ask_around();
        }
        match &self.role {
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => {
                let late = self.election_deadline() <= now;
                if late && self.may_campaign() {
                    self.become_pre_candidate();
                } else if late {
                    self.lose_sight();
                }
            }
            Role::Leader(_) => self.tick_leader(),
        }
    }

    /// A write, and all before it, is durable.
    pub(crate) fn on_persisted(&mut self, id: WriteId) {
        let was_silent = self.is_silent();
        if !self.outbox.confirm(id) {
            self.emit(Event::ConfirmationIgnored);
            return;
        }
        if was_silent && !self.is_silent() {
            self.speak_up();
        }
        self.release();
        self.advance_commit();
    }

    /// A write failed, and with it all after it.
    pub(crate) fn on_persist_failed(&mut self, id: WriteId) {
        if self.outbox.fail(id) {
            self.emit(Event::StorageFailed { write: id });
            self.leave_service();
        } else {
            self.emit(Event::ConfirmationIgnored);
        }
    }

    /// Ends a step: sends what is ready to go, and asks for what must be written.
    pub(crate) fn flush(&mut self) -> Option<Write> {
        self.tend_members();
        // Whoever lacks what is let go of here is sent the snapshot at once.
        self.compact();
        self.send_what_is_due();
        self.check_invariants();
        self.outbox.take_write(&Whole {
            peer: self.me.peer,
            hard: self.hard,
            snapshot: self.snapshot.as_deref(),
            log: &self.log,
        })
    }

    // --- terms and roles --------------------------------------------------------------------------

    fn begin_term(&mut self, term: Term, vote: Option<Peer>) {
        assert!(term > self.hard.term, "term {term} after {}", self.hard.term);
        self.hard.term = term;
        self.hard.vote = vote;
        self.matched = Index::ZERO;
        self.outbox.save_hard_state();
        self.outbox.forget_owed();
    }

    fn take_role(&mut self, role: Role) {
        let before = (self.role.name(), self.leader());
        self.role = role;
        let (term, name, leader) = (self.hard.term, self.role.name(), self.leader());
        if before.0 != name {
            self.emit(Event::RoleChanged { term, role: name });
        }
        if before.1 != leader {
            self.emit(Event::LeaderChanged { term, leader });
        }
        if leader.is_some() {
            self.notices.push(Notice::LeaderChanged);
        }
    }

    fn become_follower(&mut self, leader: Option<Identity>) {
        let timeout = self.draw_patience();
        self.take_role(Role::Follower(Follower::new(leader, self.now, timeout)));
    }

    /// Whether it is a voter, in a group that has not run out of terms.
    fn may_campaign(&self) -> bool {
        // Raft thesis §4.2.2: one whose own log ends its vote may still be needed, as the one with the
        // longest log, until that is committed.
        self.membership.since(self.commit).any(|configuration| configuration.is_voter(self.me.peer))
            && self.hard.removed.is_none()
            && !self.halted
            && self.hard.term < Term::MAX
    }

    /// How long to wait for a leader before standing for election.
    fn draw_patience(&mut self) -> u64 {
        let drawn = draw_timeout(&mut self.rng, self.config.election_timeout);
        match self.config.priority {
            Priority::Normal => drawn,
            // Others have stood several times by then, had there been any who could.
            Priority::LastResort => drawn.saturating_mul(LAST_RESORT),
        }
    }

    fn speaks(&self) -> Speaks {
        let last_resort = self.config.priority == Priority::LastResort;
        Speaks { version: self.config.newest_version, last_resort }
    }

    fn election_deadline(&self) -> u64 {
        match &self.role {
            Role::Follower(follower) => follower.deadline(),
            Role::PreCandidate(candidate) => candidate.deadline,
            Role::Candidate(candidate) => candidate.deadline,
            Role::Leader(_) => u64::MAX,
        }
    }

    fn next_deadline(&mut self) -> u64 {
        let patience = self.draw_patience();
        self.now.saturating_add(patience)
    }
}

impl Role {
    fn name(&self) -> RoleName {
        match self {
            Self::Follower(_) => RoleName::Follower,
            Self::PreCandidate(_) => RoleName::PreCandidate,
            Self::Candidate(_) => RoleName::Candidate,
            Self::Leader(_) => RoleName::Leader,
        }
    }
}

/// How many election time-outs a node of the last resort lets pass.
const LAST_RESORT: u64 = 4;

/// A generator of its own for every life of every node.
fn seeded(seed: u64, me: Identity) -> ChaCha8Rng {
    let mut key = [0; 32];
    let parts = [seed, me.peer.id.get(), me.peer.incarnation.get(), u64::from(me.life.get())];
    for (place, part) in key.chunks_exact_mut(8).zip(parts) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// Raft §5.2: drawn from an interval, so that split votes are rare and soon resolved.
fn draw_timeout(rng: &mut ChaCha8Rng, least: Ticks) -> u64 {
    least.get() + rng.next_u64() % least.get()
}
