//! Nodes of one process, whose links are calls.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use engage::ledger::limits::Settings;
use engage::ports::peers::{Answer, Lane, NodeId, PeerError, Peers, Serve, Service};
use engage::shard::alone::Nothing;
use engage::shard::{Home, Seams, Shards, ShardsConfig};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Links that are calls.
#[derive(Clone, Default)]
pub struct Calls(Arc<Mutex<BTreeMap<NodeId, Arc<dyn Serve>>>>);

struct End(Calls, NodeId);

impl Calls {
    fn service(&self, to: NodeId) -> Result<Arc<dyn Serve>, PeerError> {
        self.0.lock().expect("no holder panics").get(&to).cloned().ok_or(PeerError::NotSent)
    }
}

#[async_trait]
impl Peers for End {
    fn tell(&self, to: NodeId, _: Lane, _: Service, body: Bytes) -> Result<(), PeerError> {
        self.0.service(to)?.told(self.1, body);
        Ok(())
    }

    async fn ask(&self, to: NodeId, _: Lane, _: Service, body: Bytes, timeout: Duration) -> Result<Bytes, PeerError> {
        let (sender, receiver) = oneshot::channel();
        let send = move |body| {
            sender.send(body).ok();
        };
        self.0.service(to)?.asked(self.1, body, Answer::new(send));
        tokio::time::timeout(timeout, receiver).await.ok().and_then(Result::ok).ok_or(PeerError::NoAnswer)
    }
}

/// Starts a node: the first of a cluster, or one that has joined it and is a member of no group yet.
pub async fn start(
    id: NodeId,
    (data_dir, tune): (Option<&Path>, fn(&mut ShardsConfig)),
    calls: &Calls,
    first: Option<&Shards>,
) -> Arc<Shards> {
    let data_dir = data_dir.map(|folder| folder.join(id.to_string()));
    let settings = Settings { ledger_bytes_max: u64::MAX, ..Settings::default() };
    let mut config = ShardsConfig::new(data_dir.clone(), "bench", settings);
    tune(&mut config);
    let home = Home::open(data_dir.as_deref()).expect("there is a folder");
    match first {
        None => drop(home.found(config.shard_count).expect("it is a new cluster")),
        Some(first) => {
            home.prepare_join().expect("it is a new node");
            home.joined(first.cluster_id(), id, config.shard_count).expect("it has joined");
        }
    }
    let seams = Seams { peers: Arc::new(End(calls.clone(), id)), effects: Arc::new(super::Nobody), meta: Arc::new(Nothing) };
    let shards = Shards::start(config, home, seams, Handle::current()).await.expect("the shards start");
    calls.0.lock().expect("no holder panics").insert(id, shards.raft_service());
    shards
}
