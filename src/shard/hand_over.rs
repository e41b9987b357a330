//! Before a node stops, it hands the lead of all its groups to others, so that nobody has to wait for an election.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;

use super::change_error::ChangeError;
use super::group::Group;
use super::meta_group::MetaGroup;
use super::shards::Shards;
use crate::ports::peers::NodeId;

/// Hand-overs at a time.
const AT_A_TIME: usize = 4;
/// A group that can't be handed over now may be so a moment later.
const RETRY: Duration = Duration::from_millis(50);

/// A group that may be handed over.
enum Led {
    Shard(Arc<Group>),
    Meta(Arc<MetaGroup>),
}

impl Led {
    /// It is led here, and somebody else could lead it.
    fn is_left(&self) -> bool {
        let core = match self {
            Led::Shard(group) => &group.core,
            Led::Meta(meta) => &meta.core,
        };
        core.led_members().is_ok_and(|members| members.voters.len() > 1)
    }

    fn successors(&self) -> Vec<NodeId> {
        match self {
            Led::Shard(group) => group.core.successors(),
            Led::Meta(meta) => meta.core.successors(),
        }
    }

    async fn transfer(&self, to: NodeId) -> Result<(), ChangeError> {
        match self {
            Led::Shard(group) => group.transfer(to).await,
            Led::Meta(meta) => meta.transfer(to).await,
        }
    }
}

impl Shards {
    /// Hands the lead of all groups, the meta group too, to voters that have caught up: to those with the least `load`, counted up with what they are given here.
    /// Groups of this node alone stay. Gives how many remain that others could have led.
    pub async fn hand_over_all(&self, timeout: Duration, load: impl Fn(NodeId) -> usize) -> usize {
        let shards = self.groups.iter().map(Led::Shard);
        let all: Vec<Led> = shards.chain([Led::Meta(self.groups.meta.clone())]).filter(Led::is_left).collect();
        let given = Mutex::new(BTreeMap::new());
        let (given, load) = (&given, &load);
        let handing_over = stream::iter(&all).for_each_concurrent(AT_A_TIME, |led| async move {
            while led.is_left() {
                let Some(to) = choose(led.successors(), given, load) else {
                    tokio::time::sleep(RETRY).await;
                    continue;
                };
                if led.transfer(to).await.is_err() {
                    *given.lock().expect("no holder panics").entry(to).or_insert(0) += 1;
                    tokio::time::sleep(RETRY).await;
                }
            }
        });
        tokio::time::timeout(timeout, handing_over).await.ok();
        all.iter().filter(|led| led.is_left()).count()
    }
}

/// The least loaded; it counts as given.
fn choose(successors: Vec<NodeId>, given: &Mutex<BTreeMap<NodeId, usize>>, load: &impl Fn(NodeId) -> usize) -> Option<NodeId> {
    let mut given = given.lock().expect("no holder panics");
    let to = successors.into_iter().min_by_key(|node| load(*node) + given.get(node).copied().unwrap_or(0))?;
    *given.entry(to).or_insert(0) += 1;
    Some(to)
}
