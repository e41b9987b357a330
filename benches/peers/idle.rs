//! The job `idle`: what a connection of a user takes that has nothing to do, with what the server keeps for that user.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::scene::{Found, Scene, User};
use crate::speech::Speech;

/// What the first connections make stays out of the figure.
const WARM_COUNT: usize = 100;
/// After the last greeting, what was needed for greetings alone is given back.
const CALM: Duration = Duration::from_secs(5);

pub async fn run<S: Speech>(scene: Rc<Scene>) -> io::Result<Value> {
    let count = scene.options.user_count.max(WARM_COUNT + 1);
    S::prepare(&scene.ground, 0..WARM_COUNT).await?;
    let mut open = scene.connect((0..WARM_COUNT).map(User::<S>::new).collect()).await;
    tokio::time::sleep(CALM).await;
    let before = scene.ground.resident_bytes();
    S::prepare(&scene.ground, WARM_COUNT..count).await?;
    // What a server keeps for a user who isn't there counts too, and is told on its own as well.
    let prepared = scene.ground.resident_bytes();
    open.extend(scene.connect((WARM_COUNT..count).map(User::new).collect()).await);
    let connected = open.len();
    // They answer pings.
    for (mut user, mut link) in open {
        tokio::task::spawn_local(async move {
            let mut heard = Vec::new();
            while link.listen(&mut user.speech, &mut heard).await.is_ok() {
                heard.clear();
            }
        });
    }
    tokio::time::sleep(CALM).await;
    let after = scene.ground.resident_bytes();
    let cpu_before = scene.ground.cpu_seconds();
    tokio::time::sleep(CALM).await;
    let cpu = scene.ground.cpu_seconds() - cpu_before;

    let mut found = Found::default();
    let measured = connected.saturating_sub(WARM_COUNT).max(1) as f64;
    found.add("resident_kib_per_user", after.saturating_sub(before) as f64 / measured / 1_024.0);
    found.add("prepared_kib_per_user", prepared.saturating_sub(before) as f64 / measured / 1_024.0);
    found.add("resident_mib", after as f64 / 1_048_576.0);
    found.add("idle_cpu_percent", cpu / CALM.as_secs_f64() * 100.0);
    found.add("not_connected", (count - connected) as f64);
    Ok(found.end(&format!("idle, {count} users"), &scene.tally.borrow()))
}
