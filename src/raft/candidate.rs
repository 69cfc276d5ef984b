//! Candidates: they ask whether they could win, then begin a term and ask for votes.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::message::Message;
use super::{Raft, Role};
use crate::types::{Identity, Peer, Term};

/// Asks whether it could win, in the term it has.
#[derive(Debug)]
pub(super) struct PreCandidate {
    granted: BTreeSet<Peer>,
    pub(super) deadline: u64,
}

/// Stands for election in a term of its own.
#[derive(Debug)]
pub(super) struct Candidate {
    granted: BTreeSet<Peer>,
    /// Whether its own vote is durable, and so counts and the others' have been asked for.
    open: bool,
    /// The leader wished this election.
    transfer: bool,
    pub(super) deadline: u64,
}

impl Raft {
    pub(super) fn become_pre_candidate(&mut self) {
        let deadline = self.next_deadline();
        let granted = BTreeSet::from([self.me.peer]);
        self.take_role(Role::PreCandidate(PreCandidate { granted, deadline }));
        for peer in self.other_voters() {
            self.ask_pre_vote(peer);
        }
        self.count_pre_votes();
    }

    /// Figure 2, candidates: a new term, a vote for oneself. The others are asked once that is
    /// durable. `transfer` tells whether the leader wishes it.
    pub(super) fn become_candidate(&mut self, transfer: bool) {
        self.counters.elections_started += 1;
        let deadline = self.next_deadline();
        self.begin_term(self.hard.term.next(), Some(self.me.peer));
        self.take_role(Role::Candidate(Candidate {
            granted: BTreeSet::new(),
            open: false,
            transfer,
            deadline,
        }));
    }

    /// The hard state is durable: if this is a candidate's, its own vote counts and it may speak.
    pub(super) fn open_candidacy(&mut self) {
        let Role::Candidate(candidate) = &mut self.role else { return };
        if candidate.open {
            return;
        }
        candidate.open = true;
        candidate.granted.insert(self.me.peer);
        for peer in self.other_voters() {
            self.ask_vote(peer);
        }
        self.count_votes();
    }

    pub(super) fn on_pre_vote_granted(&mut self, from: Identity, term: Term) {
        match &mut self.role {
            Role::PreCandidate(candidate) if term == self.hard.term.next() => {
                candidate.granted.insert(from.peer);
                self.count_pre_votes();
            }
            // The question is decided, or was asked in an earlier term.
            Role::PreCandidate(_) | Role::Follower(_) | Role::Candidate(_) | Role::Leader(_) => {}
        }
    }

    pub(super) fn on_vote(&mut self, from: Identity, granted: bool) {
        match &mut self.role {
            Role::Candidate(candidate) => {
                if granted {
                    candidate.granted.insert(from.peer);
                    self.count_votes();
                }
            }
            // The election is decided, or this node gave it up.
            Role::Follower(_) | Role::PreCandidate(_) | Role::Leader(_) => {}
        }
    }

    /// Asks a node that has just started for what the others were asked.
    pub(super) fn ask_again(&mut self, peer: Peer) {
        if !self.membership.configuration().is_voter(peer) {
            return;
        }
        match &self.role {
            Role::PreCandidate(_) => self.ask_pre_vote(peer),
            Role::Candidate(candidate) if candidate.open => self.ask_vote(peer),
            Role::Candidate(_) | Role::Follower(_) | Role::Leader(_) => {}
        }
    }

    pub(super) fn count_votes(&mut self) {
        let Role::Candidate(candidate) = &self.role else { return };
        let configuration = self.membership.configuration();
        if configuration.is_quorum(|peer| candidate.granted.contains(&peer)) {
            self.become_leader();
        }
    }

    fn count_pre_votes(&mut self) {
        let Role::PreCandidate(candidate) = &self.role else { return };
        let configuration = self.membership.configuration();
        if configuration.is_quorum(|peer| candidate.granted.contains(&peer)) {
            self.become_candidate(false);
        }
    }

    fn other_voters(&self) -> Vec<Peer> {
        let configuration = self.membership.configuration();
        configuration.voters().filter(|&peer| peer != self.me.peer).collect()
    }

    fn ask_pre_vote(&mut self, peer: Peer) {
        let (term, last) = (self.hard.term.next(), self.log.last());
        self.send_to(peer, Message::PreVote { term, last });
    }

    fn ask_vote(&mut self, peer: Peer) {
        let transfer = matches!(&self.role, Role::Candidate(candidate) if candidate.transfer);
        let (term, last) = (self.hard.term, self.log.last());
        self.send_to(peer, Message::RequestVote { term, last, transfer });
    }
}
