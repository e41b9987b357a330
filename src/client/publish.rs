//! What a publisher says, and what it is answered.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A publish. Only `id` and `payload` are needed; the server knows the defaults of the rest. Durations are strings like `"24h"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Publish {
    pub id: String,
    pub payload: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u8>,
    /// `shown` or `completed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle_on: Option<String>,
    /// `user` or `device`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// `active` or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<String>,
    /// `standard` or `fire_and_forget`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Ms since the epoch, by the server's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_offers: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snooze: Option<String>,
}

impl Publish {
    /// The least that can be published.
    #[must_use]
    pub fn new(id: impl Into<String>, payload: Value) -> Self {
        Publish { id: id.into(), payload, ..Publish::default() }
    }
}

/// What became of a publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Published {
    /// It is the first of its key, and committed (201).
    Queued { user: String, id: String, window: String, state: String, closes_at: u64 },
    /// The key was known; nothing changed, and this is how the first one is (200).
    Duplicate { user: String, id: String, window: String, state: String, step: u32, closes_at: u64 },
    /// Fire-and-forget: sent to so many devices (202).
    Sent { devices: u64 },
}

impl Published {
    /// The window of the delivery; none for fire-and-forget.
    #[must_use]
    pub fn window(&self) -> Option<&str> {
        match self {
            Published::Queued { window, .. } | Published::Duplicate { window, .. } => Some(window),
            Published::Sent { .. } => None,
        }
    }
}

/// What became of one item of a publish to many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManyItem {
    /// None, where the item's user can't be read.
    pub user: Option<String>,
    pub id: Option<String>,
    /// `queued`, `duplicate`, `sent`, or `error`: then `code` and `detail` say which.
    pub status: String,
    #[serde(default)]
    pub window: Option<String>,
    #[serde(default)]
    pub state: Option<String>,
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub detail: Option<String>,
}
