//! How long commands wait while a shard of a million users is snapshot, and moved to another node of the same process.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engage::clock;
use engage::ledger::Command;
use engage::ledger::ids::ShardId;
use engage::ports::peers::NodeId;
use engage::ports::{Propose, Read};
use engage::shard::{Shards, ShardsConfig};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::nodes::{self, Calls};

const USERS: u64 = 1_000_000;
const SHARD: ShardId = ShardId(0);
const AT_A_TIME: u64 = 2_000;

/// Measures, and prints what it measured.
pub fn run() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts");
    for storage in ["memory", "disk"] {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        println!("storage {storage}");
        let data_dir = (storage == "disk").then(|| folder.path().to_owned());
        runtime.block_on(async {
            tokio::spawn(async move { measure(data_dir.as_deref()).await }).await.expect("it ends");
        });
    }
}

fn tune(config: &mut ShardsConfig) {
    config.shard_count = 1;
    config.tuning.snapshot_interval_ms = 15_000;
}

async fn measure(data_dir: Option<&Path>) {
    let calls = Calls::default();
    let first = nodes::start(NodeId(1), (data_dir, tune), &calls, None).await;
    first.wait_until_led(Duration::from_secs(30)).await.expect("a node alone leads");
    let second = nodes::start(NodeId(2), (data_dir, tune), &calls, Some(&first)).await;
    fill(&first).await;
    println!("  {USERS} users are there");

    let waits = Waits::default();
    let probing = tokio::spawn(probe(first.clone(), waits.clone()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    waits.tell("nothing else is done");
    let before = snapshot_index(&first);
    until(|| snapshot_index(&first) > before).await;
    waits.tell("a snapshot is written");
    let started = clock::monotonic();
    first.add_learner(SHARD, NodeId(2), "n2").await.expect("it is added");
    let lag = || first.members(SHARD).and_then(|members| members.follower(NodeId(2)).map(|follower| follower.lag));
    until(|| lag().is_some_and(|lag| lag < 16)).await;
    println!("  moved within {:?}", clock::monotonic().saturating_duration_since(started));
    waits.tell("it is moved to another node");
    first.set_voters(SHARD, &[NodeId(1), NodeId(2)]).await.expect("both vote");
    first.transfer(SHARD, NodeId(2)).await.expect("the other takes the lead");
    waits.is_over.store(true, Ordering::Release);
    probing.await.expect("it ends");
    println!("  users on the other node: {}", second.status()[0].counts.users);
    first.stop().await;
    second.stop().await;
}

fn snapshot_index(shards: &Shards) -> u64 {
    shards.status()[0].snapshot_index
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn fill(shards: &Arc<Shards>) {
    let next = Arc::new(AtomicU64::new(0));
    let survey = super::survey();
    let fillers = (0..AT_A_TIME).map(|_| {
        let (shards, next, survey) = (shards.clone(), next.clone(), survey.clone());
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= USERS {
                    return;
                }
                publish(&shards, Command::Publish { user: super::user(number), engagement: survey.clone() }).await;
            }
        })
    });
    for filler in fillers.collect::<Vec<_>>() {
        filler.await.expect("it ends");
    }
}

async fn publish(shards: &Shards, command: Command) -> bool {
    let (sender, receiver) = oneshot::channel();
    let done = move |result: Result<_, _>| {
        sender.send(result.is_ok()).ok();
    };
    shards.propose(command, Box::new(done));
    receiver.await.unwrap_or(false)
}

/// How long commands waited, in µs.
#[derive(Clone, Default)]
struct Waits {
    all: Arc<Mutex<Vec<u64>>>,
    is_over: Arc<AtomicBool>,
}

impl Waits {
    /// Prints those since the last time.
    fn tell(&self, what: &str) {
        let mut all = std::mem::take(&mut *self.all.lock().expect("no holder panics"));
        all.sort_unstable();
        let at = |part: usize| all.get(all.len() * part / 1_000).copied().unwrap_or(0);
        let max = all.last().copied().unwrap_or(0);
        println!("  while {what}: {} commands, µs: median {}, 99 % {}, 99.9 % {}, max {max}", all.len(), at(500), at(990), at(999));
    }
}

/// One command at a time, for users all over the ledger, until the lead is gone.
async fn probe(shards: Arc<Shards>, waits: Waits) {
    let survey = super::survey();
    for number in 0_u64.. {
        if waits.is_over.load(Ordering::Acquire) {
            return;
        }
        let user = super::user(number.wrapping_mul(7_919) % USERS);
        let started = clock::monotonic();
        publish(&shards, Command::Publish { user, engagement: survey.clone() }).await;
        let took = clock::monotonic().saturating_duration_since(started);
        waits.all.lock().expect("no holder panics").push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}
