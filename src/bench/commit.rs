//! The job `commit`: commands through the ledger of real nodes, and no socket of any client. The nodes stand in this process, with their logs on disk and their links over
//! loopback, so that what is counted is a commit and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::BenchError;
use super::inside::{Inside, ask};
use super::options::{Options, Own, Place};
use super::report::Report;
use super::resources;
use super::run::{Show, Stage, user_name};
use super::waits::Waits;
use crate::clock;
use crate::ledger::Command;
use crate::ledger::command::{Ack, By};
use crate::ledger::engagement::{Engagement, Payload, Scope, SettleOn, Targets};
use crate::ledger::ids::{DeviceId, EngagementId, UserId};
use crate::ledger::reply::{AckReply, PublishReply, Reply};
use crate::ports::Propose;
use crate::shard::Shards;

/// Steps of the survey that every user acks.
const STEPS: u8 = 100;
/// Publishes of the preparation that are under way at once.
const AT_ONCE: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) async fn run(options: &Options, show: Show<'_>) -> Result<Report, BenchError> {
    let Place::Own(own) = options.place else { return Err(BenchError::NeedsOwnNodes { job: options.job.name() }) };
    show(Stage::Say(format!("starting {} nodes in this process", own.node_count)));
    let inside = Inside::start(own, "").await?;
    let load = Arc::new(Load::prepare(&inside, options, show).await?);
    let report = load.measure(own, options, show).await;
    inside.stop().await;
    Ok(report)
}

/// One user's survey, on the node that owns the user.
struct Seat {
    user: UserId,
    window: crate::ledger::ids::WindowId,
    owner: Arc<Shards>,
    step: AtomicU64,
}

/// Who writes, and what came of it.
struct Load {
    seats: Vec<Seat>,
    device: DeviceId,
    id: EngagementId,
    next: AtomicU64,
    committed: AtomicU64,
    failed: AtomicU64,
    running: AtomicU64,
    is_over: AtomicBool,
    measured_from: Mutex<Option<Instant>>,
    /// One for each of a few writers' groups, so that they don't wait for each other.
    waits: Vec<Mutex<Waits>>,
}

/// Writers share so many histograms.
const HISTOGRAMS: u64 = 8;

impl Load {
    async fn prepare(inside: &Inside, options: &Options, show: Show<'_>) -> Result<Load, BenchError> {
        let survey = survey(options.payload_bytes);
        let mut seats = Vec::with_capacity(options.user_count);
        let users: Vec<UserId> = (0..options.user_count).map(|number| UserId::parse(&user_name(number)).expect("it is an id")).collect();
        for some in users.chunks(AT_ONCE) {
            let mut answers = Vec::new();
            for user in some {
                let owner = Arc::clone(inside.owner_of(user));
                let command = Command::Publish { user: user.clone(), engagement: Arc::clone(&survey) };
                answers.push((user, Arc::clone(&owner), ask(&owner, command)));
            }
            for (user, owner, answer) in answers {
                let reply = answer.await.map_err(|_| BenchError::ThreadEnded)?;
                let Some(Reply::Publish(PublishReply::Queued { window, .. })) = reply else {
                    return Err(BenchError::Refused { status: 503, body: "the ledger took no publish".to_owned() });
                };
                seats.push(Seat { user: user.clone(), window, owner, step: AtomicU64::new(0) });
            }
            show(Stage::Count { done: seats.len() as u64, all: users.len() as u64, what: "users prepared" });
        }
        let zero = || AtomicU64::new(0);
        Ok(Load {
            seats,
            device: DeviceId::parse("phone").expect("it is an id"),
            id: survey.id.clone(),
            next: zero(),
            committed: zero(),
            failed: zero(),
            running: zero(),
            is_over: AtomicBool::new(false),
            measured_from: Mutex::new(None),
            waits: (0..HISTOGRAMS).map(|_| Mutex::new(Waits::new())).collect(),
        })
    }

    async fn measure(self: Arc<Self>, own: Own, options: &Options, show: Show<'_>) -> Report {
        self.running.store(options.writer_count as u64, Ordering::Release);
        for writer in 0..options.writer_count as u64 {
            Arc::clone(&self).write(writer);
        }
        tokio::time::sleep(options.warm_up).await;
        let (pid, from) = (std::process::id(), clock::monotonic());
        let (cpu_before, before) = (resources::cpu_seconds(pid), self.committed.load(Ordering::Relaxed));
        *self.measured_from.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
        while clock::monotonic() < from + options.span {
            show(Stage::Count { done: (clock::monotonic() - from).as_secs(), all: options.span.as_secs(), what: "seconds" });
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let (count, took) = (self.committed.load(Ordering::Relaxed) - before, clock::monotonic() - from);
        let cpu = resources::cpu_seconds(pid).zip(cpu_before).map(|(after, before)| after - before);
        self.is_over.store(true, Ordering::Release);
        while self.running.load(Ordering::Acquire) > 0 && clock::monotonic() < from + options.span + PATIENCE {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let mut waits = Waits::new();
        self.waits.iter().for_each(|some| waits.merge(&some.lock().unwrap_or_else(PoisonError::into_inner)));

        let storage = if own.is_durable { "synced to disk" } else { "in memory" };
        let (nodes, shards, writers) = (own.node_count, own.shard_count, options.writer_count);
        let mut report = Report::new(format!("commit, {nodes} nodes, {shards} shards, {storage}, {writers} writers"));
        report.add("commits_per_second", "commits/s", count as f64 / took.as_secs_f64());
        if let Some(cpu) = cpu {
            report.add("cpu_s_per_1000", "CPU s of nodes and writers per 1,000", cpu / count.max(1) as f64 * 1_000.0);
        }
        report.add_waits(("commit", "command to reply"), &waits);
        report.add("failed", "not applied", self.failed.load(Ordering::Relaxed) as f64);
        report.series.push(("command to reply".to_owned(), waits.points()));
        report
    }

    /// Sends one ack, and with its reply the next, until it is over.
    fn write(self: Arc<Self>, writer: u64) {
        if self.is_over.load(Ordering::Acquire) {
            self.running.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        let place = self.next.fetch_add(1, Ordering::Relaxed) % self.seats.len() as u64;
        let seat = &self.seats[usize::try_from(place).expect("it is a place")];
        // The last one would settle it.
        let step = 1 + seat.step.fetch_add(1, Ordering::Relaxed) % u64::from(STEPS - 1);
        let data = Some(Payload(Bytes::from_static(b"{\"q1\":9}")));
        let ack = Ack { id: self.id.clone(), window: seat.window, step: u32::try_from(step).expect("it is a step"), data };
        let command = Command::Ack { user: seat.user.clone(), by: By::posted(self.device.clone()), ack };
        let (owner, sent) = (Arc::clone(&seat.owner), clock::monotonic());
        let load = Arc::clone(&self);
        owner.propose(
            command,
            Box::new(move |result| {
                match result.map(|applied| applied.reply) {
                    Ok(Reply::Ack(AckReply::Confirm(_))) => load.note(writer, sent),
                    _ => drop(load.failed.fetch_add(1, Ordering::Relaxed)),
                }
                // Not from here: a reply may come before the call returns, and a thousand of them would stand on one stack.
                tokio::spawn(async move { load.write(writer) });
            }),
        );
    }

    fn note(&self, writer: u64, sent: Instant) {
        self.committed.fetch_add(1, Ordering::Relaxed);
        let from = *self.measured_from.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(from) = from.filter(|from| *from <= sent) {
            let now = clock::monotonic();
            let place = usize::try_from(writer % HISTOGRAMS).expect("it is a place");
            self.waits[place].lock().unwrap_or_else(PoisonError::into_inner).note(now - from, now - sent);
        }
    }
}

fn survey(payload_bytes: usize) -> Arc<Engagement> {
    Arc::new(Engagement {
        id: EngagementId::parse("survey").expect("it is an id"),
        payload: Payload(Bytes::from(format!("\"{}\"", "x".repeat(payload_bytes)))),
        fingerprint: 1,
        steps: STEPS,
        settle_on: SettleOn::Completed,
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
