//! What one command costs in the ledger, with 10,000 connected users: `cargo bench --bench ledger`.

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engage::ledger::command::{Ack, Attach, By, Departure, Greeting, Visibility};
use engage::ledger::engagement::{Engagement, Payload, Scope, SettleOn, Targets};
use engage::ledger::ids::{ConnectionId, DeviceId, EdgeId, EngagementId, UserId, WindowId};
use engage::ledger::limits::Settings;
use engage::ledger::reply::PublishReply;
use engage::ledger::time::{LedgerTime, Millis};
use engage::ledger::{Command, Ledger, Reply};
use std::hint::black_box;
use std::sync::Arc;

const USERS: u64 = 10_000;

/// A ledger whose users are all connected, and commands for them in turn.
struct Bench {
    ledger: Ledger,
    users: Vec<UserId>,
    device: DeviceId,
    count: u64,
}

fn engagement(number: u64) -> Arc<Engagement> {
    Arc::new(Engagement {
        id: EngagementId::parse(&format!("e{number}")).expect("a valid id"),
        payload: Payload(Bytes::from_static(&[b'1'; 200])),
        fingerprint: number,
        steps: 1,
        settle_on: SettleOn::Shown,
        scope: Scope::User,
        targets: Targets::Active,
        // Short, so that settled deliveries are forgotten and the ledger stays as it is.
        window: Some(Millis(60_000)),
        ttl: None,
        not_before: None,
        priority: 0,
        max_offers: 0,
        snooze: None,
    })
}

impl Bench {
    fn new() -> Bench {
        let users = (0..USERS).map(|number| UserId::parse(&format!("user-{number}")).expect("a valid id")).collect();
        let mut bench = Bench { ledger: Ledger::default(), users, device: DeviceId::parse("phone").expect("a valid id"), count: 0 };
        let settings = Settings { window_carry: Millis(0), ..Settings::default() };
        bench.apply(Command::Takeover { settings, edges: vec![EdgeId(1)] });
        for number in 0..USERS {
            bench.attach(number);
        }
        bench
    }

    fn apply(&mut self, command: Command) -> Reply {
        self.count += 1;
        // About 100 commands in each ms of ledger time.
        self.ledger.apply(command, LedgerTime(1_000_000 + self.count / 100)).reply
    }

    fn user(&self, number: u64) -> UserId {
        self.users[(number % USERS) as usize].clone()
    }

    fn attach(&mut self, number: u64) {
        let attach = Attach {
            device: self.device.clone(),
            connection: ConnectionId { edge: EdgeId(1), number },
            visibility: Visibility::Visible,
            max_in_flight: 16,
            acks: Vec::new(),
            open: Vec::new(),
            greeting: Greeting::Hello,
        };
        self.apply(Command::Attach { user: self.user(number), attach });
    }

    fn publish(&mut self, number: u64) -> WindowId {
        let reply = self.apply(Command::Publish { user: self.user(number), engagement: engagement(number) });
        let Reply::Publish(PublishReply::Queued { window, .. }) = reply else { panic!("not queued: {reply:?}") };
        window
    }

    fn ack(&mut self, number: u64, window: WindowId) {
        let id = EngagementId::parse(&format!("e{number}")).expect("a valid id");
        let ack = Ack { id, window, step: 0, data: None };
        black_box(self.apply(Command::Ack { user: self.user(number), by: By::posted(self.device.clone()), ack }));
        while self.ledger.next_due().is_some_and(|due| due <= self.ledger.now()) {
            self.ledger.apply(Command::Advance, self.ledger.now());
        }
    }
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ledger");
    group.throughput(Throughput::Elements(1));
    let mut bench = Bench::new();
    let mut number = 0;
    group.bench_function("publish, offer, ack, settle", |bencher| {
        bencher.iter(|| {
            number += 1;
            let window = bench.publish(number);
            bench.ack(number, window);
        });
    });
    group.bench_function("reconnect with nothing waiting", |bencher| {
        bencher.iter(|| {
            number += 1;
            let (user, device) = (bench.user(number), bench.device.clone());
            let connection = ConnectionId { edge: EdgeId(1), number: number % USERS };
            bench.apply(Command::Detach { user, device, connection, departure: Departure::Closed });
            bench.attach(number % USERS);
        });
    });
    group.bench_function("a view of all users", |bencher| {
        bencher.iter_batched(|| (), |()| black_box(bench.ledger.view()), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(ledger, benches);
criterion_main!(ledger);
