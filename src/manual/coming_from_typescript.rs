//! Coming from the TypeScript library: each of its names, and ours.
//!
//! Three things differ everywhere, and the tables do not repeat them:
//!
//! - **Nothing runs by itself.** There is no clock, no socket, no promise and no listener: a
//!   [`Node`](crate::Node) is stepped. A method gives a [`Call`](crate::Call), whose
//!   [`Reply`](crate::Reply) comes out of a later step; where theirs returns a `Promise<X>`, ours has the
//!   result `X` of that reply. Where theirs rejects or throws, the reply is a
//!   [`Failure`](crate::Failure) that says whether the call took effect. Where theirs calls a listener, a step
//!   gives an [`Output::Event`](crate::Output).
//! - **Handles are constants.** A collection is not created, and no node has to prepare for it.
//! - **Every change is linearizable, takes effect at most once, and is on the disks of a majority** before it is
//!   answered. Reads of a view are local, as theirs are; reads called `read` are linearizable, which theirs
//!   never are.
//!
//! # `Hamok`
//!
//! | theirs | ours | what differs |
//! |---|---|---|
//! | `new Hamok(config)` | [`Node::new`](crate::Node::new) with a [`Config`](crate::Config), [`Node::restore`](crate::Node::restore) | needs an id, a random incarnation and a [`Birth`](crate::Birth); may be restored from disk |
//! | `start()` | none | a node runs while it is stepped |
//! | `stop()` | [`stop`](crate::stop) | requests end truthfully; the node stays a member while it is stepped |
//! | `close()` | [`stop`](crate::stop), then drop the `Node` | |
//! | `run` | none | the embedder's loop is its place |
//! | `accept(message)` | [`Input::Receive`](crate::Input) | of an [`Envelope`](crate::Envelope), decoded from bytes that may be anything |
//! | event `message` | [`Output::Send`](crate::Output) | to one node, [`Envelope::to`](crate::Envelope::to); `encode` gives its bytes |
//! | `on`, `once`, `off` (`EventEmitter`) | [`Output::Event`](crate::Output) | events are values; whom to tell is the application's affair |
//! | `localPeerId` | [`Status::identity`](crate::Status) | a number, with an incarnation and a life |
//! | `remotePeerIds` | [`Status::configuration`](crate::Status) | the members of the latest configuration in the log, this node included |
//! | `addRemotePeerId(id)` | [`Birth::Meet`](crate::Birth), [`Birth::Join`](crate::Birth), [`change_members`](crate::change_members) | committed, the same on every node; addresses stay with the embedder |
//! | `removeRemotePeerId(id)` | [`change_members`](crate::change_members) with [`MemberChange::Remove`](crate::MemberChange) | committed; through a joint configuration |
//! | `join()` | [`Birth::Join`](crate::Birth), [`join`](crate::join) | a newcomer asks any member; a learner until it has caught up |
//! | `leave()` | [`leave`](crate::leave) | committed |
//! | rejoining | none needed | a node that was cut off goes on by itself; one that was removed asks to [`join`](crate::join) |
//! | `leader` | [`Status::leader`](crate::Status) | |
//! | `state` | [`Status::role`](crate::Status), [`Status::membership`](crate::Status) | |
//! | `ready` | [`ready`](crate::ready), [`Status::ready`](crate::Status) | the call is done once the node is a member and has applied what was committed when it was asked; the field says that it knows a leader and has applied what that one had committed when it was first heard |
//! | `waitUntilCommitHead()` | [`sync`](crate::sync) | what is committed in the whole group when it is asked, not what this node knows of |
//! | `waitUntilLeader()` | [`Event::LeaderChanged`](crate::Event), [`ready`](crate::ready) | |
//! | `submit(entry)` | [`submit`](crate::submit) | any bytes; told on every node as [`Event::Message`](crate::Event), in order |
//! | `createMap(config)` | [`Map::new`](crate::Map::new), [`Map::named`](crate::Map::named) | a constant; asks nothing |
//! | `createQueue(config)` | [`Queue::new`](crate::Queue::new), [`Queue::named`](crate::Queue::named) | the same |
//! | `createRecord(config)` | [`Record::new`](crate::Record::new), [`Record::named`](crate::Record::named) | the same |
//! | `createEmitter(config)` | [`Emitter::new`](crate::Emitter::new), [`Emitter::named`](crate::Emitter::named) | the same |
//! | `createRemoteMap(config)` | [`RemoteMap::new`](crate::RemoteMap::new), [`RemoteMap::named`](crate::RemoteMap::named) | the same; a node that may lead must reach the store, not create the map |
//! | `onlyFollower` | a learner, or [`Priority::LastResort`](crate::Priority) | a learner never leads and has no vote; the other leads only if nobody else can |
//! | `logEntriesExpirationTimeInMs` | [`Config::max_log_bytes`](crate::Config), [`max_log_entries`](crate::Config) | the log is cut off behind snapshots, by size and never by a clock: what is committed does not expire |
//! | stats | [`Status::load`](crate::Status), [`Status::counters`](crate::Status) | dropped messages are counted [by reason](crate::Drops) |
//! | `connection`, storage grids | none | inner objects of that library; [`Node::step`](crate::Node::step) is their place |
//! | tasks for the leader only | [`Status::leader`](crate::Status) with [`Status::term`](crate::Status) | the term is a [fencing token](super::group#work-for-one-node-at-a-time) |
//!
//! ## Its events
//!
//! | theirs | ours | what differs |
//! |---|---|---|
//! | `leader-changed` | [`Event::LeaderChanged`](crate::Event) | |
//! | `state-changed`, `follower`, `candidate`, `leader` | [`Event::RoleChanged`](crate::Event) | one event, with the term; there is a pre-candidate, too |
//! | `joined` | [`Event::GroupEntered`](crate::Event), [`Event::GroupFounded`](crate::Event) | |
//! | `left` | [`Event::Removed`](crate::Event) | committed: by whomever it was asked |
//! | `rejoining` | none | it goes on by itself; whether it knows a leader is [`Event::LeaderChanged`](crate::Event) |
//! | `remote-peer-joined`, `remote-peer-left` | [`Event::MembersChanged`](crate::Event) | all members, by the configuration in force; [`Event::PeerStarted`](crate::Event) tells who is heard from anew |
//! | `commit` | [`Event::Committed`](crate::Event), [`Event::Applied`](crate::Event) | only with [`Config::verbose`](crate::Config) |
//! | `heartbeat` | [`Event::Heartbeat`](crate::Event) | verbose |
//! | `no-heartbeat-from` | [`Event::PeerSilent`](crate::Event) | on a leader, once until the member answers again; a leader that no majority answers steps down |
//! | `error` | [`Event::StorageFailed`](crate::Event), [`EnvelopeDropped`](crate::Event), [`CommandUnreadable`](crate::Event) and others | each with its reason, and none is an exception |
//! | `close` | [`Event::Stopped`](crate::Event) | after an [`Event::Closed`](crate::Event) for each collection |
//!
//! # Common to its collections
//!
//! | theirs | ours | what differs |
//! |---|---|---|
//! | `mapId`, `queueId`, `recordId`, `emitterId` | the name in `new` | up to 255 bytes; a name in use as another kind is refused |
//! | `requestTimeoutInMs` | [`Config::request_timeout`](crate::Config), [`Call::with_timeout`](crate::Call::with_timeout) | in ticks; what comes of it is the truth: `NotExecuted` or `Unknown` |
//! | `maxOutboundMessageKeys` | [`Config::max_keys`](crate::Config) | for the node, not the collection; 0 is no limit, too. A call that is split is not atomic, and says how far it came |
//! | `maxOutboundMessageValues` | [`Config::max_values`](crate::Config) | the same |
//! | `keyCodec`, `valueCodec` | the handle's last type, a [`Codec`](crate::Codec) | serde and postcard instead of JSON; both directions may fail |
//! | `equalValues` | equality of bytes; [`update_if_by`](crate::Map::update_if_by), [`update_held`](crate::RemoteMap::update_held) | run at the caller, once, and conditional on what it read; theirs is run by every replica, which may disagree, or for a remote map by the leader |
//! | `baseMap`, class `BaseMap` | `create` of the handle, or none | where entries are kept is ours to say. As initial contents they count only for the call that creates the collection |
//! | property `id` | [`Collection::name`](crate::Collection::name) | |
//! | property `closed` | [`CollectionStatus::closed`](crate::CollectionStatus), in [`Node::collections`](crate::Node::collections) | |
//! | property `connection`, class `HamokConnection` | none | an inner object |
//! | property `equalValues` | none | see the option |
//! | `close()` | [`Collection::close`](crate::Collection::close) | of this node only; may be [reopened](crate::Collection::reopen); local reads go on |
//! | operations on what is closed throw | [`NotExecuted::Closed`](crate::NotExecuted) | |
//! | event `close` | [`Event::Closed`](crate::Event) | |
//! | `export()` | `export` of the view, [`Export`](crate::Export) | with a version and a checksum; not of emitters and remote maps |
//! | `import(data, eventing)` | `import(&export, events)` of the handle | committed, atomic, and for all nodes; theirs is of one node only |
//! | none | [`Collection::drop_collection`](crate::Collection::drop_collection), [`ready`](crate::Collection::ready), [`kind`](crate::Collection::kind) | |
//!
//! # `HamokMap`
//!
//! | theirs | ours | what differs |
//! |---|---|---|
//! | `get(key)` | [`MapView::get`](crate::MapView::get) | local, as theirs; [`read`](crate::Map::read) is linearizable |
//! | `getAll(keys)` | [`MapView::get_all`](crate::MapView::get_all), [`read_all`](crate::Map::read_all) | in the order asked |
//! | `has(key)` | [`MapView::contains_key`](crate::MapView::contains_key) | |
//! | `size` | [`MapView::len`](crate::MapView::len), [`read_len`](crate::Map::read_len) | |
//! | `isEmpty` | [`MapView::is_empty`](crate::MapView::is_empty) | |
//! | `keys()`, `values()`, iteration | [`MapView::keys`](crate::MapView::keys), [`values`](crate::MapView::values), [`iter`](crate::MapView::iter) | in insertion order, the same on all nodes |
//! | `set(key, value)` | [`set`](crate::Map::set) | the previous value |
//! | `setAll(entries)` | [`set_all`](crate::Map::set_all) | the previous entries |
//! | `insert(key, value)` | [`insert`](crate::Map::insert) | the value in the way, or none |
//! | `insertAll(entries)` | [`insert_all`](crate::Map::insert_all) | the entries in the way |
//! | `updateIf(key, value, oldValue)` | [`update_if`](crate::Map::update_if) | |
//! | `remove(key)`, `removeAll(keys)` | [`remove`](crate::Map::remove), [`remove_all`](crate::Map::remove_all) | the values, not a bool |
//! | `removeIf(key, oldValue)` | [`remove_if`](crate::Map::remove_if) | a mismatch is answered at once, not left to time out |
//! | `delete(key)`, `deleteAll(keys)` | [`delete`](crate::Map::delete), [`delete_all`](crate::Map::delete_all) | the same |
//! | `clear()` | [`clear`](crate::Map::clear) | how many there were |
//! | events `insert`, `update`, `remove`, `clear` | [`MapEvent`](crate::MapEvent) | one for each entry, in log order; equal values are an `Update`; and there is `Dropped` |
//!
//! # `HamokQueue`
//!
//! | theirs | ours | what differs |
//! |---|---|---|
//! | `push(...values)` | [`push`](crate::Queue::push), [`push_all`](crate::Queue::push_all) | one command, below the limits |
//! | `pop()` | [`pop`](crate::Queue::pop), [`pop_many`](crate::Queue::pop_many) | one command; theirs looks at the front and tries again after a lost race |
//! | `peek()` | [`QueueView::peek`](crate::QueueView::peek), [`read_front`](crate::Queue::read_front) | |
//! | `size`, `empty` | [`QueueView::len`](crate::QueueView::len), [`is_empty`](crate::QueueView::is_empty), [`read_len`](crate::Queue::read_len) | |
//! | iteration | [`QueueView::iter`](crate::QueueView::iter) | |
//! | `clear()` | [`clear`](crate::Queue::clear) | how many there were |
//! | events `add`, `remove`, `empty`, `not-empty`, `clear` | [`QueueEvent`](crate::QueueEvent) | the same on all nodes; and there is `Dropped` |
//!
//! # `HamokRecord`
//!
//! | theirs | ours | what differs |
//! |---|---|---|
//! | `HamokRecord<T extends HamokRecordObject>` | [`Record<T>`](crate::Record) | `T` is a struct that serde knows |
//! | `new HamokRecord(connection, config)` | [`Record::new`](crate::Record::new) | |
//! | a key `K extends keyof T` | [`Field<V>`](crate::Field) | a constant with the field's type |
//! | `payloadsCodec` | the second type of a [`Field`](crate::Field) | one codec for each field, as theirs |
//! | `initialObject` | [`create`](crate::Record::create), [`insert_instance`](crate::Record::insert_instance) | `create` counts only if it creates the record; theirs adds what is missing at every start, which `insert_instance` does when it is asked to |
//! | `get(key)` | [`RecordView::get`](crate::RecordView::get), [`read`](crate::Record::read) | |
//! | the whole object | [`RecordView::instance`](crate::RecordView::instance), [`read_instance`](crate::Record::read_instance) | or what is missing |
//! | iteration | [`RecordView::iter`](crate::RecordView::iter) | names and bytes |
//! | `set(key, value)` | [`set`](crate::Record::set) | the previous value |
//! | `insert(key, value)` | [`insert`](crate::Record::insert) | the value in the way, or none |
//! | `insertInstance(partial)` | [`insert_instance`](crate::Record::insert_instance) | one command, below the limits; the fields in the way |
//! | `updateIf(key, value, oldValue)` | [`update_if`](crate::Record::update_if) | |
//! | `updateInstanceIf(new, old)` | [`update_instance_if`](crate::Record::update_instance_if) | all compared and all changed in one command |
//! | `delete(key)` | [`delete`](crate::Record::delete) | |
//! | `clear()` | [`clear`](crate::Record::clear) | how many there were |
//! | `export()` as `HamokRecordSnapshot` | [`RecordView::export`](crate::RecordView::export) as [`Export`](crate::Export) | |
//! | `import(data, eventing?)` | [`import`](crate::Record::import) | |
//! | events `insert`, `update`, `remove`, `clear`, with a payload | [`RecordEvent`](crate::RecordEvent) | with the field's name; a value is bytes until its field decodes it |
//!
//! # `HamokEmitter`
//!
//! | theirs | ours | what differs |
//! |---|---|---|
//! | `subscribe(event, listener)` | [`subscribe`](crate::Emitter::subscribe)`(event, &metadata)` | subscribes the node; listeners are the application's affair |
//! | `unsubscribe(event, listener)` | [`unsubscribe`](crate::Emitter::unsubscribe) | of the node |
//! | `updateMetadata` | [`update_metadata`](crate::Emitter::update_metadata) | conditional on what it was |
//! | `publish(event, payload)` | [`publish`](crate::Emitter::publish) | tells who received it and who did not answer; at most once per life of a receiver, and in order |
//! | `notify(event, payload)` | [`notify`](crate::Emitter::notify) | to how many it was sent |
//! | `clear()` | [`clear`](crate::Emitter::clear) | this node's subscriptions |
//! | `subscriptions` | [`EmitterView::subscriptions`](crate::EmitterView::subscriptions), [`subscribers`](crate::EmitterView::subscribers) | |
//! | whether there are subscribers | [`has_subscribers`](crate::Emitter::has_subscribers) | linearizable |
//! | payload codecs | the handle's last type, a [`Codec`](crate::Codec) | one for all events of an emitter |
//! | `autoClean` | none | always so: subscriptions end with the membership, by the same committed change |
//! | statistics | [`Counters`](crate::Counters), [`Load`](crate::Load) | of all emitters of the node together |
//! | a listener's call | [`Event::Emitted`](crate::Event), [`emitted`](crate::Emitter::emitted) | |
//! | none | [`EmitterEvent`](crate::EmitterEvent) | who subscribed, unsubscribed, or says something else |
//!
//! # `HamokRemoteMap`
//!
//! | theirs | ours | what differs |
//! |---|---|---|
//! | `HamokRemoteMapBuilderConfig` | [`RemoteMap::new`](crate::RemoteMap::new), [`Config`](crate::Config) | |
//! | `remoteMap`, an object that does the operations | [`Output::Remote`](crate::Output), [`Input::Remote`](crate::Input) | the embedder does them, in its own time |
//! | `noEvents` | [`without_events`](crate::RemoteMap::without_events) | for what is done through that handle |
//! | `size()` | [`len`](crate::RemoteMap::len), [`read_len`](crate::RemoteMap::read_len) | direct, or linearizable; and so all reads |
//! | `isEmpty()` | [`is_empty`](crate::RemoteMap::is_empty), [`read_is_empty`](crate::RemoteMap::read_is_empty) | |
//! | `keys()` | [`keys`](crate::RemoteMap::keys), [`read_keys`](crate::RemoteMap::read_keys) | in pages |
//! | `iterator()` | [`entries`](crate::RemoteMap::entries), [`read_entries`](crate::RemoteMap::read_entries) | in pages |
//! | `get(key)` | [`get`](crate::RemoteMap::get), [`read`](crate::RemoteMap::read) | |
//! | `getAll(keys)` | [`get_all`](crate::RemoteMap::get_all), [`read_all`](crate::RemoteMap::read_all) | |
//! | `set(key, value)` | [`set`](crate::RemoteMap::set) | the previous value |
//! | `setAll(entries)` | [`set_all`](crate::RemoteMap::set_all) | one transaction, below the limits; the previous entries |
//! | `insert(key, value)` | [`insert`](crate::RemoteMap::insert) | does not overwrite; the value in the way, or none |
//! | `insertAll(entries)` | [`insert_all`](crate::RemoteMap::insert_all) | the entries in the way |
//! | `updateIf(key, value, oldValue)` | [`update_if`](crate::RemoteMap::update_if) | compared in the store, byte for byte |
//! | `delete(key)`, `deleteAll(keys)` | [`delete`](crate::RemoteMap::delete), [`delete_all`](crate::RemoteMap::delete_all) | |
//! | `remove(key)`, `removeAll(keys)` | [`remove`](crate::RemoteMap::remove), [`remove_all`](crate::RemoteMap::remove_all) | the values, not a bool |
//! | `clear()` | [`clear`](crate::RemoteMap::clear) | how many there were; the fence row stays |
//! | `sync()` | [`sync`](crate::RemoteMap::sync) | until what is committed is executed, too |
//! | events `insert`, `update`, `remove`, `clear` | [`RemoteMapEvent`](crate::RemoteMapEvent) | from the committed outcome, on every node; and there are `ApplyFailed` and `Dropped` |
//! | none | [`remove_if`](crate::RemoteMap::remove_if), [`adopt`](crate::RemoteMap::adopt), [`update_held`](crate::RemoteMap::update_held) | |
//!
//! Its interface `RemoteMap`, which an application implements for its store, and what an adapter of ours is
//! given in its place ([`RemoteOperation`](crate::RemoteOperation), [`RemoteQuery`](crate::RemoteQuery)):
//!
//! | theirs | ours | what differs |
//! |---|---|---|
//! | `set(key, value, callback)`, `setAll(entries, callback)` | [`RemoteOperation::Set`](crate::RemoteOperation) | one transaction with the fence row |
//! | the callback's `inserted` and `updated` | [`RemoteAnswer::Values`](crate::RemoteAnswer) | the previous value of each key, or none |
//! | none: `insert` and `updateIf` are a reading and a `set` | [`RemoteOperation::Insert`](crate::RemoteOperation), [`UpdateIf`](crate::RemoteOperation) | executed by the store, so that nothing comes in between |
//! | `remove(key)`, `removeAll(keys)` | [`RemoteOperation::Remove`](crate::RemoteOperation), [`RemoveIf`](crate::RemoteOperation), [`Delete`](crate::RemoteOperation) | |
//! | `clear()` | [`RemoteOperation::Clear`](crate::RemoteOperation) | |
//! | `get(key)`, `getAll(keys)` | [`RemoteQuery::Get`](crate::RemoteQuery) | |
//! | `size()` | [`RemoteQuery::Len`](crate::RemoteQuery) | |
//! | `keys()`, `iterator()` | [`RemoteQuery::Keys`](crate::RemoteQuery), [`Entries`](crate::RemoteQuery) | in pages |
//! | serialisation of its own | the bytes that the handle's codec gives | what the store holds is what the group compares |
//! | none | [`RemoteOperation::Adopt`](crate::RemoteOperation), [`Fence`](crate::Fence) | [why](super::remote_maps#the-fence-row) |
