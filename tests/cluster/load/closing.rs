//! The end of a load: everything that was accepted settles, and the feed of outcomes is read whole.

use std::collections::BTreeSet;
use std::time::Duration;

use engage::clock;
use serde_json::Value;

use super::{Shared, key_of};
use crate::support::api::{Api, encode, engagement};
use crate::support::cluster::Cluster;
use crate::support::wait::pass;
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
        let lines = api.get(&format!("/v1/outcomes?limit={PAGE}{after}")).await.lines();
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
    shared.history.note(What::Outcome { key, outcome, state, cursor: text(line, "cursor").to_owned(), reason });
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_else(|| panic!("no {field} in {line}"))
}
