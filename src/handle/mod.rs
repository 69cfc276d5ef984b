//! Typed faces of the replicated collections.
//!
//! A handle is a name and some types, no more: it may be a constant, and every node knows the
//! collection whether or not it has a handle to it. A method that asks the group for something
//! returns a [`Call`]: the [`Request`] to give to a node, and the [`Ticket`] that says what the
//! reply will mean.

mod codec;
mod coding;
mod collection;
mod emitter;
mod emitter_view;
mod export;
mod fields;
mod group;
mod map;
mod map_view;
mod queue;
mod queue_view;
mod record;
mod record_view;
mod remote_coding;
mod remote_map;
mod remote_map_view;
mod remote_reads;
#[cfg(test)]
mod testing;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use crate::bytes::Bytes;
use crate::io::{Local, NotExecuted, Outcome, Refusal, Reply, Request, Unknown, What};
use crate::store::{Answer, Content, Operation, Query, RemoteOutcome, StoreError};
use crate::types::{Index, Sequence, SessionId, Ticks};

pub use self::codec::{Codec, EncodeError, Postcard, ValueError};
pub use self::collection::Collection;
pub use self::emitter::{Delivered, Emitted, Emitter, EmitterEvent};
pub use self::emitter_view::EmitterView;
pub use self::export::{Export, ImportError};
pub use self::fields::InstanceError;
pub use self::group::{change_members, join, leave, transfer_leadership};
pub use self::map::{Map, MapEvent};
pub use self::map_view::{MapView, ViewError};
pub use self::queue::{Queue, QueueEvent};
pub use self::queue_view::QueueView;
pub use self::record::{Field, Fields, Record, RecordEvent};
pub use self::record_view::RecordView;
pub use self::remote_map::{RemoteMap, RemoteMapEvent};
pub use self::remote_map_view::RemoteMapView;
pub use self::remote_reads::{Cursor, Held, Page};

/// Something to ask of the group, and the type of its result.
#[derive(Debug)]
#[must_use = "nothing is asked until the request is given to a node"]
pub struct Call<R> {
    request: Request,
    ticket: Ticket<R>,
}

/// What the reply to a request will mean.
#[derive(Debug)]
#[must_use = "a ticket gives the reply its type"]
pub struct Ticket<R> {
    read: Read<R>,
}

/// How an answer becomes a result.
#[derive(Debug)]
enum Read<R> {
    Alone(fn(Answer) -> Result<R, Failure>),
    /// Together with the keys that were asked about, in whose order the answer is.
    WithKeys(Arc<[Bytes]>, fn(&[Bytes], Answer) -> Result<R, Failure>),
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// It was ordered and refused, the same on every node; it has no effect.
    Refused(Refusal),
    /// It has no effect, and this copy of it never will: safe to send again.
    NotExecuted(NotExecuted),
    /// It may have taken effect, or may yet.
    Unknown(Unknown),
    /// It was executed, and its result does not decode: it was written with another codec or type.
    Value(ValueError),
    /// The outside store refused it for good, and changed nothing.
    Store(StoreError),
    /// A bulk call that was split into several commands was done in part;
    /// [`Ticket::redeem_partial`] gives the results there are, if they decode.
    Partial {
        /// How many of the call's entries, keys or values were done, counted from the first: where to go
        /// on.
        next: u64,
        /// Why the first command that was not done was not. No later one was begun.
        because: Box<Failure>,
    },
    /// The reply is to another request than the ticket's.
    WrongReply,
}

/// What came of a call that may have been done in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redeemed<R> {
    /// All of it was done.
    Done(R),
    /// Some of it was.
    Partial {
        /// The results of what was done.
        results: R,
        /// How many of the call's entries, keys or values that was, counted from the first: where to go
        /// on.
        next: u64,
        /// Why the first command that was not done was not. No later one was begun.
        because: Failure,
    },
}

/// Asks for a session which belongs to no node, so that commands put into it with
/// [`Call::in_session`] may be sent again through any node.
///
/// The result is the session. It lasts while it is used (see
/// [`SessionLimits`](crate::SessionLimits)). A call whose end is unknown may have opened one that
/// nobody will use; it expires like any other.
pub fn open_session() -> Call<SessionId> {
    Call::new(Request::command(Operation::OpenSession), coding::session)
}

/// Asks for nothing but an answer: it comes once the node has applied everything that was committed
/// when it was asked. Local reads then see at least that.
pub fn sync() -> Call<()> {
    Call::new(Request::read(Query::Nothing), coding::nothing)
}

/// Asks for nothing but an answer: it comes once the node is a member of its group, by what is committed,
/// and has applied everything that was committed when it was asked.
pub fn ready() -> Call<()> {
    Call::new(Request::new(What::Ready(Query::Nothing)), coding::nothing)
}

/// Hands bytes of the application's own to every node, in the order of the log: the application's own
/// replicated log. The result is where they stand in it.
///
/// Each node emits [`Event::Message`](crate::Event) when it applies them, but not for those that a
/// snapshot covers which it is restored from or sent: an application that must see all of them keeps
/// what follows from them in a collection. At most [`Config::max_entry_bytes`](crate::Config).
pub fn submit(payload: Vec<u8>) -> Call<Index> {
    Call::new(Request::command(Operation::Submit(payload.into())), coding::index)
}

/// Asks the node it is given to, to end all its pending requests, each with what is true of it, and to
/// take no more: they are answered [`NotExecuted::Stopped`](crate::NotExecuted). It closes all its
/// collections, with an [`Event::Closed`](crate::Event) for each and an [`Event::Stopped`](crate::Event)
/// at last.
///
/// The node is still a member of its group, and takes its part as long as it is stepped; to be removed,
/// it asks to [`leave`] before. Another life of it takes requests again.
pub fn stop() -> Call<()> {
    Call::new(Request::new(What::Local(Local::Stop)), coding::nothing)
}

/// The types of a handle that holds no value of them.
type Types<K, V, C> = PhantomData<fn() -> (K, V, C)>;

impl<R> Call<R> {
    fn new(request: Request, read: fn(Answer) -> Result<R, Failure>) -> Self {
        Self { request, ticket: Ticket { read: Read::Alone(read) } }
    }

    fn with_keys(
        request: Request,
        keys: Arc<[Bytes]>,
        read: fn(&[Bytes], Answer) -> Result<R, Failure>,
    ) -> Self {
        Self { request, ticket: Ticket { read: Read::WithKeys(keys, read) } }
    }

    /// The request for [`Input::Request`](crate::Input::Request), and the ticket for its reply.
    pub fn into_parts(self) -> (Request, Ticket<R>) {
        (self.request, self.ticket)
    }

    /// Ends the call after `timeout`; see [`Request::with_timeout`].
    pub fn with_timeout(self, timeout: Ticks) -> Self {
        Self { request: self.request.with_timeout(timeout), ..self }
    }

    /// Puts the call into a session of the application; see [`Request::in_session`].
    pub fn in_session(
        self,
        session: SessionId,
        sequence: Sequence,
        answered_below: Sequence,
    ) -> Self {
        Self { request: self.request.in_session(session, sequence, answered_below), ..self }
    }
}

impl<R> Ticket<R> {
    /// Turns the reply into the call's result. [`Reply::outcome`] tells its log position.
    ///
    /// # Errors
    /// Whatever kept the call from having a result. Of a [`Failure::Value`], the call has taken
    /// effect.
    pub fn redeem(self, reply: Reply) -> Result<R, Failure> {
        match self.redeem_partial(reply)? {
            Redeemed::Done(result) => Ok(result),
            Redeemed::Partial { next, because, .. } => {
                Err(Failure::Partial { next, because: Box::new(because) })
            }
        }
    }

    /// Turns the reply into the call's result, or into those there are of a bulk call that was split by
    /// [`Config::max_keys`](crate::Config) or [`Config::max_values`](crate::Config) and done in part.
    ///
    /// # Errors
    /// As [`redeem`](Ticket::redeem); [`Failure::Partial`] only if the results there are do not decode.
    pub fn redeem_partial(self, reply: Reply) -> Result<Redeemed<R>, Failure> {
        match reply.outcome {
            Outcome::Done { answer, .. } => Ok(Redeemed::Done(self.read.result(answer)?)),
            Outcome::Partial { answer, next, because, .. } => {
                let because = Failure::of(*because);
                match self.read.result(answer) {
                    Ok(results) => Ok(Redeemed::Partial { results, next, because }),
                    Err(Failure::Value(_)) => {
                        Err(Failure::Partial { next, because: Box::new(because) })
                    }
                    Err(failure) => Err(failure),
                }
            }
            Outcome::Refused { .. } | Outcome::NotExecuted(_) | Outcome::Unknown(_) => {
                Err(Failure::of(reply.outcome))
            }
        }
    }
}

impl<R> Read<R> {
    fn result(&self, answer: Answer) -> Result<R, Failure> {
        match self {
            Self::Alone(read) => read(answer),
            Self::WithKeys(keys, read) => read(keys, answer),
        }
    }
}

impl Failure {
    /// Why a request that ended so has no result.
    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Refused { because, .. } => Self::Refused(because),
            Outcome::NotExecuted(because) => Self::NotExecuted(because),
            Outcome::Unknown(because) => Self::Unknown(because),
            Outcome::Done {
                answer: Answer(Content::Remote(RemoteOutcome::Failed(error))), ..
            } => Self::Store(error),
            Outcome::Done { .. } | Outcome::Partial { .. } => Self::WrongReply,
        }
    }
}

// Not derived: a ticket may be cloned whatever its result is.
impl<R> Clone for Call<R> {
    fn clone(&self) -> Self {
        Self { request: self.request.clone(), ticket: self.ticket.clone() }
    }
}

impl<R> Clone for Ticket<R> {
    fn clone(&self) -> Self {
        let read = match &self.read {
            Read::Alone(read) => Read::Alone(*read),
            Read::WithKeys(keys, read) => Read::WithKeys(Arc::clone(keys), *read),
        };
        Self { read }
    }
}

impl From<ValueError> for Failure {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(because) => write!(f, "refused: {because}"),
            Self::NotExecuted(because) => write!(f, "not executed: {because}"),
            Self::Unknown(because) => write!(f, "unknown: {because}"),
            Self::Value(error) => write!(f, "executed, but of the result: {error}"),
            Self::Store(error) => write!(f, "the outside store refused: {error}"),
            Self::Partial { next, because } => write!(f, "done before {next}, then {because}"),
            Self::WrongReply => f.write_str("the reply to another request"),
        }
    }
}

impl core::error::Error for Failure {}
