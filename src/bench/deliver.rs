//! The job `deliver`: publish → offer → ack → confirm, each user's next when the one before is done, or at a given rate.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::BenchError;
use super::crew::{Course, Crew, Share, Shared};
use super::crowd::Scene;
use super::dispatch;
use super::ground::Ground;
use super::options::Options;
use super::person::{Person, ROUNDS_MAX};
use super::report::Report;
use super::run::{Show, Stage, user_name};
use super::socket::Socket;
use super::tally::Tally;
use crate::clock;

/// Sockets that a thread opens at once.
const OPENING_MAX: usize = 64;
/// A person that can't connect tries it so often.
const ATTEMPTS: usize = 10;
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How long rounds that are under way at the end are waited for.
const REST: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the threads are told.
#[derive(Clone, Copy, Debug)]
struct Plan {
    user_count: usize,
    /// Between two rounds of one thread; none in a closed loop.
    every: Option<Duration>,
}

/// Connects everybody and lets the rounds begin.
pub(super) async fn begin(ground: &Ground, options: &Options, show: Show<'_>) -> Result<Crew, BenchError> {
    let every = options.rate.map(|rate| Duration::from_secs_f64(options.thread_count as f64 / rate));
    let plan = Plan { user_count: options.user_count, every };
    let crew = Crew::start(Shared::new(ground, options), options.thread_count, move |scene, share| take_part(scene, share, plan))?;
    crew.reach((options.user_count as u64, "users connected"), |shared| &shared.connected_count, show).await?;
    let begun = clock::monotonic();
    crew.shared.course.send_replace(Course { begun: Some(begun), from: Some(begun + options.warm_up), until: None, dead: None });
    Ok(crew)
}

/// Lets no round begin any more, and waits for those under way. How many were not done in time.
pub(super) async fn rest(crew: &Crew) -> u64 {
    let until = clock::monotonic();
    crew.shared.course.send_modify(|course| course.until = Some(until));
    while clock::monotonic() < until + REST && crew.shared.under_way_count.load(Ordering::Relaxed) > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    crew.shared.under_way_count.load(Ordering::Relaxed)
}

pub(super) async fn run(ground: &Ground, options: &Options, show: Show<'_>) -> Result<Report, BenchError> {
    let crew = begin(ground, options, show).await?;
    show(Stage::Say("warming up".to_owned()));
    tokio::time::sleep(options.warm_up).await;
    let cpu_before = ground.cpu_seconds();
    let rounds = |crew: &Crew| crew.shared.round_count.load(Ordering::Relaxed);
    let (rounds_before, from) = (rounds(&crew), clock::monotonic());
    while clock::monotonic() < from + options.span {
        show(Stage::Count { done: (clock::monotonic() - from).as_secs(), all: options.span.as_secs(), what: "seconds" });
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let (done, took) = (rounds(&crew) - rounds_before, clock::monotonic() - from);
    let cpu = ground.cpu_seconds().zip(cpu_before).map(|(after, before)| after - before);
    let unfinished = rest(&crew).await;
    let not_begun = crew.shared.not_begun_count.load(Ordering::Relaxed);
    let tally = crew.finish().await?;

    let pace = options.rate.map_or("closed loop".to_owned(), |rate| format!("{rate}/s asked for"));
    let mut report = Report::new(format!("deliver, {} users, {pace}", options.user_count));
    report.add("deliveries_per_second", "deliveries/s", done as f64 / took.as_secs_f64());
    if let Some(cpu) = cpu {
        report.add("server_cpu_s_per_1000", "CPU s of all nodes per 1,000", cpu / (done.max(1) as f64) * 1_000.0);
    }
    report.add_waits(("publish_to_201", "publish to 201"), &tally.published);
    report.add_waits(("publish_to_offer", "publish to offer"), &tally.offered);
    report.add_waits(("publish_to_confirm", "publish to confirm"), &tally.confirmed);
    report.add("not_begun", "due, and not begun", not_begun as f64);
    report.add("unfinished", "begun, and not done 15 s after the end", unfinished as f64);
    report.add_promises(&tally);
    report.series.push(("publish to confirm".to_owned(), tally.confirmed.points()));
    if unfinished > 0 {
        report.broken.push(format!("{unfinished} rounds were begun, and not done within 15 s of the end"));
    }
    Ok(report)
}

/// A thread's part of the run.
async fn take_part(scene: Rc<Scene>, share: Share, plan: Plan) -> Tally {
    let mut over = scene.over.clone();
    let mut course = scene.shared.course.subscribe();
    let persons = connect(&scene, share.of(plan.user_count)).await;
    let begun = tokio::select! {
        _ = over.wait_for(|is_over| *is_over) => return scene.take(),
        course = course.wait_for(|course| course.begun.is_some()) => course.ok().and_then(|course| course.begun).unwrap_or_else(clock::monotonic),
    };
    let mut tasks = JoinSet::new();
    let mut doors = Vec::with_capacity(persons.len());
    for (person, socket) in persons {
        let (door, due) = mpsc::channel(ROUNDS_MAX);
        doors.push(door);
        tasks.spawn_local(person.live(socket, due));
    }
    match plan.every {
        None => {
            for door in &doors {
                // There is room: nothing was said through it yet.
                let _ = door.try_send(begun);
            }
        }
        Some(every) => {
            if let Err(error) = dispatch::start(Arc::clone(&scene.shared), doors.clone(), (begun, every)) {
                scene.tally.borrow_mut().error(format!("the pace: {error}"));
            }
        }
    }
    // They end when the run is over.
    while tasks.join_next().await.is_some() {}
    scene.take()
}

/// Connects persons, not too many at once.
async fn connect(scene: &Rc<Scene>, numbers: impl Iterator<Item = usize>) -> Vec<(Person, Socket)> {
    let mut connected = Vec::new();
    let mut tasks = JoinSet::new();
    for number in numbers {
        if tasks.len() >= OPENING_MAX {
            connected.extend(tasks.join_next().await.and_then(Result::ok).flatten());
        }
        let scene = Rc::clone(scene);
        tasks.spawn_local(async move {
            let mut person = Person::new(number, user_name(number), Rc::clone(&scene));
            for _ in 0..ATTEMPTS {
                match person.connect().await {
                    Ok(socket) => {
                        scene.shared.connected_count.fetch_add(1, Ordering::Relaxed);
                        return Some((person, socket));
                    }
                    Err(error) => scene.tally.borrow_mut().error(format!("connect: {}", error.kind())),
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            None
        });
    }
    while let Some(done) = tasks.join_next().await {
        connected.extend(done.ok().flatten());
    }
    connected
}
