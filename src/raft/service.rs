//! Going out of service: a node whose disk failed, or lost what it had promised, takes no part any
//! more and harms nobody.

use super::message::Message;
use super::{Notice, Raft, Role};
use crate::event::Event;
use crate::reasons::{DropReason, Impossible};
use crate::types::{Identity, Index, Term};

impl Raft {
    /// From now on nothing is said or heard.
    pub(super) fn leave_service(&mut self) {
        self.become_follower(None);
        self.outbox.forget_owed();
        self.meeting = None;
        self.incoming = None;
        self.silent_until = u64::MAX;
        self.notices.push(Notice::LeaderChanged);
    }

    pub(super) fn is_out_of_service(&self) -> bool {
        self.silent_until == u64::MAX
    }

    /// A member does not hold what it acknowledged: its disk lost it, whatever it says of itself.
    pub(super) fn tell_entries_lost(&mut self, member: Identity, acknowledged: Index) {
        let (term, of) = (self.hard.term, self.log.term_at(acknowledged));
        self.send_in_group(member, Message::EntriesLost { term, acknowledged, of });
    }

    /// The leader says that this node acknowledged an entry, which it can only have got from there in
    /// this term. If it is not here, the disk lost it; what else it lost, and whom it voted for, nobody
    /// knows.
    pub(super) fn on_entries_lost(
        &mut self,
        from: Identity,
        acknowledged: Index,
        of: Option<Term>,
    ) {
        let led_by_sender = matches!(&self.role, Role::Follower(f) if f.leader == Some(from));
        if !led_by_sender {
            return self.drop_envelope(from, DropReason::Unexpected);
        }
        let last = self.log.last().index;
        let differs = of.is_some_and(|term| self.log.term_at(acknowledged) != Some(term));
        if acknowledged <= self.commit || (acknowledged <= last && !differs) {
            let because = DropReason::Impossible(Impossible::NotLost);
            return self.drop_envelope(from, because);
        }
        self.hard.lost = true;
        self.outbox.save_hard_state();
        self.emit(Event::StorageLost { acknowledged });
        self.leave_service();
    }
}
