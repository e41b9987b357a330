//! What a user's devices do: attach, detach, show and hide themselves.

use super::command::{Attach, Departure, Key, Visibility};
use super::context::Context;
use super::device::Device;
use super::effect::{Action, CloseReason, WithdrawReason};
use super::ids::{ConnectionId, DeviceId, EdgeId};
use super::reply::{AckReply, AttachReply, State};
use super::user::{User, withdraw_reason};

impl User {
    /// A hello: acks first (G9), then the place, then what is on the screen, then the offers.
    pub fn attach(&mut self, context: &mut Context<'_>, attach: &Attach) -> AttachReply {
        let acks: Vec<AckReply> = attach.acks.iter().map(|ack| self.ack(context, &attach.device, ack)).collect();
        if !self.has_place_for(context, &attach.device) {
            return AttachReply::TooManyDevices { acks };
        }
        let window = self.ensure_window(context);
        self.take_place(context, attach);
        self.spread_out(context);
        self.release_unless_open(attach);
        for key in &attach.open {
            self.reopen(context, attach, key);
        }
        self.fill(context);
        context.tell(attach.connection, Action::CaughtUp);
        AttachReply::Attached { window, acks }
    }

    /// Devices on a lease have places of their own, as many again, so that a flaky network does not lock a person out.
    fn has_place_for(&self, context: &Context<'_>, device: &DeviceId) -> bool {
        let devices_max = context.settings.devices_max as usize;
        match self.devices.get(device) {
            Some(known) if known.is_attached() => true,
            Some(_) => self.devices.attached_count() < devices_max,
            None => self.devices.attached_count() < devices_max && self.devices.len() < 2 * devices_max,
        }
    }

    fn take_place(&mut self, context: &mut Context<'_>, attach: &Attach) {
        if let Some(earlier) = self.devices.connection_of(&attach.device)
            && earlier != attach.connection
        {
            context.tell(earlier, Action::Close(CloseReason::Replaced));
        }
        self.devices.put(Device {
            id: attach.device.clone(),
            connection: attach.connection,
            connected_at: context.at,
            visibility: attach.visibility,
            visible_order: 0,
            max_in_flight: attach.max_in_flight,
            lease_until: None,
        });
    }

    /// What the device held before and does not name is not on its screen any more.
    fn release_unless_open(&mut self, attach: &Attach) {
        for delivery in self.replay.iter_mut().filter(|delivery| delivery.is_held_by(&attach.device)) {
            if !attach.open.iter().any(|key| delivery.is_key(key, &attach.device)) {
                delivery.holders.retain(|holder| *holder != attach.device);
            }
        }
    }

    /// The device has this key on its screen: it holds it from now on, or is told to take it off.
    fn reopen(&mut self, context: &mut Context<'_>, attach: &Attach, key: &Key) {
        let device = &attach.device;
        let Some(index) = self.replay.find(key, device) else {
            let state = self.settled.find(key, device).map_or(State::Expired, |record| record.state);
            return withdraw(context, attach.connection, key, withdraw_reason(state));
        };
        let delivery = self.replay.get(index);
        if delivery.is_held_by(device) {
            return;
        }
        if delivery.is_waiting(context.at) {
            return withdraw(context, attach.connection, key, WithdrawReason::Moved);
        }
        if delivery.is_for_active() {
            let is_active = self.devices.active().is_none_or(|active| active.id == *device);
            let holder = delivery.holders.first().and_then(|holder| self.devices.get(holder));
            // A hidden holder gives way to this device, if that is visible; any other holder keeps it.
            let gives_way =
                holder.is_none_or(|holder| holder.is_attached() && !holder.is_in_sight() && attach.visibility == Visibility::Visible);
            if !is_active || !gives_way {
                return withdraw(context, attach.connection, key, WithdrawReason::Moved);
            }
            if let Some(connection) = holder.map(|holder| holder.connection) {
                withdraw(context, connection, key, WithdrawReason::Moved);
            }
        }
        self.hold_again(context, attach, index);
    }

    /// The device holds what it shows already: no offer is made.
    fn hold_again(&mut self, context: &mut Context<'_>, attach: &Attach, index: usize) {
        let delivery = self.replay.get_mut(index);
        let is_for_active = delivery.is_for_active();
        let is_moved = is_for_active && !delivery.holders.is_empty();
        if is_moved {
            delivery.holders.clear();
        }
        delivery.holders.push(attach.device.clone());
        let may_be_behind = is_moved || (!is_for_active && delivery.device.is_none());
        if may_be_behind && delivery.step > 0 {
            // Another device may have gone on while this one was away.
            let (id, step, data) = (delivery.id().clone(), u32::from(delivery.step), delivery.data.clone());
            let action = Action::Progress { id, window: delivery.window, step, data };
            context.tell(attach.connection, action);
        }
    }

    /// A connection ended. Of an earlier connection of the device it means nothing.
    pub fn detach(&mut self, context: &Context<'_>, device: &DeviceId, connection: ConnectionId, departure: Departure) {
        if self.devices.connection_of(device) != Some(connection) {
            return;
        }
        match departure {
            Departure::Closed => self.drop_device(device),
            Departure::Lost => self.lose_device(context, device),
        }
    }

    /// Connections of edges that are not among these may be gone: they have a lease to report in.
    pub fn lose_edges_but(&mut self, context: &Context<'_>, edges: &[EdgeId]) {
        let is_unknown = |device: &&Device| device.is_attached() && !edges.contains(&device.connection.edge);
        let lost: Vec<DeviceId> = self.devices.iter().filter(is_unknown).map(|device| device.id.clone()).collect();
        for device in &lost {
            self.lose_device(context, device);
        }
    }

    /// A device that holds nothing needs no lease.
    fn lose_device(&mut self, context: &Context<'_>, device: &DeviceId) {
        if self.replay.held_count(device) == 0 {
            return self.devices.remove(device);
        }
        if let Some(device) = self.devices.get_mut(device) {
            device.lease_until = Some(context.at.plus(context.settings.lease));
        }
    }

    /// Takes a device out; what it held is free.
    pub fn drop_device(&mut self, device: &DeviceId) {
        self.devices.remove(device);
        self.replay.release(device);
    }

    /// A device shows or hides itself. Of an earlier connection it means nothing.
    pub fn set_visibility(&mut self, device: &DeviceId, connection: ConnectionId, visibility: Visibility) {
        if self.devices.connection_of(device) == Some(connection) {
            self.devices.set_visibility(device, visibility);
        }
    }
}

fn withdraw(context: &mut Context<'_>, connection: ConnectionId, key: &Key, reason: WithdrawReason) {
    let at = context.at;
    context.tell(connection, Action::Withdraw { id: key.id.clone(), window: key.window, reason, at });
}
