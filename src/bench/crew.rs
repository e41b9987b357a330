//! The threads of the generator. Each has a runtime of its own and a part of the persons; all follow one course.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;

use super::BenchError;
use super::crowd::Scene;
use super::ground::Ground;
use super::options::Options;
use super::run::{Show, Stage};
use super::tally::Tally;
use crate::clock;
use crate::config::Secret;

/// All that is waited for comes within this time.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What all are to do now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Course {
    /// From when on rounds begin.
    pub(super) begun: Option<Instant>,
    /// From when on waits are measured.
    pub(super) from: Option<Instant>,
    /// From when on no round begins.
    pub(super) until: Option<Instant>,
    /// The node that was killed, by its place.
    pub(super) dead: Option<usize>,
}

/// What all threads share.
pub(super) struct Shared {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) key: Secret,
    pub(super) jwt_secret: Secret,
    pub(super) payload_bytes: usize,
    pub(super) batch_count: usize,
    pub(super) is_closed_loop: bool,
    pub(super) course: watch::Sender<Course>,
    pub(super) over: watch::Sender<bool>,
    pub(super) connected_count: AtomicU64,
    pub(super) round_count: AtomicU64,
    /// Rounds that are begun and not done.
    pub(super) under_way_count: AtomicU64,
    /// Rounds that were due, and could not be begun because too many of their person were under way.
    pub(super) not_begun_count: AtomicU64,
    pub(super) outage: Mutex<Option<Outage>>,
}

/// The time from a kill to the first round of each shard that began after it.
#[derive(Debug)]
pub(super) struct Outage {
    pub(super) killed_at: Instant,
    /// The shard of each person, as far as the dead node led it.
    pub(super) shards: Vec<Option<u32>>,
    /// How long each of these was without a confirm.
    pub(super) took: Vec<(u32, Duration)>,
}

impl Shared {
    /// Of a run on these nodes.
    pub(super) fn new(ground: &Ground, options: &Options) -> Shared {
        Shared {
            addresses: ground.addresses.clone(),
            key: ground.key.clone(),
            jwt_secret: ground.jwt_secret.clone(),
            payload_bytes: options.payload_bytes,
            batch_count: options.batch_count,
            is_closed_loop: options.rate.is_none(),
            course: watch::Sender::new(Course::default()),
            over: watch::Sender::new(false),
            connected_count: AtomicU64::new(0),
            round_count: AtomicU64::new(0),
            under_way_count: AtomicU64::new(0),
            not_begun_count: AtomicU64::new(0),
            outage: Mutex::new(None),
        }
    }

    /// A round of a person was confirmed that should have begun then.
    pub(super) fn served(&self, person: usize, intended: Instant) {
        let mut outage = self.outage.lock().expect("no holder of this lock panics");
        let Some(outage) = outage.as_mut().filter(|outage| outage.killed_at <= intended) else { return };
        let Some(Some(shard)) = outage.shards.get(person).copied() else { return };
        if outage.took.iter().all(|(served, _)| *served != shard) {
            let now = clock::monotonic();
            outage.took.push((shard, now.saturating_duration_since(outage.killed_at)));
        }
    }
}

/// The threads.
pub(super) struct Crew {
    pub(super) shared: Arc<Shared>,
    done: Vec<oneshot::Receiver<Tally>>,
}

impl Crew {
    /// Starts threads, on each of which `work` is done with its part of the persons: those from a number on, in steps of how many threads there are.
    pub(super) fn start<W, F>(shared: Shared, threads: usize, work: W) -> Result<Crew, BenchError>
    where
        W: Fn(Rc<Scene>, Share) -> F + Clone + Send + 'static,
        F: Future<Output = Tally>,
    {
        let shared = Arc::new(shared);
        let mut done = Vec::new();
        for first in 0..threads {
            let (sender, receiver) = oneshot::channel();
            let (shared, work) = (Arc::clone(&shared), work.clone());
            let body = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
                let scene = Rc::new(Scene::new(shared));
                let tally = LocalSet::new().block_on(&runtime, work(scene, Share { first, step: threads }));
                // An error means that nobody waits for it any more.
                let _ = sender.send(tally);
            };
            std::thread::Builder::new().name(format!("load-{first}")).spawn(body).map_err(BenchError::Thread)?;
            done.push(receiver);
        }
        Ok(Crew { shared, done })
    }

    /// Waits until a counter has come so far, and shows how far it is.
    pub(super) async fn reach(
        &self,
        (count, what): (u64, &'static str),
        counter: impl Fn(&Shared) -> &AtomicU64,
        show: Show<'_>,
    ) -> Result<(), BenchError> {
        let give_up = clock::monotonic() + PATIENCE;
        loop {
            let done = counter(&self.shared).load(Ordering::Relaxed);
            show(Stage::Count { done, all: count, what });
            if done >= count {
                return Ok(());
            }
            if clock::monotonic() >= give_up {
                return Err(BenchError::TooSlow { what, seconds: PATIENCE.as_secs() });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends the run, and waits for all threads; what they counted together.
    pub(super) async fn finish(self) -> Result<Tally, BenchError> {
        self.shared.over.send_replace(true);
        let mut all = Tally::new();
        for done in self.done {
            all.merge(done.await.map_err(|_| BenchError::ThreadEnded)?);
        }
        Ok(all)
    }
}

/// A thread's part of the persons.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    first: usize,
    step: usize,
}

impl Share {
    /// The numbers of its persons, of so many.
    pub(super) fn of(self, count: usize) -> impl Iterator<Item = usize> {
        (self.first..count).step_by(self.step)
    }
}
