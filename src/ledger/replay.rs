//! The replay buffer of one user: the deliveries that are not settled, in the order in which they are offered. Knows its count and bytes; the user checks the bounds.

use serde::{Deserialize, Serialize};

use super::command::Key;
use super::delivery::Delivery;
use super::ids::{DeviceId, EngagementId};

/// The unsettled deliveries of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Replay {
    /// Invariant: sorted by priority, highest first, then by sequence.
    deliveries: Vec<Delivery>,
    /// Invariant: the sum of the deliveries' bytes.
    bytes: u64,
}

fn order(delivery: &Delivery) -> (i16, u64) {
    (-i16::from(delivery.content.priority()), delivery.sequence)
}

impl Replay {
    pub fn len(&self) -> usize {
        self.deliveries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What was acked with the deliveries, in bytes: beside the bound of the replay buffer, within that of the ledger.
    pub fn data_bytes(&self) -> u64 {
        self.deliveries.iter().filter_map(Delivery::data).map(|data| data.0.len() as u64).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Delivery> {
        self.deliveries.iter_mut()
    }

    pub fn get(&self, index: usize) -> &Delivery {
        &self.deliveries[index]
    }

    pub fn get_mut(&mut self, index: usize) -> &mut Delivery {
        &mut self.deliveries[index]
    }

    pub fn find(&self, key: &Key, device: &DeviceId) -> Option<usize> {
        self.deliveries.iter().position(|delivery| delivery.is_key(key, device))
    }

    /// The deliveries of one engagement id.
    pub fn of<'a>(&'a self, id: &'a EngagementId) -> impl Iterator<Item = &'a Delivery> {
        self.deliveries.iter().filter(move |delivery| delivery.is_of(id))
    }

    /// The first delivery, in the order of offers, that fits.
    pub fn position(&self, fits: impl Fn(&Delivery) -> bool) -> Option<usize> {
        self.deliveries.iter().position(fits)
    }

    pub fn insert(&mut self, delivery: Delivery) {
        self.bytes += delivery.bytes();
        let place = self.deliveries.partition_point(|other| order(other) < order(&delivery));
        if self.deliveries.len() == self.deliveries.capacity() {
            // Little more than there is: most of what waits waits for long.
            self.deliveries.reserve_exact(1 + self.deliveries.len() / 8);
        }
        self.deliveries.insert(place, delivery);
    }

    pub fn remove(&mut self, index: usize) -> Delivery {
        let delivery = self.deliveries.remove(index);
        self.bytes -= delivery.bytes();
        // Most users have nothing waiting most of the time: the memory is given back.
        if self.deliveries.capacity() > 4 + 2 * self.deliveries.len() || self.deliveries.is_empty() {
            self.deliveries.shrink_to_fit();
        }
        delivery
    }

    /// The oldest delivery that nobody holds.
    pub fn oldest_unheld(&self) -> Option<usize> {
        let unheld = self.deliveries.iter().enumerate().filter(|(_, delivery)| delivery.holders().is_empty());
        unheld.min_by_key(|(_, delivery)| delivery.sequence).map(|(index, _)| index)
    }

    pub fn held_count(&self, device: &DeviceId) -> usize {
        self.deliveries.iter().filter(|delivery| delivery.is_held_by(device)).count()
    }

    /// Whether a device shows something, or may still show it.
    pub fn is_shown_on(&self, device: &DeviceId) -> bool {
        self.deliveries.iter().any(|delivery| delivery.is_held_by(device) || delivery.former().contains(device))
    }

    /// A device is gone, with all that it showed.
    pub fn release(&mut self, device: &DeviceId) {
        for delivery in &mut self.deliveries {
            delivery.release(device);
            delivery.clear(device);
        }
    }
}
