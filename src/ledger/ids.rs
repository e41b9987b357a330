//! The ids of the ledger: a newtype for each, checked once, where it enters. Nothing here makes up an id but [`WindowId`], from ledger time.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

use super::text::Text;
use super::time::LedgerTime;

/// Why a text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// Empty, or longer than `max_bytes`.
    Length { max_bytes: usize },
    /// It holds a control character.
    Control,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdError::Length { max_bytes } => write!(f, "an id has 1 to {max_bytes} bytes"),
            IdError::Control => write!(f, "an id has no control characters"),
        }
    }
}

impl std::error::Error for IdError {}

fn check(text: &str, max_bytes: usize) -> Result<(), IdError> {
    if text.is_empty() || text.len() > max_bytes {
        return Err(IdError::Length { max_bytes });
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::Control);
    }
    Ok(())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Text);

        impl $name {
            /// The longest id of this kind, in bytes of UTF-8.
            pub const MAX_BYTES: usize = $max;

            /// Checks length and characters (CONTRACT §1).
            ///
            /// # Errors
            /// [`IdError`], when it is empty, too long, or holds a control character.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check(text, Self::MAX_BYTES)?;
                Ok(Self(Text::new(text)))
            }

            /// Of a text that was checked before.
            #[allow(dead_code, reason = "not every kind of id is read back")]
            pub(super) fn checked(text: &str) -> Self {
                Self(Text::new(text))
            }

            /// The id as UTF-8.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                /// Takes the text as it stands, without a string of its own.
                struct Checked;

                impl serde::de::Visitor<'_> for Checked {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "an id of 1 to {} bytes", $max)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::parse(text).map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Checked)
            }
        }
    };
}

text_id!(
    /// A person. All state of the ledger hangs on one.
    UserId, 128);
text_id!(
    /// One installation of a client app of a user; made and kept by the client.
    DeviceId, 64);
text_id!(
    /// What a publisher calls an engagement.
    EngagementId, 128);

/// A window of one user, unique for that user for ever: made from ledger time and counted on, so that it stays unique also when a node
/// with `storage = "memory"` has forgotten everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WindowId(pub(super) u64);

const WINDOWS_PER_MS: u64 = 1024;

impl WindowId {
    /// The id after `last`, no lower than what `at` gives.
    #[must_use]
    pub fn next(last: WindowId, at: LedgerTime) -> WindowId {
        if mutant!(WindowIdReused) {
            return WindowId(at.0.saturating_mul(WINDOWS_PER_MS));
        }
        WindowId((last.0 + 1).max(at.0.saturating_mul(WINDOWS_PER_MS)))
    }
}

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl fmt::Display for WindowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 14];
        let mut start = text.len();
        let mut rest = self.0;
        loop {
            start -= 1;
            text[start] = DIGITS[(rest % 36) as usize];
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        start -= 1;
        text[start] = b'w';
        f.write_str(std::str::from_utf8(&text[start..]).expect("base 36 digits are ASCII"))
    }
}

/// A text that is no window id of ours. No window has it, so a delivery that it names is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoWindowId;

impl FromStr for WindowId {
    type Err = NoWindowId;

    fn from_str(text: &str) -> Result<Self, NoWindowId> {
        let digits = text.strip_prefix('w').ok_or(NoWindowId)?;
        let canonical = digits.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
        if !canonical || digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
            return Err(NoWindowId);
        }
        u64::from_str_radix(digits, 36).map(WindowId).map_err(|_| NoWindowId)
    }
}

/// One connection of a device, never used again: the run of the node that holds the socket, and a count on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId {
    /// A random number that a node draws at each start.
    pub edge: EdgeId,
    /// Counts the connections of that run.
    pub number: u64,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.edge.0, self.number)
    }
}

/// One run of a node that holds sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EdgeId(pub u64);

/// A shard: one Raft group and the users hashed onto it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_bounded_and_has_no_control_characters() {
        assert!(UserId::parse(&"u".repeat(128)).is_ok());
        assert_eq!(UserId::parse(&"u".repeat(129)), Err(IdError::Length { max_bytes: 128 }));
        assert_eq!(DeviceId::parse(""), Err(IdError::Length { max_bytes: 64 }));
        assert_eq!(DeviceId::parse("a\u{7f}b"), Err(IdError::Control));
        assert!(EngagementId::parse("ä survey / 1").is_ok());
    }

    #[test]
    fn a_window_id_reads_as_it_is_written() {
        for number in [0, 1, 35, 36, 1_700_000_000_000 * 1024, u64::MAX] {
            let id = WindowId(number);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in ["", "w", "x1", "wW", "w01", "w-1", "w+1", "wzzzzzzzzzzzzzzzz"] {
            assert_eq!(text.parse::<WindowId>(), Err(NoWindowId), "{text}");
        }
    }

    #[test]
    fn window_ids_grow_even_when_time_stands() {
        let at = LedgerTime(5);
        let first = WindowId::next(WindowId(0), at);
        assert!(WindowId::next(first, at) > first);
    }
}
