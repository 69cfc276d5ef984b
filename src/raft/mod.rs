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
//! Added to it: pre-vote (thesis §9.6), check-quorum and leader stickiness (thesis §6.2, §9.6), reads
//! without log entries (thesis §6.4), the leader's disk write in parallel with replication (thesis
//! §10.2.1), conflict back-off by term (paper §5.3, end), pipelining, and the group, incarnation and
//! life in every envelope, so that nothing said by or to an earlier run of a node is ever believed.
//!
//! # What is not here
//!
//! The log keeps every entry since the founding: memory and restart time grow with it. The members
//! are those of the founding. A leader that stops is replaced only after an election time-out.

mod candidate;
mod check;
mod door;
pub(crate) mod entries;
mod follower;
mod leader;
mod log;
mod meeting;
pub(crate) mod membership;
pub(crate) mod message;
mod outbox;
mod peers;
mod progress;
mod quorum;
mod reads;
mod speech;
#[cfg(test)]
pub(crate) mod testing;

use alloc::sync::Arc;
use alloc::vec::Vec;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::Bytes;
use crate::config::{Birth, Config};
use crate::event::{Event, Role as RoleName};
use crate::io::Output;
use crate::status::Counters;
use crate::stored::{HardState, Stored, Write};
use crate::types::{EntryId, GroupId, Identity, Index, Life, NodeId, Peer, Term, Ticks, WriteId};

use candidate::{Candidate, PreCandidate};
use follower::Follower;
use leader::Leader;
use log::Log;
use meeting::Meeting;
use membership::Membership;
use message::{Message, ProposeOutcome, ProposeRefusal};
use outbox::Outbox;
use peers::Peers;

pub use entries::Entry;
pub use membership::Configuration;

/// One node's part in the consensus.
#[derive(Debug)]
pub(crate) struct Raft {
    me: Identity,
    config: Config,
    hard: HardState,
    log: Log,
    membership: Membership,
    commit: Index,
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
    counters: Counters,
}

/// A node's role in its term, with what only that role has.
#[derive(Debug)]
enum Role {
    Follower(Follower),
    PreCandidate(PreCandidate),
    Candidate(Candidate),
    Leader(Leader),
}

/// What consensus has to say to the table of requests.
#[derive(Debug, PartialEq)]
pub(crate) enum Notice {
    /// A leader answered for a copy of a command that was sent to it.
    ProposeAnswered { number: u64, outcome: ProposeOutcome },
    /// A read may be served once this index is applied.
    ReadReady { read: u64, index: Index },
    /// There is another leader, or a leader in another term.
    LeaderChanged,
}

/// What became of a command or a read that was handed to consensus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed<T> {
    /// This node leads and has taken it.
    Taken(T),
    /// It is on its way to the leader.
    Sent,
    /// There is nobody to give it to.
    NoLeader,
    Refused(ProposeRefusal),
}

impl Raft {
    /// A new incarnation.
    pub(crate) fn new(config: Config) -> Self {
        let peer = Peer { id: config.id, incarnation: config.incarnation };
        let hard = HardState { life: Life::FIRST.get(), ..HardState::default() };
        let mut raft = Self::with_state(config, peer, hard, Vec::new());
        raft.be_born();
        raft.outbox.save_image(peer, raft.log.entries());
        raft
    }

    /// Another life of the incarnation that is stored, if there is one.
    pub(crate) fn restore(config: Config, peer: Peer, life: Life, stored: Stored) -> Self {
        let hard = HardState { life: life.get(), ..stored.hard };
        let mut raft = Self::with_state(config, peer, hard, stored.entries);
        raft.membership.on_append(raft.log.entries());
        if hard.group.is_none() {
            raft.be_born();
        }
        raft.outbox.save_image(peer, raft.log.entries());
        raft
    }

    fn be_born(&mut self) {
        let me = self.me.peer;
        match &self.config.birth {
            Birth::Found => self.found([me]),
            Birth::Meet { peers } => self.meeting = Some(Meeting::new(me.id, peers)),
        }
    }

    fn with_state(config: Config, peer: Peer, hard: HardState, log: Vec<Entry>) -> Self {
        let me = Identity { peer, life: Life::new(hard.life) };
        let mut rng = seeded(config.seed, me);
        let timeout = draw_timeout(&mut rng, config.election_timeout);
        Self {
            me,
            config,
            hard,
            log: Log::new(log),
            membership: Membership::new(peer),
            commit: Index::ZERO,
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
            return self.ask_around();
        }
        match &self.role {
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => {
                if self.may_campaign() && self.election_deadline() <= now {
                    self.become_pre_candidate();
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

    /// Hands a command to the leader. `number` names this copy of it, and is never used twice.
    pub(crate) fn propose(&mut self, number: u64, command: Bytes) -> Handed<EntryId> {
        if self.is_silent() {
            return Handed::NoLeader;
        }
        let leader = match &self.role {
            Role::Leader(_) => {
                return match self.append_command(command) {
                    Ok(id) => Handed::Taken(id),
                    Err(because) => Handed::Refused(because),
                };
            }
            Role::Follower(follower) => follower.leader,
            Role::PreCandidate(_) | Role::Candidate(_) => None,
        };
        let Some(leader) = leader else { return Handed::NoLeader };
        let term = self.hard.term;
        self.send_in_group(leader, Message::Propose { term, number, command });
        Handed::Sent
    }

    /// Asks the leader for an index at which a linearizable read may be served.
    pub(crate) fn read_index(&mut self, read: u64) -> Handed<()> {
        if self.is_silent() {
            return Handed::NoLeader;
        }
        let leader = match &self.role {
            Role::Leader(_) => {
                let taken = self.push_read(None, read);
                return if taken {
                    Handed::Taken(())
                } else {
                    Handed::Refused(ProposeRefusal::Busy)
                };
            }
            Role::Follower(follower) => follower.leader,
            Role::PreCandidate(_) | Role::Candidate(_) => None,
        };
        let Some(leader) = leader else { return Handed::NoLeader };
        let term = self.hard.term;
        self.send_in_group(leader, Message::ReadIndex { term, read });
        Handed::Sent
    }

    /// Ends a step: sends what is ready to go, and asks for what must be written.
    pub(crate) fn flush(&mut self) -> Option<Write> {
        self.send_what_is_due();
        self.check_invariants();
        self.outbox.take_write(self.hard)
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
        let timeout = draw_timeout(&mut self.rng, self.config.election_timeout);
        self.take_role(Role::Follower(Follower::new(leader, self.now, timeout)));
    }

    /// Whether it is a member, in a group that has not run out of terms.
    fn may_campaign(&self) -> bool {
        self.membership.configuration().is_voter(self.me.peer) && self.hard.term < Term::MAX
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
        self.now.saturating_add(draw_timeout(&mut self.rng, self.config.election_timeout))
    }

    // --- what others may know ---------------------------------------------------------------------

    pub(crate) fn identity(&self) -> Identity {
        self.me
    }

    pub(crate) fn group(&self) -> Option<GroupId> {
        self.hard.group
    }

    pub(crate) fn term(&self) -> Term {
        self.hard.term
    }

    pub(crate) fn role(&self) -> RoleName {
        self.role.name()
    }

    pub(crate) fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Follower(follower) => follower.leader.map(|leader| leader.peer.id),
            Role::PreCandidate(_) | Role::Candidate(_) => None,
            Role::Leader(_) => Some(self.me.peer.id),
        }
    }

    pub(crate) fn configuration(&self) -> &Arc<Configuration> {
        self.membership.configuration()
    }

    pub(crate) fn configuration_index(&self) -> Index {
        self.membership.index()
    }

    pub(crate) fn last(&self) -> EntryId {
        self.log.last()
    }

    pub(crate) fn log_size(&self) -> (u64, u64) {
        (self.log.last().index.get(), self.log.bytes())
    }

    pub(crate) fn entry(&self, index: Index) -> Option<&Entry> {
        self.log.entry(index)
    }

    pub(crate) fn durable(&self) -> Index {
        self.outbox.durable(self.log.last().index)
    }

    pub(crate) fn committed(&self) -> Index {
        self.commit
    }

    /// How far this node must apply to have caught up with the first leader it heard from.
    pub(crate) fn caught_up_at(&self) -> Option<Index> {
        self.caught_up_at
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn owed(&self) -> u64 {
        self.outbox.owed()
    }

    pub(crate) fn unconfirmed_writes(&self) -> u64 {
        self.outbox.unconfirmed_writes()
    }

    /// Whether something is to be written that no step has asked for yet.
    pub(crate) fn has_draft(&self) -> bool {
        self.outbox.has_draft()
    }

    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        core::mem::take(&mut self.outputs)
    }

    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        core::mem::take(&mut self.notices)
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push(output);
    }

    /// When the clock must next be looked at.
    pub(crate) fn next_tick(&self) -> u64 {
        if self.is_silent() {
            return u64::MAX;
        }
        let role = match &self.role {
            Role::Leader(leader) => leader.next_tick(),
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_)
                if self.may_campaign() =>
            {
                self.election_deadline()
            }
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => u64::MAX,
        };
        self.meeting.as_ref().map_or(role, |meeting| role.min(meeting.next_ask()))
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
