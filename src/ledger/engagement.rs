//! What a publish may say. Checked where it enters (the API); the ledger takes it as it is.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ids::EngagementId;
use super::time::{LedgerTime, Millis};

/// Most steps that an engagement may have.
pub const STEPS_MAX: u8 = 100;
/// The longest payload, in bytes of JSON text.
pub const PAYLOAD_MAX_BYTES: usize = 16 * 1024;
/// The longest data of an ack, in bytes of JSON text.
pub const DATA_MAX_BYTES: usize = 4 * 1024;

/// Something to be shown to a user once: what stays the same over all its deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engagement {
    /// The publisher's name for it.
    pub id: EngagementId,
    /// Opaque JSON text; shared, never copied, never logged.
    pub payload: Payload,
    /// A hash of all that makes the content: two publishes of one key with the same fingerprint say the same.
    pub fingerprint: u64,
    /// 1 to [`STEPS_MAX`].
    pub steps: u8,
    /// Which ack is the end of it.
    pub settle_on: SettleOn,
    /// One delivery for the person, or one for each device.
    pub scope: Scope,
    /// Who of the user's devices is offered it. Means nothing with [`Scope::Device`].
    pub targets: Targets,
    /// Its own window, opening at the publish; `None`: it lives in the session window.
    pub window: Option<Millis>,
    /// It expires that long after its publish, if its window does not close before.
    pub ttl: Option<Millis>,
    /// It is not offered earlier.
    pub not_before: Option<LedgerTime>,
    /// -100 to 100; higher is offered first.
    pub priority: i8,
    /// When it would be offered more often, it expires. 0: no limit.
    pub max_offers: u32,
    /// A dismiss puts it off for that long; `None`: a dismiss settles.
    pub snooze: Option<Millis>,
}

/// JSON text whose `Debug` shows its length only, so that no log can hold a payload.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payload(pub Bytes);

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// Which ack settles a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettleOn {
    /// The ack of showing it.
    Shown,
    /// The ack of the last step.
    Completed,
}

/// What a key counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One delivery for the person.
    User,
    /// One delivery for each device.
    Device,
}

/// Who is offered a delivery of [`Scope::User`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// One holder at a time: the device that became visible last.
    Active,
    /// Every connected device; the first settling ack wins.
    All,
}
