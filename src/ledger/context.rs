//! What a command brings to a user: its time and the settings, and where effects and outcomes go.

use super::content::Lately;
use super::delivery::Delivery;
use super::effect::{Action, Effect};
use super::ids::{ConnectionId, DeviceId, EngagementId, UserId, WindowId};
use super::limits::Settings;
use super::outcome::{Outcome, OutcomeLog, Reason, What};
use super::time::LedgerTime;

/// One command's surroundings, for one user.
pub(super) struct Context<'a> {
    pub at: LedgerTime,
    pub user: &'a UserId,
    pub settings: &'a Settings,
    /// The last window id that this shard gave out.
    pub last_window: &'a mut WindowId,
    pub outcomes: &'a mut OutcomeLog,
    pub effects: &'a mut Vec<Effect>,
    /// What is kept once, though it is published to many.
    pub lately: &'a mut Lately,
    /// What the shard's ledger may still grow by, in bytes.
    pub bytes_left: u64,
}

/// What an outcome is about.
pub(super) struct About {
    pub id: EngagementId,
    pub window: Option<WindowId>,
    pub device: Option<DeviceId>,
    pub step: u32,
    pub reason: Option<Reason>,
}

impl About {
    /// About a delivery, as it stands, on its own device or on `device`.
    pub fn delivery(delivery: &Delivery, device: Option<&DeviceId>) -> About {
        About {
            id: delivery.id(),
            window: Some(delivery.window),
            device: device.or(delivery.device()).cloned(),
            step: u32::from(delivery.step),
            reason: None,
        }
    }
}

impl Context<'_> {
    /// An effect for a connection.
    pub fn tell(&mut self, connection: ConnectionId, action: Action) {
        self.effects.push(Effect { user: self.user.clone(), connection, action });
    }

    /// An outcome for the publishers.
    pub fn report(&mut self, what: What, about: About) {
        let About { id, window, device, step, reason } = about;
        let outcome = Outcome { at: self.at, what, user: self.user.clone(), device, id, window, step, reason };
        self.outcomes.push(outcome, self.settings.outcomes_max);
    }

    /// The next window id.
    pub fn next_window(&mut self) -> WindowId {
        *self.last_window = WindowId::next(*self.last_window, self.at);
        *self.last_window
    }
}
