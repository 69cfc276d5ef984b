//! Bulk calls with more keys or values than one command may have: run as several, one after the other.
//!
//! Each command is atomic, the call is not. The first that is not done ends the call; its asker is told
//! what was done and where to go on.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use super::copies::Copies;
use super::{Ask, Kind, Pending, Requests};
use crate::io::{NotExecuted, Outcome, Unknown};
use crate::store::{
    Answer, CollectionCommand, Content, MOST_POPPED, MapCommand, Operation, QueueCommand,
    RecordCommand, RemoteAnswer, RemoteCommand, RemoteOperation, RemoteOutcome,
};
use crate::types::Index;

/// A bulk call, and what was done of it.
#[derive(Debug)]
pub(super) struct Split {
    whole: Operation,
    /// The bytes of the whole.
    asked: u64,
    limit: u64,
    /// How many entries, keys or values the command under way has.
    under_way: u64,
    done: u64,
    merged: Option<(Index, Content)>,
}

/// How many keys and values one command may have; 0 is no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct BulkLimits {
    pub(super) keys: u64,
    pub(super) values: u64,
}

/// What a command has many of.
enum Many {
    Entries(u64),
    Keys(u64),
    Values(u64),
    Popped(u64),
}

impl BulkLimits {
    /// How many an operation has and how many one command may have, if those are fewer.
    pub(super) fn exceeded_by(self, operation: &Operation) -> Option<(u64, u64)> {
        let limit = |limit: u64| if limit == 0 { u64::MAX } else { limit };
        let (keys, values) = (limit(self.keys), limit(self.values));
        let (count, limit) = match many(operation)? {
            Many::Entries(count) => (count, keys.min(values)),
            Many::Keys(count) => (count, keys),
            Many::Values(count) => (count, values),
            // Unlike what is brought along, what is popped has no bytes to bound it.
            Many::Popped(count) => (count, values.min(MOST_POPPED)),
        };
        (count > limit).then_some((count, limit))
    }
}

impl Split {
    /// Begins an operation that has more than `limit` with a first command that has as many.
    pub(super) fn new(whole: Operation, limit: u64) -> (Operation, Box<Self>) {
        let first = part(&whole, 0, limit).expect("there is more than one command may have");
        let asked = whole.size();
        (first, Box::new(Self { whole, asked, limit, under_way: limit, done: 0, merged: None }))
    }

    /// The command under way was done. The next one, if there is any.
    fn advance(&mut self, index: Index, answer: Answer) -> Option<Operation> {
        // A queue that had less than was asked for has no more.
        let is_short = |values: &Vec<_>| (values.len() as u64) < self.under_way;
        let exhausted = matches!(&answer.0, Content::Values(values) if is_short(values));
        self.done += self.under_way;
        self.merged = Some(match self.merged.take() {
            None => (index, answer.0),
            Some((_, before)) => (index, merge(before, answer.0)),
        });
        let next = part(&self.whole, self.done, self.limit).filter(|_| !exhausted)?;
        self.under_way = many(&next).map_or(0, |many| many.count());
        Some(next)
    }

    /// How the call ends, when the command under way ended so and no other follows.
    fn conclude(&mut self, outcome: Outcome, is_done: bool) -> Outcome {
        let Some((index, content)) = self.merged.take() else { return outcome };
        let answer = Answer(content);
        if is_done {
            Outcome::Done { index, answer }
        } else {
            Outcome::Partial { index, answer, next: self.done, because: Box::new(outcome) }
        }
    }
}

impl Requests {
    /// What is to be made of the end of a command: nothing yet, if it was done and is not the last of its
    /// call, which then goes on. Its results are held until its end, and so count as pending.
    pub(super) fn continue_or_conclude(&mut self, ask: Ask, outcome: Outcome) -> Option<Outcome> {
        let Some(Pending { kind: Kind::Command { split: Some(split), bytes, .. }, .. }) =
            self.pending.get_mut(&ask)
        else {
            return Some(outcome);
        };
        let outcome = told(outcome);
        let (next, is_done) = match &outcome {
            Outcome::Done { answer: Answer(Content::Remote(RemoteOutcome::Failed(_))), .. }
            | Outcome::Refused { .. }
            | Outcome::NotExecuted(_)
            | Outcome::Unknown(_)
            | Outcome::Partial { .. } => (None, false),
            Outcome::Done { index, answer } => {
                *bytes += answer.size();
                self.bytes += answer.size();
                (split.advance(*index, answer.clone()), true)
            }
        };
        let Some(next) = next else { return Some(split.conclude(outcome, is_done)) };
        // A call may be asked for however large, if it is alone; what it adds may not.
        if self.bytes - split.asked > self.limits.bytes {
            self.refused_busy += 1;
            return Some(split.conclude(Outcome::NotExecuted(NotExecuted::Busy), false));
        }
        self.begin_next(ask, next);
        None
    }

    fn begin_next(&mut self, ask: Ask, next: Operation) {
        self.forget_copies(ask);
        let Some(Pending { kind: Kind::Command { operation, place, own, queued, .. }, .. }) =
            self.pending.get_mut(&ask)
        else {
            return;
        };
        *operation = next;
        let (place, own, queued) = (place.take(), *own, queued.take());
        if let Some(place) = place {
            self.leave(place, own, ask);
        }
        queued.map(|operation| self.queued.remove(&(operation, ask)));
        assert_eq!(self.copies_mut(ask), Some(&mut Copies::None), "a command that was not begun");
        self.unsent.insert(ask);
    }
}

impl Many {
    fn count(&self) -> u64 {
        match self {
            Self::Entries(count)
            | Self::Keys(count)
            | Self::Values(count)
            | Self::Popped(count) => *count,
        }
    }
}

/// How a command of a split call ended. What an outside store answered and nobody can tell has no place
/// among the results of the others.
fn told(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Done {
            answer: Answer(Content::Remote(RemoteOutcome::Done(RemoteAnswer::TooLarge { .. }))),
            ..
        } => Outcome::Unknown(Unknown::ResultForgotten),
        Outcome::Done { .. }
        | Outcome::Refused { .. }
        | Outcome::NotExecuted(_)
        | Outcome::Unknown(_)
        | Outcome::Partial { .. } => outcome,
    }
}

/// What an operation has many of, if it may be cut.
fn many(operation: &Operation) -> Option<Many> {
    let Operation::Collection { command, .. } = operation else { return None };
    Some(match command {
        CollectionCommand::Map(MapCommand::Set(entries) | MapCommand::Insert(entries))
        | CollectionCommand::Record(RecordCommand::Insert(entries))
        | CollectionCommand::RemoteMap(RemoteCommand::Run {
            operation: RemoteOperation::Set(entries) | RemoteOperation::Insert(entries),
            ..
        }) => Many::Entries(entries.len() as u64),
        CollectionCommand::Map(MapCommand::Remove(keys) | MapCommand::Delete(keys))
        | CollectionCommand::RemoteMap(RemoteCommand::Run {
            operation: RemoteOperation::Remove(keys) | RemoteOperation::Delete(keys),
            ..
        }) => Many::Keys(keys.len() as u64),
        CollectionCommand::Queue(QueueCommand::Push(values)) => Many::Values(values.len() as u64),
        CollectionCommand::Queue(QueueCommand::Pop(count)) => Many::Popped(*count),
        CollectionCommand::Map(_)
        | CollectionCommand::Record(_)
        | CollectionCommand::RemoteMap(_)
        | CollectionCommand::Queue(QueueCommand::Clear)
        | CollectionCommand::Emitter { .. }
        | CollectionCommand::Create(_)
        | CollectionCommand::Import { .. }
        | CollectionCommand::Drop(_) => return None,
    })
}

/// An operation with up to `limit` of what the whole one has many of, from the `from`-th on; none if
/// there is nothing left.
fn part(whole: &Operation, from: u64, limit: u64) -> Option<Operation> {
    let left = many(whole)?.count().checked_sub(from).filter(|left| *left > 0)?;
    let length = left.min(limit);
    let Operation::Collection { name, command } = whole else { return None };
    let within = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
    let range = within(from)..within(from.saturating_add(length));
    let command = match command {
        CollectionCommand::Map(MapCommand::Set(entries)) => {
            CollectionCommand::Map(MapCommand::Set(entries[range].to_vec()))
        }
        CollectionCommand::Map(MapCommand::Insert(entries)) => {
            CollectionCommand::Map(MapCommand::Insert(entries[range].to_vec()))
        }
        CollectionCommand::Map(MapCommand::Remove(keys)) => {
            CollectionCommand::Map(MapCommand::Remove(keys[range].to_vec()))
        }
        CollectionCommand::Map(MapCommand::Delete(keys)) => {
            CollectionCommand::Map(MapCommand::Delete(keys[range].to_vec()))
        }
        CollectionCommand::Record(RecordCommand::Insert(fields)) => {
            CollectionCommand::Record(RecordCommand::Insert(fields[range].to_vec()))
        }
        CollectionCommand::Queue(QueueCommand::Push(values)) => {
            CollectionCommand::Queue(QueueCommand::Push(values[range].to_vec()))
        }
        CollectionCommand::Queue(QueueCommand::Pop(_)) => {
            CollectionCommand::Queue(QueueCommand::Pop(length))
        }
        CollectionCommand::RemoteMap(RemoteCommand::Run { operation, events }) => {
            let operation = part_of_remote(operation, range)?;
            CollectionCommand::RemoteMap(RemoteCommand::Run { operation, events: *events })
        }
        CollectionCommand::Map(_)
        | CollectionCommand::Record(_)
        | CollectionCommand::RemoteMap(RemoteCommand::Adopt)
        | CollectionCommand::Queue(QueueCommand::Clear)
        | CollectionCommand::Emitter { .. }
        | CollectionCommand::Create(_)
        | CollectionCommand::Import { .. }
        | CollectionCommand::Drop(_) => return None,
    };
    Some(Operation::Collection { name: name.clone(), command })
}

fn part_of_remote(operation: &RemoteOperation, range: Range<usize>) -> Option<RemoteOperation> {
    Some(match operation {
        RemoteOperation::Set(entries) => RemoteOperation::Set(entries[range].to_vec()),
        RemoteOperation::Insert(entries) => RemoteOperation::Insert(entries[range].to_vec()),
        RemoteOperation::Remove(keys) => RemoteOperation::Remove(keys[range].to_vec()),
        RemoteOperation::Delete(keys) => RemoteOperation::Delete(keys[range].to_vec()),
        RemoteOperation::UpdateIf { .. }
        | RemoteOperation::RemoveIf { .. }
        | RemoteOperation::Clear
        | RemoteOperation::Adopt => return None,
    })
}

/// The answer to two commands together. They are of one kind, as their commands are. What is there before
/// is only added to, so that many parts cost no more than they have.
fn merge(before: Content, after: Content) -> Content {
    use RemoteAnswer::{Flags, Values};
    use RemoteOutcome::Done;

    fn joined<T>(mut before: Vec<T>, after: Vec<T>) -> Vec<T> {
        before.extend(after);
        before
    }
    match (before, after) {
        (Content::Entries(before), Content::Entries(after)) => {
            Content::Entries(joined(before, after))
        }
        (Content::Keys(before), Content::Keys(after)) => Content::Keys(joined(before, after)),
        (Content::Values(before), Content::Values(after)) => Content::Values(joined(before, after)),
        (Content::Remote(Done(Values(before))), Content::Remote(Done(Values(after)))) => {
            Content::Remote(Done(Values(joined(before, after))))
        }
        (Content::Remote(Done(Flags(before))), Content::Remote(Done(Flags(after)))) => {
            Content::Remote(Done(Flags(joined(before, after))))
        }
        // Nothing after nothing; or what an outside store refused after it did the same before.
        (_, after) => after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Bytes;
    use crate::store::Name;

    const NO_LEADER: Outcome = Outcome::NotExecuted(NotExecuted::NoLeader);

    fn on(command: CollectionCommand) -> Operation {
        Operation::Collection { name: Name::new("c").expect("short"), command }
    }

    fn values(values: &[u8]) -> Vec<Bytes> {
        values.iter().map(|value| Bytes::copy_from(&[*value])).collect()
    }

    fn entries(keys: &[u8]) -> Vec<(Bytes, Bytes)> {
        values(keys).into_iter().map(|key| (key, Bytes::default())).collect()
    }

    fn delete(keys: &[u8]) -> Operation {
        on(CollectionCommand::Map(MapCommand::Delete(values(keys))))
    }

    fn pop(count: u64) -> Operation {
        on(CollectionCommand::Queue(QueueCommand::Pop(count)))
    }

    fn limits(keys: u64, values: u64) -> BulkLimits {
        BulkLimits { keys, values }
    }

    #[test]
    fn limits_count_keys_and_values_of_what_may_be_cut() {
        let set = on(CollectionCommand::Map(MapCommand::Set(entries(&[1, 2, 3]))));
        let push = on(CollectionCommand::Queue(QueueCommand::Push(values(&[1, 2, 3]))));
        let update = on(CollectionCommand::Record(RecordCommand::UpdateIf {
            fields: entries(&[1, 2, 3]),
            expected: entries(&[1, 2, 3]),
        }));
        let cases = [
            (&set, (0, 0), None),
            (&set, (3, 3), None),
            (&set, (2, 0), Some((3, 2))),
            (&set, (0, 1), Some((3, 1))),
            (&set, (2, 1), Some((3, 1))),
            (&delete(&[1, 2, 3]), (2, 1), Some((3, 2))),
            (&delete(&[1, 2, 3]), (0, 1), None),
            (&push, (1, 0), None),
            (&push, (1, 2), Some((3, 2))),
            (&pop(3), (1, 2), Some((3, 2))),
            (&pop(1024), (0, 0), None),
            (&pop(1025), (0, 0), Some((1025, 1024))),
            (&pop(1025), (0, 2000), Some((1025, 1024))),
            (&update, (1, 1), None),
        ];
        for (operation, (keys, values), exceeded) in cases {
            let found = limits(keys, values).exceeded_by(operation);
            assert_eq!(found, exceeded, "{operation:?} at {keys} and {values}");
        }
    }

    fn done(index: u64, content: Content) -> Outcome {
        Outcome::Done { index: Index::new(index), answer: Answer(content) }
    }

    fn advance(split: &mut Split, index: u64, content: Content) -> Option<Operation> {
        split.advance(Index::new(index), Answer(content))
    }

    #[test]
    fn parts_follow_each_other_and_their_answers_are_merged() {
        let (first, mut split) = Split::new(delete(&[1, 2, 3, 4, 5]), 2);
        assert_eq!(first, delete(&[1, 2]));
        let keys = |keys: &[u8]| Content::Keys(values(keys));
        assert_eq!(advance(&mut split, 7, keys(&[2])), Some(delete(&[3, 4])));
        assert_eq!(advance(&mut split, 8, keys(&[])), Some(delete(&[5])));
        assert_eq!(advance(&mut split, 9, keys(&[5])), None);
        assert_eq!(split.conclude(done(9, keys(&[5])), true), done(9, keys(&[2, 5])));
    }

    #[test]
    fn the_first_part_that_is_not_done_ends_the_call() {
        let (_, mut split) = Split::new(delete(&[1, 2, 3, 4, 5]), 2);
        assert_eq!(split.conclude(NO_LEADER, false), NO_LEADER);
        advance(&mut split, 7, Content::Keys(values(&[1])));
        advance(&mut split, 8, Content::Keys(values(&[4])));
        let partial = Outcome::Partial {
            index: Index::new(8),
            answer: Answer(Content::Keys(values(&[1, 4]))),
            next: 4,
            because: Box::new(NO_LEADER),
        };
        assert_eq!(split.conclude(NO_LEADER, false), partial);
    }

    #[test]
    fn a_queue_that_runs_out_ends_a_pop_of_many() {
        let (first, mut split) = Split::new(pop(u64::MAX), 2);
        assert_eq!(first, pop(2));
        let popped = |items: &[u8]| Content::Values(values(items));
        assert_eq!(advance(&mut split, 7, popped(&[1, 2])), Some(pop(2)));
        assert_eq!(advance(&mut split, 8, popped(&[3])), None);
        assert_eq!(split.conclude(done(8, popped(&[3])), true), done(8, popped(&[1, 2, 3])));
        let (_, mut split) = Split::new(pop(3), 2);
        assert_eq!(advance(&mut split, 7, popped(&[1, 2])), Some(pop(1)));
        assert_eq!(advance(&mut split, 8, popped(&[])), None);
    }
}
