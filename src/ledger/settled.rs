//! The settled deliveries of one user that are remembered: what makes "never again" true, and answers late acks. Small: a record each.

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
    pub settled_at: LedgerTime,
    /// When its window closes, or closed.
    pub closes_at: LedgerTime,
    pub has_own_window: bool,
    pub scope: Scope,
    /// Invariant: settled.
    pub state: State,
    pub reason: Option<Reason>,
    pub step: u8,
    pub steps: u8,
    /// A person saw it (an ack said so).
    pub is_seen: bool,
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

    pub fn is_in_open_window(&self, at: LedgerTime) -> bool {
        at < self.closes_at
    }

    /// Whether it counts as delivered in the window after its own. What a person never saw and ran out with its window does not.
    pub fn is_carried(&self, at: LedgerTime, carry: Millis) -> bool {
        let unseen_at_close = self.reason == Some(Reason::WindowClosed) && !self.is_seen;
        !self.is_in_open_window(at)
            && !self.has_own_window
            && !unseen_at_close
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

    fn order(&self) -> (&EngagementId, WindowId, Option<&DeviceId>) {
        (&self.id, self.window, self.device.as_ref())
    }
}

/// The records of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// Invariant: sorted by id, window, device, so that a key is found by bisection.
    records: Vec<Settled>,
    /// Invariant: the earliest time at which a record may be forgotten, under the carry in force.
    forget_due: Option<LedgerTime>,
}

impl Remembered {
    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Settled> {
        self.records.iter()
    }

    /// The records of one engagement id, in the order of their windows.
    pub fn of(&self, id: &EngagementId) -> &[Settled] {
        let start = self.records.partition_point(|record| record.id < *id);
        let count = self.records[start..].partition_point(|record| record.id == *id);
        &self.records[start..start + count]
    }

    pub fn find(&self, key: &Key, device: &DeviceId) -> Option<&Settled> {
        self.of(&key.id).iter().find(|record| record.is_key(key, device))
    }

    pub fn insert(&mut self, record: Settled, carry: Millis) {
        let forget_at = record.forget_at(carry);
        self.forget_due = Some(self.forget_due.map_or(forget_at, |due| due.min(forget_at)));
        let place = self.records.partition_point(|other| other.order() < record.order());
        self.records.insert(place, record);
    }

    /// When the next record may be forgotten.
    pub fn forget_due(&self) -> Option<LedgerTime> {
        self.forget_due
    }

    /// Forgets what is due.
    pub fn forget(&mut self, at: LedgerTime, carry: Millis) {
        if self.forget_due.is_some_and(|due| due <= at) {
            self.records.retain(|record| record.forget_at(carry) > at);
            self.records.shrink_to_fit();
            self.reckon_due(carry);
        }
    }

    /// Another carry is in force.
    pub fn reckon_due(&mut self, carry: Millis) {
        self.forget_due = self.records.iter().map(|record| record.forget_at(carry)).min();
    }

    /// Forgets, oldest first, records that block nothing, until no more than `count_max` are left or none can go.
    pub fn make_room(&mut self, count_max: usize, at: LedgerTime, carry: Millis) {
        while self.records.len() > count_max {
            let free = self.records.iter().enumerate().filter(|(_, record)| !record.is_blocking(at, carry));
            let Some((oldest, _)) = free.min_by_key(|(_, record)| (record.settled_at, record.sequence)) else { break };
            self.records.remove(oldest);
        }
        self.reckon_due(carry);
    }
}
