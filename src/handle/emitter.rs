//! The typed face of a replicated event emitter.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use super::codec::{Codec, Postcard, ValueError};
use super::coding::{bytes, count, delivered, flag};
use super::collection::sealed::Named;
use super::collection::{Collection, Label};
use super::{Call, EncodeError, Failure, Types};
use crate::bytes::Bytes;
use crate::event::Emission;
use crate::io::{Publish, What};
use crate::store::{
    Answer, Change, ChangeKind, CollectionKind, EmitterChange, EmitterQuery, NameTooLong, Query,
    SubscriptionChange,
};
use crate::types::{NodeId, Ticks};

/// Named events for every node of a group that subscribed to them.
///
/// The handle is a constant: a name, the type `E` of what is published, the type `M` of what a
/// subscriber says of itself (nothing, unless it is given), and how they become bytes. Handles of the
/// same name mean the same emitter. Naming an emitter in a command creates it.
///
/// **Subscriptions** are replicated: a node subscribes itself, through its own [`Node`](crate::Node),
/// and all nodes know who subscribed to what. They last until they are ended, over restarts of the node
/// too; when a node's membership ends, or another incarnation takes its place, that very change of the
/// members ends them. (The TypeScript library does so with its option `autoClean`.) What changes about
/// them is reported on every node as [`Event::Changed`](crate::Event), which [`event`](Emitter::event)
/// gives its types.
///
/// **Events** travel from node to node and are not in the log: they are neither ordered among
/// publishers, nor kept for those who are away. They reach the application as
/// [`Event::Emitted`](crate::Event), which [`emitted`](Emitter::emitted) gives its type; whether one
/// listener or many then hear of it is the application's affair. What a node
/// [publishes](Emitter::publish) is delivered at most once in each life of a receiver, in the order of
/// the publishing, and the publisher is told by whom it was received. What it
/// [notifies](Emitter::notify) is sent once. Subscribers are looked up in what the publisher has applied,
/// which may lag behind the group: [`sync`](crate::sync) first, where a subscription just made matters.
/// A node that has just started sends nothing until it has come as far as the group had.
///
/// Methods here make a [`Call`] to be given to a node as [`Input::Request`](crate::Input). The local
/// reads are on the [`EmitterView`](crate::EmitterView) that [`Node::emitter`](crate::Node::emitter)
/// returns. The statistics are in [`Counters`](crate::Counters) and [`Load`](crate::Load).
///
/// Costs are given for an emitter of *n* subscriptions, of which *k* are this node's, in a group of *m*
/// members.
///
/// ```
/// use hamok::Emitter;
///
/// const CHAT: Emitter<String> = Emitter::new("chat");
///
/// let (request, ticket) = CHAT.subscribe("said", &())?.into_parts();
/// // node.step(Input::Request(id, request)); from then on, for Output::Event(Event::Emitted(it)):
/// // if let Some(said) = CHAT.emitted(&it) { … }
/// let (request, ticket) = CHAT.publish("said", &"good morning".into())?.into_parts();
/// // later, with the reply: let hamok::Delivered { received, unanswered, .. } = ticket.redeem(reply)?;
/// # let _ = (request, ticket);
/// # Ok::<(), hamok::EncodeError>(())
/// ```
pub struct Emitter<E, M = (), C = Postcard> {
    label: Label,
    types: Types<E, M, C>,
}

/// What became of an event that was published, by node, in the order of their ids.
///
/// A subscriber that answered that it is none, since its subscription ended meanwhile or the emitter is
/// [closed](Collection::close) there, is in neither list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// Those whose application was handed it.
    pub received: Vec<NodeId>,
    /// Those that did not answer in time: they may or may not have received it. They may yet receive it if it
    /// is on its way, or has arrived before its turn and waits for an earlier one.
    pub unanswered: Vec<NodeId>,
}

/// A change of an emitter's subscriptions. What is published is [`Emitted`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmitterEvent<M> {
    /// A node subscribed to an event.
    Subscribed {
        /// The event.
        event: String,
        /// The node.
        node: NodeId,
        /// What it says of itself.
        metadata: M,
    },
    /// A node's subscription to an event ended, by its own wish or with its membership.
    Unsubscribed {
        /// The event.
        event: String,
        /// The node.
        node: NodeId,
        /// What it said of itself.
        metadata: M,
    },
    /// A node that subscribed says something else of itself, or the same again.
    MetadataUpdated {
        /// The event.
        event: String,
        /// The node.
        node: NodeId,
        /// What it said.
        old: M,
        /// What it says.
        new: M,
    },
    /// The emitter itself was taken out, with all subscriptions.
    Dropped,
}

/// An event, as it reaches a node that subscribed to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Emitted<E> {
    /// Its name.
    pub event: String,
    /// What was published.
    pub payload: E,
    /// The node that published it.
    pub from: NodeId,
}

impl<E, M, C> Emitter<E, M, C> {
    /// The emitter of that name.
    ///
    /// # Panics
    /// If the name is longer than 255 bytes; for a constant, that is an error of compilation.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { label: Label::new(name), types: PhantomData }
    }

    /// The emitter of a name that is known only when the program runs.
    ///
    /// # Errors
    /// [`NameTooLong`] if it is longer than 255 bytes.
    pub fn named(name: String) -> Result<Self, NameTooLong> {
        Ok(Self { label: Label::named(name)?, types: PhantomData })
    }

    /// The same emitter, whose calls end after `timeout`, unless they bring another
    /// ([`Call::with_timeout`]), instead of [`Config::request_timeout`](crate::Config).
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Ticks) -> Self {
        self.label.set_timeout(timeout);
        self
    }

    /// Ends the subscription of the node this is given to. The result is whether it had one.
    ///
    /// One [`EmitterEvent::Unsubscribed`] if it had. What is on its way may still arrive until this node
    /// has applied it, and nothing after that. The other subscriptions keep their order. O(log n).
    pub fn unsubscribe(&self, event: &str) -> Call<bool> {
        self.change(SubscriptionChange::Unsubscribe { event: named(event) }, flag)
    }

    /// Ends all subscriptions to this emitter of the node this is given to, and no others. The result is
    /// how many there were.
    ///
    /// One [`EmitterEvent::Unsubscribed`] for each, in the order of the events' bytes. O(k log n).
    pub fn clear(&self) -> Call<u64> {
        self.change(SubscriptionChange::Clear, count)
    }

    /// Reads whether any node has subscribed to an event, linearizably. O(m log n).
    pub fn has_subscribers(&self, event: &str) -> Call<bool> {
        let query = EmitterQuery::HasSubscribers(named(event));
        let query = Query::Emitter { name: self.label.stored(), query };
        Call::new(self.label.request(What::Read(query)), flag)
    }

    fn change<R>(
        &self,
        change: SubscriptionChange,
        read: fn(Answer) -> Result<R, Failure>,
    ) -> Call<R> {
        let emitter = self.label.stored();
        let what = What::Subscription { emitter, change, place: None };
        Call::new(self.label.request(what), read)
    }

    fn send<R>(
        &self,
        event: &str,
        payload: Bytes,
        answered: bool,
        read: fn(Answer) -> Result<R, Failure>,
    ) -> Call<R> {
        let (emitter, event) = (self.label.stored(), named(event));
        let publish = Publish { emitter, event, payload, answered };
        Call::new(self.label.request(What::Publish(publish)), read)
    }
}

impl<E, M, C: Codec<M>> Emitter<E, M, C> {
    /// Subscribes the node this is given to, and no other, to an event. The result is whether it had not
    /// before; if it had, `metadata` takes the place of what it said.
    ///
    /// The metadata is what all nodes may read of this subscriber: of what use it is, is up to them. The
    /// event need not exist: to subscribe makes it known, and any text of any length that a command may
    /// have ([`Config::max_entry_bytes`](crate::Config)) will do. Only members may subscribe
    /// ([`Refusal::NotAMember`](crate::Refusal)). A new subscription goes to the end, with one
    /// [`EmitterEvent::Subscribed`]; one that is there keeps its place, with one
    /// [`EmitterEvent::MetadataUpdated`]. O(log n).
    ///
    /// # Errors
    /// If the metadata does not encode.
    pub fn subscribe(&self, event: &str, metadata: &M) -> Result<Call<bool>, EncodeError> {
        let (event, metadata) = (named(event), bytes::<M, C>(metadata)?);
        Ok(self.change(SubscriptionChange::Subscribe { event, metadata }, flag))
    }

    /// Changes what the node this is given to says of itself as a subscriber, if what it said equals
    /// `expected`, byte for byte. The result is whether it did; one that has not subscribed said nothing.
    ///
    /// The subscription keeps its place; one [`EmitterEvent::MetadataUpdated`]. O(log n).
    ///
    /// # Errors
    /// If either metadata does not encode.
    pub fn update_metadata(
        &self,
        event: &str,
        new: &M,
        expected: &M,
    ) -> Result<Call<bool>, EncodeError> {
        let (new, expected) = (bytes::<M, C>(new)?, bytes::<M, C>(expected)?);
        let event = named(event);
        Ok(self.change(SubscriptionChange::UpdateMetadata { event, new, expected }, flag))
    }

    /// Gives a change of this emitter's subscriptions its types; `None` for any other change. What is
    /// published comes as [`Event::Emitted`](crate::Event): see [`emitted`](Emitter::emitted).
    ///
    /// # Errors
    /// If metadata does not decode, or the event is no text.
    pub fn event(&self, change: &Change) -> Option<Result<EmitterEvent<M>, ValueError>> {
        if change.collection() != self.name() {
            return None;
        }
        match &change.kind {
            ChangeKind::Emitter(change) => Some(event::<M, C>(change)),
            ChangeKind::Dropped(CollectionKind::Emitter) => Some(Ok(EmitterEvent::Dropped)),
            ChangeKind::Map(_)
            | ChangeKind::Queue(_)
            | ChangeKind::Record(_)
            | ChangeKind::RemoteMap { .. }
            | ChangeKind::RemoteFailed { .. }
            | ChangeKind::Dropped(_) => None,
        }
    }
}

impl<E, M, C: Codec<E>> Emitter<E, M, C> {
    /// Sends an event to all who subscribed to it, again and again until each has answered. The result
    /// is who received it, and of whom that is not known when the call's time is up.
    ///
    /// Each life of a receiver is handed it at most once, after all that this node published to it
    /// before and that has not been given up; one that starts again meanwhile may be handed it again. An
    /// event is given up when its time is up: those after it then wait for it no longer. The node
    /// itself, if it subscribed, receives it at once. Where nobody subscribed the call is done at once,
    /// with two empty lists; there is no such thing as a failure to deliver.
    ///
    /// The position in the outcome is how far this node had applied, not a place in the log. A node that
    /// is no member answers [`NotExecuted::NoGroup`](crate::NotExecuted). Event and payload together may
    /// have [`Config::max_entry_bytes`](crate::Config). They count against
    /// [`Config::max_pending_bytes`](crate::Config), and to one receiver at most
    /// [`Config::max_inflight_messages`](crate::Config) of at most
    /// [`Config::max_inflight_bytes`](crate::Config), and in any case one, are on their way at once. A
    /// receiver keeps as many from each publisher that arrive before their turn. Those that are not
    /// answered are sent again after [`Config::election_timeout`](crate::Config): a shorter time-out of
    /// the call means that what is lost once is given up. O(m log n) and one message to each.
    ///
    /// # Errors
    /// If the payload does not encode.
    pub fn publish(&self, event: &str, payload: &E) -> Result<Call<Delivered>, EncodeError> {
        Ok(self.send(event, bytes::<E, C>(payload)?, true, delivered))
    }

    /// Sends an event to all who subscribed to it, once. The result comes at once: to how
    /// many it was sent, this node included.
    ///
    /// Whether it arrives nobody tells: it is lost with the message that carries it. What arrives was not
    /// there before, and is later than all that was notified by this node and has arrived. It is not
    /// ordered among what is [published](Emitter::publish). Limits as there. O(m log n) and one message
    /// to each.
    ///
    /// # Errors
    /// If the payload does not encode.
    pub fn notify(&self, event: &str, payload: &E) -> Result<Call<u64>, EncodeError> {
        Ok(self.send(event, bytes::<E, C>(payload)?, false, count))
    }

    /// Gives an event that reached this node its type, if it is one of this emitter.
    ///
    /// # Errors
    /// If the payload does not decode, or the event's name is no text.
    pub fn emitted(&self, emission: &Emission) -> Option<Result<Emitted<E>, ValueError>> {
        if emission.emitter() != self.name() {
            return None;
        }
        Some(emitted::<E, C>(emission))
    }
}

impl<E, M, C> Named for Emitter<E, M, C> {
    const KIND: CollectionKind = CollectionKind::Emitter;

    fn label(&self) -> &Label {
        &self.label
    }
}

impl<E, M, C> Collection for Emitter<E, M, C> {}

impl<E, M, C> Clone for Emitter<E, M, C> {
    fn clone(&self) -> Self {
        Self { label: self.label.clone(), types: PhantomData }
    }
}

impl<E, M, C> fmt::Debug for Emitter<E, M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Emitter").field(&self.name()).finish()
    }
}

/// The bytes under which an event is known: those of its text.
pub(super) fn named(event: &str) -> Bytes {
    event.as_bytes().into()
}

/// The text of an event.
pub(super) fn text(event: &Bytes) -> Result<String, ValueError> {
    core::str::from_utf8(event).map(String::from).map_err(|_| ValueError::Malformed)
}

fn event<M, C: Codec<M>>(change: &EmitterChange) -> Result<EmitterEvent<M>, ValueError> {
    Ok(match change {
        EmitterChange::Subscribed { event, subscriber, metadata } => EmitterEvent::Subscribed {
            event: text(event)?,
            node: subscriber.id,
            metadata: C::decode(metadata)?,
        },
        EmitterChange::Unsubscribed { event, subscriber, metadata } => EmitterEvent::Unsubscribed {
            event: text(event)?,
            node: subscriber.id,
            metadata: C::decode(metadata)?,
        },
        EmitterChange::MetadataUpdated { event, subscriber, old, new } => {
            EmitterEvent::MetadataUpdated {
                event: text(event)?,
                node: subscriber.id,
                old: C::decode(old)?,
                new: C::decode(new)?,
            }
        }
    })
}

fn emitted<E, C: Codec<E>>(emission: &Emission) -> Result<Emitted<E>, ValueError> {
    Ok(Emitted {
        event: text(&emission.event)?,
        payload: C::decode(&emission.payload)?,
        from: emission.from.peer.id,
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::super::testing::{Group, text as string};
    use super::*;
    use crate::store::CollectionRef;
    use crate::types::{Identity, Incarnation, Life, Peer, RequestId, Ticks};
    use crate::{Birth, Config, Event, Input, Map, Node, NotExecuted, Output, Reply, ViewError};

    const CHAT: Emitter<String, u8> = Emitter::new("chat");

    fn node() -> Node {
        let mut config = Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found);
        config.max_entry_bytes = 100;
        Node::new(config).expect("a valid configuration")
    }

    /// Runs a group of one until it answers. The result, and what was emitted by then.
    fn ask<R>(node: &mut Node, call: Call<R>) -> (Result<R, Failure>, Vec<Emission>) {
        let (request, ticket) = call.into_parts();
        let mut emissions = Vec::new();
        let mut reply = None;
        let mut outputs = node.step(Input::Request(RequestId::new(1), request));
        loop {
            let mut next = Vec::new();
            for output in outputs {
                match output {
                    Output::Persist(write) => next.extend(node.step(Input::Persisted(write.id()))),
                    Output::Reply(answered) => reply = Some(answered),
                    Output::Event(Event::Emitted(emission)) => emissions.push(emission),
                    Output::Send(_) | Output::Event(_) | Output::Remote(_) => {}
                }
            }
            if let Some(reply) = reply.take() {
                return (ticket.redeem(reply), emissions);
            }
            next.extend(node.step(Input::Tick(Ticks::new(1))));
            outputs = next;
        }
    }

    fn said(payload: &str) -> Emitted<String> {
        Emitted { event: string("said"), payload: string(payload), from: NodeId::new(1) }
    }

    #[test]
    fn every_method_about_subscriptions_has_its_typed_result() {
        let group = &mut Group::new();
        assert_eq!(group.run(CHAT.has_subscribers("said")), Ok(false));
        assert_eq!(group.run(CHAT.subscribe("said", &1).unwrap()), Ok(true));
        assert_eq!(group.run(CHAT.subscribe("said", &2).unwrap()), Ok(false));
        assert_eq!(group.run(CHAT.update_metadata("said", &3, &1).unwrap()), Ok(false));
        assert_eq!(group.run(CHAT.update_metadata("said", &3, &2).unwrap()), Ok(true));
        assert_eq!(group.run(CHAT.update_metadata("left", &3, &2).unwrap()), Ok(false));
        assert_eq!(group.run(CHAT.has_subscribers("said")), Ok(true));
        assert_eq!(group.run(CHAT.unsubscribe("left")), Ok(false));
        assert_eq!(group.run(CHAT.unsubscribe("said")), Ok(true));
        assert_eq!(group.run(CHAT.subscribe("", &0).unwrap()), Ok(true));
        assert_eq!(group.run(CHAT.subscribe("left", &0).unwrap()), Ok(true));
        assert_eq!(group.run(CHAT.clear()), Ok(2));
        assert_eq!(group.run(CHAT.clear()), Ok(0));
        assert_eq!(group.run(CHAT.ready()), Ok(()));
        assert_eq!(group.collection("chat").map(CollectionRef::kind), Some(CHAT.kind()));
        assert_eq!(group.run(CHAT.drop_collection()), Ok(true));
    }

    #[test]
    fn changes_are_typed_and_told_apart_by_name() {
        let group = &mut Group::new();
        let other: Emitter<String, u8> = Emitter::named(string("other")).unwrap();
        let events = |group: &Group| -> Vec<EmitterEvent<u8>> {
            assert!(group.changes.iter().all(|change| other.event(change).is_none()));
            group.changes.iter().map(|change| CHAT.event(change).unwrap().unwrap()).collect()
        };
        let (said, node) = (|| string("said"), Group::MEMBER.id);
        group.run(CHAT.subscribe("said", &1).unwrap()).unwrap();
        let subscribed = EmitterEvent::Subscribed { event: said(), node, metadata: 1 };
        assert_eq!(events(group), [subscribed]);
        group.run(CHAT.subscribe("said", &1).unwrap()).unwrap();
        let updated = EmitterEvent::MetadataUpdated { event: said(), node, old: 1, new: 1 };
        assert_eq!(events(group), [updated]);
        group.run(CHAT.unsubscribe("said")).unwrap();
        let unsubscribed = EmitterEvent::Unsubscribed { event: said(), node, metadata: 1 };
        assert_eq!(events(group), [unsubscribed]);
        group.run(CHAT.drop_collection()).unwrap();
        assert_eq!(events(group), [EmitterEvent::Dropped]);
        let map: Map<u8, u8> = Map::new("chat");
        group.run(map.set(&1, &2).unwrap()).unwrap();
        assert!(CHAT.event(&group.changes[0]).is_none());
    }

    #[test]
    fn the_view_reads_what_is_subscribed_in_the_order_it_came() {
        let mut node = node();
        assert!(node.emitter(&CHAT).is_empty());
        for event in ["said", "left", ""] {
            ask(&mut node, CHAT.subscribe(event, &7).unwrap()).0.unwrap();
        }
        let view = node.emitter(&CHAT);
        let subscriptions: Result<Vec<_>, _> = view.subscriptions().collect();
        let one = NodeId::new(1);
        let expected = ["said", "left", ""].map(|event| (string(event), one, 7));
        assert_eq!(subscriptions, Ok(expected.to_vec()));
        assert_eq!((view.len(), view.is_empty()), (3, false));
        assert_eq!(view.subscribers("left"), vec![one]);
        assert_eq!(view.subscribers("right"), vec![]);
        let wide: Emitter<String, u64> = Emitter::new("chat");
        assert_eq!(node.emitter(&wide).subscriptions().next(), Some(Ok((string("said"), one, 7))));
        let text: Emitter<String, String> = Emitter::new("chat");
        let error = ValueError::Malformed;
        assert_eq!(node.emitter(&text).subscriptions().next(), Some(Err(error)));
    }

    #[test]
    fn a_name_of_another_kind_is_refused_and_reads_as_empty() {
        let mut node = node();
        let map: Map<u8, u8> = Map::new("chat");
        assert_eq!(ask(&mut node, map.set(&1, &2).unwrap()).0, Ok(None));
        let view = node.emitter(&CHAT);
        assert_eq!((view.len(), view.subscribers("said")), (0, vec![]));
        assert_eq!(view.subscriptions().count(), 0);
        let is = CollectionKind::Map;
        let refused = Failure::Refused(crate::Refusal::WrongKind { is });
        let asked = ask(&mut node, CHAT.publish("said", &string("a")).unwrap());
        assert_eq!(asked, (Err(refused.clone()), vec![]));
        assert_eq!(ask(&mut node, CHAT.notify("said", &string("a")).unwrap()).0, Err(refused));
        assert_eq!(node.map(&map).get(&1), Ok::<_, ViewError>(Some(2)));
    }

    #[test]
    fn a_node_that_subscribed_hears_itself() {
        let mut node = node();
        let (one, hello) = (NodeId::new(1), string("hello"));
        let nobody = Delivered { received: vec![], unanswered: vec![] };
        let asked = ask(&mut node, CHAT.publish("said", &hello).unwrap());
        assert_eq!(asked, (Ok(nobody.clone()), vec![]));
        assert_eq!(ask(&mut node, CHAT.notify("said", &hello).unwrap()), (Ok(0), vec![]));
        ask(&mut node, CHAT.subscribe("said", &7).unwrap()).0.unwrap();

        let (delivered, emissions) = ask(&mut node, CHAT.publish("said", &hello).unwrap());
        assert_eq!(delivered, Ok(Delivered { received: vec![one], unanswered: vec![] }));
        let emitted: Vec<_> = emissions.iter().map(|it| CHAT.emitted(it).unwrap()).collect();
        assert_eq!(emitted, [Ok(said("hello"))]);
        let (count, emissions) = ask(&mut node, CHAT.notify("said", &hello).unwrap());
        assert_eq!((count, emissions.len()), (Ok(1), 1));

        let counters = node.status().counters;
        assert_eq!((counters.events_published, counters.events_delivered), (4, 2));
        assert_eq!(counters.events_acknowledged, 0);
        assert_eq!(node.status().load.offered_events, 0);
        assert_eq!(ask(&mut node, CHAT.close()).0, Ok(()));
        let asked = ask(&mut node, CHAT.publish("said", &hello).unwrap()).0;
        assert_eq!(asked, Err(Failure::NotExecuted(NotExecuted::Closed)));
        assert_eq!(ask(&mut node, CHAT.reopen()).0, Ok(()));
        assert_eq!(ask(&mut node, CHAT.unsubscribe("said")).0, Ok(true));
        assert_eq!(ask(&mut node, CHAT.publish("said", &hello).unwrap()), (Ok(nobody), vec![]));
    }

    #[test]
    fn what_is_too_large_is_not_sent() {
        let mut node = node();
        let call = |length: usize| CHAT.publish("said", &"x".repeat(length)).unwrap();
        assert!(ask(&mut node, call(95)).0.is_ok());
        let too_large = NotExecuted::TooLarge { bytes: 101, limit: 100 };
        assert_eq!(ask(&mut node, call(96)).0, Err(Failure::NotExecuted(too_large)));
        let notify = CHAT.notify("said", &"x".repeat(96)).unwrap();
        assert_eq!(ask(&mut node, notify).0, Err(Failure::NotExecuted(too_large)));
    }

    #[test]
    fn without_a_group_nothing_is_published() {
        let birth = Birth::Join { contacts: vec![NodeId::new(9)], voter: true };
        let config = Config::new(NodeId::new(1), Incarnation::new(1), birth);
        let mut node = Node::new(config).expect("a valid configuration");
        let no_group = Failure::NotExecuted(NotExecuted::NoGroup);
        let call = CHAT.publish("said", &string("a")).unwrap();
        assert_eq!(ask(&mut node, call).0, Err(no_group.clone()));
        let call = CHAT.notify("said", &string("a")).unwrap();
        assert_eq!(ask(&mut node, call).0, Err(no_group));
    }

    #[test]
    fn what_does_not_decode_is_an_error_of_the_reader() {
        let peer = Peer { id: NodeId::new(1), incarnation: Incarnation::new(1) };
        let emission = |event: &[u8], payload: &[u8]| Emission {
            emitter: CHAT.label().stored(),
            event: event.into(),
            payload: payload.into(),
            from: Identity { peer, life: Life::FIRST },
        };
        let cases = [
            (emission(b"said", &[1, b'a']), Ok(said("a"))),
            (emission(b"said", &[2, b'a']), Err(ValueError::Malformed)),
            (emission(b"said", &[1, b'a', 0]), Err(ValueError::LeftOver { bytes: 1 })),
            (emission(b"\xff", &[1, b'a']), Err(ValueError::Malformed)),
        ];
        for (emission, emitted) in cases {
            assert_eq!(CHAT.emitted(&emission), Some(emitted), "{emission}");
        }
        let other: Emitter<String> = Emitter::new("other");
        assert_eq!(other.emitted(&emission(b"said", &[1, b'a'])), None);
    }

    #[test]
    fn a_reply_to_something_else_is_recognised() {
        let (_, ticket) = CHAT.publish("said", &string("a")).unwrap().into_parts();
        let index = crate::Index::new(3);
        let answer = Answer(crate::store::Content::Flag(true));
        let outcome = crate::Outcome::Done { index, answer };
        let reply = Reply { id: RequestId::new(1), outcome };
        assert_eq!(ticket.redeem(reply), Err(Failure::WrongReply));
    }
}
