//! Who this node is, kept in its data directory: an empty directory means a new node, always, since a node that forgot its votes must not vote again.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::ShardError;
use super::files;

const VERSION: u32 = 1;
/// The first node of a cluster; later ones get theirs from the cluster, and no id is ever given twice.
pub const FIRST_NODE_ID: u64 = 1;

/// What `node.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    version: u32,
    /// Drawn when the cluster is bootstrapped; nodes with another one are strangers.
    pub cluster_id: String,
    /// Drawn with the data directory.
    pub node_uuid: String,
    /// The node's id in every group.
    pub node_id: u64,
    /// Fixed when the cluster is bootstrapped.
    pub shards: u16,
}

impl Identity {
    /// A new node that is a cluster of one.
    pub fn draw(shard_count: u16) -> Identity {
        Identity { version: VERSION, cluster_id: random_hex(), node_uuid: random_hex(), node_id: FIRST_NODE_ID, shards: shard_count }
    }

    /// Reads the identity in `folder`, or makes one where the folder has none.
    pub fn open(folder: &Path, shard_count: u16) -> Result<Identity, ShardError> {
        let path = folder.join("node.json");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Identity::create(&path, shard_count),
            Err(source) => return Err(ShardError::Io { what: "reading", path, source }),
        };
        let identity: Identity =
            serde_json::from_str(&text).map_err(|error| ShardError::Identity { path: path.clone(), reason: error.to_string() })?;
        if identity.version != VERSION {
            return Err(ShardError::Identity { path, reason: format!("version {} is not known", identity.version) });
        }
        if identity.shards != shard_count {
            return Err(ShardError::ShardCount { path, stored: identity.shards, configured: shard_count });
        }
        Ok(identity)
    }

    fn create(path: &Path, shard_count: u16) -> Result<Identity, ShardError> {
        // A log without an identity belongs to a node that this one is not.
        let log = path.with_file_name("log");
        if log.exists() {
            return Err(ShardError::Identity { path: path.to_owned(), reason: format!("it is missing, but {} exists", log.display()) });
        }
        let identity = Identity::draw(shard_count);
        let json = serde_json::to_vec_pretty(&identity).expect("an identity is plain data");
        files::replace(path, |out| out.write_all(&json)).map_err(|source| ShardError::Io {
            what: "writing",
            path: path.to_owned(),
            source,
        })?;
        Ok(identity)
    }
}

fn random_hex() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Held while the node runs, so that no second process uses the same data directory. The system lets go of it when the process dies.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Makes the folder where it is missing, and locks it.
    pub fn take(folder: &Path) -> Result<FolderLock, ShardError> {
        let io = |what, path: &Path| {
            let path: PathBuf = path.to_owned();
            move |source| ShardError::Io { what, path, source }
        };
        std::fs::create_dir_all(folder).map_err(io("creating", folder))?;
        let path = folder.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io("opening", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(ShardError::InUse { path: folder.to_owned() }),
            Err(TryLockError::Error(source)) => Err(io("locking", &path)(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_keeps_its_identity_and_its_shard_count() {
        let folder = tempfile::tempdir().unwrap();
        let first = Identity::open(folder.path(), 16).unwrap();
        assert_eq!(Identity::open(folder.path(), 16).unwrap(), first);
        let error = Identity::open(folder.path(), 8).unwrap_err();
        assert!(matches!(error, ShardError::ShardCount { stored: 16, configured: 8, .. }), "{error}");
        assert_ne!(Identity::draw(16).node_uuid, first.node_uuid);
    }

    #[test]
    fn a_damaged_or_missing_identity_on_an_old_log_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        Identity::open(folder.path(), 16).unwrap();
        std::fs::write(folder.path().join("node.json"), "{").unwrap();
        assert!(Identity::open(folder.path(), 16).unwrap_err().to_string().contains("node.json is damaged"));
        std::fs::remove_file(folder.path().join("node.json")).unwrap();
        std::fs::create_dir(folder.path().join("log")).unwrap();
        assert!(Identity::open(folder.path(), 16).unwrap_err().to_string().contains("it is missing"));
    }

    #[test]
    fn two_processes_cannot_share_a_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::take(folder.path()).unwrap();
        assert!(matches!(FolderLock::take(folder.path()), Err(ShardError::InUse { .. })));
        drop(held);
        assert!(FolderLock::take(folder.path()).is_ok());
    }
}
