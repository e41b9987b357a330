//! What a connection that attaches has on its screen, against what its device holds: what is too much is withdrawn, what is missing is told. Offers that are new are
//! made in `offer`.

use super::attach::Arrival;
use super::command::{Attach, Greeting, Key, Visibility};
use super::context::Context;
use super::delivery::Delivery;
use super::effect::{Action, WithdrawReason};
use super::ids::ConnectionId;
use super::reply::State;
use super::user::{User, withdraw_reason};

/// The highest step of a key that a connection was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Step(u32),
    /// A new connection: its client knows what it knew before.
    Unknown,
}

impl User {
    /// Brings the screen of an attached connection into line with the ledger.
    pub fn match_screen(&mut self, context: &mut Context<'_>, attach: &Attach, arrival: Arrival) {
        for delivery in self.replay.iter_mut() {
            delivery.clear(&attach.device);
        }
        if arrival == Arrival::New {
            self.release_unless_open(attach);
        }
        for (index, key) in attach.open.iter().enumerate() {
            let told = match &attach.greeting {
                // A step that is missing was not told: once too often does no harm.
                Greeting::Again { steps, .. } => Told::Step(steps.get(index).copied().unwrap_or(0)),
                Greeting::Hello if arrival == Arrival::Repeated => Told::Step(0),
                Greeting::Hello => Told::Unknown,
            };
            self.reopen(context, attach, key, told);
        }
        if arrival != Arrival::New {
            self.offer_lost(context, attach);
        }
    }

    /// What the device held before and does not name is not on its screen any more.
    fn release_unless_open(&mut self, attach: &Attach) {
        for delivery in self.replay.iter_mut().filter(|delivery| !is_open(attach, delivery)) {
            delivery.release(&attach.device);
        }
    }

    /// What the device holds and does not name was offered by a command whose effects were lost. It is the same offer, made again: neither counted nor reported.
    ///
    /// Not more than it asked for: what it held beyond that, from a connection that asked for more, was good while it was on the screen.
    fn offer_lost(&mut self, context: &mut Context<'_>, attach: &Attach) {
        let mut held_count = self.replay.iter().filter(|delivery| delivery.is_held_by(&attach.device)).count();
        for index in 0..self.replay.len() {
            let delivery = self.replay.get(index);
            let Some(holder) = delivery.holders().iter().find(|holder| holder.device == attach.device) else { continue };
            if is_open(attach, delivery) && !mutant!(HeldIsOfferedAgain) {
                continue;
            }
            let is_in_place = attach.visibility == Visibility::Visible && self.is_off_other_screens(delivery);
            if delivery.is_for_active() && !is_in_place {
                // It was never on this screen, and is not to be now: whoever is next gets this offer.
                self.replay.get_mut(index).take_back_offer(&attach.device);
            } else if holder.offer == 0 || held_count > usize::from(attach.max_in_flight) {
                held_count -= 1;
                self.replay.get_mut(index).release(&attach.device);
            } else {
                let offer = delivery.offer_message(holder.offer, context.at);
                context.tell(attach.connection, Action::Offer(Box::new(offer)));
            }
        }
    }

    /// The device has this key on its screen: it holds it from now on, or is told to take it off.
    fn reopen(&mut self, context: &mut Context<'_>, attach: &Attach, key: &Key, told: Told) {
        let device = &attach.device;
        let Some(index) = self.replay.find(key, device) else {
            let state = self.settled.find(key, device).map_or(State::Expired, |record| record.state);
            return withdraw(context, attach.connection, key, withdraw_reason(state));
        };
        let delivery = self.replay.get(index);
        if delivery.is_held_by(device) {
            return tell_step(context, attach.connection, delivery, told);
        }
        if !self.may_hold(context, attach, delivery) {
            // The word may be lost again: until it reports in once more it may show it.
            self.replay.get_mut(index).part_from(device);
            return withdraw(context, attach.connection, key, WithdrawReason::Moved);
        }
        let is_moved = delivery.is_for_active() && !delivery.holders().is_empty();
        if is_moved {
            self.move_here(context, index, key);
        }
        let delivery = self.replay.get_mut(index);
        delivery.hold(device, 0);
        let told = if is_moved && told == Told::Unknown { Told::Step(0) } else { told };
        tell_step(context, attach.connection, delivery, told);
    }

    /// Whether a device may hold what it shows and does not hold.
    fn may_hold(&self, context: &Context<'_>, attach: &Attach, delivery: &Delivery) -> bool {
        if delivery.is_waiting(context.at) {
            return false;
        }
        if !delivery.is_for_active() {
            return true;
        }
        let is_active = self.devices.active().is_none_or(|active| active.id == attach.device);
        let holder = delivery.holders().first().and_then(|holder| self.devices.get(&holder.device));
        // A hidden holder gives way to this device, if that is visible; any other holder keeps it.
        let gives_way =
            holder.is_none_or(|holder| holder.is_attached() && !holder.is_in_sight() && attach.visibility == Visibility::Visible);
        is_active && gives_way
    }

    /// A hidden holder is told that another device has it.
    fn move_here(&mut self, context: &mut Context<'_>, index: usize, key: &Key) {
        for holder in self.replay.get(index).holders().to_vec() {
            if let Some(connection) = self.devices.connection_of(&holder.device) {
                withdraw(context, connection, key, WithdrawReason::Moved);
            }
            self.replay.get_mut(index).part_from(&holder.device);
        }
    }
}

fn is_open(attach: &Attach, delivery: &Delivery) -> bool {
    attach.open.iter().any(|key| delivery.is_key(key, &attach.device))
}

/// Others may have gone on with what this connection shows.
fn tell_step(context: &mut Context<'_>, connection: ConnectionId, delivery: &Delivery, told: Told) {
    let step = u32::from(delivery.step);
    let is_behind = match told {
        Told::Step(told) => step > told,
        // One device at a time has it: while this one was away, nobody is likely to have gone on.
        Told::Unknown => step > 0 && !delivery.is_for_active() && delivery.device().is_none(),
    };
    if is_behind {
        let (id, data) = (delivery.id(), delivery.data().cloned());
        context.tell(connection, Action::Progress { id, window: delivery.window, step, data });
    }
}

fn withdraw(context: &mut Context<'_>, connection: ConnectionId, key: &Key, reason: WithdrawReason) {
    let at = context.at;
    context.tell(connection, Action::Withdraw { id: key.id.clone(), window: key.window, reason, at });
}
