//! The links between nodes, without sockets.

#[path = "../../src/cluster/links/config.rs"]
pub mod config;
#[path = "../../src/cluster/links/frame.rs"]
pub mod frame;
#[path = "../../src/cluster/links/guest_frame.rs"]
pub mod guest_frame;
#[path = "../../src/cluster/links/handshake.rs"]
pub mod handshake;
#[path = "../../src/cluster/links/hello.rs"]
pub mod hello;
#[path = "../../src/cluster/links/inbox.rs"]
pub mod inbox;
#[path = "../../src/cluster/links/proof.rs"]
pub mod proof;
#[path = "../../src/cluster/links/refusal.rs"]
pub mod refusal;
#[path = "../checks/links.rs"]
pub mod checks;

pub mod tls {
    /// No connection is made here.
    #[derive(Clone, Debug)]
    pub struct LinkTls;
}
