//! The live connections of one user, as its actor knows them. Small: a user has a handful of devices.

use std::sync::Arc;

use super::outbox::{Ending, Outbox};
use crate::ledger::command::{Attach, Visibility};
use crate::ledger::engagement::Targets;
use crate::ledger::ids::{ConnectionId, DeviceId};

/// A connection that said hello. Dropped without an ending, it ends as `internal`: its actor died.
pub struct Live {
    pub connection: ConnectionId,
    pub device: DeviceId,
    pub outbox: Arc<dyn Outbox>,
    pub max_in_flight: u16,
    /// The ledger has it: it was welcomed.
    pub is_attached: bool,
    /// What the device said last.
    pub visibility: Visibility,
    /// A `Visible` command is on its way.
    pub is_telling: bool,
    /// Counts up over the user's connections: when it became visible, and when it connected.
    pub visible_order: u64,
    pub connect_order: u64,
}

impl Live {
    /// A connection whose hello goes to the ledger now.
    pub fn new(outbox: Arc<dyn Outbox>, attach: &Attach) -> Live {
        Live {
            connection: attach.connection,
            device: attach.device.clone(),
            outbox,
            max_in_flight: attach.max_in_flight,
            is_attached: false,
            visibility: attach.visibility,
            is_telling: false,
            visible_order: 0,
            connect_order: 0,
        }
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Live({})", self.connection)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Without effect where an ending was given before, as it is whenever things go as they should.
        self.outbox.close(Ending::internal());
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct LiveSet {
    all: Vec<Live>,
    order: u64,
}

impl LiveSet {
    /// Adds a connection.
    pub fn add(&mut self, mut live: Live) {
        self.order += 1;
        (live.connect_order, live.visible_order) = (self.order, self.order);
        // Most users have one device: no room is made for more ahead of time.
        self.all.reserve_exact(1);
        self.all.push(live);
    }

    /// Takes one out.
    pub fn remove(&mut self, connection: ConnectionId) -> Option<Live> {
        let at = self.all.iter().position(|live| live.connection == connection)?;
        Some(self.all.swap_remove(at))
    }

    /// The ids of all.
    pub fn connections(&self) -> Vec<ConnectionId> {
        self.all.iter().map(|live| live.connection).collect()
    }

    /// Finds one.
    pub fn get(&self, connection: ConnectionId) -> Option<&Live> {
        self.all.iter().find(|live| live.connection == connection)
    }

    /// Finds one, to change it.
    pub fn get_mut(&mut self, connection: ConnectionId) -> Option<&mut Live> {
        self.all.iter_mut().find(|live| live.connection == connection)
    }

    /// The newest connection of a device.
    pub fn of_device(&self, device: &DeviceId) -> Option<&Live> {
        self.all.iter().filter(|live| live.device == *device).max_by_key(|live| live.connect_order)
    }

    /// Notes what a device said of itself. Returns whether the ledger must be told now.
    pub fn show(&mut self, connection: ConnectionId, visibility: Visibility) -> bool {
        let order = self.order + 1;
        let Some(live) = self.get_mut(connection) else { return false };
        let became_visible = visibility == Visibility::Visible && live.visibility == Visibility::Hidden;
        live.visibility = visibility;
        if became_visible {
            live.visible_order = order;
        }
        // One at a time: when it is answered, what the device said last is told if it differs.
        let tell = !std::mem::replace(&mut live.is_telling, true);
        self.order = order;
        tell
    }

    /// Who gets a notice: with `active` the visible device that became visible last, or, where none is visible, the one that connected last.
    pub fn targets(&self, targets: Targets) -> Vec<ConnectionId> {
        let attached = || self.all.iter().filter(|live| live.is_attached);
        match targets {
            Targets::All => attached().map(|live| live.connection).collect(),
            Targets::Active => {
                let visible = attached().filter(|live| live.visibility == Visibility::Visible).max_by_key(|live| live.visible_order);
                let chosen = visible.or_else(|| attached().max_by_key(|live| live.connect_order));
                chosen.map(|live| live.connection).into_iter().collect()
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
