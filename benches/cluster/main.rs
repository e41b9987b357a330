//! Three nodes on this machine under load over real sockets: `cargo bench --bench cluster`, or one job with its numbers:
//! `cargo bench --bench cluster -- acks --storage disk --connections 1000 --depth 4`. Nodes and load share the machine; loopback only, bounded in count.
//!
//! - `acks`: every connection, on whichever node, acks the steps of its engagements, `depth` at a time, each waiting for its confirm.
//! - `idle`: the CPU that three nodes take with 16 shards and nothing to do.
//! - `kill`: 10,000 connected users and 1,000 deliveries a second; a node is killed: how long until every user is served again, and was anything offered again?

mod nodes;
mod acks;
mod idle;
mod kill;
mod user;
#[path = "../node/server.rs"]
#[allow(dead_code, reason = "the bench of one node uses more of it")]
mod server;
#[path = "../node/socket.rs"]
#[allow(dead_code, reason = "the bench of one node uses more of it")]
mod socket;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use server::Storage;

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
                "acks" | "idle" | "kill" => options.job = Some(argument),
                "--storage" => options.storage = Some(if value()? == "disk" { Storage::Disk } else { Storage::Memory }),
                "--connections" => options.connections = number(value()?)?,
                "--depth" => options.depth = number(value()?)?.clamp(1, 16),
                "--rounds" => options.rounds = u32::try_from(number(value()?)?).unwrap_or(u32::MAX).clamp(1, 100),
                other => {
                    return Err(format!(
                        "unknown argument {other}; hint: acks | idle | kill, --storage disk|memory, --connections, --depth, --rounds"
                    ));
                }
            }
        }
        Ok(options)
    }

    fn connections_or(&self, default: usize) -> usize {
        if self.connections == 0 { default } else { self.connections.min(10_000) }
    }

    /// The kinds of storage to run with.
    fn storages(&self) -> Vec<Storage> {
        self.storage.map_or_else(|| vec![Storage::Memory, Storage::Disk], |storage| vec![storage])
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
    for storage in options.storages() {
        if wants("acks") {
            runtime.block_on(acks::run(storage, &options));
        }
        if wants("idle") {
            runtime.block_on(idle::run(storage));
        }
        if wants("kill") {
            runtime.block_on(kill::run(storage, &options));
        }
    }
    ExitCode::SUCCESS
}

fn quantile_ms(waits: &mut [Duration], part: f64) -> f64 {
    waits.sort_unstable();
    let at = ((waits.len() as f64 * part) as usize).min(waits.len() - 1);
    waits[at].as_secs_f64() * 1_000.0
}

fn now() -> Instant {
    engage::clock::monotonic()
}
