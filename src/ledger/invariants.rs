//! What always holds, after every command, as code: for property tests, the simulation, and whoever doubts. Never called on the way of a command.

use std::collections::BTreeSet;

use super::content::Lately;
use super::context::Context;
use super::delivery::Delivery;
use super::engagement::Targets;
use super::ids::UserId;
use super::ledger::{Ledger, Share};
use super::outcome::OutcomeLog;
use super::settled::Settled;
use super::user::User;

/// Which invariant is broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

fn is_behind(ledger: &Ledger, user: &User) -> bool {
    user.due.is_some_and(|due| due <= ledger.now)
}

fn hold(is_so: bool, what: impl Fn() -> String) -> Result<(), Broken> {
    if is_so { Ok(()) } else { Err(Broken(what())) }
}

impl Ledger {
    /// Checks everything. Walks all users.
    ///
    /// # Errors
    /// [`Broken`], with the first invariant that does not hold.
    pub fn check(&self) -> Result<(), Broken> {
        let mut books = Ledger::default();
        for (id, user) in self.users.iter() {
            self.check_user(id, user).map_err(|Broken(what)| Broken(format!("user {id}: {what}")))?;
            books.keep_books(id, Share::default(), Share::of(user));
        }
        hold(books.counts == self.counts, || format!("the counts are {:?}, the users have {:?}", self.counts, books.counts))?;
        hold(books.expiry == self.expiry, || "expiry holds other times than those that matter".to_string())?;
        hold(books.connected == self.connected, || "other users have devices than the books say".to_string())?;
        hold(self.users.len() as u64 == self.counts.users, || "the store counts other users".to_string())
    }

    fn check_user(&self, id: &UserId, user: &User) -> Result<(), Broken> {
        hold(!user.is_empty(), || "a user of whom nothing is kept is kept".to_string())?;
        // Users whom no command concerned may be behind until an `Advance` comes to them.
        hold(is_behind(self, user) || user.due == user.next_due(self.now), || "the next due time is another".to_string())?;
        let records: Vec<Settled> = user.settled.iter().collect();
        self.check_windows(user, &records)?;
        self.check_bounds(user)?;
        for delivery in user.replay.iter() {
            self.check_delivery(user, delivery).map_err(|Broken(what)| Broken(format!("delivery {}: {what}", delivery.id())))?;
        }
        self.check_settled(user, &records)?;
        self.check_nothing_waits(id, user)
    }

    fn check_windows(&self, user: &User, records: &[Settled]) -> Result<(), Broken> {
        let open = user.window.map(|window| window.id);
        for delivery in user.replay.iter().filter(|delivery| !delivery.content.has_own_window()) {
            hold(Some(delivery.window) == open, || format!("{} is unsettled in a window that is not open", delivery.id()))?;
        }
        let attached = user.devices.attached_count();
        hold(attached == 0 || open.is_some(), || "a device is attached and no window is open".to_string())?;
        let windows = user.replay.iter().map(|delivery| delivery.window).chain(records.iter().map(|record| record.window));
        hold(windows.chain(open).all(|window| window <= self.last_window), || "a window id is above the last one given out".to_string())
    }

    fn check_bounds(&self, user: &User) -> Result<(), Broken> {
        let bytes: u64 = user.replay.iter().map(Delivery::bytes).sum();
        hold(bytes == user.replay.bytes(), || format!("the buffer counts {} bytes and has {bytes}", user.replay.bytes()))?;
        let settings = &self.settings;
        hold(user.buffered_count() <= u64::from(settings.buffer_deliveries_max), || "the buffer passes its count".to_string())?;
        hold(user.buffered_bytes() <= settings.buffer_bytes_max, || "the buffer passes its bytes".to_string())?;
        let records = user.replay.len() + user.settled.len() + user.spreads.len();
        hold(records <= settings.records_max as usize, || format!("{records} deliveries are remembered"))?;
        hold(user.devices.len() <= 2 * settings.devices_max as usize, || "there are too many devices".to_string())?;
        let priorities: Vec<_> = user.replay.iter().map(|delivery| (-i16::from(delivery.content.priority()), delivery.sequence)).collect();
        hold(priorities.is_sorted(), || "the buffer is out of order".to_string())
    }

    fn check_delivery(&self, user: &User, delivery: &Delivery) -> Result<(), Broken> {
        hold(!delivery.state.is_settled(), || format!("it is {:?} and buffered", delivery.state))?;
        hold(delivery.step < delivery.content.steps(), || "it is done and not settled".to_string())?;
        let held_by = delivery.holders().iter().map(|holder| &holder.device);
        let distinct: BTreeSet<_> = held_by.clone().chain(delivery.former()).collect();
        let listed_count = delivery.holders().len() + delivery.former().len();
        hold(distinct.len() == listed_count, || "a device holds it twice, or was told to take off what it holds".to_string())?;
        hold(delivery.holders().len() <= 1 || !delivery.is_for_active(), || "more than one device holds it".to_string())?;
        hold(delivery.former().is_empty() || delivery.is_for_active(), || "it is shared, and some were told to take it off".to_string())?;
        let are_known = delivery.former().iter().all(|device| user.devices.get(device).is_some());
        hold(are_known, || "a device that was told to take it off is gone".to_string())?;
        hold(delivery.holders().iter().all(|holder| holder.offer <= delivery.offers), || "an offer of it is not counted".to_string())?;
        for holder in held_by {
            let device = user.devices.get(holder);
            hold(device.is_some(), || format!("device {holder} holds it and is gone"))?;
            hold(delivery.device().is_none_or(|own| own == holder), || format!("device {holder} holds another device's"))?;
        }
        let max = delivery.content.max_offers();
        hold(max == 0 || delivery.offers <= max, || "it was offered too often".to_string())?;
        let twins = user.replay.iter().filter(|other| other.id() == delivery.id() && other.device() == delivery.device());
        hold(twins.count() == 1, || "its engagement waits twice".to_string())
    }

    fn check_settled(&self, user: &User, records: &[Settled]) -> Result<(), Broken> {
        let carry = self.settings.window_carry;
        for record in records {
            hold(record.state.is_settled(), || format!("{} is {:?} and settled", record.id, record.state))?;
            // A carried key blocks its engagement; other devices' deliveries of it go on.
            let blocks = |delivery: &Delivery| record.scope == delivery.content.scope() && record.device.as_ref() == delivery.device();
            let again =
                user.replay.of(&record.id).any(|delivery| blocks(delivery) || delivery.device().is_none() && record.device.is_none());
            hold(!(again && record.times.is_blocking(self.now, carry)), || format!("{} is settled and waits again", record.id))?;
        }
        let keys: Vec<_> = records.iter().map(|record| (&record.id, record.window, &record.device)).collect();
        hold(keys.is_sorted(), || "the settled deliveries are out of order".to_string())?;
        let due = records.iter().map(|record| record.times.forget_at(carry)).min();
        hold(due == user.settled.forget_due(), || "the settled deliveries are forgotten at another time".to_string())
    }

    /// No delivery waits while a fitting device has room, and no active holder is hidden while another device is visible.
    fn check_nothing_waits(&self, id: &UserId, user: &User) -> Result<(), Broken> {
        if is_behind(self, user) {
            return Ok(());
        }
        let (mut last_window, mut outcomes, mut effects, mut lately) =
            (self.last_window, OutcomeLog::default(), Vec::new(), Lately::default());
        let context = Context {
            at: self.now,
            user: id,
            settings: &self.settings,
            last_window: &mut last_window,
            outcomes: &mut outcomes,
            lately: &mut lately,
            effects: &mut effects,
            bytes_left: 0,
        };
        let places = user.places();
        for delivery in user.replay.iter() {
            let waits = places.iter().any(|place| user.fits(place, delivery, &context));
            hold(!waits || delivery.is_offered_out(), || format!("{} waits while a device has room", delivery.id()))?;
        }
        let Some(active) = user.devices.active() else { return Ok(()) };
        for delivery in user.replay.iter().filter(|delivery| delivery.content.targets() == Targets::Active && delivery.device().is_none()) {
            let hidden = delivery.holders().first().and_then(|holder| user.devices.get(&holder.device));
            let is_stuck = hidden.is_some_and(|holder| holder.is_attached() && !holder.is_in_sight());
            hold(!is_stuck, || format!("{} is held by a hidden device while {} is visible", delivery.id(), active.id))?;
        }
        Ok(())
    }
}
