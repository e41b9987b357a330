//! Lets go of replicas that this node is not to hold any more, once it knows from their owners that they count for nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tracing::{info, warn};

use super::balancer_ops::OpError;
use super::directory::Directory;
use crate::ledger::ids::ShardId;
use crate::shard::Leave;

/// A replica must be found useless twice, this far apart: what an owner said last may be a second old.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The replicas of this node.
#[async_trait]
pub trait Replicas: Send + Sync {
    /// The last change of members that this node has of a shard; none where it has nothing of the shard.
    fn last_change(&self, shard: ShardId) -> Option<u64>;
    /// Lets go of all that it has of a shard, but for its vote; unless another change than this has come since.
    ///
    /// # Errors
    /// [`OpError`].
    async fn wipe(&self, shard: ShardId, leave: Leave) -> Result<(), OpError>;
}

/// Wipes what is left over, for as long as it is polled.
pub async fn wipe_leftovers(directory: Arc<Directory>, replicas: Arc<dyn Replicas>) {
    let mut before = BTreeMap::new();
    loop {
        before = wipe_if_found_twice(&directory, replicas.as_ref(), &before).await;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Wipes what was found useless before and is still; gives what is useless now.
async fn wipe_if_found_twice(
    directory: &Directory,
    replicas: &dyn Replicas,
    before: &BTreeMap<ShardId, Leave>,
) -> BTreeMap<ShardId, Leave> {
    let useless = look(directory, replicas);
    let is_found_again = |shard: &ShardId, leave: &Leave| before.get(shard).is_some_and(|before| before.last_change == leave.last_change);
    for (shard, leave) in useless.iter().filter(|(shard, leave)| is_found_again(shard, leave)) {
        match replicas.wipe(*shard, *leave).await {
            Ok(()) => info!(shard = shard.0, "the replica is not wanted any more and is gone"),
            Err(error) => warn!(shard = shard.0, %error, "the replica is not wanted any more and could not be wiped"),
        }
    }
    useless
}

/// The shards of which this node has something, is to hold nothing, and is no member, by the word of an owner whose change is committed.
fn look(directory: &Directory, replicas: &dyn Replicas) -> BTreeMap<ShardId, Leave> {
    let (state, me) = (directory.meta().state(), directory.node());
    let useless = |shard: ShardId| {
        // Before the owner's word is looked at: a change that comes later is seen.
        let last_change = replicas.last_change(shard)?;
        let placed = state.placement.get(&shard)?;
        let (owner, owned) = directory.shard(shard)?;
        let members = &owned.members;
        let is_member = members.voters.contains(&me) || members.learners.contains(&me);
        let is_useless = owner != me && !placed.voters.contains(&me) && !is_member && !members.is_changing;
        is_useless.then_some((shard, Leave { last_change, owner_index: owned.applied_index }))
    };
    (0..directory.shard_count()).map(ShardId).filter_map(useless).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;
    use crate::clock;
    use crate::cluster::balancer_ops::GroupMembers;
    use crate::cluster::fakes_for_tests::{directory, do_to, meta_of};
    use crate::cluster::meta::Placed;
    use crate::cluster::meta_command::Command;
    use crate::cluster::pulse::{About, Echo, Owned, Pulse};
    use crate::ledger::ids::EdgeId;
    use crate::ports::peers::NodeId;

    #[derive(Default)]
    struct Held(Mutex<BTreeMap<ShardId, u64>>);

    #[async_trait]
    impl Replicas for Held {
        fn last_change(&self, shard: ShardId) -> Option<u64> {
            self.0.lock().unwrap().get(&shard).copied()
        }

        async fn wipe(&self, shard: ShardId, leave: Leave) -> Result<(), OpError> {
            assert_eq!(self.0.lock().unwrap().remove(&shard), Some(leave.last_change));
            assert_eq!(leave.owner_index, 70 + u64::from(shard.0), "as the owner said");
            Ok(())
        }
    }

    #[tokio::test]
    async fn only_what_counts_for_nobody_is_wiped() {
        let meta = meta_of(2);
        let directory = directory(2, &meta);
        directory.link_up(NodeId(1), 1);
        let placed = |voters: &[u64]| Placed { voters: voters.iter().copied().map(NodeId).collect(), leader: Some(NodeId(1)) };
        let placement = BTreeMap::from([
            (ShardId(0), placed(&[1])),
            (ShardId(1), placed(&[1, 2])),
            (ShardId(2), placed(&[1])),
            (ShardId(3), placed(&[1])),
        ]);
        let nodes_revision = meta.state().nodes_revision;
        let _ = do_to(&meta, Command::SetPlacement { nodes_revision, placement, meta_voters: vec![NodeId(1)] });
        let alone = GroupMembers { voters: vec![NodeId(1)], ..GroupMembers::default() };
        let changing = GroupMembers { is_changing: true, ..alone.clone() };
        let both = GroupMembers { learners: vec![NodeId(2)], ..alone.clone() };
        let owned = [(0, alone.clone()), (1, alone), (2, changing), (3, both)];
        let owned = owned
            .map(|(shard, members)| (ShardId(shard), Owned { term: 1, members, applied_index: 70 + u64::from(shard), ..Owned::default() }));
        let about = About { run: EdgeId(1), owned: BTreeMap::from(owned), ..About::default() };
        let now_ms = clock::monotonic_ms();
        let pulse = Pulse { sent_at_ms: 1, echo: Some(Echo { run: EdgeId(2), sent_at_ms: now_ms }), about };
        directory.take(NodeId(1), pulse, now_ms);

        let held = Held::default();
        held.0.lock().unwrap().extend((0..4).map(|shard| (ShardId(shard), 7)));
        let found = wipe_if_found_twice(&directory, &held, &BTreeMap::new()).await;
        assert_eq!((found.len(), held.0.lock().unwrap().len()), (1, 4), "it is looked at twice");
        held.0.lock().unwrap().insert(ShardId(0), 8);
        let found = wipe_if_found_twice(&directory, &held, &found).await;
        assert_eq!(held.0.lock().unwrap().len(), 4, "a change of members has come in between");
        wipe_if_found_twice(&directory, &held, &found).await;
        assert_eq!(held.0.lock().unwrap().keys().map(|shard| shard.0).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
