//! One node under load over real sockets, started as a process of its own: `cargo bench --bench node`, or one job with its numbers:
//! `cargo bench --bench node -- acks --storage disk --connections 1000 --depth 4`. Server and load share this machine; loopback only, bounded in count.
//!
//! - `acks`: every connection acks the steps of its engagements, `depth` at a time, each waiting for its confirm. Each ack is a committed command.
//! - `idle`: opens connections that said hello and shown nothing, and tells the resident memory for each.

#[allow(dead_code, reason = "the bench of several nodes uses more of it")]
mod server;
#[allow(dead_code, reason = "the bench of several nodes uses more of it")]
mod socket;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use server::{Server, Storage};
use socket::Socket;

/// Steps of an engagement: so many acks does one offer allow.
const STEPS: u32 = 100;

/// What a run is asked for.
#[derive(Clone, Debug)]
struct Options {
    job: Option<String>,
    storage: Option<Storage>,
    connections: usize,
    depth: usize,
    rounds: u32,
}

impl Options {
    fn from_arguments() -> Result<Options, String> {
        let mut options = Options { job: None, storage: None, connections: 0, depth: 4, rounds: 4 };
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            let number = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
            match argument.as_str() {
                "acks" | "idle" => options.job = Some(argument),
                "--storage" if value()? == "disk" => options.storage = Some(Storage::Disk),
                "--storage" => options.storage = Some(Storage::Memory),
                "--connections" => options.connections = number(value()?)?,
                "--depth" => options.depth = number(value()?)?.clamp(1, 16),
                "--rounds" => options.rounds = u32::try_from(number(value()?)?).unwrap_or(u32::MAX).clamp(1, 100),
                other => {
                    return Err(format!(
                        "unknown argument {other}; hint: acks | idle, --storage disk|memory, --connections, --depth, --rounds"
                    ));
                }
            }
        }
        Ok(options)
    }

    fn connections_or(&self, default: usize) -> usize {
        if self.connections == 0 { default } else { self.connections.min(10_000) }
    }
}

fn main() -> ExitCode {
    let options = match Options::from_arguments() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let wants = |job: &str| options.job.as_deref().is_none_or(|wanted| wanted == job);
    if wants("acks") {
        for storage in [Storage::Memory, Storage::Disk] {
            if options.storage.is_none_or(|wanted| wanted == storage) {
                runtime.block_on(acks(storage, &options));
            }
        }
    }
    if wants("idle") {
        runtime.block_on(idle(options.storage.unwrap_or(Storage::Memory), &options));
    }
    ExitCode::SUCCESS
}

/// Confirmed acks per second, and how long each took.
async fn acks(storage: Storage, options: &Options) {
    let connections = options.connections_or(1_000);
    let server = Server::start(storage);
    let users: Vec<String> = (0..connections).map(|number| format!("user-{number}")).collect();
    let mut windows = vec![String::new(); connections];
    for round in 0..options.rounds {
        for (place, window) in server.publish(&users, &format!("e{round}"), STEPS).await.into_iter().enumerate() {
            windows[place] = window;
        }
    }
    let mut sockets = Vec::new();
    for user in &users {
        let mut socket = Socket::connect(server.address, user, &server.token(user)).await;
        socket.wait_for(r#""type":"caught_up""#, 1).await;
        sockets.push(socket);
    }
    let cpu_before = server.cpu_seconds();
    let barrier = Arc::new(tokio::sync::Barrier::new(connections + 1));
    let mut tasks = Vec::new();
    for (mut socket, window) in sockets.into_iter().zip(windows) {
        let (barrier, depth, rounds) = (Arc::clone(&barrier), options.depth, options.rounds);
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            let mut waits = Vec::with_capacity((rounds * STEPS) as usize);
            for round in 0..rounds {
                socket.ack_all(&format!("e{round}"), &window, STEPS, depth, &mut waits).await;
            }
            (socket, waits)
        }));
    }
    barrier.wait().await;
    let started = now();
    let mut waits = Vec::new();
    let mut open = Vec::new();
    for task in tasks {
        let (socket, more) = task.await.expect("no connection fails");
        waits.extend(more);
        open.push(socket);
    }
    let took = started.elapsed();
    let cpu = server.cpu_seconds() - cpu_before;
    let rate = waits.len() as f64 / took.as_secs_f64();
    println!(
        "acks, {storage}, {connections} connections, {} in flight each: {rate:.0} confirmed/s ({} in {:.2} s), confirm p50 {:.2} ms, p99 {:.2} ms, server CPU {:.3} s per 1,000",
        options.depth,
        waits.len(),
        took.as_secs_f64(),
        quantile_ms(&mut waits, 0.50),
        quantile_ms(&mut waits, 0.99),
        cpu / waits.len() as f64 * 1_000.0,
    );
    server.expect_metric_zero("engage_redelivery_after_ack_total").await;
}

/// Resident memory for each idle connection with its user.
async fn idle(storage: Storage, options: &Options) {
    let connections = options.connections_or(10_000);
    let server = Server::start(storage);
    // Warm: what the first connections make stays out of the figure.
    let mut open = connect_all(&server, "warm", 100).await;
    let before = server.resident_bytes();
    let started = now();
    open.extend(connect_all(&server, "idle", connections).await);
    let took = started.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let each = server.resident_bytes().saturating_sub(before) as f64 / connections as f64 / 1024.0;
    println!("idle, {storage}, {connections} connections: {each:.1} KiB each, {:.0} hellos/s", connections as f64 / took.as_secs_f64());
}

async fn connect_all(server: &Server, prefix: &str, count: usize) -> Vec<Socket> {
    const AT_ONCE: usize = 64;
    let mut open = Vec::with_capacity(count);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..count {
        let user = format!("{prefix}-{number}");
        let (address, token) = (server.address, server.token(&user));
        if tasks.len() >= AT_ONCE {
            open.push(tasks.join_next().await.expect("there are tasks").expect("no connection fails"));
        }
        tasks.spawn(async move {
            let mut socket = Socket::connect(address, &user, &token).await;
            socket.wait_for(r#""type":"caught_up""#, 1).await;
            socket
        });
    }
    while let Some(socket) = tasks.join_next().await {
        open.push(socket.expect("no connection fails"));
    }
    open
}

fn quantile_ms(waits: &mut [Duration], part: f64) -> f64 {
    waits.sort_unstable();
    let at = ((waits.len() as f64 * part) as usize).min(waits.len() - 1);
    waits[at].as_secs_f64() * 1_000.0
}

fn now() -> Instant {
    engage::clock::monotonic()
}
