//! The users of a shard, copy-on-write: a view of all of them costs a copy of the bucket list, and a change after it copies one bucket's list and one user.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ids::UserId;
use super::user::User;

/// So many that a bucket of a shard with a million users is copied in some ten microseconds.
const BUCKETS: usize = 1024;

type Bucket = BTreeMap<UserId, Arc<User>>;

/// The users, in buckets by a hash that is the same everywhere and for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Store {
    /// Invariant: [`BUCKETS`] of them.
    buckets: Vec<Arc<Bucket>>,
    count: usize,
}

impl Default for Store {
    fn default() -> Self {
        // All share one empty bucket until they are written to.
        Store { buckets: vec![Arc::default(); BUCKETS], count: 0 }
    }
}

fn bucket_of(user: &UserId) -> usize {
    (xxhash_rust::xxh3::xxh3_64(user.as_bytes()) >> 32) as usize % BUCKETS
}

impl Store {
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn get(&self, user: &UserId) -> Option<&User> {
        self.buckets[bucket_of(user)].get(user).map(Arc::as_ref)
    }

    pub fn get_mut(&mut self, user: &UserId) -> Option<&mut User> {
        let bucket = &mut self.buckets[bucket_of(user)];
        // Looked for first: a miss must not copy a bucket that a view shares.
        if !bucket.contains_key(user) {
            return None;
        }
        Arc::make_mut(bucket).get_mut(user).map(Arc::make_mut)
    }

    /// The user, new if unknown.
    pub fn get_or_insert(&mut self, user: &UserId) -> &mut User {
        let bucket = Arc::make_mut(&mut self.buckets[bucket_of(user)]);
        let count = &mut self.count;
        let entry = bucket.entry(user.clone()).or_insert_with(|| {
            *count += 1;
            Arc::default()
        });
        Arc::make_mut(entry)
    }

    pub fn remove(&mut self, user: &UserId) {
        let bucket = &mut self.buckets[bucket_of(user)];
        if bucket.contains_key(user) {
            Arc::make_mut(bucket).remove(user);
            self.count -= 1;
        }
    }

    /// All users, in an order that depends on their ids alone.
    pub fn iter(&self) -> impl Iterator<Item = (&UserId, &User)> {
        self.buckets.iter().flat_map(|bucket| bucket.iter()).map(|(id, user)| (id, user.as_ref()))
    }
}
