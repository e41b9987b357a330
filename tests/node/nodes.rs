//! The nodes that tests share, one for each configuration, each started by the first test that asks for it.

use std::sync::OnceLock;

use crate::support::node::{Node, Settings};

/// The defaults of the contract.
pub fn common() -> &'static Node {
    static NODE: OnceLock<Node> = OnceLock::new();
    NODE.get_or_init(|| Node::start(Settings::new()))
}
