//! What this node knows of all nodes and shards: who owns what and until when that may be believed, who can be reached, who is called what. It is told by pulses, by the meta
//! state and by this node's own shards; it asks nobody.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::directory_lease::{Claim, ProvenAt, Reigns};
use super::directory_names::EdgeNames;
use super::meta::State;
use super::meta_group::Meta;
use super::pulse::{About, Echo, Owned, Pulse};
use crate::clock;
use crate::ledger::ids::{EdgeId, ShardId, UserId};
use crate::ports::owners::{Owner, Owners};
use crate::ports::peers::NodeId;

/// What a directory is made of.
pub struct DirectoryParts {
    pub me: NodeId,
    /// This run of this node.
    pub run: EdgeId,
    pub http: String,
    pub cluster: String,
    pub shard_count: u16,
    pub lease_ms: u64,
    pub shard_of: fn(&UserId, u16) -> ShardId,
    pub meta: Arc<Meta>,
}

/// See the file's head.
pub struct Directory {
    pub(super) parts: DirectoryParts,
    /// Read at every sending; changed at every pulse, under the lock of `heard`.
    known: ArcSwap<Known>,
    heard: Mutex<Heard>,
    /// Counts changes of owners.
    changed: watch::Sender<u64>,
    /// Counts what all others should hear of at once, apart from what this node owns.
    news: watch::Sender<u64>,
    is_stopping: AtomicBool,
    /// When each shard was last seen to have an owner, ms of monotonic time; 0: never.
    pub(super) owned_at_ms: Box<[AtomicU64]>,
    pub(super) has_joined: AtomicBool,
}

/// What is asked for at every sending.
#[derive(Clone)]
pub(super) struct Known {
    reigns: Reigns,
    /// The links that stand.
    pub links: BTreeMap<NodeId, u64>,
}

/// What was heard of other nodes, and what this one said last.
pub(super) struct Heard {
    pub nodes: BTreeMap<NodeId, Neighbour>,
    pub own: About,
    /// The owners that were told of last.
    owners: Vec<Option<Owner>>,
    names: EdgeNames,
}

/// The last word of a node.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// The sender's time in it.
    sent_at_ms: u64,
    pub about: About,
}

impl Directory {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(parts: DirectoryParts) -> Directory {
        let DirectoryParts { run, shard_count, lease_ms, .. } = parts;
        let own = About { run, http: parts.http.clone(), cluster: parts.cluster.clone(), ..About::default() };
        let owners = vec![None; usize::from(shard_count)];
        let owned_at_ms = (0..shard_count).map(|_| AtomicU64::new(0)).collect();
        let heard = Heard { nodes: BTreeMap::new(), own, owners, names: EdgeNames::default() };
        Directory {
            known: ArcSwap::from_pointee(Known { reigns: Reigns::new(shard_count, lease_ms), links: BTreeMap::new() }),
            heard: Mutex::new(heard),
            changed: watch::Sender::new(0),
            news: watch::Sender::new(0),
            is_stopping: AtomicBool::new(false),
            owned_at_ms,
            has_joined: AtomicBool::new(false),
            parts,
        }
    }

    /// This node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.parts.me
    }

    /// The state of the cluster.
    #[must_use]
    pub fn meta(&self) -> &Arc<Meta> {
        &self.parts.meta
    }

    /// `cluster.lease`.
    #[must_use]
    pub fn lease_ms(&self) -> u64 {
        self.parts.lease_ms
    }

    /// How many shards there are.
    #[must_use]
    pub fn shard_count(&self) -> u16 {
        self.parts.shard_count
    }

    /// Changes whenever all others should hear of this node at once: a link came up, or it is going away.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// A link came up. For one node: up, then what arrives over the link, then down, and only then the next up.
    pub fn link_up(&self, node: NodeId, link: u64) {
        self.change_links(|links| {
            links.insert(node, link);
        });
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A link went down.
    pub fn link_down(&self, node: NodeId, link: u64) {
        self.change_links(|links| {
            if links.get(&node) == Some(&link) {
                links.remove(&node);
            }
        });
    }

    fn change_links(&self, change: impl FnOnce(&mut BTreeMap<NodeId, u64>)) {
        let mut heard = self.heard();
        let mut known = Known::clone(&self.known.load());
        change(&mut known.links);
        self.known.store(Arc::new(known));
        self.refresh(&mut heard, clock::monotonic_ms());
    }

    pub(super) fn known(&self) -> Arc<Known> {
        self.known.load_full()
    }

    /// This node is going away: from now on it says so.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Whether this node is going away.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Notices what time changes, and who is called what, for as long as it is polled.
    pub async fn watch_over(self: Arc<Self>) {
        let mut meta = self.parts.meta.watch();
        let tick = Duration::from_millis((self.parts.lease_ms / 40).clamp(10, 250));
        loop {
            self.note_names(&meta.borrow_and_update().clone());
            self.refresh(&mut self.heard(), clock::monotonic_ms());
            self.note_owned();
            tokio::select! {
                Ok(()) = meta.changed() => {}
                () = tokio::time::sleep(tick) => {}
            }
        }
    }

    /// The nodes that can be told something, and what to send back to each of what it has sent.
    pub(super) fn echoes(&self) -> Vec<(NodeId, Option<Echo>)> {
        let heard = self.heard();
        let echo = |neighbour: &Neighbour| Echo { run: neighbour.about.run, sent_at_ms: neighbour.sent_at_ms };
        self.known.load().links.keys().map(|node| (*node, heard.nodes.get(node).map(echo))).collect()
    }

    /// Takes what this node owns, and gives what it says of itself.
    pub(super) fn take_own(&self, owned: BTreeMap<ShardId, Owned>, connection_count: u64, now_ms: u64) -> About {
        let me = self.parts.me;
        let mut heard = self.heard();
        self.change_reigns(me, &heard.own.owned, &owned, |owned| {
            Some(Claim { node: me, term: owned.term, link: 0, proven: ProvenAt::new(now_ms, owned.quorum_age_ms) })
        });
        heard.own.owned = owned;
        heard.own.connection_count = connection_count;
        self.refresh(&mut heard, now_ms);
        drop(heard);
        let state = self.own_state(now_ms);
        let mut heard = self.heard();
        heard.own.state = state;
        heard.own.clone()
    }

    /// Takes what another node says.
    pub(super) fn take(&self, from: NodeId, pulse: Pulse, now_ms: u64) {
        let Some(link) = self.known.load().links.get(&from).copied() else { return };
        let Pulse { sent_at_ms, echo, about } = pulse;
        let mut heard = self.heard();
        let before = heard.nodes.get(&from);
        if before.is_some_and(|before| before.about.run == about.run && sent_at_ms < before.sent_at_ms) {
            return;
        }
        // What an earlier run of this node had sent was said by another clock.
        let echo = echo.filter(|echo| echo.run == self.parts.run && echo.sent_at_ms <= now_ms);
        let owned_before = before.map(|before| before.about.owned.clone()).unwrap_or_default();
        self.change_reigns(from, &owned_before, &about.owned, |owned| {
            // Rounded up: it was counted in whole ms.
            let heard_ms = if mutant!(LeaseFromReceipt) { now_ms } else { echo?.sent_at_ms };
            let proven = ProvenAt::new(heard_ms, owned.quorum_age_ms.saturating_add(1));
            Some(Claim { node: from, term: owned.term, link, proven })
        });
        if let Some(name) = self.name_of(from) {
            heard.names.note(about.run, &name);
        }
        heard.nodes.insert(from, Neighbour { sent_at_ms, about });
        self.refresh(&mut heard, now_ms);
    }

    fn change_reigns(
        &self,
        node: NodeId,
        before: &BTreeMap<ShardId, Owned>,
        after: &BTreeMap<ShardId, Owned>,
        claim: impl Fn(&Owned) -> Option<Claim>,
    ) {
        let mut known = Known::clone(&self.known.load());
        for shard in before.keys().filter(|shard| !after.contains_key(shard)) {
            known.reigns.disown(*shard, node);
        }
        for (shard, owned) in after {
            match claim(owned) {
                Some(claim) => known.reigns.claim(*shard, claim),
                None => known.reigns.saw_term(*shard, owned.term),
            }
        }
        self.known.store(Arc::new(known));
    }

    /// Tells of owners that are others than those told of last.
    fn refresh(&self, heard: &mut Heard, now_ms: u64) {
        let owners: Vec<Option<Owner>> = (0..self.parts.shard_count).map(|shard| self.owner_at(ShardId(shard), now_ms)).collect();
        if owners != heard.owners {
            heard.owners = owners;
            self.changed.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    pub(super) fn owner_at(&self, shard: ShardId, now_ms: u64) -> Option<Owner> {
        let known = self.known.load();
        let reign = known.reigns.owner(shard, now_ms)?;
        // What was said over a link that broke must be said again.
        let is_linked = reign.node == self.parts.me || known.links.get(&reign.node) == Some(&reign.link);
        is_linked.then_some(Owner { node: reign.node, term: reign.term, link: reign.link })
    }

    fn note_names(&self, state: &State) {
        let mut heard = self.heard();
        for (_, member) in state.members() {
            heard.names.note(member.run, &member.name);
        }
    }

    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("no holder panics")
    }
}

impl Owners for Directory {
    fn me(&self) -> NodeId {
        self.parts.me
    }

    fn shard_of(&self, user: &UserId) -> ShardId {
        (self.parts.shard_of)(user, self.parts.shard_count)
    }

    fn owner_of(&self, shard: ShardId) -> Option<Owner> {
        self.owner_at(shard, clock::monotonic_ms())
    }

    fn is_valid(&self, shard: ShardId, term: u64) -> bool {
        self.known.load().reigns.is_valid(shard, term, clock::monotonic_ms())
    }

    fn lease_left(&self, shard: ShardId, term: u64) -> Duration {
        Duration::from_millis(self.known.load().reigns.lease_left_ms(shard, term, clock::monotonic_ms()))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn name_of_edge(&self, edge: EdgeId) -> Option<String> {
        self.heard().names.of(edge)
    }

    fn name_of(&self, node: NodeId) -> Option<String> {
        self.parts.meta.state().nodes.get(&node).map(|member| member.name.clone())
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
