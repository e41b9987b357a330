//! The job `recover`: something waits for everybody, and all connect at once; when all is confirmed they are cut, and all connect at once again: what comes then is a repeat.
//! The same as `engage bench recover` does.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use engage::client::Backoff;
use engage::clock;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::link::{Link, Publisher};
use crate::scene::{Found, LOOK_EVERY, Scene, User};
use crate::speech::{Heard, Speech, To, body};

/// Between the two storms, servers see that the connections are gone.
const CALM: Duration = Duration::from_secs(2);
/// Peers don't say that all was offered: what is to come again comes within this time after all are back.
const QUIET: Duration = Duration::from_secs(3);
/// Publishes under way at once.
const PUBLISHING_MAX: u64 = 512;

/// What a storm came to.
#[derive(Default)]
struct Storm {
    back_count: Cell<usize>,
    back_after: Cell<Duration>,
    offers: Cell<u64>,
    confirmed: Cell<u64>,
    confirmed_after: Cell<Duration>,
}

pub async fn run<S: Speech>(scene: Rc<Scene>) -> io::Result<Value> {
    let (count, waiting) = (scene.options.user_count, scene.options.waiting_count);
    let expected = (count * waiting) as u64;
    S::prepare(&scene.ground, 0..count).await?;
    let taken = Rc::new(Cell::new(0));
    let counter = Rc::clone(&taken);
    let take = move |heard| counter.set(counter.get() + u64::from(matches!(heard, Heard::Taken(_))));
    let publisher: Publisher<S> = Publisher::open(&scene.ground, take).await?;
    let users = meet(&scene, &publisher).await?;
    tokio::time::sleep(CALM).await;
    publish(&scene, &publisher, &taken).await?;

    let (first, users) = storm(&scene, users, expected).await;
    let peak = scene.ground.peak_bytes();
    tokio::time::sleep(CALM).await;
    let (second, _users) = storm(&scene, users, 0).await;

    let mut found = Found::default();
    if first.confirmed.get() == expected {
        found.add("all_confirmed_s", first.confirmed_after.get().as_secs_f64());
    }
    found.add("not_confirmed", (expected - first.confirmed.get()) as f64);
    found.add("offers", first.offers.get() as f64);
    found.add("second_all_back_s", second.back_after.get().as_secs_f64());
    found.add("second_offers", second.offers.get() as f64);
    found.add("peak_mib", peak as f64 / 1_048_576.0);
    Ok(found.end(&format!("recover, {count} users, {waiting} waiting for each"), &scene.tally.borrow()))
}

/// Everybody connects once and is delivered something, so that servers know them; then all are gone.
async fn meet<S: Speech>(scene: &Rc<Scene>, publisher: &Publisher<S>) -> io::Result<Vec<User<S>>> {
    let now = clock::monotonic();
    let mut met = JoinSet::new();
    for (mut user, mut link) in scene.connect((0..scene.options.user_count).map(User::<S>::new).collect()).await {
        let number = scene.begin(user.number, now);
        publisher.publish(To { user: user.number, number }, &body(number, scene.options.payload_bytes));
        let scene = Rc::clone(scene);
        met.spawn_local(async move {
            let (mut heard, mut is_done) = (Vec::new(), false);
            while !is_done {
                link.listen(&mut user.speech, &mut heard).await?;
                for word in heard.drain(..) {
                    is_done |= scene.heard(user.number, word);
                }
            }
            Ok(user)
        });
    }
    let users: io::Result<Vec<User<S>>> = met.join_all().await.into_iter().collect();
    scene.round_count.set(0);
    users
}

/// What waits for everybody, published while nobody is there.
async fn publish<S: Speech>(scene: &Rc<Scene>, publisher: &Publisher<S>, taken: &Rc<Cell<u64>>) -> io::Result<()> {
    let (now, mut sent) = (clock::monotonic(), scene.options.user_count as u64);
    for _ in 0..scene.options.waiting_count {
        for user in 0..scene.options.user_count {
            let number = scene.begin(user, now);
            publisher.publish(To { user, number }, &body(number, scene.options.payload_bytes));
            sent += 1;
            if sent - taken.get() >= PUBLISHING_MAX {
                publisher.check()?;
                scene.wait_until(|| sent - taken.get() < PUBLISHING_MAX / 2).await;
            }
        }
    }
    match scene.wait_until(|| taken.get() == sent).await {
        true => Ok(()),
        false => Err(io::Error::other(format!("{} of {sent} publishes were accepted", taken.get()))),
    }
}

/// Everybody connects at once, and stays until all is done.
async fn storm<S: Speech>(scene: &Rc<Scene>, users: Vec<User<S>>, expected: u64) -> (Rc<Storm>, Vec<User<S>>) {
    let (count, begun) = (users.len(), clock::monotonic());
    let storm = Rc::new(Storm::default());
    let mut tasks = JoinSet::new();
    scene.over.send_replace(false);
    for user in users {
        tasks.spawn_local(come_back(Rc::clone(scene), Rc::clone(&storm), user, begun));
    }
    scene.wait_until(|| storm.back_count.get() == count && storm.confirmed.get() >= expected).await;
    if expected == 0 {
        tokio::time::sleep(QUIET).await;
    }
    scene.over.send_replace(true);
    (storm, tasks.join_all().await)
}

async fn come_back<S: Speech>(scene: Rc<Scene>, storm: Rc<Storm>, mut user: User<S>, begun: Instant) -> User<S> {
    let mut over = scene.over.subscribe();
    let mut backoff = Backoff::default();
    loop {
        tokio::select! {
            _ = over.wait_for(|is_over| *is_over) => return user,
            ended = stay(&scene, &storm, &mut user, begun) => if let Err(error) = ended {
                scene.error("connection", &error);
            }
        }
        scene.tally.borrow_mut().reconnects += 1;
        tokio::time::sleep(backoff.next_wait(0).max(LOOK_EVERY)).await;
    }
}

/// Connects, and acks what comes.
async fn stay<S: Speech>(scene: &Scene, storm: &Storm, user: &mut User<S>, begun: Instant) -> io::Result<()> {
    let mut heard = Vec::new();
    let mut link: Link = Link::open_into(&mut user.speech, &scene.ground, user.number, &mut heard).await?;
    storm.back_count.set(storm.back_count.get() + 1);
    storm.back_after.set(clock::monotonic() - begun);
    loop {
        for word in heard.drain(..) {
            storm.offers.set(storm.offers.get() + u64::from(matches!(word, Heard::Offer(_))));
            if scene.heard(user.number, word) {
                storm.confirmed.set(storm.confirmed.get() + 1);
                storm.confirmed_after.set(clock::monotonic() - begun);
            }
        }
        link.listen(&mut user.speech, &mut heard).await?;
    }
}
