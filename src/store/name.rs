//! Names of collections.

use alloc::string::String;
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// The name of a collection: any text of at most [`MAX_NAME_BYTES`], the empty one included.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Name(Arc<str>);

/// A name is longer than 255 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTooLong {
    /// How long it is.
    pub bytes: u64,
}

/// The most bytes of a collection's name.
pub(crate) const MAX_NAME_BYTES: usize = 255;

impl Name {
    pub(crate) fn new(name: &str) -> Result<Self, NameTooLong> {
        if name.len() > MAX_NAME_BYTES {
            return Err(NameTooLong { bytes: name.len() as u64 });
        }
        Ok(Self(Arc::from(name)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn len_u64(&self) -> u64 {
        self.0.len() as u64
    }
}

// The order of names is that of their text, as `Borrow` demands.
impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NameTooLong;

    fn try_from(name: String) -> Result<Self, NameTooLong> {
        Self::new(&name)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for NameTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a name of {} bytes is longer than {MAX_NAME_BYTES}", self.bytes)
    }
}

impl core::error::Error for NameTooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_bounded_where_it_is_made_and_where_it_is_read() {
        let longest = "n".repeat(MAX_NAME_BYTES);
        let longer = "n".repeat(MAX_NAME_BYTES + 1);
        for (text, fits) in [("", true), ("scores", true), (&*longest, true), (&*longer, false)] {
            assert_eq!(Name::new(text).is_ok(), fits, "{} bytes", text.len());
            let read: Result<Name, _> =
                postcard::from_bytes(&postcard::to_allocvec(text).expect("text serialises"));
            assert_eq!(read.is_ok(), fits, "{} bytes", text.len());
        }
    }
}
