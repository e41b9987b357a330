//! All groups of a node, by their numbers. A shard's group can be replaced by a new one while the rest goes on.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::group::Group;
use super::meta_group::MetaGroup;
use super::seat::Seat;
use super::types::META_GROUP;
use crate::ledger::ids::ShardId;

/// The shards' groups and the meta group.
pub struct Groups {
    pub shards: Vec<Slot>,
    pub meta: Arc<MetaGroup>,
}

/// The place of a shard's group.
pub struct Slot {
    pub current: ArcSwap<Group>,
    /// Held while it is replaced.
    pub replacing: tokio::sync::Mutex<()>,
}

impl Slot {
    pub fn new(group: Group) -> Slot {
        Slot { current: ArcSwap::from_pointee(group), replacing: tokio::sync::Mutex::new(()) }
    }
}

impl Groups {
    /// All of them.
    pub fn count(&self) -> usize {
        self.shards.len() + 1
    }

    /// A shard's group.
    pub fn shard(&self, shard: ShardId) -> Option<Arc<Group>> {
        Some(self.slot(shard)?.current.load_full())
    }

    /// The same, for a moment.
    pub fn peek(&self, shard: ShardId) -> Option<Guard<Arc<Group>>> {
        Some(self.slot(shard)?.current.load())
    }

    pub fn slot(&self, shard: ShardId) -> Option<&Slot> {
        self.shards.get(usize::from(shard.0))
    }

    /// The shards' groups, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Arc<Group>> + '_ {
        self.shards.iter().map(|slot| slot.current.load_full())
    }

    /// What takes messages from other nodes for a group.
    pub fn seat(&self, id: ShardId) -> Option<Seat> {
        if id == META_GROUP {
            return Some(self.meta.core.seat());
        }
        self.peek(id).map(|group| group.core.seat())
    }
}
