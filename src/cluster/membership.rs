//! How nodes become members, say that they have started, and are drained or taken out; at any node, which hands it to the leader of the meta group. All of it is safe to be
//! asked for again. It moves no replica: the balancer does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tracing::{debug, info, warn};

use super::directory::Directory;
use super::format;
use super::membership_decide::decide;
use super::membership_wire::{Decision, JoinAnswer, JoinRequest, NotDecided, Request, Welcome};
use super::meta::{Settings, Standing};
use super::meta_command::{Introduction, Refusal, Reply};
use super::meta_group::MetaLog;
use crate::clock;
use crate::ports::members::MembershipError;
use crate::ports::peers::{Answer, Lane, NodeId, Peers, Serve, Service};

/// How long one question to a node may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a request is tried at all.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(50);
/// Between two tries of what must come to an end.
const ANNOUNCE_PAUSE: Duration = Duration::from_millis(200);
/// What moves after a drain has moved by then.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(3);
/// Requests of other nodes in progress here.
const REQUESTS_MAX: usize = 64;

/// Whom this node links with. `Links` is one.
pub trait Roster: Send + Sync {
    /// A member, and where it is reached.
    fn know(&self, node: NodeId, address: String);
    /// Not a member any more, for good.
    fn forget(&self, node: NodeId);
}

/// What membership is made of.
pub struct MembershipParts {
    pub cluster_id: String,
    pub directory: Arc<Directory>,
    pub log: Arc<dyn MetaLog>,
    pub peers: Arc<dyn Peers>,
    pub runtime: Handle,
}

/// See the file's head. Serves [`Service::Join`] and [`Service::Meta`].
pub struct Membership {
    pub(super) parts: MembershipParts,
    places: Arc<Semaphore>,
    standing: watch::Sender<Option<Standing>>,
}

impl Membership {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: MembershipParts) -> Arc<Membership> {
        let (places, standing) = (Arc::new(Semaphore::new(REQUESTS_MAX)), watch::Sender::new(None));
        Arc::new(Membership { parts, places, standing })
    }

    /// What this node is in the cluster, as [`Membership::follow`] sees it. A node that drains closes its connections by itself.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Option<Standing>> {
        self.standing.subscribe()
    }

    /// Links with members and not with others, and tells what this node is, for as long as it is polled.
    pub async fn follow(self: Arc<Self>, roster: Arc<dyn Roster>) {
        let me = self.parts.directory.node();
        let mut states = self.parts.directory.meta().watch();
        loop {
            let state = states.borrow_and_update().clone();
            for (node, member) in state.nodes.iter().filter(|(node, _)| **node != me) {
                match member.standing {
                    Standing::Removed => roster.forget(*node),
                    _ => roster.know(*node, member.cluster.clone()),
                }
            }
            let standing = state.standing(me);
            self.standing.send_if_modified(|known| std::mem::replace(known, standing) != standing);
            if states.changed().await.is_err() {
                return;
            }
        }
    }

    /// Founds the cluster with this one node; again does nothing. Waits for the meta group as long as it takes.
    ///
    /// # Errors
    /// [`Refusal`], which trying again does not change.
    pub async fn found(&self, introduction: Introduction, settings: Settings) -> Result<(), Refusal> {
        let node = self.parts.directory.node();
        self.insist(Request::Found { node, introduction, settings }).await.map(drop)
    }

    /// Says that this node has started, until the cluster has heard it.
    ///
    /// # Errors
    /// [`Refusal`], which trying again does not change: the node must not run.
    pub async fn announce(&self, introduction: Introduction, settings: Settings) -> Result<(), Refusal> {
        let node = self.parts.directory.node();
        let reply = self.insist(Request::Announce { node, introduction, settings }).await?;
        if let Reply::Announced { changed: Some(difference) } = reply {
            warn!(
                key = difference.key,
                before = difference.ours,
                now = difference.theirs,
                "this node has another setting than the cluster had; it must be the same on all nodes"
            );
        }
        Ok(())
    }

    async fn insist(&self, request: Request) -> Result<Reply, Refusal> {
        loop {
            match self.request(request.clone()).await {
                Ok(Reply::Refused(Refusal::NotFounded)) | Err(_) => tokio::time::sleep(ANNOUNCE_PAUSE).await,
                Ok(reply) => return reply.accepted(),
            }
        }
    }

    /// Has the leader of the meta group decide, wherever it is.
    pub(super) async fn request(&self, request: Request) -> Decision {
        let deadline = clock::monotonic() + REQUEST_TIMEOUT;
        let body = format::encode(&request);
        let mut hint = None;
        let mut others = self.parts.directory.linked().into_iter().cycle();
        while clock::monotonic() < deadline {
            let me = self.parts.directory.node();
            // A node that follows nothing yet asks anybody.
            let decision = match self.parts.log.leader().or_else(|| hint.take()).or_else(|| others.next()) {
                Some(leader) if leader == me => decide(&self.parts.directory, self.parts.log.as_ref(), request.clone()).await,
                Some(leader) => self.ask(leader, body.clone()).await,
                None => Err(NotDecided::Unavailable),
            };
            match decision {
                Err(NotDecided::NotLeader { leader: Some(leader) }) if leader != me => hint = Some(leader),
                Err(NotDecided::NotLeader { .. } | NotDecided::Unavailable) => tokio::time::sleep(PAUSE).await,
                decided => return decided,
            }
        }
        Err(NotDecided::Unavailable)
    }

    async fn ask(&self, leader: NodeId, body: Bytes) -> Decision {
        let answer = self.parts.peers.ask(leader, Lane::Raft, Service::Meta, body, ASK_TIMEOUT).await;
        let answer = answer.map_err(|_| NotDecided::Unavailable)?;
        format::decode::<Decision>(&answer).unwrap_or(Err(NotDecided::Unavailable))
    }

    /// Answers another node's request here, or says who leads.
    async fn decide_here(&self, request: Request) -> Decision {
        let leader = self.parts.log.leader();
        if leader != Some(self.parts.directory.node()) {
            return Err(NotDecided::NotLeader { leader });
        }
        decide(&self.parts.directory, self.parts.log.as_ref(), request).await
    }

    async fn take_in(&self, request: JoinRequest) -> JoinAnswer {
        let name = request.introduction.name.clone();
        match self.request(Request::Join(request)).await {
            Ok(Reply::Added { node }) => {
                info!(node = node.0, name, "a node has joined");
                self.welcome(node).map_or(JoinAnswer::NotNow, JoinAnswer::Welcome)
            }
            Ok(Reply::Refused(Refusal::NotFounded)) => JoinAnswer::NotNow,
            Ok(Reply::Refused(refusal)) => {
                warn!(name, %refusal, "a node was not let in");
                JoinAnswer::Refused(refusal)
            }
            Ok(Reply::Done | Reply::Announced { .. }) | Err(_) => JoinAnswer::NotNow,
        }
    }

    fn welcome(&self, node: NodeId) -> Option<Welcome> {
        let state = self.parts.directory.meta().state();
        let settings = state.settings.clone()?;
        let others = state.members().filter(|(id, _)| *id != node);
        let members = others.map(|(id, member)| (id, member.cluster.clone())).collect();
        Some(Welcome { cluster_id: self.parts.cluster_id.clone(), node, settings, members })
    }

    /// See [`crate::ports::members::Members::drain`].
    pub(super) async fn drain_named(&self, name: &str) -> Result<(), MembershipError> {
        told(self.request(Request::Drain { name: name.to_owned() }).await)
    }

    /// See [`crate::ports::members::Members::remove`].
    pub(super) async fn remove_named(&self, name: &str) -> Result<(), MembershipError> {
        let deadline = clock::monotonic() + SETTLE_TIMEOUT;
        loop {
            match told(self.request(Request::Remove { name: name.to_owned() }).await) {
                // A shard whose lead is on its way to another node has no majority for a moment.
                Err(MembershipError::WouldLoseMajority { .. }) if clock::monotonic() < deadline => tokio::time::sleep(ANNOUNCE_PAUSE).await,
                told => return told,
            }
        }
    }
}

fn told(decision: Decision) -> Result<(), MembershipError> {
    match decision {
        Ok(Reply::Refused(Refusal::NotDrained { .. })) => Err(MembershipError::NotDrained),
        Ok(Reply::Refused(Refusal::LastNode { .. })) => Err(MembershipError::LastNode),
        Ok(Reply::Refused(Refusal::Unknown { .. })) | Err(NotDecided::UnknownName) => Err(MembershipError::Unknown),
        Err(NotDecided::WouldLoseMajority { shard }) => Err(MembershipError::WouldLoseMajority { shard }),
        Ok(Reply::Refused(_)) | Err(NotDecided::NotLeader { .. } | NotDecided::Unavailable) => Err(MembershipError::Unavailable),
        Ok(Reply::Done | Reply::Added { .. } | Reply::Announced { .. }) => Ok(()),
    }
}

/// A service of [`Membership`]: guests are let to ask for one thing only.
pub struct ServeMembership {
    membership: Arc<Membership>,
    asked_by: AskedBy,
}

#[derive(Clone, Copy)]
enum AskedBy {
    Guests,
    Members,
}

impl ServeMembership {
    /// For [`Service::Join`].
    #[must_use]
    pub fn join(membership: Arc<Membership>) -> ServeMembership {
        ServeMembership { membership, asked_by: AskedBy::Guests }
    }

    /// For [`Service::Meta`].
    #[must_use]
    pub fn meta(membership: Arc<Membership>) -> ServeMembership {
        ServeMembership { membership, asked_by: AskedBy::Members }
    }
}

impl Serve for ServeMembership {
    fn told(&self, from: NodeId, _body: Bytes) {
        debug!(node = from.0, "a request that wants no answer is dropped");
    }

    fn asked(&self, from: NodeId, body: Bytes, answer: Answer) {
        let Ok(place) = self.membership.places.clone().try_acquire_owned() else {
            debug!(node = from.0, "too many requests are in progress");
            return;
        };
        let (membership, asked_by) = (Arc::clone(&self.membership), self.asked_by);
        self.membership.parts.runtime.spawn(async move {
            if let Some(body) = membership.answer_to(asked_by, &body).await {
                answer.send(body);
            }
            drop(place);
        });
    }
}

impl Membership {
    async fn answer_to(&self, asked_by: AskedBy, body: &[u8]) -> Option<Bytes> {
        match asked_by {
            AskedBy::Members => {
                let request = format::decode(body).inspect_err(|error| debug!(%error, "a request is not understood")).ok()?;
                Some(format::encode(&self.decide_here(request).await))
            }
            AskedBy::Guests => {
                let answer = match format::decode::<JoinRequest>(body) {
                    Ok(request) if request.is_sound() => self.take_in(request).await,
                    Ok(_) | Err(_) => JoinAnswer::Refused(Refusal::NotUnderstood),
                };
                Some(format::encode(&answer))
            }
        }
    }
}

#[cfg(test)]
#[path = "membership_tests.rs"]
mod tests;
