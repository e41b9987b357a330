//! The nodes: brings them up as one cluster, brings one back that was killed. What they are doing is asked in `health`.

use std::path::Path;
use std::time::Duration;

use super::FleetError;
use super::folder::Folder;
use super::health::{self, Patience};
use super::ports;
use super::process::Process;
use super::settings::Settings;
use crate::client::Api;
use crate::config::secrets::{self, Secrets};

/// Somebody else may take a port between its choice and its use.
const ATTEMPTS: usize = 3;
const START_PATIENCE: Duration = Duration::from_secs(30);

/// How far the start is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The first node starts.
    First,
    /// The others join it.
    Joining,
    /// So many of all shards are on all nodes that are to hold them.
    Spreading { done: usize, all: usize },
}

/// What nodes are wanted.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What their temporary folder's name begins with.
    pub prefix: &'static str,
    pub count: usize,
    pub shards: u16,
    pub lease: Duration,
    /// With a log that is synced to disk, or in memory.
    pub is_durable: bool,
    /// Web pages that may connect.
    pub origins: Vec<String>,
    /// Where to look first for their ports; none: anywhere.
    pub first_port: Option<u16>,
    /// Threads of each node for connections, and for shards; 0 is the default.
    pub threads: Option<(u16, u16)>,
    /// More of their configuration, as TOML.
    pub more: String,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            prefix: "engage-fleet-",
            count: 3,
            shards: 16,
            lease: Duration::from_secs(10),
            is_durable: true,
            origins: Vec::new(),
            first_port: None,
            threads: None,
            more: String::new(),
        }
    }
}

/// The nodes, and the key to them. They end with this value.
pub struct Fleet {
    processes: Vec<Process>,
    secrets: Secrets,
    apis: Vec<Api>,
    /// Goes last: the nodes have their data in it.
    folder: Folder,
}

impl Fleet {
    /// Starts them, and waits until each shard is on all that are to hold it.
    ///
    /// # Errors
    /// [`FleetError`]; nothing is left then.
    pub async fn start(plan: Plan, say: &dyn Fn(Progress)) -> Result<Fleet, FleetError> {
        let mut first_port = plan.first_port.unwrap_or_else(ports::anywhere);
        for _ in 1..ATTEMPTS {
            match Fleet::attempt(&plan, first_port, say).await {
                // Most likely another program took one of the ports just now.
                Err(FleetError::NodeEnded { .. }) => first_port = ports::anywhere(),
                done => return done,
            }
        }
        Fleet::attempt(&plan, first_port, say).await
    }

    async fn attempt(plan: &Plan, first_port: u16, say: &dyn Fn(Progress)) -> Result<Fleet, FleetError> {
        let folder = Folder::make(plan.prefix)?;
        let processes = places(folder.path(), plan, first_port)?;
        let patience = Patience::new(START_PATIENCE);
        let (first, others) = processes.split_first().expect("a fleet has a node");
        say(Progress::First);
        first.start(&["serve"])?;
        let (api, secrets) = health::ready(first, patience).await?;
        let mut apis = vec![api];
        say(Progress::Joining);
        let peer = format!("127.0.0.1:{}", first.settings().cluster_port);
        let secrets_file = first.settings().data_dir().join(secrets::FILE_NAME);
        let secrets_file = secrets_file.to_string_lossy();
        for process in others {
            process.start(&["join", &peer, "--secrets", &secrets_file])?;
        }
        for process in others {
            apis.push(health::ready(process, patience).await?.0);
        }
        health::whole(&apis[0], (plan.count, patience), say).await?;
        Ok(Fleet { processes, secrets, apis, folder })
    }

    /// Each with the API to call it by, in the order of their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Process, &Api)> {
        self.processes.iter().zip(&self.apis)
    }

    /// Those whose process runs.
    pub(crate) fn running(&self) -> impl Iterator<Item = (&Process, &Api)> {
        self.all().filter(|(process, _)| process.runs())
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Process> {
        self.processes.iter().find(|process| process.settings().name == name)
    }

    /// What devices' tokens are signed with.
    pub(crate) fn jwt_secret(&self) -> &str {
        self.secrets.auth.jwt_secret.expose()
    }

    /// An API key with which everything may be done.
    pub(crate) fn key(&self) -> &str {
        self.secrets.auth.api_keys[0].key.expose()
    }

    /// Where their files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a node again on its disk, and waits until the cluster is whole.
    pub(crate) async fn bring_back(&self, place: usize) -> Result<(), FleetError> {
        let patience = Patience::new(START_PATIENCE);
        self.processes[place].start(&["serve"])?;
        drop(health::ready(&self.processes[place], patience).await?);
        health::whole(&self.apis[place], (self.processes.len(), patience), &|_| ()).await
    }

    /// Ends all of them at once.
    pub(crate) fn end(&self) {
        for process in &self.processes {
            process.kill();
        }
    }
}

fn name(number: usize) -> String {
    format!("n{number}")
}

/// The nodes, configured and not yet started.
fn places(folder: &Path, plan: &Plan, first_port: u16) -> Result<Vec<Process>, FleetError> {
    let ports = ports::free(first_port, 2 * plan.count)?;
    let (http_ports, cluster_ports) = ports.split_at(plan.count);
    let ports = http_ports.iter().zip(cluster_ports).zip(1..);
    ports
        .map(|((http_port, cluster_port), number)| {
            let settings = Settings { name: name(number), http_port: *http_port, cluster_port: *cluster_port, folder: folder.to_owned() };
            settings.write(plan)?;
            Ok(Process::new(settings))
        })
        .collect()
}
