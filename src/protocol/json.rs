//! Checks JSON text that is passed on as it came: that any parser at the other end can read it. Builds nothing.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// How deep a client's data may nest. Common parsers stop at 128, and an offer puts its data two levels down.
pub const DEPTH_MAX: u16 = 100;

/// Whether this is one JSON value that nests no deeper than [`DEPTH_MAX`], with strings and numbers that can be represented.
#[must_use]
pub fn is_sound(text: &str) -> bool {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Sound { levels_left: DEPTH_MAX }.deserialize(&mut deserializer).is_ok() && deserializer.end().is_ok()
}

#[derive(Clone, Copy)]
struct Sound {
    levels_left: u16,
}

impl Sound {
    fn inner<E: serde::de::Error>(self) -> Result<Sound, E> {
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => Ok(Sound { levels_left }),
            None => Err(E::custom("too deep")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Sound {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// What cannot nest is sound, once the parser has taken it.
macro_rules! plain {
    ($($visit:ident: $kind:ty),*) => {
        $(fn $visit<E>(self, _: $kind) -> Result<(), E> {
            Ok(())
        })*
    };
}

impl<'de> Visitor<'de> for Sound {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    plain!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let inner = self.inner::<A::Error>()?;
        while entries.next_key_seed(inner)?.is_some() {
            entries.next_value_seed(inner)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_parser_could_choke_on_is_not_sound() {
        for text in ["1", "null", r#""ä\n""#, r#"{"a":[1,{"b":-2.5e3}]}"#] {
            assert!(is_sound(text), "{text}");
        }
        for text in ["", "1 2", "{", r#""\ud800""#, "1e999", r#"{"a":"\ud800"}"#] {
            assert!(!is_sound(text), "{text}");
        }
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(is_sound(&nested(usize::from(DEPTH_MAX))));
        assert!(!is_sound(&nested(usize::from(DEPTH_MAX) + 1)));
        assert!(!is_sound(&nested(2_000)));
    }
}
