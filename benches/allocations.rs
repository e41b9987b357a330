//! How often memory is asked for on the hot paths, counted: `cargo bench --bench allocations`. Fails where a path asks more often than it did when that was last thought about.
#![allow(unsafe_code, reason = "an allocator that counts is one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use engage::ledger::command::{Ack, Attach, By, Departure, Greeting, Visibility};
use engage::ledger::effect::Action;
use engage::ledger::engagement::{Engagement, Payload, Scope, SettleOn, Targets};
use engage::ledger::ids::{ConnectionId, DeviceId, EdgeId, EngagementId, UserId, WindowId};
use engage::ledger::limits::Settings;
use engage::ledger::reply::PublishReply;
use engage::ledger::time::LedgerTime;
use engage::ledger::{Applied, Command, Ledger, Reply};
use engage::protocol::batch::Batch;
use engage::protocol::frame;
use engage::protocol::server_message::ServerMessage;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    COUNT.set(COUNT.get() + 1);
    BYTES.set(BYTES.get() + bytes as u64);
}

// SAFETY: all of it is the system's own allocator; a count of plain integers is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: what holds for the caller holds for this call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count(bytes.saturating_sub(layout.size()));
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const USERS: u64 = 1_000;
const ACK: &str = r#"{"type":"ack","id":"nps-2026","window":"w1l3kq9x0g","step":2,"data":{"q1":9,"q2":"fine"},"ref":7}"#;

/// The mean of many runs; what is made for a run, and what becomes of its result, is not counted.
#[derive(Default)]
struct Mean {
    runs: u64,
    count: u64,
    bytes: u64,
}

impl Mean {
    fn of<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let before = (COUNT.get(), BYTES.get());
        let result = black_box(run());
        self.runs += 1;
        self.count += COUNT.get() - before.0;
        self.bytes += BYTES.get() - before.1;
        result
    }

    fn tell(&self, what: &str, most: f64) {
        let (count, bytes) = (self.count as f64 / self.runs as f64, self.bytes as f64 / self.runs as f64);
        println!("{what:<58} {count:>6.2} {bytes:>8.0}");
        assert!(count <= most, "{what}: {count:.2} allocations, and {most} are thought about");
    }
}

struct House {
    ledger: Ledger,
    now: u64,
}

impl House {
    fn new() -> House {
        let mut house = House { ledger: Ledger::default(), now: 1_790_000_000_000 };
        house.apply(Command::Takeover { settings: Settings::default(), edges: vec![EdgeId(1)] });
        house
    }

    fn apply(&mut self, command: Command) -> Applied {
        self.now += 1;
        self.ledger.apply(command, LedgerTime(self.now))
    }
}

fn user(number: u64) -> UserId {
    UserId::parse(&format!("user-{:06}", number % USERS)).expect("a valid id")
}

fn device() -> DeviceId {
    DeviceId::parse("phone").expect("a valid id")
}

fn connection(number: u64) -> ConnectionId {
    ConnectionId { edge: EdgeId(1), number }
}

fn publish(number: u64) -> Command {
    let engagement = Arc::new(Engagement {
        id: EngagementId::parse(&format!("survey-{number:06}")).expect("a valid id"),
        payload: Payload(Bytes::from(format!("\"{number:0198}\""))),
        fingerprint: number,
        steps: 1,
        settle_on: SettleOn::Shown,
        scope: Scope::User,
        targets: Targets::Active,
        window: None,
        ttl: None,
        not_before: None,
        priority: 0,
        max_offers: 0,
        snooze: None,
    });
    Command::Publish { user: user(number), engagement }
}

fn attach(number: u64) -> Command {
    let attach = Attach {
        device: device(),
        connection: connection(number),
        visibility: Visibility::Visible,
        max_in_flight: 16,
        acks: Vec::new(),
        open: Vec::new(),
        greeting: Greeting::Hello,
    };
    Command::Attach { user: user(number), attach }
}

fn ack(number: u64, window: WindowId) -> Command {
    let id = EngagementId::parse(&format!("survey-{number:06}")).expect("a valid id");
    let by = By { device: device(), connection: Some(connection(number % USERS)) };
    Command::Ack { user: user(number), by, ack: Ack { id, window, step: 0, data: None } }
}

fn window(applied: &Applied) -> WindowId {
    match &applied.reply {
        Reply::Publish(PublishReply::Queued { window, .. }) => *window,
        other => panic!("not queued: {other:?}"),
    }
}

fn ledger() {
    let mut house = House::new();
    let [mut attached, mut offered, mut settled, mut again, mut detached, mut queued] = [(); 6].map(|()| Mean::default());
    for number in 0..USERS {
        let command = attach(number);
        attached.of(|| house.apply(command));
    }
    for number in 0..20 * USERS {
        let command = publish(number);
        let published = offered.of(|| house.apply(command));
        let command = ack(number, window(&published));
        settled.of(|| house.apply(command));
        let command = ack(number, window(&published));
        again.of(|| house.apply(command));
    }
    for number in 0..USERS {
        let command =
            Command::Detach { user: user(number), device: device(), connection: connection(number), departure: Departure::Closed };
        detached.of(|| house.apply(command));
    }
    for number in 20 * USERS..40 * USERS {
        let command = publish(number);
        queued.of(|| house.apply(command));
    }
    attached.tell("ledger: hello of a new user", 5.0);
    offered.tell("ledger: publish to a connected user, with its offer", 9.0);
    settled.tell("ledger: ack that settles", 2.0);
    again.tell("ledger: ack of what is settled", 0.0);
    detached.tell("ledger: connection closed", 0.0);
    queued.tell("ledger: publish to an absent user", 2.0);
}

fn log() {
    let [mut written, mut read_publish, mut read_ack] = [(); 3].map(|()| Mean::default());
    for number in 0..USERS {
        let command = publish(number);
        let bytes = written.of(|| postcard::to_allocvec(&command).expect("a command encodes"));
        read_publish.of(|| postcard::from_bytes::<Command>(&bytes).expect("it decodes"));
        let bytes = postcard::to_allocvec(&ack(number, WindowId::next(WindowId::default(), LedgerTime(1)))).expect("a command encodes");
        read_ack.of(|| postcard::from_bytes::<Command>(&bytes).expect("it decodes"));
    }
    written.tell("log: publish written", 5.0);
    read_publish.tell("log: publish read", 3.0);
    read_ack.tell("log: ack read", 0.0);
}

fn messages() {
    let mut house = House::new();
    let [mut read, mut offer_written] = [(); 2].map(|()| Mean::default());
    house.apply(attach(0));
    for number in 0..USERS {
        drop(read.of(|| frame::parse(black_box(ACK))));
        let published = house.apply(publish(number * USERS));
        let offers = published.effects.iter().filter_map(|effect| match &effect.action {
            Action::Offer(offer) => Some(offer),
            _ => None,
        });
        for offer in offers {
            offer_written.of(|| Batch::of(&ServerMessage::Offer(offer)).into_text());
        }
        house.apply(ack(number * USERS, window(&published)));
    }
    read.tell("client: ack read", 2.0);
    offer_written.tell("client: offer written", 2.0);
}

fn main() {
    println!("{:<58} {:>6} {:>8}", "path", "times", "bytes");
    ledger();
    log();
    messages();
}
