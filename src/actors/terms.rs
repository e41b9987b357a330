//! Which shards this node owns, and in which term it took each over. Read at every word that comes for an owner: plain atomics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ledger::ids::ShardId;

/// See the head of the file.
#[derive(Debug)]
pub struct Terms {
    /// By shard; 0: not owned here. Terms of owners begin at 1.
    terms: Box<[AtomicU64]>,
}

impl Terms {
    /// Of so many shards, none of them owned.
    #[must_use]
    pub fn new(shard_count: u16) -> Terms {
        Terms { terms: (0..shard_count).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The term in which this node owns the shard, if it does.
    #[must_use]
    pub fn of(&self, shard: ShardId) -> Option<u64> {
        let term = self.terms.get(usize::from(shard.0))?.load(Ordering::Acquire);
        (term > 0).then_some(term)
    }

    /// This node owns the shard.
    pub fn own(&self, shard: ShardId, term: u64) {
        self.set(shard, term);
    }

    /// It does not any more.
    pub fn disown(&self, shard: ShardId) {
        self.set(shard, 0);
    }

    fn set(&self, shard: ShardId, term: u64) {
        if let Some(place) = self.terms.get(usize::from(shard.0)) {
            place.store(term, Ordering::Release);
        }
    }
}
