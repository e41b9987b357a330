//! Engagements of `scope: "device"`: what every device that connects while the window is open gets a delivery of its own of.

use serde::{Deserialize, Serialize};

use super::content::Content;
use super::delivery::{Delivery, Touched, buffered_bytes};
use super::ids::{DeviceId, EngagementId, WindowId};
use super::outcome::Reason;
use super::reply::State;
use super::time::LedgerTime;

/// One published engagement of scope device. It stays until its window closes, so that the key is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spread {
    pub sequence: u64,
    pub content: Content,
    pub window: WindowId,
    pub published_at: LedgerTime,
    pub closes_at: LedgerTime,
    pub expires_at: LedgerTime,
    /// Whether some device got a delivery of it; then these end, each by itself.
    pub has_deliveries: bool,
    /// No further device gets it.
    pub ended: Option<(State, Reason)>,
}

impl Spread {
    pub fn id(&self) -> EngagementId {
        self.content.id()
    }

    pub fn is_of(&self, id: &EngagementId) -> bool {
        self.content.is_of(id)
    }

    /// Whether it waits for a first device, and so counts as a delivery itself.
    pub fn is_waiting(&self) -> bool {
        self.ended.is_none() && !self.has_deliveries
    }

    /// What it counts in the replay buffer, in bytes: its payload, once for all devices, while further devices may get it.
    pub fn bytes(&self) -> u64 {
        if self.ended.is_some() { 0 } else { buffered_bytes(&self.content) }
    }

    /// The delivery for a device. It keeps the place of its publish.
    pub fn delivery(&self, device: &DeviceId) -> Delivery {
        let touched = Some(Box::new(Touched::of(device)));
        Delivery { touched, ..self.clone().into_delivery() }
    }

    /// The one delivery for the person.
    pub fn into_delivery(self) -> Delivery {
        Delivery {
            sequence: self.sequence,
            window: self.window,
            published_at: self.published_at,
            closes_at: self.closes_at,
            expires_at: self.expires_at,
            waits_until: self.content.not_before().unwrap_or_default(),
            content: self.content,
            state: State::Queued,
            step: 0,
            offers: 0,
            touched: None,
        }
    }

    /// Why it ends when its time is up.
    pub fn expiry_reason(&self) -> Reason {
        if self.expires_at < self.closes_at { Reason::Ttl } else { Reason::WindowClosed }
    }
}
