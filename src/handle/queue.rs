//! The typed face of a replicated queue.

use alloc::string::String;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::marker::PhantomData;

use super::codec::{Codec, Postcard, ValueError};
use super::coding::{bytes, count, flag, nothing, values};
use super::collection::sealed::Named;
use super::collection::{Collection, Label};
use super::export::{Export, ImportError};
use super::{Call, EncodeError, Failure, Types};
use crate::bytes::Bytes;
use crate::io::What;
use crate::store::{
    Answer, Change, ChangeKind, CollectionCommand, CollectionKind, Contents, NameTooLong, Query,
    QueueChange, QueueCommand, QueueQuery,
};
use crate::types::Ticks;

/// A queue that all nodes of a group share: first in, first out, over the whole group.
///
/// The handle is a constant: a name, the type of the values, and how they become bytes. Handles of the
/// same name mean the same queue. Naming a queue in a command creates it.
///
/// Every value is given to exactly one [`pop`](Queue::pop), even when whoever pops asks again after a
/// lost reply, or the leader changes: a call takes effect at most once, and its result is kept for it
/// ([`SessionLimits`](crate::SessionLimits)). Of a pop that ends as
/// [unknown](crate::Failure::Unknown) the value may be lost to its asker; it is not given to another.
/// Those who cannot bear that ask within [a session of their own](crate::Call::in_session) until they
/// are answered. Concurrent pops cost one command each. (The TypeScript library looks at the front and
/// tries again after a lost race.)
///
/// Methods here make a [`Call`] to be given to any node as [`Input::Request`](crate::Input). A call that
/// changes the queue is linearizable, as are the calls named `read`. It is atomic, unless it pushes more
/// than [`Config::max_values`](crate::Config) and is split. Local reads are on the
/// [`QueueView`](crate::QueueView) that [`Node::queue`](crate::Node::queue) returns. Changes are reported
/// on every node as [`Event::Changed`](crate::Event), which [`event`](Queue::event) gives their types.
///
/// Costs are given for a queue of *n* values and calls on *m* of them. Positions are 64-bit numbers that
/// are never used again.
///
/// ```
/// use hamok::Queue;
///
/// const JOBS: Queue<String> = Queue::new("jobs");
///
/// let (request, ticket) = JOBS.push(&"sweep".into())?.into_parts();
/// // node.step(Input::Request(id, request)); later, with the reply to `id`: ticket.redeem(reply)?;
/// let (request, ticket) = JOBS.pop().into_parts();
/// // let job: Option<String> = ticket.redeem(reply)?;
/// # let _ = (request, ticket);
/// # Ok::<(), hamok::EncodeError>(())
/// ```
pub struct Queue<T, C = Postcard> {
    label: Label,
    types: Types<T, T, C>,
}

/// A change of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueEvent<T> {
    /// A value came in, at the end.
    Add {
        /// The value.
        value: T,
    },
    /// The value at the front was popped.
    Remove {
        /// The value.
        value: T,
    },
    /// The queue was empty before this command, and is not any more. It comes last of the command's.
    NotEmpty,
    /// The queue was not empty before this command, and is now. It comes last of the command's; only an
    /// import empties and fills the queue in one, and tells of both.
    Empty,
    /// All values were taken out at once. Clearing an empty queue changes nothing and is no event.
    Clear,
    /// The queue itself was taken out, with whatever it held.
    Dropped,
}

impl<T, C> Queue<T, C> {
    /// The queue of that name.
    ///
    /// # Panics
    /// If the name is longer than 255 bytes; for a constant, that is an error of compilation.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { label: Label::new(name), types: PhantomData }
    }

    /// The queue of a name that is known only when the program runs.
    ///
    /// # Errors
    /// [`NameTooLong`] if it is longer than 255 bytes.
    pub fn named(name: String) -> Result<Self, NameTooLong> {
        Ok(Self { label: Label::named(name)?, types: PhantomData })
    }

    /// The same queue, whose calls end after `timeout`, unless they bring another
    /// ([`Call::with_timeout`]), instead of [`Config::request_timeout`](crate::Config).
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Ticks) -> Self {
        self.label.set_timeout(timeout);
        self
    }

    /// Takes out all values. The result is how many there were.
    ///
    /// One [`QueueEvent::Clear`] and one [`QueueEvent::Empty`], unless the queue was empty. O(1); what
    /// was cleared is freed a little at a time in later steps.
    pub fn clear(&self) -> Call<u64> {
        self.command(QueueCommand::Clear, count)
    }

    /// Reads how many values there are, linearizably. O(1).
    pub fn read_len(&self) -> Call<u64> {
        self.query(QueueQuery::Len, count)
    }

    /// Puts the values of an export of a queue in the place of all there are, atomically. Sessions, and
    /// so the results of earlier calls, are kept.
    ///
    /// With `events`, reported as the clearing of what there was and the coming in of each value; without,
    /// not at all. O(m log n).
    ///
    /// # Errors
    /// If the export is not one of a queue.
    pub fn import(&self, export: &Export, events: bool) -> Result<Call<()>, ImportError> {
        let contents = export.contents(CollectionKind::Queue)?;
        Ok(self.collection(CollectionCommand::Import { contents, events }, nothing))
    }

    fn command<R>(&self, command: QueueCommand, read: fn(Answer) -> Result<R, Failure>) -> Call<R> {
        self.collection(CollectionCommand::Queue(command), read)
    }

    fn collection<R>(
        &self,
        command: CollectionCommand,
        read: fn(Answer) -> Result<R, Failure>,
    ) -> Call<R> {
        Call::new(self.label.command(command), read)
    }

    fn query<R>(&self, query: QueueQuery, read: fn(Answer) -> Result<R, Failure>) -> Call<R> {
        let query = Query::Queue { name: self.label.stored(), query };
        Call::new(self.label.request(What::Read(query)), read)
    }
}

impl<T, C: Codec<T>> Queue<T, C> {
    /// Puts a value at the end.
    ///
    /// One [`QueueEvent::Add`], and a [`QueueEvent::NotEmpty`] if the queue was empty. O(log n).
    ///
    /// # Errors
    /// If the value does not encode.
    pub fn push(&self, value: &T) -> Result<Call<()>, EncodeError> {
        self.push_all([value])
    }

    /// Puts all `values` at the end, in the order given, with nothing in between.
    ///
    /// One [`QueueEvent::Add`] for each, and a [`QueueEvent::NotEmpty`] if the queue was empty. More
    /// values than [`Config::max_values`](crate::Config) are put there by several commands, and others
    /// may come in between. O(m log n).
    ///
    /// # Errors
    /// If a value does not encode.
    pub fn push_all(
        &self,
        values: impl IntoIterator<Item = impl Borrow<T>>,
    ) -> Result<Call<()>, EncodeError> {
        Ok(self.command(QueueCommand::Push(encode_values::<T, C>(values)?), nothing))
    }

    /// Takes the value at the front. The result is that value, or none if the queue is empty.
    ///
    /// One [`QueueEvent::Remove`] if there was one, and a [`QueueEvent::Empty`] if it was the last.
    /// O(log n).
    pub fn pop(&self) -> Call<Option<T>> {
        self.command(QueueCommand::Pop(1), first_value::<T, C>)
    }

    /// Takes up to `count` values from the front, with nothing in between. The result is those values, in
    /// their order; fewer if there are no more.
    ///
    /// One [`QueueEvent::Remove`] for each, and a [`QueueEvent::Empty`] if the last was among them. More
    /// than 1,024 values, or than [`Config::max_values`](crate::Config), are taken by several commands,
    /// and others may pop in between; [in a session](crate::Call::in_session) of the application's no more
    /// can be taken at once. O(m log n). What is taken must fit into what a session keeps of replies
    /// ([`SessionLimits::max_reply_bytes`](crate::SessionLimits)), or the result is lost if the reply is
    /// asked for again. If one value does not decode, the call is a [`Failure::Value`](crate::Failure) and
    /// gives none of them: where others may write with another codec, keep a clone of the reply.
    pub fn pop_many(&self, count: u64) -> Call<Vec<T>> {
        self.command(QueueCommand::Pop(count), all_values::<T, C>)
    }

    /// Reads the value at the front, linearizably. O(log n).
    pub fn read_front(&self) -> Call<Option<T>> {
        self.query(QueueQuery::Front, first_value::<T, C>)
    }

    /// Creates the queue with these values, in the order given, unless it is there already: be it empty,
    /// it then stays as it is. The result is whether it was created.
    ///
    /// Of two nodes that do so at once, one creates it; and nothing that was popped comes back when a
    /// node starts again. Events as for [`push_all`](Queue::push_all). O(m log n).
    ///
    /// # Errors
    /// If a value does not encode.
    pub fn create(
        &self,
        initial: impl IntoIterator<Item = impl Borrow<T>>,
    ) -> Result<Call<bool>, EncodeError> {
        let contents = Contents::Queue(encode_values::<T, C>(initial)?);
        Ok(self.collection(CollectionCommand::Create(contents), flag))
    }

    /// Gives a change its types, if it is one of this queue.
    ///
    /// # Errors
    /// If the value does not decode.
    pub fn event(&self, change: &Change) -> Option<Result<QueueEvent<T>, ValueError>> {
        if change.collection() != self.name() {
            return None;
        }
        match &change.kind {
            ChangeKind::Queue(change) => Some(event::<T, C>(change)),
            ChangeKind::Dropped(CollectionKind::Queue) => Some(Ok(QueueEvent::Dropped)),
            ChangeKind::Map(_)
            | ChangeKind::Record(_)
            | ChangeKind::Emitter(_)
            | ChangeKind::RemoteMap { .. }
            | ChangeKind::RemoteFailed { .. }
            | ChangeKind::Dropped(_) => None,
        }
    }
}

impl<T, C> Named for Queue<T, C> {
    const KIND: CollectionKind = CollectionKind::Queue;

    fn label(&self) -> &Label {
        &self.label
    }
}

impl<T, C> Collection for Queue<T, C> {}

impl<T, C> Clone for Queue<T, C> {
    fn clone(&self) -> Self {
        Self { label: self.label.clone(), types: PhantomData }
    }
}

impl<T, C> fmt::Debug for Queue<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.name()).finish()
    }
}

fn encode_values<T, C: Codec<T>>(
    values: impl IntoIterator<Item = impl Borrow<T>>,
) -> Result<Vec<Bytes>, EncodeError> {
    values.into_iter().map(|value| bytes::<T, C>(value.borrow())).collect()
}

fn all_values<T, C: Codec<T>>(answer: Answer) -> Result<Vec<T>, Failure> {
    values(answer)?.iter().map(|value| Ok(C::decode(value)?)).collect()
}

/// The value in an answer of at most one.
fn first_value<T, C: Codec<T>>(answer: Answer) -> Result<Option<T>, Failure> {
    match values(answer)?.as_slice() {
        [] => Ok(None),
        [value] => Ok(Some(C::decode(value)?)),
        [..] => Err(Failure::WrongReply),
    }
}

fn event<T, C: Codec<T>>(change: &QueueChange) -> Result<QueueEvent<T>, ValueError> {
    Ok(match change {
        QueueChange::Add { value } => QueueEvent::Add { value: C::decode(value)? },
        QueueChange::Remove { value } => QueueEvent::Remove { value: C::decode(value)? },
        QueueChange::NotEmpty => QueueEvent::NotEmpty,
        QueueChange::Empty => QueueEvent::Empty,
        QueueChange::Clear => QueueEvent::Clear,
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::super::testing::{Group, text};
    use super::super::{QueueView, ViewError};
    use super::*;

    const JOBS: Queue<String> = Queue::new("jobs");

    fn view<'a>(group: &'a Group, queue: &Queue<String>) -> QueueView<'a, String> {
        QueueView::new(group.collection(queue.name()))
    }

    fn events(group: &Group) -> Vec<QueueEvent<String>> {
        group.changes.iter().map(|change| JOBS.event(change).unwrap().unwrap()).collect()
    }

    #[test]
    fn every_method_has_its_typed_result() {
        let group = &mut Group::new();
        assert_eq!(group.run(JOBS.pop()), Ok(None));
        assert_eq!(group.run(JOBS.push(&text("")).unwrap()), Ok(()));
        assert_eq!(group.run(JOBS.push_all([text("b"), text("c")]).unwrap()), Ok(()));
        assert_eq!(group.run(JOBS.push_all(Vec::<String>::new()).unwrap()), Ok(()));
        assert_eq!(group.run(JOBS.read_len()), Ok(3));
        assert_eq!(group.run(JOBS.read_front()), Ok(Some(text(""))));
        assert_eq!(group.run(JOBS.pop()), Ok(Some(text(""))));
        assert_eq!(group.run(JOBS.pop_many(0)), Ok(vec![]));
        assert_eq!(group.run(JOBS.pop_many(5)), Ok(vec![text("b"), text("c")]));
        assert_eq!(group.run(JOBS.read_front()), Ok(None));
        group.run(JOBS.push(&text("d")).unwrap()).unwrap();
        assert_eq!(group.run(JOBS.clear()), Ok(1));
        assert_eq!(group.run(JOBS.clear()), Ok(0));
    }

    #[test]
    fn the_view_reads_what_the_group_wrote_from_the_front() {
        let group = &mut Group::new();
        assert!(view(group, &JOBS).is_empty());
        assert_eq!(view(group, &JOBS).peek(), Ok(None));
        group.run(JOBS.push_all([text("a"), text("b"), text("")]).unwrap()).unwrap();
        group.run(JOBS.pop()).unwrap();
        let view = view(group, &JOBS);
        assert_eq!((view.len(), view.is_empty()), (2, false));
        assert_eq!(view.peek(), Ok(Some(text("b"))));
        assert_eq!(view.iter().collect::<Result<Vec<_>, _>>(), Ok(vec![text("b"), text("")]));
    }

    #[test]
    fn events_are_typed_and_end_with_what_became_of_the_queue() {
        let group = &mut Group::new();
        let a = || text("a");
        group.run(JOBS.push_all([a(), a()]).unwrap()).unwrap();
        let add = || QueueEvent::Add { value: a() };
        assert_eq!(events(group), [add(), add(), QueueEvent::NotEmpty]);
        let other: Queue<String> = Queue::named(text("other")).unwrap();
        assert!(other.event(&group.changes[0]).is_none());
        group.run(JOBS.pop()).unwrap();
        assert_eq!(events(group), [QueueEvent::Remove { value: a() }]);
        group.run(JOBS.clear()).unwrap();
        assert_eq!(events(group), [QueueEvent::Clear, QueueEvent::Empty]);
        group.run(JOBS.drop_collection()).unwrap();
        assert_eq!(events(group), [QueueEvent::Dropped]);
    }

    #[test]
    fn initial_values_come_in_once() {
        let group = &mut Group::new();
        let create = || JOBS.create([text("a"), text("b")]).unwrap();
        assert_eq!(group.run(create()), Ok(true));
        assert_eq!(group.run(JOBS.pop_many(2)).map(|jobs| jobs.len()), Ok(2));
        assert_eq!(group.run(create()), Ok(false));
        assert!(view(group, &JOBS).is_empty());
        assert_eq!(group.run(JOBS.drop_collection()), Ok(true));
        assert_eq!(group.run(JOBS.drop_collection()), Ok(false));
        assert_eq!(group.run(create()), Ok(true));
    }

    #[test]
    fn an_export_is_the_same_queue_again() {
        let group = &mut Group::new();
        group.run(JOBS.push_all([text("x"), text("a"), text("")]).unwrap()).unwrap();
        group.run(JOBS.pop()).unwrap();
        let export = view(group, &JOBS).export().unwrap();
        let export = Export::decode(&export.encode()).unwrap();
        let copy: Queue<String> = Queue::new("copy");
        group.run(copy.push(&text("old")).unwrap()).unwrap();
        group.run(copy.import(&export, true).unwrap()).unwrap();
        let reported = group.changes.iter().map(|change| copy.event(change).unwrap().unwrap());
        let add = |value| QueueEvent::Add { value: text(value) };
        use QueueEvent::{Clear, Empty, NotEmpty};
        assert_eq!(reported.collect::<Vec<_>>(), [Clear, Empty, add("a"), add(""), NotEmpty]);
        let values = |queue| view(group, queue).iter().collect::<Result<Vec<_>, _>>();
        assert_eq!(values(&copy), values(&JOBS));
        group.run(copy.import(&export, false).unwrap()).unwrap();
        assert!(group.changes.is_empty());
    }

    #[test]
    fn what_does_not_decode_is_an_error_of_the_reader() {
        let group = &mut Group::new();
        let wide: Queue<u64> = Queue::new("q");
        let narrow: Queue<u8> = Queue::new("q");
        group.run(wide.push(&300).unwrap()).unwrap();
        let error = ValueError::LeftOver { bytes: 1 };
        assert_eq!(narrow.event(&group.changes[0]), Some(Err(error)));
        let peek = QueueView::<u8>::new(group.collection("q")).peek();
        assert_eq!(peek, Err(ViewError::Value(error)));
        assert_eq!(group.run(narrow.pop()), Err(Failure::Value(error)));
    }
}
