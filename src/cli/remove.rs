//! `engage remove`: takes a node, dead or drained, out for good, and waits until it is gone.

use clap::Args;
use serde_json::json;

use super::output;
use super::target::{Need, Target};
use super::waiting::{Look, Patience, may_pass};
use crate::client::Cluster;
use crate::config::Span;

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The node's name, as `engage status` shows it
    node: String,
    /// How long to wait until it is gone
    #[arg(long, default_value = "10m")]
    timeout: Span,
    /// Print what is now true as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Remove {
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let api = self.target.api(Need::Admin)?;
        let patience = Patience::new(self.timeout);
        output::note(format_args!(
            "taking {} out for good: what it holds moves to other nodes first; ctrl-c ends the waiting, not the moving",
            self.node
        ));
        patience.call(async || api.remove(&self.node).await, may_pass).await?;
        let left = patience.until(&api, |cluster| self.look(cluster)).await?;
        if self.json {
            output::json(&json!({ "node": self.node, "nodes": left }))?;
        }
        output::note(format_args!(
            "{} is no member any more; {} left. its data is of no use to this cluster: a node that joins again starts with an empty data_dir",
            self.node,
            output::count(left.len() as u64, "node")
        ));
        Ok(())
    }

    /// Done when it is no member, and no shard has a replica on it.
    fn look(&self, cluster: &Cluster) -> Look<Vec<String>> {
        let holding =
            cluster.shards.iter().filter(|shard| shard.voters.contains(&self.node) || shard.learners.contains(&self.node)).count();
        if cluster.nodes.iter().any(|node| node.name == self.node) || holding > 0 {
            return Look::GoesOn(format!("{} holds {}", self.node, output::count(holding as u64, "replica")));
        }
        Look::Done(cluster.nodes.iter().map(|node| node.name.clone()).collect())
    }
}
