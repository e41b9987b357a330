//! The nodes under load: those that a bench started, or a cluster that was there. What they use is read from the system, where it is this machine's to say.

use std::net::SocketAddr;
use std::time::Duration;

use super::BenchError;
use super::options::{Options, Own, Place};
use super::resources;
use crate::client::{Api, Cluster};
use crate::config::Secret;
use crate::fleet::{Fleet, Plan, Progress};
use crate::node::files;

/// A load needs more than a person does.
const LEASE: Duration = Duration::from_secs(10);
/// So many open files besides sockets.
const OTHER_FILES: u64 = 1_000;

/// The nodes under load.
pub(super) struct Ground {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) key: Secret,
    pub(super) jwt_secret: Secret,
    fleet: Option<Fleet>,
}

impl Ground {
    /// Starts nodes, or finds those that run.
    pub(super) async fn lay(options: &Options, say: &dyn Fn(Progress)) -> Result<Ground, BenchError> {
        match &options.place {
            Place::Own(own) => Ground::own(*own, options.user_count, say).await,
            Place::Given { addresses, key, jwt_secret } => {
                let (addresses, key, jwt_secret) = (addresses.clone(), key.clone(), jwt_secret.clone());
                allow_files(options.user_count, options.user_count as u64 + OTHER_FILES)?;
                Ok(Ground { addresses, key, jwt_secret, fleet: None })
            }
        }
    }

    async fn own(own: Own, user_count: usize, say: &dyn Fn(Progress)) -> Result<Ground, BenchError> {
        // A node refuses who comes when files run short, and nobody would ever have them all.
        let of_a_node = user_count.div_ceil(own.node_count) as u64 + files::OTHER_FILES;
        allow_files(user_count, of_a_node.max(user_count as u64 + OTHER_FILES))?;
        let plan = Plan {
            prefix: "engage-bench-",
            count: own.node_count,
            shards: own.shard_count,
            lease: LEASE,
            is_durable: own.is_durable,
            origins: Vec::new(),
            first_port: None,
            // What would keep one publisher, or one machine's many clients, in bounds is not what is measured.
            more: "\n[limits]\npublishes_per_second = 0\n".to_owned(),
            threads: Some((own.thread_count, own.thread_count)),
        };
        let fleet = Fleet::start(plan, say).await?;
        let addresses = fleet.all().map(|(process, _)| process.settings().address()).collect();
        Ok(Ground { addresses, key: Secret::new(fleet.key()), jwt_secret: Secret::new(fleet.jwt_secret()), fleet: Some(fleet) })
    }

    /// Seconds of CPU that all nodes have used; only of own ones.
    pub(super) fn cpu_seconds(&self) -> Option<f64> {
        self.pids()?.into_iter().map(resources::cpu_seconds).sum()
    }

    /// Bytes resident in all nodes; only of own ones.
    pub(super) fn resident_bytes(&self) -> Option<u64> {
        self.pids()?.into_iter().map(resources::resident_bytes).sum()
    }

    /// The most that was ever resident in one of the nodes.
    pub(super) fn peak_bytes(&self) -> Option<u64> {
        self.pids()?.into_iter().filter_map(resources::peak_bytes).max()
    }

    fn pids(&self) -> Option<Vec<u32>> {
        Some(self.fleet.as_ref()?.all().filter_map(|(process, _)| process.id()).collect())
    }

    /// The API of a node.
    pub(super) fn api(&self, place: usize) -> Result<Api, BenchError> {
        Ok(Api::new(&format!("http://{}", self.addresses[place]), Some(self.key.expose()))?)
    }

    /// The nodes and shards, as a node sees them that lives.
    pub(super) async fn cluster(&self, place: usize) -> Result<Cluster, BenchError> {
        Ok(self.api(place)?.cluster().await?)
    }

    /// The name of a node.
    pub(super) fn name(&self, place: usize) -> Option<String> {
        self.fleet.as_ref()?.all().nth(place).map(|(process, _)| process.settings().name.clone())
    }

    /// Kills a node, as a crash does.
    pub(super) fn kill(&self, place: usize) {
        if let Some((process, _)) = self.fleet.as_ref().and_then(|fleet| fleet.all().nth(place)) {
            process.kill();
        }
    }

    /// Starts it again, and waits until the cluster is whole.
    pub(super) async fn bring_back(&self, place: usize) -> Result<(), BenchError> {
        if let Some(fleet) = &self.fleet {
            fleet.bring_back(place).await?;
        }
        Ok(())
    }
}

/// Sockets are files: raises what this process, and with it each of its nodes, may open.
fn allow_files(user_count: usize, needed: u64) -> Result<(), BenchError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.current.unwrap_or(u64::MAX);
    if allowed >= needed {
        return Ok(());
    }
    let up_to_hard = Rlimit { current: limit.maximum.map(|maximum| maximum.min(needed)), maximum: limit.maximum };
    let beyond = Rlimit { current: Some(needed), maximum: Some(limit.maximum.unwrap_or(u64::MAX).max(needed)) };
    // Only root may go beyond the hard limit.
    let raised = setrlimit(Resource::Nofile, beyond).or_else(|_| setrlimit(Resource::Nofile, up_to_hard));
    let allowed = if raised.is_ok() { getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) } else { allowed };
    if allowed >= needed { Ok(()) } else { Err(BenchError::OpenFiles { count: user_count, needed, allowed }) }
}
