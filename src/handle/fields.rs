//! A struct taken apart into its fields, each with bytes of its own, and put together again.
//!
//! serde is asked for the struct's fields and nothing else: whatever is not a struct with named fields
//! has no instance.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::ser::{Impossible, Serialize, SerializeStruct, Serializer};

use super::codec::{EncodeError, ValueError};
use crate::bytes::Bytes;

/// The fields of a struct and their bytes, in the order in which it names them. Those that are skipped
/// when it is serialised are not among them.
pub(super) fn take_apart<T: Serialize + ?Sized>(
    instance: &T,
) -> Result<Vec<(Bytes, Bytes)>, EncodeError> {
    instance.serialize(Taker { fields: Vec::new() }).map_err(|_| EncodeError::Unencodable)
}

/// Why there is no instance of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstanceError {
    /// A field has no value, and the struct cannot be without.
    Missing {
        /// Its name. Of several such the first, in the order of the struct.
        field: String,
        /// All names of fields that have no value, this one among them, and others that the struct may be
        /// without; aliases, too.
        unset: Vec<String>,
    },
    /// The value of a field does not decode.
    Value {
        /// The field's name.
        field: String,
        /// Why.
        because: ValueError,
    },
    /// The values decode, and the struct does not take them, by what its own `Deserialize` says. What a
    /// field's own says is lost: that is a `Value` which is `Malformed`.
    Refused {
        /// In its words.
        because: String,
    },
    /// The type is not a struct with named fields.
    NotAStruct,
}

/// Puts a struct together, from the values that `value` finds for the names of its fields.
pub(super) fn put_together<T: DeserializeOwned>(
    value: impl Fn(&str) -> Option<Bytes>,
) -> Result<T, InstanceError> {
    let names = names_of::<T>()?;
    let fields: Vec<(&str, Bytes)> =
        names.iter().filter_map(|name| Some((*name, value(name)?))).collect();
    T::deserialize(Giver { fields: &fields }).map_err(|problem| match problem {
        Problem::Instance(error) => error,
        Problem::NotAStruct => InstanceError::NotAStruct,
        Problem::Missing(field) => {
            let is_unset = |name: &&&str| !fields.iter().any(|(held, _)| held == *name);
            let unset = names.iter().filter(is_unset).map(ToString::to_string);
            InstanceError::Missing { field: field.to_owned(), unset: unset.collect() }
        }
        Problem::Said(because) => InstanceError::Refused { because },
    })
}

/// The names of a struct's fields.
pub(super) fn names_of<T: DeserializeOwned>() -> Result<&'static [&'static str], InstanceError> {
    let mut found = None;
    drop(T::deserialize(Namer { found: &mut found }));
    found.ok_or(InstanceError::NotAStruct)
}

/// What goes wrong inside serde.
#[derive(Debug)]
enum Problem {
    Instance(InstanceError),
    NotAStruct,
    Missing(&'static str),
    Said(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(error) => error.fmt(f),
            Self::NotAStruct => InstanceError::NotAStruct.fmt(f),
            Self::Missing(field) => write!(f, "no value for {field}"),
            Self::Said(because) => f.write_str(because),
        }
    }
}

impl core::error::Error for Problem {}

impl serde::ser::Error for Problem {
    fn custom<T: fmt::Display>(said: T) -> Self {
        Self::Said(said.to_string())
    }
}

impl serde::de::Error for Problem {
    fn custom<T: fmt::Display>(said: T) -> Self {
        Self::Said(said.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

/// Takes a struct apart.
struct Taker {
    fields: Vec<(Bytes, Bytes)>,
}

impl SerializeStruct for Taker {
    type Ok = Vec<(Bytes, Bytes)>;
    type Error = Problem;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Problem> {
        let value = postcard::to_allocvec(value).map_err(|_| Problem::NotAStruct)?;
        self.fields.push((name.as_bytes().into(), value.into()));
        Ok(())
    }

    fn end(self) -> Result<Self::Ok, Problem> {
        Ok(self.fields)
    }
}

/// Methods of a serializer for what is not a struct.
macro_rules! no_struct {
    ($($method:ident($($argument:ty),*) -> $result:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$result, Problem> {
            Err(Problem::NotAStruct)
        })*
    };
}

impl Serializer for Taker {
    type Ok = Vec<(Bytes, Bytes)>;
    type Error = Problem;
    type SerializeSeq = Impossible<Self::Ok, Problem>;
    type SerializeTuple = Impossible<Self::Ok, Problem>;
    type SerializeTupleStruct = Impossible<Self::Ok, Problem>;
    type SerializeTupleVariant = Impossible<Self::Ok, Problem>;
    type SerializeMap = Impossible<Self::Ok, Problem>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<Self::Ok, Problem>;

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Problem> {
        Ok(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Self::Ok, Problem> {
        value.serialize(self)
    }

    no_struct! {
        serialize_bool(bool) -> Self::Ok;
        serialize_i8(i8) -> Self::Ok;
        serialize_i16(i16) -> Self::Ok;
        serialize_i32(i32) -> Self::Ok;
        serialize_i64(i64) -> Self::Ok;
        serialize_u8(u8) -> Self::Ok;
        serialize_u16(u16) -> Self::Ok;
        serialize_u32(u32) -> Self::Ok;
        serialize_u64(u64) -> Self::Ok;
        serialize_f32(f32) -> Self::Ok;
        serialize_f64(f64) -> Self::Ok;
        serialize_char(char) -> Self::Ok;
        serialize_str(&str) -> Self::Ok;
        serialize_bytes(&[u8]) -> Self::Ok;
        serialize_none() -> Self::Ok;
        serialize_unit() -> Self::Ok;
        serialize_unit_struct(&'static str) -> Self::Ok;
        serialize_unit_variant(&'static str, u32, &'static str) -> Self::Ok;
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize)
            -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct_variant(&'static str, u32, &'static str, usize)
            -> Self::SerializeStructVariant;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Self::Ok, Problem> {
        Err(Problem::NotAStruct)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Self::Ok, Problem> {
        Err(Problem::NotAStruct)
    }
}

/// Gives a struct its fields.
struct Giver<'de> {
    fields: &'de [(&'static str, Bytes)],
}

impl<'de> Deserializer<'de> for Giver<'de> {
    type Error = Problem;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_map(Fields { rest: self.fields, current: None })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Problem> {
        Err(Problem::NotAStruct)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The fields that are still to be given, and the one whose name was.
struct Fields<'de> {
    rest: &'de [(&'static str, Bytes)],
    current: Option<&'de (&'static str, Bytes)>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Problem> {
        let Some((field, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        self.current = Some(field);
        seed.deserialize(StrDeserializer::new(field.0)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        let (name, bytes) = self.current.take().expect("a value follows its name");
        let problem =
            |because| Problem::Instance(InstanceError::Value { field: name.to_string(), because });
        let mut deserializer = postcard::Deserializer::from_bytes(bytes);
        let value = seed.deserialize(&mut deserializer);
        let value = value.map_err(|_| problem(ValueError::Malformed))?;
        let rest = deserializer.finalize().map_err(|_| problem(ValueError::Malformed))?;
        if rest.is_empty() {
            Ok(value)
        } else {
            Err(problem(ValueError::LeftOver { bytes: rest.len() as u64 }))
        }
    }
}

/// Finds out the names of a struct's fields, and gives it none.
struct Namer<'a> {
    found: &'a mut Option<&'static [&'static str]>,
}

impl<'de> Deserializer<'de> for Namer<'_> {
    type Error = Problem;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Problem> {
        *self.found = Some(fields);
        Err(Problem::NotAStruct)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Problem> {
        Err(Problem::NotAStruct)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl fmt::Display for InstanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { field, .. } => write!(f, "no value for {field}"),
            Self::Value { field, because } => write!(f, "of field {field}: {because}"),
            Self::Refused { because } => {
                write!(f, "the struct does not take the values: {because}")
            }
            Self::NotAStruct => f.write_str("the type is not a struct with named fields"),
        }
    }
}

impl core::error::Error for InstanceError {}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec;

    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Profile {
        name: String,
        age: u32,
        town: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<u8>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapped(Profile);

    fn profile(tags: Vec<u8>) -> Profile {
        Profile { name: String::new(), age: 0, town: None, tags }
    }

    fn fields<T: Serialize>(instance: &T) -> BTreeMap<Bytes, Bytes> {
        take_apart(instance).unwrap().into_iter().collect()
    }

    fn put<T: DeserializeOwned>(fields: &BTreeMap<Bytes, Bytes>) -> Result<T, InstanceError> {
        put_together(|name| fields.get(name.as_bytes()).cloned())
    }

    #[test]
    fn a_struct_is_put_together_as_it_was_taken_apart() {
        for tags in [vec![], vec![7]] {
            let held = fields(&profile(tags.clone()));
            assert_eq!(held.len(), 3 + usize::from(!tags.is_empty()));
            assert_eq!(put(&held), Ok(profile(tags.clone())));
            assert_eq!(put(&held), Ok(Wrapped(profile(tags))));
        }
        assert_eq!(names_of::<Wrapped>(), Ok(&["name", "age", "town", "tags"][..]));
        assert_eq!(fields(&Wrapped(profile(vec![]))), fields(&profile(vec![])));
    }

    #[test]
    fn what_is_missing_or_unreadable_is_named() {
        let mut held = fields(&profile(vec![]));
        held.remove(b"name".as_slice());
        held.remove(b"age".as_slice());
        let missing: Result<Profile, _> = put(&held);
        let unset = vec!["name".into(), "age".into(), "tags".into()];
        assert_eq!(missing, Err(InstanceError::Missing { field: "name".into(), unset }));
        held.insert(b"name".as_slice().into(), b"\0".as_slice().into());
        let unset = vec!["age".into(), "tags".into()];
        assert_eq!(
            put::<Wrapped>(&held),
            Err(InstanceError::Missing { field: "age".into(), unset })
        );
        let mut held = fields(&profile(vec![]));
        held.insert(b"age".as_slice().into(), b"\x01\x02".as_slice().into());
        let because = ValueError::LeftOver { bytes: 1 };
        let field = String::from("age");
        assert_eq!(put::<Profile>(&held), Err(InstanceError::Value { field, because }));
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(try_from = "Range")]
    struct Ascending(Range);

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Range {
        #[serde(alias = "from")]
        start: u8,
        end: u8,
    }

    impl TryFrom<Range> for Ascending {
        type Error = &'static str;

        fn try_from(range: Range) -> Result<Self, Self::Error> {
            if range.start <= range.end { Ok(Self(range)) } else { Err("it descends") }
        }
    }

    #[test]
    fn what_a_struct_does_not_take_is_told_in_its_words() {
        let refused = |because: &str| InstanceError::Refused { because: because.into() };
        let mut held = fields(&Range { start: 3, end: 2 });
        assert_eq!(put::<Ascending>(&held), Err(refused("it descends")));
        held.insert(b"start".as_slice().into(), b"\x01".as_slice().into());
        assert_eq!(put(&held), Ok(Ascending(Range { start: 1, end: 2 })));
        held.insert(b"from".as_slice().into(), b"\x01".as_slice().into());
        assert_eq!(put::<Range>(&held), Err(refused("duplicate field `start`")));
    }

    #[test]
    fn fields_that_the_struct_does_not_know_are_left_alone() {
        let mut held = fields(&profile(vec![]));
        held.insert(b"later".as_slice().into(), Bytes::default());
        assert_eq!(put(&held), Ok(profile(vec![])));
    }

    #[test]
    fn only_structs_have_fields() {
        assert_eq!(take_apart(&7), Err(EncodeError::Unencodable));
        assert_eq!(take_apart(&Some(profile(vec![]))), Err(EncodeError::Unencodable));
        assert_eq!(take_apart(&BTreeMap::from([("a", 1)])), Err(EncodeError::Unencodable));
        assert_eq!(names_of::<(u8, u8)>(), Err(InstanceError::NotAStruct));
        assert_eq!(put::<u8>(&BTreeMap::new()), Err(InstanceError::NotAStruct));
    }
}
