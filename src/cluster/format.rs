//! How messages and records of this room become bytes: a version, then postcard. What has another version is refused with a word about it, never guessed at.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of every format of this room. A change of what is sent or kept is a new one.
const VERSION: u8 = 1;

/// Bytes that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Another version of this program wrote them.
    #[error("format version {version} is not known; hint: run the same version of engage on all nodes")]
    Version { version: u8 },
    /// They are no message of this kind.
    #[error("the bytes are damaged")]
    Damaged,
}

/// A message as bytes.
pub(super) fn encode<T: Serialize>(message: &T) -> Bytes {
    let bytes = postcard::to_extend(message, vec![VERSION]).expect("a message is plain data, and a vector grows");
    Bytes::from(bytes)
}

/// The message that bytes hold.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    match bytes.split_first() {
        Some((&VERSION, body)) => match postcard::take_from_bytes(body) {
            Ok((message, [])) => Ok(message),
            _ => Err(Unreadable::Damaged),
        },
        Some((&version, _)) => Err(Unreadable::Version { version }),
        None => Err(Unreadable::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_all_else_is_refused() {
        let bytes = encode(&(7_u64, "n1".to_owned()));
        assert_eq!(decode::<(u64, String)>(&bytes), Ok((7, "n1".to_owned())));
        assert_eq!(decode::<u64>(&bytes), Err(Unreadable::Damaged));
        assert_eq!(decode::<u64>(&[]), Err(Unreadable::Damaged));
        assert_eq!(decode::<u64>(&[9, 1]), Err(Unreadable::Version { version: 9 }));
    }
}
