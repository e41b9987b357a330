//! The job `failover`: nodes are killed under load, one after the other, and brought back. How long until each shard that the dead one led confirms again; and at the end,
//! whether everybody is reached.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::BenchError;
use super::crew::{Crew, Outage};
use super::deliver;
use super::ground::Ground;
use super::options::Options;
use super::report::Report;
use super::run::{Show, Stage, user_name};
use super::waits::Waits;
use crate::client::Api;
use crate::clock;

/// A shard that has not confirmed by then is told as lost.
const OUTAGE_MAX: Duration = Duration::from_secs(30);
/// Calm before each kill.
const CALM: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Questions about users that are under way at once.
const ASKED_AT_ONCE: usize = 64;

pub(super) async fn run(ground: &Ground, options: &Options, show: Show<'_>) -> Result<Report, BenchError> {
    let crew = deliver::begin(ground, options, show).await?;
    tokio::time::sleep(options.warm_up).await;
    let shards = shards_of_users(&ground.api(0)?, options.user_count, show).await?;
    let begun = clock::monotonic();
    let (mut outages, mut marks, mut lost) = (Waits::new(), Vec::new(), 0);
    for kill in 0..options.kill_count {
        show(Stage::Count { done: kill as u64, all: options.kill_count as u64, what: "kills" });
        tokio::time::sleep(CALM).await;
        let victim = kill % ground.addresses.len();
        let led = led_by(ground, victim).await?;
        let mine: Vec<Option<u32>> = shards.iter().map(|shard| Some(*shard).filter(|shard| led.contains(shard))).collect();
        marks.push(((clock::monotonic() - begun).as_secs_f64(), format!("{} killed", ground.name(victim).unwrap_or_default())));
        let took = outage(&crew, (ground, victim), (mine, led.len())).await;
        lost += led.len() - took.len();
        took.iter().for_each(|took| outages.note(Duration::ZERO, *took));
        ground.bring_back(victim).await?;
        crew.shared.course.send_modify(|course| course.dead = None);
    }
    tokio::time::sleep(CALM).await;
    let unfinished = deliver::rest(&crew).await;
    let rounds = crew.shared.round_count.load(Ordering::Relaxed);
    let not_begun = crew.shared.not_begun_count.load(Ordering::Relaxed);
    let tally = crew.finish().await?;

    let rate = options.rate.unwrap_or_default();
    let mut report = Report::new(format!("failover, {} users, {rate}/s, {} kills", options.user_count, options.kill_count));
    report.add("outages", "shards that lost their owner", (outages.count() + lost as u64) as f64);
    for (word, part) in [("p50", 0.5), ("p95", 0.95)] {
        report.add(
            &format!("next_confirm_{word}_s"),
            &format!("kill to the shard's next confirm, {word}, s"),
            outages.quantile_ms(part) / 1_000.0,
        );
    }
    report.add("next_confirm_max_s", "kill to the shard's next confirm, max, s", outages.max_ms() / 1_000.0);
    report.add("rounds", "deliveries confirmed", rounds as f64);
    report.add("not_begun", "due, and not begun", not_begun as f64);
    report.add("unfinished", "published, and never confirmed", unfinished as f64);
    report.add("reconnects", "reconnects", tally.reconnects as f64);
    report.add_promises(&tally);
    report.series.push(("publish to confirm".to_owned(), tally.confirmed.points()));
    report.marks = marks;
    if lost > 0 {
        report.broken.push(format!("{lost} shards confirmed nothing for {} s after a kill", OUTAGE_MAX.as_secs()));
    }
    if unfinished > 0 {
        report.broken.push(format!("{unfinished} engagements were accepted, and not confirmed within 15 s of the end"));
    }
    Ok(report)
}

/// Kills a node, and waits until each shard that it led has confirmed. How long each took.
async fn outage(crew: &Crew, (ground, victim): (&Ground, usize), (shards, led_count): (Vec<Option<u32>>, usize)) -> Vec<Duration> {
    crew.shared.course.send_modify(|course| course.dead = Some(victim));
    let killed_at = clock::monotonic();
    ground.kill(victim);
    *crew.shared.outage.lock().expect("no holder of this lock panics") = Some(Outage { killed_at, shards, took: Vec::new() });
    let took = || {
        let outage = crew.shared.outage.lock().expect("no holder of this lock panics");
        outage.as_ref().map_or_else(Vec::new, |outage| outage.took.iter().map(|(_, took)| *took).collect())
    };
    while took().len() < led_count && clock::monotonic() < killed_at + OUTAGE_MAX {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let took = took();
    *crew.shared.outage.lock().expect("no holder of this lock panics") = None;
    took
}

/// The shards that a node leads.
async fn led_by(ground: &Ground, place: usize) -> Result<Vec<u32>, BenchError> {
    let name = ground.name(place);
    let cluster = ground.cluster((place + 1) % ground.addresses.len()).await?;
    Ok(cluster.shards.iter().filter(|shard| shard.leader == name).map(|shard| shard.shard).collect())
}

/// The shard of each user, by the nodes' own word.
async fn shards_of_users(api: &Api, count: usize, show: Show<'_>) -> Result<Vec<u32>, BenchError> {
    let mut shards = BTreeMap::new();
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..count {
        if asked.len() >= ASKED_AT_ONCE {
            note(asked.join_next().await, &mut shards)?;
            show(Stage::Count { done: shards.len() as u64, all: count as u64, what: "users located" });
        }
        let api = api.clone();
        asked.spawn(async move { (number, api.user(&user_name(number)).await) });
    }
    while let Some(answer) = asked.join_next().await {
        note(Some(answer), &mut shards)?;
    }
    Ok(shards.into_values().collect())
}

type Asked = Result<(usize, Result<crate::client::User, crate::client::ApiError>), tokio::task::JoinError>;

fn note(answer: Option<Asked>, shards: &mut BTreeMap<usize, u32>) -> Result<(), BenchError> {
    if let Some(answer) = answer {
        let (number, user) = answer.map_err(|_| BenchError::ThreadEnded)?;
        shards.insert(number, user?.shard);
    }
    Ok(())
}
