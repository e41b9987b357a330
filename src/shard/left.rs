//! What a node must not forget of a group that it left: how far the group was then. Who comes back with an empty log reads old changes of members once more, in one of which
//! it may have been the only voter; and it does not know any more what its vote once stood for. So until it has applied a change of members that came after it left, it
//! stands for no election, and votes for nobody who has less than the group had then. (Found by the simulation, seed 84: the founder of a cluster, emptied and added again,
//! elected itself as it read the first change of members, and what the others had was truncated.)

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::error::ShardError;
use super::files;
use super::types::group_name;
use crate::ledger::ids::ShardId;

const VERSION: u32 = 1;
/// Nothing is to be kept in mind.
const NONE: u64 = u64::MAX;

/// See the head of the file. Shared by all who work with a group.
#[derive(Debug)]
pub struct Left {
    /// None in memory: there, a node that starts anew is another one.
    path: Option<PathBuf>,
    index: AtomicU64,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    index: u64,
}

impl Left {
    /// Reads what is kept of a group; nothing, where the node never left it. Blocks.
    pub fn open(group: ShardId, data_dir: Option<&Path>) -> Result<Left, ShardError> {
        let Some(path) = data_dir.map(|folder| path_of(folder, group)) else { return Ok(Left::in_memory(None)) };
        let index = read(&path)?.unwrap_or(NONE);
        Ok(Left { path: Some(path), index: AtomicU64::new(index) })
    }

    /// Of a group that was emptied while the node runs.
    pub fn in_memory(index: Option<u64>) -> Left {
        Left { path: None, index: AtomicU64::new(index.unwrap_or(NONE)) }
    }

    /// How far the group was at least when this node left it, if that still matters.
    pub fn index(&self) -> Option<u64> {
        Some(self.index.load(Ordering::Acquire)).filter(|index| *index != NONE)
    }

    /// The node is about to empty its log: the group is that far. Blocks for a sync.
    pub fn note(&self, index: u64) -> io::Result<()> {
        if let Some(path) = &self.path {
            let kept = serde_json::to_vec(&Kept { version: VERSION, index }).expect("it is plain data");
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            files::replace(path, |out| io::Write::write_all(out, &kept))?;
        }
        self.index.store(index, Ordering::Release);
        Ok(())
    }

    /// The node is a member again, by a change that it has applied. Blocks for a sync.
    pub fn forget(&self) -> io::Result<()> {
        if let Some(path) = &self.path {
            files::remove(path)?;
        }
        self.index.store(NONE, Ordering::Release);
        Ok(())
    }
}

fn path_of(data_dir: &Path, group: ShardId) -> PathBuf {
    data_dir.join("left").join(format!("{}.json", group_name(group)))
}

fn read(path: &Path) -> Result<Option<u64>, ShardError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ShardError::Io { what: "reading", path: path.to_owned(), source }),
    };
    let damaged = |reason: String| ShardError::Identity { path: path.to_owned(), reason };
    let kept: Kept = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if kept.version != VERSION {
        return Err(ShardError::OtherVersion { path: path.to_owned(), found: kept.version });
    }
    Ok(Some(kept.index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_kept_until_the_node_is_a_member_again() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Left::open(ShardId(3), Some(folder.path())).unwrap();
        assert_eq!(open().index(), None);
        open().note(41).unwrap();
        assert_eq!(open().index(), Some(41));
        open().forget().unwrap();
        assert_eq!(open().index(), None);
    }

    #[test]
    fn a_damaged_note_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        Left::open(ShardId(3), Some(folder.path())).unwrap().note(41).unwrap();
        let path = path_of(folder.path(), ShardId(3));
        fs::write(&path, "{").unwrap();
        let error = Left::open(ShardId(3), Some(folder.path())).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
