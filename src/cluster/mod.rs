//! Which node does what: links between nodes, who owns which shard, who is a member, and where replicas lie. It moves replicas and leaders; it never looks into a ledger.

pub mod links;
