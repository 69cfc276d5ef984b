//! The typed face of a replicated record.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{Codec, Postcard, ValueError};
use super::coding::{bytes, count, entries, first_value, flag, nothing};
use super::collection::sealed::Named;
use super::collection::{Collection, Label};
use super::export::{Export, ImportError};
use super::fields::{self, InstanceError};
use super::{Call, EncodeError, Failure, Types};
use crate::bytes::Bytes;
use crate::io::What;
use crate::store::{
    Answer, Change, ChangeKind, CollectionCommand, CollectionKind, Contents, EntryChange,
    NameTooLong, Query, RecordCommand, RecordQuery,
};
use crate::types::Ticks;

/// One object that all nodes of a group share, with named fields that are stored one by one: two nodes
/// may set different fields without conflict.
///
/// `T` is a struct with named fields that serde knows; each of its fields becomes bytes of its own, by
/// postcard. [`field`](Record::field) gives a single field its type, and its own codec if need be; a
/// record may have fields that `T` does not name. The handle is a constant. Handles of the same name
/// mean the same record. Naming a record in a command creates it.
///
/// Every value is a value: `0`, `""`, `None` are like any other, and not the same as a field without a
/// value. Two values are equal when their bytes are.
///
/// Methods here make a [`Call`] to be given to any node as [`Input::Request`](crate::Input). A call that
/// changes the record takes effect at most once and is linearizable, as are the calls named `read`. It is
/// atomic, but for an [`insert_instance`](Record::insert_instance) of very many fields. Local reads are on the [`RecordView`](crate::RecordView) that
/// [`Node::record`](crate::Node::record) returns. Changes are reported on every node as
/// [`Event::Changed`](crate::Event), one per field, which [`event`](Record::event) takes apart.
///
/// Costs are given for a record of *n* fields and calls that name *m* of them.
///
/// ```
/// use hamok::{Field, Record};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Profile {
///     name: String,
///     age: u32,
/// }
///
/// const PROFILE: Record<Profile> = Record::new("profile");
/// const AGE: Field<u32> = Field::new("age");
///
/// let (request, ticket) = PROFILE.set(&AGE, &7)?.into_parts();
/// // node.step(Input::Request(id, request)); later, with the reply to `id`:
/// // let previous: Option<u32> = ticket.redeem(reply)?;
/// # let _ = (request, ticket);
/// # Ok::<(), hamok::EncodeError>(())
/// ```
pub struct Record<T> {
    label: Label,
    types: Types<T, T, ()>,
}

/// One field of a [`Record`]: its name, the type of its value, and how that becomes bytes.
pub struct Field<V, C = Postcard> {
    name: Cow<'static, str>,
    types: Types<V, V, C>,
}

/// Some of a record's fields, as a call or an event has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// In the order asked for.
    held: Vec<(Bytes, Bytes)>,
}

/// A change of a record. A value is bytes until its [`Field`] [decodes](Field::decode) it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordEvent {
    /// A field that had no value has one.
    Insert {
        /// The field's name.
        field: String,
        /// Its value.
        value: Bytes,
    },
    /// A field was given a value again, equal to the old one or not.
    Update {
        /// The field's name.
        field: String,
        /// The value it had.
        old: Bytes,
        /// The value it has.
        new: Bytes,
    },
    /// A field lost its value.
    Remove {
        /// The field's name.
        field: String,
        /// The value it had.
        value: Bytes,
    },
    /// All fields lost their values at once. Clearing a record without any changes nothing and is no
    /// event.
    Clear,
    /// The record itself was taken out, with whatever it held.
    Dropped,
}

impl<T> Record<T> {
    /// The record of that name.
    ///
    /// # Panics
    /// If the name is longer than 255 bytes; for a constant, that is an error of compilation.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { label: Label::new(name), types: PhantomData }
    }

    /// The record of a name that is known only when the program runs.
    ///
    /// # Errors
    /// [`NameTooLong`] if it is longer than 255 bytes.
    pub fn named(name: String) -> Result<Self, NameTooLong> {
        Ok(Self { label: Label::named(name)?, types: PhantomData })
    }

    /// The same record, whose calls end after `timeout`, unless they bring another
    /// ([`Call::with_timeout`]), instead of [`Config::request_timeout`](crate::Config).
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Ticks) -> Self {
        self.label.set_timeout(timeout);
        self
    }

    /// The field of that name, with values of type `V` in postcard. [`Field::new`] makes constants.
    #[must_use]
    pub fn field<V>(&self, name: &'static str) -> Field<V> {
        Field::new(name)
    }

    /// Gives a field the value, whether or not it has one. The result is the previous value.
    ///
    /// One [`RecordEvent::Insert`], or one [`RecordEvent::Update`] even if the values are equal.
    /// O(log n).
    ///
    /// # Errors
    /// If the value does not encode.
    pub fn set<V, C: Codec<V>>(
        &self,
        field: &Field<V, C>,
        value: &V,
    ) -> Result<Call<Option<V>>, EncodeError> {
        let command = RecordCommand::Set { field: field.key(), value: bytes::<V, C>(value)? };
        Ok(self.command(command, first_value::<V, C>))
    }

    /// Gives a field the value if it has none. The result is the value it has already, which stays, or
    /// `None` if this one was inserted.
    ///
    /// One [`RecordEvent::Insert`] if it was. O(log n).
    ///
    /// # Errors
    /// If the value does not encode.
    pub fn insert<V, C: Codec<V>>(
        &self,
        field: &Field<V, C>,
        value: &V,
    ) -> Result<Call<Option<V>>, EncodeError> {
        let fields = [(field.key(), bytes::<V, C>(value)?)].into();
        Ok(self.command(RecordCommand::Insert(fields), first_value::<V, C>))
    }

    /// Gives a field the value if the one it has equals `expected`, byte for byte. The result is whether
    /// it did.
    ///
    /// One [`RecordEvent::Update`] if it did. A field without a value equals nothing. O(log n).
    ///
    /// # Errors
    /// If either value does not encode.
    pub fn update_if<V, C: Codec<V>>(
        &self,
        field: &Field<V, C>,
        value: &V,
        expected: &V,
    ) -> Result<Call<bool>, EncodeError> {
        let fields = [(field.key(), bytes::<V, C>(value)?)].into();
        let expected = [(field.key(), bytes::<V, C>(expected)?)].into();
        Ok(self.command(RecordCommand::UpdateIf { fields, expected }, flag))
    }

    /// Takes a field's value out. The result is whether it had one.
    ///
    /// One [`RecordEvent::Remove`] if it had. O(log n).
    pub fn delete<V, C>(&self, field: &Field<V, C>) -> Call<bool> {
        self.command(RecordCommand::Delete { field: field.key() }, flag)
    }

    /// Takes the values of all fields out. The result is how many had one.
    ///
    /// One [`RecordEvent::Clear`], unless none had. O(1); what was cleared is freed a little at a time in
    /// later steps.
    pub fn clear(&self) -> Call<u64> {
        self.command(RecordCommand::Clear, count)
    }

    /// Inserts those fields of a struct that have no value, in one command; those that it skips when it is
    /// serialised are left alone. The result is the fields that had a value, which stays.
    ///
    /// `P` may be `T` or any other struct with some of the fields. One [`RecordEvent::Insert`] for each
    /// field inserted. O(m log n). More fields than [`Config::max_keys`](crate::Config) or
    /// [`max_values`](crate::Config) are inserted by several commands, between which others may come.
    ///
    /// # Errors
    /// If a field does not encode, or `P` is not a struct with named fields.
    pub fn insert_instance<P: Serialize>(&self, partial: &P) -> Result<Call<Fields>, EncodeError> {
        let fields = fields::take_apart(partial)?;
        Ok(self.command(RecordCommand::Insert(fields), Fields::read))
    }

    /// Sets all fields of `new` if all fields of `expected` have the values they have there, byte for
    /// byte: all are compared and all are changed in one command. The result is whether they were.
    ///
    /// `P` and `Q` may be `T` or any other structs with some of the fields, and need not have the same. A
    /// field without a value equals nothing. One [`RecordEvent::Insert`] or [`RecordEvent::Update`] for
    /// each field of `new`. O(m log n).
    ///
    /// # Errors
    /// If a field does not encode, or `P` or `Q` is not a struct with named fields.
    pub fn update_instance_if<P: Serialize, Q: Serialize>(
        &self,
        new: &P,
        expected: &Q,
    ) -> Result<Call<bool>, EncodeError> {
        let (fields, expected) = (fields::take_apart(new)?, fields::take_apart(expected)?);
        Ok(self.command(RecordCommand::UpdateIf { fields, expected }, flag))
    }

    /// Creates the record with the fields of a struct, unless it is there already: be it without any, it
    /// then stays as it is. The result is whether it was created.
    ///
    /// Of two nodes that do so at once, one creates it, and nothing that was deleted comes back when a
    /// node starts again. (The TypeScript library adds the missing fields of its `initialObject` at every
    /// start.) One [`RecordEvent::Insert`] for each field. O(m log n).
    ///
    /// # Errors
    /// If a field does not encode, or `P` is not a struct with named fields.
    pub fn create<P: Serialize>(&self, initial: &P) -> Result<Call<bool>, EncodeError> {
        let contents = Contents::Record(fields::take_apart(initial)?);
        Ok(self.collection(CollectionCommand::Create(contents), flag))
    }

    /// Puts the fields of an export of a record in the place of all there are, atomically. Sessions, and
    /// so the results of earlier calls, are kept.
    ///
    /// With `events`, reported as the clearing of what there was and the insertion of each field; without,
    /// not at all. O(m log n).
    ///
    /// # Errors
    /// If the export is not one of a record.
    pub fn import(&self, export: &Export, events: bool) -> Result<Call<()>, ImportError> {
        let contents = export.contents(CollectionKind::Record)?;
        Ok(self.collection(CollectionCommand::Import { contents, events }, nothing))
    }

    /// Reads the value of a field, linearizably. O(log n).
    pub fn read<V, C: Codec<V>>(&self, field: &Field<V, C>) -> Call<Option<V>> {
        self.query([field.key()].into(), first_value::<V, C>)
    }

    /// Reads all fields that `T` names, at one moment, linearizably. [`Fields::instance`] makes a `T` of
    /// the result, or tells what is missing. O(m log n).
    ///
    /// # Errors
    /// If `T` is not a struct with named fields.
    pub fn read_instance(&self) -> Result<Call<Fields>, InstanceError>
    where
        T: DeserializeOwned,
    {
        let names = fields::names_of::<T>()?;
        let keys = names.iter().map(|name| name.as_bytes().into()).collect();
        Ok(self.query(keys, Fields::read))
    }

    /// Takes a change apart, if it is one of this record.
    #[must_use]
    pub fn event(&self, change: &Change) -> Option<RecordEvent> {
        if change.collection() != self.name() {
            return None;
        }
        match &change.kind {
            ChangeKind::Record(change) => Some(event(change)),
            ChangeKind::Dropped(CollectionKind::Record) => Some(RecordEvent::Dropped),
            ChangeKind::Map(_)
            | ChangeKind::Queue(_)
            | ChangeKind::Emitter(_)
            | ChangeKind::RemoteMap { .. }
            | ChangeKind::RemoteFailed { .. }
            | ChangeKind::Dropped(_) => None,
        }
    }

    fn command<R>(
        &self,
        command: RecordCommand,
        read: fn(Answer) -> Result<R, Failure>,
    ) -> Call<R> {
        self.collection(CollectionCommand::Record(command), read)
    }

    fn collection<R>(
        &self,
        command: CollectionCommand,
        read: fn(Answer) -> Result<R, Failure>,
    ) -> Call<R> {
        Call::new(self.label.command(command), read)
    }

    fn query<R>(&self, fields: Vec<Bytes>, read: fn(Answer) -> Result<R, Failure>) -> Call<R> {
        let (name, query) = (self.label.stored(), RecordQuery::Get(fields));
        Call::new(self.label.request(What::Read(Query::Record { name, query })), read)
    }
}

impl<V, C> Field<V, C> {
    /// The field of that name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), types: PhantomData }
    }

    /// The field of a name that is known only when the program runs.
    #[must_use]
    pub const fn named(name: String) -> Self {
        Self { name: Cow::Owned(name), types: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn key(&self) -> Bytes {
        self.name.as_bytes().into()
    }
}

impl<V, C: Codec<V>> Field<V, C> {
    /// The value whose bytes these are, as an event of this field has them.
    ///
    /// # Errors
    /// If they do not decode.
    pub fn decode(&self, bytes: &Bytes) -> Result<V, ValueError> {
        C::decode(bytes)
    }
}

impl Fields {
    fn read(answer: Answer) -> Result<Self, Failure> {
        Ok(Self { held: entries(answer)? })
    }

    /// How many fields have a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The names of the fields that have a value.
    pub fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.held.iter().map(|(name, _)| String::from_utf8_lossy(name))
    }

    /// The value of a field, if it has one.
    ///
    /// # Errors
    /// If it does not decode.
    pub fn get<V, C: Codec<V>>(&self, field: &Field<V, C>) -> Result<Option<V>, ValueError> {
        self.value(field.name()).map(|value| C::decode(&value)).transpose()
    }

    /// A struct with these fields.
    ///
    /// # Errors
    /// If fields are missing that it cannot be without, or a value does not decode.
    pub fn instance<T: DeserializeOwned>(&self) -> Result<T, InstanceError> {
        fields::put_together(|name| self.value(name))
    }

    fn value(&self, name: &str) -> Option<Bytes> {
        let found = self.held.iter().find(|(held, _)| **held == *name.as_bytes());
        found.map(|(_, value)| value.clone())
    }
}

impl<T> Named for Record<T> {
    const KIND: CollectionKind = CollectionKind::Record;

    fn label(&self) -> &Label {
        &self.label
    }
}

impl<T> Collection for Record<T> {}

impl<T> Clone for Record<T> {
    fn clone(&self) -> Self {
        Self { label: self.label.clone(), types: PhantomData }
    }
}

impl<T> fmt::Debug for Record<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Record").field(&self.name()).finish()
    }
}

impl<V, C> Clone for Field<V, C> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), types: PhantomData }
    }
}

impl<V, C> fmt::Debug for Field<V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Field").field(&self.name).finish()
    }
}

fn event(change: &EntryChange) -> RecordEvent {
    let text = |field: &Bytes| String::from_utf8_lossy(field).into_owned();
    match change.clone() {
        EntryChange::Insert { key, value } => RecordEvent::Insert { field: text(&key), value },
        EntryChange::Update { key, old, new } => {
            RecordEvent::Update { field: text(&key), old, new }
        }
        EntryChange::Remove { key, value } => RecordEvent::Remove { field: text(&key), value },
        EntryChange::Clear => RecordEvent::Clear,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use serde::Deserialize;

    use super::super::testing::{Group, text};
    use super::super::{RecordView, ViewError};
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Profile {
        name: String,
        age: u32,
    }

    #[derive(Serialize)]
    struct Age {
        age: u32,
    }

    const PROFILE: Record<Profile> = Record::new("profile");
    const NAME: Field<String> = Field::new("name");
    const AGE: Field<u32> = Field::new("age");

    fn profile(name: &str, age: u32) -> Profile {
        Profile { name: text(name), age }
    }

    fn view(group: &Group) -> RecordView<'_, Profile> {
        RecordView::new(group.collection("profile"))
    }

    #[test]
    fn every_method_has_its_typed_result() {
        let group = &mut Group::new();
        assert_eq!(group.run(PROFILE.set(&AGE, &0).unwrap()), Ok(None));
        assert_eq!(group.run(PROFILE.set(&AGE, &7).unwrap()), Ok(Some(0)));
        assert_eq!(group.run(PROFILE.insert(&AGE, &8).unwrap()), Ok(Some(7)));
        assert_eq!(group.run(PROFILE.insert(&NAME, &text("")).unwrap()), Ok(None));
        assert_eq!(group.run(PROFILE.update_if(&AGE, &9, &8).unwrap()), Ok(false));
        assert_eq!(group.run(PROFILE.update_if(&AGE, &9, &7).unwrap()), Ok(true));
        assert_eq!(group.run(PROFILE.read(&AGE)), Ok(Some(9)));
        let read = group.run(PROFILE.read_instance().unwrap()).unwrap();
        assert_eq!(read.instance(), Ok(profile("", 9)));
        assert_eq!(read.get(&PROFILE.field::<u32>("age")), Ok(Some(9)));
        assert_eq!(group.run(PROFILE.delete(&NAME)), Ok(true));
        assert_eq!(group.run(PROFILE.delete(&NAME)), Ok(false));
        let existing = group.run(PROFILE.insert_instance(&profile("a", 1)).unwrap()).unwrap();
        assert_eq!(existing.names().collect::<Vec<_>>(), ["age"]);
        assert_eq!((existing.len(), existing.get(&AGE)), (1, Ok(Some(9))));
        let update = |new: &Profile, old: &Profile| PROFILE.update_instance_if(new, old).unwrap();
        let (old, new) = (profile("a", 9), profile("b", 10));
        assert_eq!(group.run(update(&new, &profile("a", 8))), Ok(false));
        assert_eq!(group.run(update(&new, &old)), Ok(true));
        let age = PROFILE.update_instance_if(&Age { age: 0 }, &new).unwrap();
        assert_eq!(group.run(age), Ok(true));
        assert_eq!(view(group).instance(), Ok(profile("b", 0)));
        assert_eq!(group.run(PROFILE.clear()), Ok(2));
        assert_eq!(group.run(PROFILE.clear()), Ok(0));
    }

    #[test]
    fn the_view_tells_what_is_missing() {
        let group = &mut Group::new();
        let missing = |names: &[&str]| {
            let unset = names.iter().map(|name| text(name)).collect();
            Err(ViewError::Instance(InstanceError::Missing { field: text(names[0]), unset }))
        };
        assert_eq!(view(group).instance(), missing(&["name", "age"]));
        assert_eq!(view(group).get(&AGE), Ok(None));
        group.run(PROFILE.set(&AGE, &7).unwrap()).unwrap();
        assert_eq!(view(group).instance(), missing(&["name"]));
        assert_eq!(view(group).get(&AGE), Ok(Some(7)));
        group.run(PROFILE.set(&Field::<u8>::new("later"), &1).unwrap()).unwrap();
        group.run(PROFILE.set(&NAME, &text("a")).unwrap()).unwrap();
        assert_eq!(view(group).instance(), Ok(profile("a", 7)));
        let held: Vec<_> = view(group).iter().map(|(name, _)| name.into_owned()).collect();
        assert_eq!(held, ["age", "later", "name"]);
        assert_eq!((view(group).len(), view(group).is_empty()), (3, false));
    }

    #[test]
    fn events_name_their_fields() {
        let group = &mut Group::new();
        let events = |group: &Group| -> Vec<RecordEvent> {
            let other: Record<Profile> = Record::named(text("other")).unwrap();
            assert!(group.changes.iter().all(|change| other.event(change).is_none()));
            group.changes.iter().map(|change| PROFILE.event(change).unwrap()).collect()
        };
        group.run(PROFILE.insert_instance(&profile("", 0)).unwrap()).unwrap();
        let inserted = |field, value: &[u8]| {
            let (field, value) = (text(field), value.into());
            RecordEvent::Insert { field, value }
        };
        assert_eq!(events(group), [inserted("name", b"\x00"), inserted("age", b"\x00")]);
        group.run(PROFILE.set(&AGE, &0).unwrap()).unwrap();
        let [RecordEvent::Update { field, old, new }] = &events(group)[..] else { panic!() };
        assert_eq!((&**field, AGE.decode(old), AGE.decode(new)), ("age", Ok(0), Ok(0)));
        group.run(PROFILE.delete(&AGE)).unwrap();
        assert!(matches!(&events(group)[..], [RecordEvent::Remove { .. }]));
        group.run(PROFILE.clear()).unwrap();
        assert_eq!(events(group), [RecordEvent::Clear]);
        group.run(PROFILE.drop_collection()).unwrap();
        assert_eq!(events(group), [RecordEvent::Dropped]);
    }

    #[test]
    fn initial_fields_come_in_once_and_an_export_is_the_same_record_again() {
        let group = &mut Group::new();
        let create = || PROFILE.create(&profile("a", 1)).unwrap();
        assert_eq!(group.run(create()), Ok(true));
        let export = Export::decode(&view(group).export().unwrap().encode()).unwrap();
        group.run(PROFILE.delete(&AGE)).unwrap();
        assert_eq!(group.run(create()), Ok(false));
        assert_eq!(view(group).get(&AGE), Ok(None));
        group.run(PROFILE.import(&export, true).unwrap()).unwrap();
        assert_eq!(group.changes.len(), 3, "cleared, and two inserted");
        assert_eq!(view(group).instance(), Ok(profile("a", 1)));
        assert_eq!(view(group).export(), Ok(export));
    }

    #[test]
    fn what_is_no_struct_asks_for_nothing() {
        assert_eq!(PROFILE.insert_instance(&7).err(), Some(EncodeError::Unencodable));
        assert_eq!(PROFILE.create(&vec![1]).err(), Some(EncodeError::Unencodable));
        let numbers: Record<u8> = Record::new("numbers");
        assert_eq!(numbers.read_instance().err(), Some(InstanceError::NotAStruct));
    }
}
