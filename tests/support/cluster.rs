//! A cluster of real nodes on loopback. One at a time: they share two cores, so clusters of other tests wait for their turn. It ends with its value; when a test
//! fails, the end of every node's log is shown.

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use super::api::Api;
use super::member::{Member, Run};
use super::network::{Network, Place};
use super::node::{ADMIN_KEY, Address, Settings};
use super::runner::{self, Ran, Running};
use super::seat::Seat;
use super::view::View;
use super::wait;

/// What every node of a cluster proves to the others.
const SECRET: &str = "the-secret-of-the-nodes-of-the-tests-0123456789";

/// Within so long a change of the cluster must be through, on a busy machine.
pub const CHANGE_DEADLINE: Duration = Duration::from_secs(40);

/// So much of each log is shown when a test fails.
const LOG_LINES: usize = 40;

static TURN: Mutex<()> = Mutex::const_new(());

/// Where replicas are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    Disk,
    Memory,
}

/// What a cluster is to be like.
#[derive(Clone)]
pub struct Plan {
    nodes: usize,
    settings: Settings,
    storage: Storage,
    replication: usize,
    has_network: bool,
    /// Where the first nodes live; the others do on loopback.
    seats: Vec<Seat>,
}

impl Plan {
    /// So many nodes with their replicas on disk, few shards, a lease that can be waited for, and drains that don't take long.
    pub fn of(nodes: usize) -> Plan {
        let settings = Settings::new()
            .with("cluster.secret", SECRET)
            .with("cluster.shards", "6")
            .with("cluster.lease", "3s")
            .with("limits.messages_per_second", "1000")
            .with("limits.drain_spread", "500ms");
        Plan { nodes, settings, storage: Storage::Disk, replication: 3, has_network: false, seats: Vec::new() }
    }

    /// Their replicas are in memory.
    pub fn in_memory(mut self) -> Plan {
        self.storage = Storage::Memory;
        self
    }

    /// There is a network between them that can be cut.
    pub fn with_network(mut self) -> Plan {
        self.has_network = true;
        self
    }

    /// Its nodes take these seats, in this order.
    pub fn seated(mut self, seats: Vec<Seat>) -> Plan {
        self.seats = seats;
        self
    }

    /// Sets a key for all nodes.
    pub fn with(mut self, key: &str, value: &str) -> Plan {
        self.settings = self.settings.with(key, value);
        self
    }
}

/// The nodes that clients and publishers are told of, shared with them.
#[derive(Clone, Default)]
pub struct Roster(Arc<RwLock<Vec<(String, Address)>>>);

impl Roster {
    /// All of them, by name.
    pub fn all(&self) -> Vec<(String, Address)> {
        self.0.read().expect("no writer panics").clone()
    }

    /// Clients may go there.
    pub fn add(&self, name: &str, address: Address) {
        self.0.write().expect("no writer panics").push((name.to_owned(), address));
    }

    /// Clients don't go there any more.
    pub fn remove(&self, name: &str) {
        self.0.write().expect("no writer panics").retain(|(known, _)| known != name);
    }
}

/// A running cluster. Nodes are named by their place, from 0.
pub struct Cluster {
    members: Vec<Member>,
    /// The places that are to be members now.
    belonging: BTreeSet<Place>,
    plan: Plan,
    roster: Roster,
    network: Option<Network>,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Waits for its turn, starts all of its nodes, and waits until it is whole.
    pub async fn start(plan: Plan) -> Cluster {
        let turn = TURN.lock().await;
        let network = plan.has_network.then(Network::new);
        let mut cluster = Cluster {
            members: Vec::new(),
            belonging: BTreeSet::new(),
            roster: Roster::default(),
            network,
            _turn: turn,
            plan: plan.clone(),
        };
        let founder = cluster.add();
        cluster.found(founder).await;
        for _ in 1..plan.nodes {
            let joiner = cluster.add();
            cluster.join(joiner);
        }
        cluster.whole().await;
        cluster
    }

    /// A new node, which is not started.
    pub fn add(&mut self) -> Place {
        let place = self.members.len();
        let storage = if self.plan.storage == Storage::Memory { "memory" } else { "disk" };
        let seat = self.plan.seats.get(place).cloned().unwrap_or_else(Seat::on_loopback);
        let settings = self.plan.settings.clone().with("node.storage", storage);
        let mut member = Member::new(&format!("n{}", place + 1), settings, seat);
        if let Some(network) = &self.network {
            let listen = member.listen();
            member.advertise(network.stand_before(place, listen));
        }
        self.members.push(member);
        place
    }

    async fn found(&mut self, place: Place) {
        self.run(place, &["serve"]);
        self.belongs(place);
        self.ready(place).await;
    }

    /// Starts a node that joins by way of one that belongs, without waiting.
    pub fn join(&mut self, place: Place) {
        let peer = self.peer_for(place);
        self.run(place, &["join", &peer]);
        self.belongs(place);
    }

    /// A running member other than this one: where the others reach it.
    fn peer_for(&self, place: Place) -> String {
        let peer = self.running().into_iter().find(|peer| *peer != place && self.belonging.contains(peer)).expect("somebody to join");
        self.members[peer].cluster_address()
    }

    fn run(&mut self, place: Place, arguments: &[&str]) {
        self.members[place].start(arguments);
        if let (Some(network), Some(process)) = (&self.network, self.members[place].process_id()) {
            network.is_run_by(place, process);
        }
    }

    /// From now on it counts as a member, and clients may go there.
    fn belongs(&mut self, place: Place) {
        if self.belonging.insert(place) {
            self.roster.add(&self.members[place].name, self.members[place].address());
        }
    }

    /// Clients are not sent to a node any more; it may still be a member.
    pub fn hide_from_clients(&self, place: Place) {
        self.roster.remove(&self.members[place].name);
    }

    /// From now on it does not count as a member.
    pub fn leaves(&mut self, place: Place) {
        self.belonging.remove(&place);
        self.hide_from_clients(place);
    }

    pub fn member(&self, place: Place) -> &Member {
        &self.members[place]
    }

    pub fn member_mut(&mut self, place: Place) -> &mut Member {
        &mut self.members[place]
    }

    pub fn name(&self, place: Place) -> String {
        self.members[place].name.clone()
    }

    /// The place of a node that bears this name.
    pub fn place_of(&self, name: &str) -> Place {
        self.members.iter().position(|member| member.name == name).unwrap_or_else(|| panic!("no node {name}"))
    }

    /// The nodes that clients and publishers are told of.
    pub fn roster(&self) -> Roster {
        self.roster.clone()
    }

    /// The network between the nodes, of a cluster that has one.
    pub fn network(&self) -> &Network {
        self.network.as_ref().expect("a plan with a network")
    }

    /// The places that are to be members now.
    pub fn belonging(&self) -> Vec<Place> {
        self.belonging.iter().copied().collect()
    }

    /// The nodes that run and are not paused.
    pub fn running(&self) -> Vec<Place> {
        (0..self.members.len()).filter(|place| self.members[*place].run() == Run::Up).collect()
    }

    /// A caller with all rights, at any running member.
    pub fn admin(&self) -> Api {
        let place = self.running().into_iter().find(|place| self.belonging.contains(place)).expect("a running member");
        self.members[place].admin()
    }

    /// Starts a node again on its data, and waits until it is ready.
    pub async fn restart(&mut self, place: Place) {
        self.run(place, &["serve"]);
        self.ready(place).await;
    }

    /// Starts a node again on its data, without waiting.
    pub fn restart_without_waiting(&mut self, place: Place) {
        self.run(place, &["serve"]);
    }

    /// Stops a node in good order; how long that took.
    pub async fn stop(&mut self, place: Place) -> Duration {
        let start = engage::clock::monotonic();
        self.members[place].ask_to_stop();
        let member = &mut self.members[place];
        let status = wait::until("the node ends", || std::future::ready(member.has_stopped())).await;
        assert!(status.success(), "a stopped node exits with 0, not {status}");
        engage::clock::monotonic() - start
    }

    /// Waits until a node says of itself that it is ready.
    pub async fn ready(&mut self, place: Place) {
        let member = &mut self.members[place];
        let name = member.name.clone();
        wait::until_or_tell(CHANGE_DEADLINE, || std::future::ready(member.is_ready_now().then_some(())), || format!("{name} is ready"))
            .await;
    }

    /// What one node says of the cluster, if it answers.
    pub async fn view_of(&self, place: Place) -> Option<View> {
        let api = self.members[place].admin();
        let request = api.request(reqwest::Method::GET, "/v1/cluster").timeout(Duration::from_secs(2));
        let answer = api.try_send(request).await.ok()?;
        (answer.status == 200).then(|| View(answer.json()))
    }

    /// What a running member says of the cluster.
    pub async fn view(&self) -> View {
        let place = self.running().into_iter().find(|place| self.belonging.contains(place)).expect("a running member");
        self.view_of(place).await.unwrap_or_else(|| panic!("{} doesn't answer", self.name(place)))
    }

    /// Waits until the cluster consists of those that belong to it and no others: all of them ready, every shard led and held by as many voters as it is to
    /// have, nobody behind; in the eyes of each of them.
    pub async fn whole(&mut self) -> View {
        let names: Vec<String> = self.belonging.iter().map(|place| self.name(*place)).collect();
        let voters = names.len().min(self.plan.replication);
        let start = engage::clock::monotonic();
        loop {
            let missing = match self.what_is_missing(&names, voters).await {
                Ok(view) => return view,
                Err(missing) => missing,
            };
            assert!(engage::clock::monotonic() - start < CHANGE_DEADLINE, "the cluster is not whole after {CHANGE_DEADLINE:?}: {missing}");
            wait::pass(Duration::from_millis(50)).await;
        }
    }

    async fn what_is_missing(&mut self, names: &[String], voters: usize) -> Result<View, String> {
        let places = self.belonging.clone();
        // All of them, before any view: one that has ended by itself is told of at once.
        let unready: Vec<Place> = places.iter().copied().filter(|place| !self.members[*place].is_ready_now()).collect();
        if let Some(place) = unready.first() {
            return Err(format!("{} is not ready", self.name(*place)));
        }
        let mut seen = None;
        for place in places {
            let view = self.view_of(place).await.ok_or_else(|| format!("{} does not tell of the cluster", self.name(place)))?;
            if let Some(missing) = view.missing(names, voters) {
                return Err(format!("in the eyes of {}: {missing}", self.name(place)));
            }
            seen = Some(view);
        }
        Ok(seen.expect("a cluster has nodes"))
    }

    /// Waits until every shard is led by a running member, in the eyes of each of them.
    pub async fn led(&self) {
        let running: Vec<Place> = self.running().into_iter().filter(|place| self.belonging.contains(place)).collect();
        let names: Vec<String> = running.iter().map(|place| self.name(*place)).collect();
        for place in running {
            let is_led = |view: View| view.shards().iter().all(|shard| names.iter().any(|name| shard["leader"] == name.as_str()));
            let look = || async { self.view_of(place).await.filter(|view| is_led(view.clone())) };
            wait::until_or_tell(CHANGE_DEADLINE, look, || format!("every shard is led, in the eyes of {}", self.name(place))).await;
        }
    }

    /// Waits until the leaders are spread over these nodes to within one.
    pub async fn spread(&self) -> View {
        let names: Vec<String> = self.belonging.iter().map(|place| self.name(*place)).collect();
        let is_even = |view: &View| {
            let counts = view.leaders(&names);
            let (most, least) = (counts.values().max().copied().unwrap_or(0), counts.values().min().copied().unwrap_or(0));
            counts.values().sum::<usize>() == view.shards().len() && most - least <= 1
        };
        let look = || async { Some(self.view().await).filter(is_even) };
        wait::until_or_tell(CHANGE_DEADLINE, look, || "the leaders are spread to within one per node".to_owned()).await
    }

    /// Waits until a node leads nothing and holds no connections, in the eyes of another.
    pub async fn holds_nothing(&self, place: Place) {
        let (name, other) = (self.name(place), self.another_than(place));
        let count = |view: &View, field: &str| view.node(&name).map_or(0, |node| node[field].as_u64().unwrap_or(u64::MAX));
        let look = || async {
            let view = self.view_of(other).await?;
            (count(&view, "leaders") == 0 && count(&view, "connections") == 0).then_some(())
        };
        wait::until_or_tell(CHANGE_DEADLINE, look, || format!("{name} holds nothing")).await;
    }

    /// Waits until no node of this name is a member.
    pub async fn gone(&self, name: &str) {
        let look = || async { self.view().await.node(name).is_none().then_some(()) };
        wait::until_or_tell(CHANGE_DEADLINE, look, || format!("{name} is gone")).await;
    }

    /// Ends the process of a node that is no member any more; it may have ended by itself.
    pub async fn retire(&mut self, place: Place) {
        let member = &mut self.members[place];
        if member.has_stopped().is_none() {
            member.ask_to_stop();
            wait::until("the node ends", || std::future::ready(member.has_stopped())).await;
        }
    }

    /// A running member that is not this one.
    fn another_than(&self, place: Place) -> Place {
        let mut others = self.running().into_iter().filter(|other| *other != place && self.belonging.contains(other));
        others.next().expect("another running member")
    }

    /// Runs an operator's command about a node to its end, by way of another node.
    pub async fn operate(&self, about: Place, arguments: &[&str]) -> Ran {
        let arguments = self.by_way_of(self.another_than(about), arguments);
        let run = move || runner::run_for(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &[], CHANGE_DEADLINE);
        tokio::task::spawn_blocking(run).await.expect("the command runs")
    }

    /// Begins one, and kills it after a while.
    pub async fn begin(&self, about: Place, arguments: &[&str], cut_after: Duration) {
        let arguments = self.by_way_of(self.another_than(about), arguments);
        let running = Running::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        wait::pass(cut_after).await;
        drop(running);
    }

    fn by_way_of(&self, place: Place, arguments: &[&str]) -> Vec<String> {
        let url = format!("http://{}", self.members[place].address().0);
        [arguments, &["--url", &url, "--key", ADMIN_KEY]].concat().into_iter().map(str::to_owned).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for member in &self.members {
            eprintln!("--- the log of {} ({:?}) ends:\n{}", member.name, member.run(), member.log_tail(LOG_LINES));
        }
    }
}
