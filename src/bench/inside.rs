//! Nodes in the process of the bench itself: the real ones, with their logs and links, asked behind their sockets. For what sockets of clients would hide.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::BenchError;
use super::options::Own;
use crate::clock;
use crate::config::Config;
use crate::ledger::ids::UserId;
use crate::ledger::{Applied, Command, Reply};
use crate::node::Node;
use crate::ports::{Propose, Read, ShardStatus};
use crate::shard::Shards;

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Nodes that run in this process, and the owner of each shard.
pub(super) struct Inside {
    nodes: Vec<Node>,
    owners: Vec<Arc<Shards>>,
    /// Kept until the nodes have stopped.
    _folder: TempDir,
}

impl Inside {
    /// Starts nodes, with `more` lines of configuration below `[cluster]`, and waits until the shards are spread over them.
    pub(super) async fn start(own: Own, more: &str) -> Result<Inside, BenchError> {
        let folder = tempfile::Builder::new().prefix("engage-bench-").tempdir().map_err(BenchError::Folder)?;
        let mut nodes: Vec<Node> = Vec::new();
        for number in 1..=own.node_count {
            let config = configure(own, number, folder.path(), more)?;
            nodes.push(match nodes.first() {
                None => Node::start(config).await?,
                Some(first) => Node::join(config, &first.cluster_address().to_string(), |_| ()).await?,
            });
        }
        let owners = owners(&nodes, own).await?;
        Ok(Inside { nodes, owners, _folder: folder })
    }

    /// Who owns a user.
    pub(super) fn owner_of(&self, user: &UserId) -> &Arc<Shards> {
        &self.owners[usize::from(self.nodes[0].shards().shard_of(user).0)]
    }

    /// Waits until all replicas have a snapshot of what they hold now, and with it have let go of the log behind it.
    pub(super) async fn snapshots(&self) -> Result<(), BenchError> {
        let give_up = clock::monotonic() + PATIENCE;
        let since: Vec<u64> = self.statuses().map(|status| status.applied_index).collect();
        while self.statuses().zip(&since).any(|(status, applied_index)| status.snapshot_index < *applied_index) {
            if clock::monotonic() >= give_up {
                return Err(BenchError::TooSlow { what: "a snapshot of all shards", seconds: PATIENCE.as_secs() });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// About what the ledgers say they hold, in bytes, of all nodes together.
    pub(super) fn ledger_bytes(&self) -> u64 {
        self.statuses().map(|status| status.counts.ledger_bytes).sum()
    }

    /// Of all replicas of all nodes, always in the same order.
    fn statuses(&self) -> impl Iterator<Item = ShardStatus> {
        self.nodes.iter().flat_map(|node| {
            let mut statuses = node.shards().status();
            statuses.sort_by_key(|status| status.shard);
            statuses
        })
    }

    /// Ends them.
    pub(super) async fn stop(self) {
        for node in self.nodes {
            node.stop().await;
        }
    }
}

fn configure(own: Own, number: usize, folder: &Path, more: &str) -> Result<Config, BenchError> {
    let secret = "a secret of nodes that live as long as a bench does";
    let storage = if own.is_durable { "disk" } else { "memory" };
    let mut text = String::new();
    let _ = write!(
        text,
        "[node]\nname = \"n{number}\"\ndata_dir = {}\nstorage = \"{storage}\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
         [auth]\njwt_secret = \"{secret}\"\n[cluster]\nlisten = \"127.0.0.1:0\"\nsecret = \"{secret}\"\nshards = {}\n{more}",
        serde_json::json!(folder.join(format!("n{number}")).to_string_lossy()),
        own.shard_count,
    );
    let path = folder.join(format!("n{number}.toml"));
    std::fs::write(&path, text).map_err(|error| BenchError::Write { path: path.clone(), error })?;
    let nothing: [(&str, &str); 0] = [];
    Ok(Config::load_from(Some(&path), nothing)?)
}

/// The owner of each shard, once all shards are on as many nodes as they will be and their leaders spread over them.
async fn owners(nodes: &[Node], own: Own) -> Result<Vec<Arc<Shards>>, BenchError> {
    let give_up = clock::monotonic() + PATIENCE;
    let shard_count = usize::from(own.shard_count);
    let (least, replica_count) = (shard_count / nodes.len(), nodes.len().min(REPLICATION));
    loop {
        let mut owners = vec![None; shard_count];
        let mut is_even = true;
        for node in nodes {
            let owned = node.shards().status().into_iter().filter(|status| status.is_owner && status.voters.len() == replica_count);
            let owned: Vec<usize> = owned.map(|status| usize::from(status.shard.0)).collect();
            is_even &= owned.len() >= least;
            owned.into_iter().for_each(|shard| owners[shard] = Some(Arc::clone(node.shards())));
        }
        if is_even && let Some(owners) = owners.into_iter().collect() {
            return Ok(owners);
        }
        if clock::monotonic() >= give_up {
            return Err(BenchError::TooSlow { what: "the spreading of the shards", seconds: PATIENCE.as_secs() });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The default of `cluster.replication`.
const REPLICATION: usize = 3;

/// A reply; nothing, where the command was not applied.
pub(super) fn ask(owner: &Arc<Shards>, command: Command) -> oneshot::Receiver<Option<Reply>> {
    let (sender, receiver) = oneshot::channel();
    let done = move |result: Result<Applied, _>| drop(sender.send(result.ok().map(|applied| applied.reply)));
    owner.propose(command, Box::new(done));
    receiver
}
