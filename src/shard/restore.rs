//! Makes the data directory of a new cluster of one from a backup: the ledgers are the backup's, the identity is new. The old cluster, wherever a node of it still is, and
//! the new one are strangers to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use super::backup_file::{FileError, Header, Reader};
use super::content::{Content, Whole};
use super::error::ShardError;
use super::identity::{FIRST_NODE, FolderLock, Papers};
use super::ledger_cell::LedgerCell;
use super::snapshot;
use super::snapshot_store::SnapshotStore;
use super::types::{LogId, Membership, Node, SnapshotMeta};
use crate::ledger::Ledger;
use crate::ledger::ids::ShardId;

/// Where the snapshots are made until all of them are there.
const UNFINISHED: &str = "snapshots.unfinished";
/// What may be in a directory that is restored into: secrets that were put there before, and what an earlier try left.
const MAY_BE_THERE: [&str; 3] = ["secrets.toml", "lock", UNFINISHED];
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// Why a backup can't be restored. Nothing was changed in the directory, but for leftovers that the next try removes.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("the backup {} can't be used: {error}", path.display())]
    File { path: PathBuf, error: FileError },
    #[error("shard {shard} of the backup {} can't be used: {reason}", path.display())]
    Shard { path: PathBuf, shard: ShardId, reason: String },
    #[error("the backup has {stored} shards, and the configuration says {configured}; hint: set cluster.shards to {stored}")]
    ShardCount { stored: u16, configured: u16 },
    #[error(
        "the data directory {} is not empty: it holds {found}; hint: a backup is restored into an empty one, give node.data_dir another name",
        path.display()
    )]
    NotEmpty { path: PathBuf, found: String },
    #[error(transparent)]
    Directory(#[from] ShardError),
}

/// The node that is to be made.
#[derive(Clone, Debug)]
pub struct NewNode<'a> {
    pub data_dir: &'a Path,
    pub shard_count: u16,
    pub name: &'a str,
}

/// What a whole backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub header: Header,
    pub users: u64,
    /// Deliveries that wait or are held.
    pub buffered_deliveries: u64,
}

/// Reads a backup to its end, and makes sure that it can be restored. `done` is told the number of shards so far. Blocks.
///
/// # Errors
/// [`RestoreError::File`] and [`RestoreError::Shard`].
pub fn check(path: &Path, done: impl FnMut(u16)) -> Result<Summary, RestoreError> {
    walk(path, |_| Ok(()), |_, _| Ok(()), done)
}

/// Restores a backup into an empty data directory. `done` is told the number of shards so far. Blocks.
///
/// # Errors
/// [`RestoreError`].
pub fn restore(path: &Path, node: &NewNode<'_>, done: impl FnMut(u16)) -> Result<Summary, RestoreError> {
    let _lock = FolderLock::take(node.data_dir)?;
    must_be_empty(node.data_dir)?;
    let unfinished = node.data_dir.join(UNFINISHED);
    match std::fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("removing", &unfinished)(error).into()),
        _ => {}
    }
    let fits = |header: &Header| match header.shards == node.shard_count {
        true => Ok(()),
        false => Err(RestoreError::ShardCount { stored: header.shards, configured: node.shard_count }),
    };
    let summary = walk(path, fits, |shard, ledger| Ok(save(&unfinished, shard, &ledger, node)?), done)?;
    // Whole, or not there: a node that found half of them would take the others for empty.
    let snapshots = node.data_dir.join("snapshots");
    std::fs::rename(&unfinished, &snapshots).map_err(failed("making", &snapshots))?;
    // The meta group is made anew when it starts for the first time.
    Papers::found(node.shard_count).write(node.data_dir)?;
    Ok(summary)
}

fn empty() -> LedgerCell {
    LedgerCell::new(Arc::new(watch::channel(0).0))
}

fn must_be_empty(data_dir: &Path) -> Result<(), RestoreError> {
    for entry in std::fs::read_dir(data_dir).map_err(failed("reading", data_dir))? {
        let name = entry.map_err(failed("reading", data_dir))?.file_name();
        if !MAY_BE_THERE.iter().any(|allowed| name == *allowed) {
            return Err(RestoreError::NotEmpty { path: data_dir.to_owned(), found: name.to_string_lossy().into_owned() });
        }
    }
    Ok(())
}

fn failed(what: &'static str, path: &Path) -> impl Fn(io::Error) -> ShardError + use<> {
    let path = path.to_owned();
    move |source| ShardError::Io { what, path: path.clone(), source }
}

/// Reads all shards, one after the other, so that no more than one is in memory.
fn walk(
    path: &Path,
    fits: impl FnOnce(&Header) -> Result<(), RestoreError>,
    mut take: impl FnMut(ShardId, Ledger) -> Result<(), RestoreError>,
    mut done: impl FnMut(u16),
) -> Result<Summary, RestoreError> {
    let of_file = |error| RestoreError::File { path: path.to_owned(), error };
    let input = BufReader::with_capacity(READ_BUFFER_BYTES, File::open(path).map_err(|error| of_file(error.into()))?);
    let (mut reader, header) = Reader::begin(input).map_err(of_file)?;
    fits(&header)?;
    let mut summary = Summary { users: 0, buffered_deliveries: 0, header };
    for shard in (0..summary.header.shards).map(ShardId) {
        // It reads to the end of the shard: what follows a snapshot is an error.
        let unreadable = |reason: String| RestoreError::Shard { path: path.to_owned(), shard, reason };
        let (_, whole) = snapshot::read(&mut reader.shard(), shard, empty().rebuild()).map_err(|error| unreadable(error.to_string()))?;
        let Whole::Ledger(ledger) = whole else { return Err(unreadable("it is no ledger".to_owned())) };
        summary.users += ledger.counts().users;
        summary.buffered_deliveries += ledger.counts().buffered_deliveries;
        take(shard, *ledger)?;
        done(shard.0 + 1);
    }
    reader.end().map_err(of_file)?;
    Ok(summary)
}

/// Keeps a ledger as the snapshot of a group that has just been made: its first entry is its membership, and the ledger is what it had then.
fn save(folder: &Path, shard: ShardId, ledger: &Ledger, node: &NewNode<'_>) -> Result<(), ShardError> {
    let folder = folder.join(shard.0.to_string());
    let first = LogId::new(super::types::CommittedLeader::new(0), 0);
    let meta = SnapshotMeta { last_log_id: Some(first), last_membership: Membership::new(Some(first), alone(node)) };
    let (store, _) = SnapshotStore::open(shard, &folder, &empty())?;
    store.save(&meta, ledger.view().chunks()).map(drop).map_err(failed("writing", &store.path()))
}

fn alone(node: &NewNode<'_>) -> openraft::Membership<u64, Node> {
    let id = FIRST_NODE.0;
    let member = Node { name: node.name.to_owned() };
    openraft::Membership::new(vec![BTreeSet::from([id])], BTreeMap::from([(id, member)])).expect("a group of one is valid")
}
