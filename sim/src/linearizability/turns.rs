//! Whose turn it is in a queue: what rules out an order before the call that shows it does.
//!
//! Say that one call only pushes the value `y`, and once, and that a completed call `S` shows `y` at
//! the front, by taking it or not.
//!
//! - If a completed call `R` that had ended before `S` began shows another such value `x` at the
//!   front, then `x` is pushed before `y`: otherwise `y` would stand before `x` all the time, `R`
//!   comes before `S`, and so `y` would still be there at `R` and keep `x` from the front.
//! - If a completed call `E` that had ended before `S` began leaves the queue empty, then `y` is
//!   pushed after `E`: otherwise `E` or a call before it would have taken `y` away, and `S` comes
//!   after `E`.
//! - If one call takes `x` and `y` at once and `x` first, then `x` is pushed before `y`.
//!
//! So an order in which `y` is pushed before the call that pushes such an `x`, or before such an `E`,
//! leads nowhere. Without this, a push of unknown outcome that comes too late would be found out at
//! the pop of its value only, after everything pushed in the meantime was tried in vain.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Change, QueueChange};
use super::partition::Piece;
use crate::history::{CallResult, Operation, QueueOperation};

/// Which calls have to be in the order before a value may be pushed. In maps and records it is always
/// everybody's turn.
#[derive(Debug, Default)]
pub(super) struct Turns<'a> {
    /// For each value that is pushed once and shown: where the last call that shows it began.
    shown: BTreeMap<&'a str, usize>,
    /// For each value that is pushed once: who pushes the value that a call took just before it.
    just_before: BTreeMap<&'a str, BTreeSet<usize>>,
    /// For each call: where one had ended that shows what it pushes, or where it had itself if it
    /// leaves the queue empty.
    ends: Vec<Vec<usize>>,
    /// Those of all calls that are not in the order, each with its call.
    pending: BTreeSet<(usize, usize)>,
}

impl<'a> Turns<'a> {
    /// Calls that are not in the order are put back first.
    pub(super) fn new(pieces: &'a [Piece<'a>]) -> Self {
        let mut turns = Self { ends: vec![Vec::new(); pieces.len()], ..Self::default() };
        let pushers = pushers(pieces);
        for (place, piece) in pieces.iter().enumerate() {
            let (Operation::Queue(operation), Some(result)) = (&piece.operation, piece.result)
            else {
                continue;
            };
            if leaves_empty(operation, result) {
                turns.ends[place].push(piece.call.completed);
            }
            let values = result.values();
            for value in &values {
                if let Some(&pusher) = pushers.get(value) {
                    turns.ends[pusher].push(piece.call.completed);
                    let last = turns.shown.entry(value).or_default();
                    *last = piece.call.invoked.max(*last);
                }
            }
            for pair in values.windows(2) {
                if let (Some(&pusher), true) = (pushers.get(pair[0]), pushers.contains_key(pair[1]))
                {
                    turns.just_before.entry(pair[1]).or_default().insert(pusher);
                }
            }
        }
        turns
    }

    /// A call comes into the order.
    pub(super) fn take(&mut self, place: usize) {
        for end in &self.ends[place] {
            self.pending.remove(&(*end, place));
        }
    }

    /// A call is not in the order any more.
    pub(super) fn put_back(&mut self, place: usize) {
        self.pending.extend(self.ends[place].iter().map(|end| (*end, place)));
    }

    /// Whether a change that this call makes comes before its turn.
    pub(super) fn bars(&self, place: usize, change: Change<'a>) -> bool {
        let Change::Queue(QueueChange::Add { value }) = change else { return false };
        let began = self.shown.get(value).copied().unwrap_or(0);
        let mut due = self.pending.range(..(began, 0));
        due.any(|&(_, other)| other != place) || self.waits_for_another(place, value)
    }

    fn waits_for_another(&self, place: usize, value: &str) -> bool {
        let before = self.just_before.get(value).into_iter().flatten();
        let pending = |other: usize| {
            self.ends[other].first().is_some_and(|end| self.pending.contains(&(*end, other)))
        };
        before.copied().any(|other| other != place && pending(other))
    }
}

/// Who pushes each value, of those that come once.
fn pushers<'a>(pieces: &'a [Piece<'a>]) -> BTreeMap<&'a str, usize> {
    let mut pushers: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    for (place, piece) in pieces.iter().enumerate() {
        for value in piece.operation.values() {
            pushers.entry(value).and_modify(|pusher| *pusher = None).or_insert(Some(place));
        }
    }
    pushers.into_iter().filter_map(|(value, pusher)| Some((value, pusher?))).collect()
}

/// Whether nothing can be in the queue after a call that answered so.
fn leaves_empty(operation: &QueueOperation, result: &CallResult) -> bool {
    match (operation, result) {
        (QueueOperation::Pop | QueueOperation::ReadFront, CallResult::Value(value)) => {
            value.is_none()
        }
        (QueueOperation::PopMany { count }, CallResult::Values(values)) => {
            (values.len() as u64) < *count
        }
        (QueueOperation::ReadLen, CallResult::Count(count)) => *count == 0,
        (QueueOperation::Clear, _) => true,
        (
            QueueOperation::Push { .. }
            | QueueOperation::PushAll { .. }
            | QueueOperation::Pop
            | QueueOperation::PopMany { .. }
            | QueueOperation::ReadFront
            | QueueOperation::ReadLen,
            _,
        ) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Model;
    use crate::history::testing::Script;
    use crate::linearizability::partition::partitions;

    /// Whether the call in this place may push the value while none of these is in the order.
    fn may_push(script: &Script, place: usize, value: &str, others: &[usize]) -> bool {
        let calls = script.history.calls();
        let part = partitions(&calls).remove(0);
        let mut turns = Turns::new(&part);
        others.iter().for_each(|&other| turns.put_back(other));
        let barred = turns.bars(place, QueueChange::Add { value }.into());
        others.iter().for_each(|&other| turns.take(other));
        assert!(!turns.bars(place, QueueChange::Add { value }.into()), "all else is in the order");
        !barred
    }

    #[test]
    fn what_is_shown_first_is_pushed_first() {
        let mut script = Script::of(Model::Queue);
        script.begin(1, "push 1");
        script.begin(2, "push 2");
        script.done(3, "read_front", "1");
        script.done(4, "pop", "2");
        assert!(!may_push(&script, 1, "2", &[0, 1]));
        assert!(may_push(&script, 0, "1", &[0, 1]));
    }

    #[test]
    fn what_is_shown_at_once_may_be_pushed_either_way_round() {
        let mut script = Script::of(Model::Queue);
        script.begin(1, "push 1");
        script.begin(2, "push 2");
        script.begin(3, "pop");
        script.done(4, "pop", "2");
        script.answer(3, 9, "1");
        assert!(may_push(&script, 1, "2", &[0, 1]));
        assert!(may_push(&script, 0, "1", &[0, 1]));
    }

    #[test]
    fn what_is_shown_after_the_queue_was_empty_is_pushed_after_that() {
        for (operation, answer) in [
            ("pop", "none"),
            ("read_front", "none"),
            ("read_len", "0"),
            ("pop_many 1", ""),
            ("clear", "3"),
        ] {
            let mut script = Script::of(Model::Queue);
            script.begin(1, "push 1");
            script.done(2, operation, answer);
            script.done(2, "pop", "1");
            assert!(!may_push(&script, 0, "1", &[0, 1]), "{operation}");
        }
    }

    #[test]
    fn what_one_call_takes_is_pushed_in_that_order() {
        let mut script = Script::of(Model::Queue);
        script.begin(1, "push 1");
        script.begin(2, "push 2");
        script.done(3, "pop_many 2", "1 2");
        assert!(!may_push(&script, 1, "2", &[0, 1]));
        assert!(may_push(&script, 0, "1", &[0, 1]));
    }

    #[test]
    fn a_value_that_is_pushed_twice_waits_for_nothing() {
        let mut script = Script::of(Model::Queue);
        script.begin(1, "push 1");
        script.begin(2, "push_all 2 2");
        script.done(3, "pop", "1");
        script.done(4, "pop", "2");
        assert!(may_push(&script, 1, "2", &[0, 1]));
    }
}
