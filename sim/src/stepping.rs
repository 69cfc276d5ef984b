//! Steps: feeding a node, showing the step to the checkers, and carrying out what it puts out, one
//! output after the other, with a crash between any two.

use hamok::{
    Event, Input, Membership, NodeId, Output, RemoteCall, RemoteCallId, RemoteResult, Role, Stored,
    Ticks, Write, WriteId,
};

use crate::checker::panicked;
use crate::draw::Stream;
use crate::faults::{Strike, Trouble};
use crate::guard::guard;
use crate::keeper::is_committed;
use crate::network::{Endpoint, Link};
use crate::observation::{ClusterSeen, StepSeen, Violation};
use crate::queue::{Asker, Happening};
use crate::remote_store::CallFate;
use crate::settings::Fault;
use crate::world::{Ended, World};

impl World {
    /// Something reaches a node: it is told of the time that passed, then of that.
    pub(crate) fn feed(&mut self, id: NodeId, input: Input) {
        let now = self.now;
        let host = self.host(id);
        if let Some(pause) = &mut host.pause {
            pause.hold(input);
            return;
        }
        let owed = host.clock.take_owed(now);
        if owed > 0 {
            self.step(id, Input::Tick(Ticks::new(owed)));
        }
        self.step(id, input);
        self.schedule_wake(id);
    }

    /// A node's clock may have reached a tick that matters.
    pub(crate) fn wake(&mut self, id: NodeId) {
        let now = self.now;
        let host = self.host(id);
        if host.wake != Some(now) {
            return;
        }
        host.wake = None;
        if host.pause.is_some() {
            return;
        }
        let owed = host.clock.take_owed(now);
        // Without a tick owed, it is left-over work that goes on.
        self.step(id, Input::Tick(Ticks::new(owed)));
        self.schedule_wake(id);
    }

    pub(crate) fn schedule_wake(&mut self, id: NodeId) {
        let now = self.now;
        let host = self.host(id);
        let Some(node) = &host.node else { return };
        let due = match node.idle_ticks() {
            Ticks::ZERO => Some(now.plus(STEP)),
            Ticks::FOREVER => None,
            ticks => host.clock.when_owed(ticks.get()).map(|due| due.max(now)),
        };
        // What is due later than planned is put right when the node wakes too early.
        if let Some(due) = due
            && host.pause.is_none()
            && host.wake.is_none_or(|wake| wake > due)
        {
            host.wake = Some(due);
            self.queue.push(due, Happening::Wake(id));
        }
    }

    /// A disk is done with a write.
    pub(crate) fn durable(&mut self, id: NodeId, start: u64, write: WriteId) {
        let now = self.now;
        let host = self.host(id);
        if host.node.is_some() && host.starts == start && host.disk.tells_of(write, now) {
            self.feed(id, Input::Persisted(write));
        }
    }

    /// A disk cannot write: the node goes out of service, and is started again later.
    pub(crate) fn write_failed(&mut self, id: NodeId, start: u64, write: WriteId) {
        if self.healed {
            return self.durable(id, start, write);
        }
        let host = self.host(id);
        if host.node.is_none() || host.starts != start || host.disk.has_failed() {
            return;
        }
        self.counts.struck(Fault::WriteFails);
        let host = self.host(id);
        host.disk.fail();
        self.feed(id, Input::PersistFailed(write));
        let mut dice = self.draws.dice(Stream::WriteFails, id.get(), start | REPAIR);
        let begins = self.now.plus(dice.magnitude(20_000, self.plan.longest_fault));
        let ends = begins.plus(dice.magnitude(20_000, 1_000_000));
        let trouble = Trouble::Crash(vec![id]);
        let restart = Strike { begins, ends, fault: None, trouble };
        self.queue.push(begins, Happening::Begin(Box::new(restart)));
    }

    /// A call reaches the outside store, or does not. Its node may be down by then, or deposed.
    pub(crate) fn call(&mut self, id: NodeId, start: u64, call: &RemoteCall, fate: CallFate) {
        let CallFate { returns, trouble, .. } = fate;
        if let Some(fault) = trouble {
            self.counts.struck(fault);
        }
        let result = if trouble == Some(Fault::RemoteDown) {
            RemoteResult::Unanswered
        } else {
            let fails = trouble == Some(Fault::RemoteFails);
            let result = self.remote_store.execute(call, fails);
            let shown =
                self.checkers.iter_mut().try_for_each(|checker| checker.on_call(call, &result));
            self.object(shown);
            if trouble == Some(Fault::RemoteAnswerLost) { RemoteResult::Unanswered } else { result }
        };
        let happening =
            Happening::Called { node: id, start, call: call.id(), result: Box::new(result) };
        self.queue.push(self.now.plus(returns), happening);
    }

    /// What came of a call reaches the node that made it, if it is still in that life.
    pub(crate) fn called(
        &mut self,
        id: NodeId,
        start: u64,
        call: RemoteCallId,
        result: RemoteResult,
    ) {
        let host = self.host(id);
        if host.node.is_some() && host.starts == start {
            self.feed(id, Input::Remote(call, result));
        }
    }

    /// One call of `Node::step`, if the node is up.
    pub(crate) fn step(&mut self, id: NodeId, input: Input) {
        if self.ended.is_some() {
            return;
        }
        let host = self.hosts.get_mut(&id).expect("every node has a machine");
        let Some(node) = &mut host.node else { return };
        self.counts.steps += 1;
        self.trace.input(self.now, id, &input);
        let foretold = node.idle_ticks();
        let idle =
            matches!(&input, Input::Tick(ticks) if (Ticks::new(1)..foretold).contains(ticks));
        if let Input::Persisted(write) = &input {
            let seen = self.seen.get_mut(&id).expect("every node is known from the start");
            for write in host.disk.confirm(*write) {
                seen.confirmed
                    .apply(write)
                    .expect("what was issued in order is confirmed in order");
            }
        }
        let fed = input.clone();
        let outputs = match guard(|| node.step(input)) {
            Ok(outputs) if idle && outputs.is_empty() => return self.end_if_too_long(),
            Ok(outputs) => outputs,
            Err(panic) => return self.object(Err(panicked(id, &panic))),
        };
        let result = if idle { Err(not_idle(id, &fed, &outputs)) } else { Ok(()) };
        let result = result.and_then(|()| self.show(id, &fed, &outputs));
        self.object(result);
        self.put_out(id, outputs);
        self.end_if_too_long();
    }

    /// Takes up what the step says about the node, and shows it to the checkers.
    fn show(&mut self, id: NodeId, input: &Input, outputs: &[Output]) -> Result<(), Violation> {
        let moment = self.moment();
        let node = self.hosts[&id].node.as_ref().expect("a node that stepped runs");
        let seen = self.seen.get_mut(&id).expect("every node is known from the start");
        let mut replaced = None;
        for output in outputs {
            if let Output::Persist(write) = output {
                if write.starts_file() && replaced.is_none() {
                    replaced = Some(seen.issued.clone());
                }
                write.torn().try_for_each(|part| is_safe(id, &seen.issued, &part))?;
                seen.issued.apply(write).map_err(|error| {
                    let text =
                        format!("the write {write} does not follow from those before: {error}");
                    Violation::new("FD", Some(id), text)
                })?;
            }
        }
        let before = seen.status.replace(node.status()).expect("a node that runs has a status");
        let cluster = ClusterSeen { nodes: &self.seen };
        let after = cluster.node(id).status.as_ref().expect("it was just put there");
        self.trace.state(after);
        let life = after.identity.life;
        self.counts.add_step(&before.counters, &after.counters);
        let named = matches!(after.membership, Membership::Voter | Membership::Learner);
        if named && is_committed(after) {
            self.hosts.get_mut(&id).expect("every node has a machine").rejoins = false;
        }
        self.counts.versions_raised += u64::from(self.keeper.on_status(after));
        let (before, replaced) = (&before, replaced.as_ref());
        let step = StepSeen { moment, node: id, life, input, outputs, before, after, replaced };
        if let Some(transcript) = &mut self.transcript {
            transcript.step(&step);
        }
        self.checkers.iter_mut().try_for_each(|checker| checker.on_step(&cluster, &step))
    }

    /// Carries out the outputs in order, up to a crash.
    fn put_out(&mut self, id: NodeId, outputs: Vec<Output>) {
        let crash = self.crash_position(id, &outputs);
        for (position, output) in outputs.into_iter().enumerate() {
            let lost = crash.is_some_and(|(_, first_lost)| position >= first_lost);
            let encoded = match &output {
                Output::Send(envelope) => envelope.encode(),
                Output::Persist(_) | Output::Reply(_) | Output::Event(_) | Output::Remote(_) => {
                    Vec::new()
                }
            };
            self.trace.output(&output, &encoded);
            if !lost {
                self.carry_out(id, output, encoded);
            }
        }
        if let Some((fault, _)) = crash {
            self.counts.struck(fault);
            self.crash(id, None);
        }
    }

    /// Whether the node crashes before all outputs are carried out, and which is the first that is
    /// not.
    fn crash_position(&mut self, id: NodeId, outputs: &[Output]) -> Option<(Fault, usize)> {
        let leads = outputs.iter().any(is_becoming_leader);
        let hands_on = |output: &Output| matches!(output, Output::Event(Event::Emitted(_)));
        let mixed = outputs.len() > 1
            && (matches!(outputs.first(), Some(Output::Persist(_)))
                || outputs.iter().any(hands_on));
        let host = self.host(id);
        host.elections += u64::from(leads);
        host.mixed_steps += u64::from(mixed);
        let (elections, mixed_steps) = (host.elections, host.mixed_steps);
        if leads {
            self.counts.elections += 1;
        }
        let bearable = !self.plan.diskless || !(leads || mixed) || self.can_lose(&[id].into());
        if self.healed || !bearable {
            return None;
        }
        let strikes = |fault: Fault, stream, count| {
            let ppm = self.plan.intensity(fault);
            let position = || {
                let mut dice = self.draws.dice(stream, id.get(), count);
                usize::try_from(dice.between(0, outputs.len() as u64)).ok()
            };
            self.draws.chance(ppm, stream, id.get(), count).then(position).flatten()
        };
        let leading = || strikes(Fault::CrashLeader, Stream::CrashLeader, elections);
        let midway = || strikes(Fault::CrashMidway, Stream::CrashMidway, mixed_steps);
        (leads.then(leading).flatten().map(|position| (Fault::CrashLeader, position)))
            .or_else(|| mixed.then(midway).flatten().map(|position| (Fault::CrashMidway, position)))
    }

    fn carry_out(&mut self, id: NodeId, output: Output, encoded: Vec<u8>) {
        match output {
            Output::Persist(write) => {
                self.counts.writes += 1;
                let host = self.hosts.get_mut(&id).expect("every node has a machine");
                let (start, name) = (host.starts, write.id());
                let due = host.disk.write(&self.plan, &self.draws, self.now, id.get(), write);
                let number = host.disk.written();
                let fails = self.plan.intensity(Fault::WriteFails);
                let fails = self.draws.chance(fails, Stream::WriteFails, id.get(), number);
                self.queue.push(
                    due,
                    match fails && !self.healed && !self.plan.diskless {
                        true => Happening::Failed { node: id, start, write: name },
                        false => Happening::Durable { node: id, start, write: name },
                    },
                );
            }
            Output::Send(envelope) => self.transport(id, envelope.to(), encoded),
            Output::Reply(reply) => {
                let asker = self.host(id).asked.remove(&reply.id());
                match asker {
                    Some(Asker::Client { client, token }) => self.answer(id, client, token, reply),
                    Some(Asker::Neighbour { client, token }) => {
                        let reply = Box::new(reply);
                        self.queue.push(self.now, Happening::Answer { client, token, reply });
                    }
                    Some(probe @ (Asker::WriteProbe | Asker::ReadProbe)) => {
                        self.phases.on_probe(probe, &reply, self.now);
                    }
                    Some(Asker::Keeper) => self.on_kept(id, &reply),
                    // A reply that nobody waits for is for the checkers to judge.
                    None => {}
                }
            }
            Output::Event(event) => {
                self.counts.applied += u64::from(matches!(event, Event::Applied { .. }));
                self.counts.removals += u64::from(matches!(event, Event::Removed { .. }));
                self.notices.push((id, event));
            }
            Output::Remote(call) => {
                let fate = self.remote_store.fate(&self.plan, &self.draws, self.healed);
                let (start, at) = (self.host(id).starts, self.now.plus(fate.arrives));
                self.counts.remote_calls += 1;
                let call = Box::new(call);
                self.queue.push(at, Happening::Call { node: id, start, call, fate });
            }
        }
    }

    fn answer(&mut self, node: NodeId, client: u64, token: u64, reply: hamok::Reply) {
        let link = Link::new(Endpoint::node(node), Endpoint::client(client));
        let fate = self.network.send(&self.plan, &self.draws, self.now, link);
        if let Some(at) = fate.arrives {
            let reply = Box::new(reply);
            self.queue.push(at, Happening::Answer { client, token, reply });
        }
    }

    fn end_if_too_long(&mut self) {
        let steps = self.counts.steps;
        if self.ended.is_some() {
        } else if self.plan.steps.is_some_and(|limit| steps >= limit) {
            self.ended = Some(Ended::Steps);
        } else if steps >= MOST_STEPS {
            self.ended = Some(Ended::Exhausted);
        }
    }
}

/// A part of a write that reached the disk must leave an image that a node can start from: none of
/// its entries is of a term that it does not know of.
fn is_safe(id: NodeId, image: &Stored, part: &Write) -> Result<(), Violation> {
    let mut left = image.clone();
    let folded = left.apply(part).is_ok();
    if folded && left.last().term <= left.term() {
        return Ok(());
    }
    let text = format!(
        "any part of a write is safe to have on disk, but {part} leaves a log up to {} in {}",
        left.last(),
        left.term()
    );
    Err(Violation::new("FD", Some(id), text))
}

fn is_becoming_leader(output: &Output) -> bool {
    matches!(output, Output::Event(Event::RoleChanged { role: Role::Leader, .. }))
}

fn not_idle(id: NodeId, input: &Input, outputs: &[Output]) -> Violation {
    let first = &outputs[0];
    let text =
        format!("{input:?} came before the tick that idle_ticks foretold, but put out {first}");
    Violation::new("IT", Some(id), text)
}

/// Sets the draw of how long a failed disk stays so apart from that of its failure.
const REPAIR: u64 = 1 << 40;
/// How long a step takes when it leaves work over.
const STEP: u64 = 100;
/// More than any run should take.
const MOST_STEPS: u64 = 100_000_000;
