//! Clients that say hello and never read, with messages for them all the time: what they cost the node stays bounded and flat, somebody else's acks are confirmed as fast as
//! before, and nothing that matters is lost by it. They are stubborn: one that is cut connects again at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use crate::server::{Server, Storage};
use crate::socket::Socket;
use crate::{Failures, Options, now, quantile_ms};

/// What the node's configuration leaves to its defaults: what may wait for one connection, and what the kernel keeps of it.
const OUTBOX_BYTES: u64 = 2 * 1024 * 1024;
/// The rest of a connection, its user and its device, generously; and what the allocator rounds up, a quarter of what waits.
const CONNECTION_BYTES: u64 = 64 * 1024 + OUTBOX_BYTES / 4;
/// What the node takes besides: the log that the shards have not cut yet, and what the allocator keeps for the next one who asks.
const NODE_BYTES: u64 = 96 * 1024 * 1024;
/// A notice with its payload.
const PAYLOAD_BYTES: usize = 8 * 1024;
/// A round of notices to everybody takes so long for each client: 10,000 notices a second, however many there are. A thousand clients are then ended by the kernel, when they
/// took nothing for `limits.write_timeout`; a hundred, who get ten times as much each, by their full queues.
const PACE: Duration = Duration::from_micros(100);
/// What a client's own kernel keeps for it.
const RECEIVE_BUFFER_BYTES: u32 = 16 * 1024;
/// How long a node is watched before anybody is rude to it.
const CALM: Duration = Duration::from_secs(5);
/// The second half may take so much more than the first did.
const FLAT: f64 = 1.15;
/// An ack of somebody else is confirmed within this time.
const BAR: Duration = Duration::from_millis(250);
const STEPS: u32 = 100;
const IMPORTANT: &str = "important";
/// So many of them read after all, when it is over.
const ASKED: usize = 100;

/// Nobody limits this publisher; and the outcomes of its notices, which have a bound of their own, don't hide what connections take.
const SETTINGS: [(&str, &str); 2] = [("ENGAGE_LIMITS__PUBLISHES_PER_SECOND", "0"), ("ENGAGE_LIMITS__OUTCOMES_PER_SHARD", "1024")];

pub async fn run(options: &Options) -> Failures {
    let server = Server::launch(Storage::Disk, &["serve"], &SETTINGS);
    server.wait_until_ready().await;
    let users: Vec<String> = (0..options.clients).map(|number| format!("rude-{number}")).collect();
    server.publish(&users, IMPORTANT, 2).await;
    let mut polite = Polite::new(&server).await;
    let mut before = polite.live(CALM).await;
    let base = server.resident_bytes();

    let signals = Arc::new(Signals::default());
    let mut crowd = JoinSet::new();
    for user in &users {
        crowd.spawn(never_read(server.address, server.token(user), Arc::clone(&signals)));
    }
    let notices = tokio::spawn(send_notices(server.caller.clone(), users.clone(), Arc::clone(&signals)));
    let mut during = Vec::new();
    // By the half of the time, what is going to be kept is kept.
    let mut peaks = [0_u64; 2];
    let started = now();
    while started.elapsed() < options.during {
        during.extend(polite.live(Duration::from_millis(200)).await);
        let half = usize::from(started.elapsed() > options.during / 2);
        peaks[half] = peaks[half].max(server.resident_bytes());
    }
    signals.over.store(true, Ordering::Relaxed);
    let sent = notices.await.expect("the publisher does not fail");
    while crowd.join_next().await.is_some() {}
    let kept = still_offered(&server, &users).await;

    let each = |bytes: u64| bytes.saturating_sub(base) as f64 / options.clients as f64 / 1024.0;
    let (p99_before, p99) = (quantile_ms(&mut before, 0.99), quantile_ms(&mut during, 0.99));
    let cuts = signals.cuts.load(Ordering::Relaxed);
    println!(
        "never-read, {} clients, {sent} notices of {} KiB to each in {} s, {cuts} cut: memory {:.0} MiB before, at most {:.0} MiB in the first half and {:.0} MiB in the second \
         ({:.0} KiB for each client; bound {:.0} KiB and {:.0} MiB); acks of another client p99 {p99_before:.1} ms before and {p99:.1} ms meanwhile ({} acks; bar {} ms); \
         {kept} of {} asked were offered what waited for them",
        options.clients,
        PAYLOAD_BYTES / 1024,
        options.during.as_secs(),
        mib(base),
        mib(peaks[0]),
        mib(peaks[1]),
        each(peaks[0].max(peaks[1])),
        (OUTBOX_BYTES + CONNECTION_BYTES) as f64 / 1024.0,
        mib(NODE_BYTES),
        during.len(),
        BAR.as_millis(),
        users.len().min(ASKED),
    );
    let bound = base + NODE_BYTES + options.clients as u64 * (OUTBOX_BYTES + CONNECTION_BYTES);
    let mut failures = Failures::new();
    let mut must = |holds: bool, text: &str| {
        if !holds {
            failures.push(text.to_owned())
        }
    };
    must(peaks[0].max(peaks[1]) <= bound, "memory passed what the bounds of the connections add up to");
    must(peaks[1] as f64 <= peaks[0] as f64 * FLAT, "memory went on growing");
    must(p99 <= BAR.as_secs_f64() * 1_000.0, "others waited too long for their confirms");
    must(during.len() > 100, "too few acks of others were measured");
    must(cuts >= options.clients, "not every client was cut for not reading");
    must(kept == users.len().min(ASKED), "something that waited for a client was lost");
    failures
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}

#[derive(Default)]
struct Signals {
    over: AtomicBool,
    /// How often a client found its connection ended.
    cuts: AtomicUsize,
}

/// Connects, says hello, and reads nothing; now and then it says something, to hear from its own kernel whether the connection still is.
async fn never_read(address: SocketAddr, token: String, signals: Arc<Signals>) {
    while !signals.over.load(Ordering::Relaxed) {
        let opened = async {
            let socket = TcpSocket::new_v4()?;
            socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
            let mut socket = Socket::open(socket.connect(address).await?).await?;
            socket.send(&json!({"type": "hello", "token": token, "device": "phone"}).to_string()).await?;
            std::io::Result::Ok(socket)
        };
        let Ok(mut socket) = opened.await else { continue };
        while !signals.over.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if socket.send(r#"{"type":"ping"}"#).await.is_err() {
                signals.cuts.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
    }
}

/// One notice to everybody at a time, at an even pace; how many everybody was sent.
async fn send_notices(caller: crate::server::Caller, users: Vec<String>, signals: Arc<Signals>) -> usize {
    let engagement = json!({"id": "noise", "payload": "x".repeat(PAYLOAD_BYTES), "mode": "fire_and_forget", "targets": "all"});
    let body = json!({"users": users, "engagement": engagement});
    let mut ticks = tokio::time::interval(PACE * u32::try_from(users.len()).expect("they are few"));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut sent = 0;
    while !signals.over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let answer = caller.try_publish_body(&body).await.expect("the node answers");
        assert!(answer["results"].is_array(), "{answer}");
        sent += 1;
    }
    sent
}

/// To how many of those asked what waited for them is offered, now that they read.
async fn still_offered(server: &Server, users: &[String]) -> usize {
    let mut kept = 0;
    for user in users.iter().take(ASKED) {
        let mut socket = Socket::connect(server.address, user, &server.token(user)).await;
        socket.wait_for(r#""type":"caught_up""#, 1).await;
        kept += usize::from(socket.said.contains(&format!(r#""id":"{IMPORTANT}""#)));
    }
    kept
}

/// A client that reads, and acks step by step.
struct Polite<'a> {
    server: &'a Server,
    socket: Socket,
    window: String,
    round: usize,
    step: u32,
}

impl Polite<'_> {
    async fn new(server: &Server) -> Polite<'_> {
        let user = "polite".to_owned();
        let window = server.publish(std::slice::from_ref(&user), "e0", STEPS).await.remove(0);
        let mut socket = Socket::connect(server.address, &user, &server.token(&user)).await;
        socket.wait_for(r#""type":"caught_up""#, 1).await;
        Polite { server, socket, window, round: 0, step: 0 }
    }

    /// Acks a step every 10 ms for this time; how long each confirm took.
    async fn live(&mut self, during: Duration) -> Vec<Duration> {
        let (started, mut waits) = (now(), Vec::new());
        while started.elapsed() < during {
            if self.step == STEPS {
                (self.round, self.step) = (self.round + 1, 0);
                self.window = self.server.publish(&["polite".to_owned()], &format!("e{}", self.round), STEPS).await.remove(0);
            }
            self.step += 1;
            let (id, window, step, asked) = (format!("e{}", self.round), &self.window, self.step, now());
            let ack = json!({"type": "ack", "id": id, "window": window, "step": step});
            self.socket.send(&ack.to_string()).await.expect("the connection of a client that reads stays");
            self.socket.wait_for(r#""type":"confirm""#, 1).await;
            waits.push(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        waits
    }
}
