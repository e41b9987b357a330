//! One delivery that is not settled: its state, its progress, its holders.

use serde::{Deserialize, Serialize};

use super::command::{By, Key};
use super::content::Content;
use super::effect::Offer;
use super::engagement::{Payload, Scope, SettleOn, Targets};
use super::ids::{DeviceId, EngagementId, WindowId};
use super::outcome::Reason;
use super::reply::State;
use super::settled::{Settled, Times};
use super::time::LedgerTime;

/// A delivery in one of the states up to `in_progress`. Small: many wait for users who are not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Delivery {
    /// The place in the user's order of publishes.
    pub sequence: u64,
    pub content: Content,
    pub window: WindowId,
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
    /// How often it was offered.
    pub offers: u32,
    /// None where there is nothing to say.
    pub touched: Option<Box<Touched>>,
}

/// What a delivery has to do with devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Touched {
    /// Set for a delivery of [`Scope::Device`].
    device: Option<DeviceId>,
    /// What was confirmed last.
    data: Option<Payload>,
    /// Who has it on the screen. Invariant: each is in the user's devices; at most one with [`Targets::Active`].
    holders: Vec<Holder>,
    /// Who had it on the screen and was told to take it off, by a connection that has not reported in since: while that one is on a lease, the word may be lost,
    /// and nobody else is offered it (G5). Invariant: each is in the user's devices and no holder; none but with [`Targets::Active`].
    former: Vec<DeviceId>,
}

impl Touched {
    /// A delivery of this device alone.
    pub fn of(device: &DeviceId) -> Touched {
        Touched { device: Some(device.clone()), ..Touched::default() }
    }
}

/// A device that has a delivery on the screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub device: DeviceId,
    /// The number of the offer that it was made; 0 when it had it on the screen by itself.
    pub offer: u32,
}

impl Delivery {
    pub fn id(&self) -> EngagementId {
        self.content.id()
    }

    pub fn is_of(&self, id: &EngagementId) -> bool {
        self.content.is_of(id)
    }

    /// Whose it is, with [`Scope::Device`].
    pub fn device(&self) -> Option<&DeviceId> {
        self.touched.as_ref()?.device.as_ref()
    }

    /// What was confirmed last.
    pub fn data(&self) -> Option<&Payload> {
        self.touched.as_ref()?.data.as_ref()
    }

    /// Who has it on the screen.
    pub fn holders(&self) -> &[Holder] {
        self.touched.as_ref().map_or(&[], |touched| &touched.holders)
    }

    /// Who had it on the screen, and may still show it.
    pub fn former(&self) -> &[DeviceId] {
        self.touched.as_ref().map_or(&[], |touched| &touched.former)
    }

    /// What it counts in the replay buffer, in bytes: nothing for one of many devices, whose payload the spread counts. The data of acks is bounded by
    /// itself and does not count.
    pub fn bytes(&self) -> u64 {
        if self.device().is_some() { 0 } else { buffered_bytes(&self.content) }
    }

    pub fn is_held_by(&self, device: &DeviceId) -> bool {
        self.holders().iter().any(|holder| holder.device == *device)
    }

    /// Whether this device means this delivery when it names the key.
    pub fn is_key(&self, key: &Key, device: &DeviceId) -> bool {
        self.window == key.window && self.is_of(&key.id) && self.device().is_none_or(|own| own == device || mutant!(AckForAnotherDevice))
    }

    /// Whether one holder at a time may have it.
    pub fn is_for_active(&self) -> bool {
        self.content.scope() == Scope::User && self.content.targets() == Targets::Active
    }

    /// Whether there may be a device that is to be offered it.
    pub fn may_be_offered(&self) -> bool {
        self.holders().is_empty() || !self.is_for_active()
    }

    pub fn is_waiting(&self, at: LedgerTime) -> bool {
        self.waits_until > at
    }

    /// Whether one more offer would be too many.
    pub fn is_offered_out(&self) -> bool {
        let max = self.content.max_offers();
        max > 0 && self.offers >= max
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
        let touched = self.touched.get_or_insert_default();
        touched.former.retain(|former| former != device);
        // One device holds most deliveries: no room is made for more ahead of time.
        touched.holders.reserve_exact(1);
        touched.holders.push(Holder { device: device.clone(), offer });
    }

    /// A device does not have it on the screen any more.
    pub fn release(&mut self, device: &DeviceId) {
        self.touch(|touched| touched.holders.retain(|holder| holder.device != *device));
    }

    /// A device is told to take it off the screen, and does not hold it. The word may be lost before it is sent.
    pub fn part_from(&mut self, device: &DeviceId) {
        self.release(device);
        if self.is_for_active() && !self.former().contains(device) {
            self.touched.get_or_insert_default().former.push(device.clone());
        }
    }

    /// What a device shows is known: it reports in, or it is gone.
    pub fn clear(&mut self, device: &DeviceId) {
        self.touch(|touched| touched.former.retain(|former| former != device));
    }

    /// Changes what there is; where nothing is left of it, it goes.
    fn touch(&mut self, change: impl FnOnce(&mut Touched)) {
        let Some(touched) = &mut self.touched else { return };
        change(touched);
        if **touched == Touched::default() {
            self.touched = None;
        }
    }

    /// An offer that never reached its connection does not count. Only with one holder at a time: then it was the last.
    pub fn take_back_offer(&mut self, device: &DeviceId) {
        debug_assert!(self.is_for_active(), "the offers of several holders are not in order");
        let was_offered = self.holders().iter().any(|holder| holder.device == *device && holder.offer > 0);
        self.offers -= u32::from(was_offered);
        self.release(device);
    }

    /// The message of an offer with this number.
    pub fn offer_message(&self, offer: u32, at: LedgerTime) -> Offer {
        Offer {
            id: self.id(),
            window: self.window,
            scope: self.content.scope(),
            offer,
            step: u32::from(self.step) + 1,
            steps: self.content.steps(),
            settle_on: self.content.settle_on(),
            data: self.data().cloned(),
            payload: self.content.payload(),
            priority: self.content.priority(),
            expires_in: self.expires_at.since(at),
            at,
        }
    }

    /// Takes an ack of a step that is no lower than the confirmed one. The state that it leads to; settled, when it is the end of it.
    pub fn advance_to(&mut self, step: u8, data: Option<&Payload>) -> State {
        debug_assert!(mutant!(StepFalls) || step >= self.step && step <= self.content.steps(), "an ack's step is checked before");
        self.step = step;
        if let Some(data) = data {
            self.touched.get_or_insert_default().data = Some(data.clone());
        }
        let reached = if step == self.content.steps() || self.content.settle_on() == SettleOn::Shown {
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
        let is_seen = self.state >= State::Shown || ending.state == State::Completed || ending.state == State::Dismissed;
        let is_missed = ending.reason == Some(Reason::WindowClosed) && !is_seen;
        let may_be_carried = !self.content.has_own_window() && !is_missed;
        Settled {
            id: self.id(),
            window: self.window,
            device: self.device().or(ending.by.as_ref().map(|by| &by.device)).cloned(),
            sequence: self.sequence,
            fingerprint: self.content.fingerprint(),
            times: Times { settled_at: at, closes_at: self.closes_at, may_be_carried },
            scope: self.content.scope(),
            state: ending.state,
            reason: ending.reason,
            step: self.step,
            steps: self.content.steps(),
        }
    }
}

/// What an engagement counts in the replay buffer, in bytes.
pub(super) fn buffered_bytes(content: &Content) -> u64 {
    content.text_bytes() as u64
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
