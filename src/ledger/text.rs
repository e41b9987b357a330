//! The text of an id, small: short ones stand where they are and are copied, without memory of their own; longer ones are shared.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// As many bytes as fit beside the mark of which kind it is, in three words.
const INLINE_BYTES: usize = 22;

/// A text that is not changed.
#[derive(Clone)]
pub(super) enum Text {
    /// Invariant: `length` bytes of UTF-8, and zeros behind them.
    Inline { length: u8, bytes: [u8; INLINE_BYTES] },
    /// Invariant: longer than [`INLINE_BYTES`].
    Shared(Arc<str>),
}

impl Text {
    pub fn new(text: &str) -> Text {
        if text.len() > INLINE_BYTES {
            return Text::Shared(Arc::from(text));
        }
        let mut bytes = [0; INLINE_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Text::Inline { length: text.len() as u8, bytes }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Text::Inline { .. } => std::str::from_utf8(self.as_bytes()).expect("invariant: an id is UTF-8"),
            Text::Shared(text) => text,
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Text::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Text::Shared(text) => text.as_bytes(),
        }
    }
}

// The order of UTF-8 is that of its bytes.
impl Ord for Text {
    fn cmp(&self, other: &Text) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_it_was_made_of_and_has_three_words() {
        for length in [0, 1, INLINE_BYTES - 1, INLINE_BYTES, INLINE_BYTES + 1, 128] {
            let text = "ä".repeat(length / 2) + &"x".repeat(length % 2);
            assert_eq!(Text::new(&text).as_str(), text);
        }
        assert_eq!(std::mem::size_of::<Text>(), 24);
    }

    #[test]
    fn texts_stand_in_the_order_of_strings_whichever_kind_they_are() {
        let long = "a".repeat(INLINE_BYTES + 1);
        let mut words = ["b", "a", "", &long, "ä", "aa"];
        let mut texts = words.map(Text::new);
        words.sort_unstable();
        texts.sort_unstable();
        assert_eq!(texts.each_ref().map(Text::as_str), words);
        assert!(texts.iter().all(|text| *text == Text::new(text.as_str())));
    }
}
