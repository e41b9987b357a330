//! A second word on how far the log had come. The database drops what it can't read from the end of its journal on, as if it had never been synced; so each vote,
//! and the end of each group's log, is also noted in a file beside it, right after it was synced, and a log that ends before that is refused.
//!
//! The note is not synced itself: written in place, it outlives the process at any moment, and a loss of power leaves an older one, or none. Then damage to what was synced
//! after that is not found out here. A sync of its own would cost as much as the log's.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::error::{Place, ShardError};
use super::record;
use super::store::{Mark, Write};
use super::types::{LogId, Vote};
use crate::ledger::ids::ShardId;

const KEY: &[u8] = b"witness";
/// The record's length stands before it: what is behind its end is left from a longer one.
const HEAD_BYTES: usize = 4;

/// What is known of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    vote: Option<Vote>,
    /// The last entry that was synced, and not truncated since.
    end: Option<LogId>,
}

type Notes = BTreeMap<ShardId, Noted>;

/// The note of one database.
pub struct Witness {
    /// Of the database.
    log: PathBuf,
    state: Mutex<State>,
}

struct State {
    notes: Notes,
    /// None: it can't be written, which was said once.
    file: Option<File>,
}

impl Witness {
    /// Reads the note beside the database in `log`. A note that can't be read tells nothing.
    pub fn open(log: &Path) -> Witness {
        let path = log.with_extension("witness");
        let notes = read(&path).unwrap_or_else(|reason| {
            warn!(path = %path.display(), reason, "the note on how far the log had come can't be read");
            Notes::new()
        });
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.inspect_err(|error| cannot_write(&path, error)).ok();
        Witness { log: log.to_owned(), state: Mutex::new(State { notes, file }) }
    }

    /// Refuses a log that ends before what was noted.
    pub fn check(&self, shard: ShardId, vote: Option<Vote>, last: Option<LogId>) -> Result<(), ShardError> {
        let noted = self.state().notes.get(&shard).copied().unwrap_or_default();
        let place = match noted {
            Noted { end: Some(end), .. } if last < Some(end) => Place::Entry { shard, index: end.index },
            Noted { vote: noted, .. } if vote < noted => Place::Mark { shard, mark: "vote" },
            _ => return Ok(()),
        };
        Err(ShardError::LogDamaged { path: self.log.clone(), place, reason: "it was synced, and is gone".to_owned() })
    }

    /// This is about to be written. Where it makes a log shorter, the note says so first, and for good: else a log would be asked for what it rightly lacks.
    pub fn about_to_write(&self, write: &Write) {
        let mut state = self.state();
        let mut is_lowered = false;
        for (shard, end) in &write.ends {
            if let Some(noted) = state.notes.get_mut(shard).filter(|noted| noted.end > *end) {
                noted.end = *end;
                is_lowered = true;
            }
        }
        if is_lowered {
            self.note(&mut state);
            self.sync(&mut state);
        }
    }

    /// This was written, and is synced.
    pub fn synced(&self, write: Ends) {
        let mut state = self.state();
        for (shard, vote) in write.votes {
            state.notes.entry(shard).or_default().vote = Some(vote);
        }
        for (shard, end) in write.ends {
            state.notes.entry(shard).or_default().end = end;
        }
        self.note(&mut state);
    }

    /// The log is closed: now the note is worth a sync.
    pub fn close(&self) {
        self.sync(&mut self.state());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// Where it can't be written, the log will soon fail too.
    fn note(&self, state: &mut State) {
        let record = record::encode(KEY, &state.notes);
        let length = u32::try_from(record.len()).expect("a few bytes for each group");
        let bytes = [&length.to_le_bytes()[..], &record].concat();
        self.with_file(state, |file| file.write_all_at(&bytes, 0));
    }

    fn sync(&self, state: &mut State) {
        self.with_file(state, File::sync_data);
    }

    fn with_file(&self, state: &mut State, act: impl FnOnce(&File) -> io::Result<()>) {
        if let Some(Err(error)) = state.file.as_ref().map(act) {
            cannot_write(&self.log.with_extension("witness"), &error);
            state.file = None;
        }
    }
}

/// What of a write is noted.
#[derive(Default)]
pub struct Ends {
    votes: Vec<(ShardId, Vote)>,
    ends: Vec<(ShardId, Option<LogId>)>,
}

impl Ends {
    pub fn of(write: &Write) -> Ends {
        let vote = |(shard, mark): &(ShardId, Mark)| match mark {
            Mark::Vote(vote) => Some((*shard, *vote)),
            Mark::Committed(_) | Mark::Purged(_) => None,
        };
        Ends { votes: write.marks.iter().filter_map(vote).collect(), ends: write.ends.clone() }
    }
}

fn cannot_write(path: &Path, error: &io::Error) {
    warn!(path = %path.display(), %error, "the note on how far the log had come can't be written");
}

fn read(path: &Path) -> Result<Notes, String> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Notes::new()),
        Err(error) => return Err(error.to_string()),
    };
    parse(&bytes).map_err(|error| error.to_string())
}

fn parse(bytes: &[u8]) -> Result<Notes, record::RecordError> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES).ok_or(record::RecordError::Short)?;
    let length = u32::from_le_bytes(head.try_into().expect("it has 4 bytes"));
    let record = usize::try_from(length).ok().and_then(|length| rest.get(..length)).ok_or(record::RecordError::Short)?;
    record::decode(KEY, record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::store::Durability;
    use crate::shard::types::CommittedLeader;

    const SHARD: ShardId = ShardId(3);

    fn id(term: u64, index: u64) -> LogId {
        LogId::new(CommittedLeader::new(term), index)
    }

    fn write(witness: &Witness, vote: Option<Vote>, end: Option<LogId>) {
        let marks = vote.into_iter().map(|vote| (SHARD, Mark::Vote(vote))).collect();
        let write = Write { entries: Vec::new(), marks, ends: vec![(SHARD, end)], durability: Durability::Synced };
        witness.about_to_write(&write);
        witness.synced(Ends::of(&write));
    }

    #[test]
    fn a_log_that_ends_before_what_was_synced_is_refused_by_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let vote = Vote::new_committed(2, 1);
        write(&Witness::open(&log), Some(vote), Some(id(2, 9)));
        let witness = Witness::open(&log);
        assert!(witness.check(SHARD, Some(vote), Some(id(2, 9))).is_ok());
        assert!(witness.check(SHARD, Some(vote), Some(id(3, 4))).is_ok(), "a later term has taken its place");
        assert!(witness.check(ShardId(4), None, None).is_ok());
        for (vote, last) in [(Some(vote), Some(id(2, 8))), (Some(vote), None), (None, Some(id(2, 9)))] {
            let error = witness.check(SHARD, vote, last).unwrap_err().to_string();
            assert!(error.contains("it was synced, and is gone") && error.contains("shard 3"), "{error}");
        }
    }

    #[test]
    fn a_log_that_was_cut_shorter_on_purpose_is_not_asked_for_its_old_end() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let witness = Witness::open(&log);
        write(&witness, None, Some(id(2, 9)));
        let cut = Write { ends: vec![(SHARD, Some(id(1, 5)))], ..Write::default() };
        // The process may end before the log is cut, or after.
        witness.about_to_write(&cut);
        for last in [id(2, 9), id(1, 5)] {
            assert!(Witness::open(&log).check(SHARD, None, Some(last)).is_ok());
        }
    }

    #[test]
    fn a_note_that_is_damaged_or_not_there_tells_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert!(Witness::open(&log).check(SHARD, None, None).is_ok());
        write(&Witness::open(&log), None, Some(id(2, 9)));
        let path = log.with_extension("witness");
        let good = std::fs::read(&path).unwrap();
        for position in 0..good.len() {
            let mut bent = good.clone();
            bent[position] ^= 1;
            assert!(parse(&bent).is_err(), "byte {position}");
            assert!(parse(&good[..position]).is_err(), "length {position}");
        }
        std::fs::write(&path, &good[..good.len() / 2]).unwrap();
        assert!(Witness::open(&log).check(SHARD, None, None).is_ok());
        // What a longer note has left behind this one does no harm.
        assert!(parse(&[&good[..], b"left"].concat()).is_ok());
    }
}
