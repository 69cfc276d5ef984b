//! Lives of nodes: starting, crashing, pausing.

use std::collections::BTreeSet;

use hamok::{Input, Node, NodeId, Stored, Ticks, stop};

use crate::checker::panicked;
use crate::disk::Misread;
use crate::draw::Stream;
use crate::guard::guard;
use crate::observation::{ClusterSeen, NodeSeen, Violation};
use crate::plan::Past;
use crate::queue::Happening;
use crate::remote_store::RemoteStore;
use crate::settings::Fault;
use crate::world::World;

impl World {
    /// Starts a node from what its disk holds, unless it was started meanwhile.
    pub(crate) fn start(&mut self, id: NodeId, start: u64) {
        let host = self.host(id);
        if host.node.is_some() || host.starts != start {
            return;
        }
        let past = host.past;
        let image = self.seen_mut(id).confirmed.clone();
        let past = Past { grouped: image.group().is_some(), ..past };
        let config = self.plan.config(&self.draws, (id, start), past);
        let made = guard(|| match image.peer() {
            None => Node::new(config.clone()).map_err(|error| error.to_string()),
            Some(_) => {
                Node::restore(config.clone(), image.clone()).map_err(|error| error.to_string())
            }
        });
        let node = match made {
            Ok(Ok(node)) => node,
            // Whoever believes forgeries may come to hold what it cannot start from.
            Ok(Err(_)) if self.plan.is_hostile() => return self.start_anew(id, start),
            Ok(Err(text)) => {
                let text = format!("it does not start from what it made durable: {text}");
                return self.object(Err(Violation::new("FD", Some(id), text)));
            }
            Err(panic) => return self.object(Err(panicked(id, &panic))),
        };
        self.counts.starts += 1;
        let now = self.now;
        self.host(id).rejoins = false;
        let seen = self.seen_mut(id);
        seen.up = true;
        seen.config = config;
        seen.status = Some(node.status());
        seen.issued = image;
        self.host(id).run(now, node);
        if let Some(transcript) = &mut self.transcript {
            transcript.start(now, id);
        }
        let cluster = ClusterSeen { nodes: &self.seen };
        let result =
            self.checkers.iter_mut().try_for_each(|checker| checker.on_start(&cluster, id));
        self.object(result);
        self.feed(id, Input::Tick(Ticks::ZERO));
    }

    /// Starts a node that has lost what it had on disk.
    fn start_anew(&mut self, id: NodeId, start: u64) {
        self.erase(id);
        self.start(id, start);
    }

    fn erase(&mut self, id: NodeId) {
        let host = self.host(id);
        host.past.wiped = true;
        host.disk.erase();
        let seen = self.seen_mut(id);
        seen.confirmed = Stored::new();
    }

    /// Takes a node down and its disk away; it starts again after `downtime`, as a new incarnation.
    pub(crate) fn wipe(&mut self, id: NodeId, downtime: u64) {
        self.crash(id, Some(downtime));
        if self.host(id).node.is_none() {
            self.erase(id);
        }
    }

    /// Puts another machine in the place of a node's, if the group can go on without what that holds;
    /// tells whether it was done.
    pub(crate) fn replace(&mut self, id: NodeId, downtime: u64) -> bool {
        if self.healed || !self.can_lose(&[id].into()) {
            return false;
        }
        self.counts.struck(Fault::Wipe);
        self.host(id).past.replaced = true;
        self.wipe(id, downtime);
        // One that was down is planned to start at another time.
        let (back, start) = (self.now.plus(downtime), self.hosts[&id].starts);
        self.queue.push(back, Happening::Start { node: id, start });
        true
    }

    /// Takes nodes down and their disks away, whatever becomes of the group; they start again after
    /// `downtime` as if for the first time. Tells whether it was done.
    pub(crate) fn lose(&mut self, ids: &BTreeSet<NodeId>, downtime: u64) -> bool {
        if self.healed {
            return false;
        }
        for &id in ids {
            self.take_down(id, Some(downtime));
            self.erase(id);
            let host = self.host(id);
            host.past = Past { upgraded: host.past.upgraded, ..Past::default() };
            self.counts.struck(Fault::Wipe);
            let (back, start) = (self.now.plus(downtime), self.hosts[&id].starts);
            self.queue.push(back, Happening::Start { node: id, start });
        }
        let is_left = |seen: &NodeSeen| {
            let memory = seen.issued.last().index;
            seen.confirmed.last().index.get() > 0 || seen.up && memory.get() > 0
        };
        if !self.seen.values().any(is_left) {
            self.checkers.iter_mut().for_each(|checker| checker.on_loss());
            // Another group has another store: the old one's would have to be adopted.
            self.remote_store = RemoteStore::default();
        }
        true
    }

    /// Has a node stop and takes it down, if it is up and can be spared, as a program does that ends in good
    /// order; it starts again after `downtime`.
    pub(crate) fn stop(&mut self, id: NodeId, downtime: u64) {
        if self.plan.diskless && !self.can_lose(&[id].into()) {
            return;
        }
        if self.host(id).pause.is_none() {
            self.keep(id, stop().into_parts().0);
        }
        self.crash(id, Some(downtime));
    }

    /// Takes a node down, if it is up and can be spared; it starts again after `downtime`, or one that is
    /// drawn. Tells whether it was done.
    pub(crate) fn crash(&mut self, id: NodeId, downtime: Option<u64>) -> bool {
        // A node that keeps nothing is lost when it crashes.
        let forgets = self.plan.diskless;
        if self.host(id).node.is_none() || forgets && !self.can_lose(&[id].into()) {
            return false;
        }
        self.take_down(id, downtime);
        if forgets {
            self.erase(id);
        }
        true
    }

    /// Crashes a node, if it is up, whatever that means for the group.
    fn take_down(&mut self, id: NodeId, downtime: Option<u64>) {
        if self.host(id).node.is_none() {
            return;
        }
        if let Some(transcript) = &mut self.transcript {
            transcript.crash(self.now, id);
        }
        let cluster = ClusterSeen { nodes: &self.seen };
        for checker in &mut self.checkers {
            checker.on_crash(&cluster, id);
        }
        let host = self.hosts.get_mut(&id).expect("every node has a machine");
        host.fall();
        let start = host.starts;
        let remains = guard(|| host.disk.crash(&self.plan, &self.draws, (id.get(), start)));
        let remains = match remains {
            Ok(Ok(remains)) => remains,
            Ok(Err(misread)) => {
                let text = match misread {
                    Misread::Error(error) => {
                        format!("what a crash left does not read back: {error}")
                    }
                    Misread::Differs => {
                        "the file reads back as something else than the fold of its writes".into()
                    }
                };
                return self.object(Err(Violation::new("FD", Some(id), text)));
            }
            Err(panic) => return self.object(Err(panicked(id, &panic))),
        };
        if remains.torn {
            self.counts.struck(Fault::TornWrite);
        }
        let seen = self.seen_mut(id);
        seen.up = false;
        seen.confirmed = remains.image;
        let longest = self.plan.longest_fault;
        let drawn =
            || self.draws.dice(Stream::Downtime, id.get(), start).magnitude(20_000, longest);
        let back = self.now.plus(downtime.unwrap_or_else(drawn));
        if !self.healed {
            self.queue.push(back, Happening::Start { node: id, start });
        }
    }

    /// Ends one pause of a node, and feeds it what piled up.
    pub(crate) fn resume(&mut self, id: NodeId) {
        let now = self.now;
        for input in self.host(id).resume(now) {
            self.feed(id, input);
        }
        if self.host(id).pause.is_none() {
            self.schedule_wake(id);
        }
    }
}
