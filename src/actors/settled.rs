//! A short memory of what was confirmed as settled, to catch the ledger breaking the promise. It decides nothing: it counts what must never be.

use std::collections::VecDeque;

use crate::ledger::effect::Offer;
use crate::ledger::engagement::Scope;
use crate::ledger::ids::{DeviceId, EngagementId, WindowId};
use crate::ledger::reply::Confirm;

const REMEMBERED_MAX: usize = 64;

/// The last keys that were confirmed as settled, and the device whose ack was answered.
#[derive(Debug, Default)]
pub struct Settled {
    keys: VecDeque<(WindowId, EngagementId, DeviceId)>,
}

impl Settled {
    /// Notes a confirm that was sent to a device.
    pub fn confirmed(&mut self, confirm: &Confirm, device: &DeviceId) {
        if !confirm.state.is_settled() {
            return;
        }
        if self.keys.len() >= REMEMBERED_MAX {
            self.keys.pop_front();
        }
        self.keys.push_back((confirm.window, confirm.id.clone(), device.clone()));
    }

    /// Whether an offer to a device is of a key that was confirmed as settled.
    pub fn forbids(&self, offer: &Offer, device: &DeviceId) -> bool {
        let is_same = |settled_on: &DeviceId| offer.scope == Scope::User || settled_on == device;
        self.keys.iter().any(|(window, id, settled_on)| *window == offer.window && *id == offer.id && is_same(settled_on))
    }
}
