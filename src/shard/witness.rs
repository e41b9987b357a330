//! A second word on how far the log had come. The database drops what it can't read from the end of its journal on, as if it had never been synced; so what
//! was voted and committed is also noted in a file beside it, from time to time, and a log that ends before that is refused.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing::warn;

use super::error::{Place, ShardError};
use super::files;
use super::record;
use super::store::Mark;
use super::types::{LogId, Vote};
use crate::clock;
use crate::ledger::ids::ShardId;

/// The note is that old at most, while something is written.
const INTERVAL: Duration = Duration::from_secs(1);
const KEY: &[u8] = b"witness";

type Marks = BTreeMap<ShardId, (Option<Vote>, Option<LogId>)>;

/// The note of one database.
pub struct Witness {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    marks: Marks,
    noted_at: Instant,
    is_new: bool,
}

impl Witness {
    /// Reads the note beside the database in `log`. A note that can't be read tells nothing: it isn't synced.
    pub fn open(log: &Path) -> Witness {
        let path = log.with_extension("witness");
        let marks = match std::fs::read(&path) {
            Ok(bytes) => record::decode(KEY, &bytes).unwrap_or_else(|error| {
                warn!(%error, "the note on how far the log had come can't be read");
                Marks::new()
            }),
            Err(_) => Marks::new(),
        };
        Witness { path, state: Mutex::new(State { marks, noted_at: clock::monotonic(), is_new: false }) }
    }

    /// Refuses a log that ends before what was noted.
    pub fn check(&self, shard: ShardId, vote: Option<Vote>, last: Option<LogId>) -> Result<(), ShardError> {
        let state = self.state.lock().expect("no holder panics");
        let Some((noted_vote, noted_committed)) = state.marks.get(&shard) else { return Ok(()) };
        let place = match noted_committed {
            Some(committed) if last < Some(*committed) => Place::Entry { shard, index: committed.index },
            _ if vote < *noted_vote => Place::Mark { shard, mark: "vote" },
            _ => return Ok(()),
        };
        Err(ShardError::LogDamaged { path: self.path.with_extension(""), place, reason: "it was synced, and is gone".to_owned() })
    }

    /// These marks are synced.
    pub fn synced(&self, marks: impl Iterator<Item = (ShardId, Mark)>) {
        let mut state = self.state.lock().expect("no holder panics");
        for (shard, mark) in marks {
            let noted = state.marks.entry(shard).or_default();
            match mark {
                Mark::Vote(vote) => noted.0 = Some(vote),
                Mark::Committed(committed) => noted.1 = committed,
                Mark::Purged(_) => continue,
            }
            state.is_new = true;
        }
        let now = clock::monotonic();
        if state.is_new && now.saturating_duration_since(state.noted_at) >= INTERVAL {
            state.noted_at = now;
            self.note(&mut state);
        }
    }

    /// What was committed of this group is about to be deleted: from now on the note doesn't ask for it.
    pub fn forget(&self, shard: ShardId) {
        let mut state = self.state.lock().expect("no holder panics");
        if let Some(noted) = state.marks.get_mut(&shard) {
            noted.1 = None;
            let record = record::encode(KEY, &state.marks);
            if let Err(error) = files::replace(&self.path, |out| out.write_all(&record)) {
                warn!(%error, "the note on how far the log had come can't be written");
            }
        }
    }

    /// Writes the note now.
    pub fn close(&self) {
        let mut state = self.state.lock().expect("no holder panics");
        if state.is_new {
            self.note(&mut state);
        }
    }

    /// Not synced: after a loss of power an older note, or none, serves as well. Where it can't be written, the log will soon fail too.
    fn note(&self, state: &mut State) {
        let beside = self.path.with_extension("witness.unfinished");
        let record = record::encode(KEY, &state.marks);
        let written =
            std::fs::File::create(&beside).and_then(|mut file| file.write_all(&record)).and_then(|()| std::fs::rename(&beside, &self.path));
        match written {
            Ok(()) => state.is_new = false,
            Err(error) => warn!(%error, "the note on how far the log had come can't be written"),
        }
    }
}
