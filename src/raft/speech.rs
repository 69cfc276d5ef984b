//! What leaves a node: envelopes and events.

use super::follower::Follower;
use super::message::Message;
use super::{Raft, Role};
use crate::codec::{Address, Envelope, Header};
use crate::event::Event;
use crate::io::Output;
use crate::reasons::DropReason;
use crate::types::{GroupId, Identity, NodeId, Peer};

impl Raft {
    /// Whether nothing may be said, or heard, before a write is durable; or ever again.
    pub(crate) fn is_silent(&self) -> bool {
        self.outbox.confirmed() < self.silent_until
    }

    /// The write that kept this node silent is durable.
    pub(super) fn speak_up(&mut self) {
        let timeout = self.draw_patience();
        self.role = Role::Follower(Follower::new(None, self.now, timeout));
        self.ask_around();
        if self.may_campaign() && (self.is_only_voter() || self.log.last().index.get() == 1) {
            // Nobody else can lead a group of one, and nobody has led one just founded.
            self.become_pre_candidate();
        } else {
            for peer in self.membership.others().iter() {
                self.send_hello(peer.id, 0);
            }
        }
    }

    fn is_only_voter(&self) -> bool {
        self.membership.configuration().voters().all(|peer| peer == self.me.peer)
    }

    /// To a member of this group, in the run of it that was last heard from.
    pub(super) fn send_to(&mut self, peer: Peer, message: Message) {
        match self.peers.run_of(peer) {
            Some(identity) => self.send_in_group(identity, message),
            None => self.send_hello(peer.id, 0),
        }
    }

    pub(super) fn send_in_group(&mut self, to: Identity, message: Message) {
        self.send_in(self.hard.group, to, message);
    }

    pub(super) fn send_in(&mut self, group: Option<GroupId>, to: Identity, message: Message) {
        self.send_envelope(group, Address::of(to), message);
    }

    /// Asks a node, in whatever run it is, to say who it is; at most once a tick. What a meeting asks has a
    /// number.
    pub(super) fn send_hello(&mut self, id: NodeId, asked: u64) {
        if self.peers.may_greet(id, self.now) {
            let to = Address { id, run: None };
            self.send_envelope(self.hard.group, to, Message::Hello { asked });
        }
    }

    pub(super) fn send_envelope(&mut self, group: Option<GroupId>, to: Address, message: Message) {
        assert!(!self.is_silent(), "sending {message} before the first write is durable");
        if to.id == self.me.peer.id {
            return; // A member under this id is what this node was before it lost its disk.
        }
        self.counters.envelopes_sent += 1;
        let header = Header { group, from: self.me, to };
        self.outputs.push(Output::Send(Envelope { header, message }));
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.outputs.push(Output::Event(event));
    }

    pub(super) fn drop_envelope(&mut self, from: Identity, because: DropReason) {
        self.counters.drops.count(because);
        self.emit(Event::EnvelopeDropped { from, because });
    }
}
