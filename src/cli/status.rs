//! `engage status`: nodes and shards, as the node that is asked sees them.

use clap::Args;

use super::output;
use super::target::{Need, Target};
use crate::client::{Cluster, Shard};

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
        output::note(format_args!("{}", verdict(&cluster)));
        Ok(())
    }
}

/// What is now true, and what to do about it.
fn verdict(cluster: &Cluster) -> String {
    let mut wrong = Vec::new();
    for state in ["unreachable", "not_ready", "joining", "draining", "leaving"] {
        let names: Vec<&str> = cluster.nodes.iter().filter(|node| node.state == state).map(|node| node.name.as_str()).collect();
        if !names.is_empty() {
            wrong.push(format!("{}: {}", state.replace('_', " "), names.join(", ")));
        }
    }
    let shards = output::count(cluster.shards.len() as u64, "shard");
    let leaderless = cluster.shards.iter().filter(|shard| shard.leader.is_none()).count();
    if leaderless > 0 {
        wrong.push(format!("{leaderless} of {shards} have no leader, and refuse writes until a majority of their voters is back"));
    }
    let behind: Vec<String> = cluster.shards.iter().filter(|shard| is_behind(shard)).map(|shard| shard.shard.to_string()).collect();
    if !behind.is_empty() {
        wrong.push(format!("replicas are behind in shard {}", behind.join(", ")));
    }
    let size = format!("cluster {}: {}, {shards}", cluster.cluster_id, output::count(cluster.nodes.len() as u64, "node"));
    if wrong.is_empty() {
        format!("{size}; all nodes are ready, and every shard has a leader")
    } else {
        format!("{size}; {}", wrong.join("; "))
    }
}

/// A replica that is this far behind would take a while to be of use.
fn is_behind(shard: &Shard) -> bool {
    const ENTRIES_MAX: u64 = 1_000;
    shard.lag.is_some_and(|lag| lag > ENTRIES_MAX)
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
    let mut rows = vec![row(["SHARD", "LEADER", "TERM", "VOTERS", "LEARNERS", "LAG", "APPLIED", "USERS"])];
    for shard in &cluster.shards {
        rows.push(row([
            &shard.shard.to_string(),
            &shard.leader.clone().unwrap_or_else(nothing),
            &shard.term.to_string(),
            &names(&shard.voters),
            &names(&shard.learners),
            &shard.lag.map_or_else(nothing, |lag| lag.to_string()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster(state: &str, leader: Option<&str>, lag: u64) -> Cluster {
        let node = json!({"name": "n1", "id": 1, "state": state, "leaders": 1, "replicas": 1, "connections": null});
        let shard = json!({"shard": 0, "leader": leader, "term": 3, "voters": ["n1", "n2"], "applied_index": 9, "users": 2, "lag": lag});
        serde_json::from_value(json!({"cluster_id": "c1", "nodes": [node], "shards": [shard]})).expect("it is a cluster")
    }

    #[test]
    fn the_verdict_names_all_that_is_not_as_it_should_be() {
        assert_eq!(
            verdict(&cluster("ready", Some("n1"), 0)),
            "cluster c1: 1 node, 1 shard; all nodes are ready, and every shard has a leader"
        );
        let all = verdict(&cluster("not_ready", None, 5_000));
        for part in ["not ready: n1", "1 of 1 shard have no leader", "replicas are behind in shard 0"] {
            assert!(all.contains(part), "{all}");
        }
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        let table = nodes(&cluster("unreachable", None, 0));
        assert_eq!(table.lines().count(), 2);
        assert!(table.lines().nth(1).is_some_and(|row| row.contains("n1    unreachable") && row.contains('-')), "{table}");
        assert!(shards(&cluster("ready", None, 7)).lines().nth(1).is_some_and(|row| row.contains("n1,n2")));
    }
}
