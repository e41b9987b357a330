//! Takes down a history, from many tasks, in the order in which this process sees it. Bounded: a run that has more to say than that is a fault of the run.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::clock;

use super::record::{Entry, Fault, Session, What};

const ENTRIES_MAX: usize = 4_000_000;

/// The shared record.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    start: Instant,
    entries: Mutex<Vec<Entry>>,
    sessions: AtomicU64,
    calls: AtomicU64,
}

impl Recorder {
    /// Begins a history.
    pub fn begin(lease_ms: u64, request_timeout_ms: u64, seed: u64) -> Recorder {
        let inner = Inner { start: clock::monotonic(), entries: Mutex::default(), sessions: AtomicU64::new(1), calls: AtomicU64::new(1) };
        let recorder = Recorder(Arc::new(inner));
        recorder.note(What::Run { wall_ms: clock::wall_ms(), lease_ms, request_timeout_ms, seed });
        recorder
    }

    /// Appends an entry.
    pub fn note(&self, what: What) {
        let mut entries = self.0.entries.lock().expect("no writer panics");
        // Under the lock, so that time and place agree.
        let t = u64::try_from((clock::monotonic() - self.0.start).as_micros()).expect("a run is short");
        assert!(entries.len() < ENTRIES_MAX, "the history is too long");
        entries.push(Entry { t, what });
    }

    /// Notes what is done to a node.
    pub fn fault(&self, node: &str, kind: Fault) {
        self.note(What::Fault { node: node.to_owned(), kind });
    }

    /// The number of the next connection.
    pub fn next_session(&self) -> Session {
        self.0.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the next call.
    pub fn next_call(&self) -> u64 {
        self.0.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// All of it so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.entries.lock().expect("no writer panics").clone()
    }

    /// Looks at what was added since a place in the history; the place to look from the next time.
    pub fn since(&self, place: usize, mut look: impl FnMut(&Entry)) -> usize {
        let entries = self.0.entries.lock().expect("no writer panics");
        entries[place..].iter().for_each(&mut look);
        entries.len()
    }
}

/// Writes a history as JSONL into the folder that `ENGAGE_TEST_HISTORIES` names, or that of temporary files; where it stands.
pub fn write(name: &str, entries: &[Entry]) -> PathBuf {
    let folder = std::env::var_os("ENGAGE_TEST_HISTORIES").map_or_else(std::env::temp_dir, PathBuf::from);
    let path = folder.join(format!("{name}-{}.jsonl", std::process::id()));
    let file = std::fs::File::create(&path).unwrap_or_else(|error| panic!("{} can't be written: {error}", path.display()));
    let mut file = std::io::BufWriter::new(file);
    for entry in entries {
        serde_json::to_writer(&mut file, entry).expect("an entry is representable as JSON");
        file.write_all(b"\n").expect("the disk has room");
    }
    file.flush().expect("the disk has room");
    path
}
