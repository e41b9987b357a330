//! `engage drain`: has a node lead nothing, and waits until that is so.

use clap::Args;
use serde_json::json;

use super::output;
use super::target::{Need, Target};
use super::waiting::{Look, Patience, may_pass};
use crate::client::{Cluster, ClusterNode};
use crate::config::Span;

#[derive(Debug, Args)]
pub(super) struct Drain {
    /// The node's name, as `engage status` shows it
    node: String,
    /// How long to wait until it leads nothing
    #[arg(long, default_value = "1m")]
    timeout: Span,
    /// Print what is now true as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Drain {
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let api = self.target.api(Need::Admin)?;
        let patience = Patience::new(self.timeout);
        output::note(format_args!("draining {}: its leaders move to other nodes; ctrl-c ends the waiting, not the moving", self.node));
        patience.call(async || api.drain(&self.node).await, may_pass).await?;
        let node = patience.until(&api, |cluster| self.look(cluster)).await?;
        if self.json {
            output::json(&json!({ "node": node.name, "state": node.state, "leaders": node.leaders, "replicas": node.replicas }))?;
        }
        let replicas = output::count(node.replicas, "replica");
        output::note(format_args!(
            "{} leads nothing and is given nothing new; it holds {replicas}{}\nstop it for maintenance: once started again it takes part as before; or take it out for good: engage remove {}",
            node.name,
            connections(&node),
            node.name
        ));
        Ok(())
    }

    fn look(&self, cluster: &Cluster) -> Look<ClusterNode> {
        match cluster.nodes.iter().find(|node| node.name == self.node) {
            // Another node, asked a moment later, may not have heard of the drain yet.
            Some(node) if node.leaders == 0 && node.state != "ready" => Look::Done(node.clone()),
            Some(node) => Look::GoesOn(format!("{} leads {}{}", node.name, output::count(node.leaders, "shard"), connections(node))),
            None => Look::GoesOn(format!("{} is not shown yet", self.node)),
        }
    }
}

fn connections(node: &ClusterNode) -> String {
    node.connections.map(|count| format!(" and has {}", output::count(count, "connection"))).unwrap_or_default()
}
