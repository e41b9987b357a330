//! Shows what is drawn in this process: the test that a seed decides all of it reads this. Says nothing of the run itself.

use std::collections::HashMap;

/// The order of a map, the branches of a `select!`, and what the generators of the crates begin with; a line each.
pub fn show() -> String {
    let order: Vec<u32> = (0..20).map(|key| (key, ())).collect::<HashMap<u32, ()>>().into_keys().collect();
    let branches = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built").block_on(branches());
    let bytes: [u8; 8] = rand::random();
    format!("map {order:?}\nselect {branches:?}\nrand {bytes:?}\n")
}

/// Which of three branches, all ready, is taken each time.
async fn branches() -> Vec<u8> {
    let mut taken = Vec::new();
    for _ in 0..40 {
        taken.push(tokio::select! {
            () = std::future::ready(()) => 0,
            () = std::future::ready(()) => 1,
            () = std::future::ready(()) => 2,
        });
    }
    taken
}
