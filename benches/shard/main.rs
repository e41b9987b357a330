//! What a shard's commit path carries: acks in a closed loop through [`Shards`], in memory and on disk, with few and many at a time. Says nothing of sockets.
//! With `snapshot` as its argument: how long commands wait while a shard of a million users is snapshot and moved to another node; with `idle`: what nodes take that
//! have nothing to do.

mod idle;
mod nodes;
mod snapshot;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use engage::clock;
use engage::ledger::Command;
use engage::ledger::command::{Ack, By};
use engage::ledger::effect::Effect;
use engage::ledger::engagement::{Engagement, Payload, Scope, SettleOn, Targets};
use engage::ledger::ids::{DeviceId, EngagementId, ShardId, UserId};
use engage::ledger::limits::Settings;
use engage::ledger::reply::{AckReply, PublishReply, Reply};
use engage::ports::{CarryOut, Propose};
use engage::shard::{Home, Seams, Shards, ShardsConfig};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

const USERS: u64 = 10_000;

pub struct Nobody;

impl CarryOut for Nobody {
    fn carry_out(&self, _effects: Vec<Effect>) {}
    fn owned(&self, _shard: ShardId, _term: u64) {}
    fn disowned(&self, _shard: ShardId) {}
}

/// Users with one survey each that is never done, and acks for them.
struct Load {
    shards: Arc<Shards>,
    acks: Vec<Command>,
    next: AtomicU64,
    left: AtomicU64,
    running: AtomicU64,
}

pub fn user(number: u64) -> UserId {
    UserId::parse(&format!("user-{number}")).expect("it is an id")
}

pub fn survey() -> Arc<Engagement> {
    Arc::new(Engagement {
        id: EngagementId::parse("survey").expect("it is an id"),
        payload: Payload(Bytes::from(vec![b'x'; 512])),
        fingerprint: 1,
        steps: 100,
        settle_on: SettleOn::Completed,
        scope: Scope::User,
        targets: Targets::Active,
        window: None,
        ttl: None,
        not_before: None,
        priority: 0,
        max_offers: 0,
        snooze: None,
    })
}

impl Load {
    async fn new(data_dir: Option<&Path>, shard_count: u16, runtime: &Runtime) -> Arc<Load> {
        let mut config = ShardsConfig::new(data_dir.map(Path::to_owned), "bench", Settings::default());
        config.shard_count = shard_count;
        let home = Home::open(data_dir).expect("there is a folder");
        home.found(shard_count).expect("it is a new cluster");
        let shards = Shards::start(config, home, Seams::alone(Arc::new(Nobody)), runtime.handle().clone()).await.expect("the shards start");
        shards.wait_until_led(Duration::from_secs(30)).await.expect("a node alone leads");
        let (device, survey) = (DeviceId::parse("d1").expect("it is an id"), survey());
        let mut acks = Vec::new();
        for number in 0..USERS {
            let (sender, receiver) = oneshot::channel();
            let command = Command::Publish { user: user(number), engagement: survey.clone() };
            let done = move |result| {
                sender.send(result).ok();
            };
            shards.propose(command, Box::new(done));
            let applied = receiver.await.expect("it is answered").expect("it is applied");
            let Reply::Publish(PublishReply::Queued { window, .. }) = applied.reply else { panic!("it is queued") };
            let ack = Ack { id: survey.id.clone(), window, step: 1, data: Some(Payload(Bytes::from_static(b"{\"q1\":9}"))) };
            acks.push(Command::Ack { user: user(number), by: By::posted(device.clone()), ack });
        }
        let zero = || AtomicU64::new(0);
        Arc::new(Load { shards, acks, next: zero(), left: zero(), running: zero() })
    }

    /// Sends one ack, and with its confirm the next, until none is left.
    fn send(self: Arc<Self>, finished: Arc<dyn Fn() + Send + Sync>) {
        let took_one = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if !took_one {
            if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
                finished();
            }
            return;
        }
        let place = self.next.fetch_add(1, Ordering::Relaxed) % USERS;
        let command = self.acks[usize::try_from(place).expect("it is a place")].clone();
        let load = self.clone();
        let done = move |result: Result<engage::ledger::Applied, _>| {
            let applied = result.expect("it is applied");
            assert!(matches!(applied.reply, Reply::Ack(AckReply::Confirm(_))));
            load.send(finished);
        };
        self.shards.propose(command, Box::new(done));
    }

    /// The time for `count` acks, `at_a_time` of them under way at any time.
    fn run(self: &Arc<Self>, count: u64, at_a_time: u64, runtime: &Runtime) -> Duration {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.left.store(count, Ordering::Relaxed);
        self.running.store(at_a_time, Ordering::Release);
        let finished: Arc<dyn Fn() + Send + Sync> = Arc::new(move || sender.send(()).expect("it is waited for"));
        let started: Instant = clock::monotonic();
        for _ in 0..at_a_time {
            let (load, finished) = (self.clone(), finished.clone());
            runtime.spawn(async move { load.send(finished) });
        }
        receiver.recv().expect("the last one tells");
        clock::monotonic().saturating_duration_since(started)
    }
}

fn commits(criterion: &mut Criterion) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts");
    let mut group = criterion.benchmark_group("acks");
    group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(3));
    for shard_count in [1, 16] {
        for storage in ["memory", "disk"] {
            let folder = tempfile::tempdir().expect("there is a folder for temporary files");
            let load = runtime.block_on(Load::new((storage == "disk").then_some(folder.path()), shard_count, &runtime));
            for at_a_time in [1, 64, 1_000] {
                let id = BenchmarkId::new(format!("{storage}, shards {shard_count}"), at_a_time);
                group.bench_with_input(id, &at_a_time, |bencher, at_a_time| {
                    bencher.iter_custom(|count| load.run(count, *at_a_time, &runtime));
                });
            }
            runtime.block_on(load.shards.clone().stop());
        }
    }
    group.finish();
}

criterion_group!(benches, commits);

fn main() {
    if std::env::args().any(|argument| argument == "snapshot") {
        snapshot::run();
    } else if std::env::args().any(|argument| argument == "idle") {
        idle::run();
    } else {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
