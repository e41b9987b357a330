//! The live connections of one user, as its actor knows them, on whichever nodes. Small: a user has a handful of devices.

use std::sync::Arc;

use super::desk::{Desk, NotDelivered};
use super::work::Arrival;
use crate::ledger::command::Visibility;
use crate::ledger::engagement::Targets;
use crate::ledger::ids::{ConnectionId, DeviceId, ShardId};
use crate::ports::peers::NodeId;
use crate::ports::session::{Attempt, Item, ToEdge};

/// A connection that an edge asked to attach. Dropped without having been let go of, it tells its edge to ask anew: its actor died.
pub struct Live {
    pub connection: ConnectionId,
    pub device: DeviceId,
    /// The node that holds it.
    pub node: NodeId,
    /// Which attach of it this is.
    attempt: u32,
    shard: ShardId,
    term: u64,
    desk: Arc<dyn Desk>,
    has_left: bool,
    /// The ledger has taken this attach. Before, its effects for the connection mean nothing: it tells them again with the attach.
    pub is_attached: bool,
    /// What the device said last.
    pub visibility: Visibility,
    /// A `Visible` command is on its way.
    pub is_telling: bool,
    /// Counts up over the user's connections: when it became visible, and when it connected.
    visible_order: u64,
    connect_order: u64,
}

impl Live {
    /// A connection whose attach goes to the ledger now.
    pub fn new(shard: ShardId, arrival: &Arrival) -> Live {
        let Arrival { node, desk, term, attempt, attach, .. } = arrival;
        Live {
            connection: attach.connection,
            device: attach.device.clone(),
            node: *node,
            attempt: *attempt,
            shard,
            term: *term,
            desk: Arc::clone(desk),
            has_left: false,
            is_attached: false,
            visibility: attach.visibility,
            is_telling: false,
            visible_order: 0,
            connect_order: 0,
        }
    }

    /// Which attach of which connection it is.
    pub fn attempt(&self) -> Attempt {
        Attempt { connection: self.connection, number: self.attempt }
    }

    /// Tells its edge something.
    ///
    /// # Errors
    /// [`NotDelivered`].
    pub fn tell(&self, items: Vec<Item>) -> Result<(), NotDelivered> {
        self.desk.deliver(ToEdge { attempt: self.attempt(), shard: self.shard, term: self.term, items })
    }

    /// Drops it without a word.
    pub fn leave(mut self) {
        self.has_left = true;
    }

    /// Drops it and tells its edge to ask anew. Gives the way back, where that was not heard.
    pub fn send_back(mut self) -> Option<SentBack> {
        self.has_left = true;
        let back = SentBack { desk: Arc::clone(&self.desk), words: not_now(self.attempt(), self.shard, self.term), tries: 0 };
        back.tell()
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Live({} {})", self.connection, self.attempt)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if !self.has_left {
            // Unheard, it is a link that is down: the edge asks anew when it is up.
            let _ = self.tell(vec![Item::NotNow]);
        }
    }
}

/// The way to an edge that must be told to ask anew, and could not be told yet.
pub struct SentBack {
    desk: Arc<dyn Desk>,
    words: ToEdge,
    tries: u32,
}

impl SentBack {
    /// How often it was tried in vain.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// Tells it; gives it back, when it was not heard.
    pub fn tell(self) -> Option<SentBack> {
        match self.desk.deliver(self.words.clone()) {
            Err(NotDelivered::NotSent) => Some(SentBack { tries: self.tries + 1, ..self }),
            Ok(()) | Err(NotDelivered::Cut) => None,
        }
    }
}

/// The word to an edge that it must ask anew.
pub fn not_now(attempt: Attempt, shard: ShardId, term: u64) -> ToEdge {
    ToEdge { attempt, shard, term, items: vec![Item::NotNow] }
}

/// All of them.
#[derive(Debug, Default)]
pub struct LiveSet {
    all: Vec<Live>,
    order: u64,
}

impl LiveSet {
    /// Adds a connection; in the place of an earlier attach of it. False: there is a later one already.
    pub fn add(&mut self, mut live: Live) -> bool {
        self.order += 1;
        (live.connect_order, live.visible_order) = (self.order, self.order);
        match self.all.iter().position(|earlier| earlier.connection == live.connection) {
            Some(at) if self.all[at].attempt > live.attempt => {
                live.leave();
                return false;
            }
            Some(at) => {
                // The device is where it was.
                (live.connect_order, live.visible_order) = (self.all[at].connect_order, self.all[at].visible_order);
                std::mem::replace(&mut self.all[at], live).leave();
            }
            None => {
                // Most users have one device: no room is made for more ahead of time.
                self.all.reserve_exact(1);
                self.all.push(live);
            }
        }
        true
    }

    /// Takes one out.
    pub fn remove(&mut self, connection: ConnectionId) -> Option<Live> {
        let at = self.all.iter().position(|live| live.connection == connection)?;
        Some(self.all.swap_remove(at))
    }

    /// Takes all out.
    pub fn take(&mut self) -> Vec<Live> {
        std::mem::take(&mut self.all)
    }

    /// Takes those of one node out.
    pub fn take_of(&mut self, node: NodeId) -> Vec<Live> {
        self.all.extract_if(.., |live| live.node == node).collect()
    }

    /// Finds one.
    pub fn get(&self, connection: ConnectionId) -> Option<&Live> {
        self.all.iter().find(|live| live.connection == connection)
    }

    /// Finds one, to change it.
    pub fn get_mut(&mut self, connection: ConnectionId) -> Option<&mut Live> {
        self.all.iter_mut().find(|live| live.connection == connection)
    }

    /// Finds one, if this attach of it is the last.
    pub fn of_attempt(&self, attempt: Attempt) -> Option<&Live> {
        self.get(attempt.connection).filter(|live| live.attempt == attempt.number)
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
