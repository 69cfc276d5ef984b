//! One machine: a node with its clock and disk, running, paused or down.

use std::collections::{BTreeMap, VecDeque};

use hamok::{Input, Node, RequestId};

use crate::clock::Clock;
use crate::disk::Disk;
use crate::faults::PauseKind;
use crate::observation::SimTime;
use crate::plan::Past;
use crate::queue::Asker;

/// One machine. What is known of its node to others is in the
/// [`NodeSeen`](crate::observation::NodeSeen) beside it.
#[derive(Debug)]
pub(crate) struct Host {
    /// Absent while it is down.
    pub(crate) node: Option<Node>,
    /// How often it was started.
    pub(crate) starts: u64,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) pause: Option<Pause>,
    /// When it is woken next.
    pub(crate) wake: Option<SimTime>,
    /// Who waits for which reply of this life.
    pub(crate) asked: BTreeMap<RequestId, Asker>,
    requests: u64,
    /// What happened to it before.
    pub(crate) past: Past,
    /// In this life it was asked to join again, or asks by itself.
    pub(crate) rejoins: bool,
    /// How many steps had both a write and other outputs; names the draw of a crash among them.
    pub(crate) mixed_steps: u64,
    /// How many elections it won; names the draw of a crash at that moment.
    pub(crate) elections: u64,
}

/// A node that does nothing for a while.
#[derive(Debug)]
pub(crate) struct Pause {
    kind: PauseKind,
    /// How many pauses overlap.
    depth: u64,
    inbox: VecDeque<Input>,
}

impl Host {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            node: None,
            starts: 0,
            clock,
            disk: Disk::default(),
            pause: None,
            wake: None,
            asked: BTreeMap::new(),
            requests: 0,
            past: Past::default(),
            rejoins: false,
            mixed_steps: 0,
            elections: 0,
        }
    }

    /// A node begins to run here.
    pub(crate) fn run(&mut self, now: SimTime, node: Node) {
        self.node = Some(node);
        self.starts += 1;
        self.clock.skip(now);
        self.wake = None;
    }

    /// All that is not on disk is gone.
    pub(crate) fn fall(&mut self) {
        self.node = None;
        self.pause = None;
        self.wake = None;
        self.asked.clear();
        self.requests = 0;
        self.rejoins = false;
    }

    /// Notes who asks, and names the request.
    pub(crate) fn ask(&mut self, asker: Asker) -> RequestId {
        self.requests += 1;
        let id = RequestId::new(self.requests);
        self.asked.insert(id, asker);
        id
    }

    pub(crate) fn pause(&mut self, kind: PauseKind) {
        let pause = Pause { kind, depth: 0, inbox: VecDeque::new() };
        self.pause.get_or_insert(pause).depth += 1;
    }

    /// Ends one pause. When it was the last, gives what piled up.
    pub(crate) fn resume(&mut self, now: SimTime) -> VecDeque<Input> {
        let Some(pause) = &mut self.pause else { return VecDeque::new() };
        pause.depth -= 1;
        if pause.depth > 0 {
            return VecDeque::new();
        }
        let Some(Pause { kind, inbox, .. }) = self.pause.take() else { return VecDeque::new() };
        if kind.timeless {
            self.clock.skip(now);
        }
        inbox
    }
}

impl Pause {
    /// Keeps what is for the node until it goes on. A confirmation is kept even when messages are
    /// lost: the disk does not forget. Neither does whoever made a call for the node.
    pub(crate) fn hold(&mut self, input: Input) {
        let lost = match &input {
            Input::Receive(_) | Input::Request(..) => self.kind.deaf,
            Input::Persisted(_) | Input::PersistFailed(_) | Input::Remote(..) => false,
            Input::Tick(_) => true,
        };
        if !lost {
            self.inbox.push_back(input);
        }
    }
}
