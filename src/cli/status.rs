//! `engage status`: nodes and shards, as the node that is asked sees them.

use clap::Args;

use super::output;
use super::target::{Need, Target};
use crate::client::Cluster;

#[derive(Debug, Args)]
pub(super) struct Status {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Status {
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let cluster = self.target.api(Need::Admin)?.cluster().await?;
        if self.json {
            return output::json(&cluster);
        }
        output::data(nodes(&cluster))?;
        output::data("")?;
        output::data(shards(&cluster))?;
        let leaderless = cluster.shards.iter().filter(|shard| shard.leader.is_none()).count();
        if leaderless == 0 {
            output::note(format_args!("every shard of cluster {} has a leader", cluster.cluster_id));
        } else {
            output::note(format_args!("{leaderless} of {} shards of cluster {} have no leader", cluster.shards.len(), cluster.cluster_id));
        }
        Ok(())
    }
}

fn nodes(cluster: &Cluster) -> String {
    let mut rows = vec![row(["NODE", "STATE", "LEADERS", "REPLICAS", "CONNECTIONS", "HTTP", "CLUSTER"])];
    for node in &cluster.nodes {
        rows.push(row([
            &node.name,
            &node.state,
            &node.leaders.to_string(),
            &node.replicas.to_string(),
            &node.connections.map_or_else(nothing, |count| count.to_string()),
            &node.http.clone().unwrap_or_else(nothing),
            &node.cluster.clone().unwrap_or_else(nothing),
        ]));
    }
    output::table(&rows)
}

fn shards(cluster: &Cluster) -> String {
    let mut rows = vec![row(["SHARD", "LEADER", "TERM", "VOTERS", "LEARNERS", "APPLIED", "USERS"])];
    for shard in &cluster.shards {
        rows.push(row([
            &shard.shard.to_string(),
            &shard.leader.clone().unwrap_or_else(nothing),
            &shard.term.to_string(),
            &names(&shard.voters),
            &names(&shard.learners),
            &shard.applied_index.to_string(),
            &shard.users.to_string(),
        ]));
    }
    output::table(&rows)
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|&cell| cell.to_owned()).collect()
}

fn names(nodes: &[String]) -> String {
    if nodes.is_empty() { nothing() } else { nodes.join(",") }
}

fn nothing() -> String {
    "-".to_owned()
}
