//! The places of a run: in each a node may live, die, come back, or be followed by another one. Knows what is done to a place, not when.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use engage::config::{ApiKey, Config, Role, Secret, Size, Span, Storage as Kept};
use engage::history::fault::Fault as Noted;
use engage::history::record::What;
use engage::history::recorder::Recorder;
use engage::ledger::ids::ShardId;
use engage::ports::peers::NodeId;
use engage::ports::replicas::ReplicaState;
use engage::shard::RamDisk;
use tempfile::TempDir;
use tracing::info;

use crate::coverage;
use crate::host::Host;
use crate::net::Net;
use crate::node::{self, Birth, Ended, Status};
use crate::outside::{ADMIN_KEY, Heard, JWT_SECRET, Outside};
use crate::plan::Plan;
use crate::plan::cluster::{ClusterPlan, NodePlan, Storage};
use crate::post::{Address, Letter, OUTSIDE};

/// What all wall clocks would show at the start, were they right.
pub const WALL_MS: i64 = 1_900_000_000_000;
/// A node that ended by itself is started again after that long.
const AGAIN_US: u64 = 1_000_000;
/// A client learns by then that its node has lost its power.
const POWER_LOST_US: u64 = 1_500_000;
/// A node that failed so often does not come back by itself.
const FAILURES_MAX: u64 = 200;

/// See the head of the file.
pub struct Places {
    net: Net,
    outside: Outside,
    history: Recorder,
    cluster: ClusterPlan,
    root: TempDir,
    places: Vec<Place>,
    /// Starts to come.
    starts: BTreeMap<(u64, usize), ()>,
    troubles: Vec<String>,
    had_majority: bool,
    failures: BTreeMap<String, u64>,
}

struct Place {
    name: String,
    plan: NodePlan,
    disk: RamDisk,
    host: Option<Host>,
    status: Rc<RefCell<Status>>,
    run: u64,
    is_ready: bool,
    /// It is a new node, and asks to be taken in.
    joins: bool,
    /// Its node was taken out for good.
    is_gone: bool,
    jumped_ms: i64,
    paused_since_us: Option<u64>,
    held: Vec<Letter>,
    /// After an orderly stop, it is started again so much later.
    back_after_us: u64,
}

impl Places {
    /// The places of the start: the first founds the cluster, the others join it.
    pub fn new(plan: &Plan, net: Net, outside: Outside, history: Recorder) -> Places {
        let root = tempfile::Builder::new().prefix("engage-sim-").tempdir_in(shm()).expect("there is room for a folder");
        let mut places = Places {
            net,
            outside,
            history,
            cluster: plan.cluster.clone(),
            root,
            places: Vec::new(),
            starts: BTreeMap::new(),
            troubles: Vec::new(),
            had_majority: true,
            failures: BTreeMap::new(),
        };
        for (at, node) in plan.cluster.nodes.iter().enumerate() {
            places.open(node.clone());
            // The founder is up before the first one asks.
            places.starts.insert((at as u64 * 300_000, at), ());
        }
        places
    }

    /// A new place. Its node joins.
    pub fn open(&mut self, plan: NodePlan) -> usize {
        let at = self.places.len();
        let name = format!("n{}", at + 1);
        self.outside.note_node(at, &name, None);
        let disk = RamDisk::default();
        disk.slow_down(Duration::from_micros(plan.sync_us));
        self.places.push(Place {
            name,
            plan,
            disk,
            host: None,
            status: Rc::default(),
            run: 0,
            is_ready: false,
            joins: at > 0,
            is_gone: false,
            jumped_ms: 0,
            paused_since_us: None,
            held: Vec::new(),
            back_after_us: 0,
        });
        at
    }

    pub fn count(&self) -> usize {
        self.places.len()
    }

    pub fn name(&self, at: usize) -> String {
        self.places[at].name.clone()
    }

    /// Whether a node lives there.
    pub fn is_up(&self, at: usize) -> bool {
        self.places.get(at).is_some_and(|place| place.host.is_some())
    }

    /// Whether it lives and serves.
    pub fn is_ready(&self, at: usize) -> bool {
        self.places.get(at).is_some_and(|place| place.is_ready && place.paused_since_us.is_none())
    }

    /// Its node starts at that time, unless one lives there or it was taken out for good.
    pub fn start_at(&mut self, at_us: u64, at: usize) {
        self.starts.insert((at_us, at), ());
    }

    /// All starts that were to come come now.
    pub fn start_all(&mut self, now_us: u64) {
        let starts = std::mem::take(&mut self.starts);
        starts.into_keys().for_each(|(_, at)| {
            self.starts.insert((now_us, at), ());
        });
    }

    /// Puts a letter into the box of the node that it is for, if that still lives.
    pub fn deliver(&mut self, to: Address, letter: Letter) {
        let Some(place) = self.places.get_mut(to.place) else { return };
        match &place.host {
            Some(host) if host.address == to && place.paused_since_us.is_none() => host.deliver(letter),
            Some(host) if host.address == to => place.held.push(letter),
            _ => {}
        }
    }

    /// Lets each node run for a tick, and sees to those that have ended.
    pub fn run(&mut self, now_us: u64, tick: Duration) {
        while let Some(((at_us, at), ())) = self.starts.first_key_value()
            && *at_us <= now_us
        {
            let (at_us, at) = (*at_us, *at);
            self.starts.remove(&(at_us, at));
            self.start(at, now_us);
        }
        for at in 0..self.places.len() {
            let place = &self.places[at];
            if let Some(host) = place.host.as_ref().filter(|_| place.paused_since_us.is_none()) {
                host.run(now_us, tick);
                self.look_after(at, now_us);
            }
        }
    }

    fn start(&mut self, at: usize, now_us: u64) {
        let config = self.config_of(at);
        let place = &mut self.places[at];
        if place.host.is_some() || place.is_gone {
            return;
        }
        place.run += 1;
        let address = Address { place: at, run: place.run };
        let status = Rc::new(RefCell::new(Status::default()));
        place.status = Rc::clone(&status);
        let birth = Birth {
            address,
            config,
            disk: place.disk.clone(),
            joins: place.joins,
            keep_log_bytes: self.cluster.keep_log_bytes,
            net: self.net.clone(),
            status,
        };
        let wall_ms = WALL_MS + i64::try_from(now_us / 1_000).expect("runs are short") + place.plan.wall_skew_ms + place.jumped_ms;
        place.host = Some(Host::start(address, (&place.name, wall_ms), |letters| node::live(birth, letters)));
    }

    fn look_after(&mut self, at: usize, now_us: u64) {
        let place = &mut self.places[at];
        if !place.is_ready && place.status.borrow().inner.is_some() {
            place.is_ready = true;
            let address = place.host.as_ref().map(|host| host.address);
            self.outside.note_node(at, &place.name, address);
            let name = place.name.clone();
            self.note(now_us, &name, Noted::Start);
        }
        let place = &self.places[at];
        let Some(ended) = place.status.borrow_mut().ended.take() else { return };
        let name = place.name.clone();
        info!(name, ?ended, "a node has ended by itself");
        let back_after_us = place.back_after_us;
        self.bury(at, now_us, true);
        match ended {
            Ended::Stopped => self.start_at(now_us + back_after_us, at),
            Ended::Removed => {
                coverage::count("removed_node_ended");
                self.places[at].is_gone = true;
            }
            Ended::Failed(why) => {
                coverage::count("node_failed");
                let failures = self.failures.entry(format!("{name}: {why}")).or_default();
                *failures += 1;
                if *failures == FAILURES_MAX {
                    self.troubles.push(format!("{name} does not come back: {why}"));
                }
                self.start_at(now_us + AGAIN_US, at);
            }
        }
        self.note_majority(now_us);
    }

    /// What is left of a node that ended.
    fn bury(&mut self, at: usize, now_us: u64, has_kernel: bool) {
        let place = &mut self.places[at];
        let Some(host) = place.host.take() else { return };
        let address = host.address;
        place.status.borrow_mut().inner = None;
        drop(host);
        place.is_ready = false;
        place.held.clear();
        place.paused_since_us = None;
        self.net.state().weather.paused.remove(&at);
        self.outside.note_node(at, &place.name, None);
        self.net.unregister(at, has_kernel);
        self.drop_clients(at, if has_kernel { now_us + 1_000 } else { now_us + POWER_LOST_US });
        if has_kernel {
            self.outside.fail_calls(address);
        }
        if place_is_in_memory(&self.places[at]) {
            self.places[at].joins = at > 0 || self.places.len() > 1;
        }
    }

    /// The clients of a place lose their connections.
    pub fn drop_clients(&mut self, at: usize, at_us: u64) {
        for wire in self.net.wires_to(at) {
            self.net.state().post.send(OUTSIDE, at_us, Letter::Hear { wire, heard: Heard::Lost });
            if let Some(host) = &self.places[at].host {
                host.deliver(Letter::Hang { wire, is_closed: false });
            }
            self.net.end_wire(wire);
        }
    }

    /// Whether all that the node of a place holds is held by a majority of others, all of which are well.
    pub fn can_lose(&self, at: usize) -> bool {
        let inners: Vec<_> = (0..self.places.len())
            .filter(|other| *other != at && self.is_ready(*other))
            .filter_map(|other| self.places[other].status.borrow().inner.clone())
            .collect();
        let me = self.places[at].status.borrow().inner.as_ref().map(|inner| inner.shards.node_id());
        let well: Vec<_> = inners.iter().map(|inner| inner.shards.node_id()).chain(me).collect();
        let of_shard = |shard: u16| {
            let mut known = inners.iter().filter_map(|inner| inner.shards.members(ShardId(shard)));
            known.find(|members| members.is_leader || me.is_some_and(|me| members.leader == Some(me)))
        };
        let is_held = |voters: &[NodeId]| voters.len() >= 3 && voters.iter().all(|voter| well.contains(voter));
        (0..self.cluster.shards).all(|shard| of_shard(shard).is_some_and(|members| is_held(&members.voters)))
    }

    /// Its node dies. Without a kernel, what was not synced is lost.
    pub fn crash(&mut self, at: usize, now_us: u64, keeps_unsynced: bool) {
        if !self.is_up(at) {
            return;
        }
        if place_is_in_memory(&self.places[at]) && !self.can_lose(at) {
            return coverage::count("memory_spared");
        }
        let name = self.name(at);
        self.note(now_us, &name, Noted::Kill);
        self.bury(at, now_us, keeps_unsynced);
        let lost_count = self.places[at].disk.crash(if keeps_unsynced { usize::MAX } else { 0 });
        coverage::add("unsynced_lost", lost_count as u64);
        self.note_majority(now_us);
    }

    /// Its node dies, and its disk with it. Who comes back is a new node.
    pub fn wipe(&mut self, at: usize, now_us: u64) {
        self.crash(at, now_us, false);
        let name = self.name(at);
        self.note(now_us, &name, Noted::Wipe);
        let place = &mut self.places[at];
        place.disk.wipe();
        place.joins = true;
        let folder = node::folder_of(self.root.path(), at);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).expect("the folder of a dead node can be removed");
        }
    }

    /// Stands still.
    pub fn pause(&mut self, at: usize, now_us: u64) {
        if self.is_up(at) && self.places[at].paused_since_us.is_none() {
            self.places[at].paused_since_us = Some(now_us);
            self.net.state().weather.paused.insert(at);
            let name = self.name(at);
            self.note(now_us, &name, Noted::Pause);
            self.note_majority(now_us);
        }
    }

    /// Goes on: its clocks leap, and what has come meanwhile is there.
    pub fn resume(&mut self, at: usize, now_us: u64) {
        let place = &mut self.places[at];
        let Some(since_us) = place.paused_since_us.take() else { return };
        self.net.state().weather.paused.remove(&at);
        let held = std::mem::take(&mut place.held);
        if let Some(host) = &place.host {
            crate::post::set_now(now_us);
            host.leap(Duration::from_micros(now_us - since_us));
            held.into_iter().for_each(|letter| host.deliver(letter));
        }
        let name = self.name(at);
        self.note(now_us, &name, Noted::Resume);
        self.note_majority(now_us);
    }

    /// It is told to stop, and comes back so much later.
    pub fn stop(&mut self, at: usize, now_us: u64, back_after_us: u64) {
        if !self.is_ready(at) {
            return;
        }
        let name = self.name(at);
        self.note(now_us, &name, Noted::Stop);
        let place = &mut self.places[at];
        place.back_after_us = back_after_us;
        if let Some(host) = &place.host {
            host.deliver(Letter::Stop);
        }
    }

    pub fn slow_disk(&mut self, at: usize, sync: Option<Duration>) {
        if let Some(place) = self.places.get(at) {
            place.disk.slow_down(sync.unwrap_or(Duration::from_micros(place.plan.sync_us + place.plan.sync_jitter_us / 2)));
        }
    }

    pub fn jump(&mut self, at: usize, by_ms: i64) {
        let Some(place) = self.places.get_mut(at) else { return };
        place.jumped_ms += by_ms;
        if let Some(host) = &mut place.host {
            host.jump(by_ms);
        }
        let is_owner = place.status.borrow().inner.as_ref().is_some_and(|inner| !inner.shards.ownership().is_empty());
        if is_owner {
            coverage::count("clock_jump_of_an_owner");
        }
    }

    pub fn note(&self, at_us: u64, name: &str, kind: Noted) {
        self.history.note_at(at_us, What::Fault { node: name.to_owned(), kind });
    }

    /// Notes whether a shard may have lost its majority: conservatively, since no one outside knows which nodes hold it.
    pub fn note_majority(&mut self, now_us: u64) {
        let members: Vec<usize> = (0..self.places.len()).filter(|at| !self.places[*at].is_gone && self.places[*at].run > 0).collect();
        let cuts = self.net.state().weather.cuts.clone();
        let is_well = |at: &usize| self.is_ready(*at) && !cuts.iter().any(|(from, to)| from == at || to == at);
        let ill_count = members.iter().filter(|at| !is_well(at)).count();
        let has_majority = ill_count <= usize::from(members.len() >= 3);
        if has_majority != self.had_majority {
            self.had_majority = has_majority;
            self.note(now_us, "all", if has_majority { Noted::Majority } else { Noted::NoMajority });
        }
    }

    /// What the replicas hold that are up.
    pub fn replicas(&self) -> Vec<(String, ReplicaState)> {
        let mut states = Vec::new();
        for place in &self.places {
            let (Some(host), Some(inner)) = (&place.host, place.status.borrow().inner.clone()) else { continue };
            for shard in 0..self.cluster.shards {
                let state = host.within(async { inner.shards.state_hash(ShardId(shard)) });
                states.extend(state.map(|state| (place.name.clone(), state)));
            }
        }
        states
    }

    pub fn troubles(&self) -> Vec<String> {
        self.troubles.clone()
    }

    fn config_of(&self, at: usize) -> Config {
        let (cluster, place) = (&self.cluster, &self.places[at]);
        let mut config = Config::default();
        config.node.name.clone_from(&place.name);
        config.node.data_dir = node::folder_of(self.root.path(), at);
        config.node.storage = if place_is_in_memory(place) { Kept::Memory } else { Kept::Disk };
        config.http.request_timeout = Span::from_ms(cluster.request_timeout_ms);
        config.auth.jwt_secret = Some(Secret::new(JWT_SECRET));
        config.auth.api_keys = vec![ApiKey { name: "all".to_owned(), key: Secret::new(ADMIN_KEY), role: Role::Admin }];
        config.cluster.secret = Some(Secret::new("the nodes of a simulation know this"));
        config.cluster.shards = cluster.shards;
        config.cluster.replication = cluster.replication;
        config.cluster.lease = Span::from_ms(cluster.lease_ms);
        config.cluster.heartbeat = Span::from_ms(cluster.heartbeat_ms);
        config.cluster.election_timeout_min = Span::from_ms(cluster.election_min_ms);
        config.cluster.election_timeout_max = Span::from_ms(cluster.election_max_ms);
        config.cluster.snapshot_log_bytes = Size::from_bytes(cluster.snapshot_log_bytes);
        config.cluster.snapshot_interval = Span::from_ms(cluster.snapshot_interval_ms);
        config.window.length = Span::from_ms(cluster.window_ms);
        config.window.carry = Span::from_ms(cluster.carry_ms);
        config.buffer.max_deliveries = cluster.buffer_deliveries;
        config.buffer.max_bytes = Size::from_bytes(cluster.buffer_bytes);
        config.buffer.overflow = cluster.overflow;
        config.limits.drain_spread = Span::from_ms(500);
        config.limits.drain_timeout = Span::from_ms(1_500);
        config
    }
}

fn place_is_in_memory(place: &Place) -> bool {
    place.plan.storage == Storage::Memory
}

/// Snapshots are synced files: a disk of memory makes that cheap.
fn shm() -> std::path::PathBuf {
    let shm = std::path::Path::new("/dev/shm");
    if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() }
}
