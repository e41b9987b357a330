//! Confirmed acks per second through three nodes, and how long each took.

use std::sync::Arc;

use crate::nodes::{NODES, Nodes};
use crate::server::Storage;
use crate::socket::Socket;
use crate::{Options, now, quantile_ms};

/// Steps of an engagement: so many acks does one offer allow.
const STEPS: u32 = 100;

/// What is to be reached.
const fn bar(storage: Storage) -> f64 {
    match storage {
        Storage::Memory => 30_000.0,
        Storage::Disk => 15_000.0,
    }
}

pub async fn run(storage: Storage, options: &Options) {
    let connections = options.connections_or(1_000);
    let nodes = Nodes::start(storage).await;
    let users: Vec<String> = (0..connections).map(|number| format!("user-{number}")).collect();
    let mut windows = vec![String::new(); connections];
    for round in 0..options.rounds {
        for (place, window) in nodes.servers[0].publish(&users, &format!("e{round}"), STEPS).await.into_iter().enumerate() {
            windows[place] = window;
        }
    }
    let mut sockets = Vec::new();
    for (number, user) in users.iter().enumerate() {
        let server = nodes.of(number);
        let mut socket = Socket::connect(server.address, user, &server.token(user)).await;
        socket.wait_for(r#""type":"caught_up""#, 1).await;
        sockets.push(socket);
    }
    let cpu_before = nodes.cpu_seconds();
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
    let (mut waits, mut open) = (Vec::new(), Vec::new());
    for task in tasks {
        let (socket, more) = task.await.expect("no connection fails");
        waits.extend(more);
        open.push(socket);
    }
    let took = started.elapsed();
    let cpu = nodes.cpu_seconds() - cpu_before;
    let rate = waits.len() as f64 / took.as_secs_f64();
    println!(
        "acks, {NODES} nodes, {storage}, {connections} connections, {} in flight each: {rate:.0} confirmed/s (bar {:.0}; {} in {:.2} s), confirm p50 {:.2} ms, p99 {:.2} ms, CPU of all nodes {:.3} s per 1,000",
        options.depth,
        bar(storage),
        waits.len(),
        took.as_secs_f64(),
        quantile_ms(&mut waits, 0.50),
        quantile_ms(&mut waits, 0.99),
        cpu / waits.len() as f64 * 1_000.0,
    );
    for server in &nodes.servers {
        server.expect_metric_zero("engage_redelivery_after_ack_total").await;
    }
}
