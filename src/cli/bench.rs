//! `engage bench`: what is asked for, and how it is shown. What is measured, and how, stands in [`crate::bench`].

use std::cell::RefCell;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};

use super::output;
use super::progress::Shown;
use super::target::{Need, Target};
use crate::bench::options::{Job, Options, Own, Place};
use crate::bench::{self, BenchError, Report, Stage};
use crate::config::{Secret, Span};
use crate::fleet::Progress;

/// Puts load on a cluster and tells what it did. Without `--url` it starts nodes of its own on this machine, as processes, and ends them afterwards: then it also tells the CPU and
/// the memory that they took. With `--url` (once for each node) it loads a cluster that runs on this machine; loads go to loopback only.
///
/// Waits are counted from when they should have begun, so a generator or a node that was held up hides nothing. What is offered again after its confirm is counted in every job;
/// where it is not 0, the exit code is 1.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// What is measured
    #[arg(value_enum)]
    job: JobName,
    /// Users, each with one device [default: 1000; idle, recover and failover 10000; absent 100000, growth up to 1000000]
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    users: Option<usize>,
    /// Nodes that are started [default: 3; absent 1, growth up to 5]
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=9))]
    nodes: Option<usize>,
    /// Shards of the nodes that are started [default: 16; growth up to 64]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: Option<u16>,
    /// Threads of each started node for connections, and as many for its shards; 0: one for each core
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=64))]
    node_threads: u16,
    /// Keep the logs of the nodes that are started in memory, rather than synced to disk
    #[arg(long)]
    memory: bool,
    /// How long is measured
    #[arg(long, default_value = "10s")]
    span: Span,
    /// How long the load runs before that
    #[arg(long, default_value = "3s")]
    warm_up: Span,
    /// Deliveries per second, whatever the nodes do (open loop) [default: a closed loop; failover 1000]
    #[arg(long)]
    rate: Option<f64>,
    /// Bytes of each payload
    #[arg(long, default_value_t = 200, value_parser = RangedU64ValueParser::<usize>::new().range(12..=16_384))]
    payload: usize,
    /// Publishes that go in one request at most, where so many wait
    #[arg(long, default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000))]
    batch: usize,
    /// What waits for each user of `recover` and `absent`
    #[arg(long, default_value_t = 20, value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    waiting: usize,
    /// Deliveries that each user of `absent` has settled
    #[arg(long, default_value_t = 20, value_parser = RangedU64ValueParser::<usize>::new().range(0..=4_000))]
    settled: usize,
    /// Kills of `failover`
    #[arg(long, default_value_t = 6, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100))]
    kills: usize,
    /// Commands under way at once in `commit`; in `growth`, for each shard
    #[arg(long, default_value_t = 1_024, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    writers: usize,
    /// Threads of the generator
    #[arg(long, default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    threads: usize,
    /// More nodes of the cluster that `--url` names, for clients to connect to
    #[arg(long, value_name = "URL", requires = "url")]
    also: Vec<String>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    /// Draw latency over time into this SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum JobName {
    /// Connections that said hello and have nothing to do: the memory of each
    Idle,
    /// publish → offer → ack → confirm
    Deliver,
    /// Much waits for each user, and all connect at once; again when all is confirmed: nothing may come
    Recover,
    /// Commits of the ledger, without sockets of clients
    Commit,
    /// Users who are not connected: the memory of each, and what is left when they are forgotten
    Absent,
    /// What a command costs in CPU as users, shards and nodes become more: runs of `commit`, one after the other
    Growth,
    /// Owners are killed under load
    Failover,
}

const FAILOVER_RATE: f64 = 1_000.0;

impl Bench {
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let options = self.options()?;
        let shown = RefCell::new(Shown::new());
        let report = bench::run(&options, &|stage| show(&mut shown.borrow_mut(), stage)).await?;
        shown.borrow().end();
        if self.json {
            output::json(&report.json())?;
        } else {
            output::data(&report.title)?;
            output::data(output::table(&report.rows()))?;
        }
        if let Some(path) = &self.plot {
            match bench::draw(&report, path)? {
                true => output::note(format_args!("latency over time is drawn in {}", path.display())),
                false => output::note(format_args!("this job has no latency over time; {} is not written", path.display())),
            }
        }
        verdict(&report)
    }

    fn options(&self) -> anyhow::Result<Options> {
        let job = match self.job {
            JobName::Idle => Job::Idle,
            JobName::Deliver => Job::Deliver,
            JobName::Recover => Job::Recover,
            JobName::Commit => Job::Commit,
            JobName::Absent => Job::Absent,
            JobName::Growth => Job::Growth,
            JobName::Failover => Job::Failover,
        };
        if self.rate.is_some_and(|rate| !(0.1..=1_000_000.0).contains(&rate)) {
            bail!("--rate is out of range; hint: 0.1 to 1000000 per second");
        }
        let user_count = self.users.unwrap_or(match job {
            Job::Deliver => 1_000,
            Job::Absent => 100_000,
            Job::Growth => 1_000_000,
            Job::Idle | Job::Recover | Job::Commit | Job::Failover => 10_000,
        });
        Ok(Options {
            job,
            place: self.place(job)?,
            user_count,
            span: self.span.duration(),
            warm_up: self.warm_up.duration(),
            rate: self.rate.or((job == Job::Failover).then_some(FAILOVER_RATE)),
            payload_bytes: self.payload,
            batch_count: self.batch,
            waiting_count: self.waiting,
            settled_count: self.settled,
            kill_count: self.kills,
            writer_count: self.writers,
            thread_count: self.threads,
        })
    }

    fn place(&self, job: Job) -> anyhow::Result<Place> {
        if !self.target.is_given() {
            let (nodes, shards) = match job {
                Job::Absent => (1, 16),
                Job::Growth => (5, 64),
                Job::Idle | Job::Deliver | Job::Recover | Job::Commit | Job::Failover => (3, 16),
            };
            let (node_count, shard_count) = (self.nodes.unwrap_or(nodes), self.shards.unwrap_or(shards));
            return Ok(Place::Own(Own { node_count, shard_count, thread_count: self.node_threads, is_durable: !self.memory }));
        }
        let api = self.target.api(Need::Admin)?;
        let urls = std::iter::once(api.url().to_owned()).chain(self.also.iter().cloned());
        let addresses = urls.map(|url| address(&url)).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Place::Given {
            addresses,
            key: Secret::new(self.target.key(Need::Admin)?),
            jwt_secret: Secret::new(self.target.local.jwt_secret("give --data-dir of the node")?),
        })
    }
}

/// Where a node of this machine listens.
fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let host = url
        .strip_prefix("http://")
        .ok_or_else(|| anyhow!("{url} is not http; hint: a bench speaks plain http to nodes of this machine"))?;
    let address = host.trim_end_matches('/').to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    let address = address.filter(|address| address.ip().is_loopback());
    Ok(address.ok_or_else(|| BenchError::NotLoopback { url: url.to_owned() })?)
}

/// What is now true.
fn verdict(report: &Report) -> anyhow::Result<()> {
    if report.broken.is_empty() {
        output::note(format_args!("nothing was lost, and nothing was offered again after its confirm"));
        return Ok(());
    }
    bail!("{}", report.broken.join("; "))
}

fn show(shown: &mut Shown, stage: Stage) {
    match stage {
        Stage::Nodes(Progress::First) => shown.say("n1 starts"),
        Stage::Nodes(Progress::Joining) => shown.say("the others, if any, join it"),
        Stage::Nodes(Progress::Spreading { done, all }) => {
            shown.count(u64::try_from(done).unwrap_or(0), u64::try_from(all).unwrap_or(0), "shards are where they belong");
        }
        Stage::Count { done, all, what } => shown.count(done, all, what),
        Stage::Say(line) => shown.say(line),
    }
}
