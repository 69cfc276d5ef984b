//! What will happen, and when: the world jumps from one happening to the next.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use hamok::{NodeId, RemoteCall, RemoteCallId, RemoteResult, Reply, Request, WriteId};

use crate::faults::Strike;
use crate::observation::SimTime;
use crate::remote_store::CallFate;

/// What will happen, in order of time; what falls on one moment, in the order in which it was put in.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    count: u64,
}

/// One thing that will happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// An envelope reaches a node.
    Deliver(Parcel),
    /// A node's clock reaches a tick at which something may happen.
    Wake(NodeId),
    /// A write is durable, on the disk of that start of the node.
    Durable {
        node: NodeId,
        start: u64,
        write: WriteId,
    },
    /// A write has failed, on the disk of that start of the node.
    Failed {
        node: NodeId,
        start: u64,
        write: WriteId,
    },
    /// A call that a node made in that start reaches the outside store.
    Call {
        node: NodeId,
        start: u64,
        call: Box<RemoteCall>,
        fate: CallFate,
    },
    /// What came of the call reaches the node.
    Called {
        node: NodeId,
        start: u64,
        call: RemoteCallId,
        result: Box<RemoteResult>,
    },
    /// A client's request reaches a node.
    Ask {
        node: NodeId,
        asker: Asker,
        request: Box<Request>,
    },
    /// A reply reaches a client.
    Answer {
        client: u64,
        token: u64,
        reply: Box<Reply>,
    },
    /// A time that the workload asked to be told of.
    Timer {
        client: u64,
        token: u64,
    },
    /// The faults of the next window are drawn.
    Window(u64),
    Begin(Box<Strike>),
    End(Box<Strike>),
    /// A node starts, unless it did so meanwhile.
    Start {
        node: NodeId,
        start: u64,
    },
    /// The phase is looked at: is it over?
    Assess,
}

/// An envelope on its way.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) bytes: Vec<u8>,
    /// It was sent while faults struck.
    pub(crate) troubled: bool,
    /// The transport's checksum will tell that the bytes are not those sent.
    pub(crate) damaged: bool,
}

/// Who waits for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// A client of the workload, and what it calls the request.
    Client { client: u64, token: u64 },
    /// A part of the workload that lives beside the node: nothing crosses the network.
    Neighbour { client: u64, token: u64 },
    /// The world itself, to see whether writes are served.
    WriteProbe,
    /// The world itself, to see whether reads are served.
    ReadProbe,
    /// The world itself, in the place of whoever keeps the group.
    Keeper,
}

#[derive(Debug)]
struct Entry {
    at: SimTime,
    order: u64,
    happening: Happening,
}

impl Queue {
    pub(crate) fn push(&mut self, at: SimTime, happening: Happening) {
        self.count += 1;
        self.heap.push(Reverse(Entry { at, order: self.count, happening }));
    }

    pub(crate) fn pop(&mut self) -> Option<(SimTime, Happening)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.happening))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_equals_in_order() {
        let mut queue = Queue::default();
        for (millis, window) in [(5, 1), (3, 2), (5, 3), (1, 4), (3, 5)] {
            queue.push(SimTime::from_micros(millis), Happening::Window(window));
        }
        let mut order = Vec::new();
        while let Some((_, Happening::Window(window))) = queue.pop() {
            order.push(window);
        }
        assert_eq!(order, [4, 2, 5, 1, 3]);
    }
}
