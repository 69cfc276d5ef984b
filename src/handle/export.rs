//! Portable copies of single collections.
//!
//! The bytes of an export are `hamok` and a version, a postcard body, and a checksum of all before it.
//! They say nothing of the group they come from: no positions, no versions of entries, no sessions.

use alloc::vec::Vec;
use core::fmt;

use xxhash_rust::xxh3::xxh3_64;

use crate::store::{CollectionKind, Contents};

/// A copy of what one collection held at one moment on one node, in its order, apart from any group:
/// what `export` of a view gives and `import` of a handle takes, be it of another name or in another
/// group.
///
/// A local read, so it may lag behind the group; [`sync`](crate::sync) first if it must not. An import
/// is one command, so that an export larger than [`Config::max_entry_bytes`](crate::Config) is answered
/// [`NotExecuted::TooLarge`](crate::NotExecuted).
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    contents: Contents,
}

/// Why bytes are not an export, or an export does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportError {
    /// They do not begin as an export does.
    NotAnExport,
    /// They are of a later version than this library reads.
    Version {
        /// The version they claim.
        found: u8,
    },
    /// They are cut short, changed, or go on after the end.
    Damaged,
    /// It is an export of a collection of another kind.
    WrongKind {
        /// What it is one of.
        is: CollectionKind,
    },
}

impl Export {
    pub(super) fn new(contents: Contents) -> Self {
        Self { contents }
    }

    /// Of which kind of collection it is.
    #[must_use]
    pub fn kind(&self) -> CollectionKind {
        self.contents.kind()
    }

    /// Its bytes, to be kept or carried elsewhere. O(n).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::from(MAGIC);
        bytes.push(VERSION);
        let mut bytes =
            postcard::to_extend(&self.contents, bytes).expect("contents serialise into memory");
        let sum = xxh3_64(&bytes);
        bytes.extend(sum.to_le_bytes());
        bytes
    }

    /// The export whose bytes these are. O(n).
    ///
    /// # Errors
    /// If they are not those of an export, or not any more.
    pub fn decode(bytes: &[u8]) -> Result<Self, ImportError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(ImportError::NotAnExport)?;
        let (&found, _) = rest.split_first().ok_or(ImportError::Damaged)?;
        if found > VERSION {
            return Err(ImportError::Version { found });
        }
        let (summed, sum) = bytes.split_last_chunk::<8>().ok_or(ImportError::Damaged)?;
        if xxh3_64(summed) != u64::from_le_bytes(*sum) || found != VERSION {
            return Err(ImportError::Damaged);
        }
        match postcard::take_from_bytes(&summed[MAGIC.len() + 1..]) {
            Ok((contents, [])) => Ok(Self { contents }),
            Ok(_) | Err(_) => Err(ImportError::Damaged),
        }
    }

    /// The contents for a collection of this kind.
    pub(super) fn contents(&self, kind: CollectionKind) -> Result<Contents, ImportError> {
        match self.kind() {
            is if is == kind => Ok(self.contents.clone()),
            is => Err(ImportError::WrongKind { is }),
        }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnExport => f.write_str("the bytes are no export"),
            Self::Version { found } => write!(f, "an export of version {found} is too new"),
            Self::Damaged => f.write_str("the export is damaged"),
            Self::WrongKind { is } => write!(f, "the export is one of a {is}"),
        }
    }
}

impl core::error::Error for ImportError {}

const MAGIC: [u8; 5] = *b"hamok";
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::bytes::Bytes;

    fn exports() -> [Export; 3] {
        let bytes = |text: &str| Bytes::from(text.as_bytes());
        let entries = || vec![(bytes("k"), bytes("v")), (bytes(""), bytes(""))];
        [
            Export::new(Contents::Map(entries())),
            Export::new(Contents::Record(entries())),
            Export::new(Contents::Queue(vec![bytes(""), bytes("a")])),
        ]
    }

    #[test]
    fn exports_keep_their_bytes() {
        let encoded = exports()[0].encode();
        let (body, sum) = encoded.split_last_chunk::<8>().unwrap();
        assert_eq!(body, b"hamok\x01\x00\x02\x01k\x01v\x00\x00");
        assert_eq!(u64::from_le_bytes(*sum), xxh3_64(body));
        for export in exports() {
            assert_eq!(Export::decode(&export.encode()), Ok(export));
        }
    }

    #[test]
    fn every_single_change_of_an_export_is_found() {
        for export in exports() {
            let bytes = export.encode();
            for at in 0..bytes.len() {
                assert!(Export::decode(&bytes[..at]).is_err(), "{at} bytes");
                for flip in [1, 0x80] {
                    let mut damaged = bytes.clone();
                    damaged[at] ^= flip;
                    assert!(Export::decode(&damaged).is_err(), "byte {at}");
                }
            }
            let longer = [&bytes[..], &[0]].concat();
            assert_eq!(Export::decode(&longer), Err(ImportError::Damaged));
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let [map, ..] = exports();
        let is = CollectionKind::Map;
        let wrong = map.contents(CollectionKind::Queue);
        assert_eq!(wrong, Err(ImportError::WrongKind { is }));
        assert!(map.contents(is).is_ok());
        assert_eq!(Export::decode(b"JSON"), Err(ImportError::NotAnExport));
        assert_eq!(Export::decode(b""), Err(ImportError::NotAnExport));
        assert_eq!(Export::decode(b"hamok\x07later"), Err(ImportError::Version { found: 7 }));
    }
}
