//! What this node is offered by others.

use alloc::collections::{BTreeMap, BTreeSet};

use super::parcel::Parcel;
use crate::bytes::Bytes;
use crate::config::Config;
use crate::event::{Emission, Event};
use crate::io::Output;
use crate::raft::{Configuration, Raft};
use crate::requests::Requests;
use crate::state_machine::StateMachine;
use crate::store::Name;
use crate::types::{Identity, Index, Life, Peer, Sequence};

/// How far this life of a node has come with what each of the others publishes.
#[derive(Debug)]
pub(crate) struct Inboxes {
    boxes: BTreeMap<Peer, Inbox>,
    /// Above the `as_of` of all that came from those who were forgotten.
    forgotten: Index,
    limit: u64,
    delivered: u64,
}

/// How far this node has come with what one life of another publishes.
#[derive(Debug)]
struct Inbox {
    life: Life,
    /// Whatever was published as of less may be from before this life was forgotten.
    since: Index,
    /// The highest `as_of` there was.
    as_of: Index,
    /// The lowest number that is still offered, as far as is known.
    lowest: Sequence,
    /// The number whose turn it is. All from `lowest` on and below this were answered for.
    next: Sequence,
    /// Those of them that were not delivered.
    declined: BTreeSet<Sequence>,
    next_notification: Sequence,
}

/// What is to be done about an event that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Deliver,
    /// It was answered for, or is not wanted.
    Answer {
        delivered: bool,
    },
    /// It comes too early, or nobody waits for an answer.
    Ignore,
}

impl Inboxes {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            boxes: BTreeMap::new(),
            forgotten: Index::ZERO,
            limit: config.max_inflight_messages,
            delivered: 0,
        }
    }

    /// How many events of other nodes were handed to the application.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// A member sent this.
    pub(crate) fn receive(
        &mut self,
        (from, parcel): (Identity, Parcel),
        raft: &mut Raft,
        state: &StateMachine,
        requests: &mut Requests,
    ) {
        let me = raft.identity().peer;
        let wanted = |emitter: &Name, event: &Bytes, as_of: Index| {
            // One that has applied less than the publisher had cannot know better.
            let subscribed = state.applied() < as_of
                || state.store().subscribers(emitter, event).any(|peer| peer == me);
            subscribed && !requests.is_closed(emitter)
        };
        match parcel {
            Parcel::Publish { emitter, event, payload, sequence, lowest, as_of } => {
                let wanted = wanted(&emitter, &event, as_of);
                let numbers = (sequence, lowest);
                match self.on_publish(from, numbers, as_of, wanted, raft.configuration()) {
                    Verdict::Deliver => {
                        self.deliver(raft, Emission { emitter, event, payload, from });
                        let delivered = true;
                        raft.answer_parcel(from, Parcel::PublishReply { sequence, delivered });
                    }
                    Verdict::Answer { delivered } => {
                        raft.answer_parcel(from, Parcel::PublishReply { sequence, delivered });
                    }
                    Verdict::Ignore => {}
                }
            }
            Parcel::PublishReply { sequence, delivered } => {
                requests.on_publish_answered(from.peer, sequence, delivered);
            }
            Parcel::Notify { emitter, event, payload, number, as_of } => {
                let wanted = wanted(&emitter, &event, as_of);
                if self.on_notify(from, number, as_of, raft.configuration()) && wanted {
                    self.deliver(raft, Emission { emitter, event, payload, from });
                }
            }
        }
    }

    fn deliver(&mut self, raft: &mut Raft, emission: Emission) {
        self.delivered += 1;
        raft.output(Output::Event(Event::Emitted(emission)));
    }

    fn on_publish(
        &mut self,
        from: Identity,
        (sequence, lowest): (Sequence, Sequence),
        as_of: Index,
        wanted: bool,
        members: &Configuration,
    ) -> Verdict {
        let limit = self.limit;
        match self.of(from, lowest, as_of, members) {
            Some(inbox) => inbox.on_publish(sequence, lowest, wanted, limit),
            None => Verdict::Ignore,
        }
    }

    /// Whether it is news.
    fn on_notify(
        &mut self,
        from: Identity,
        number: Sequence,
        as_of: Index,
        members: &Configuration,
    ) -> bool {
        let Some(inbox) = self.of(from, Sequence::new(0), as_of, members) else { return false };
        let is_new = number >= inbox.next_notification;
        if is_new {
            inbox.next_notification = number.next();
        }
        is_new
    }

    /// The inbox for that life, unless what was published as of then may have come before.
    fn of(
        &mut self,
        from: Identity,
        first: Sequence,
        as_of: Index,
        members: &Configuration,
    ) -> Option<&mut Inbox> {
        let Identity { peer, life } = from;
        if !self.boxes.contains_key(&peer) {
            self.forget_strangers(members);
            if as_of < self.forgotten {
                return None;
            }
        }
        let since = self.forgotten;
        let inbox = self.boxes.entry(peer).or_insert_with(|| Inbox::new(life, since, first));
        if life > inbox.life {
            // What is remembered of when holds for all lives: an earlier one may have known more.
            *inbox = Inbox { as_of: inbox.as_of, ..Inbox::new(life, inbox.since, first) };
        }
        if life < inbox.life || as_of < inbox.since {
            return None;
        }
        inbox.as_of = inbox.as_of.max(as_of);
        Some(inbox)
    }

    /// Only members matter from now on.
    fn forget_strangers(&mut self, members: &Configuration) {
        let forgotten = &mut self.forgotten;
        self.boxes.retain(|&peer, inbox| {
            let is_member = members.contains(peer);
            if !is_member {
                *forgotten = inbox.as_of.next().max(*forgotten);
            }
            is_member
        });
    }
}

impl Inbox {
    fn new(life: Life, since: Index, first: Sequence) -> Self {
        Self {
            life,
            since,
            as_of: Index::ZERO,
            lowest: first,
            next: first,
            declined: BTreeSet::new(),
            next_notification: Sequence::new(0),
        }
    }

    fn on_publish(
        &mut self,
        sequence: Sequence,
        lowest: Sequence,
        wanted: bool,
        limit: u64,
    ) -> Verdict {
        if lowest > self.lowest {
            self.lowest = lowest;
            self.next = self.next.max(lowest);
            self.declined = self.declined.split_off(&lowest);
        }
        if sequence < self.lowest || sequence > self.next {
            return Verdict::Ignore;
        }
        if sequence < self.next {
            return Verdict::Answer { delivered: !self.declined.contains(&sequence) };
        }
        if wanted {
            self.next = sequence.next();
            return Verdict::Deliver;
        }
        // Its sender has not heard of those before, and sends this one again.
        if self.declined.len() as u64 >= limit {
            return Verdict::Ignore;
        }
        self.next = sequence.next();
        self.declined.insert(sequence);
        Verdict::Answer { delivered: false }
    }
}
