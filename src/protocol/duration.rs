//! Durations as people write them: `"1500ms" "90s" "15m" "24h" "7d"` (CONTRACT §7). One parser for the API, the configuration and the command line.
//! One number, one unit, nothing else: no sign, no fraction, no space, no sum.

use crate::ledger::time::Millis;

const MS: u64 = 1;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// A day, in ms.
pub const DAY: u64 = 24 * HOUR;

/// The units, the longest first.
const UNITS: [(&str, u64); 5] = [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", MS)];

/// A text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration is one number and one unit; hint: \"1500ms\", \"90s\", \"15m\", \"24h\" or \"7d\"")]
pub struct DurationError;

/// Reads a duration.
///
/// # Errors
/// [`DurationError`], for anything that is not a whole number and a unit, or that is longer than time is.
pub fn parse(text: &str) -> Result<Millis, DurationError> {
    let unit_start = text.bytes().position(|byte| !byte.is_ascii_digit()).ok_or(DurationError)?;
    let (digits, unit) = text.split_at(unit_start);
    let has_needless_zero = digits.len() > 1 && digits.starts_with('0');
    if digits.is_empty() || has_needless_zero {
        return Err(DurationError);
    }
    let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(DurationError)?;
    let count: u64 = digits.parse().map_err(|_| DurationError)?;
    count.checked_mul(*unit_ms).map(Millis).ok_or(DurationError)
}

/// Writes a duration in the longest unit that gives a whole number; [`parse`] reads it back.
#[must_use]
pub fn format(span: Millis) -> String {
    let fits = |unit_ms: u64| span.0 != 0 && span.0.is_multiple_of(unit_ms);
    let (name, unit_ms) = UNITS.into_iter().find(|(_, unit_ms)| fits(*unit_ms)).unwrap_or(("s", SECOND));
    format!("{}{name}", span.0 / unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_contract_are_durations() {
        let read = |text| parse(text).expect(text).0;
        assert_eq!(read("1500ms"), 1_500);
        assert_eq!(read("90s"), 90_000);
        assert_eq!(read("15m"), 900_000);
        assert_eq!(read("24h"), 86_400_000);
        assert_eq!(read("7d"), 604_800_000);
        assert_eq!(read("0s"), 0);
    }

    #[test]
    fn anything_else_is_refused() {
        let not_durations = [
            "",
            "1",
            "s",
            "ms",
            "-1s",
            "+1s",
            "1.5s",
            "1 s",
            " 1s",
            "1s ",
            "1h30m",
            "1S",
            "1sec",
            "1w",
            "1y",
            "01s",
            "1_000s",
            "0x1s",
            "١s",
            "1e3s",
            "18446744073709551616ms",
            "18446744073709551615s",
            "1s\0",
            "∞s",
            "1µs",
            "1us",
            "1ns",
        ];
        for text in not_durations {
            assert_eq!(parse(text), Err(DurationError), "{text:?}");
        }
    }

    #[test]
    fn a_duration_is_written_in_its_longest_whole_unit() {
        let written = |ms| format(Millis(ms));
        assert_eq!(written(0), "0s");
        assert_eq!(written(1_500), "1500ms");
        assert_eq!(written(90_000), "90s");
        assert_eq!(written(900_000), "15m");
        assert_eq!(written(10 * DAY), "10d");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ms: u64) {
            prop_assert_eq!(parse(&format(Millis(ms))), Ok(Millis(ms)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,12}") {
            let _ = parse(&text);
        }
    }
}
