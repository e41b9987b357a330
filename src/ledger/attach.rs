//! How devices come: a hello on a new connection, or an edge's report of one that goes on. What is on the screen is brought into line in `screen`.

use super::command::{Attach, By, Greeting};
use super::context::Context;
use super::device::Device;
use super::effect::{Action, CloseReason};
use super::ids::DeviceId;
use super::reply::{AckReply, AttachReply};
use super::user::User;
use super::window::Window;

/// Whose connection it is that attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A connection that the ledger does not know says hello.
    New,
    /// A connection that the ledger knows says hello once more: the answer to the first one was lost, with all that followed it.
    Repeated,
    /// An edge reports a connection that goes on.
    Again,
}

impl User {
    /// Acks first (G9), then the place, then what is on the screen, then the offers.
    pub fn attach(&mut self, context: &mut Context<'_>, attach: &Attach) -> AttachReply {
        let mut acks = if mutant!(OffersBeforeAcks) { Vec::new() } else { self.take_acks(context, attach) };
        let known = self.devices.get(&attach.device).map(|device| device.connection);
        let arrival = match attach.greeting {
            // The ledger's connection came later than any that is reported again: it stays, also while it is on a lease.
            Greeting::Again { .. } if known.is_some_and(|known| known != attach.connection) => return AttachReply::Replaced,
            Greeting::Again { .. } => Arrival::Again,
            Greeting::Hello if known == Some(attach.connection) => Arrival::Repeated,
            Greeting::Hello => Arrival::New,
        };
        if !self.has_place_for(context, &attach.device) {
            return AttachReply::TooManyDevices { acks };
        }
        // What the passing of time has just told this connection is found missing below, and must not be told twice.
        context.effects.retain(|effect| effect.connection != attach.connection);
        let window = self.ensure_window(context);
        self.take_place(context, attach, arrival);
        self.spread_out(context);
        tell_window(context, attach, window);
        self.match_screen(context, attach, arrival);
        self.fill(context);
        if !matches!(attach.greeting, Greeting::Again { is_caught_up: true, .. }) {
            context.tell(attach.connection, Action::CaughtUp);
        }
        if mutant!(OffersBeforeAcks) {
            acks = self.take_acks(context, attach);
        }
        AttachReply::Attached { window, acks }
    }

    fn take_acks(&mut self, context: &mut Context<'_>, attach: &Attach) -> Vec<AckReply> {
        let by = By::posted(attach.device.clone());
        attach.acks.iter().map(|ack| self.ack(context, &by, ack)).collect()
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

    fn take_place(&mut self, context: &mut Context<'_>, attach: &Attach, arrival: Arrival) {
        if let Some(known) = self.devices.get_mut(&attach.device).filter(|_| arrival != Arrival::New) {
            known.lease_until = None;
            known.max_in_flight = attach.max_in_flight;
            return self.devices.set_visibility(&attach.device, attach.visibility);
        }
        if let Some(earlier) = self.devices.connection_of(&attach.device) {
            context.tell(earlier, Action::Close(CloseReason::Replaced));
        }
        let device = Device {
            id: attach.device.clone(),
            connection: attach.connection,
            connected_at: context.at,
            visibility: attach.visibility,
            visible_order: 0,
            max_in_flight: attach.max_in_flight,
            lease_until: None,
        };
        match arrival {
            // Its lease ran out meanwhile. That its edge can be reached again is not a person who turns to it.
            Arrival::Again => self.devices.put_back(device),
            Arrival::New | Arrival::Repeated => self.devices.put(device),
        }
    }
}

/// A hello's answer says which window is open; a connection that goes on may know another.
fn tell_window(context: &mut Context<'_>, attach: &Attach, open: Window) {
    if let Greeting::Again { window, .. } = attach.greeting
        && window != Some(open.id)
    {
        context.tell(attach.connection, Action::Window(open));
    }
}
