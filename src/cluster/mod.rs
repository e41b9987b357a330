//! Which node does what: links between nodes, who owns which shard, who is a member, and where replicas lie. It moves replicas and leaders; it never looks into a ledger.

mod format;
pub mod meta;
pub mod meta_command;
mod meta_apply;
pub mod meta_group;
pub mod placement;
mod placement_leaders;
pub mod balancer_ops;
pub mod balancer_step;
pub mod directory_lease;
mod directory_names;
pub mod directory;
mod directory_view;
pub mod pulse;
#[cfg(test)]
mod fakes_for_tests;
mod forward_wire;
pub mod forward_serve;
pub mod forward;
pub mod balancer;
pub mod membership_wire;
mod membership_decide;
pub mod membership;
pub mod status;
pub mod membership_wipe;
