//! Which shard a user lives on: a hash that is fixed for ever, since changing it would lose every user.

use xxhash_rust::xxh3::xxh3_64;

use crate::ledger::ids::{ShardId, UserId};

/// The shard of a user among `shard_count` shards.
///
/// # Panics
/// Where `shard_count` is 0.
#[must_use]
pub fn shard_of(user: &UserId, shard_count: u16) -> ShardId {
    assert!(shard_count > 0, "there is at least one shard");
    // The high half of the product spreads as evenly as a remainder and costs no division.
    let hash = u128::from(xxh3_64(user.as_str().as_bytes()));
    let shard = (hash * u128::from(shard_count)) >> 64;
    ShardId(u16::try_from(shard).expect("it is below shard_count"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(user: &str, shard_count: u16) -> u16 {
        shard_of(&UserId::parse(user).unwrap(), shard_count).0
    }

    #[test]
    fn users_stay_on_their_shard_for_ever() {
        assert_eq!(["u1", "alice", "ä survey"].map(|user| shard(user, 16)), [9, 4, 7]);
        assert_eq!(["u1", "alice", "ä survey"].map(|user| shard(user, 1)), [0, 0, 0]);
    }

    #[test]
    fn users_spread_over_all_shards() {
        let mut counts = [0u32; 16];
        for number in 0..16_000 {
            counts[usize::from(shard(&format!("user-{number}"), 16))] += 1;
        }
        assert!(counts.iter().all(|&count| (850..1150).contains(&count)), "{counts:?}");
    }
}
