//! The strict reader of one JSON object of the API: it knows the fields that may come, and says by name which one is unknown, wrong or missing.
//! It keeps values as the text that was sent, so that a payload is never copied through a tree, and it never recurses into what it keeps.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::ledger::ids::IdError;
use crate::ledger::time::Millis;
use crate::protocol::code::Code;
use crate::protocol::duration;

/// The most of an unknown field's name that an error repeats, in characters.
const NAME_SHOWN_MAX: usize = 64;

/// Why a body is refused. Sending it again as it is can't help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is no JSON at all, or not of the form that every body has.
    #[error("{0}")]
    Malformed(String),
    /// A field that the contract doesn't have.
    #[error("there is no field `{field}`; hint: it may be one of {known}")]
    UnknownField { field: String, known: String },
    /// A field is missing, of the wrong type, or outside its range.
    #[error("`{field}` {must}")]
    BadField { field: String, must: String },
    /// A field passes its bound.
    #[error("`{field}` {must}")]
    TooLarge { field: String, must: String },
}

impl BodyError {
    /// A field that is not as it must be.
    #[must_use]
    pub fn bad(field: impl Into<String>, must: impl Into<String>) -> BodyError {
        BodyError::BadField { field: field.into(), must: must.into() }
    }

    /// The code that it is answered with.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            BodyError::Malformed(_) | BodyError::BadField { .. } => Code::BadRequest,
            BodyError::UnknownField { .. } => Code::UnknownField,
            BodyError::TooLarge { .. } => Code::TooLarge,
        }
    }

    /// The field that it is about, by its path from the body's root.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            BodyError::Malformed(_) => None,
            BodyError::UnknownField { field, .. } | BodyError::BadField { field, .. } | BodyError::TooLarge { field, .. } => Some(field),
        }
    }

    /// The same error of an object that stands at `path` in a larger body.
    #[must_use]
    pub fn under(mut self, path: &str) -> BodyError {
        match &mut self {
            BodyError::Malformed(text) => return BodyError::bad(path, format!("must be a JSON object: {text}")),
            BodyError::UnknownField { field, .. } | BodyError::BadField { field, .. } | BodyError::TooLarge { field, .. } => {
                field.insert(0, '.');
                field.insert_str(0, path);
            }
        }
        self
    }
}

/// The fields of one object, each as the text that was sent. `null` counts as left out, but for [`Fields::raw`].
#[derive(Debug)]
pub struct Fields<'a> {
    /// Invariant: no name stands here twice.
    values: Vec<(&'static str, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Reads an object that has no other fields than `known`.
    ///
    /// # Errors
    /// [`BodyError`], when it is not JSON, not an object, or has a field twice or one that isn't known.
    pub fn read(text: &'a [u8], known: &'static [&'static str]) -> Result<Fields<'a>, BodyError> {
        let mut json = serde_json::Deserializer::from_slice(text);
        let object = ObjectSeed { known }.deserialize(&mut json).and_then(|object| json.end().map(|()| object));
        let object = object.map_err(|error| match error.classify() {
            Category::Data => BodyError::Malformed("the body must be a JSON object".to_owned()),
            _ => BodyError::Malformed(format!("the body is not JSON: {error}")),
        })?;
        match object.refused {
            Some(error) => Err(error),
            None => Ok(Fields { values: object.values }),
        }
    }

    /// The names of the fields that came with a value.
    pub fn given(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.values.iter().filter(|(_, value)| !is_null(value)).map(|(name, _)| *name)
    }

    /// A field's text, `null` included.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn value(&self, name: &str) -> Option<&'a RawValue> {
        self.raw(name).filter(|value| !is_null(value))
    }

    /// A string.
    ///
    /// # Errors
    /// [`BodyError::BadField`], when it is something else.
    pub fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, BodyError> {
        self.value(name).map(|value| text_of(value).ok_or_else(|| BodyError::bad(name, "must be a string"))).transpose()
    }

    /// An id, which must be there.
    ///
    /// # Errors
    /// [`BodyError::BadField`], when it is missing or not an id.
    pub fn id<T>(&self, name: &str, parse: fn(&str) -> Result<T, IdError>) -> Result<T, BodyError> {
        let text = self.text(name)?.ok_or_else(|| BodyError::bad(name, "is needed"))?;
        parse(&text).map_err(|error| BodyError::bad(name, format!("is not an id: {error}")))
    }

    /// An integer within a range.
    ///
    /// # Errors
    /// [`BodyError::BadField`], when it is something else.
    pub fn integer(&self, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, BodyError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match serde_json::from_str::<i64>(value.get()) {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(BodyError::bad(name, format!("must be an integer from {} to {}", range.start(), range.end()))),
        }
    }

    /// A duration within a range.
    ///
    /// # Errors
    /// [`BodyError::BadField`], when it is something else.
    pub fn duration(&self, name: &str, range: RangeInclusive<Millis>) -> Result<Option<Millis>, BodyError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match text_of(value).and_then(|text| duration::parse(&text).ok()) {
            Some(span) if range.contains(&span) => Ok(Some(span)),
            _ => {
                let (least, most) = (duration::format(*range.start()), duration::format(*range.end()));
                Err(BodyError::bad(
                    name,
                    format!("must be a duration from \"{least}\" to \"{most}\"; hint: \"90s\", \"15m\", \"24h\" or \"7d\""),
                ))
            }
        }
    }

    /// One of a few words.
    ///
    /// # Errors
    /// [`BodyError::BadField`], when it is something else.
    pub fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, BodyError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let found = text_of(value).and_then(|text| words.iter().find(|(word, _)| *word == text));
        found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| {
            let allowed: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            BodyError::bad(name, format!("must be {}", allowed.join(" or ")))
        })
    }

    /// A list of at most `max_count` values of any kind.
    ///
    /// # Errors
    /// [`BodyError::BadField`], when it is no list; [`BodyError::TooLarge`], when it is too long.
    pub fn list(&self, name: &str, max_count: usize) -> Result<Option<Vec<&'a RawValue>>, BodyError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let mut json = serde_json::Deserializer::from_str(value.get());
        match (ListSeed { max_count }).deserialize(&mut json) {
            Ok(Some(list)) => Ok(Some(list)),
            Ok(None) => Err(BodyError::TooLarge { field: name.to_owned(), must: format!("may have up to {max_count} entries") }),
            Err(_) => Err(BodyError::bad(name, "must be a list")),
        }
    }
}

/// The string that a value is, if it is one.
pub(super) fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    /// Takes a string as it stands in the text, where nothing in it is escaped.
    struct Text;
    impl<'de> Visitor<'de> for Text {
        type Value = Cow<'de, str>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }
        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(text))
        }
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Cow::Owned(text.to_owned()))
        }
    }
    serde_json::Deserializer::from_str(value.get()).deserialize_str(Text).ok()
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// What an object held, and why it is refused all the same: errors of form come first, whatever else is wrong.
struct Object<'a> {
    values: Vec<(&'static str, &'a RawValue)>,
    refused: Option<BodyError>,
}

struct ObjectSeed {
    known: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for ObjectSeed {
    type Value = Object<'de>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Object { values: Vec::with_capacity(self.known.len()), refused: None };
        while let Some(key) = map.next_key::<String>()? {
            let Some(name) = self.known.iter().find(|known| **known == key) else {
                map.next_value::<IgnoredAny>()?;
                object.refused.get_or_insert_with(|| unknown(&key, self.known));
                continue;
            };
            let value = map.next_value::<&RawValue>()?;
            if object.values.iter().any(|(known, _)| known == name) {
                object.refused.get_or_insert_with(|| BodyError::bad(*name, "stands there twice"));
            } else {
                object.values.push((name, value));
            }
        }
        Ok(object)
    }
}

fn unknown(key: &str, known: &[&str]) -> BodyError {
    BodyError::UnknownField { field: key.chars().take(NAME_SHOWN_MAX).collect(), known: known.join(", ") }
}

/// Reads a list; `None` when it is too long, without keeping what is too much.
struct ListSeed {
    max_count: usize,
}

impl<'de> DeserializeSeed<'de> for ListSeed {
    type Value = Option<Vec<&'de RawValue>>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ListSeed {
    type Value = Option<Vec<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while list.len() < self.max_count {
            match seq.next_element::<&RawValue>()? {
                Some(value) => list.push(value),
                None => return Ok(Some(list)),
            }
        }
        let mut is_too_long = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            is_too_long = true;
        }
        Ok((!is_too_long).then_some(list))
    }
}
