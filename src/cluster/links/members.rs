//! Whom this node may link with: the members, where they are reached, and which were removed. Pure state; dials nobody.
//!
//! Node ids are never used again, so what is kept of a removed one is a few bytes, and its number is bounded by the ids ever given out.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::hello::{Hello, Role};
use super::refusal::Refusal;
use crate::ports::peers::NodeId;

/// What is known of one node.
#[derive(Debug, Default)]
pub struct Member {
    /// None when it was removed.
    pub address: Option<String>,
    /// The data directory behind the id, as it was proven first.
    uuid: Option<String>,
    /// Links there were so far.
    pub link_count: u64,
    /// The task that dials it, or knocks at it.
    pub dialer: Option<AbortHandle>,
    /// Makes the dialer try at once.
    pub wake: Arc<Notify>,
}

/// All nodes that this node was told of.
#[derive(Debug)]
pub struct Members {
    me: NodeId,
    by_id: BTreeMap<NodeId, Member>,
    /// No link is wanted any more.
    pub is_stopped: bool,
}

impl Members {
    /// Nobody is known yet.
    #[must_use]
    pub const fn new(me: NodeId) -> Members {
        Members { me, by_id: BTreeMap::new(), is_stopped: false }
    }

    /// A node's entry, made where there is none.
    pub fn entry(&mut self, node: NodeId) -> &mut Member {
        self.by_id.entry(node).or_default()
    }

    /// A member; not one that was removed.
    pub fn member(&mut self, node: NodeId) -> Option<&mut Member> {
        self.by_id.get_mut(&node).filter(|member| member.address.is_some())
    }

    /// Takes all dialers out.
    pub fn take_dialers(&mut self) -> Vec<AbortHandle> {
        self.by_id.values_mut().filter_map(|member| member.dialer.take()).collect()
    }

    /// Whether a proven dialer may have what it wants.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn judge(&mut self, hello: &Hello<'_>) -> Result<(), Refusal> {
        if hello.role == Role::Guest {
            return Ok(());
        }
        if hello.to != self.me {
            return Err(Refusal::WrongNode);
        }
        // Of a pair, the node with the higher id makes the link; the other one may only knock.
        let from = hello.from.node;
        let is_for_it_to_do = if hello.role == Role::Member { from > self.me } else { from < self.me };
        if from != self.me && !is_for_it_to_do {
            return Err(Refusal::Broken);
        }
        self.recognise(from, hello.from.uuid)
    }

    /// Whether a node that has proven the secret is the member that it claims to be: the first uuid that came with an id is the one that counts.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn recognise(&mut self, node: NodeId, uuid: &str) -> Result<(), Refusal> {
        if node == self.me {
            return Err(Refusal::WrongUuid);
        }
        let Some(member) = self.by_id.get_mut(&node) else { return Err(Refusal::Stranger) };
        if member.address.is_none() {
            return Err(Refusal::Removed);
        }
        match &member.uuid {
            Some(seen) if seen != uuid => Err(Refusal::WrongUuid),
            Some(_) => Ok(()),
            None => {
                member.uuid = Some(uuid.to_owned());
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hello::Identity;
    use super::*;
    use crate::ledger::ids::EdgeId;

    fn judge(members: &mut Members, role: Role, from: u64, uuid: &str) -> Result<(), Refusal> {
        let from = Identity { cluster_id: "c", node: NodeId(from), uuid, run: EdgeId(1), name: "n" };
        members.judge(&Hello { role, to: NodeId(5), from, nonce: [0; 32] })
    }

    #[test]
    fn only_members_are_let_in_and_only_the_higher_id_dials() {
        let mut members = Members::new(NodeId(5));
        assert_eq!(judge(&mut members, Role::Member, 7, "a"), Err(Refusal::Stranger));
        members.entry(NodeId(7)).address = Some("h:1".to_owned());
        members.entry(NodeId(3)).address = Some("h:2".to_owned());
        assert_eq!(judge(&mut members, Role::Member, 7, "a"), Ok(()));
        assert_eq!(judge(&mut members, Role::Member, 3, "b"), Err(Refusal::Broken));
        assert_eq!(judge(&mut members, Role::Knock, 3, "b"), Ok(()));
        members.entry(NodeId(7)).address = None;
        assert_eq!(judge(&mut members, Role::Member, 7, "a"), Err(Refusal::Removed));
    }

    #[test]
    fn one_id_has_one_data_directory() {
        let mut members = Members::new(NodeId(5));
        members.entry(NodeId(7)).address = Some("h:1".to_owned());
        assert_eq!(judge(&mut members, Role::Member, 7, "a"), Ok(()));
        assert_eq!(judge(&mut members, Role::Member, 7, "other"), Err(Refusal::WrongUuid));
        assert_eq!(members.recognise(NodeId(7), "other"), Err(Refusal::WrongUuid));
        assert_eq!(judge(&mut members, Role::Member, 5, "other"), Err(Refusal::WrongUuid), "somebody claims this node's own id");
        assert_eq!(judge(&mut members, Role::Member, 7, "a"), Ok(()), "the first one still counts");
    }
}
