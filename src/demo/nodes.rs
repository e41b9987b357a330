//! The three nodes: brings them up as one cluster, kills one, brings it back. What they are doing is asked in `health`.

use std::path::Path;
use std::time::Duration;

use super::DemoError;
use super::guard;
use super::health::{self, Patience};
use super::ports;
use super::process::Process;
use super::settings::Settings;
use crate::client::Api;
use crate::config::secrets::{self, Secrets};

/// How many nodes there are: of three, one may die.
pub(super) const COUNT: usize = 3;
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
    /// So many of all shards are on all three.
    Spreading { done: usize, all: usize },
}

/// The nodes of the demo, and the key to them.
pub(super) struct Nodes {
    processes: Vec<Process>,
    secrets: Secrets,
    apis: Vec<Api>,
}

impl Nodes {
    /// Starts them, and waits until each shard is on all three. They answer to the page on this port.
    pub(super) async fn start(folder: &Path, page_port: u16, say: &dyn Fn(Progress)) -> Result<Nodes, DemoError> {
        let origins = &guard::origins(page_port);
        let mut first_port = ports::beside(page_port);
        for _ in 1..ATTEMPTS {
            match Nodes::attempt(folder, origins, first_port, say).await {
                // Most likely another program took one of the ports just now.
                Err(DemoError::NodeEnded { .. }) => first_port = ports::elsewhere(),
                done => return done,
            }
            for number in 1..=COUNT {
                let _ = std::fs::remove_dir_all(folder.join(name(number)));
            }
        }
        Nodes::attempt(folder, origins, first_port, say).await
    }

    async fn attempt(folder: &Path, origins: &[String], first_port: u16, say: &dyn Fn(Progress)) -> Result<Nodes, DemoError> {
        let processes = places(folder, origins, first_port)?;
        let patience = Patience::new(START_PATIENCE);
        let (first, others) = processes.split_first().expect("there are three nodes");
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
        health::whole(&apis[0], patience, say).await?;
        Ok(Nodes { processes, secrets, apis })
    }

    /// Each with the API to call it by, in the order of their names.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Process, &Api)> {
        self.processes.iter().zip(&self.apis)
    }

    /// Those whose process runs.
    pub(super) fn running(&self) -> impl Iterator<Item = (&Process, &Api)> {
        self.all().filter(|(process, _)| process.runs())
    }

    pub(super) fn named(&self, name: &str) -> Option<&Process> {
        self.processes.iter().find(|process| process.settings().name == name)
    }

    /// What devices' tokens are signed with.
    pub(super) fn jwt_secret(&self) -> &str {
        self.secrets.auth.jwt_secret.expose()
    }

    /// Ends all of them at once.
    pub(super) fn end(&self) {
        for process in &self.processes {
            process.kill();
        }
    }
}

fn name(number: usize) -> String {
    format!("n{number}")
}

/// The nodes, configured and not yet started.
fn places(folder: &Path, origins: &[String], first_port: u16) -> Result<Vec<Process>, DemoError> {
    let ports = ports::free(first_port, 2 * COUNT)?;
    let (http_ports, cluster_ports) = ports.split_at(COUNT);
    let ports = http_ports.iter().zip(cluster_ports).zip(1..);
    ports
        .map(|((http_port, cluster_port), number)| {
            let settings = Settings { name: name(number), http_port: *http_port, cluster_port: *cluster_port, folder: folder.to_owned() };
            settings.write(origins)?;
            Ok(Process::new(settings))
        })
        .collect()
}
