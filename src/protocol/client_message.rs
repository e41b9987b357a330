//! One message of a client, read out of its JSON text. Unknown fields are ignored; whatever else is wrong becomes a [`Refusal`] that names the message as far as it
//! can be read. Nothing here knows who sent it.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::code::Code;
use super::hello::{self, Hello, HelloAck};
use super::json;
use super::refusal::Refusal;
use crate::ledger::command::{Ack, Key, Visibility};
use crate::ledger::engagement::{DATA_MAX_BYTES, Payload};
use crate::ledger::ids::{EngagementId, WindowId};

/// What a client says (CONTRACT §8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    Hello(Box<Hello>),
    Ack { ack: Ack, reference: Option<i64> },
    Dismiss { key: Key, reference: Option<i64> },
    Visible(Visibility),
    Seen(EngagementId),
    Token(Token),
    Ping { reference: Option<i64> },
}

/// A token as it came. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<token>")
    }
}

impl ClientMessage {
    /// The word of its `type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            ClientMessage::Hello(_) => "hello",
            ClientMessage::Ack { .. } => "ack",
            ClientMessage::Dismiss { .. } => "dismiss",
            ClientMessage::Visible(_) => "visible",
            ClientMessage::Seen(_) => "seen",
            ClientMessage::Token(_) => "token",
            ClientMessage::Ping { .. } => "ping",
        }
    }
}

impl ClientMessage {
    /// An `error` that answers it.
    #[must_use]
    pub fn refuse(&self, code: Code, message: &'static str) -> Refusal {
        let refusal = Refusal::new(code, message);
        match self {
            ClientMessage::Ack { ack, reference } => refusal.with_reference(*reference).with_key(&ack.id, ack.window),
            ClientMessage::Dismiss { key, reference } => refusal.with_reference(*reference).with_key(&key.id, key.window),
            ClientMessage::Ping { reference } => refusal.with_reference(*reference),
            _ => refusal,
        }
    }
}

/// The fields of all messages, each as it stands in the text, so that a field that a type does not have cannot make it fail. (An internally tagged enum would do
/// the sorting, but cannot hold raw values.)
#[derive(Default, Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    window: Option<&'a RawValue>,
    #[serde(borrow)]
    step: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow, rename = "ref")]
    reference: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) visible: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) token: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) device: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) max_in_flight: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) acks: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) open: Option<&'a RawValue>,
}

/// The text is not JSON at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

/// Reads one message.
///
/// # Errors
/// [`NotJson`]: nothing after it in the same frame can be read either.
pub fn parse(text: &str) -> Result<Result<ClientMessage, Refusal>, NotJson> {
    Ok(match fields(text)? {
        Ok(fields) => fields.message(),
        Err(refusal) => Err(refusal),
    })
}

/// Takes an object apart. A list would do for serde too, field by field: it is refused.
pub(super) fn fields(text: &str) -> Result<Result<Fields<'_>, Refusal>, NotJson> {
    let parsed = serde_json::from_str::<Fields<'_>>(text);
    let is_object = text.trim_ascii_start().starts_with('{');
    match parsed {
        Ok(fields) if is_object => Ok(Ok(fields)),
        // What stopped serde may be the shape, with broken text behind it.
        Ok(_) | Err(_) => match serde_json::from_str::<&RawValue>(text) {
            Ok(_) if is_object => Ok(Err(bad("a field stands there twice"))),
            Ok(_) => Ok(Err(bad("a message is an object"))),
            Err(_) => Err(NotJson),
        },
    }
}

pub(super) fn bad(message: &'static str) -> Refusal {
    Refusal::new(Code::BadMessage, message)
}

impl Fields<'_> {
    fn message(&self) -> Result<ClientMessage, Refusal> {
        let reference = self.reference().map_err(|refusal| self.named(refusal))?;
        let message = match self.kind.and_then(text).as_deref() {
            Some("ack") => self.ack().map(|ack| ClientMessage::Ack { ack, reference }),
            Some("dismiss") => self.key().map(|key| ClientMessage::Dismiss { key, reference }),
            Some("ping") => Ok(ClientMessage::Ping { reference }),
            Some("visible") => self.visibility().map(ClientMessage::Visible),
            Some("seen") => self.engagement_id().map(ClientMessage::Seen),
            Some("token") => self.token().map(ClientMessage::Token),
            Some("hello") => hello::read(self).map(|hello| ClientMessage::Hello(Box::new(hello))),
            Some(_) => Err(bad("there is no message of this type")),
            None => Err(bad("type must be a text")),
        };
        message.map_err(|refusal| self.named(refusal).with_reference(reference))
    }

    /// Puts the delivery in, as far as it can be read.
    fn named(&self, mut refusal: Refusal) -> Refusal {
        refusal.id = self.id.and_then(text).map(Cow::into_owned);
        refusal.window = self.window.and_then(text).map(Cow::into_owned);
        refusal
    }

    fn reference(&self) -> Result<Option<i64>, Refusal> {
        self.reference.map(|raw| raw.get().parse().map_err(|_| bad("ref must be an integer"))).transpose()
    }

    /// An ack of a hello; its refusal carries the key.
    pub(super) fn hello_ack(&self) -> HelloAck {
        let reference = self.reference();
        let ack = reference.clone().and_then(|_| self.ack()).map_err(|refusal| self.named(refusal));
        let reference = reference.unwrap_or_default();
        HelloAck { ack: ack.map_err(|refusal| refusal.with_reference(reference)), reference }
    }

    fn ack(&self) -> Result<Ack, Refusal> {
        let step = self.step.and_then(|raw| raw.get().parse::<i64>().ok()).ok_or_else(|| bad("step must be an integer"))?;
        let Key { id, window } = self.key()?;
        let step = u32::try_from(step).map_err(|_| Refusal::new(Code::StepOutOfRange, "no engagement has such a step"))?;
        Ok(Ack { id, window, step, data: self.data()? })
    }

    fn data(&self) -> Result<Option<Payload>, Refusal> {
        let Some(data) = self.data.map(RawValue::get) else { return Ok(None) };
        if data.len() > DATA_MAX_BYTES {
            return Err(Refusal::new(Code::TooLarge, format!("data has at most {DATA_MAX_BYTES} bytes")));
        }
        if !json::is_sound(data) {
            return Err(bad("data nests too deep, or holds a text or number that can't be represented"));
        }
        Ok(Some(Payload(Bytes::copy_from_slice(data.as_bytes()))))
    }

    pub(super) fn key(&self) -> Result<Key, Refusal> {
        let id = self.engagement_id()?;
        let window = self.window.and_then(text).ok_or_else(|| bad("window must be a text"))?;
        // A text that is no window id of ours is one that no delivery has.
        let window: WindowId = window.parse().map_err(|_| Refusal::new(Code::UnknownDelivery, "there is no such delivery"))?;
        Ok(Key { id, window })
    }

    fn engagement_id(&self) -> Result<EngagementId, Refusal> {
        let id = self.id.and_then(text).ok_or_else(|| bad("id must be a text"))?;
        EngagementId::parse(&id).map_err(|error| Refusal::new(Code::BadMessage, format!("id is not valid: {error}")))
    }

    fn visibility(&self) -> Result<Visibility, Refusal> {
        match self.visible.map(RawValue::get) {
            Some("true") => Ok(Visibility::Visible),
            Some("false") => Ok(Visibility::Hidden),
            _ => Err(bad("visible must be true or false")),
        }
    }

    fn token(&self) -> Result<Token, Refusal> {
        self.token.and_then(text).map(|token| Token(token.into_owned())).ok_or_else(|| bad("token must be a text"))
    }
}

/// A raw value that is a text; borrowed where it has no escapes.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(raw.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

#[cfg(test)]
#[path = "client_message_tests.rs"]
mod tests;
