//! What a device says: the hello that opens a connection, and the messages after it (CONTRACT §8).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Credential;

/// The first message on a connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Hello {
    /// The user's token; none where it went with the upgrade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Credential>,
    pub device: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visible: Option<bool>,
    /// Most unsettled offers held at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u16>,
    /// Acks without a confirm; the server records them before it offers anything (G9).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acks: Vec<Ack>,
    /// What is on the screen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Key>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

impl Hello {
    /// A visible device with the server's defaults.
    #[must_use]
    pub fn new(token: impl Into<String>, device: impl Into<String>) -> Self {
        Hello { token: Some(Credential::new(token)), device: device.into(), ..Hello::default() }
    }
}

/// A delivery, as a device names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    pub id: String,
    pub window: String,
}

/// The device's word that an engagement was shown (`step` 0), or that its steps up to `step` are done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    pub id: String,
    pub window: String,
    pub step: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// The client's own number, echoed in the answer.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
}

impl Ack {
    /// An ack without data and number.
    #[must_use]
    pub fn new(id: impl Into<String>, window: impl Into<String>, step: u32) -> Self {
        Ack { id: id.into(), window: window.into(), step, data: None, reference: None }
    }

    /// Which delivery it is for.
    #[must_use]
    pub fn key(&self) -> Key {
        Key { id: self.id.clone(), window: self.window.clone() }
    }
}

/// A message from a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    Hello(Hello),
    Ack(Ack),
    Dismiss {
        id: String,
        window: String,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<u64>,
    },
    Visible {
        visible: bool,
    },
    /// The answer to a notice.
    Seen {
        id: String,
    },
    /// A new token, before the old one expires.
    Token {
        token: Credential,
    },
    Ping {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<u64>,
    },
}
