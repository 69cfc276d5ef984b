//! How keys and values become bytes.

use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Turns values of type `T` into bytes and back.
///
/// Two values are equal to the group when their bytes are, and one key has one encoding: a codec
/// must write equal values alike, on every platform and in every version of the application that
/// shares a group.
pub trait Codec<T> {
    /// The bytes of `value`.
    ///
    /// # Errors
    /// [`EncodeError`] if it has none.
    fn encode(value: &T) -> Result<Vec<u8>, EncodeError>;

    /// The value whose bytes these are.
    ///
    /// # Errors
    /// [`ValueError`] if they are no value's. Whatever the bytes are, it must not panic.
    fn decode(bytes: &[u8]) -> Result<T, ValueError>;
}

/// The default codec: serde and [postcard](https://docs.rs/postcard). Nothing may be left over.
///
/// It reads an enum by the position of its variants and a struct by that of its fields. Types whose
/// serialisation has no fixed order, such as a hash map, do not make keys or comparable values.
#[derive(Clone, Copy, Debug)]
pub enum Postcard {}

/// A value cannot be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The codec has no bytes for this value.
    Unencodable,
}

/// Bytes do not decode: they were written with another codec or type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueError {
    /// They are not those of a value.
    Malformed,
    /// They go on after a value.
    LeftOver {
        /// By how many.
        bytes: u64,
    },
}

impl<T: Serialize + DeserializeOwned> Codec<T> for Postcard {
    fn encode(value: &T) -> Result<Vec<u8>, EncodeError> {
        postcard::to_allocvec(value).map_err(|_| EncodeError::Unencodable)
    }

    fn decode(bytes: &[u8]) -> Result<T, ValueError> {
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => Err(ValueError::LeftOver { bytes: rest.len() as u64 }),
            Err(_) => Err(ValueError::Malformed),
        }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unencodable => f.write_str("the codec has no bytes for this value"),
        }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the bytes are not those of a value"),
            Self::LeftOver { bytes } => write!(f, "{bytes} bytes go on after the value"),
        }
    }
}

impl core::error::Error for EncodeError {}

impl core::error::Error for ValueError {}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn postcard_reads_what_it_wrote_and_nothing_else() {
        let bytes = <Postcard as Codec<String>>::encode(&"a".into()).expect("text encodes");
        assert_eq!(<Postcard as Codec<String>>::decode(&bytes), Ok("a".into()));
        let cases: [(&[u8], ValueError); 4] = [
            (b"", ValueError::Malformed),
            (&[2, b'a'], ValueError::Malformed),
            (&[1, 0xff], ValueError::Malformed),
            (&[1, b'a', 0, 0], ValueError::LeftOver { bytes: 2 }),
        ];
        for (bytes, error) in cases {
            assert_eq!(<Postcard as Codec<String>>::decode(bytes), Err(error), "{bytes:?}");
        }
    }
}
