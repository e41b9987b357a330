//! Who this node is, kept in its data directory: an empty directory means a new node, always, since a node that forgot its votes must not vote again.

use rand::RngExt as _;
use std::fs::{DirBuilder, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::error::ShardError;
use super::files;
use crate::dice::dice;
use crate::ports::peers::NodeId;

/// The second had no checksum.
const VERSION: u32 = 3;
/// The first node of a cluster; later ones get theirs from the cluster, and no id is ever given twice.
pub(super) const FIRST_NODE: NodeId = NodeId(1);

/// A node that belongs to a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Drawn when the cluster is bootstrapped; nodes with another one are strangers.
    pub cluster_id: String,
    /// Drawn with the data directory.
    pub node_uuid: String,
    /// The node's id in every group.
    pub node_id: NodeId,
    /// Fixed when the cluster is bootstrapped.
    pub shards: u16,
}

/// What `node.json` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Papers {
    /// The first node of a cluster, which has not written all its groups yet.
    Founding(Identity),
    /// It has asked to join a cluster, or is about to.
    Joining { node_uuid: String },
    /// The cluster has taken it in, and it has not opened its log yet.
    Joined(Identity),
    /// Its log must be there.
    Member(Identity),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Written {
    Founding(Identity),
    Joining { node_uuid: String },
    Joined(Identity),
    Member(Identity),
}

#[derive(Serialize, Deserialize)]
struct Versioned {
    version: u32,
    #[serde(flatten)]
    papers: Written,
    /// Over all else: an id with a flipped bit is an id still, and would make this node another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

impl Versioned {
    fn sum(&self) -> String {
        let plain = serde_json::to_vec(&(self.version, &self.papers)).expect("papers are plain data");
        format!("{:016x}", xxh3_64(&plain))
    }
}

impl Papers {
    /// A new node that is a cluster of one.
    pub fn found(shard_count: u16) -> Papers {
        Papers::Founding(Identity { cluster_id: random_hex(), node_uuid: random_hex(), node_id: FIRST_NODE, shards: shard_count })
    }

    /// A new node that is to join a cluster.
    pub fn join() -> Papers {
        Papers::Joining { node_uuid: random_hex() }
    }

    pub fn node_uuid(&self) -> &str {
        match self {
            Papers::Founding(identity) | Papers::Joined(identity) | Papers::Member(identity) => &identity.node_uuid,
            Papers::Joining { node_uuid } => node_uuid,
        }
    }

    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Papers::Founding(identity) | Papers::Joined(identity) | Papers::Member(identity) => Some(identity),
            Papers::Joining { .. } => None,
        }
    }

    /// Reads those in `folder`; none where it has none.
    pub fn read(folder: &Path) -> Result<Option<Papers>, ShardError> {
        let path = path_in(folder);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ShardError::Io { what: "reading", path, source }),
        };
        parse(&text, &path).map(Some)
    }

    /// Keeps them in `folder`. What was there before stays where this fails.
    pub fn write(&self, folder: &Path) -> Result<(), ShardError> {
        let papers = match self.clone() {
            Papers::Founding(identity) => Written::Founding(identity),
            Papers::Joining { node_uuid } => Written::Joining { node_uuid },
            Papers::Joined(identity) => Written::Joined(identity),
            Papers::Member(identity) => Written::Member(identity),
        };
        let mut versioned = Versioned { version: VERSION, papers, checksum: None };
        versioned.checksum = Some(versioned.sum());
        let json = serde_json::to_vec_pretty(&versioned).expect("papers are plain data");
        let path = path_in(folder);
        files::replace(&path, |out| out.write_all(&json)).map_err(|source| ShardError::Io { what: "writing", path, source })
    }
}

impl Papers {
    fn of(written: Written) -> Papers {
        match written {
            Written::Founding(identity) => Papers::Founding(identity),
            Written::Joining { node_uuid } => Papers::Joining { node_uuid },
            Written::Joined(identity) => Papers::Joined(identity),
            Written::Member(identity) => Papers::Member(identity),
        }
    }
}

fn path_in(folder: &Path) -> PathBuf {
    folder.join("node.json")
}

fn parse(text: &str, path: &Path) -> Result<Papers, ShardError> {
    let refused = |reason: String| ShardError::Identity { path: path.to_owned(), reason };
    let damaged = |error: serde_json::Error| refused(error.to_string());
    let value: serde_json::Value = serde_json::from_str(text).map_err(damaged)?;
    let has_checksum = value.get("checksum").is_some();
    match value["version"].as_u64() {
        // Written by the first version, which knew clusters of one only.
        Some(1) if !has_checksum => Ok(Papers::Member(serde_json::from_value(value).map_err(damaged)?)),
        Some(version @ 1..=3) => {
            let written: Versioned = serde_json::from_value(value).map_err(damaged)?;
            // A version with a flipped bit must not be a way around it.
            if (has_checksum || version > 2) && written.checksum.as_ref() != Some(&written.sum()) {
                return Err(refused("its checksum does not match".to_owned()));
            }
            Ok(Papers::of(written.papers))
        }
        Some(found) if !has_checksum || found > u64::from(VERSION) => {
            Err(ShardError::OtherVersion { path: path.to_owned(), found: u32::try_from(found).unwrap_or(u32::MAX) })
        }
        Some(_) => Err(refused("its version is damaged".to_owned())),
        None => Err(refused("it has no version".to_owned())),
    }
}

fn random_hex() -> String {
    format!("{:032x}", dice().random::<u128>())
}

/// Held while the node runs, so that no second process uses the same data directory. The system lets go of it when the process dies.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Makes the folder where it is missing, and locks it.
    pub fn take(folder: &Path) -> Result<FolderLock, ShardError> {
        let io = |what, path: &Path| {
            let path: PathBuf = path.to_owned();
            move |source| ShardError::Io { what, path, source }
        };
        // What is kept in it was sent to users: it is nobody else's to read.
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io("creating", folder))?;
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
    fn papers_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Papers::read(folder.path()).unwrap(), None);
        let Papers::Founding(identity) = Papers::found(16) else { panic!("it founds") };
        for papers in [Papers::Founding(identity.clone()), Papers::join(), Papers::Joined(identity.clone()), Papers::Member(identity)] {
            papers.write(folder.path()).unwrap();
            assert_eq!(Papers::read(folder.path()).unwrap(), Some(papers));
        }
        assert_ne!(Papers::found(16).node_uuid(), Papers::found(16).node_uuid());
    }

    #[test]
    fn papers_of_the_first_version_are_those_of_a_member() {
        let text = r#"{"version":1,"cluster_id":"c","node_uuid":"u","node_id":1,"shards":8}"#;
        let identity = Identity { cluster_id: "c".to_owned(), node_uuid: "u".to_owned(), node_id: NodeId(1), shards: 8 };
        assert_eq!(parse(text, Path::new("node.json")).unwrap(), Papers::Member(identity));
    }

    #[test]
    fn papers_that_cannot_be_read_are_refused_with_a_word_on_why() {
        let error = |text: &str| parse(text, Path::new("node.json")).unwrap_err().to_string();
        assert!(error("{").contains("node.json is damaged"));
        assert!(error(r#"{"version":2,"state":"member"}"#).contains("node.json is damaged"));
        assert!(error(r#"{"version":3,"state":"joining","node_uuid":"u"}"#).contains("its checksum does not match"));
        assert!(error(r#"{"version":9,"state":"member"}"#).contains("another version of this program (format 9)"));
    }

    #[test]
    fn any_changed_bit_of_the_papers_is_refused_or_means_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let Papers::Founding(identity) = Papers::found(16) else { panic!("it founds") };
        let papers = Papers::Member(identity);
        papers.write(folder.path()).unwrap();
        let good = std::fs::read(path_in(folder.path())).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bent = good.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let read = std::str::from_utf8(&bent).map(|text| parse(text, Path::new("node.json")));
            assert!(!matches!(read, Ok(Ok(other)) if other != papers), "bit {bit}");
        }
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
