//! What is on its way between nodes, and which links are cut.

use std::collections::BTreeSet;

use hamok::{Envelope, NodeId};

#[derive(Default)]
pub(crate) struct Network {
    in_flight: Vec<Vec<u8>>,
    /// Put aside by the script, to be delivered late.
    aside: Vec<Vec<u8>>,
    cuts: BTreeSet<(NodeId, NodeId)>,
}

/// Which envelopes a command means.
#[derive(Default)]
pub(crate) struct Choice {
    pub(crate) from: Option<NodeId>,
    pub(crate) to: Option<NodeId>,
    pub(crate) kind: Option<String>,
    pub(crate) first_only: bool,
}

impl Network {
    pub(crate) fn send(&mut self, envelope: &Envelope) {
        if !self.cuts.contains(&(envelope.from().peer.id, envelope.to())) {
            self.in_flight.push(envelope.encode());
        }
    }

    /// Takes what is chosen out of flight, in the order it was sent.
    pub(crate) fn take(&mut self, choice: &Choice) -> Vec<Envelope> {
        let mut taken = Vec::new();
        self.in_flight.retain(|bytes| {
            let envelope = decode(bytes);
            let wanted = !choice.first_only || taken.is_empty();
            let chosen = wanted && choice.means(&envelope);
            if chosen {
                taken.push(envelope);
            }
            !chosen
        });
        taken
    }

    /// Copies what is chosen, to be sent once more later.
    pub(crate) fn copy_aside(&mut self, choice: &Choice) -> usize {
        let before = self.aside.len();
        let chosen = self.in_flight.iter().filter(|bytes| choice.means(&decode(bytes)));
        let count = if choice.first_only { 1 } else { usize::MAX };
        self.aside.extend(chosen.take(count).cloned());
        self.aside.len() - before
    }

    /// Sends what was put aside.
    pub(crate) fn bring_back(&mut self) -> usize {
        let count = self.aside.len();
        self.in_flight.append(&mut self.aside);
        count
    }

    /// Cuts a link; what is on it is lost.
    pub(crate) fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cuts.insert((from, to));
        self.take(&Choice { from: Some(from), to: Some(to), ..Choice::default() });
    }

    pub(crate) fn heal(&mut self) {
        self.cuts.clear();
    }
}

impl Choice {
    fn means(&self, envelope: &Envelope) -> bool {
        self.from.is_none_or(|from| envelope.from().peer.id == from)
            && self.to.is_none_or(|to| envelope.to() == to)
            && self.kind.as_deref().is_none_or(|kind| envelope.kind() == kind)
    }
}

fn decode(bytes: &[u8]) -> Envelope {
    Envelope::decode(bytes).expect("the network does no damage")
}
