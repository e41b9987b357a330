//! Links, as the directory and the members see them. Decides nothing.

use super::directory::Directory;
use super::links::{LinkUp, LinkWatch, Links};
use super::membership::Roster;
use crate::ports::peers::NodeId;

impl LinkWatch for Directory {
    fn up(&self, link: LinkUp) {
        self.link_up(link.node, link.link);
    }

    fn down(&self, node: NodeId, link: u64) {
        self.link_down(node, link);
    }
}

/// For [`super::membership::Membership::follow`], which owns it.
#[derive(Clone)]
pub struct LinkRoster(pub std::sync::Arc<Links>);

impl Roster for LinkRoster {
    fn know(&self, node: NodeId, address: String) {
        self.0.know(node, address);
    }

    fn forget(&self, node: NodeId) {
        self.0.forget(node);
    }
}
