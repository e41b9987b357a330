//! The CPU that each of three nodes takes with nothing to do.

use std::time::Duration;

use crate::nodes::{NODES, Nodes};
use crate::now;
use crate::server::{Server, Storage};

/// What a joining left to be done is done by then.
const CALM: Duration = Duration::from_secs(5);
const MEASURED: Duration = Duration::from_secs(20);
const BAR_PERCENT: f64 = 3.0;

pub async fn run(storage: Storage) {
    let nodes = Nodes::start(storage).await;
    tokio::time::sleep(CALM).await;
    let before: Vec<f64> = nodes.servers.iter().map(Server::cpu_seconds).collect();
    let started = now();
    tokio::time::sleep(MEASURED).await;
    let took = started.elapsed().as_secs_f64();
    let used = nodes.servers.iter().zip(before).map(|(server, before)| (server.cpu_seconds() - before) / took * 100.0);
    let shown: Vec<String> = used.map(|percent| format!("{percent:.2} %")).collect();
    println!("idle, {NODES} nodes, {storage}, 16 shards: {} of a core (bar {BAR_PERCENT} % each)", shown.join(", "));
}
