//! A reconnect storm: three nodes, a thousand deliveries a second, and the node is killed that all clients but a few are connected to. All are back within the bar, the few on
//! the other nodes are left alone, and the history of everything that all clients saw and publishers were answered, before, during and after, keeps every promise, by the crate's own checker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engage::history::record::{Entry, Fault, Key, What, is_settled};
use engage::history::recorder::Recorder;
use engage::history::{self, Verdict};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::nodes::{NODES, Nodes};
use crate::publisher::{Publisher, REQUEST_TIMEOUT_MS};
use crate::server::Storage;
use crate::user::{Shared, Story, User};
use crate::{Failures, Options, now, quantile_ms};

/// All are back within this time.
const BAR: Duration = Duration::from_secs(30);
/// What the nodes' configuration leaves to its default.
const LEASE_MS: u64 = 10_000;
/// So many may be connecting at a time, at first.
const ON_THEIR_WAY_MAX: usize = 200;
const CONNECT_DEADLINE: Duration = Duration::from_secs(90);
/// For so many clients of the node that dies there is one of another node.
const WITNESSES: usize = 10;
/// How long the load runs before the kill, and at least after it.
const BEFORE: Duration = Duration::from_secs(5);
const AFTER: Duration = Duration::from_secs(10);
/// Within so long everything that was accepted settles, once everybody finishes what is on the screen.
const SETTLE_DEADLINE: Duration = Duration::from_secs(60);
/// Within so long all replicas have applied the same, once nothing new comes.
const AGREE_DEADLINE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
/// Lines of the feed at once.
const PAGE: usize = 10_000;
const SHOWN_MAX: usize = 5;

pub async fn run(options: &Options) -> Failures {
    let mut nodes = Nodes::start(Storage::Disk).await;
    let count = options.clients + options.clients / WITNESSES;
    let users: Arc<Vec<String>> = Arc::new((0..count).map(|number| format!("user-{number}")).collect());
    let shared = Arc::new(shared(&nodes, options.seed));
    let callers = nodes.servers.iter().map(|server| server.caller.clone()).collect();
    let publisher = Publisher { callers, users: Arc::clone(&users), shared: Arc::clone(&shared), round: 0 };
    publisher.publish_tour().await;
    let mut crowd = connect_all(&nodes, &users, &shared, options).await;
    let publishing = tokio::spawn(publisher.live());
    tokio::time::sleep(BEFORE).await;

    shared.history.fault(&format!("n{NODES}"), Fault::Kill);
    let killed = now();
    shared.killed.set(killed).expect("one node is killed");
    nodes.servers[NODES - 1].kill();
    let all_back = || shared.connected.load(Ordering::Relaxed) >= users.len();
    while killed.elapsed() < AFTER || (killed.elapsed() < BAR && !all_back()) {
        tokio::time::sleep(POLL).await;
    }
    shared.attentive.store(true, Ordering::Relaxed);
    publishing.await.expect("the publisher does not fail");
    let open = settle(&shared).await;
    shared.over.store(true, Ordering::Relaxed);
    let mut stories = Vec::new();
    while let Some(ended) = crowd.join_next().await {
        stories.push(ended.expect("no user fails"));
    }
    read_feed(&nodes, &shared).await;
    replicas_agree(&nodes, &shared).await;
    let entries = shared.history.entries();
    let started = now();
    let verdict = history::judge(&entries);
    let judged = started.elapsed();
    tell(&stories, &entries, &verdict, judged);
    let mut failures = failures_of(&stories, open, options.clients);
    if verdict.count("offer") < options.clients || verdict.count("confirm") < options.clients {
        failures.push(format!("too little happened: {:?}", verdict.counts));
    }
    failures.extend(broken(&verdict, &entries));
    failures
}

fn shared(nodes: &Nodes, seed: u64) -> Shared {
    Shared {
        history: Recorder::begin(LEASE_MS, REQUEST_TIMEOUT_MS, seed),
        nodes: nodes.servers.iter().enumerate().map(|(number, server)| (format!("n{}", number + 1), server.address)).collect(),
        connected: AtomicUsize::new(0),
        killed: OnceLock::new(),
        attentive: AtomicBool::new(false),
        over: AtomicBool::new(false),
    }
}

/// Starts the users, at a pace that a machine puts up with: the storm comes later.
async fn connect_all(nodes: &Nodes, users: &[String], shared: &Arc<Shared>, options: &Options) -> JoinSet<Story> {
    let mut crowd = JoinSet::new();
    let started = now();
    for (number, name) in users.iter().enumerate() {
        let random = StdRng::seed_from_u64(options.seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
        let who = (name.clone(), nodes.servers[0].token(name));
        let place = if number < options.clients { NODES - 1 } else { number % (NODES - 1) };
        crowd.spawn(User::new(who, place, Arc::clone(shared), random).live());
        while number >= shared.connected.load(Ordering::Relaxed) + ON_THEIR_WAY_MAX {
            assert!(started.elapsed() < CONNECT_DEADLINE, "only {:?} of {} users are connected", shared.connected, users.len());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    while shared.connected.load(Ordering::Relaxed) < users.len() {
        assert!(started.elapsed() < CONNECT_DEADLINE, "only {:?} of {} users are connected", shared.connected, users.len());
        tokio::time::sleep(POLL).await;
    }
    crowd
}

/// Waits until all accepted keys are settled, by what clients were told; how many are not.
async fn settle(shared: &Shared) -> usize {
    let (mut open, mut settled) = (BTreeSet::new(), BTreeSet::new());
    let (mut place, started) = (0, now());
    loop {
        place = shared.history.since(place, |entry| match &entry.what {
            What::Published { status: 200 | 201, key: Some(key), .. } => drop(open.insert(key.clone())),
            What::Confirm { key, state, .. } if is_settled(state) => drop(settled.insert(key.clone())),
            _ => {}
        });
        open.retain(|key: &Key| !settled.contains(key));
        if open.is_empty() || started.elapsed() > SETTLE_DEADLINE {
            return open.len();
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Notes the whole feed, as a node that lives tells it.
async fn read_feed(nodes: &Nodes, shared: &Shared) {
    let mut after = String::new();
    loop {
        let text = nodes.servers[0].get_text(&format!("/v1/outcomes?limit={PAGE}{after}")).await.expect("the node answers");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        let Some(last) = lines.last() else { return };
        after = format!("&after={}", last["cursor"].as_str().unwrap_or_else(|| panic!("no cursor in {last}")));
        for line in lines.iter().filter(|line| line["id"].is_string()) {
            let text = |field: &str| line[field].as_str().unwrap_or_else(|| panic!("no {field} in {line}")).to_owned();
            let outcome = text("outcome");
            let state = is_settled(&outcome).then(|| outcome.clone());
            let reason = line["reason"].as_str().map(str::to_owned);
            let key = Key::new(&text("user"), &text("id"), &text("window"));
            shared.history.note(What::Outcome { key, outcome, state, cursor: text("cursor"), at: line["at"].as_u64(), reason });
        }
    }
}

/// Notes what the replicas of the nodes that live hold, until those of each shard have applied the same; whether they hold the same, the checker says.
async fn replicas_agree(nodes: &Nodes, shared: &Shared) {
    let started = now();
    loop {
        let mut applied: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for server in &nodes.servers[..NODES - 1] {
            let answer = server.get("/v1/cluster/replicas").await.expect("the node answers");
            for replica in answer["replicas"].as_array().unwrap_or_else(|| panic!("no replicas in {answer}")) {
                let number = |field: &str| replica[field].as_u64().unwrap_or_else(|| panic!("no {field} in {replica}"));
                let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value} is no text, in {replica}")).to_owned();
                let (shard, applied_index) = (number("shard"), number("applied_index"));
                applied.entry(shard).or_default().insert(applied_index);
                let (node, state_hash) = (text(&answer["node"]), text(&replica["state_hash"]));
                let shard = u16::try_from(shard).expect("a shard's number");
                shared.history.note(What::Replica { node, shard, applied_index, state_hash });
            }
        }
        if !applied.is_empty() && applied.values().all(|indexes| indexes.len() == 1) {
            return;
        }
        assert!(started.elapsed() < AGREE_DEADLINE, "the replicas have not applied the same: {applied:?}");
        tokio::time::sleep(POLL).await;
    }
}

fn tell(stories: &[Story], entries: &[Entry], verdict: &Verdict, judged: Duration) {
    let mut back: Vec<Duration> = stories.iter().filter_map(|story| story.back).collect();
    let mut served: Vec<Duration> = stories.iter().filter_map(|story| story.served).collect();
    let count = |kind| verdict.count(kind);
    println!(
        "storm, {NODES} nodes, disk, {} clients: {} lost their connection, back after p50 {:.0} ms, p99 {:.0} ms, all after {:.0} ms (bar {:.0} ms); \
         everybody served again after p50 {:.0} ms, all after {:.0} ms; {} published, {} tries unanswered, {} offers, {} confirms, {} errors; longest publish {} ms, \
         longest ack on a living node {} ms; {} promises broken in {} entries (judged in {:.1} s)",
        stories.len(),
        stories.iter().filter(|story| story.was_lost).count(),
        quantile_ms(&mut back, 0.5),
        quantile_ms(&mut back, 0.99),
        quantile_ms(&mut back, 1.0),
        BAR.as_secs_f64() * 1_000.0,
        quantile_ms(&mut served, 0.5),
        quantile_ms(&mut served, 1.0),
        count("published"),
        count("unanswered"),
        count("offer"),
        count("confirm"),
        count("error"),
        verdict.longest_publish_ms,
        verdict.longest_ack_ms,
        verdict.violations.len(),
        entries.len(),
        judged.as_secs_f64(),
    );
}

fn failures_of(stories: &[Story], open: usize, clients: usize) -> Failures {
    let mut failures = Failures::new();
    let lost: Vec<&Story> = stories.iter().filter(|story| story.was_lost).collect();
    if lost.len() != clients {
        failures.push(format!("{} clients lost their connection, not the {clients} of the node that was killed", lost.len()));
    }
    let late = lost.iter().filter(|story| story.back.is_none_or(|back| back > BAR)).count();
    if late > 0 {
        failures.push(format!("{late} clients were not back after {BAR:?}"));
    }
    let never = stories.iter().filter(|story| story.served.is_none()).count();
    if never > 0 {
        failures.push(format!("{never} users were never served again"));
    }
    if open > 0 {
        failures.push(format!("{open} accepted deliveries did not settle"));
    }
    failures
}

fn broken(verdict: &Verdict, entries: &[Entry]) -> Failures {
    let Some(first) = verdict.violations.first() else { return Failures::new() };
    let path = std::env::temp_dir().join(format!("storm-{}.jsonl", std::process::id()));
    history::file::write(&path, entries).expect("the history can be written");
    eprintln!("the history stands in {}", path.display());
    for entry in history::about(entries, first).iter().take(40) {
        eprintln!("  {entry:?}");
    }
    let mut rules = BTreeMap::new();
    verdict.violations.iter().for_each(|violation| *rules.entry(violation.rule).or_insert(0) += 1);
    let mut failures = vec![format!("{} promises broken, by rule {rules:?}", verdict.violations.len())];
    failures.extend(verdict.violations.iter().take(SHOWN_MAX).map(ToString::to_string));
    failures
}
