//! How devices go: they close, are lost and have a lease, or show and hide themselves.

use super::command::{Departure, Visibility};
use super::context::Context;
use super::ids::{ConnectionId, DeviceId, EdgeId};
use super::time::LedgerTime;
use super::user::User;

impl User {
    /// A connection ended. Of an earlier connection of the device it means nothing.
    pub fn detach(&mut self, context: &Context<'_>, device: &DeviceId, connection: ConnectionId, departure: Departure) {
        let Some(known) = self.devices.get(device).filter(|known| known.connection == connection) else { return };
        match departure {
            Departure::Closed => self.drop_device(device),
            Departure::Lost if mutant!(LostCountsAsClosed) => self.drop_device(device),
            Departure::Lost if known.is_attached() => self.lose_device(context, device),
            // Its lease runs already.
            Departure::Lost => {}
        }
    }

    /// It keeps what it holds, and its place among those that became visible: perhaps its connection goes on, and only the way to it is broken. Where places are
    /// short, a device that can't have anything on its screen goes at once.
    fn lose_device(&mut self, context: &Context<'_>, device: &DeviceId) {
        let is_crowded = self.devices.len() > context.settings.devices_max as usize;
        if is_crowded && !self.replay.is_shown_on(device) {
            return self.devices.remove(device);
        }
        if let Some(device) = self.devices.get_mut(device) {
            device.lease_until = Some(context.at.plus(context.settings.lease));
        }
    }

    /// A leader takes over. Connections of edges that are not among these may be gone: they have until then to report in, and so have those that were on a lease.
    pub fn start_leases(&mut self, until: LedgerTime, edges: &[EdgeId]) {
        for device in self.devices.iter_mut() {
            if !device.is_attached() || !edges.contains(&device.connection.edge) {
                device.lease_until = Some(until);
            }
        }
    }

    /// Those that are on a lease have until then to come back. Whether there are any.
    pub fn renew_leases(&mut self, until: LedgerTime) -> bool {
        let mut any = false;
        for device in self.devices.iter_mut().filter(|device| !device.is_attached()) {
            device.lease_until = Some(until);
            any = true;
        }
        any
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
