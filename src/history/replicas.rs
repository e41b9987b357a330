//! Replicas agree: at the same applied index, all replicas of a shard hold the same.

use std::collections::HashMap;

use super::Violation;
use super::facts::Facts;
use super::record::{Entry, What};

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    let mut known: HashMap<(u16, u64), (&str, &str)> = HashMap::new();
    let mut found = Vec::new();
    for Entry { t, what, .. } in facts.entries {
        let What::Replica { node, shard, applied_index, state_hash } = what else { continue };
        let (first, hash) = *known.entry((*shard, *applied_index)).or_insert((node, state_hash));
        if hash != state_hash {
            let text = format!("shard {shard} at entry {applied_index} is {state_hash} on {node}, and {hash} on {first}");
            found.push(Violation::new("replicas agree", *t, text));
        }
    }
    found
}
