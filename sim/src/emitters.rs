//! A task beside each node that subscribes to events and publishes them, and what came of it: whoever is
//! said to have received an event did, at most once in each of its lives, and in the order in which each
//! publisher sent them. Once the group has settled, what is published reaches all who subscribed and run.
//!
//! These tasks live in the same process as their node, as an embedder does: what they ask does not cross
//! the network, so that the order in which they ask is that in which the node is asked.

use std::collections::{BTreeMap, BTreeSet};

use hamok::{
    Call, Delivered, Emitter, Event, Failure, Identity, Membership, NodeId, Reply, Request, Ticket,
};

use crate::draw::{Dice, Stream};
use crate::history::{CallOutcome, CallResult};
use crate::observation::{SimTime, Violation};
use crate::tally::Tally;
use crate::workload::Context;

/// The tasks of all nodes.
#[derive(Debug, Default)]
pub(crate) struct EmitterTasks {
    tasks: BTreeMap<NodeId, Task>,
    /// What was sent, by its payload.
    sent: BTreeMap<String, Sent>,
    /// What reached each life of each node, and in which order it was sent.
    reached: BTreeMap<(NodeId, Identity), Reached>,
    /// When the group had settled.
    settled: Option<SimTime>,
    objection: Option<Violation>,
}

#[derive(Debug, Default)]
struct Task {
    /// The requests under way, by their tokens.
    waits: BTreeMap<u64, Asked>,
    asked: u64,
    /// How often it has paused.
    thoughts: u64,
    /// Whom a publish has still to reach since the group has settled, by the event.
    owed: BTreeMap<&'static str, BTreeSet<NodeId>>,
    /// What it last said of itself with each event, as far as it knows.
    metadata: BTreeMap<&'static str, String>,
}

#[derive(Clone, Debug)]
enum Asked {
    Publish { payload: String, ticket: Ticket<Delivered> },
    Notify(Ticket<u64>),
    Flag(&'static str, Ticket<bool>),
    Count(Ticket<u64>),
}

/// One event that was sent.
#[derive(Debug)]
struct Sent {
    by: Identity,
    event: &'static str,
    number: u64,
    answered: bool,
    received: BTreeSet<NodeId>,
}

/// What one life of a node received.
#[derive(Debug, Default)]
struct Reached {
    payloads: BTreeSet<String>,
    /// The number of the last one from each publisher's life, of those that ask for an answer and of those
    /// that do not.
    last: BTreeMap<(Identity, bool), u64>,
}

/// The emitter that all tasks use.
const EVENTS: Emitter<String, String> = Emitter::new("events");
const NAMES: [&str; 3] = ["open", "tick", "close"];

impl EmitterTasks {
    pub(crate) fn on_start(&mut self, context: &mut Context<'_>) {
        if !context.plan().load.emitters {
            return;
        }
        for node in context.plan().node_ids() {
            self.tasks.insert(node, Task::default());
            let first = context.dice(Stream::Emit, node.get(), 0).between(0, FIRST_THINK);
            context.timer(client_of(node), THOUGHT, first);
        }
    }

    /// The task of that node, if the client stands for one.
    pub(crate) fn node_of(client: u64) -> Option<NodeId> {
        client.checked_sub(FIRST_CLIENT).map(NodeId::new)
    }

    pub(crate) fn on_timer(
        &mut self,
        context: &mut Context<'_>,
        (node, token): (NodeId, u64),
        tally: &mut Tally,
    ) {
        let Some(task) = self.tasks.get_mut(&node) else { return };
        if token == THOUGHT {
            if self.settled.is_some() {
                self.publish_owed(context, node, tally);
            } else {
                self.begin(context, node, tally);
            }
            self.think(context, node);
        } else if let Some(asked) = task.waits.remove(&token) {
            // The node has crashed, or takes very long.
            tally.end(asked.kind(), &CallOutcome::Unknown);
        }
    }

    pub(crate) fn on_reply(
        &mut self,
        (node, token): (NodeId, u64),
        reply: Reply,
        tally: &mut Tally,
    ) {
        let Some(task) = self.tasks.get_mut(&node) else { return };
        let Some(asked) = task.waits.remove(&token) else { return };
        let kind = asked.kind();
        let result = match asked {
            Asked::Publish { payload, ticket } => ticket.redeem(reply).map(|delivered| {
                let told = delivered.received.into_iter().collect();
                let judged = self.judge(&payload, &told, &delivered.unanswered);
                self.object(judged);
                self.settle_up(node, &payload, &told);
            }),
            Asked::Notify(ticket) | Asked::Count(ticket) => ticket.redeem(reply).map(drop),
            Asked::Flag(_, ticket) => ticket.redeem(reply).map(drop),
        };
        let outcome = match result {
            Ok(()) => CallOutcome::Done { index: None, result: CallResult::Nothing },
            Err(Failure::Refused(_)) => CallOutcome::Refused { index: None },
            Err(Failure::NotExecuted(_)) => CallOutcome::NotExecuted,
            Err(Failure::Unknown(_)) => CallOutcome::Unknown,
            Err(other) => {
                self.object(Err(format!("a request about events ended as {other}")));
                CallOutcome::Unknown
            }
        };
        tally.end(kind, &outcome);
    }

    /// The group has settled: from now on what is published reaches all who subscribed and run.
    pub(crate) fn on_settled(&mut self, context: &Context<'_>) {
        self.settled = Some(context.now());
        for (&node, task) in &mut self.tasks {
            task.owed =
                NAMES.into_iter().map(|event| (event, subscribers(context, node, event))).collect();
            task.owed.retain(|_, owed| !owed.is_empty());
        }
    }

    /// Whether nobody is owed an event.
    pub(crate) fn is_idle(&self) -> bool {
        self.tasks.values().all(|task| task.owed.is_empty())
    }

    /// A node emitted something.
    pub(crate) fn on_event(&mut self, context: &Context<'_>, node: NodeId, event: &Event) {
        if let Event::Emitted(emission) = event
            && let Some(emitted) = EVENTS.emitted(emission)
        {
            let judged = match emitted {
                Ok(emitted) => {
                    let receiver = context.identity(node).expect("a node that emits has a life");
                    self.reach(receiver, emission.from(), &emitted.event, emitted.payload)
                }
                Err(error) => Err(format!("an event is not as it was sent: {error}")),
            };
            self.object(judged);
        }
    }

    /// The run is over.
    pub(crate) fn on_end(&mut self, context: &Context<'_>) -> Result<(), Violation> {
        for &node in self.tasks.keys() {
            let Some(node) = context.node(node) else { continue };
            let members = &node.status().configuration;
            let subscriptions = node.emitter(&EVENTS).subscriptions();
            let subscribers: BTreeSet<NodeId> =
                subscriptions.filter_map(Result::ok).map(|(_, subscriber, _)| subscriber).collect();
            let gone =
                subscribers.into_iter().find(|id| members.incarnations(*id).next().is_none());
            // What is in force need not be applied yet.
            if let Some(gone) = gone
                && node.status().applied >= node.status().configuration_index
            {
                let text = format!("{gone} is no member, and is still subscribed");
                return Err(Violation::new(CODE, Some(node.status().identity.peer.id), text));
            }
        }
        self.owes_nobody(context.now())?;
        self.objection.take().map_or(Ok(()), Err)
    }

    /// Asks for what the dice say, unless enough is under way.
    fn begin(&mut self, context: &mut Context<'_>, node: NodeId, tally: &mut Tally) {
        let task = self.tasks.get_mut(&node).expect("each node has a task");
        if context.is_quiet() || context.node(node).is_none() || task.waits.len() >= MOST_AT_ONCE {
            return;
        }
        task.asked += 1;
        let mut dice = context.dice(Stream::Emit, node.get(), task.asked);
        let payload = format!("{node}.{}", task.asked);
        let event = *dice.pick(&NAMES);
        let known = task.metadata.get(event).cloned().unwrap_or_default();
        let (request, asked) = draw(&mut dice, event, (payload.clone(), known));
        if let Asked::Flag("emitter.subscribe" | "emitter.update_metadata", _) = &asked {
            task.metadata.insert(event, payload.clone());
        }
        self.ask(context, node, (event, payload), (request, asked), tally);
    }

    /// Publishes what somebody is owed who still runs and is subscribed.
    fn publish_owed(&mut self, context: &mut Context<'_>, node: NodeId, tally: &mut Tally) {
        for event in NAMES {
            let task = self.tasks.get_mut(&node).expect("each node has a task");
            let Some(owed) = task.owed.get_mut(event) else { continue };
            let subscribed = subscribers(context, node, event);
            owed.retain(|id| subscribed.contains(id));
            if owed.is_empty() {
                task.owed.remove(event);
            } else if task.waits.len() < MOST_AT_ONCE {
                task.asked += 1;
                let payload = format!("{node}.{}", task.asked);
                let asked = publish(event, payload.clone());
                self.ask(context, node, (event, payload), asked, tally);
            }
        }
    }

    fn ask(
        &mut self,
        context: &mut Context<'_>,
        node: NodeId,
        (event, payload): (&'static str, String),
        (request, asked): (Request, Asked),
        tally: &mut Tally,
    ) {
        let by = context.identity(node).expect("a node that runs has a life");
        let task = self.tasks.get_mut(&node).expect("each node has a task");
        let number = task.asked;
        if let Asked::Publish { .. } | Asked::Notify(_) = &asked {
            let answered = matches!(asked, Asked::Publish { .. });
            let sent = Sent { by, event, number, answered, received: BTreeSet::new() };
            self.sent.insert(payload, sent);
        }
        tally.begin(asked.kind());
        let token = FIRST_TOKEN + number;
        task.waits.insert(token, asked);
        context.request_here(client_of(node), token, node, request);
        let patience = context.plan().knobs.request_timeout * context.plan().tick * 2;
        context.timer(client_of(node), token, patience);
    }

    fn think(&mut self, context: &mut Context<'_>, node: NodeId) {
        let (low, high) = context.plan().load.think;
        let task = self.tasks.get_mut(&node).expect("each node has a task");
        task.thoughts += 1;
        let mut dice = context.dice(Stream::Emit, node.get(), task.thoughts | PAUSE);
        context.timer(client_of(node), THOUGHT, dice.between(low, high.max(low)));
    }

    /// A publish has reached some, to whom this event is owed no longer.
    fn settle_up(&mut self, node: NodeId, payload: &str, told: &BTreeSet<NodeId>) {
        let event = self.sent[payload].event;
        let task = self.tasks.get_mut(&node).expect("each node has a task");
        if let Some(owed) = task.owed.get_mut(event) {
            owed.retain(|id| !told.contains(id));
            if owed.is_empty() {
                task.owed.remove(event);
            }
        }
    }

    /// Nobody is owed an event who has been for long.
    fn owes_nobody(&self, now: SimTime) -> Result<(), Violation> {
        let Some(settled) = self.settled else { return Ok(()) };
        let owed = self.tasks.iter().find_map(|(node, task)| {
            let (event, owed) = task.owed.first_key_value()?;
            Some((*node, event, owed))
        });
        match owed {
            Some((node, event, owed)) if now.since(settled) >= LONG_SETTLED => {
                let owed: Vec<String> = owed.iter().map(ToString::to_string).collect();
                let text = format!(
                    "within {} s after the group had settled no publish of {event:?} by {node} has \
                     reached {}, which run and have subscribed to it",
                    now.since(settled) / 1_000_000,
                    owed.join(", ")
                );
                Err(Violation::new(CODE, Some(node), text))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// An event reaches a life of a node.
    fn reach(
        &mut self,
        receiver: Identity,
        from: Identity,
        event: &str,
        payload: String,
    ) -> Result<(), String> {
        let Some(sent) = self.sent.get_mut(&payload) else {
            return Err(format!("{receiver} received {payload}, which nobody sent"));
        };
        if sent.by != from || sent.event != event {
            return Err(format!(
                "{receiver} received {payload} as {event} by {from}, but it was sent as {} by {}",
                sent.event, sent.by
            ));
        }
        let reached = self.reached.entry((receiver.peer.id, receiver)).or_default();
        let last = reached.last.insert((from, sent.answered), sent.number);
        if let Some(last) = last.filter(|last| *last >= sent.number) {
            return Err(format!(
                "events are received in the order in which they were sent and at most once, but \
                 {receiver} received the one of {from} numbered {} after {last}",
                sent.number
            ));
        }
        sent.received.insert(receiver.peer.id);
        reached.payloads.insert(payload);
        Ok(())
    }

    /// A publisher is told who received its event.
    fn judge(
        &self,
        payload: &str,
        told: &BTreeSet<NodeId>,
        unanswered: &[NodeId],
    ) -> Result<(), String> {
        let sent = &self.sent[payload];
        if let Some(node) = told.difference(&sent.received).next() {
            return Err(format!("{node} is said to have received {payload}, and did not"));
        }
        if let Some(node) = unanswered.iter().find(|node| told.contains(node)) {
            return Err(format!("{node} is said to have received {payload}, and not to"));
        }
        Ok(())
    }

    fn object(&mut self, judged: Result<(), String>) {
        if let Err(text) = judged {
            self.objection.get_or_insert_with(|| Violation::new(CODE, None, text));
        }
    }
}

impl Asked {
    fn kind(&self) -> &'static str {
        match self {
            Self::Publish { .. } => "emitter.publish",
            Self::Notify(_) => "emitter.notify",
            Self::Flag(kind, _) => kind,
            Self::Count(_) => "emitter.clear",
        }
    }
}

/// What a task asks for next.
fn draw(dice: &mut Dice, event: &str, (payload, known): (String, String)) -> (Request, Asked) {
    let encodes = "text encodes";
    match dice.between(0, 99) {
        0..45 => publish(event, payload),
        45..58 => {
            let (request, ticket) = EVENTS.notify(event, &payload).expect(encodes).into_parts();
            (request, Asked::Notify(ticket))
        }
        58..80 => flag("emitter.subscribe", EVENTS.subscribe(event, &payload).expect(encodes)),
        80..86 => flag("emitter.unsubscribe", EVENTS.unsubscribe(event)),
        86..91 => {
            let update = EVENTS.update_metadata(event, &payload, &known);
            flag("emitter.update_metadata", update.expect(encodes))
        }
        91..98 => flag("emitter.has_subscribers", EVENTS.has_subscribers(event)),
        _ => {
            let (request, ticket) = EVENTS.clear().into_parts();
            (request, Asked::Count(ticket))
        }
    }
}

fn publish(event: &str, payload: String) -> (Request, Asked) {
    let (request, ticket) = EVENTS.publish(event, &payload).expect("text encodes").into_parts();
    (request, Asked::Publish { payload, ticket })
}

fn flag(kind: &'static str, call: Call<bool>) -> (Request, Asked) {
    let (request, ticket) = call.into_parts();
    (request, Asked::Flag(kind, ticket))
}

/// The members that run and are subscribed to an event, by what a node holds; none by one that is no
/// member itself.
fn subscribers(context: &Context<'_>, node: NodeId, event: &str) -> BTreeSet<NodeId> {
    let Some(node) = context.node(node) else { return BTreeSet::new() };
    let status = node.status();
    if !matches!(status.membership, Membership::Voter | Membership::Learner) {
        return BTreeSet::new();
    }
    let runs = |id: &NodeId| {
        let peer = context.node(*id).map(|node| node.status().identity.peer);
        peer.is_some_and(|peer| status.configuration.contains(peer))
    };
    let subscriptions = node.emitter(&EVENTS).subscriptions();
    let theirs = subscriptions.filter_map(Result::ok).filter(|(named, ..)| named == event);
    theirs.map(|(_, subscriber, _)| subscriber).filter(runs).collect()
}

fn client_of(node: NodeId) -> u64 {
    FIRST_CLIENT + node.get()
}

const CODE: &str = "EM";
/// The clients from this number on are the tasks, by their nodes.
const FIRST_CLIENT: u64 = 1 << 32;
const THOUGHT: u64 = 0;
const FIRST_TOKEN: u64 = 1;
/// How many requests of one task may be under way.
const MOST_AT_ONCE: usize = 4;
/// When a group has been settled for so long, nothing that was published before holds up what is then.
const LONG_SETTLED: u64 = 60_000_000;
const FIRST_THINK: u64 = 6_000_000;
/// Sets the draw of a pause apart from that of an operation.
const PAUSE: u64 = 1 << 40;

#[cfg(test)]
mod tests {
    use hamok::{Incarnation, Life, Peer};

    use super::*;

    fn life(id: u64, life: u32) -> Identity {
        let peer = Peer { id: NodeId::new(id), incarnation: Incarnation::new(1) };
        Identity { peer, life: Life::new(life) }
    }

    /// Node 1 has sent three events, of which the last asks for no answer.
    fn tasks() -> EmitterTasks {
        let mut tasks = EmitterTasks::default();
        for (number, answered) in [(1, true), (2, true), (3, false)] {
            let sent =
                Sent { by: life(1, 1), event: "tick", number, answered, received: BTreeSet::new() };
            tasks.sent.insert(number.to_string(), sent);
        }
        tasks
    }

    fn reach(tasks: &mut EmitterTasks, receiver: Identity, payload: &str) -> Result<(), String> {
        tasks.reach(receiver, life(1, 1), "tick", payload.to_owned())
    }

    #[test]
    fn events_that_come_once_and_in_order_are_accepted() {
        let tasks = &mut tasks();
        for payload in ["1", "3", "2"] {
            assert_eq!(reach(tasks, life(2, 1), payload), Ok(()), "the third is of another kind");
        }
        assert_eq!(reach(tasks, life(2, 2), "1"), Ok(()), "another life may have it again");
        assert_eq!(reach(tasks, life(3, 1), "2"), Ok(()), "one may be missed");
    }

    #[test]
    fn events_that_come_again_or_out_of_order_or_from_nowhere_are_reported() {
        let tasks = &mut tasks();
        assert_eq!(reach(tasks, life(2, 1), "2"), Ok(()));
        assert!(reach(tasks, life(2, 1), "2").is_err(), "twice");
        assert!(reach(tasks, life(2, 1), "1").is_err(), "too late");
        assert!(reach(tasks, life(2, 1), "9").is_err(), "not sent");
        let other = tasks.reach(life(3, 1), life(2, 1), "tick", "1".to_owned());
        assert!(other.is_err(), "in another's name");
        let other = tasks.reach(life(3, 1), life(1, 1), "tock", "1".to_owned());
        assert!(other.is_err(), "as another event");
    }

    #[test]
    fn a_publisher_that_is_told_what_is_not_so_is_reported() {
        let tasks = &mut tasks();
        reach(tasks, life(2, 1), "1").expect("it was sent");
        let told = |received: &[u64]| received.iter().map(|id| NodeId::new(*id)).collect();
        assert_eq!(tasks.judge("1", &told(&[]), &[]), Ok(()), "an answer may be lost");
        assert_eq!(tasks.judge("1", &told(&[2]), &[NodeId::new(3)]), Ok(()));
        assert!(tasks.judge("1", &told(&[2, 3]), &[]).is_err(), "the other has not received it");
        assert!(tasks.judge("1", &told(&[2]), &[NodeId::new(2)]).is_err(), "both");
    }

    #[test]
    fn those_that_no_publish_reaches_although_the_group_has_settled_are_reported() {
        let tasks = &mut tasks();
        let (settled, long) = (SimTime::from_secs(70), SimTime::from_secs(130));
        tasks.settled = Some(settled);
        let subscribers = BTreeSet::from([NodeId::new(2), NodeId::new(3)]);
        let owed = BTreeMap::from([("tick", subscribers)]);
        tasks.tasks.insert(NodeId::new(1), Task { owed, ..Task::default() });
        assert!(!tasks.is_idle());
        tasks.settle_up(NodeId::new(1), "1", &BTreeSet::from([NodeId::new(2)]));
        assert_eq!(tasks.owes_nobody(settled.plus(1)), Ok(()), "it may take a while");
        let violation = tasks.owes_nobody(long).expect_err("node 3 is not reached");
        assert!(violation.text.contains("reached n3,"), "{violation}");
        tasks.settle_up(NodeId::new(1), "2", &BTreeSet::from([NodeId::new(3)]));
        assert!(tasks.is_idle());
        assert_eq!(tasks.owes_nobody(long), Ok(()));
    }
}
