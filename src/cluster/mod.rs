//! Which node does what: links between nodes, who owns which shard, who is a member, and where replicas lie. It moves replicas and leaders; it never looks into a ledger.
//!
//! [`links`] carry everything. The meta group makes [`meta::State`] of [`meta_command::Command`]s, the same on every node: members, settings, and where replicas are wanted,
//! which [`placement`] says. [`pulse`]s tell who owns what, and [`directory`] keeps it; [`forward`] finds the owner by it. [`membership`] changes the members,
//! [`balancer`] brings replicas and leaders to where they are wanted, [`status`] shows all of it, [`figures`] what the nodes measure.
//!
//! Words of this room: a **group** is a shard's Raft group or the meta group; a node's **standing** is what it is in the cluster, its state is how it is.

pub mod links;
mod format;
pub mod meta;
pub mod meta_command;
mod meta_apply;
pub mod meta_group;
pub mod placement;
mod placement_leaders;
pub mod balancer_ops;
pub mod balancer_step;
pub mod balancer;
pub mod directory_lease;
mod directory_names;
pub mod directory;
mod directory_view;
pub mod pulse;
mod forward_wire;
pub mod forward_serve;
pub mod forward;
pub mod membership_wire;
mod membership_decide;
pub mod membership;
pub mod membership_wipe;
pub mod status;
pub mod figures;
#[cfg(test)]
mod fakes_for_tests;
#[cfg(test)]
#[path = "../../fuzz/checks/cluster.rs"]
mod fuzz_checks;
