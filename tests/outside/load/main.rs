//! What the runner in `tests/outside` needs besides the tools that others wrote: a server that says back what it hears, and crowds of clients. One job, with its numbers:
//! `cargo bench --bench outside -- never-read --clients 1000`. Every job prints one line of figures, and ends with 1 where one of them is not as it must be.
//!
//! - `echo`: the node's own way of reading and writing a WebSocket, under an actor that echoes; prints its address and serves until its standard input closes.
//! - `never-read`: clients that say hello and read nothing ever, with messages for them; what does it cost the node, and do others notice?
//! - `storm`: connected clients on three nodes, and a node is killed; are they all back in time, and did the cluster keep its promises to each of them?

mod echo;
mod never_read;
mod storm;
mod user;
mod publisher;
#[path = "../../../benches/cluster/nodes.rs"]
#[allow(dead_code, reason = "the bench of a cluster uses more of it")]
mod nodes;
#[path = "../../../benches/node/server.rs"]
#[allow(dead_code, reason = "the bench of one node uses more of it")]
mod server;
#[path = "../../../benches/node/socket.rs"]
#[allow(dead_code, reason = "the bench of one node uses more of it")]
mod socket;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a run is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    job: String,
    pub clients: usize,
    /// How long the crowd stays, where the job doesn't know by itself.
    pub during: Duration,
    pub seed: u64,
}

/// Said of a run that did not show what it had to.
pub type Failures = Vec<String>;

impl Options {
    fn from_arguments() -> Result<Options, String> {
        let mut options = Options { job: String::new(), clients: 1_000, during: Duration::from_secs(40), seed: 1 };
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let mut number = || -> Result<u64, String> {
                let text = arguments.next().ok_or(format!("{argument} needs a value"))?;
                text.parse().map_err(|_| format!("{text} is no number"))
            };
            match argument.as_str() {
                "echo" | "never-read" | "storm" => options.job = argument,
                "--clients" => options.clients = usize::try_from(number()?).unwrap_or(usize::MAX).clamp(1, 10_000),
                "--seconds" => options.during = Duration::from_secs(number()?.clamp(2, 600)),
                "--seed" => options.seed = number()?,
                other => return Err(format!("unknown argument {other}; hint: echo | never-read | storm, --clients, --seconds, --seed")),
            }
        }
        if options.job.is_empty() {
            return Err("no job is named; hint: echo | never-read | storm".to_owned());
        }
        Ok(options)
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
    raise_open_files();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let failures = match options.job.as_str() {
        "echo" => runtime.block_on(echo::run()),
        "never-read" => runtime.block_on(never_read::run(&options)),
        _ => runtime.block_on(storm::run(&options)),
    };
    failures.iter().for_each(|failure| eprintln!("FAILED: {failure}"));
    ExitCode::from(u8::from(!failures.is_empty()))
}

/// A crowd of 10,000 needs more open files than most shells allow at first.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    raised.expect("a process may have as many open files as its hard limit says");
}

pub fn quantile_ms(waits: &mut [Duration], part: f64) -> f64 {
    waits.sort_unstable();
    let at = ((waits.len() as f64 * part) as usize).min(waits.len().saturating_sub(1));
    waits.get(at).map_or(f64::NAN, |wait| wait.as_secs_f64() * 1_000.0)
}

pub fn now() -> Instant {
    engage::clock::monotonic()
}
