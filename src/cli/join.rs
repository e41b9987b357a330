//! `engage join`: starts a node that joins the cluster of a peer, shows how far it is, and goes on serving. Interrupted and run again, it goes on where it was.

use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::{anyhow, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::leash::Leash;
use super::output;
use super::progress::Shown;
use super::serve::{self, Started};
use crate::config::secrets::{self, Origin};
use crate::config::{Config, Secret};
use crate::node::{Node, Progress};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Join {
    /// A node of the cluster, by its cluster.listen or cluster.advertise: host:port
    #[arg(value_name = "HOST:PORT", value_parser = peer)]
    peer: String,
    /// The configuration file [default: what `ENGAGE_CONFIG` names; without it, none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take the secrets that another node on this machine made: its <data_dir>/secrets.toml
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    #[command(flatten)]
    leash: Leash,
}

impl Join {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.leash.put_on()?;
        let config = serve::load(self.config.as_deref())?;
        self.agree_on_secrets(&config)?;
        output::note(format_args!("node {} joins the cluster of {}", config.node.name, self.peer));
        telemetry::install_logs(&config.log.level, config.log.format)?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let shown = std::sync::Arc::new(Mutex::new(Shown::new()));
        let showing = shown.clone();
        let progress = move |progress: Progress| show(&mut showing.lock().expect("no holder panics"), &progress);
        let joined = tokio::select! {
            joined = Node::join(config, &self.peer, progress) => joined,
            _ = interrupt.recv() => bail!("interrupted; hint: the same command goes on where it was"),
            _ = terminate.recv() => bail!("interrupted; hint: the same command goes on where it was"),
        };
        shown.lock().expect("no holder panics").end();
        let started = Started { node: joined?, file: serve::file_of(self.config) };
        started.serve().await
    }

    /// The node must prove the cluster's secret: it is configured, or was copied, now or before.
    fn agree_on_secrets(&self, config: &Config) -> anyhow::Result<()> {
        if let Some(from) = &self.secrets {
            if let Origin::Made(path) = secrets::adopt(config, from)? {
                output::note(format_args!("copied the secrets in {} to {}", from.display(), path.display()));
            }
            return Ok(());
        }
        let kept = secrets::read(&config.node.data_dir)?;
        has_cluster_secret(config.cluster.secret.as_ref().or(kept.as_ref().map(|kept| &kept.cluster.secret)))
    }
}

fn has_cluster_secret(secret: Option<&Secret>) -> anyhow::Result<()> {
    secret.map(drop).ok_or_else(|| {
        anyhow!(
            "cluster.secret is missing: the nodes of a cluster prove it to each other; hint: set the same as on the other nodes, or, where one of them is on this machine, add --secrets <its data_dir>/{}",
            secrets::FILE_NAME
        )
    })
}

fn peer(text: &str) -> Result<String, String> {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains('/')).map(|(_, port)| port);
    match port.and_then(|port| port.parse::<u16>().ok()) {
        Some(1..) => Ok(text.to_owned()),
        _ => Err("not host:port; hint: the cluster address of a node, like 127.0.0.1:7401".to_owned()),
    }
}

fn show(shown: &mut Shown, progress: &Progress) {
    match progress {
        Progress::Connecting { peer, attempt: 1 } => shown.say(format!("connecting to {peer}")),
        Progress::Connecting { peer, attempt } => shown.say(format!("connecting to {peer}, attempt {attempt}")),
        Progress::Retrying { peer, why } => shown.say(format!("{peer}: {why}; trying again")),
        Progress::Accepted { node_id, cluster_id } => shown.say(format!("accepted as node {node_id} of cluster {cluster_id}")),
        Progress::CaughtUp { done, all } => shown.count((*done).into(), (*all).into(), "shards caught up"),
        Progress::Ready => shown.say("ready"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_host_and_port() {
        for good in ["127.0.0.1:7401", "n1.example.com:7401", "[::1]:7401"] {
            assert_eq!(peer(good), Ok(good.to_owned()));
        }
        for bad in ["", "n1", "n1:", ":7401", "n1:0", "n1:70000", "http://n1:7400"] {
            assert!(peer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn without_the_clusters_secret_it_says_where_to_find_it() {
        let error = has_cluster_secret(None).expect_err("there is none").to_string();
        assert!(error.contains("cluster.secret is missing") && error.contains("--secrets <its data_dir>/secrets.toml"), "{error}");
        assert!(has_cluster_secret(Some(&Secret::new("s"))).is_ok());
    }
}
