//! What a bench is asked for. Plain data, which the command line fills in.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::Secret;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Connections that said hello, and have nothing to do: memory of each.
    Idle,
    /// publish → offer → ack → confirm, for a while.
    Deliver,
    /// All reconnect at once, and much waits for each; then again, when nothing does.
    Recover,
    /// Commits of the ledger alone, without sockets of clients.
    Commit,
    /// Owners are killed under load.
    Failover,
}

impl Job {
    /// Its word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Job::Idle => "idle",
            Job::Deliver => "deliver",
            Job::Recover => "recover",
            Job::Commit => "commit",
            Job::Failover => "failover",
        }
    }
}

/// Where the load goes.
#[derive(Clone, Debug)]
pub enum Place {
    /// To nodes that the bench starts, as processes of their own.
    Own(Own),
    /// To a cluster that runs on this machine.
    Given { addresses: Vec<SocketAddr>, key: Secret, jwt_secret: Secret },
}

/// Nodes that the bench starts.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    pub node_count: usize,
    pub shard_count: u16,
    /// Threads of each node that serve connections, and as many that run its shards; 0: as many as there are cores.
    pub thread_count: u16,
    /// With a log that is synced to disk, or in memory.
    pub is_durable: bool,
}

/// What a run is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    pub job: Job,
    pub place: Place,
    pub user_count: usize,
    /// How long is measured.
    pub span: Duration,
    /// How long the load runs before that.
    pub warm_up: Duration,
    /// Rounds per second, whatever the nodes do (open loop); none: each user begins the next when one is done (closed loop).
    pub rate: Option<f64>,
    pub payload_bytes: usize,
    /// Publishes that go in one request at most.
    pub batch_count: usize,
    /// What waits for each user of `recover`.
    pub waiting_count: usize,
    /// Kills of `failover`.
    pub kill_count: usize,
    /// Commands under way at once in `commit`.
    pub writer_count: usize,
    /// Threads of the generator.
    pub thread_count: usize,
}
