//! What three nodes of one process take that have nothing to do: 16 shards and the meta group, replicated on all of them. Sockets and HTTP come on top.

use std::time::Duration;

use engage::ledger::ids::ShardId;
use engage::ports::peers::NodeId;
use engage::shard::ShardsConfig;
use tokio::runtime::Builder;

use crate::nodes::{self, Calls};

const SPAN: Duration = Duration::from_secs(10);

/// Measures, and prints what it measured.
pub fn run() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        tokio::spawn(measure()).await.expect("it ends");
    });
}

fn tune(config: &mut ShardsConfig) {
    config.shard_count = 16;
}

async fn measure() {
    let calls = Calls::default();
    let first = nodes::start(NodeId(1), (None, tune), &calls, None).await;
    first.wait_until_led(Duration::from_secs(30)).await.expect("a node alone leads");
    let mut all = vec![first.clone()];
    for id in [2, 3] {
        all.push(nodes::start(NodeId(id), (None, tune), &calls, Some(&first)).await);
    }
    let voters = [NodeId(1), NodeId(2), NodeId(3)];
    for shard in (0..16).map(ShardId) {
        for id in [2, 3] {
            first.add_learner(shard, NodeId(id), "n").await.expect("it is added");
        }
        while first.set_voters(shard, &voters).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let to = voters[usize::from(shard.0) % 3];
        while first.transfer(shard, to).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    for id in [2, 3] {
        first.meta().add_learner(NodeId(id), "n").await.expect("it is added");
    }
    while first.meta().set_voters(&voters).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = cpu_ticks();
    tokio::time::sleep(SPAN).await;
    let percent = (cpu_ticks() - before) as f64 / SPAN.as_secs_f64();
    println!("three idle nodes take {percent:.1} % of one core together");
    for shards in all {
        shards.stop().await;
    }
}

/// Of this process so far; a hundred make a second of one core.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("it is Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("there is a name").split_whitespace().collect();
    [11, 12].iter().map(|place| fields[*place].parse::<u64>().expect("it is a number")).sum()
}
