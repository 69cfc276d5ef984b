//! The replicated queue: values in the order in which they were pushed, each popped once.

use alloc::vec::Vec;

use super::answer::{Answer, Content};
use super::change::QueueChange;
use super::collections::{CollectionMut, CollectionRef};
use super::command::{QueueCommand, QueueQuery};
use crate::bytes::Bytes;
use crate::types::Index;

/// Reads a queue. One that no command has named reads as an empty one.
pub(super) fn query(queue: Option<CollectionRef<'_>>, query: QueueQuery) -> Answer {
    Answer(match query {
        QueueQuery::Front => {
            let front = queue.and_then(|queue| queue.slot_from(0));
            Content::Values(front.into_iter().map(|(_, slot)| slot.value.clone()).collect())
        }
        QueueQuery::Len => Content::Count(queue.map_or(0, CollectionRef::len)),
    })
}

/// One command on a queue being run.
#[derive(Debug)]
pub(super) struct QueueRun<'a> {
    pub(super) queue: CollectionMut<'a>,
    pub(super) index: Index,
    /// In the order in which they came about: what came or went, then what that made of the queue.
    pub(super) changes: Vec<QueueChange>,
}

impl QueueRun<'_> {
    pub(super) fn execute(&mut self, command: QueueCommand) -> Answer {
        let before = self.queue.as_ref().len();
        let answer = Answer(match command {
            QueueCommand::Push(values) => {
                self.push(values);
                Content::Nothing
            }
            QueueCommand::Pop(count) => Content::Values(self.pop(count)),
            QueueCommand::Clear => Content::Count(self.clear()),
        });
        let after = self.queue.as_ref().len();
        if before == 0 && after > 0 {
            self.changes.push(QueueChange::NotEmpty);
        } else if before > 0 && after == 0 {
            self.changes.push(QueueChange::Empty);
        }
        answer
    }

    fn push(&mut self, values: Vec<Bytes>) {
        for value in values {
            self.queue.push(value.clone(), self.index);
            self.changes.push(QueueChange::Add { value });
        }
    }

    /// The first `count` values, or as many as there are and one command may take.
    fn pop(&mut self, count: u64) -> Vec<Bytes> {
        let count = count.min(MOST_POPPED);
        let mut popped = Vec::new();
        while (popped.len() as u64) < count
            && let Some(slot) = self.queue.pop()
        {
            self.changes.push(QueueChange::Remove { value: slot.value.clone() });
            popped.push(slot.value);
        }
        popped
    }

    /// How many values there were. Nothing changes, and nothing is reported, if there were none.
    fn clear(&mut self) -> u64 {
        let removed = self.queue.clear();
        if removed > 0 {
            self.changes.push(QueueChange::Clear);
        }
        removed
    }
}

/// The most values that one command takes from a queue, so that the work of a step is bounded. It is a part
/// of what commands mean: another number needs another format version.
pub(crate) const MOST_POPPED: u64 = 1024;

#[cfg(test)]
mod tests {
    use alloc::collections::VecDeque;
    use alloc::string::{String, ToString};
    use alloc::vec;

    use super::super::collections::Collections;
    use super::super::draws::Draws;
    use super::super::kind::CollectionKind;
    use super::super::name::Name;
    use super::*;

    fn values(values: &[&str]) -> Vec<Bytes> {
        values.iter().map(|value| value.as_bytes().into()).collect()
    }

    /// Runs a command on the queue "q".
    fn run(queues: &mut Collections, index: u64, command: QueueCommand) -> (String, String) {
        let name = Name::new("q").expect("short");
        let edit = |queue: CollectionMut<'_>| {
            let mut run = QueueRun { queue, index: Index::new(index), changes: Vec::new() };
            (run.execute(command), run.changes)
        };
        let (answer, changes) = queues.edit(&name, CollectionKind::Queue, edit).expect("a queue");
        queues.check();
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        (answer.to_string(), changes.join("; "))
    }

    fn held(queues: &Collections) -> Vec<Bytes> {
        let slots = queues.get("q").into_iter().flat_map(CollectionRef::slots);
        slots.map(|slot| slot.value.clone()).collect()
    }

    #[test]
    fn each_operation_answers_and_reports_what_it_did() {
        use QueueCommand::{Clear, Pop, Push};

        // Command, answer, changes, what the queue then holds. The n-th command is entry n.
        #[rustfmt::skip]
        let script = [
            (Pop(1), "[]", "", values(&[])),
            (Clear, "0", "", values(&[])),
            (Push(values(&[])), "nothing", "", values(&[])),
            (Push(values(&["a", "", "a"])), "nothing", r#"add "a"; add ""; add "a"; not empty"#, values(&["a", "", "a"])),
            (Push(values(&["b"])), "nothing", r#"add "b""#, values(&["a", "", "a", "b"])),
            (Pop(0), "[]", "", values(&["a", "", "a", "b"])),
            (Pop(1), r#"["a"]"#, r#"remove "a""#, values(&["", "a", "b"])),
            (Pop(2), r#"["", "a"]"#, r#"remove ""; remove "a""#, values(&["b"])),
            (Pop(u64::MAX), r#"["b"]"#, r#"remove "b"; empty"#, values(&[])),
            (Pop(1), "[]", "", values(&[])),
            (Push(values(&["c"])), "nothing", r#"add "c"; not empty"#, values(&["c"])),
            (Clear, "1", "clear; empty", values(&[])),
        ];
        let mut queues = Collections::new();
        for (index, (command, answer, changes, holds)) in (1..).zip(script) {
            let shown = alloc::format!("{index}: {command:?}");
            let (was_answered, was_changed) = run(&mut queues, index, command);
            assert_eq!((&*was_answered, &*was_changed), (answer, changes), "{shown}");
            assert_eq!(held(&queues), holds, "{shown}");
        }
    }

    #[test]
    fn one_command_takes_no_more_than_a_step_may() {
        let mut queues = Collections::new();
        let many: Vec<Bytes> = (0..1500_u32).map(|value| value.to_le_bytes()[..].into()).collect();
        run(&mut queues, 1, QueueCommand::Push(many.clone()));
        run(&mut queues, 2, QueueCommand::Pop(u64::MAX));
        assert_eq!(held(&queues), many[1024..]);
    }

    #[test]
    fn queries_show_the_front_and_the_length() {
        let mut queues = Collections::new();
        let shown = |queues: &Collections, query| super::query(queues.get("q"), query).to_string();
        assert_eq!(shown(&queues, QueueQuery::Front), "[]");
        assert_eq!(shown(&queues, QueueQuery::Len), "0");
        run(&mut queues, 1, QueueCommand::Push(values(&["", "b"])));
        assert_eq!(shown(&queues, QueueQuery::Front), r#"[""]"#);
        assert_eq!(shown(&queues, QueueQuery::Len), "2");
    }

    #[test]
    fn positions_are_never_used_again() {
        let digest = |commands: &[QueueCommand]| {
            let mut queues = Collections::new();
            for (index, command) in (1..).zip(commands) {
                run(&mut queues, index, command.clone());
            }
            queues.digest()
        };
        let push = || QueueCommand::Push(values(&["a"]));
        let again = digest(&[push(), QueueCommand::Pop(1), push()]);
        assert_ne!(again, digest(&[push(), push(), QueueCommand::Pop(1)]), "another version");
        assert_ne!(again, digest(&[push(), QueueCommand::Push(vec![]), push()]));
    }

    #[test]
    fn random_operations_agree_with_a_plain_queue() {
        let mut draws = Draws::new(5);
        let mut queues = Collections::new();
        let mut plain: VecDeque<Bytes> = VecDeque::new();
        for index in 1..3000 {
            let command = match draws.below(20) {
                0 => {
                    plain.clear();
                    QueueCommand::Clear
                }
                1..12 => {
                    let value: Bytes = draws.below(9).to_string().as_bytes().into();
                    plain.push_back(value.clone());
                    QueueCommand::Push(vec![value])
                }
                _ => {
                    let count = draws.below(4);
                    (0..count).for_each(|_| drop(plain.pop_front()));
                    QueueCommand::Pop(count)
                }
            };
            run(&mut queues, index, command);
            assert_eq!(held(&queues), Vec::from(plain.clone()), "after {index}");
            if draws.below(4) == 0 {
                queues.spend(&mut draws.below(6));
                queues.check();
            }
        }
    }
}
