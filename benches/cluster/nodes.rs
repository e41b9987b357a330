//! Three nodes as processes of their own, the first one founding the cluster and the others joining it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::server::{Server, Storage, free_address};

pub const NODES: usize = 3;
const REPLICAS: usize = 3;

/// A whole cluster. It ends with this value.
pub struct Nodes {
    pub servers: Vec<Server>,
}

impl Nodes {
    /// Starts them, and waits until every shard is held by all and the leaders are spread.
    pub async fn start(storage: Storage) -> Nodes {
        let listens: Vec<SocketAddr> = (0..NODES).map(|_| free_address()).collect();
        let peer = listens[0].to_string();
        let mut nodes = Nodes { servers: Vec::new() };
        for (number, listen) in listens.iter().enumerate() {
            let (name, listen) = (format!("n{}", number + 1), listen.to_string());
            let settings = [("ENGAGE_NODE__NAME", name.as_str()), ("ENGAGE_CLUSTER__LISTEN", &listen), ("ENGAGE_CLUSTER__SHARDS", "16")];
            let arguments: &[&str] = if number == 0 { &["serve"] } else { &["join", &peer] };
            let server = Server::launch(storage, arguments, &settings);
            server.wait_until_ready().await;
            nodes.servers.push(server);
        }
        nodes.wait_until_whole().await;
        nodes
    }

    async fn wait_until_whole(&self) {
        for _ in 0..600 {
            if let Ok(view) = self.servers[0].get("/v1/cluster").await
                && is_whole(&view)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the cluster is not whole after 60 s");
    }

    /// The node for a connection.
    pub fn of(&self, number: usize) -> &Server {
        &self.servers[number % NODES]
    }

    /// CPU time of all of them together, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        self.servers.iter().map(Server::cpu_seconds).sum()
    }
}

fn is_whole(view: &Value) -> bool {
    let count = |value: &Value| value.as_array().map_or(0, Vec::len);
    let shards = view["shards"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_held = |shard: &Value| shard["leader"].is_string() && count(&shard["voters"]) == REPLICAS && count(&shard["learners"]) == 0;
    let leaders: Vec<u64> = view["nodes"].as_array().into_iter().flatten().filter_map(|node| node["leaders"].as_u64()).collect();
    let is_spread = leaders.iter().max().zip(leaders.iter().min()).is_some_and(|(most, least)| most - least <= 1);
    !shards.is_empty() && shards.iter().all(is_held) && leaders.len() == NODES && is_spread
}
