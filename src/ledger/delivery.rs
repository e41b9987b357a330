//! One delivery that is not settled: its state, its progress, its holders.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::command::{By, Key};
use super::effect::Offer;
use super::engagement::{Engagement, Payload, Scope, SettleOn, Targets};
use super::ids::{DeviceId, EngagementId, WindowId};
use super::outcome::Reason;
use super::reply::State;
use super::settled::Settled;
use super::time::LedgerTime;

/// A delivery in one of the states up to `in_progress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Delivery {
    /// The place in the user's order of publishes.
    pub sequence: u64,
    pub engagement: Arc<Engagement>,
    pub window: WindowId,
    /// Set for a delivery of [`Scope::Device`].
    pub device: Option<DeviceId>,
    pub published_at: LedgerTime,
    /// When its window closes.
    pub closes_at: LedgerTime,
    /// When it expires: then, or before by its ttl.
    pub expires_at: LedgerTime,
    /// Not offered before then (`not_before`, or a snooze).
    pub waits_until: LedgerTime,
    /// Invariant: not settled.
    pub state: State,
    /// The highest confirmed step. Invariant: never falls, never above the engagement's steps.
    pub step: u8,
    pub data: Option<Payload>,
    /// How often it was offered.
    pub offers: u32,
    /// Who has it on the screen. Invariant: each is in the user's devices; at most one with [`Targets::Active`].
    pub holders: Vec<Holder>,
    /// Who had it on the screen and was told to take it off, by a connection that has not reported in since: while that one is on a lease, the word may be lost,
    /// and nobody else is offered it (G5). Invariant: each is in the user's devices and no holder; none but with [`Targets::Active`].
    pub former: Vec<DeviceId>,
}

/// A device that has a delivery on the screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub device: DeviceId,
    /// The number of the offer that it was made; 0 when it had it on the screen by itself.
    pub offer: u32,
}

impl Delivery {
    pub fn id(&self) -> &EngagementId {
        &self.engagement.id
    }

    /// What it counts in the replay buffer, in bytes: nothing for one of many devices, whose payload the spread counts. The data of acks is bounded by
    /// itself and does not count.
    pub fn bytes(&self) -> u64 {
        if self.device.is_some() { 0 } else { buffered_bytes(&self.engagement) }
    }

    pub fn is_held_by(&self, device: &DeviceId) -> bool {
        self.holders.iter().any(|holder| holder.device == *device)
    }

    /// Whether this device means this delivery when it names the key.
    pub fn is_key(&self, key: &Key, device: &DeviceId) -> bool {
        self.window == key.window
            && *self.id() == key.id
            && self.device.as_ref().is_none_or(|own| own == device || mutant!(AckForAnotherDevice))
    }

    /// Whether one holder at a time may have it.
    pub fn is_for_active(&self) -> bool {
        self.engagement.scope == Scope::User && self.engagement.targets == Targets::Active
    }

    pub fn is_waiting(&self, at: LedgerTime) -> bool {
        self.waits_until > at
    }

    /// Whether one more offer would be too many.
    pub fn is_offered_out(&self) -> bool {
        self.engagement.max_offers > 0 && self.offers >= self.engagement.max_offers
    }

    /// Records an offer to a device and makes its message.
    pub fn offer_to(&mut self, device: &DeviceId, at: LedgerTime) -> Offer {
        self.offers = self.offers.saturating_add(1);
        self.state = self.state.max(State::Offered);
        self.hold(device, self.offers);
        self.offer_message(self.offers, at)
    }

    /// A device has it on the screen from now on.
    pub fn hold(&mut self, device: &DeviceId, offer: u32) {
        self.former.retain(|former| former != device);
        self.holders.push(Holder { device: device.clone(), offer });
    }

    /// A device does not have it on the screen any more.
    pub fn release(&mut self, device: &DeviceId) {
        self.holders.retain(|holder| holder.device != *device);
    }

    /// A device is told to take it off the screen, and does not hold it. The word may be lost before it is sent.
    pub fn part_from(&mut self, device: &DeviceId) {
        self.release(device);
        if self.is_for_active() && !self.former.contains(device) {
            self.former.push(device.clone());
        }
    }

    /// What a device shows is known: it reports in, or it is gone.
    pub fn clear(&mut self, device: &DeviceId) {
        self.former.retain(|former| former != device);
    }

    /// An offer that never reached its connection does not count. Only with one holder at a time: then it was the last.
    pub fn take_back_offer(&mut self, device: &DeviceId) {
        debug_assert!(self.is_for_active(), "the offers of several holders are not in order");
        let was_offered = self.holders.iter().any(|holder| holder.device == *device && holder.offer > 0);
        self.offers -= u32::from(was_offered);
        self.release(device);
    }

    /// The message of an offer with this number.
    pub fn offer_message(&self, offer: u32, at: LedgerTime) -> Offer {
        Offer {
            id: self.id().clone(),
            window: self.window,
            scope: self.engagement.scope,
            offer,
            step: u32::from(self.step) + 1,
            steps: self.engagement.steps,
            settle_on: self.engagement.settle_on,
            data: self.data.clone(),
            payload: self.engagement.payload.clone(),
            priority: self.engagement.priority,
            expires_in: self.expires_at.since(at),
            at,
        }
    }

    /// Takes an ack of a step that is no lower than the confirmed one. The state that it leads to; settled, when it is the end of it.
    pub fn advance_to(&mut self, step: u8, data: Option<&Payload>) -> State {
        debug_assert!(mutant!(StepFalls) || step >= self.step && step <= self.engagement.steps, "an ack's step is checked before");
        self.step = step;
        if let Some(data) = data {
            self.data = Some(data.clone());
        }
        let reached = if step == self.engagement.steps || self.engagement.settle_on == SettleOn::Shown {
            State::Completed
        } else if step > 0 {
            State::InProgress
        } else {
            State::Shown
        };
        if !reached.is_settled() {
            self.state = self.state.max(reached);
        }
        reached.max(self.state)
    }

    /// Why it expires when its time is up.
    pub fn expiry_reason(&self) -> Reason {
        if self.expires_at < self.closes_at { Reason::Ttl } else { Reason::WindowClosed }
    }

    /// What stays of it once it is settled.
    pub fn into_settled(self, ending: &Ending, at: LedgerTime) -> Settled {
        let seen = self.state >= State::Shown || ending.state == State::Completed || ending.state == State::Dismissed;
        Settled {
            id: self.engagement.id.clone(),
            window: self.window,
            device: self.device.or_else(|| ending.by.as_ref().map(|by| by.device.clone())),
            sequence: self.sequence,
            fingerprint: self.engagement.fingerprint,
            settled_at: at,
            closes_at: self.closes_at,
            has_own_window: self.engagement.window.is_some(),
            scope: self.engagement.scope,
            state: ending.state,
            reason: ending.reason,
            step: self.step,
            steps: self.engagement.steps,
            is_seen: seen,
        }
    }
}

/// What an engagement counts in the replay buffer, in bytes.
pub(super) fn buffered_bytes(engagement: &Engagement) -> u64 {
    (engagement.payload.0.len() + engagement.id.as_str().len()) as u64
}

/// How a delivery ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// A settled state.
    pub state: State,
    /// None where the person did it.
    pub reason: Option<Reason>,
    /// Whose ack or dismiss it was.
    pub by: Option<By>,
}

impl Ending {
    pub fn by_person(state: State, by: &By) -> Ending {
        Ending { state, reason: None, by: Some(by.clone()) }
    }

    pub fn because(state: State, reason: Reason) -> Ending {
        Ending { state, reason: Some(reason), by: None }
    }
}
