//! The job `idle`: what a connection takes that said hello and has nothing to do.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

use super::BenchError;
use super::crew::{Course, Crew, Share, Shared};
use super::crowd::Scene;
use super::ground::Ground;
use super::options::Options;
use super::person::Person;
use super::report::Report;
use super::run::{Show, Stage, user_name};
use super::tally::Tally;
use crate::clock;

/// What the first connections make stays out of the figure.
const WARM_COUNT: usize = 100;
const OPENING_MAX: usize = 64;
/// After the last hello, what was needed for hellos alone is given back.
const CALM: Duration = Duration::from_secs(5);

pub(super) async fn run(ground: &Ground, options: &Options, show: Show<'_>) -> Result<Report, BenchError> {
    let count = options.user_count;
    let crew = Crew::start(Shared::new(ground, options), options.thread_count, move |scene, share| hold(scene, share, count))?;
    crew.reach((WARM_COUNT.min(count) as u64, "users connected"), |shared| &shared.connected_count, show).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = ground.resident_bytes();
    let begun = clock::monotonic();
    crew.shared.course.send_replace(Course { begun: Some(begun), ..Course::default() });
    crew.reach((count as u64, "users connected"), |shared| &shared.connected_count, show).await?;
    let took = clock::monotonic() - begun;
    show(Stage::Say("all are connected; letting it calm down".to_owned()));
    tokio::time::sleep(CALM).await;
    let after = ground.resident_bytes();
    let cpu_before = ground.cpu_seconds();
    tokio::time::sleep(CALM).await;
    let cpu = ground.cpu_seconds().zip(cpu_before).map(|(after, before)| after - before);
    let tally = crew.finish().await?;

    let measured = count.saturating_sub(WARM_COUNT).max(1) as f64;
    let mut report = Report::new(format!("idle, {count} users"));
    if let Some((after, before)) = after.zip(before) {
        report.add(
            "resident_kib_per_user",
            "KiB resident for each connected user",
            after.saturating_sub(before) as f64 / measured / 1_024.0,
        );
        report.add("resident_mib", "MiB resident in all nodes", after as f64 / 1_048_576.0);
    }
    if let Some(cpu) = cpu {
        report.add("idle_cpu_percent", "% of one core, all nodes, idle", cpu / CALM.as_secs_f64() * 100.0);
    }
    report.add("hellos_per_second", "hellos/s", measured / took.as_secs_f64());
    report.add_promises(&tally);
    Ok(report)
}

/// Connects, and answers pings until the run is over. A hundred come first.
async fn hold(scene: Rc<Scene>, share: Share, count: usize) -> Tally {
    let mut course = scene.shared.course.subscribe();
    let mut over = scene.over.clone();
    let mut open = JoinSet::new();
    let turns = Arc::new(tokio::sync::Semaphore::new(OPENING_MAX));
    for number in share.of(count) {
        if number >= WARM_COUNT && course.borrow().begun.is_none() {
            tokio::select! {
                _ = over.wait_for(|is_over| *is_over) => return scene.take(),
                _ = course.wait_for(|course| course.begun.is_some()) => {}
            }
        }
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { break };
        open.spawn_local(stay(Rc::clone(&scene), number, turn));
    }
    while open.join_next().await.is_some() {}
    scene.take()
}

async fn stay(scene: Rc<Scene>, number: usize, turn: impl Sized) {
    let mut person = Person::new(number, user_name(number), Rc::clone(&scene));
    let socket = person.connect().await;
    drop(turn);
    match socket {
        Ok(mut socket) => {
            scene.shared.connected_count.fetch_add(1, Ordering::Relaxed);
            let mut over = scene.over.clone();
            loop {
                tokio::select! {
                    _ = over.wait_for(|is_over| *is_over) => return,
                    ended = socket.read(|_| {}) => if let Err(error) = ended {
                        scene.tally.borrow_mut().error(format!("connection: {}", error.kind()));
                        return;
                    }
                }
            }
        }
        Err(error) => scene.tally.borrow_mut().error(format!("connect: {}", error.kind())),
    }
}
