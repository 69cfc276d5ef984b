//! What this node is to its group: a member, one that was removed, one that asks to be let in.
//!
//! It is let in by a configuration that keeps it and comes after one that does not, once that is committed.
//! What is only appended may be lost, and so lifts no removal and ends no asking; unless it makes this node a
//! voter, which happens only after it was let in.

use super::configuration::Member;
use super::{Notice, Raft, Role};
use crate::event::Event;
use crate::reasons::DropReason;
use crate::types::{EntryId, Identity, Index};

impl Raft {
    /// Whether the configuration in force names this node, committed or not.
    pub(crate) fn is_member(&self) -> bool {
        self.hard.removed.is_none() && self.membership.configuration().contains(self.me.peer)
    }

    /// Where the committed configuration stands, if it names this node.
    pub(crate) fn member_by(&self) -> Option<Index> {
        let (index, committed) = self.membership.at(self.commit);
        let named = committed.contains(self.me.peer) && self.hard.removed.is_none();
        named.then_some(index)
    }

    /// Whether it is a member, as far as it knows, and is to stay one, and not by something that may be lost: it
    /// follows a leader, or votes, or that is committed. One that has asked to be one, and does not know what
    /// came of it, is not.
    pub(crate) fn is_let_in(&self) -> bool {
        let (me, configuration) = (self.me.peer, self.membership.configuration());
        let certain = self.membership.at(self.commit).1.contains(me)
            || configuration.is_voter(me)
            || self.leader().is_some();
        self.is_member() && configuration.keeps(me) && !self.hard.asked_in && certain
    }

    /// Whether by what is committed this node is a member and stays one, and is a voter or becomes one if
    /// that is asked.
    pub(crate) fn is_admitted(&self, voter: bool) -> bool {
        let (_, committed) = self.membership.at(self.commit);
        let votes = committed.member(self.me.peer).is_some_and(Member::is_to_vote);
        self.is_let_in() && committed.keeps(self.me.peer) && (votes || !voter)
    }

    /// Where the committed configuration stands by which this node was removed, if it has not asked since to
    /// be let in again.
    pub(crate) fn removed_by(&self) -> Option<Index> {
        self.hard.removed.filter(|_| !self.hard.asked_in).map(|entry| entry.index)
    }

    /// By what is committed, the configuration of that entry has let this node in: it has what it asked for,
    /// if it was not removed since. Whether that is news.
    pub(super) fn note_admission(&mut self, at: Index) -> bool {
        let asks = self.hard.asked_in || self.hard.removed.is_some();
        let news = asks && self.hard.removed.is_none_or(|by| at > by.index);
        if news {
            self.hard.asked_in = false;
            self.hard.removed = None;
            self.outbox.save_hard_state();
        }
        news
    }

    /// Nobody votes before it was let in by what is committed, whether it knows that or not. Its vote may be
    /// needed before it does.
    pub(super) fn note_vote(&mut self) {
        let me = self.me.peer;
        let votes = self.membership.configuration().is_voter(me);
        let kept = votes && self.membership.configuration().keeps(me);
        if kept && self.hard.removed.is_some_and(|by| !self.is_since_mine(by)) {
            self.note_admission(self.membership.index());
        }
    }

    /// What came to be committed tells whether this node was let in, and removed again.
    pub(super) fn note_membership(&mut self, since: Index) {
        let stays = self.membership.at(self.commit).1.contains(self.me.peer);
        let Some(at) = self.membership.let_in(since, self.commit) else { return };
        if self.note_admission(at) && !stays {
            self.be_removed(self.removal());
        }
    }

    /// The entry of the committed configuration.
    pub(super) fn removal(&self) -> EntryId {
        let (index, _) = self.membership.at(self.commit);
        EntryId::new(index, self.log.term_at(index).unwrap_or(self.log.start().term))
    }

    /// Whether an entry comes after the one of the configuration in force here, which may be in a tail
    /// that nobody will ever commit.
    fn is_since_mine(&self, entry: EntryId) -> bool {
        let mine = self.membership.index();
        match self.log.term_at(mine) {
            Some(term) => (entry.term, entry.index) > (term, mine),
            // It is in the snapshot, and so committed.
            None => entry.index > mine,
        }
    }

    /// A leader that steps down after it was removed knows so by itself.
    pub(super) fn note_own_removal(&mut self) {
        let named = self.membership.configuration().contains(self.me.peer);
        if !named && self.membership.index() <= self.commit && self.hard.removed.is_none() {
            let by = self.removal();
            self.be_removed(by);
        }
    }

    /// Told by a member that this node is none, by an entry that is committed. The other may know less
    /// than this node does.
    pub(super) fn on_removed(&mut self, from: Identity, by: EntryId) {
        let me = self.me.peer;
        let named = self.membership.configuration().contains(me);
        let votes = self.membership.configuration().is_voter(me);
        let (index, committed) = self.membership.at(self.commit);
        // It is known here, too, that it ceased to be a member, and not that it has become one.
        let ceased = self.membership.ceased(self.commit);
        let known = ceased && by.index >= index && !votes;
        let old = committed.contains(me) && by.index <= index;
        let asks = self.hard.asked_in && self.meeting.is_some();
        let admitted = self.is_admission_new();
        // What it asked for it had, and has no more.
        let had = admitted && self.is_since_mine(by) && !self.may_be_lost(by);
        let news = match self.hard.removed {
            Some(_) => had,
            None if named => had || (self.is_since_mine(by) || known) && !(asks && admitted),
            // A node that wishes to join knows that it is not yet named.
            None => !asks,
        };
        if matches!(self.role, Role::Leader(_)) || old || !news {
            return self.drop_envelope(from, DropReason::Unexpected);
        }
        self.hard.asked_in &= !had;
        self.be_removed(by);
        self.become_follower(None);
    }

    /// Whether the configuration in force here lets this node in, which was no member before by what is
    /// committed.
    fn is_admission_new(&self) -> bool {
        let me = self.me.peer;
        let before = match self.hard.removed {
            Some(by) => self.is_since_mine(by),
            None => self.membership.at(self.commit).1.keeps(me),
        };
        self.membership.configuration().keeps(me) && !before
    }

    /// Whether the configuration in force here may never have been committed, although a later one was: that
    /// of another leader. One leader commits its own in their order, and nobody votes before it was let in.
    fn may_be_lost(&self, later: EntryId) -> bool {
        let mine = self.membership.index();
        mine > self.commit
            && self.log.term_at(mine) != Some(later.term)
            && !self.membership.configuration().is_voter(self.me.peer)
    }

    fn be_removed(&mut self, by: EntryId) {
        self.hard.removed = Some(by);
        // It may not have noticed yet that it was let in. From now on it asks when it is told to; or goes on
        // asking, if it was told to when the group had given it up already.
        if !self.hard.asked_in {
            self.meeting = None;
        }
        self.outbox.save_hard_state();
        self.emit(Event::Removed { index: by.index });
        self.notices.push(Notice::MembersChanged);
    }
}
