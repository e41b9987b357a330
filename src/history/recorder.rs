//! Takes down a history, from many tasks, in the order in which this process sees it. Bounded: a run that has more to say than that is a fault of the run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::clock;

use super::record::{Entry, Fault, Run, Session, What};

const ENTRIES_MAX: usize = 4_000_000;

/// The shared record.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    /// Microseconds since the start.
    now_us: Box<dyn Fn() -> u64 + Send + Sync>,
    entries: Mutex<Vec<Entry>>,
    sessions: AtomicU64,
    calls: AtomicU64,
}

impl Recorder {
    /// Begins a history in real time.
    #[must_use]
    pub fn begin(lease_ms: u64, request_timeout_ms: u64, seed: u64) -> Recorder {
        Recorder::begin_now(Run { lease_ms, request_timeout_ms, seed, ..Run::default() })
    }

    /// Begins a history in real time; the wall clock is read here.
    #[must_use]
    pub fn begin_now(run: Run) -> Recorder {
        let start = clock::monotonic();
        let now_us = move || u64::try_from(clock::monotonic().saturating_duration_since(start).as_micros()).unwrap_or(u64::MAX);
        Recorder::begin_at(Run { wall_ms: clock::wall_ms(), ..run }, now_us)
    }

    /// Begins a history in a time of the caller's: `now_us` gives microseconds since the start, at which the wall clock showed `run.wall_ms`. It is called under the
    /// record's lock, and must not note anything itself.
    #[must_use]
    pub fn begin_at(run: Run, now_us: impl Fn() -> u64 + Send + Sync + 'static) -> Recorder {
        let entries = Mutex::new(vec![Entry::at(0, What::Run(run))]);
        Recorder(Arc::new(Inner { now_us: Box::new(now_us), entries, sessions: AtomicU64::new(1), calls: AtomicU64::new(1) }))
    }

    /// Appends an entry.
    pub fn note(&self, what: What) {
        let mut entries = self.entries_now();
        // Under the lock, so that time and place agree.
        append(&mut entries, (self.0.now_us)(), what);
    }

    /// Appends an entry of a time that the caller knows; one before the last entry's counts as the last one's, since what is noted later is not earlier.
    pub fn note_at(&self, t_us: u64, what: What) {
        append(&mut self.entries_now(), t_us, what);
    }

    /// Notes what is done to a node.
    pub fn fault(&self, node: &str, kind: Fault) {
        self.note(What::Fault { node: node.to_owned(), kind });
    }

    /// The number of the next connection.
    #[must_use]
    pub fn next_session(&self) -> Session {
        self.0.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the next call.
    #[must_use]
    pub fn next_call(&self) -> u64 {
        self.0.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// All of it so far.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.entries_now().clone()
    }

    /// All of it so far, taken out: for a run that is over, whose history need not be copied.
    #[must_use]
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.entries_now())
    }

    /// Looks at what was added since a place in the history; the place to look from the next time.
    pub fn since(&self, place: usize, mut look: impl FnMut(&Entry)) -> usize {
        let entries = self.entries_now();
        entries.iter().skip(place).for_each(&mut look);
        entries.len()
    }

    fn entries_now(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.entries.lock().expect("no writer panics")
    }
}

fn append(entries: &mut Vec<Entry>, t_us: u64, what: What) {
    assert!(entries.len() < ENTRIES_MAX, "the history is too long");
    let t = entries.last().map_or(t_us, |last| last.t.max(t_us));
    entries.push(Entry::at(t, what));
}

#[test]
fn time_can_be_given_from_outside_and_never_runs_back() {
    let now = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&now);
    let recorder = Recorder::begin_at(Run { wall_ms: 5, ..Run::default() }, move || seen.load(Ordering::Relaxed));
    now.store(700, Ordering::Relaxed);
    recorder.note(What::CaughtUp { session: recorder.next_session() });
    recorder.note_at(300, What::CaughtUp { session: recorder.next_session() });
    recorder.note_at(900, What::CaughtUp { session: recorder.next_session() });
    let times: Vec<u64> = recorder.entries().iter().map(|entry| entry.t).collect();
    assert_eq!(times, [0, 700, 700, 900]);
}
