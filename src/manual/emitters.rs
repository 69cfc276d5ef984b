//! Emitters: named events, to every node that subscribed.
//!
//! An [`Emitter`](crate::Emitter) is for what is said and then over: a cache entry is stale, a player has moved.
//! Who subscribed to what is replicated, and the same on all nodes. The events themselves go from node to
//! node and are not in the log: they cost one message to each subscriber, and nobody keeps them for those who
//! are away. What must not be missed belongs into a [`Map`](crate::Map) or a [`Queue`](crate::Queue), or is
//! [submitted](crate::submit).
//!
//! # A complete example
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use hamok::{
//!     Birth, Call, Config, EmitterEvent, Emitter, Event, Failure, Incarnation, Input, Node, NodeId,
//!     Output, RequestId, Ticks,
//! };
//!
//! /// Texts are published; a subscriber says its name.
//! const CHAT: Emitter<String, String> = Emitter::new("chat");
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut node = Node::new(Config::new(NodeId::new(1), Incarnation::new(0x5eed), Birth::Found))?;
//! let events = &mut Vec::new();
//!
//! // Nobody has subscribed: the event reaches nobody, and that is no failure.
//! let delivered = drive(&mut node, CHAT.publish("said", &"hello?".into())?, events)?;
//! assert!(delivered.received.is_empty() && delivered.unanswered.is_empty());
//!
//! // A node subscribes itself.
//! assert_eq!(drive(&mut node, CHAT.subscribe("said", &"ada".into())?, events)?, true);
//! let update = CHAT.update_metadata("said", &"Ada".into(), &"ada".into())?;
//! assert_eq!(drive(&mut node, update, events)?, true);
//! let subscriptions = node.emitter(&CHAT).subscriptions().collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(subscriptions, [("said".into(), NodeId::new(1), "Ada".into())]);
//! assert_eq!(drive(&mut node, CHAT.has_subscribers("said"), events)?, true);
//!
//! // What is published is told to whoever subscribed, the publisher included.
//! let delivered = drive(&mut node, CHAT.publish("said", &"hello".into())?, events)?;
//! assert_eq!(delivered.received, [NodeId::new(1)]);
//! assert_eq!(drive(&mut node, CHAT.notify("said", &"psst".into())?, events)?, 1);
//! assert_eq!(drive(&mut node, CHAT.unsubscribe("said"), events)?, true);
//!
//! let mut heard = Vec::new();
//! let mut subscribed = Vec::new();
//! for event in events.iter() {
//!     match event {
//!         Event::Emitted(emission) => heard.extend(CHAT.emitted(emission).transpose()?),
//!         Event::Changed(change) => subscribed.extend(CHAT.event(change).transpose()?),
//!         _ => {}
//!     }
//! }
//! let heard: Vec<&str> = heard.iter().map(|emitted| &*emitted.payload).collect();
//! assert_eq!(heard, ["hello", "psst"]);
//! assert!(matches!(subscribed[0], EmitterEvent::Subscribed { .. }));
//! assert!(matches!(subscribed[1], EmitterEvent::MetadataUpdated { .. }));
//! assert!(matches!(subscribed[2], EmitterEvent::Unsubscribed { .. }));
//! # Ok(())
//! # }
//!
//! /// Asks, and steps the node until it has answered. What it tells meanwhile is added to `events`.
//! fn drive<R>(node: &mut Node, call: Call<R>, events: &mut Vec<Event>) -> Result<R, Failure> {
//!     let (request, ticket) = call.into_parts();
//!     let mut inputs = VecDeque::from([Input::Request(RequestId::new(1), request)]);
//!     let mut answer = None;
//!     while answer.is_none() || !inputs.is_empty() {
//!         for output in node.step(inputs.pop_front().unwrap_or(Input::Tick(Ticks::new(1)))) {
//!             match output {
//!                 // A program that keeps nothing on disk says at once that it is done.
//!                 Output::Persist(write) => inputs.push_back(Input::Persisted(write.id())),
//!                 Output::Reply(reply) => answer = Some(reply),
//!                 Output::Event(event) => events.push(event),
//!                 // It is alone, and has no outside store.
//!                 Output::Send(_) | Output::Remote(_) => {}
//!             }
//!         }
//!     }
//!     ticket.redeem(answer.expect("the loop ends with one"))
//! }
//! ```
//!
//! # Subscriptions
//!
//! | call | does | result |
//! |---|---|---|
//! | [`subscribe`](crate::Emitter::subscribe) | subscribes the node it is given to, to an event | whether it had not before |
//! | [`unsubscribe`](crate::Emitter::unsubscribe) | ends that | whether it had |
//! | [`update_metadata`](crate::Emitter::update_metadata) | says something else of the node, if what it said is the expected | whether it was |
//! | [`clear`](crate::Emitter::clear) | ends all of this node's | how many there were |
//! | [`has_subscribers`](crate::Emitter::has_subscribers) | asks, linearizably | whether any node has |
//!
//! They are committed commands. Only a member may subscribe
//! ([`Refusal::NotAMember`](crate::Refusal)). A subscription lasts over restarts of a node that keeps its disk;
//! when a node is removed, leaves, or comes back as another incarnation, the very change of the members ends
//! its subscriptions, and it subscribes anew. The [`EmitterView`](crate::EmitterView) of
//! [`Node::emitter`](crate::Node::emitter) has `subscriptions`, `subscribers` of an event, `len` and `is_empty`,
//! as this node has applied them. Each change of them is told on every node, as
//! [`EmitterEvent`](crate::EmitterEvent).
//!
//! # Publishing and notifying
//!
//! | | [`publish`](crate::Emitter::publish) | [`notify`](crate::Emitter::notify) |
//! |---|---|---|
//! | sent | until it is answered, or the call's time is up | once |
//! | result | who [received it, and who did not answer](crate::Delivered) | to how many it was sent, at once |
//! | delivered | at most once in each life of a receiver | at most once |
//! | order | that in which one node published | later ones overtake what is lost, not what has arrived |
//! | if nobody subscribed | done, with two empty lists | 0 |
//!
//! There is no order among publishers, nor between the two kinds. A publisher sends to those who are
//! subscribed by what it has applied itself: [`sync`](crate::sync) first where a subscription just made matters.
//! One that has just started sends nothing until it has come as far as the group had. Who did not answer in time
//! may have received the event, or may receive it yet; later ones do not wait for it any longer. A receiver that starts again meanwhile
//! may be handed an event again in its new life.
//!
//! Events reach the application as [`Event::Emitted`](crate::Event), and
//! [`emitted`](crate::Emitter::emitted) gives them their type. Whether one listener hears of it or many is the
//! application's affair.
//!
//! # Atomicity, bounds, time-outs
//!
//! Events are published one by one; there are no bulk calls. An event and its payload may have
//! [`Config::max_entry_bytes`](crate::Config) together. To one receiver at most
//! [`Config::max_inflight_messages`](crate::Config) events of at most
//! [`Config::max_inflight_bytes`](crate::Config) are on their way at once, the others wait for them. The
//! receiver keeps as many that arrive before their turn. All that is published and not answered counts as
//! [requests pending](super#bounds). A publish is never `Unknown`: when its time is up, or the emitter is closed
//! meanwhile, it is done as far as it came, with the list of those who have not answered. A call about
//! subscriptions is like any other command, and may be [put into a session](super#what-is-unknown-and-asking-again).
//! To subscribe twice is harmless. [`Counters`](crate::Counters) has what was published, delivered and acknowledged.
//!
//! # The rest
//!
//! An emitter that is [closed](super#closing-reopening-dropping) on a node receives nothing there: a publisher is
//! answered that it is no subscriber. Its subscriptions stay.
//! [`drop_collection`](crate::Collection::drop_collection) ends all subscriptions of all nodes. There is no
//! initial content, and there are no exports: subscriptions belong to nodes.
//! [A name of another kind](super#a-collection-is-its-name-and-its-kind) is refused, here too.
