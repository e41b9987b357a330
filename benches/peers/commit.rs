//! The job `commit`: writes that replicas have agreed on, so many under way at once, and no socket of any user.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use engage::clock;
use serde_json::Value;

use crate::link::Publisher;
use crate::scene::{Found, Scene};
use crate::speech::{Heard, Speech, To, body};

pub async fn run<S: Speech>(scene: Rc<Scene>) -> io::Result<Value> {
    let count = scene.options.writer_count;
    S::prepare(&scene.ground, 0..0).await?;
    let now = clock::monotonic();
    let begun: Rc<RefCell<Vec<Instant>>> = Rc::new(RefCell::new(vec![now; count]));
    let (done, mut taken) = tokio::sync::mpsc::channel(count);
    let take = move |heard| {
        if let Heard::Taken(to) = heard {
            // There is room for each writer's one.
            let _ = done.try_send(to);
        }
    };
    let publisher: Rc<Publisher<S>> = Rc::new(Publisher::open(&scene.ground, take).await?);
    let value = body(0, scene.options.payload_bytes);
    (0..count).for_each(|user| publisher.publish(To { user, number: 0 }, &value));
    let (writers, next) = (Rc::clone(&scene), Rc::clone(&publisher));
    tokio::task::spawn_local(async move {
        while let Some(To { user, number }) = taken.recv().await {
            let now = clock::monotonic();
            let before = std::mem::replace(&mut begun.borrow_mut()[user], now);
            writers.note(before, |tally| &mut tally.published);
            writers.round_count.set(writers.round_count.get() + 1);
            next.publish(To { user, number: number + 1 }, &value);
        }
    });
    tokio::time::sleep(scene.options.warm_up).await;
    scene.from.set(Some(clock::monotonic()));
    let (cpu_before, before, from) = (scene.ground.cpu_seconds(), scene.round_count.get(), clock::monotonic());
    tokio::time::sleep(scene.options.span).await;
    let (done, took) = (scene.round_count.get() - before, clock::monotonic() - from);
    let cpu = scene.ground.cpu_seconds() - cpu_before;
    publisher.check()?;

    let mut found = Found::default();
    let tally = scene.tally.borrow();
    found.add("commits_per_second", done as f64 / took.as_secs_f64());
    found.add("server_cpu_s_per_1000", cpu / (done.max(1) as f64) * 1_000.0);
    found.add_waits("commit", &tally.published);
    Ok(found.end(&format!("commit, {count} writers"), &tally))
}
