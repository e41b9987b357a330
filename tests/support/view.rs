//! What `GET /v1/cluster` says, read with care: what the contract names must be there.

use std::collections::BTreeMap;

use serde_json::Value;

/// The cluster, as one node sees it.
#[derive(Clone, Debug)]
pub struct View(pub Value);

impl View {
    /// Its nodes.
    pub fn nodes(&self) -> &Vec<Value> {
        self.0["nodes"].as_array().unwrap_or_else(|| panic!("no nodes in {}", self.0))
    }

    /// Its shards.
    pub fn shards(&self) -> &Vec<Value> {
        self.0["shards"].as_array().unwrap_or_else(|| panic!("no shards in {}", self.0))
    }

    /// A node by its name; the newest, where an older one of that name has not gone yet.
    pub fn node(&self, name: &str) -> Option<&Value> {
        self.nodes().iter().filter(|node| node["name"] == name).max_by_key(|node| node["id"].as_u64())
    }

    /// The id of a node that must be there.
    pub fn id_of(&self, name: &str) -> u64 {
        let node = self.node(name).unwrap_or_else(|| panic!("no node {name} in {}", self.0));
        node["id"].as_u64().unwrap_or_else(|| panic!("no id in {node}"))
    }

    /// The state of a node; empty where it isn't there.
    pub fn state_of(&self, name: &str) -> &str {
        self.node(name).and_then(|node| node["state"].as_str()).unwrap_or_default()
    }

    /// Who leads a shard.
    pub fn leader(&self, shard: usize) -> Option<&str> {
        self.shards()[shard]["leader"].as_str()
    }

    /// The shards that a node leads.
    pub fn led_by(&self, name: &str) -> Vec<usize> {
        (0..self.shards().len()).filter(|shard| self.leader(*shard) == Some(name)).collect()
    }

    /// How many shards each of these nodes leads.
    pub fn leaders(&self, names: &[String]) -> BTreeMap<String, usize> {
        names.iter().map(|name| (name.clone(), self.led_by(name).len())).collect()
    }

    /// What still keeps the cluster from being whole: `voters` for each shard, all of these nodes alone, caught up, and led.
    pub fn missing(&self, names: &[String], voters: usize) -> Option<String> {
        let mut known: Vec<&str> = self.nodes().iter().filter_map(|node| node["name"].as_str()).collect();
        known.sort_unstable();
        let mut wanted: Vec<&str> = names.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        if known != wanted {
            return Some(format!("its nodes are {known:?}, not {wanted:?}"));
        }
        if let Some(node) = self.nodes().iter().find(|node| node["state"] != "ready") {
            return Some(format!("{} is {}", node["name"], node["state"]));
        }
        self.shards().iter().find_map(|shard| lacking(shard, &wanted, voters))
    }
}

/// Log entries that a replica may be behind while clients go on.
const LAG_MAX: u64 = 64;

fn lacking(shard: &Value, nodes: &[&str], voters: usize) -> Option<String> {
    let names = |field: &str| shard[field].as_array().map(|list| list.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    let (now, learners) = (names("voters")?, names("learners")?);
    let is_led = shard["leader"].as_str().is_some_and(|leader| nodes.contains(&leader) && now.contains(&leader));
    let is_held = now.len() == voters && learners.is_empty() && now.iter().all(|voter| nodes.contains(voter));
    let is_caught_up = shard["lag"].as_u64().is_none_or(|lag| lag <= LAG_MAX);
    (!(is_led && is_held && is_caught_up)).then(|| format!("shard {shard}"))
}
