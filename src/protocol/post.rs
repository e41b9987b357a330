//! The body of `POST /v1/messages`: client messages of a device that has no connection to say them on.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::client_message::{Token, bad, text};
use super::code::Code;
use super::frame::{self, Messages};
use super::refusal::Refusal;
use crate::ledger::ids::DeviceId;

/// What a device posts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// None where it comes in the `Authorization` header. A page that unloads can set no header.
    pub token: Option<Token>,
    pub device: DeviceId,
    pub messages: Messages,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    token: Option<&'a RawValue>,
    #[serde(borrow)]
    device: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
}

/// Reads a body.
///
/// # Errors
/// A [`Refusal`] of all of it; nothing was taken.
pub fn parse(body: &[u8]) -> Result<Post, Refusal> {
    let body = std::str::from_utf8(body).map_err(|_| bad("the body is not UTF-8"))?;
    if !body.trim_ascii_start().starts_with('{') {
        return Err(bad("the body must be an object"));
    }
    let fields: Fields<'_> = serde_json::from_str(body).map_err(|_| bad("the body is not JSON, or has a field twice"))?;
    let token = match fields.token {
        None => None,
        Some(raw) => Some(Token(text(raw).ok_or_else(|| bad("token must be a text"))?.into_owned())),
    };
    let device = fields.device.and_then(text).ok_or_else(|| bad("device must be a text"))?;
    let device = DeviceId::parse(&device).map_err(|error| Refusal::new(Code::BadMessage, format!("device is not valid: {error}")))?;
    let messages = fields.messages.map(RawValue::get).filter(|messages| messages.starts_with('['));
    let messages = frame::parse(messages.ok_or_else(|| bad("messages must be a list"))?)?;
    Ok(Post { token, device, messages })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_names_its_device_and_lists_its_messages() {
        let post = parse(br#"{"token":"t","device":"d1","messages":[{"type":"ping"},{"type":"dance"}],"more":1}"#).unwrap();
        assert_eq!((post.device.as_str(), post.messages.len(), post.messages[1].is_err()), ("d1", 2, true));
        for body in [
            &b"[]"[..],
            b"{",
            b"\xff",
            br#"{"device":"d1"}"#,
            br#"{"messages":[]}"#,
            br#"{"device":"d1","messages":{}}"#,
            br#"{"device":5,"messages":[]}"#,
        ] {
            assert_eq!(parse(body).unwrap_err().code, Code::BadMessage);
        }
    }
}
