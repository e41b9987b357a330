//! A settled delivery as it is remembered: what makes "never again" true, and answers late acks. Where the records are kept stands in `remembered`.

use serde::{Deserialize, Serialize};

use super::command::Key;
use super::engagement::Scope;
use super::ids::{DeviceId, EngagementId, WindowId};
use super::outcome::Reason;
use super::reply::State;
use super::time::{LedgerTime, Millis};

/// What is remembered of a settled delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settled {
    pub id: EngagementId,
    pub window: WindowId,
    /// With [`Scope::Device`] the device of the key, else the one whose ack settled it.
    pub device: Option<DeviceId>,
    pub sequence: u64,
    pub fingerprint: u64,
    pub times: Times,
    pub scope: Scope,
    /// Invariant: settled.
    pub state: State,
    pub reason: Option<Reason>,
    pub step: u8,
    pub steps: u8,
}

/// When a settled delivery counts for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Times {
    pub settled_at: LedgerTime,
    /// When its window closes, or closed.
    pub closes_at: LedgerTime,
    /// It may count in the window after its own: it lived in the session window, and a person saw it or it ended before that window did.
    pub may_be_carried: bool,
}

impl Times {
    pub fn is_in_open_window(&self, at: LedgerTime) -> bool {
        at < self.closes_at
    }

    /// Whether it counts as delivered in the window after its own.
    fn is_carried(&self, at: LedgerTime, carry: Millis) -> bool {
        !self.is_in_open_window(at)
            && self.may_be_carried
            && at.plus(Millis(u64::from(mutant!(CarryEndsEarly)))) < self.settled_at.plus(carry)
    }

    /// Whether its engagement must not be delivered again now.
    pub fn is_blocking(&self, at: LedgerTime, carry: Millis) -> bool {
        self.is_in_open_window(at) || self.is_carried(at, carry)
    }

    /// When it may be forgotten: late acks are answered until then.
    pub fn forget_at(&self, carry: Millis) -> LedgerTime {
        self.closes_at.max(self.settled_at.plus(carry))
    }
}

impl Settled {
    /// Whether this device means this delivery when it names the key.
    pub fn is_key(&self, key: &Key, device: &DeviceId) -> bool {
        let is_device = self.scope == Scope::User || self.device.as_ref() == Some(device);
        self.window == key.window && self.id == key.id && is_device
    }

    /// Whether the ack or dismiss of this device settled it.
    pub fn is_settled_by(&self, device: &DeviceId) -> bool {
        matches!(self.state, State::Completed | State::Dismissed) && self.device.as_ref() == Some(device)
    }
}
