//! The cursor of the outcome feed: `<shard>-<sequence>.<positions>`. What stands before the dot names one outcome, for ever, and serves to deduplicate; what stands
//! behind it are the positions of all shards, from which the feed goes on. Opaque to readers.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ledger::ids::ShardId;

/// A place in the feed: behind one outcome of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The shard of that outcome. Invariant: it has a position.
    shard: ShardId,
    /// For each shard, the sequence number after which it is read on.
    positions: Vec<u64>,
}

/// A text is not a cursor of this cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor that this cluster gave out")]
pub struct CursorError;

impl Cursor {
    /// The cursor of the outcome that `positions` holds of `shard`.
    #[must_use]
    pub fn new(shard: ShardId, positions: Vec<u64>) -> Cursor {
        assert!(usize::from(shard.0) < positions.len(), "shard {shard} has no position");
        Cursor { shard, positions }
    }

    /// Reads a cursor of a cluster with that many shards.
    ///
    /// # Errors
    /// [`CursorError`], unless it is exactly what such a cluster writes.
    pub fn parse(text: &str, shard_count: u16) -> Result<Cursor, CursorError> {
        let (name, encoded) = text.split_once('.').ok_or(CursorError)?;
        let (shard, _) = name.split_once('-').ok_or(CursorError)?;
        let shard = ShardId(shard.parse().map_err(|_| CursorError)?);
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| CursorError)?;
        let positions = read_varints(&bytes).ok_or(CursorError)?;
        if positions.len() != usize::from(shard_count) || shard.0 >= shard_count {
            return Err(CursorError);
        }
        let cursor = Cursor { shard, positions };
        // One text for one place: it also checks the sequence number in the name.
        if cursor.to_string() == text { Ok(cursor) } else { Err(CursorError) }
    }

    /// The shard of the outcome that it names.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// For each shard, the sequence number after which it is read on.
    #[must_use]
    pub fn positions(&self) -> &[u64] {
        &self.positions
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(self.positions.len() * 3);
        self.positions.iter().for_each(|position| write_varint(&mut bytes, *position));
        write!(f, "{}-{}.{}", self.shard, self.positions[usize::from(self.shard.0)], URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Seven bits in a byte, the lowest first; the top bit says that more follow.
fn write_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_varints(bytes: &[u8]) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    let mut number = 0u64;
    let mut shift = 0u32;
    for byte in bytes {
        let bits = u64::from(byte & 0x7f);
        if shift > 63 || (bits << shift) >> shift != bits {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            numbers.push(number);
            (number, shift) = (0, 0);
        } else {
            shift += 7;
        }
    }
    (shift == 0).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cursor() -> impl Strategy<Value = Cursor> {
        let sequence = prop_oneof![0u64..300, any::<u64>()];
        prop::collection::vec(sequence, 1..40).prop_flat_map(|positions| {
            (0..positions.len()).prop_map(move |shard| Cursor::new(ShardId(u16::try_from(shard).unwrap()), positions.clone()))
        })
    }

    proptest! {
        #[test]
        fn a_cursor_reads_as_it_is_written(cursor in cursor()) {
            let shard_count = u16::try_from(cursor.positions.len()).unwrap();
            prop_assert_eq!(Cursor::parse(&cursor.to_string(), shard_count), Ok(cursor.clone()));
            prop_assert_eq!(Cursor::parse(&cursor.to_string(), shard_count + 1), Err(CursorError));
        }

        #[test]
        fn a_damaged_cursor_is_refused_or_is_another_whole_cursor(cursor in cursor(), place: prop::sample::Index, byte in 33u8..127) {
            let shard_count = u16::try_from(cursor.positions.len()).unwrap();
            let mut text = cursor.to_string().into_bytes();
            let place = place.index(text.len());
            text[place] = byte;
            let text = String::from_utf8(text).unwrap();
            if let Ok(read) = Cursor::parse(&text, shard_count) {
                prop_assert_eq!(read.to_string(), text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9]{0,3}-?[0-9]{0,3}\\.?[A-Za-z0-9_=-]{0,24}", shard_count in 0u16..20) {
            let _ = Cursor::parse(&text, shard_count);
        }
    }

    #[test]
    fn the_part_before_the_dot_names_the_outcome() {
        let cursor = Cursor::new(ShardId(1), vec![7, 300, 0]);
        assert!(cursor.to_string().starts_with("1-300."));
        assert_eq!(cursor.positions(), [7, 300, 0]);
    }

    #[test]
    fn a_cursor_whose_name_and_positions_differ_is_refused() {
        let text = Cursor::new(ShardId(1), vec![7, 300, 0]).to_string().replace("1-300", "1-301");
        assert_eq!(Cursor::parse(&text, 3), Err(CursorError));
        for text in ["", ".", "-.", "0-0", "0-0.", "0-0.AA", "a-b.AAAA", "3-0.AAAA", "0-0.AAAA=", "+0-0.AAAA", "0-00.AAAA"] {
            assert_eq!(Cursor::parse(text, 3), Err(CursorError), "{text}");
        }
    }
}
