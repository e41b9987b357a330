//! How long it takes to read a client's messages and to write the server's.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

use engage::ledger::effect::Offer;
use engage::ledger::engagement::{Payload, Scope, SettleOn};
use engage::ledger::ids::{EngagementId, WindowId};
use engage::ledger::reply::{Confirm, State};
use engage::ledger::time::{LedgerTime, Millis};
use engage::protocol::batch::Batch;
use engage::protocol::frame;
use engage::protocol::server_message::ServerMessage;

const ACK: &str = r#"{"type":"ack","id":"nps-2026","window":"w1l3kq9x0g","step":2,"data":{"q1":9,"q2":"fine"},"ref":7}"#;

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(1));
    group.bench_function("ack", |bencher| bencher.iter(|| frame::parse(black_box(ACK))));
    group.bench_function("ping", |bencher| bencher.iter(|| frame::parse(black_box(r#"{"type":"ping","ref":9}"#))));
    let many = format!("[{}]", vec![ACK; 64].join(","));
    group.throughput(Throughput::Elements(64));
    group.bench_function("64 acks", |bencher| bencher.iter(|| frame::parse(black_box(&many))));
    let hello = format!(r#"{{"type":"hello","device":"d1","token":"{}","acks":[{}]}}"#, "t".repeat(200), vec![ACK; 16].join(","));
    group.throughput(Throughput::Elements(1));
    group.bench_function("hello with 16 acks", |bencher| bencher.iter(|| frame::parse(black_box(&hello))));
    group.finish();
}

fn write(criterion: &mut Criterion) {
    let id = EngagementId::parse("nps-2026").expect("it is an id");
    let window: WindowId = "w1l3kq9x0g".parse().expect("it is a window");
    let confirm =
        Confirm { id: id.clone(), window, step: 2, steps: 5, state: State::InProgress, yours: false, at: LedgerTime(1_790_000_000_000) };
    let offer = Offer {
        id,
        window,
        scope: Scope::User,
        offer: 1,
        step: 1,
        steps: 5,
        settle_on: SettleOn::Completed,
        data: None,
        payload: Payload(Bytes::from(format!("\"{}\"", "x".repeat(1022)))),
        priority: 0,
        expires_in: Millis(86_400_000),
        at: LedgerTime(1_790_000_000_000),
    };
    let mut group = criterion.benchmark_group("write");
    group.throughput(Throughput::Elements(1));
    group.bench_function("confirm", |bencher| {
        bencher.iter(|| Batch::of(&ServerMessage::Confirm { confirm: black_box(&confirm), reference: Some(7) }).into_text())
    });
    group.bench_function("offer of 1 KiB", |bencher| bencher.iter(|| Batch::of(&ServerMessage::Offer(black_box(&offer))).into_text()));
    group.finish();
}

criterion_group!(benches, read, write);
criterion_main!(benches);
