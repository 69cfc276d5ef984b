//! What members send each other beside consensus, which only sees to it that members do.

use alloc::vec::Vec;

use super::Raft;
use super::message::Message;
use crate::delivery::Parcel;
use crate::reasons::DropReason;
use crate::types::{Identity, Peer};

impl Raft {
    /// Whether a life of that member is known, to which can be spoken to.
    pub(crate) fn has_heard_from(&self, peer: Peer) -> bool {
        self.peers.run_of(peer).is_some()
    }

    /// Sends a parcel to a member, in the run of it that was last heard from. Where there is none, the
    /// member is asked to say who it is, and the parcel is lost.
    pub(crate) fn send_parcel(&mut self, to: Peer, parcel: Parcel) {
        let may_send = !self.is_silent() && self.is_member();
        if may_send && self.membership.configuration().contains(to) {
            self.send_to(to, Message::Parcel(parcel));
        }
    }

    /// Answers a parcel that has just been received.
    pub(crate) fn answer_parcel(&mut self, to: Identity, parcel: Parcel) {
        self.send_in_group(to, Message::Parcel(parcel));
    }

    pub(crate) fn take_parcels(&mut self) -> Vec<(Identity, Parcel)> {
        core::mem::take(&mut self.parcels)
    }

    pub(super) fn on_parcel(&mut self, from: Identity, parcel: Parcel) {
        if !self.membership.configuration().contains(from.peer) {
            self.drop_envelope(from, DropReason::NotAMember);
        } else if !self.is_member() {
            self.drop_envelope(from, DropReason::Unexpected);
        } else {
            self.parcels.push((from, parcel));
        }
    }
}
