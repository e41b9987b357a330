//! What nodes say to each other, and what they need to know to say it.

#[path = "../../src/cluster/format.rs"]
pub mod format;
#[path = "../../src/cluster/meta.rs"]
pub mod meta;
#[path = "../../src/cluster/meta_command.rs"]
pub mod meta_command;
#[path = "../../src/cluster/meta_apply.rs"]
mod meta_apply;
#[path = "../../src/cluster/meta_group.rs"]
pub mod meta_group;
#[path = "../../src/cluster/balancer_ops.rs"]
pub mod balancer_ops;
#[path = "../../src/cluster/directory_lease.rs"]
pub mod directory_lease;
#[path = "../../src/cluster/directory_names.rs"]
mod directory_names;
#[path = "../../src/cluster/directory.rs"]
pub mod directory;
#[path = "../../src/cluster/directory_view.rs"]
mod directory_view;
#[path = "../../src/cluster/pulse.rs"]
pub mod pulse;
#[path = "../../src/cluster/forward_wire.rs"]
pub mod forward_wire;
#[path = "../../src/cluster/membership_wire.rs"]
pub mod membership_wire;
#[path = "../checks/cluster.rs"]
pub mod checks;

#[path = "links.rs"]
pub mod links;
