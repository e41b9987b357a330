//! The network between the nodes of a run, and to the outside: who reaches whom, how long it takes, and what is lost. A link is as TCP makes it: in order, or broken. It is the
//! seam at which [`SimPeers`](crate::peers::SimPeers) stands for the real links.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use engage::ledger::ids::EdgeId;
use engage::ports::network::LinkUp;
use engage::ports::peers::{Lane, NodeId, PeerError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::plan::cluster::LinkPlan;
use crate::post::{Address, Letter, OUTSIDE, Post, WireId, Words, now_us};

/// A link on which nothing is heard for that long is given up.
const SILENT_US: u64 = 2_000_000;
/// Between two tries to make a link.
const RETRY_US: std::ops::Range<u64> = 20_000..600_000;

/// Cheap to clone.
#[derive(Clone)]
pub struct Net(Arc<Mutex<State>>);

/// The state behind a [`Net`].
pub struct State {
    pub post: Post,
    plan: LinkPlan,
    random: StdRng,
    /// The nodes that run.
    peers: BTreeMap<NodeId, Peer>,
    links: BTreeMap<(NodeId, NodeId), Link>,
    next_link: u64,
    /// When a pair may try again.
    retry_us: BTreeMap<(NodeId, NodeId), u64>,
    link_counts: BTreeMap<(NodeId, NodeId), u64>,
    pub weather: Weather,
    /// The last that is under way on a connection to a client, each way.
    wires: BTreeMap<WireId, (Address, [u64; 2])>,
}

struct Peer {
    address: Address,
    run: EdgeId,
    name: String,
    knows: BTreeSet<NodeId>,
    forgot: BTreeSet<NodeId>,
}

/// What the faults do to the network. Places, not nodes.
#[derive(Default)]
pub struct Weather {
    /// What the first says does not reach the second.
    pub cuts: Vec<(usize, usize)>,
    /// Stand still.
    pub paused: BTreeSet<usize>,
    /// Additional delays.
    pub delays: BTreeMap<usize, u64>,
    /// Messages in a thousand that break their link.
    pub losses: BTreeMap<usize, u32>,
}

impl Weather {
    fn is_silent(&self, from: usize, to: usize) -> bool {
        self.paused.contains(&from) || self.cuts.contains(&(from, to))
    }
}

/// One connection between two nodes; `ways[0]` leads from the lower id to the higher.
struct Link {
    number: u64,
    ways: [OneWay; 2],
}

#[derive(Default)]
struct OneWay {
    /// Since when nothing comes through, and what waits.
    silent_since_us: Option<u64>,
    held: VecDeque<(Lane, Letter)>,
    /// When the last of each lane arrives.
    last_due_us: [u64; 3],
}

impl Net {
    pub fn new(plan: LinkPlan, seed: u64) -> Net {
        Net(Arc::new(Mutex::new(State {
            post: Post::default(),
            plan,
            random: StdRng::seed_from_u64(seed),
            peers: BTreeMap::new(),
            links: BTreeMap::new(),
            next_link: 1,
            retry_us: BTreeMap::new(),
            link_counts: BTreeMap::new(),
            weather: Weather::default(),
            wires: BTreeMap::new(),
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics over the network")
    }

    /// A node runs from now on.
    pub fn register(&self, node: NodeId, address: Address, (run, name): (EdgeId, String)) {
        let peer = Peer { address, run, name, knows: BTreeSet::new(), forgot: BTreeSet::new() };
        self.state().peers.insert(node, peer);
    }

    pub fn know(&self, me: NodeId, node: NodeId) {
        if let Some(peer) = self.state().peers.get_mut(&me) {
            peer.knows.insert(node);
        }
    }

    pub fn forget(&self, me: NodeId, node: NodeId) {
        let mut state = self.state();
        let Some(peer) = state.peers.get_mut(&me) else { return };
        peer.knows.remove(&node);
        peer.forgot.insert(node);
        let pair = pair_of(me, node);
        if state.links.contains_key(&pair) {
            state.tell_removed(node);
            state.break_link(pair);
        }
    }

    /// Sends over the link, if there is one; tells its number.
    pub fn send(&self, (me, to): (NodeId, NodeId), lane: Lane, words: Words) -> Result<u64, PeerError> {
        self.state().send((me, to), lane, words)
    }

    /// Sends an answer over the link on which the question came, if it still stands.
    pub fn answer(&self, (me, to): (NodeId, NodeId), link: u64, words: Words) {
        let mut state = self.state();
        if state.links.get(&pair_of(me, to)).is_some_and(|standing| standing.number == link) {
            let _ = state.send((me, to), Lane::Session, words);
        }
    }

    /// Whether a letter over that link still arrives.
    pub fn stands(&self, to: NodeId, from: NodeId, link: u64) -> bool {
        self.state().links.get(&pair_of(to, from)).is_some_and(|standing| standing.number == link)
    }

    /// Something between the outside and a node, or between two nodes without a link.
    pub fn send_loose(&self, (from, to): (Address, Address), letter: Letter) {
        let mut state = self.state();
        let due_us = now_us() + state.client_delay_us(if from == OUTSIDE { to.place } else { from.place });
        state.post.send(to, due_us, letter);
    }

    /// Something on a client's connection: in order.
    pub fn send_on_wire(&self, wire: WireId, (from, to): (Address, Address), letter: Letter) {
        let mut state = self.state();
        let node = if from == OUTSIDE { to } else { from };
        let due_us = now_us() + state.client_delay_us(node.place);
        let (_, last_us) = state.wires.entry(wire).or_insert((node, [0; 2]));
        let last_us = &mut last_us[usize::from(from == OUTSIDE)];
        *last_us = due_us.max(*last_us + 1);
        let due_us = *last_us;
        state.post.send(to, due_us, letter);
    }

    /// Nothing more goes over it.
    pub fn end_wire(&self, wire: WireId) {
        self.state().wires.remove(&wire);
    }

    /// The connections of clients to a place.
    pub fn wires_to(&self, place: usize) -> Vec<WireId> {
        self.state().wires.iter().filter(|(_, (node, _))| node.place == place).map(|(wire, _)| *wire).collect()
    }

    /// A place is empty from now on: its node died. The others are told at once where its kernel lives on, and else find out by the silence.
    pub fn unregister(&self, place: usize, has_kernel: bool) {
        let mut state = self.state();
        let gone: Vec<NodeId> = state.peers.iter().filter(|(_, peer)| peer.address.place == place).map(|(node, _)| *node).collect();
        for node in gone {
            let pairs: Vec<_> = state.links.keys().copied().filter(|pair| pair.0 == node || pair.1 == node).collect();
            for pair in pairs {
                let other = if pair.0 == node { pair.1 } else { pair.0 };
                state.links.remove(&pair);
                let after_us = if has_kernel { state.delay_us(place, place) } else { SILENT_US };
                state.tell_down(other, node, now_us() + after_us);
                state.retry_us.insert(pair, now_us() + after_us + 50_000);
            }
            state.peers.remove(&node);
        }
    }

    /// Makes links, and gives up silent ones. To be called every few ms.
    pub fn tend(&self) {
        let mut state = self.state();
        state.give_up_silent_links();
        state.make_links();
    }

    /// Breaks the link between two places, if there is one.
    pub fn break_between(&self, a: usize, b: usize) {
        let mut state = self.state();
        let is_between = |state: &State, pair: &(NodeId, NodeId)| {
            let places = [state.place_of(pair.0), state.place_of(pair.1)];
            places == [Some(a), Some(b)] || places == [Some(b), Some(a)]
        };
        let pairs: Vec<_> = state.links.keys().copied().filter(|pair| is_between(&state, pair)).collect();
        pairs.into_iter().for_each(|pair| state.break_link(pair));
    }

    /// Some place that runs, other than that one.
    pub fn any_but(&self, place: usize) -> Option<Address> {
        let mut state = self.state();
        let others: Vec<Address> = state.peers.values().map(|peer| peer.address).filter(|address| address.place != place).collect();
        if others.is_empty() {
            return None;
        }
        let at = state.random.random_range(0..others.len());
        Some(others[at])
    }
}

fn pair_of(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}

impl State {
    fn place_of(&self, node: NodeId) -> Option<usize> {
        self.peers.get(&node).map(|peer| peer.address.place)
    }

    fn delay_us(&mut self, from: usize, to: usize) -> u64 {
        let worse: u64 = [from, to].iter().filter_map(|place| self.weather.delays.get(place)).sum();
        let worse = if worse == 0 { 0 } else { self.random.random_range(0..=2 * worse) };
        self.plan.delay_us + self.random.random_range(0..=self.plan.jitter_us) + worse
    }

    fn client_delay_us(&mut self, place: usize) -> u64 {
        let worse = self.weather.delays.get(&place).copied().unwrap_or(0);
        self.plan.client_delay_us + self.random.random_range(0..=self.plan.client_jitter_us) + worse
    }

    fn send(&mut self, (me, to): (NodeId, NodeId), lane: Lane, words: Words) -> Result<u64, PeerError> {
        let pair = pair_of(me, to);
        let (Some(from_place), Some(to_place)) = (self.place_of(me), self.place_of(to)) else { return Err(PeerError::NotSent) };
        let Some(link) = self.links.get_mut(&pair) else { return Err(PeerError::NotSent) };
        let number = link.number;
        let per_mille = [from_place, to_place].iter().filter_map(|place| self.weather.losses.get(place)).max().copied().unwrap_or(0);
        if per_mille > 0 && self.random.random_ratio(per_mille.min(1000), 1000) {
            self.break_link(pair);
            return Ok(number);
        }
        let letter = Letter::Peer { link: number, from: me, words };
        let way = &mut link.ways[usize::from(me > to)];
        if !way.held.is_empty() || self.weather.is_silent(from_place, to_place) {
            way.silent_since_us.get_or_insert(now_us());
            way.held.push_back((lane, letter));
            return Ok(number);
        }
        self.pass((me, to), lane, letter);
        Ok(number)
    }

    /// Puts a letter of a link on its way.
    fn pass(&mut self, (me, to): (NodeId, NodeId), lane: Lane, letter: Letter) {
        let (Some(from_place), Some(address)) = (self.place_of(me), self.peers.get(&to).map(|peer| peer.address)) else { return };
        let delay_us = self.delay_us(from_place, address.place);
        let Some(link) = self.links.get_mut(&pair_of(me, to)) else { return };
        let last_us = &mut link.ways[usize::from(me > to)].last_due_us[lane as usize];
        *last_us = (now_us() + delay_us).max(*last_us + 1);
        let due_us = *last_us;
        self.post.send(address, due_us, letter);
    }

    fn tell_down(&mut self, node: NodeId, other: NodeId, due_us: u64) {
        if let Some(address) = self.peers.get(&node).map(|peer| peer.address) {
            self.post.send(address, due_us, Letter::LinkDown { node: other, link: self.link_counts[&(node, other)] });
        }
    }

    fn tell_removed(&mut self, node: NodeId) {
        if let Some(address) = self.peers.get(&node).map(|peer| peer.address) {
            let due_us = now_us() + self.plan.delay_us;
            self.post.send(address, due_us, Letter::Removed);
        }
    }

    /// Both ends learn of it, and what is under way is lost.
    fn break_link(&mut self, pair: (NodeId, NodeId)) {
        if self.links.remove(&pair).is_none() {
            return;
        }
        for (node, other) in [pair, (pair.1, pair.0)] {
            let due_us = now_us() + self.plan.delay_us;
            self.tell_down(node, other, due_us);
        }
        let retry_us = now_us() + self.plan.delay_us + self.random.random_range(RETRY_US);
        self.retry_us.insert(pair, retry_us);
    }

    fn give_up_silent_links(&mut self) {
        let pairs: Vec<_> = self.links.keys().copied().collect();
        for pair in pairs {
            let (Some(low), Some(high)) = (self.place_of(pair.0), self.place_of(pair.1)) else { continue };
            let mut is_given_up = false;
            for (at, (from, to)) in [(low, high), (high, low)].into_iter().enumerate() {
                let is_silent = self.weather.is_silent(from, to);
                let Some(link) = self.links.get_mut(&pair) else { break };
                let way = &mut link.ways[at];
                match (is_silent, way.silent_since_us) {
                    (true, None) => way.silent_since_us = Some(now_us()),
                    (true, Some(since_us)) => is_given_up |= now_us().saturating_sub(since_us) > SILENT_US,
                    (false, Some(_)) => {
                        way.silent_since_us = None;
                        let ends = if at == 0 { pair } else { (pair.1, pair.0) };
                        for (lane, letter) in std::mem::take(&mut way.held) {
                            self.pass(ends, lane, letter);
                        }
                    }
                    (false, None) => {}
                }
            }
            if is_given_up {
                self.break_link(pair);
            }
        }
    }

    fn make_links(&mut self) {
        let nodes: Vec<NodeId> = self.peers.keys().copied().collect();
        for (at, low) in nodes.iter().copied().enumerate() {
            for high in nodes[at + 1..].iter().copied() {
                let pair = (low, high);
                if self.links.contains_key(&pair) || self.retry_us.get(&pair).is_some_and(|retry_us| *retry_us > now_us()) {
                    continue;
                }
                self.make_link(pair);
            }
        }
    }

    fn make_link(&mut self, pair: (NodeId, NodeId)) {
        let (low, high) = (&self.peers[&pair.0], &self.peers[&pair.1]);
        let (low_at, high_at) = (low.address.place, high.address.place);
        if self.weather.is_silent(low_at, high_at) || self.weather.is_silent(high_at, low_at) {
            return;
        }
        let retry_us = now_us() + self.random.random_range(RETRY_US);
        let (low, high) = (&self.peers[&pair.0], &self.peers[&pair.1]);
        let removed = [(low, pair.1), (high, pair.0)].into_iter().find(|(peer, other)| peer.forgot.contains(other)).map(|(_, other)| other);
        if let Some(removed) = removed {
            self.retry_us.insert(pair, retry_us);
            return self.tell_removed(removed);
        }
        if !low.knows.contains(&pair.1) || !high.knows.contains(&pair.0) {
            return;
        }
        let number = self.next_link;
        self.next_link += 1;
        let mut link = Link { number, ways: Default::default() };
        for (at, (node, other)) in [(1, pair), (0, (pair.1, pair.0))] {
            let due_us = now_us() + self.delay_us(low_at, high_at);
            let count = self.link_counts.entry((node, other)).or_default();
            *count += 1;
            let up = LinkUp { node: other, link: *count, run: self.peers[&other].run, name: self.peers[&other].name.clone() };
            let address = self.peers[&node].address;
            self.post.send(address, due_us, Letter::LinkUp(up));
            // What comes to that node comes after it.
            link.ways[at] = OneWay { last_due_us: [due_us; 3], ..OneWay::default() };
        }
        self.links.insert(pair, link);
    }
}
