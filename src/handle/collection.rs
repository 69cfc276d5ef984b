//! What the typed faces of all kinds of collections have in common.

use alloc::borrow::Cow;
use alloc::string::String;

use super::Call;
use super::coding::{flag, nothing};
use crate::io::{Local, Request, What};
use crate::store::{
    CollectionCommand, CollectionKind, MAX_NAME_BYTES, Name, NameTooLong, Operation, Query,
};
use crate::types::Ticks;

/// What can be asked about a collection of any kind: [`Map`](crate::Map), [`Queue`](crate::Queue),
/// [`Record`](crate::Record), [`Emitter`](crate::Emitter), [`RemoteMap`](crate::RemoteMap).
///
/// A collection is its name and its kind. A name that is in use as another kind is
/// [refused](crate::Refusal::WrongKind), by every call that names it, and nothing is changed.
pub trait Collection: sealed::Named {
    /// Its name.
    fn name(&self) -> &str {
        self.label().as_str()
    }

    /// What it is.
    fn kind(&self) -> CollectionKind {
        Self::KIND
    }

    /// Asks for nothing but an answer: it comes once the node is a member of its group, has applied
    /// everything that was committed when it was asked, and can use the collection, be it that there is
    /// none yet of that name. Where it is closed it is not: [`NotExecuted::Closed`](crate::NotExecuted).
    fn ready(&self) -> Call<()> {
        let query = Query::Usable { name: self.label().stored(), kind: Self::KIND };
        Call::new(self.label().request(What::Ready(query)), nothing)
    }

    /// Asks the node it is given to, and no other, to use the collection no more: its pending requests
    /// end, later ones are answered [`NotExecuted::Closed`](crate::NotExecuted), and its changes are
    /// not reported. [`Event::Closed`](crate::Event) tells so. The collection itself goes on, and so do
    /// the local reads. The node remembers the name until it is reopened, also when the collection is
    /// dropped.
    fn close(&self) -> Call<()> {
        Call::new(self.label().request(What::Local(Local::Close(self.label().stored()))), nothing)
    }

    /// Undoes [`close`](Collection::close). What changed meanwhile is not reported: read the view.
    fn reopen(&self) -> Call<()> {
        Call::new(self.label().request(What::Local(Local::Reopen(self.label().stored()))), nothing)
    }

    /// Removes the collection from the group, with all it holds. The result is whether there was one.
    ///
    /// One event that says so, and none for what it held. O(log n); what it held is freed a little at a
    /// time in later steps. The next command that names it creates it anew, as any kind. A remote map is
    /// not dropped while operations on it are queued
    /// ([`Refusal::OperationsQueued`](crate::Refusal)). Its entries and its row stay in the outside store, and
    /// a map that is named so later must [`adopt`](crate::RemoteMap::adopt) them first.
    ///
    /// Where it is closed it cannot be dropped: [`NotExecuted::Closed`](crate::NotExecuted).
    fn drop_collection(&self) -> Call<bool> {
        Call::new(self.label().command(CollectionCommand::Drop(Self::KIND)), flag)
    }
}

/// A collection's name as its handle holds it, and how long its calls may take.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Label {
    name: Cow<'static, str>,
    timeout: Option<Ticks>,
}

impl Label {
    pub(super) const fn new(name: &'static str) -> Self {
        assert!(name.len() <= MAX_NAME_BYTES, "a collection's name has at most 255 bytes");
        Self { name: Cow::Borrowed(name), timeout: None }
    }

    pub(super) fn named(name: String) -> Result<Self, NameTooLong> {
        Name::new(&name)?;
        Ok(Self { name: Cow::Owned(name), timeout: None })
    }

    pub(super) const fn set_timeout(&mut self, timeout: Ticks) {
        self.timeout = Some(timeout);
    }

    pub(super) fn as_str(&self) -> &str {
        &self.name
    }

    pub(super) fn stored(&self) -> Name {
        Name::new(&self.name).expect("a handle's name was checked when it was made")
    }

    /// A request about the collection.
    pub(super) fn request(&self, what: What) -> Request {
        Request { what, timeout: self.timeout }
    }

    /// A request to run a command on the collection.
    pub(super) fn command(&self, command: CollectionCommand) -> Request {
        let operation = Operation::Collection { name: self.stored(), command };
        self.request(What::Command { operation, place: None })
    }
}

pub(super) mod sealed {
    use super::Label;
    use crate::store::CollectionKind;

    /// Kept from being implemented by others, whom the store would not know.
    pub trait Named {
        #[doc(hidden)]
        const KIND: CollectionKind;

        #[doc(hidden)]
        fn label(&self) -> &Label;
    }
}
