//! The reference: what a queue does when one operation happens after another.

use std::collections::VecDeque;
use std::fmt;

use super::Answered;
use crate::history::QueueOperation;

/// Values, the one at the front first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Items<'a>(VecDeque<&'a str>);

/// How an operation changes a queue: at its back, at its front, or as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueChange<'a> {
    Add { value: &'a str },
    Remove { value: &'a str },
    Clear,
}

/// Runs one operation; tells each change it makes, in order.
pub(super) fn apply<'a>(
    queue: &mut Items<'a>,
    operation: &'a QueueOperation,
    changed: &mut impl FnMut(QueueChange<'a>),
) -> Answered<'a> {
    match operation {
        QueueOperation::Push { value } => {
            queue.add(value, changed);
            Answered::Nothing
        }
        QueueOperation::PushAll { values } => {
            values.iter().for_each(|value| queue.add(value, changed));
            Answered::Nothing
        }
        QueueOperation::Pop => Answered::Value(queue.remove(changed)),
        QueueOperation::PopMany { count } => {
            let taken = (0..*count).map_while(|_| queue.remove(changed));
            Answered::Values(taken.collect())
        }
        QueueOperation::Clear => Answered::Count(queue.clear(changed)),
        QueueOperation::ReadFront => Answered::Value(queue.0.front().copied()),
        QueueOperation::ReadLen => Answered::Count(queue.0.len() as u64),
    }
}

impl<'a> Items<'a> {
    /// Makes a change that was seen to happen; tells whether it could.
    pub(super) fn force(&mut self, change: QueueChange<'a>) -> bool {
        match change {
            QueueChange::Add { value } => {
                self.0.push_back(value);
                true
            }
            QueueChange::Remove { value } => self.0.pop_front() == Some(value),
            QueueChange::Clear => !std::mem::take(&mut self.0).is_empty(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().copied()
    }

    fn add(&mut self, value: &'a str, changed: &mut impl FnMut(QueueChange<'a>)) {
        self.0.push_back(value);
        changed(QueueChange::Add { value });
    }

    fn remove(&mut self, changed: &mut impl FnMut(QueueChange<'a>)) -> Option<&'a str> {
        let value = self.0.pop_front()?;
        changed(QueueChange::Remove { value });
        Some(value)
    }

    fn clear(&mut self, changed: &mut impl FnMut(QueueChange<'a>)) -> u64 {
        let removed = self.0.len() as u64;
        if removed > 0 {
            self.0.clear();
            changed(QueueChange::Clear);
        }
        removed
    }
}

impl fmt::Display for QueueChange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { value } => write!(f, "add {value:?}"),
            Self::Remove { value } => write!(f, "remove {value:?}"),
            Self::Clear => f.write_str("clear"),
        }
    }
}

impl fmt::Display for Items<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_follows, table};
    use super::*;
    use crate::history::Model;

    #[test]
    fn every_operation_answers_and_changes_as_the_queue_promises() {
        let rows = [
            ("pop", "none", ""),
            ("read_front", "none", ""),
            ("push 1", "", "add \"1\""),
            ("push_all 2 2 3", "", "add \"2\"; add \"2\"; add \"3\""),
            ("read_front", "1", ""),
            ("read_len", "4", ""),
            ("pop", "1", "remove \"1\""),
            ("pop_many 0", "", ""),
            ("pop_many 2", "2 2", "remove \"2\"; remove \"2\""),
            ("push 4", "", "add \"4\""),
            ("pop_many 5", "3 4", "remove \"3\"; remove \"4\""),
            ("pop_many 5", "", ""),
            ("clear", "0", ""),
            ("push_all 5 6", "", "add \"5\"; add \"6\""),
            ("clear", "2", "clear"),
            ("read_len", "0", ""),
            ("pop", "none", ""),
        ];
        assert_follows(Model::Queue, &table(Model::Queue, &rows));
    }

    #[test]
    fn a_change_that_does_not_fit_cannot_be_forced() {
        let full = || {
            let mut items = Items::default();
            assert!(items.force(QueueChange::Add { value: "1" }));
            assert!(items.force(QueueChange::Add { value: "2" }));
            items
        };
        assert!(full().force(QueueChange::Remove { value: "1" }));
        assert!(!full().force(QueueChange::Remove { value: "2" }));
        assert!(!Items::default().force(QueueChange::Remove { value: "1" }));
        assert!(!Items::default().force(QueueChange::Clear));
    }
}
