//! Who is offered what: whatever can be offered is offered, highest priority first, and nobody gets more than they can hold.

use super::context::{About, Context};
use super::delivery::{Delivery, Ending};
use super::device::Device;
use super::effect::{Action, WithdrawReason};
use super::ids::{ConnectionId, DeviceId};
use super::outcome::{Reason, What};
use super::reply::State;
use super::user::User;

/// An attached device, and how many more offers it can hold.
pub(super) struct Place {
    pub device: DeviceId,
    connection: ConnectionId,
    room: usize,
    /// It is the visible device that became visible last.
    is_active: bool,
}

impl User {
    /// Moves what a hidden device must give up, and offers what waits. Called at the end of every command.
    pub fn fill(&mut self, context: &mut Context<'_>) {
        self.spread_out(context);
        self.move_from_hidden(context);
        // Mostly, all that waits is on a screen: then nothing needs to be known of places.
        if !self.replay.iter().any(Delivery::may_be_offered) {
            return;
        }
        let mut places = self.places();
        if places.is_empty() {
            return;
        }
        let mut index = 0;
        while index < self.replay.len() {
            let delivery = self.replay.get(index);
            match places.iter_mut().find(|place| self.fits(place, delivery, context)) {
                None => index += 1,
                // Somebody has the last offer on the screen: the others wait for what comes of it.
                Some(_) if delivery.is_offered_out() && !delivery.holders().is_empty() => index += 1,
                Some(_) if delivery.is_offered_out() => self.settle(context, index, Ending::because(State::Expired, Reason::MaxOffers)),
                Some(place) => {
                    place.room -= 1;
                    self.offer(context, index, place);
                }
            }
        }
    }

    fn offer(&mut self, context: &mut Context<'_>, index: usize, place: &Place) {
        let delivery = self.replay.get_mut(index);
        let offer = delivery.offer_to(&place.device, context.at);
        context.report(What::Offered, About::delivery(delivery, Some(&place.device)));
        context.tell(place.connection, Action::Offer(Box::new(offer)));
    }

    /// The attached devices, with the room that each has.
    pub fn places(&self) -> Vec<Place> {
        let active = self.devices.active().map(|device| &device.id);
        let attached = self.devices.iter().filter(|device| device.is_attached());
        attached
            .map(|device| Place {
                device: device.id.clone(),
                connection: device.connection,
                room: usize::from(device.max_in_flight).saturating_sub(self.replay.held_count(&device.id)),
                is_active: active == Some(&device.id),
            })
            .collect()
    }

    /// Whether this delivery can be offered at this place now.
    pub fn fits(&self, place: &Place, delivery: &Delivery, context: &Context<'_>) -> bool {
        place.fits(delivery, context) && self.is_off_other_screens(delivery)
    }

    /// Whether all who were told to take it off the screen are connected, so that the word reaches them. The word to one on a lease may be lost.
    pub fn is_off_other_screens(&self, delivery: &Delivery) -> bool {
        mutant!(WithdrawNotAwaited) || delivery.former().iter().all(|device| self.devices.get(device).is_none_or(Device::is_attached))
    }

    /// A hidden holder keeps what it holds only until another device is visible.
    fn move_from_hidden(&mut self, context: &mut Context<'_>) {
        if self.devices.active().is_none() {
            return;
        }
        let devices = &self.devices;
        for delivery in self.replay.iter_mut().filter(|delivery| delivery.is_for_active()) {
            let Some(holder) = delivery.holders().first().and_then(|holder| devices.get(&holder.device)) else { continue };
            if holder.is_attached() && !holder.is_in_sight() {
                let (id, window, at) = (delivery.id(), delivery.window, context.at);
                if !mutant!(MovedWithoutWithdraw) {
                    context.tell(holder.connection, Action::Withdraw { id, window, reason: WithdrawReason::Moved, at });
                }
                delivery.part_from(&holder.id);
            }
        }
    }
}

impl Place {
    /// Whether this delivery is for this device, and it has room for it.
    fn fits(&self, delivery: &Delivery, context: &Context<'_>) -> bool {
        self.room > 0 && !delivery.is_waiting(context.at) && self.is_target_of(delivery) && !delivery.is_held_by(&self.device)
    }

    fn is_target_of(&self, delivery: &Delivery) -> bool {
        match delivery.device() {
            Some(device) => *device == self.device,
            None if delivery.is_for_active() => self.is_active && delivery.holders().is_empty(),
            None => true,
        }
    }
}
