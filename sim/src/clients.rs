//! The simulator's own workload: clients that use collections of several kinds at once, and note what
//! came of it.
//!
//! Each client does one operation at a time, most of them in a session of its own, so that it may
//! send them again through any node; some without, which it sends once.

use std::collections::BTreeSet;

use hamok::{
    Event, Failure, NodeId, NotExecuted, Reply, Sequence, SessionId, Ticket, Unknown, open_session,
};

use crate::draw::Stream;
use crate::emitters::EmitterTasks;
use crate::exports::Exports;
use crate::history::{CallId, CallOutcome, History};
use crate::mirror::Mirrors;
use crate::observation::{Phase, Violation};
use crate::operations::{Drawing, Drawn, Known, near};
use crate::tally::Tally;
use crate::workload::{Context, Workload};

/// Clients that use maps, queues and records, and a task beside each node that uses an emitter.
#[derive(Debug, Default)]
pub struct Clients {
    clients: Vec<Client>,
    history: History,
    known: Known,
    tally: Tally,
    objection: Option<Violation>,
    emitters: EmitterTasks,
    mirrors: Mirrors,
    exports: Exports,
}

#[derive(Debug)]
struct Client {
    session: Option<SessionId>,
    /// The next number in that session.
    sequence: Sequence,
    /// The requests sent so far; the number of each is its token.
    attempts: u64,
    calls: u64,
    activity: Activity,
}

#[derive(Debug)]
enum Activity {
    Idle,
    /// Waits for a session: the token of that request, and what its reply means.
    Opening(u64, Ticket<SessionId>),
    Calling(Box<UnderWay>),
}

/// A call between its beginning and its end.
#[derive(Debug)]
struct UnderWay {
    id: CallId,
    drawn: Drawn,
    /// Where it stands in the client's session, if it is a part of that.
    place: Option<(SessionId, Sequence, Sequence)>,
    tries: u64,
    /// The request that is waited for; [`NONE`] between two.
    latest: u64,
    /// Requests of which it is not known that they have no effect.
    doubtful: BTreeSet<u64>,
    /// One ended as unknown.
    unknown: bool,
}

/// What is to be done after a reply.
enum Next {
    End(CallOutcome),
    /// Send it again, or give up if that was often enough.
    Again,
    GiveUp,
    Wait,
    /// The reply cannot be one to this call.
    Object(String),
}

impl Clients {
    /// Clients that have done nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What they asked for and how it ended.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// How their operations ended, counted.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn client(&mut self, number: u64) -> &mut Client {
        let position = usize::try_from(number - 1).expect("clients are numbered from 1");
        &mut self.clients[position]
    }

    /// The client is free to begin something.
    fn begin(&mut self, context: &mut Context<'_>, number: u64) {
        if context.is_quiet() {
            context.timer(number, THOUGHT, QUIET_CHECK);
            return;
        }
        if self.client(number).session.is_none() {
            self.open(context, number);
            return;
        }
        let plan = context.plan();
        let (load, knobs, nodes) = (plan.load, plan.knobs, plan.nodes);
        let client = self.client(number);
        client.calls += 1;
        let id = CallId { client: number, number: client.calls };
        let near = context.node(near(number, nodes));
        let dice = context.dice(Stream::Operation, number, id.number);
        let drawn = Drawing { load, knobs, known: &self.known, near, id, dice }.draw();
        self.history.invoke(id, context.moment(), drawn.name, drawn.operation.clone());
        self.tally.begin(&drawn.operation.kind());
        let mut dice = context.dice(Stream::Attempt, number, id.number);
        let window = knobs.session_window;
        let client = self.client(number);
        let place = client.place(&drawn, dice.between(0, LONGEST_UNANSWERED), window);
        client.activity = Activity::Calling(Box::new(UnderWay {
            id,
            drawn,
            place,
            tries: 0,
            latest: NONE,
            doubtful: BTreeSet::new(),
            unknown: false,
        }));
        self.try_once(context, number);
    }

    fn open(&mut self, context: &mut Context<'_>, number: u64) {
        let (request, ticket) = open_session().into_parts();
        let client = self.client(number);
        client.attempts += 1;
        let token = client.attempts;
        client.activity = Activity::Opening(token, ticket);
        let nodes: Vec<_> = context.plan().node_ids().collect();
        let node = *context.dice(Stream::Attempt, number, token << 32).pick(&nodes);
        context.request(number, token, node, request);
        let timeout = context.plan().load.timeout;
        context.timer(number, token, timeout);
    }

    /// Sends the call under way to some node.
    fn try_once(&mut self, context: &mut Context<'_>, number: u64) {
        let plan = context.plan();
        let (timeout, nodes) = (plan.load.timeout, plan.nodes);
        let ids: Vec<_> = plan.node_ids().collect();
        let client = self.client(number);
        let Activity::Calling(call) = &mut client.activity else { return };
        client.attempts += 1;
        let token = client.attempts;
        call.latest = token;
        call.tries += 1;
        call.doubtful.insert(token);
        let mut request = call.drawn.call.request.clone();
        if let Some((session, sequence, answered_below)) = call.place {
            request = request.in_session(session, sequence, answered_below);
        }
        let mut dice = context.dice(Stream::Attempt, number, token << 32);
        let stays = call.tries == 1 && dice.chance(500_000);
        let node = if stays { near(number, nodes) } else { *dice.pick(&ids) };
        context.request(number, token, node, request);
        context.timer(number, token, timeout);
    }

    fn on_call_reply(&mut self, context: &mut Context<'_>, number: u64, token: u64, reply: Reply) {
        let client = self.client(number);
        let Activity::Calling(call) = &mut client.activity else { return };
        if !call.doubtful.contains(&token) {
            return;
        }
        let index = match reply.outcome() {
            hamok::Outcome::Done { index, .. } | hamok::Outcome::Refused { index, .. } => {
                Some(index.get())
            }
            hamok::Outcome::NotExecuted(_)
            | hamok::Outcome::Unknown(_)
            | hamok::Outcome::Partial { .. } => None,
        };
        let next = match call.drawn.call.redeem(reply) {
            Ok(result) => Next::End(CallOutcome::Done { index, result }),
            Err(failure) => call.on_failure(token, index, failure),
        };
        let expired = matches!(&next, Next::GiveUp) && call.unknown && call.place.is_some();
        if expired {
            client.session = None;
        }
        match next {
            Next::End(outcome) => self.end(context, number, outcome),
            Next::Again => self.again(context, number),
            Next::GiveUp => self.give_up(context, number),
            Next::Wait => {}
            Next::Object(text) => {
                self.objection.get_or_insert_with(|| Violation::new("RL", None, text));
                self.give_up(context, number);
            }
        }
    }

    /// Tries again after a moment, unless that was often enough.
    fn again(&mut self, context: &mut Context<'_>, number: u64) {
        let attempts = context.plan().load.attempts;
        let client = self.client(number);
        let Activity::Calling(call) = &mut client.activity else { return };
        if call.tries >= attempts || !call.may_repeat() {
            self.give_up(context, number);
        } else {
            call.latest = NONE;
            let token = client.attempts;
            let pause =
                context.dice(Stream::Attempt, number, token << 32 | 1).between(1_000, 300_000);
            context.timer(number, RETRY, pause);
        }
    }

    fn give_up(&mut self, context: &mut Context<'_>, number: u64) {
        let Activity::Calling(call) = &self.client(number).activity else { return };
        let outcome = call.without_result();
        self.end(context, number, outcome);
    }

    fn end(&mut self, context: &mut Context<'_>, number: u64, outcome: CallOutcome) {
        let client = self.client(number);
        let calls = client.calls;
        let Activity::Calling(call) = std::mem::replace(&mut client.activity, Activity::Idle)
        else {
            return;
        };
        self.tally.end(&call.drawn.operation.kind(), &outcome);
        if let CallOutcome::Done { result, .. } = &outcome {
            self.known.learn(call.drawn.name, &call.drawn.operation, result);
        }
        self.history.complete(call.id, context.moment(), outcome);
        let (low, high) = context.plan().load.think;
        let mut dice = context.dice(Stream::Think, number, calls);
        let drawn = dice.between(low, high);
        context.timer(number, THOUGHT, if context.is_burst() { BURST_THINK } else { drawn });
    }

    fn on_session_reply(&mut self, context: &mut Context<'_>, number: u64, reply: Reply) {
        let client = self.client(number);
        let Activity::Opening(_, ticket) = &client.activity else { return };
        let ticket = ticket.clone();
        client.activity = Activity::Idle;
        match ticket.redeem(reply) {
            Ok(session) => {
                client.session = Some(session);
                client.sequence = Sequence::new(1);
                self.begin(context, number);
            }
            Err(_) => context.timer(number, THOUGHT, QUIET_CHECK),
        }
    }
}

impl Workload for Clients {
    fn on_start(&mut self, context: &mut Context<'_>) {
        for number in 1..=context.plan().clients {
            self.clients.push(Client::new());
            let first = context.dice(Stream::Think, number, 0).between(0, FIRST_THINK);
            context.timer(number, THOUGHT, first);
        }
        self.emitters.on_start(context);
        context.timer(OBSERVER, THOUGHT, COMPARISON);
    }

    fn on_reply(&mut self, context: &mut Context<'_>, client: u64, token: u64, reply: Reply) {
        if let Some(node) = EmitterTasks::node_of(client) {
            return self.emitters.on_reply((node, token), reply, &mut self.tally);
        }
        if client == OBSERVER {
            return self.exports.on_reply(context, OBSERVER, token, reply, &mut self.tally);
        }
        match &self.client(client).activity {
            Activity::Opening(waited, _) if *waited == token => {
                self.on_session_reply(context, client, reply);
            }
            Activity::Calling(_) => self.on_call_reply(context, client, token, reply),
            Activity::Idle | Activity::Opening(..) => {}
        }
    }

    fn on_timer(&mut self, context: &mut Context<'_>, client: u64, token: u64) {
        if let Some(node) = EmitterTasks::node_of(client) {
            return self.emitters.on_timer(context, (node, token), &mut self.tally);
        }
        if client == OBSERVER {
            self.mirrors.compare(context);
            self.exports.take(context, OBSERVER, &mut self.tally);
            return context.timer(OBSERVER, THOUGHT, COMPARISON);
        }
        match (&self.client(client).activity, token) {
            (Activity::Idle, THOUGHT) => self.begin(context, client),
            (Activity::Calling(call), RETRY) if call.latest == NONE => {
                self.try_once(context, client)
            }
            (Activity::Calling(call), _) if call.latest == token => self.again(context, client),
            (Activity::Opening(waited, _), _) if *waited == token => {
                self.client(client).activity = Activity::Idle;
                self.begin(context, client);
            }
            (Activity::Idle | Activity::Opening(..) | Activity::Calling(_), _) => {}
        }
    }

    fn on_event(&mut self, context: &mut Context<'_>, node: NodeId, event: &Event) {
        self.emitters.on_event(context, node, event);
        self.mirrors.on_event(context, node, event);
    }

    fn on_phase(&mut self, context: &mut Context<'_>, phase: Phase) {
        if phase == Phase::Settled {
            self.emitters.on_settled(context);
        }
    }

    fn operations(&self) -> u64 {
        self.tally.total.begun
    }

    fn is_idle(&self) -> bool {
        let idle = |client: &Client| !matches!(client.activity, Activity::Calling(_));
        self.clients.iter().all(idle) && self.emitters.is_idle()
    }

    fn history(&self) -> Option<&History> {
        Some(&self.history)
    }

    fn on_end(&mut self, context: &mut Context<'_>) -> Result<(), Violation> {
        for number in 1..=context.plan().clients {
            self.give_up(context, number);
        }
        self.objection.take().map_or(Ok(()), Err)?;
        self.mirrors.compare(context);
        self.mirrors.verdict()?;
        self.exports.verdict()?;
        self.emitters.on_end(context)
    }
}

impl Client {
    fn new() -> Self {
        let sequence = Sequence::new(1);
        let activity = Activity::Idle;
        Self { session: None, sequence, attempts: RETRY, calls: 0, activity }
    }

    /// The next place in the session for a command, `unanswered` numbers above the lowest that it
    /// might still want an answer to.
    fn place(
        &mut self,
        drawn: &Drawn,
        unanswered: u64,
        window: u64,
    ) -> Option<(SessionId, Sequence, Sequence)> {
        if drawn.sessionless {
            return None;
        }
        let session = self.session?;
        let sequence = self.sequence;
        if drawn.outside_window {
            let beyond = Sequence::new(sequence.get() + window);
            return Some((session, beyond, sequence));
        }
        self.sequence = sequence.next();
        let answered = sequence.get().saturating_sub(unanswered).max(1);
        Some((session, sequence, Sequence::new(answered)))
    }
}

impl UnderWay {
    fn on_failure(&mut self, token: u64, index: Option<u64>, failure: Failure) -> Next {
        match failure {
            // The outside store refused it, in its turn: a write has no effect, and a read no result.
            Failure::Store(_) if self.drawn.operation.is_read() => {
                self.doubtful.remove(&token);
                Next::End(CallOutcome::NotExecuted)
            }
            Failure::Refused(_) | Failure::Store(_) => Next::End(CallOutcome::Refused { index }),
            Failure::NotExecuted(NotExecuted::TooLarge { .. }) => {
                self.doubtful.remove(&token);
                Next::GiveUp
            }
            Failure::NotExecuted(_) => {
                self.doubtful.remove(&token);
                if self.latest == token { Next::Again } else { Next::Wait }
            }
            Failure::Unknown(Unknown::SessionExpired | Unknown::ResultForgotten) => {
                self.unknown = true;
                Next::GiveUp
            }
            Failure::Unknown(_) => {
                self.unknown = true;
                if self.latest == token { Next::Again } else { Next::Wait }
            }
            Failure::Value(error) => Next::Object(format!("the result of {} is {error}", self.id)),
            Failure::WrongReply => {
                Next::Object(format!("{} was answered with another kind of result", self.id))
            }
            Failure::Partial { .. } | _ => {
                Next::Object(format!("{} failed in a way that is not known here", self.id))
            }
        }
    }

    /// Whether sending it once more cannot make it take effect twice.
    fn may_repeat(&self) -> bool {
        let harmless = self.doubtful.is_empty() && !self.unknown;
        self.place.is_some() || self.drawn.operation.is_read() || harmless
    }

    /// What is known of it when it is given up.
    fn without_result(&self) -> CallOutcome {
        if self.doubtful.is_empty() && !self.unknown {
            CallOutcome::NotExecuted
        } else {
            CallOutcome::Unknown
        }
    }
}

/// No client, but whoever compares what nodes hold with what they told, so often.
const OBSERVER: u64 = 0;
const COMPARISON: u64 = 3_100_000;
/// Tokens of timers that belong to no request.
const THOUGHT: u64 = 0;
const RETRY: u64 = 1;
/// The token of no request.
const NONE: u64 = 0;

const FIRST_THINK: u64 = 3_000_000;
const BURST_THINK: u64 = 2_000;
const QUIET_CHECK: u64 = 200_000;
/// How many numbers a client lets pass at most before it says that they are answered.
const LONGEST_UNANSWERED: u64 = 3;
