//! What a node must not forget of a group that it left: how far the group was then. Who comes back with an empty log reads old changes of members once more, in one of which
//! it may have been the only voter; and it does not know any more what its vote once stood for. So until it has applied a change of members that came after it left, it
//! stands for no election, and votes for nobody who has less than the group had then. (Found by the simulation, seed 84: the founder of a cluster, emptied and added again,
//! elected itself as it read the first change of members, and what the others had was truncated.)

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::error::ShardError;
use super::files;
use super::types::{LogId, group_name};
use crate::ledger::ids::ShardId;

const VERSION: u32 = 1;

/// How far a group was when a node left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Far {
    /// What the owner had applied when it said that the node is no member.
    pub index: u64,
    /// The last entry that the node held itself. With its term: who led in vain may have a longer log of an older one.
    pub held: Option<LogId>,
}

impl Far {
    /// Whether a log that ends there has all that the node's vote stood for.
    pub fn is_reached_by(self, last: Option<LogId>) -> bool {
        last >= self.held && last.is_some_and(|last| last.index >= self.index)
    }
}

/// See the head of the file. Shared by all who work with a group.
#[derive(Debug)]
pub struct Left {
    /// None in memory: there, a node that starts anew is another one.
    path: Option<PathBuf>,
    far: RwLock<Option<Far>>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    far: Far,
    /// A number with a flipped bit is a number still.
    checksum: String,
}

impl Kept {
    fn of(far: Far) -> Kept {
        let bytes = serde_json::to_vec(&far).expect("it is plain data");
        Kept { version: VERSION, far, checksum: format!("{:016x}", xxh3_64(&bytes)) }
    }
}

impl Left {
    /// Reads what is kept of a group; nothing, where the node never left it. Blocks.
    pub fn open(group: ShardId, data_dir: Option<&Path>) -> Result<Left, ShardError> {
        let Some(path) = data_dir.map(|folder| path_of(folder, group)) else { return Ok(Left::in_memory(None)) };
        let far = RwLock::new(read(&path)?);
        Ok(Left { path: Some(path), far })
    }

    /// Of a group that was emptied while the node runs.
    pub fn in_memory(far: Option<Far>) -> Left {
        Left { path: None, far: RwLock::new(far) }
    }

    /// How far the group was at least when this node left it, if that still matters.
    pub fn far(&self) -> Option<Far> {
        *self.far.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, far: Option<Far>) {
        *self.far.write().unwrap_or_else(PoisonError::into_inner) = far;
    }

    /// The node is about to empty its log: the group is that far. Blocks for a sync.
    pub fn note(&self, far: Far) -> io::Result<()> {
        if let Some(path) = &self.path {
            let kept = serde_json::to_vec(&Kept::of(far)).expect("it is plain data");
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            files::replace(path, |out| io::Write::write_all(out, &kept))?;
        }
        self.set(Some(far));
        Ok(())
    }

    /// The node is a member again, by a change that it has applied. Blocks for a sync.
    pub fn forget(&self) -> io::Result<()> {
        if let Some(path) = &self.path {
            files::remove(path)?;
        }
        self.set(None);
        Ok(())
    }
}

fn path_of(data_dir: &Path, group: ShardId) -> PathBuf {
    data_dir.join("left").join(format!("{}.json", group_name(group)))
}

fn read(path: &Path) -> Result<Option<Far>, ShardError> {
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
    if kept.checksum != Kept::of(kept.far).checksum {
        return Err(damaged("its checksum does not match".to_owned()));
    }
    Ok(Some(kept.far))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Far = Far { index: 41, held: None };

    #[test]
    fn what_was_left_is_kept_until_the_node_is_a_member_again() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Left::open(ShardId(3), Some(folder.path())).unwrap();
        assert_eq!(open().far(), None);
        open().note(FAR).unwrap();
        assert_eq!(open().far(), Some(FAR));
        open().forget().unwrap();
        assert_eq!(open().far(), None);
    }

    #[test]
    fn a_damaged_note_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        Left::open(ShardId(3), Some(folder.path())).unwrap().note(FAR).unwrap();
        let path = path_of(folder.path(), ShardId(3));
        let other = fs::read_to_string(&path).unwrap().replace("41", "45");
        for text in ["{", &other] {
            fs::write(&path, text).unwrap();
            let error = Left::open(ShardId(3), Some(folder.path())).unwrap_err();
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
    }
}
