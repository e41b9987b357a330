//! All that the ledger knows of one person: the window, what waits, what is settled, the devices. Here: publish, withdraw, forget, settle. The rest of what a
//! user does stands in `attach`, `screen`, `detach`, `ack`, `offer`, `due` and `user_view`.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::context::{About, Context};
use super::delivery::{Delivery, Ending, buffered_bytes};
use super::device::Devices;
use super::effect::{Action, CloseReason, WithdrawReason};
use super::engagement::{Engagement, Scope};
use super::ids::{EngagementId, WindowId};
use super::limits::Overflow;
use super::outcome::{Reason, What};
use super::replay::Replay;
use super::reply::{Bound, Ended, PublishReply, State};
use super::settled::{Remembered, Settled};
use super::spread::Spread;
use super::time::LedgerTime;
use super::window::Window;

/// One person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct User {
    /// The session window, while one is open.
    pub window: Option<Window>,
    pub replay: Replay,
    pub settled: Remembered,
    /// In order of publish.
    pub spreads: Vec<Spread>,
    pub devices: Devices,
    pub last_sequence: u64,
    /// When something is due next, as the shard's books have it: reckoned when the user was last attended to, and kept so until then.
    pub due: Option<LedgerTime>,
}

/// About what a user, a settled delivery, a waiting delivery and a device take, in bytes, beside their ids and payloads.
pub(super) const USER_BYTES: u64 = 320;
const SETTLED_BYTES: u64 = 128;
const DELIVERY_BYTES: u64 = 320;
const DEVICE_BYTES: u64 = 128;

/// A delivery that a publish hits.
struct Known {
    window: WindowId,
    closes_at: LedgerTime,
    state: State,
    step: u32,
    /// None where the content does not matter any more.
    fingerprint: Option<u64>,
}

impl User {
    /// Whether nothing of the user needs to be kept.
    pub fn is_empty(&self) -> bool {
        self.window.is_none() && self.replay.is_empty() && self.settled.is_empty() && self.spreads.is_empty() && self.devices.is_empty()
    }

    /// About what the user takes in memory, in bytes.
    pub fn bytes(&self) -> u64 {
        let deliveries = self.replay.len() as u64 * DELIVERY_BYTES + self.replay.bytes() + self.replay.data_bytes();
        let spreads = self.spreads.iter().map(|spread| DELIVERY_BYTES + spread.bytes()).sum::<u64>();
        USER_BYTES + deliveries + spreads + self.settled.len() as u64 * SETTLED_BYTES + self.devices.len() as u64 * DEVICE_BYTES
    }

    /// Unsettled deliveries: those of the replay buffer, and engagements that wait for a first device.
    pub fn buffered_count(&self) -> u64 {
        self.replay.len() as u64 + self.spreads.iter().filter(|spread| spread.is_waiting()).count() as u64
    }

    /// Their bytes, and those of engagements that further devices may get.
    pub fn buffered_bytes(&self) -> u64 {
        self.replay.bytes() + self.spreads.iter().map(Spread::bytes).sum::<u64>()
    }

    fn records_count(&self) -> usize {
        self.replay.len() + self.settled.len() + self.spreads.len()
    }

    /// The session window, opened now if none is open.
    pub fn ensure_window(&mut self, context: &mut Context<'_>) -> Window {
        if let Some(window) = self.window {
            return window;
        }
        let window = Window::open(context.next_window(), context.at, context.settings.window_length);
        self.window = Some(window);
        window
    }

    /// Takes a publisher's engagement.
    pub fn publish(&mut self, context: &mut Context<'_>, engagement: Arc<Engagement>) -> PublishReply {
        if let Some(known) = self.known(context, &engagement) {
            let Known { window, state, step, closes_at, fingerprint } = known;
            if mutant!(LastPublishWins)
                && let Some(index) = self.replay.position(|delivery| *delivery.id() == engagement.id)
            {
                let first = self.replay.remove(index);
                self.replay.insert(Delivery { engagement: Arc::clone(&engagement), ..first });
            }
            return match fingerprint {
                Some(first) if first != engagement.fingerprint => PublishReply::Different { window, state },
                _ => PublishReply::Duplicate { window, state, step, closes_at },
            };
        }
        if let Err(bound) = self.make_room_for(context, buffered_bytes(&engagement)) {
            return PublishReply::Full(bound);
        }
        let session = self.ensure_window(context);
        let window = match engagement.window {
            Some(length) => Window::open(context.next_window(), context.at, length),
            None => session,
        };
        self.insert(context, Arc::clone(&engagement), window);
        // Before the answer, so that it says where the delivery stands.
        self.fill(context);
        let state = self.replay.of(&engagement.id).find(|delivery| delivery.window == window.id).map_or(State::Queued, |d| d.state);
        PublishReply::Queued { window: window.id, state, closes_at: window.closes_at }
    }

    fn insert(&mut self, context: &mut Context<'_>, engagement: Arc<Engagement>, window: Window) {
        self.last_sequence += 1;
        let about = About { id: engagement.id.clone(), window: Some(window.id), device: None, step: 0, reason: None };
        context.report(What::Published, about);
        let ttl_ends_at = engagement.ttl.map_or(window.closes_at, |ttl| context.at.plus(ttl));
        let spread = Spread {
            sequence: self.last_sequence,
            window: window.id,
            published_at: context.at,
            closes_at: window.closes_at,
            expires_at: ttl_ends_at.min(window.closes_at),
            has_deliveries: false,
            ended: None,
            engagement,
        };
        match spread.engagement.scope {
            Scope::Device => self.spreads.push(spread),
            Scope::User => self.replay.insert(spread.into_delivery()),
        }
    }

    /// The delivery that a publish of this engagement hits, if there is one.
    fn known(&self, context: &Context<'_>, engagement: &Engagement) -> Option<Known> {
        let id = &engagement.id;
        if let Some(spread) = self.spreads.iter().find(|spread| spread.id() == id) {
            let (state, step) = self.first_of_spread(spread);
            let fingerprint = Some(spread.engagement.fingerprint);
            return Some(Known { window: spread.window, closes_at: spread.closes_at, state, step, fingerprint });
        }
        if let Some(delivery) = self.replay.of(id).next() {
            let Delivery { window, closes_at, state, step, .. } = *delivery;
            return Some(Known { window, closes_at, state, step: u32::from(step), fingerprint: Some(delivery.engagement.fingerprint) });
        }
        let carry = context.settings.window_carry;
        // What some devices have seen blocks the whole person, but not the other devices.
        let is_hit =
            |record: &&Settled| record.is_blocking(context.at, carry) && (record.scope == Scope::User || engagement.scope == Scope::User);
        let record = self.settled.of(id).iter().rfind(is_hit)?;
        let Settled { window, closes_at, state, step, fingerprint, .. } = *record;
        let is_open = record.is_in_open_window(context.at);
        Some(Known { window, closes_at, state, step: u32::from(step), fingerprint: is_open.then_some(fingerprint) })
    }

    /// State and step of the first device's delivery; the engagement's own where no device got one.
    fn first_of_spread(&self, spread: &Spread) -> (State, u32) {
        let live = self.replay.of(spread.id()).filter(|delivery| delivery.window == spread.window).map(|d| (d.state, u32::from(d.step)));
        let settled = self.settled.of(spread.id()).iter().filter(|record| record.window == spread.window);
        let first = settled.min_by_key(|record| record.settled_at).map(|record| (record.state, u32::from(record.step)));
        let own = || (spread.ended.map_or(State::Queued, |(state, _)| state), 0);
        first.or_else(|| live.max()).unwrap_or_else(own)
    }

    /// Sees to it that one more delivery fits, or says which bound it would pass.
    fn make_room_for(&mut self, context: &mut Context<'_>, bytes: u64) -> Result<(), Bound> {
        if context.bytes_left < bytes + DELIVERY_BYTES {
            return Err(Bound::Ledger);
        }
        self.make_record_room(context)?;
        let count_max = u64::from(context.settings.buffer_deliveries_max) + u64::from(mutant!(BufferOneTooMany));
        let bytes_max = context.settings.buffer_bytes_max;
        let fits =
            |count: u64, held: u64| if count + 1 > count_max { Err(Bound::BufferDeliveries) } else { fits_bytes(held + bytes, bytes_max) };
        let full = match fits(self.buffered_count(), self.buffered_bytes()) {
            Ok(()) => return Ok(()),
            Err(full) => full,
        };
        if context.settings.overflow == Overflow::Reject {
            return Err(full);
        }
        let droppable: Vec<u64> = self.replay.iter().filter(|delivery| delivery.holders.is_empty()).map(Delivery::bytes).collect();
        // What is on a screen stays; if even without all the rest this does not fit, nothing is dropped for it.
        fits(self.buffered_count() - droppable.len() as u64, self.buffered_bytes() - droppable.iter().sum::<u64>())?;
        while fits(self.buffered_count(), self.buffered_bytes()).is_err() {
            let oldest = self.replay.oldest_unheld().expect("without the unheld deliveries it fits");
            self.settle(context, oldest, Ending::because(State::Dropped, Reason::BufferFull));
        }
        Ok(())
    }

    fn make_record_room(&mut self, context: &Context<'_>) -> Result<(), Bound> {
        let records_max = context.settings.records_max as usize;
        if self.records_count() >= records_max {
            let others = self.records_count() - self.settled.len();
            self.settled.make_room(records_max.saturating_sub(others + 1), context.at, context.settings.window_carry);
        }
        if self.records_count() >= records_max { Err(Bound::Records) } else { Ok(()) }
    }

    /// Gives every attached device its delivery of each engagement of scope device.
    pub fn spread_out(&mut self, context: &mut Context<'_>) {
        for index in 0..self.spreads.len() {
            if self.spreads[index].ended.is_some() {
                continue;
            }
            let devices: Vec<_> = self.devices.iter().filter(|device| device.is_attached()).map(|device| device.id.clone()).collect();
            for device in devices {
                let spread = &self.spreads[index];
                let is_live = self.replay.of(spread.id()).any(|delivery| delivery.device.as_ref() == Some(&device));
                let carry = context.settings.window_carry;
                let is_done = |record: &Settled| record.is_blocking(context.at, carry) && record.device.as_ref() == Some(&device);
                if is_live || self.settled.of(spread.id()).iter().any(is_done) {
                    continue;
                }
                let delivery = spread.delivery(&device);
                // Without room for a record nothing could say that this device had it: it is not shown at all.
                if self.make_record_room(context).is_err() {
                    continue;
                }
                self.spreads[index].has_deliveries = true;
                self.insert_spread(context, delivery);
            }
        }
    }

    fn insert_spread(&mut self, context: &mut Context<'_>, delivery: Delivery) {
        let room = self.make_room_for(context, delivery.bytes());
        let (sequence, device) = (delivery.sequence, delivery.device.clone());
        self.replay.insert(delivery);
        if room.is_err() {
            let index = self.replay.position(|delivery| delivery.sequence == sequence && delivery.device == device);
            let index = index.expect("it was just put in");
            self.settle(context, index, Ending::because(State::Dropped, Reason::BufferFull));
        }
    }

    /// Ends a delivery: tells who holds it, reports it, remembers it.
    pub fn settle(&mut self, context: &mut Context<'_>, index: usize, ending: Ending) {
        let delivery = self.replay.remove(index);
        for holder in &delivery.holders {
            if let Some(connection) = self.devices.connection_to_tell(&holder.device, ending.by.as_ref()) {
                let (id, window, at) = (delivery.id().clone(), delivery.window, context.at);
                context.tell(connection, Action::Withdraw { id, window, reason: withdraw_reason(ending.state), at });
            }
        }
        let device = ending.by.as_ref().map(|by| &by.device);
        let about = About { reason: ending.reason, ..About::delivery(&delivery, device) };
        if mutant!(OutcomeTwice) {
            context.report(settling_outcome(ending.state), About { reason: ending.reason, ..About::delivery(&delivery, device) });
        }
        if !(mutant!(ExpiryNotReported) && ending.state == State::Expired) {
            context.report(settling_outcome(ending.state), about);
        }
        self.settled.insert(delivery.into_settled(&ending, context.at), context.settings.window_carry);
    }

    /// A publisher takes an engagement back. `None`: there is none of that id.
    pub fn withdraw(&mut self, context: &mut Context<'_>, id: &EngagementId) -> Option<Ended> {
        let mut is_withdrawn = false;
        if let Some(spread) = self.spreads.iter_mut().find(|spread| spread.id() == id && spread.ended.is_none()) {
            spread.ended = Some((State::Withdrawn, Reason::Publisher));
            is_withdrawn = true;
            if !spread.has_deliveries {
                let about = About { id: id.clone(), window: Some(spread.window), device: None, step: 0, reason: Some(Reason::Publisher) };
                context.report(What::Withdrawn, about);
            }
        }
        let mut step = 0;
        while let Some(index) = self.replay.position(|delivery| delivery.id() == id) {
            step = step.max(u32::from(self.replay.get(index).step));
            self.settle(context, index, Ending::because(State::Withdrawn, Reason::Publisher));
            is_withdrawn = true;
        }
        if is_withdrawn {
            return Some(Ended { state: State::Withdrawn, reason: Some(Reason::Publisher), step });
        }
        if let Some((state, reason)) = self.spreads.iter().find(|spread| spread.id() == id).and_then(|spread| spread.ended) {
            return Some(Ended { state, reason: Some(reason), step: 0 });
        }
        let record = self.settled.of(id).iter().max_by_key(|record| (record.sequence, record.settled_at))?;
        Some(Ended { state: record.state, reason: record.reason, step: u32::from(record.step) })
    }

    /// Ends everything; the shard then takes the user out.
    pub fn forget(&mut self, context: &mut Context<'_>) {
        for device in self.devices.iter().filter(|device| device.is_attached()) {
            context.tell(device.connection, Action::Close(CloseReason::Forgotten));
        }
        self.devices = Devices::default();
        while !self.replay.is_empty() {
            self.settle(context, 0, Ending::because(State::Dropped, Reason::UserForgotten));
        }
        for spread in self.spreads.drain(..).filter(|spread| spread.ended.is_none() && !spread.has_deliveries) {
            let (id, window) = (spread.id().clone(), Some(spread.window));
            context.report(What::Dropped, About { id, window, device: None, step: 0, reason: Some(Reason::UserForgotten) });
        }
        *self = User::default();
    }
}

fn fits_bytes(bytes: u64, bytes_max: u64) -> Result<(), Bound> {
    if bytes > bytes_max { Err(Bound::BufferBytes) } else { Ok(()) }
}

/// What a holder is told when a delivery ends without it.
pub(super) fn withdraw_reason(state: State) -> WithdrawReason {
    match state {
        State::Completed | State::Dismissed => WithdrawReason::DoneElsewhere,
        State::Withdrawn => WithdrawReason::Withdrawn,
        State::Expired | State::Dropped => WithdrawReason::Expired,
        State::Queued | State::Offered | State::Shown | State::InProgress => WithdrawReason::Moved,
    }
}

fn settling_outcome(state: State) -> What {
    match state {
        State::Completed => What::Completed,
        State::Dismissed => What::Dismissed,
        State::Expired => What::Expired,
        State::Withdrawn => What::Withdrawn,
        State::Dropped => What::Dropped,
        State::Queued | State::Offered | State::Shown | State::InProgress => unreachable!("a delivery settles in a settled state"),
    }
}
