//! 10,000 connected users, 1,000 deliveries a second, and a node is killed: how long until every user is served again, and is anything confirmed offered again?
//! A user counts as served when an ack that it sent after the kill is confirmed, on its old connection or on a new one.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::nodes::{NODES, Nodes};
use crate::server::Storage;
use crate::user::{BEAT, Counters, User};
use crate::{Options, now, quantile_ms};

const DELIVERIES_PER_SECOND: usize = 1_000;
const AT_ONCE: usize = 100;
/// Steps of what every user acks after the kill.
const STEPS: u32 = 100;
const BAR: Duration = Duration::from_secs(5);

/// How long the load runs before and after the kill.
const BEFORE: Duration = Duration::from_secs(5);
const AFTER: Duration = Duration::from_secs(10);

pub async fn run(storage: Storage, options: &Options) {
    let count = options.connections_or(10_000);
    let mut nodes = Nodes::start(storage).await;
    let names: Vec<String> = (0..count).map(|number| format!("user-{number}")).collect();
    for some in names.chunks(1_000) {
        nodes.servers[0].publish(some, BEAT, STEPS).await;
    }
    let counters = Arc::new(Counters::default());
    let (kill, killed) = watch::channel(None);
    let mut users = JoinSet::new();
    for (number, name) in names.iter().enumerate() {
        users.spawn(user(&nodes, number, name, (Arc::clone(&counters), killed.clone())).live());
        if number % AT_ONCE == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    while counters.connected.load(Ordering::Relaxed) < count as u64 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let mut published = Published::default();
    published.go_on(&nodes, &names, BEFORE).await;
    let confirmed_before = counters.confirmed.load(Ordering::Relaxed);
    nodes.servers[NODES - 1].kill();
    kill.send_replace(Some(now()));
    published.go_on(&nodes, &names, AFTER).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    counters.over.store(true, Ordering::Relaxed);
    let mut served = Vec::new();
    let mut never = 0;
    while let Some(ended) = users.join_next().await {
        match ended.expect("no user fails") {
            Some(took) => served.push(took),
            None => never += 1,
        }
    }
    let (offered_again, confirmed) = (counters.offered_again.load(Ordering::Relaxed), counters.confirmed.load(Ordering::Relaxed));
    assert!(!served.is_empty(), "nobody was served after the kill");
    println!(
        "kill, {NODES} nodes, {storage}, {count} users, {} deliveries/s: served again after p50 {:.0} ms, p99 {:.0} ms, all after {:.0} ms (bar {:.0} ms), {never} never; \
         {} published ({} refused at first), {confirmed_before} confirmed before the kill and {confirmed} in all, {offered_again} offered again after their confirm",
        DELIVERIES_PER_SECOND,
        quantile_ms(&mut served, 0.5),
        quantile_ms(&mut served, 0.99),
        quantile_ms(&mut served, 1.0),
        BAR.as_secs_f64() * 1_000.0,
        published.count,
        published.refused,
    );
}

fn user(
    nodes: &Nodes,
    number: usize,
    name: &str,
    (counters, killed): (Arc<Counters>, watch::Receiver<Option<std::time::Instant>>),
) -> User {
    User {
        number,
        token: nodes.servers[0].token(name),
        addresses: nodes.servers.iter().map(|server| server.address).collect(),
        counters,
        killed,
        window: String::new(),
        step: 0,
        served: None,
        settled: HashSet::new(),
        place: number % NODES,
    }
}

/// What was published.
#[derive(Default)]
struct Published {
    count: usize,
    refused: usize,
}

impl Published {
    /// Publishes at an even pace, at the nodes that are not killed. What is refused is published again: the first one wins.
    async fn go_on(&mut self, nodes: &Nodes, names: &[String], during: Duration) {
        let pace = Duration::from_secs_f64(AT_ONCE as f64 / DELIVERIES_PER_SECOND as f64);
        let mut ticks = tokio::time::interval(pace);
        let started = now();
        while started.elapsed() < during {
            ticks.tick().await;
            let from = self.count % names.len();
            let mut users: Vec<String> = names.iter().cycle().skip(from).take(AT_ONCE).cloned().collect();
            let id = format!("d{}", self.count);
            self.count += AT_ONCE;
            while !users.is_empty() && started.elapsed() < during + BAR {
                users = self.publish(nodes, users, &id).await;
            }
            assert!(users.is_empty(), "{} publishes were refused for {BAR:?}", users.len());
        }
    }

    /// Publishes to all of these; those that were refused.
    async fn publish(&mut self, nodes: &Nodes, users: Vec<String>, id: &str) -> Vec<String> {
        let server = nodes.of(self.count / AT_ONCE % (NODES - 1));
        let answer = server.try_publish(&users, id, 1).await.expect("a node that was not killed answers");
        let results = answer["results"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        let refused =
            users.into_iter().zip(results).filter(|(_, result)| !matches!(result["status"].as_str(), Some("queued" | "duplicate")));
        let refused: Vec<String> = refused.map(|(user, _)| user).collect();
        self.refused += refused.len();
        refused
    }
}
