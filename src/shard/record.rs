//! How one value lies on disk: a version, a checksum over its key and its bytes, the bytes. What fails the check is reported, never used.

use serde::{Serialize, de::DeserializeOwned};
use xxhash_rust::xxh3::Xxh3;

const VERSION: u8 = 2;
/// Length of the head.
pub const HEAD_BYTES: usize = 1 + 8;

/// Why a record can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("it is cut short")]
    Short,
    #[error("it has version {0}, which this program does not know")]
    Version(u8),
    #[error("its checksum does not match")]
    Checksum,
    #[error("it does not decode")]
    Encoding,
}

/// Encodes a value that will lie under `key`.
pub fn encode<T: Serialize>(key: &[u8], value: &T) -> Vec<u8> {
    let record = vec![0; HEAD_BYTES];
    let mut record = postcard::to_extend(value, record).expect("all our types have a postcard form");
    seal(key, &mut record);
    record
}

/// Sets the head of a record whose value stands behind it.
pub fn seal(key: &[u8], record: &mut [u8]) {
    let checksum = checksum(key, &record[HEAD_BYTES..]);
    record[0] = VERSION;
    record[1..HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
}

/// Checks a record, and gives the bytes of its value.
pub fn check<'r>(key: &[u8], record: &'r [u8]) -> Result<&'r [u8], RecordError> {
    let (head, body) = record.split_at_checked(HEAD_BYTES).ok_or(RecordError::Short)?;
    if head[0] != VERSION {
        return Err(RecordError::Version(head[0]));
    }
    if head[1..] != checksum(key, body).to_le_bytes() {
        return Err(RecordError::Checksum);
    }
    Ok(body)
}

/// Checks a record and decodes it.
pub fn decode<T: DeserializeOwned>(key: &[u8], record: &[u8]) -> Result<T, RecordError> {
    postcard::from_bytes(check(key, record)?).map_err(|_| RecordError::Encoding)
}

/// The key is part of it, so that a record which turns up in another's place is found out.
fn checksum(key: &[u8], body: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(key);
    hash.update(body);
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_bit_is_found_out() {
        let record = encode(b"key", &(7u64, "seven"));
        assert_eq!(decode::<(u64, String)>(b"key", &record), Ok((7, "seven".to_owned())));
        assert_eq!(decode::<(u64, String)>(b"kez", &record), Err(RecordError::Checksum));
        for bit in 0..record.len() * 8 {
            let mut bent = record.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(decode::<(u64, String)>(b"key", &bent).is_err(), "bit {bit}");
        }
        for length in 0..record.len() {
            assert!(decode::<(u64, String)>(b"key", &record[..length]).is_err(), "length {length}");
        }
    }
}
