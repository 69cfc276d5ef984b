//! What clients ask of queues.

use crate::history::QueueOperation;

use super::Drawing;

/// Each queue is one partition for the search, and must stay small.
pub(super) const QUEUES: [&str; 3] = ["queue1", "queue2", "queue3"];

impl Drawing<'_> {
    pub(super) fn queue_write(&mut self) -> QueueOperation {
        match self.dice.between(0, 99) {
            0..38 => QueueOperation::Push { value: self.value(0) },
            38..50 => {
                let count = self.dice.between(1, 3);
                QueueOperation::PushAll {
                    values: (0..count).map(|part| self.value(part)).collect(),
                }
            }
            50..84 => QueueOperation::Pop,
            84..96 => QueueOperation::PopMany { count: self.dice.between(1, 4) },
            _ => QueueOperation::Clear,
        }
    }

    pub(super) fn queue_read(&mut self) -> QueueOperation {
        if self.dice.chance(500_000) { QueueOperation::ReadFront } else { QueueOperation::ReadLen }
    }
}
