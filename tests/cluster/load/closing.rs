//! The end of a load: everything that was accepted settles, the feed of outcomes is read whole, and all replicas have applied the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use engage::clock;
use reqwest::Method;
use serde_json::Value;

use super::{Shared, key_of};
use crate::support::api::{Api, encode, engagement};
use crate::support::cluster::Cluster;
use crate::support::wait::{pass, until, until_or_tell};
use engage::history::record::{Key, What, is_settled};

/// Within so long everything settles, once everybody is attentive.
const SETTLE_DEADLINE: Duration = Duration::from_secs(20);

/// Lines of the feed at once.
const PAGE: usize = 1_000;

/// Waits until all accepted keys are settled, as clients were told or the API says. Those that don't settle.
pub(super) async fn all_settle(shared: &Shared, cluster: &Cluster) -> Vec<String> {
    let (api, start) = (cluster.admin(), clock::monotonic());
    let mut open: BTreeSet<Key> = BTreeSet::new();
    let mut settled: BTreeSet<Key> = BTreeSet::new();
    let mut place = 0;
    loop {
        place = shared.history.since(place, |entry| match &entry.what {
            What::Published { status: 200 | 201, key: Some(key), .. } => {
                open.insert(key.clone());
            }
            What::Confirm { key, state, .. } if is_settled(state) => {
                settled.insert(key.clone());
            }
            _ => {}
        });
        open.retain(|key| !settled.contains(key));
        if open.is_empty() {
            return Vec::new();
        }
        let mut shown = Vec::new();
        // A few at a time: most settle by themselves while these are asked for.
        for key in open.iter().take(16) {
            let state = state_of(&api, key).await;
            if state.as_deref().is_ok_and(is_settled) {
                shared.history.note(What::Last { key: key.clone(), state: state.clone().unwrap_or_default() });
                settled.insert(key.clone());
            }
            shown.push(format!("{key}: {state:?}"));
        }
        if clock::monotonic() - start > SETTLE_DEADLINE {
            return shown;
        }
        pass(Duration::from_millis(50)).await;
    }
}

async fn state_of(api: &Api, key: &Key) -> Result<String, String> {
    let answer = api.get(&engagement(&key.user, &key.id)).await;
    if answer.status != 200 {
        return Err(format!("{} {}", answer.status, answer.text));
    }
    let body = answer.json();
    body["state"].as_str().map(str::to_owned).ok_or_else(|| format!("no state in {body}"))
}

/// Notes the whole feed, as any node tells it.
pub(super) async fn read_feed(shared: &Shared, cluster: &Cluster) {
    let api = cluster.admin();
    let mut after = String::new();
    loop {
        let path = format!("/v1/outcomes?limit={PAGE}{after}");
        // While a shard's leader moves, it can't be read.
        let read = || async { Some(api.get(&path).await).filter(|answer| answer.status != 503) };
        let lines = until("the feed can be read", read).await.lines();
        let Some(last) = lines.last() else { return };
        after = format!("&after={}", encode(text(last, "cursor")));
        lines.iter().filter(|line| line["id"].is_string()).for_each(|line| note(shared, line));
    }
}

fn note(shared: &Shared, line: &Value) {
    let outcome = text(line, "outcome").to_owned();
    let state = is_settled(&outcome).then(|| outcome.clone());
    let reason = line["reason"].as_str().map(str::to_owned);
    let key = key_of(text(line, "user"), line);
    shared.history.note(What::Outcome { key, outcome, state, cursor: text(line, "cursor").to_owned(), at: line["at"].as_u64(), reason });
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_else(|| panic!("no {field} in {line}"))
}

/// Within so long all replicas have applied the same, once nothing new comes.
const AGREE_DEADLINE: Duration = Duration::from_secs(20);

/// Notes what all replicas hold, until those of each shard have applied the same; whether they hold the same then, and did at any index on the way, the checker says.
pub(super) async fn replicas_agree(shared: &Shared, cluster: &Cluster) {
    let look = || async {
        let mut applied: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for place in cluster.running() {
            let api = cluster.member(place).admin();
            let answer =
                api.try_send(api.request(Method::GET, "/v1/cluster/replicas")).await.ok().filter(|answer| answer.status == 200)?.json();
            let node = text(&answer, "node").to_owned();
            for replica in answer["replicas"].as_array().unwrap_or_else(|| panic!("no replicas in {answer}")) {
                let number = |field: &str| replica[field].as_u64().unwrap_or_else(|| panic!("no {field} in {replica}"));
                let (shard, applied_index) = (number("shard"), number("applied_index"));
                applied.entry(shard).or_default().insert(applied_index);
                let (shard, state_hash) = (u16::try_from(shard).expect("a shard's number"), text(replica, "state_hash").to_owned());
                shared.history.note(What::Replica { node: node.clone(), shard, applied_index, state_hash });
            }
        }
        let is_even = !applied.is_empty() && applied.values().all(|indexes| indexes.len() == 1);
        is_even.then_some(())
    };
    until_or_tell(AGREE_DEADLINE, look, || "all replicas of each shard have applied the same".to_owned()).await;
}
