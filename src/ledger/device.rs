//! The devices of one user that are attached, or gone for less than the lease. Holds no deliveries: a delivery knows its holders.

use serde::{Deserialize, Serialize};

use super::command::{By, Visibility};
use super::ids::{ConnectionId, DeviceId};
use super::time::LedgerTime;

/// A device that is connected, or keeps what it holds on a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Device {
    pub id: DeviceId,
    /// Where effects go to; the last one, while the device is on a lease.
    pub connection: ConnectionId,
    pub connected_at: LedgerTime,
    pub visibility: Visibility,
    /// Counts the user's devices becoming visible: the highest became visible last. 0: it never was, as far as is known.
    pub visible_order: u64,
    pub max_in_flight: u16,
    /// Its connection was lost: it keeps what it holds until then, and gets nothing.
    pub lease_until: Option<LedgerTime>,
}

impl Device {
    /// Whether effects can reach it.
    pub fn is_attached(&self) -> bool {
        self.lease_until.is_none()
    }

    /// Whether a person is in front of it, as far as is known.
    pub fn is_in_sight(&self) -> bool {
        self.is_attached() && self.visibility == Visibility::Visible
    }
}

/// All devices of a user, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Devices {
    list: Vec<Device>,
    /// How often a device became visible.
    visible_count: u64,
}

impl Devices {
    pub fn iter(&self) -> impl Iterator<Item = &Device> {
        self.list.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Device> {
        self.list.iter_mut()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn get(&self, id: &DeviceId) -> Option<&Device> {
        self.list.iter().find(|device| device.id == *id)
    }

    pub fn get_mut(&mut self, id: &DeviceId) -> Option<&mut Device> {
        self.list.iter_mut().find(|device| device.id == *id)
    }

    /// How many are attached.
    pub fn attached_count(&self) -> usize {
        self.list.iter().filter(|device| device.is_attached()).count()
    }

    /// Where effects for this device go to; none when it is not attached.
    pub fn connection_of(&self, id: &DeviceId) -> Option<ConnectionId> {
        self.get(id).filter(|device| device.is_attached()).map(|device| device.connection)
    }

    /// The connection of a holder that must be told what was done; none where it was the one that did it, and is answered.
    pub fn connection_to_tell(&self, holder: &DeviceId, by: Option<&By>) -> Option<ConnectionId> {
        let connection = self.connection_of(holder)?;
        let is_answered = by.is_some_and(|by| by.device == *holder && by.connection.is_none_or(|own| own == connection));
        (!is_answered).then_some(connection)
    }

    /// The attached, visible device that became visible last.
    pub fn active(&self) -> Option<&Device> {
        self.list.iter().filter(|device| device.is_in_sight()).max_by_key(|device| device.visible_order)
    }

    /// Puts a device in that comes now, in the place of an earlier one with its id.
    pub fn put(&mut self, mut device: Device) {
        if device.visibility == Visibility::Visible {
            self.visible_count += 1;
            device.visible_order = self.visible_count;
        }
        self.put_back(device);
    }

    /// Puts a device in that came before; becoming visible is not counted.
    pub fn put_back(&mut self, device: Device) {
        match self.get_mut(&device.id) {
            Some(place) => *place = device,
            None => {
                // Most users have one: no room is made for more ahead of time.
                self.list.reserve_exact(1);
                self.list.push(device);
            }
        }
    }

    /// Takes a device out.
    pub fn remove(&mut self, id: &DeviceId) {
        self.list.retain(|device| device.id != *id);
    }

    /// A device says whether it can be seen. Saying it again changes nothing.
    pub fn set_visibility(&mut self, id: &DeviceId, visibility: Visibility) {
        let order = self.visible_count + 1;
        let Some(device) = self.get_mut(id) else { return };
        let becomes_visible = visibility == Visibility::Visible && device.visibility == Visibility::Hidden;
        device.visibility = visibility;
        if becomes_visible {
            device.visible_order = order;
            self.visible_count = order;
        }
    }
}
