//! Durations and sizes as people write them (`"90s"`, `"256KiB"`). Whole numbers only, and what is written is read back as the same text's meaning, to the ms
//! and to the byte.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::time::Duration;
use std::{fmt, str::FromStr};

const SPAN_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A duration: `"1500ms" "90s" "15m" "24h" "7d"` (CONTRACT §7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    ms: u64,
}

/// A number of bytes: `"64KiB" "512MiB" "1GiB" "100B"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    bytes: u64,
}

/// A text that is no duration, or no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    #[error("is not a duration; hint: a whole number and a unit, like 1500ms, 90s, 15m, 24h or 7d")]
    Span,
    #[error("is not a size; hint: a whole number and a unit, like 100B, 64KiB, 512MiB or 1GiB")]
    Size,
}

impl Span {
    /// A span of so many ms.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Span { ms }
    }

    /// A span of so many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Span { ms: seconds * 1_000 }
    }

    /// In ms.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.ms
    }

    /// As the standard library's type.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.ms)
    }
}

impl Size {
    /// So many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Size { bytes }
    }

    /// So many KiB.
    #[must_use]
    pub const fn from_kib(kib: u64) -> Self {
        Size { bytes: kib << 10 }
    }

    /// So many MiB.
    #[must_use]
    pub const fn from_mib(mib: u64) -> Self {
        Size { bytes: mib << 20 }
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes
    }

    /// In bytes, for a length in memory; the largest length where it is more.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits_len = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(digits_len);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

/// The number in the largest unit that holds it whole.
fn write(f: &mut fmt::Formatter<'_>, number: u64, units: &[(&str, u64)], unit_of_zero: &str) -> fmt::Result {
    match units.iter().find(|(_, factor)| number != 0 && number.is_multiple_of(*factor)) {
        Some((name, factor)) => write!(f, "{}{name}", number / factor),
        None => write!(f, "0{unit_of_zero}"),
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text, &SPAN_UNITS).map(Span::from_ms).ok_or(UnitError::Span)
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text, &SIZE_UNITS).map(Size::from_bytes).ok_or(UnitError::Size)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.ms, &SPAN_UNITS, "s")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.bytes, &SIZE_UNITS, "B")
    }
}

macro_rules! serde_as_text {
    ($name:ident, $error:expr) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a text that")
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }

                    fn visit_u64<E: de::Error>(self, _: u64) -> Result<$name, E> {
                        Err(E::custom($error))
                    }

                    fn visit_i64<E: de::Error>(self, _: i64) -> Result<$name, E> {
                        Err(E::custom($error))
                    }

                    fn visit_f64<E: de::Error>(self, _: f64) -> Result<$name, E> {
                        Err(E::custom($error))
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }
    };
}

serde_as_text!(Span, UnitError::Span);
serde_as_text!(Size, UnitError::Size);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        for (text, ms) in [("1500ms", 1_500), ("90s", 90_000), ("15m", 900_000), ("24h", 86_400_000), ("7d", 604_800_000), ("0s", 0)] {
            assert_eq!(text.parse(), Ok(Span::from_ms(ms)), "{text}");
        }
        for text in ["", "s", "5", "1.5h", "-1s", "5 s", "5S", "1h30m", "99999999999999999999s", "999999999999999999d"] {
            assert_eq!(text.parse::<Span>(), Err(UnitError::Span), "{text}");
        }
    }

    #[test]
    fn a_size_is_a_whole_number_and_a_unit() {
        for (text, bytes) in [("100B", 100), ("64KiB", 65_536), ("512MiB", 536_870_912), ("2GiB", 2_147_483_648)] {
            assert_eq!(text.parse(), Ok(Size::from_bytes(bytes)), "{text}");
        }
        for text in ["", "KiB", "64", "64kb", "64KB", "1.5MiB", "99999999999999999999GiB", "99999999999GiB"] {
            assert_eq!(text.parse::<Size>(), Err(UnitError::Size), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for ms in [0, 1, 999, 1_000, 1_500, 60_000, 61_000, 86_400_000, 90_000_000, u64::MAX] {
            assert_eq!(Span::from_ms(ms).to_string().parse(), Ok(Span::from_ms(ms)));
        }
        for bytes in [0, 1, 1_023, 1_024, 65_536, 65_537, 1 << 30, u64::MAX] {
            assert_eq!(Size::from_bytes(bytes).to_string().parse(), Ok(Size::from_bytes(bytes)));
        }
        assert_eq!(Span::from_ms(86_400_000).to_string(), "1d");
        assert_eq!(Size::from_kib(64).to_string(), "64KiB");
    }
}
