//! The clock of an open loop: says when each round is due, whether or not the ones before are done. On a thread of its own, because timers of a runtime are a millisecond wide,
//! and what it says must not wait behind the work.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::crew::Shared;
use crate::clock;

/// Looks again whether the run is over so often.
const NAP_MAX: Duration = Duration::from_millis(100);

/// Deals rounds out to persons in turn, one every `every` from `start` on, until the course says that none begins any more.
pub(super) fn start(
    shared: Arc<Shared>,
    persons: Vec<mpsc::Sender<Instant>>,
    (start, every): (Instant, Duration),
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("pace".to_owned()).spawn(move || {
        let mut due = start;
        for person in (0..persons.len()).cycle() {
            loop {
                let course = *shared.course.borrow();
                if *shared.over.borrow() || course.until.is_some_and(|until| due >= until) {
                    return;
                }
                let left = due.saturating_duration_since(clock::monotonic());
                if left.is_zero() {
                    break;
                }
                std::thread::sleep(left.min(NAP_MAX));
            }
            // Its queue is full: so many are under way that this one can't begin.
            if persons[person].try_send(due).is_err() {
                shared.not_begun_count.fetch_add(1, Ordering::Relaxed);
            }
            due += every;
        }
    })
}
