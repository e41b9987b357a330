//! The runtime that openraft is run on: tokio's, but for how it waits until a moment. Decides nothing about what is run.
//!
//! Each group ticks several times in a heartbeat, at a moment of its own. On a node with many groups that would be a wake-up of a thread for every tick of every group, most of
//! what an idle node costs. So the ticks of all groups of a process meet at common moments, one tick apart: each waits a little longer, never as long as a tick.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::OptionalSend;
use openraft::async_runtime::{AsyncRuntime, Instant as _};
use openraft_rt_tokio::TokioRuntime;

use crate::clock;
use crate::dice::{Dice, dice};

/// What is as near as that is no tick, and does not wait for one.
const NOW: Duration = Duration::from_micros(10);

/// The time between two common moments; none before it is set.
static APART_US: AtomicU64 = AtomicU64::new(u64::MAX);

/// Lets the ticks of groups meet that often. The shortest that was ever said counts, so that no group ticks more slowly than it has to.
pub fn meet_every(apart: Duration) {
    let apart_us = u64::try_from(apart.as_micros()).unwrap_or(u64::MAX).max(1);
    APART_US.fetch_min(apart_us, Ordering::Relaxed);
}

/// Waits that long, and then for the next common moment: what is looked at from time to time needs no wake-up of its own.
pub async fn pause(time: Duration) {
    Tempo::sleep_until(Moment::now() + time).await;
}

type Tokio = TokioRuntime;
type Moment = <Tokio as AsyncRuntime>::Instant;

/// See the head of this file.
#[derive(Debug)]
pub struct Tempo(Tokio);

/// The first common moment that is not before `deadline`: moments are counted from `first`.
fn common_moment(deadline: Moment, first: Moment, apart: Duration) -> Moment {
    let since_us = deadline.saturating_duration_since(first).as_micros();
    let late_us = since_us % apart.as_micros().max(1);
    if late_us == 0 {
        return deadline;
    }
    deadline + Duration::from_micros(u64::try_from(apart.as_micros() - late_us).unwrap_or_default())
}

impl AsyncRuntime for Tempo {
    type JoinError = <Tokio as AsyncRuntime>::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = <Tokio as AsyncRuntime>::JoinHandle<T>;
    type Sleep = <Tokio as AsyncRuntime>::Sleep;
    type Instant = Moment;
    type TimeoutError = <Tokio as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = <Tokio as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = Dice;
    type Mpsc = <Tokio as AsyncRuntime>::Mpsc;
    type Watch = <Tokio as AsyncRuntime>::Watch;
    type Oneshot = <Tokio as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <Tokio as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        Tokio::spawn(future)
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        Tokio::sleep(duration)
    }

    /// openraft's ticks wait by this, and nothing else for longer than a microsecond.
    fn sleep_until(deadline: Moment) -> Self::Sleep {
        static FIRST: OnceLock<Moment> = OnceLock::new();
        let apart_us = APART_US.load(Ordering::Relaxed);
        // In the simulation, waking up costs nothing, and no moment is common to several nodes.
        if apart_us == u64::MAX || clock::is_simulated() || deadline <= Moment::now() + NOW {
            return Tokio::sleep_until(deadline);
        }
        let first = *FIRST.get_or_init(Moment::now);
        Tokio::sleep_until(common_moment(deadline, first, Duration::from_micros(apart_us)))
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(duration: Duration, future: F) -> Self::Timeout<R, F> {
        Tokio::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(deadline: Moment, future: F) -> Self::Timeout<R, F> {
        Tokio::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        Tokio::is_panic(join_error)
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        dice()
    }

    fn new(threads: usize) -> Self {
        Tempo(Tokio::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_of_one_tick_meet_and_none_comes_early_or_a_tick_late() {
        let (first, apart) = (Moment::now(), Duration::from_millis(20));
        for part in 1..=4_u32 {
            let deadline = first + apart * 7 + apart * part / 4;
            assert_eq!(common_moment(deadline, first, apart), first + apart * 8, "{part}/4 of a tick later");
        }
    }
}
