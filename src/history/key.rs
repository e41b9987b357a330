//! A delivery's key, as histories name it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What all guarantees are stated for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    pub user: String,
    pub id: String,
    pub window: String,
    /// Of an engagement of scope device, whose delivery it is. None of scope user, and in the answer to a publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

impl Key {
    /// One of scope user.
    #[must_use]
    pub fn new(user: &str, id: &str, window: &str) -> Key {
        Key { user: user.to_owned(), id: id.to_owned(), window: window.to_owned(), device: None }
    }

    /// The key, of scope user, that a message to or from a user, or an answer, names; none where it names none.
    #[must_use]
    pub fn of(user: &str, message: &Value) -> Option<Key> {
        Some(Key::new(user, message["id"].as_str()?, message["window"].as_str()?))
    }

    /// The same, of scope device.
    #[must_use]
    pub fn on(self, device: &str) -> Key {
        Key { device: Some(device.to_owned()), ..self }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.user, self.id, self.window)?;
        self.device.iter().try_for_each(|device| write!(f, " on {device}"))
    }
}
