//! The job `deliver`: publish → offer → ack → confirm, each user's next when the one before is done, or at a given rate. The same as `engage bench deliver` does.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engage::clock;
use serde_json::Value;

use crate::link::{Link, Publisher};
use crate::scene::{Found, LOOK_EVERY, Scene, User, pace};
use crate::speech::{Heard, Speech, To, body};

/// Rounds of one user that may be under way; what is due beyond is not begun, and counted.
const ROUNDS_MAX: usize = 16;
/// How long rounds that are under way at the end are waited for.
const REST: Duration = Duration::from_secs(15);

pub async fn run<S: Speech>(scene: Rc<Scene>) -> io::Result<Value> {
    let count = scene.options.user_count;
    S::prepare(&scene.ground, 0..count).await?;
    let publisher: Rc<Publisher<S>> = Rc::new(Publisher::open(&scene.ground, |_| {}).await?);
    let users = scene.connect((0..count).map(User::new).collect()).await;
    for (user, link) in users {
        tokio::task::spawn_local(live(Rc::clone(&scene), user, link, Rc::clone(&publisher)));
    }
    let begun = clock::monotonic();
    scene.from.set(Some(begun + scene.options.warm_up));
    let (is_over, not_begun) = (Arc::new(AtomicBool::new(false)), Rc::new(Cell::new(0)));
    match scene.options.rate {
        None => (0..count).for_each(|user| begin(&scene, &publisher, user, begun)),
        Some(rate) => {
            let due = pace(begun, Duration::from_secs_f64(1.0 / rate), Arc::clone(&is_over));
            tokio::task::spawn_local(follow(Rc::clone(&scene), Rc::clone(&publisher), due, Rc::clone(&not_begun)));
        }
    }
    tokio::time::sleep(scene.options.warm_up).await;
    let (cpu_before, rounds_before, from) = (scene.ground.cpu_seconds(), scene.round_count.get(), clock::monotonic());
    tokio::time::sleep(scene.options.span).await;
    let (done, took) = (scene.round_count.get() - rounds_before, clock::monotonic() - from);
    let cpu = scene.ground.cpu_seconds() - cpu_before;
    let until = clock::monotonic();
    scene.until.set(Some(until));
    is_over.store(true, Ordering::Relaxed);
    while clock::monotonic() < until + REST && scene.under_way_count() > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    publisher.check()?;

    let mut found = Found::default();
    let tally = scene.tally.borrow();
    found.add("deliveries_per_second", done as f64 / took.as_secs_f64());
    found.add("server_cpu_s_per_1000", cpu / (done.max(1) as f64) * 1_000.0);
    found.add_waits("publish_to_offer", &tally.offered);
    found.add_waits("publish_to_confirm", &tally.confirmed);
    found.add("peak_mib", scene.ground.peak_bytes() as f64 / 1_048_576.0);
    found.add("not_begun", f64::from(not_begun.get()));
    found.add("unfinished", scene.under_way_count() as f64);
    Ok(found.end(&format!("deliver, {count} users"), &tally))
}

fn begin<S: Speech>(scene: &Scene, publisher: &Publisher<S>, user: usize, intended: Instant) {
    let number = scene.begin(user, intended);
    publisher.publish(To { user, number }, &body(number, scene.options.payload_bytes));
}

/// Begins rounds as they are due, the users in turn.
async fn follow<S: Speech>(
    scene: Rc<Scene>,
    publisher: Rc<Publisher<S>>,
    mut due: tokio::sync::mpsc::Receiver<Instant>,
    not_begun: Rc<Cell<u32>>,
) {
    for user in (0..scene.options.user_count).cycle() {
        let Some(intended) = due.recv().await else { return };
        if !scene.goes_on() {
            return;
        }
        if scene.rounds.borrow()[user].begun.len() < ROUNDS_MAX {
            begin(&scene, &publisher, user, intended);
        } else {
            not_begun.set(not_begun.get() + 1);
        }
    }
}

/// Acks what comes, and in a closed loop begins the next.
async fn live<S: Speech>(scene: Rc<Scene>, mut user: User<S>, mut link: Link, publisher: Rc<Publisher<S>>) {
    let mut heard = Vec::new();
    loop {
        if let Err(error) = link.listen(&mut user.speech, &mut heard).await {
            scene.error("connection", &error);
            return;
        }
        for word in heard.drain(..) {
            let is_next = scene.heard(user.number, word) && scene.options.rate.is_none();
            debug_assert!(!matches!(word, Heard::Taken(_)), "users publish nothing");
            if is_next && scene.goes_on() {
                begin(&scene, &publisher, user.number, clock::monotonic());
            }
        }
    }
}
