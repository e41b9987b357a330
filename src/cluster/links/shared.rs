//! What the tasks of all links share: who is a member, which links stand, and whom to tell of changes. No lock is held across a wait or a call out.

use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use super::config::LinkConfig;
use super::handshake::{Me, Peer};
use super::hello::Identity;
use super::link::Link;
use super::members::Members;
use super::refusal::Refusals;
use super::serving::Services;
use super::socket::Duplex;
use crate::ports::network::{LinkUp, LinkWatch};
use crate::ports::peers::NodeId;

type Standing = BTreeMap<NodeId, Arc<Link>>;

/// The state behind [`super::Links`].
pub struct Shared {
    pub config: LinkConfig,
    pub runtime: Handle,
    pub services: Services,
    pub refusals: Refusals,
    /// Places for guests that wait for their answer.
    pub guests: Arc<Semaphore>,
    members: Mutex<Members>,
    /// Changed only under the members' lock. A link stays in until everybody was told that it went down, so that no other comes up before.
    standing: ArcSwap<Standing>,
    watchers: Mutex<Vec<Arc<dyn LinkWatch>>>,
    changes: watch::Sender<u64>,
    removed: watch::Sender<bool>,
}

/// What became of a connection that wants to be the link.
enum Placed {
    Link(Arc<Link>),
    /// This one has to go first.
    Behind(Arc<Link>),
    /// Its node is no member any more, or links are stopped.
    NotWanted,
}

impl Shared {
    /// No member, no link.
    #[must_use]
    pub fn new(config: LinkConfig, runtime: Handle) -> Shared {
        Shared {
            runtime,
            services: Services::default(),
            refusals: Refusals::default(),
            guests: Arc::new(Semaphore::new(config.tuning.guests_max)),
            members: Mutex::new(Members::new(config.me)),
            standing: ArcSwap::default(),
            watchers: Mutex::new(Vec::new()),
            changes: watch::Sender::new(0),
            removed: watch::Sender::new(false),
            config,
        }
    }

    /// Who this node is, in a handshake.
    pub fn me(&self) -> Me<'_> {
        let LinkConfig { cluster_id, me, node_uuid, run, name, secret, .. } = &self.config;
        Me { identity: Identity { cluster_id, node: *me, uuid: node_uuid, run: *run, name }, secret }
    }

    /// The members. Not to be held across a wait, nor while links are told anything.
    pub fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link to a node, if it stands.
    pub fn link_to(&self, node: NodeId) -> Option<Arc<Link>> {
        self.standing.load().get(&node).filter(|link| !link.is_ended()).map(Arc::clone)
    }

    /// The link to a node, if it stands, or has ended and not told everybody yet.
    pub fn last_link_to(&self, node: NodeId) -> Option<Arc<Link>> {
        self.standing.load().get(&node).map(Arc::clone)
    }

    /// All links that have not told everybody that they ended.
    pub fn links(&self) -> Vec<Arc<Link>> {
        self.standing.load().values().map(Arc::clone).collect()
    }

    /// Changes with each up and down.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// True once a member has proven that this node was removed.
    pub fn removed(&self) -> watch::Receiver<bool> {
        self.removed.subscribe()
    }

    /// A member says that this node was removed.
    pub fn was_removed(&self) {
        self.removed.send_replace(true);
    }

    /// Somebody who wants to be told, from the next change on.
    pub fn watch(&self, watcher: Arc<dyn LinkWatch>) {
        self.lock_watchers().push(watcher);
    }

    /// Makes a proven connection the link to its node. It takes the place of an older one: the node would not have made it, if that were still good. None where no link is wanted.
    pub async fn install(self: &Arc<Shared>, peer: Peer, stream: Box<dyn Duplex>) -> Option<Arc<Link>> {
        loop {
            match self.place(&peer) {
                Placed::Link(link) => {
                    self.runtime.spawn(Arc::clone(&link).run(Arc::clone(self), stream));
                    return Some(link);
                }
                Placed::Behind(old) => {
                    old.close(None);
                    old.finished().await;
                }
                Placed::NotWanted => return None,
            }
        }
    }

    fn place(&self, peer: &Peer) -> Placed {
        let mut members = self.members();
        if members.is_stopped {
            return Placed::NotWanted;
        }
        let Some(member) = members.member(peer.node) else { return Placed::NotWanted };
        let mut standing = Standing::clone(&self.standing.load());
        if let Some(old) = standing.get(&peer.node) {
            return Placed::Behind(Arc::clone(old));
        }
        member.link_count += 1;
        let up = LinkUp { node: peer.node, link: member.link_count, run: peer.run, name: peer.name.clone() };
        let link = Link::new(up, self);
        standing.insert(peer.node, Arc::clone(&link));
        self.standing.store(Arc::new(standing));
        Placed::Link(link)
    }

    /// Tells that a link came up.
    pub fn tell_up(&self, up: &LinkUp) {
        for watcher in self.all_watchers() {
            watcher.up(up.clone());
        }
        self.changes.send_modify(|count| *count += 1);
    }

    /// Tells that a link went down, and makes room for the next.
    pub fn tell_down(&self, link: &Link) {
        for watcher in self.all_watchers() {
            watcher.down(link.up.node, link.up.link);
        }
        let members = self.members();
        let mut standing = Standing::clone(&self.standing.load());
        let gone = standing.remove(&link.up.node);
        debug_assert!(gone.is_some_and(|gone| gone.up.link == link.up.link), "another link stood in the place of the one that ended");
        self.standing.store(Arc::new(standing));
        drop(members);
        self.changes.send_modify(|count| *count += 1);
    }

    fn all_watchers(&self) -> Vec<Arc<dyn LinkWatch>> {
        self.lock_watchers().clone()
    }

    fn lock_watchers(&self) -> MutexGuard<'_, Vec<Arc<dyn LinkWatch>>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
