//! What one text frame of a client holds: a message, or a list of them.

use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

use super::client_message::{self, ClientMessage};
use super::code::Code;
use super::refusal::Refusal;

/// Most messages of one frame.
pub const FRAME_MESSAGES_MAX: usize = 256;

/// Each message of a frame, or what is wrong with it.
pub type Messages = Vec<Result<ClientMessage, Refusal>>;

/// Reads a frame.
///
/// # Errors
/// A [`Refusal`] for the frame as a whole: it is not JSON, or holds too many messages. None of it was taken.
pub fn parse(text: &str) -> Result<Messages, Refusal> {
    let broken = || Refusal::new(Code::BadMessage, "the frame is not JSON");
    if !text.trim_ascii_start().starts_with('[') {
        return Ok(vec![client_message::parse(text).map_err(|_| broken())?]);
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let items = deserializer.deserialize_seq(Items).map_err(|_| broken())?;
    deserializer.end().map_err(|_| broken())?;
    if items.count > FRAME_MESSAGES_MAX {
        return Err(Refusal::new(Code::TooLarge, format!("a frame holds at most {FRAME_MESSAGES_MAX} messages")));
    }
    items.first.into_iter().map(|item| client_message::parse(item.get()).map_err(|_| broken())).collect()
}

/// The first items of a list, and how many there are: what is too much is counted, not kept.
struct ListedItems<'a> {
    first: Vec<&'a RawValue>,
    count: usize,
}

struct Items;

impl<'de> Visitor<'de> for Items {
    type Value = ListedItems<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut listed = ListedItems { first: Vec::new(), count: 0 };
        while let Some(item) = items.next_element::<&'de RawValue>()? {
            listed.count += 1;
            if listed.count <= FRAME_MESSAGES_MAX {
                listed.first.push(item);
            }
        }
        Ok(listed)
    }
}
