//! [manual]: crate::manual
//! [maps]: crate::manual::maps
//! [queues]: crate::manual::queues
//! [records]: crate::manual::records
//! [emitters]: crate::manual::emitters
//! [remote_maps]: crate::manual::remote_maps
//! [group]: crate::manual::group
//! [coming_from_typescript]: crate::manual::coming_from_typescript
#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bytes;
mod codec;
mod config;
mod delivery;
mod event;
mod execution;
mod frame;
mod handle;
mod io;
pub mod manual;
mod node;
mod raft;
mod reasons;
mod remote_call;
mod requests;
mod state_machine;
mod status;
mod store;
mod stored;
mod types;

pub use bytes::Bytes;
pub use codec::{Claim, DecodeError, Envelope, MAX_ENVELOPE_BYTES};
pub use config::{
    Admission, Birth, Config, ConfigError, Priority, RemoteQueueLimits, SessionLimits,
};
pub use event::{Emission, Event, Role};
pub use handle::{
    Call, Codec, Collection, Cursor, Delivered, Emitted, Emitter, EmitterEvent, EmitterView,
    EncodeError, Export, Failure, Field, Fields, Held, ImportError, InstanceError, Map, MapEvent,
    MapView, Page, Postcard, Queue, QueueEvent, QueueView, Record, RecordEvent, RecordView,
    Redeemed, RemoteMap, RemoteMapEvent, RemoteMapView, Ticket, ValueError, ViewError,
    change_members, join, leave, open_session, ready, stop, submit, sync, transfer_leadership,
};
pub use io::{Input, NotExecuted, Outcome, Output, Refusal, Reply, Request, Unknown};
pub use node::Node;
pub use raft::{
    Afterwards, ChangeRefusal, Configuration, Entry, JoinRefusal, Member, MemberChange,
    SnapshotHead, Standing, TaskRefusal,
};
pub use reasons::{DropReason, Impossible, VoteRefusal};
pub use remote_call::{
    Fence, FenceRefusal, FenceRow, FenceVerdict, RemoteCall, RemoteResult, RemoteWork,
};
pub use status::{CollectionStatus, Counters, Drops, Load, Membership, Status};
pub use store::{
    Answer, Change, CollectionKind, NameTooLong, RemoteAnswer, RemoteOperation, RemoteOutcome,
    RemoteQuery, StoreError,
};
pub use stored::{RestoreError, Stored, Write};
pub use types::{
    EntryId, GroupId, Identity, Incarnation, Index, Life, NodeId, OutOfRange, Peer, RemoteCallId,
    RequestId, Sequence, SessionId, Term, Ticks, WriteId,
};
