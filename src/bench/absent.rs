//! The job `absent`: what users take who are not connected, and what is left of them when they are forgotten.
//!
//! The nodes stand in this process, so that millions of commands reach their ledgers in seconds; the memory is that of the whole process, logs and all, measured when every
//! shard has had its snapshot and purge. First the outcome feeds are filled, which are bounded by shard, whatever the number of users. All ids and payloads differ
//! from user to user: what users share in practice would make the figure smaller. A user's and a device's id have 36 bytes, an engagement's 16.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::BenchError;
use super::inside::{Inside, ask};
use super::options::{Options, Place};
use super::report::Report;
use super::resources;
use super::run::{Show, Stage};
use crate::ledger::Command;
use crate::ledger::command::{Ack, By};
use crate::ledger::engagement::{Engagement, Payload, Scope, SettleOn, Targets};
use crate::ledger::ids::{DeviceId, EngagementId, UserId, WindowId};
use crate::ledger::outcome::NoticeOutcome;
use crate::ledger::reply::{AckReply, PublishReply, Reply};

/// Snapshots come soon, and with them the log goes; outcomes as by default.
const CONFIGURATION: &str = "snapshot_interval = \"5s\"\n[limits]\noutcomes_per_shard = 50000\nledger_bytes_per_shard = \"64GiB\"\n";
const OUTCOMES_PER_SHARD: usize = 50_000;
/// Commands under way at once; a shard's queue takes more.
const AT_ONCE: usize = 8_000;
/// In which freed memory goes back to the system.
const CALM: Duration = Duration::from_secs(2);

pub(super) async fn run(options: &Options, show: Show<'_>) -> Result<Report, BenchError> {
    let Place::Own(own) = options.place else { return Err(BenchError::NeedsOwnNodes { job: options.job.name() }) };
    show(Stage::Say(format!("starting {} nodes in this process", own.node_count)));
    let inside = Inside::start(own, CONFIGURATION).await?;
    let house = House { inside: &inside, options, show };
    let feed = OUTCOMES_PER_SHARD * usize::from(own.shard_count) * 11 / 10;
    house.fill_feeds(feed).await?;
    let storage = if own.is_durable { "synced to disk" } else { "in memory" };
    let title = format!("absent, {} users, {} nodes, {} shards, {storage}", options.user_count, own.node_count, own.shard_count);
    let mut report = Report::new(title);
    let empty = house.resident().await?;
    let mut before = empty;
    if options.settled_count > 0 {
        house.settle_for_all().await?;
        let after = house.resident().await?;
        let label = format!("KiB resident for each absent user with {} settled", options.settled_count);
        report.add("settled_kib_per_user", &label, house.kib_per_user(before, after));
        before = after;
    }
    if options.waiting_count > 0 {
        house.publish_to_all().await?;
        let after = house.resident().await?;
        let label = format!("KiB resident for each absent user with {} waiting of {} bytes", options.waiting_count, options.payload_bytes);
        report.add("waiting_kib_per_user", &label, house.kib_per_user(before, after));
        before = after;
    }
    let told = inside.ledger_bytes();
    house.forget_all().await?;
    // The first forgotten have had their commands logged; a second snapshot lets go of what the first one held.
    house.resident().await?;
    let left = house.resident().await?;
    report.add("empty_mib", "MiB resident before, with full outcome feeds", mib(empty));
    report.add("full_mib", "MiB resident with all users", mib(before));
    report.add("ledger_mib", "MiB that the ledgers count", mib(told));
    report.add("forgotten_mib", "MiB resident when all are forgotten", mib(left));
    report.add("peak_mib", "MiB resident at most", mib(resources::peak_bytes(std::process::id()).unwrap_or(0)));
    inside.stop().await;
    Ok(report)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

/// Which of the two crowds a user is of.
#[derive(Clone, Copy)]
enum Crowd {
    Settled,
    Waiting,
}

struct House<'a> {
    inside: &'a Inside,
    options: &'a Options,
    show: Show<'a>,
}

type Answer = oneshot::Receiver<Option<Reply>>;

impl House<'_> {
    fn kib_per_user(&self, before: u64, after: u64) -> f64 {
        after.saturating_sub(before) as f64 / self.options.user_count as f64 / 1_024.0
    }

    /// What the process holds when all is calm.
    async fn resident(&self) -> Result<u64, BenchError> {
        (self.show)(Stage::Say("waiting for the snapshots of all shards".to_owned()));
        self.inside.snapshots().await?;
        tokio::time::sleep(CALM).await;
        resources::resident_bytes(std::process::id()).ok_or(BenchError::NoMemoryFigures)
    }

    fn send(&self, command: Command) -> Answer {
        let user = command.user().expect("invariant: every command of this job has a user");
        ask(self.inside.owner_of(user), command)
    }

    /// Notices leave an outcome behind, and nothing with the user.
    async fn fill_feeds(&self, count: usize) -> Result<(), BenchError> {
        for first in (0..count).step_by(AT_ONCE) {
            let notice = |number: usize| Command::Notice {
                user: user(Crowd::Settled, number),
                id: engagement_id(number),
                device: Some(device(number)),
                outcome: NoticeOutcome::Sent,
            };
            let answers: Vec<Answer> = (first..count.min(first + AT_ONCE)).map(|number| self.send(notice(number))).collect();
            for answer in answers {
                taken(answer).await?;
            }
            (self.show)(Stage::Count { done: first as u64, all: count as u64, what: "outcomes" });
        }
        Ok(())
    }

    async fn settle_for_all(&self) -> Result<(), BenchError> {
        let (all, each) = (self.options.user_count, self.options.settled_count);
        let step = (AT_ONCE / each).max(1);
        for first in (0..all).step_by(step) {
            let some = first..all.min(first + step);
            let windows = self.publish(Crowd::Settled, some.clone(), each).await?;
            let mut answers = Vec::with_capacity(AT_ONCE);
            for (number, window) in some.zip(windows) {
                for place in 0..each {
                    let ack = Ack { id: engagement_id(number * each + place), window, step: 0, data: None };
                    answers.push(self.send(Command::Ack { user: user(Crowd::Settled, number), by: By::posted(device(number)), ack }));
                }
            }
            for answer in answers {
                let Reply::Ack(AckReply::Confirm(_)) = taken(answer).await? else { return Err(not_taken()) };
            }
            (self.show)(Stage::Count { done: first as u64, all: all as u64, what: "users with all settled" });
        }
        Ok(())
    }

    async fn publish_to_all(&self) -> Result<(), BenchError> {
        let (all, each) = (self.options.user_count, self.options.waiting_count);
        let step = (AT_ONCE / each).max(1);
        for first in (0..all).step_by(step) {
            self.publish(Crowd::Waiting, first..all.min(first + step), each).await?;
            (self.show)(Stage::Count { done: first as u64, all: all as u64, what: "users with all waiting" });
        }
        Ok(())
    }

    /// Publishes so many to each; tells the window of each user.
    async fn publish(&self, crowd: Crowd, some: std::ops::Range<usize>, each: usize) -> Result<Vec<WindowId>, BenchError> {
        let mut answers = Vec::with_capacity(AT_ONCE);
        for number in some {
            for place in 0..each {
                let engagement = engagement(number * each + place, self.options.payload_bytes);
                answers.push(self.send(Command::Publish { user: user(crowd, number), engagement }));
            }
        }
        let mut windows = Vec::with_capacity(answers.len() / each);
        for (index, answer) in answers.into_iter().enumerate() {
            let Reply::Publish(PublishReply::Queued { window, .. }) = taken(answer).await? else { return Err(not_taken()) };
            if index % each == 0 {
                windows.push(window);
            }
        }
        Ok(windows)
    }

    async fn forget_all(&self) -> Result<(), BenchError> {
        for crowd in [Crowd::Settled, Crowd::Waiting] {
            for first in (0..self.options.user_count).step_by(AT_ONCE) {
                let some = first..self.options.user_count.min(first + AT_ONCE);
                let answers: Vec<Answer> = some.map(|number| self.send(Command::Forget { user: user(crowd, number) })).collect();
                for answer in answers {
                    taken(answer).await?;
                }
                (self.show)(Stage::Count { done: first as u64, all: self.options.user_count as u64, what: "users forgotten" });
            }
        }
        Ok(())
    }
}

async fn taken(answer: Answer) -> Result<Reply, BenchError> {
    answer.await.ok().flatten().ok_or_else(not_taken)
}

fn not_taken() -> BenchError {
    BenchError::Refused { status: 503, body: "the ledger took no command of the preparation".to_owned() }
}

fn user(crowd: Crowd, number: usize) -> UserId {
    let crowd = match crowd {
        Crowd::Settled => 0,
        Crowd::Waiting => 1,
    };
    UserId::parse(&format!("{number:08x}-0000-4000-8000-{crowd:012x}")).expect("it is an id")
}

fn device(number: usize) -> DeviceId {
    DeviceId::parse(&format!("{number:08x}-0000-4000-8000-00000000000d")).expect("it is an id")
}

fn engagement_id(number: usize) -> EngagementId {
    EngagementId::parse(&format!("survey-{number:09}")).expect("it is an id")
}

fn engagement(number: usize, payload_bytes: usize) -> Arc<Engagement> {
    let width = payload_bytes.saturating_sub(2);
    Arc::new(Engagement {
        id: engagement_id(number),
        payload: Payload(Bytes::from(format!("\"{number:0width$}\""))),
        fingerprint: number as u64,
        steps: 1,
        settle_on: SettleOn::Shown,
        scope: Scope::User,
        targets: Targets::Active,
        window: None,
        ttl: None,
        not_before: None,
        priority: 0,
        max_offers: 0,
        snooze: None,
    })
}
