//! The format of the file in which a node keeps what it must not forget.
//!
//! A file is a sequence of frames. A frame is a header of 13 bytes and a body:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | format version |
//! | 4 | length of the body, little-endian |
//! | 4 | CRC-32 of the body, little-endian |
//! | 4 | CRC-32 of the nine bytes before it, little-endian |
//! | … | the body: one record |
//!
//! A snapshot is one frame that says what it is, and one for each of its parts. It stands only in a
//! whole image, never in what is appended, so no crash leaves a part of it.
//!
//! Every prefix of a node's frames is safe to restore from, as long as no confirmed frame is missing.
//! An append that was under way when the machine stopped leaves its last frame short, or zeros from
//! some sector boundary on; that is cut off. Anything else that does not check is damage, and
//! [`Stored::decode`](crate::Stored::decode) says where: what comes after it may have been confirmed, so the node must not
//! go on as if it had never been. It returns as a new incarnation.

use alloc::vec::Vec;

use crate::stored::{Record, RestoreError};

/// What stands at some offset of a file.
pub(crate) enum Frame {
    Whole {
        record: Record,
        end: usize,
    },
    /// The file's end, clean or torn.
    End,
}

impl Frame {
    pub(crate) fn read(bytes: &[u8], offset: usize) -> Result<Self, RestoreError> {
        let damaged = RestoreError::Damaged { offset: offset as u64 };
        let rest = &bytes[offset..];
        let Some(header) = rest.first_chunk::<HEADER>() else { return Ok(Self::End) };
        let Some((length, body_sum)) = read_header(header) else {
            // Without a header the frame's end is not known; it is torn only if nothing follows.
            let torn = zeros_from_a_boundary(bytes, offset, offset + HEADER, bytes.len());
            return if torn { Ok(Self::End) } else { Err(damaged) };
        };
        if header[0] != VERSION {
            return Err(RestoreError::Version { offset: offset as u64, found: header[0] });
        }
        let Some(body) = rest[HEADER..].get(..length) else { return Ok(Self::End) };
        let end = offset + HEADER + length;
        if crc32fast::hash(body) != body_sum {
            let torn = zeros_from_a_boundary(bytes, offset, end, end) && !holds_a_frame(bytes, end);
            return if torn { Ok(Self::End) } else { Err(damaged) };
        }
        match postcard::take_from_bytes(body) {
            Ok((record, [])) => Ok(Self::Whole { record, end }),
            Ok(_) | Err(_) => Err(damaged),
        }
    }
}

/// The body's length and checksum, if the header's own checksum is right.
fn read_header(header: &[u8; HEADER]) -> Option<(usize, u32)> {
    let word = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    if crc32fast::hash(&header[..9]) != word(9) {
        return None;
    }
    Some((usize::try_from(word(1)).ok()?, word(5)))
}

/// Whether the bytes up to `end` are zeros from some place in `start..before` at which a torn append
/// may leave off: the frame's own start, or a sector boundary inside it.
fn zeros_from_a_boundary(bytes: &[u8], start: usize, before: usize, end: usize) -> bool {
    let content = bytes[start..end].iter().rposition(|&byte| byte != 0);
    let zeros_begin = content.map_or(start, |position| start + position + 1);
    let boundary = if content.is_none() { start } else { zeros_begin.next_multiple_of(SECTOR) };
    boundary < before.min(end)
}

/// Whether a frame with a valid header begins at `offset`.
fn holds_a_frame(bytes: &[u8], offset: usize) -> bool {
    bytes[offset..].first_chunk::<HEADER>().is_some_and(|header| read_header(header).is_some())
}

/// Appends the frame of a record.
pub(crate) fn frame(record: &Record, mut bytes: Vec<u8>) -> Vec<u8> {
    let start = bytes.len();
    bytes.resize(start + HEADER, 0);
    bytes = postcard::to_extend(record, bytes).expect("a record serialises into memory");
    let length = u32::try_from(bytes.len() - start - HEADER)
        .expect("a record holds some MiB of entries at most");
    let body_sum = crc32fast::hash(&bytes[start + HEADER..]);
    let header = &mut bytes[start..start + HEADER];
    header[0] = VERSION;
    header[1..5].copy_from_slice(&length.to_le_bytes());
    header[5..9].copy_from_slice(&body_sum.to_le_bytes());
    let header_sum = crc32fast::hash(&header[..9]);
    header[9..].copy_from_slice(&header_sum.to_le_bytes());
    bytes
}

pub(crate) const VERSION: u8 = 1;
const HEADER: usize = 13;
const SECTOR: usize = 512;
