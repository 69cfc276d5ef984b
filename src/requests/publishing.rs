//! Events that this node publishes: looked up who subscribed, sent to each, and answered for when all
//! have answered or the time is up. What had reached nobody by then is not an error: the application is
//! told who has it and of whom that is not known.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{Ask, Kind, Pending, Requests};
use crate::delivery::{Links, Offer};
use crate::event::{Emission, Event};
use crate::io::{NotExecuted, Outcome, Output, Publish, Refusal};
use crate::raft::Raft;
use crate::store::{Answer, CollectionKind, CollectionRef, Content, Name, Store};
use crate::types::{Index, NodeId, Peer, Sequence};

/// An event that is published, and what has come of it.
#[derive(Debug)]
pub(super) struct Publishing {
    publish: Publish,
    /// Whether the subscribers were looked up.
    pub(super) offered: bool,
    /// Whose answer is waited for, under what number.
    waiting: BTreeMap<Peer, Sequence>,
    received: BTreeSet<NodeId>,
}

/// What was published in this life, counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Events sent out, answered for or not.
    pub(crate) published: u64,
    /// Events of this node that it handed to its own application.
    pub(crate) delivered: u64,
    /// Answers that an event was delivered.
    pub(crate) acknowledged: u64,
}

impl Requests {
    /// How many answers to what this node publishes are waited for.
    pub(crate) fn offered_events(&self) -> u64 {
        self.links.len()
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    pub(super) fn hand_over_publish(&mut self, ask: Ask, raft: &mut Raft, store: &Store, now: u64) {
        let Some(Pending { kind: Kind::Publish(publishing), retry, .. }) = self.pending.get(&ask)
        else {
            return;
        };
        if publishing.offered {
            if retry.is_none() {
                let waiting = &publishing.waiting;
                waiting.iter().for_each(|(peer, sequence)| self.links.repeat(*peer, *sequence));
                self.set_retry(ask, Some(now.saturating_add(self.limits.retry)));
            }
            return;
        }
        let is_stranger = !raft.is_silent() && !raft.is_member();
        if !is_stranger && !self.knows_subscribers(raft) {
            self.muted.insert(ask);
            return;
        }
        let publish = publishing.publish.clone();
        if let Some(outcome) = self.publish_refusal(&publish, raft, store) {
            return self.finish(ask, outcome);
        }
        self.publish(ask, publish, (raft, store), now);
        self.set_retry(ask, Some(now.saturating_add(self.limits.retry)));
    }

    /// Whether this node has, in this life, come as far as the group had when it was first heard from:
    /// before, it cannot tell who subscribed.
    pub(super) fn knows_subscribers(&self, raft: &Raft) -> bool {
        raft.caught_up_at().is_some_and(|index| self.applied >= index)
    }

    /// Why an event cannot be published, if it cannot.
    fn publish_refusal(&self, publish: &Publish, raft: &Raft, store: &Store) -> Option<Outcome> {
        if !raft.is_member() {
            return Some(Outcome::NotExecuted(NotExecuted::NoGroup));
        }
        let (bytes, limit) = (publish.content_size(), self.limits.entry_bytes);
        if bytes > limit {
            return Some(Outcome::NotExecuted(NotExecuted::TooLarge { bytes, limit }));
        }
        let is = store.collection(publish.emitter.as_str()).map(CollectionRef::kind);
        is.filter(|is| *is != CollectionKind::Emitter)
            .map(|is| Outcome::Refused { index: self.applied, because: Refusal::WrongKind { is } })
    }

    /// Sends an event to all who subscribed to it, by what this node has applied.
    fn publish(
        &mut self,
        ask: Ask,
        publish: Publish,
        (raft, store): (&mut Raft, &Store),
        now: u64,
    ) {
        let Publish { emitter, event, payload, answered } = publish;
        let subscribers: Vec<Peer> = store.subscribers(&emitter, &event).collect();
        let offer = Offer { emitter, event, payload, as_of: self.applied };
        self.tally.published += 1;
        let me = self.me.peer;
        if subscribers.contains(&me) {
            self.deliver_here(offer.clone());
        }
        let others = subscribers.iter().copied().filter(|peer| *peer != me);
        if !answered {
            for peer in others {
                let notification = self.links.notification(offer.clone());
                if !raft.has_heard_from(peer) {
                    let held = (self.since(now), now);
                    self.links.hold(peer, notification.clone(), held);
                }
                raft.send_parcel(peer, notification);
            }
            let answer = Answer(Content::Count(subscribers.len() as u64));
            return self.finish(ask, Outcome::Done { index: self.applied, answer });
        }
        let waiting = others.map(|peer| (peer, self.links.offer(peer, ask, offer.clone())));
        let waiting: BTreeMap<Peer, Sequence> = waiting.collect();
        if let Some(Pending { kind: Kind::Publish(publishing), .. }) = self.pending.get_mut(&ask) {
            publishing.offered = true;
            publishing.waiting = waiting;
            publishing.received.extend(subscribers.contains(&me).then_some(me.id));
        }
        self.end_if_answered(ask);
    }

    fn deliver_here(&mut self, offer: Offer) {
        self.tally.delivered += 1;
        let Offer { emitter, event, payload, .. } = offer;
        let emission = Emission { emitter, event, payload, from: self.me };
        self.outputs.push(Output::Event(Event::Emitted(emission)));
    }

    /// A member was heard from in a life that was not known.
    pub(super) fn on_peer_started(&mut self, peer: Peer, now: u64) {
        self.links.on_peer_started(peer, self.since(now));
    }

    /// Since when what a member is asked for the first time may be answered yet.
    fn since(&self, now: u64) -> u64 {
        now.saturating_sub(self.limits.retry)
    }

    /// A subscriber answered, perhaps not for the first time.
    pub(crate) fn on_publish_answered(&mut self, from: Peer, sequence: Sequence, delivered: bool) {
        let Some(ask) = self.links.answered(from, sequence) else { return };
        self.tally.acknowledged += u64::from(delivered);
        if let Some(Pending { kind: Kind::Publish(publishing), .. }) = self.pending.get_mut(&ask) {
            publishing.waiting.remove(&from);
            publishing.received.extend(delivered.then_some(from.id));
        }
        self.end_if_answered(ask);
    }

    fn end_if_answered(&mut self, ask: Ask) {
        let Some(Pending { kind: Kind::Publish(publishing), .. }) = self.pending.get(&ask) else {
            return;
        };
        if publishing.waiting.is_empty() {
            let outcome = publishing.outcome(self.applied);
            self.finish(ask, outcome);
        }
    }

    pub(super) fn send_offers(&mut self, raft: &mut Raft) {
        let due = self.links.take_due(|peer| raft.has_heard_from(peer));
        for (to, parcel) in due {
            raft.send_parcel(to, parcel);
        }
    }
}

impl Publishing {
    pub(super) fn new(publish: Publish) -> Self {
        Self { publish, offered: false, waiting: BTreeMap::new(), received: BTreeSet::new() }
    }

    pub(super) fn emitter(&self) -> &Name {
        &self.publish.emitter
    }

    pub(super) fn size(&self) -> u64 {
        self.publish.emitter.len_u64() + self.publish.content_size()
    }

    /// What is known of it.
    pub(super) fn outcome(&self, applied: Index) -> Outcome {
        // A node that returned as a stranger may have subscribed while what it was is still a member.
        let waited_for: BTreeSet<NodeId> = self.waiting.keys().map(|peer| peer.id).collect();
        let unanswered = waited_for.difference(&self.received).copied();
        let content = Content::Delivered {
            received: self.received.iter().copied().collect(),
            unanswered: unanswered.collect(),
        };
        Outcome::Done { index: applied, answer: Answer(content) }
    }

    /// Nobody is waited for any more.
    pub(super) fn give_up(&self, links: &mut Links<Ask>) {
        for (peer, sequence) in &self.waiting {
            links.give_up(*peer, *sequence);
        }
    }
}

impl Publish {
    /// How many bytes of event and payload it has.
    fn content_size(&self) -> u64 {
        self.event.len_u64().saturating_add(self.payload.len_u64())
    }
}
