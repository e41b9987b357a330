//! What a node keeps of itself: its data directory, opened and locked, and who it is. Opened before the shards start, so that the links to other nodes can be
//! made in between.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tracing::error;

use super::committer::{Committer, CommitterThread, Request};
use super::disk::Disk;
use super::error::ShardError;
use super::identity::{FolderLock, Identity, Papers};
use super::log::LogDisk;
use super::ram_disk::RamDisk;
use super::store::LogStore;
use crate::blocking;
use crate::ports::peers::NodeId;

/// A node at home: its directory, or nothing at all with `storage = "memory"`, where every start makes a new node.
pub struct Home {
    /// None with `storage = "memory"`.
    folder: Option<PathBuf>,
    /// In the simulation, the log is kept here, and all the rest in the folder.
    ram: Option<RamDisk>,
    /// None: an empty directory, and nothing decided yet.
    papers: Mutex<Option<Papers>>,
    lock: Mutex<Option<FolderLock>>,
    /// None until the shards start, so that a directory in which nothing is decided stays empty; and none in memory.
    log: Mutex<Option<OpenLog>>,
}

/// The log, while the node runs on a disk.
struct OpenLog {
    disk: LogDisk,
    thread: CommitterThread,
}

impl Home {
    /// Opens the data directory, and reads who lives there. Blocks for a moment.
    ///
    /// # Errors
    /// [`ShardError`], when another process is in it, or what it holds can't be used.
    pub fn open(data_dir: Option<&Path>) -> Result<Home, ShardError> {
        Home::open_with(data_dir, None)
    }

    /// Opens the data directory of a simulated node, whose log is kept elsewhere.
    ///
    /// # Errors
    /// As [`Home::open`].
    pub fn simulated(data_dir: &Path, log: RamDisk) -> Result<Home, ShardError> {
        Home::open_with(Some(data_dir), Some(log))
    }

    fn open_with(data_dir: Option<&Path>, ram: Option<RamDisk>) -> Result<Home, ShardError> {
        let (lock, papers) = match data_dir {
            Some(folder) => open(folder, ram.as_ref())?,
            None => (None, None),
        };
        let folder = data_dir.map(Path::to_owned);
        Ok(Home { folder, ram, papers: Mutex::new(papers), lock: Mutex::new(lock), log: Mutex::new(None) })
    }

    /// Who this node is in its cluster; none while it belongs to none.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.papers().as_ref().and_then(Papers::identity).cloned()
    }

    /// Whether it was prepared to join a cluster, and has not been told yet that it did: the join goes on.
    #[must_use]
    pub fn is_joining(&self) -> bool {
        matches!(*self.papers(), Some(Papers::Joining { .. }))
    }

    /// Makes a cluster of this one node; of a node that belongs to a cluster already, it says who it is. Blocks for a sync.
    ///
    /// # Errors
    /// [`ShardError::Joining`], [`ShardError::ShardCount`], or the disk's.
    pub fn found(&self, shard_count: u16) -> Result<Identity, ShardError> {
        let mut papers = self.papers();
        match &*papers {
            None => *papers = Some(self.keep(Papers::found(shard_count))?),
            Some(Papers::Joining { .. }) => return Err(ShardError::Joining { path: self.folder.clone().unwrap_or_default() }),
            Some(Papers::Founding(_) | Papers::Joined(_) | Papers::Member(_)) => {}
        }
        let identity = papers.as_ref().and_then(Papers::identity).cloned().ok_or(ShardError::NoCluster)?;
        if identity.shards != shard_count {
            let path = self.folder.clone().unwrap_or_default();
            return Err(ShardError::ShardCount { path, stored: identity.shards, configured: shard_count });
        }
        Ok(identity)
    }

    /// The uuid under which this node asks to join a cluster: drawn and kept once, so that an interrupted join goes on under the same one. Blocks for a sync.
    ///
    /// # Errors
    /// The disk's.
    pub fn prepare_join(&self) -> Result<String, ShardError> {
        let mut papers = self.papers();
        if papers.is_none() {
            *papers = Some(self.keep(Papers::join())?);
        }
        papers.as_ref().map(|papers| papers.node_uuid().to_owned()).ok_or(ShardError::NoCluster)
    }

    /// The cluster has taken this node in. Again with the same words does nothing. Blocks for a sync.
    ///
    /// # Errors
    /// [`ShardError::NoCluster`] without a [`Home::prepare_join`] before, [`ShardError::OtherCluster`], or the disk's.
    pub fn joined(&self, cluster_id: &str, node_id: NodeId, shard_count: u16) -> Result<Identity, ShardError> {
        let mut papers = self.papers();
        let node_uuid = papers.as_ref().ok_or(ShardError::NoCluster)?.node_uuid().to_owned();
        let identity = Identity { cluster_id: cluster_id.to_owned(), node_uuid, node_id, shards: shard_count };
        match papers.as_ref().and_then(Papers::identity) {
            Some(known) if *known == identity => {}
            Some(known) => return Err(ShardError::OtherCluster { cluster_id: known.cluster_id.clone() }),
            None => *papers = Some(self.keep(Papers::Joined(identity.clone()))?),
        }
        Ok(identity)
    }

    /// This node has founded its cluster, and not seen yet that all groups are on the disk.
    pub(super) fn is_founding(&self) -> bool {
        matches!(*self.papers(), Some(Papers::Founding(_)))
    }

    /// All groups are on the disk: from now on a log that is gone is a loss, and never made anew. Blocks for a sync.
    pub(super) fn founded(&self) -> Result<(), ShardError> {
        let mut papers = self.papers();
        if let Some(Papers::Founding(identity)) = &*papers {
            *papers = Some(self.keep(Papers::Member(identity.clone()))?);
        }
        Ok(())
    }

    /// Opens the log; none in memory.
    pub(super) async fn open_log(&self) -> Result<Option<LogDisk>, ShardError> {
        let Some(path) = self.folder.as_ref().map(|folder| folder.join("log")) else { return Ok(None) };
        let (opening, ram) = (path.clone(), self.ram.clone());
        let opened = blocking::run(move || {
            let store: Arc<dyn LogStore> = match ram {
                None => Arc::new(Disk::open(&opening)?),
                Some(ram) => {
                    ram.open();
                    Arc::new(ram)
                }
            };
            let (committer, thread) = Committer::start(store.clone())?;
            Ok(OpenLog { disk: LogDisk { store, committer }, thread })
        });
        // The database panics over some kinds of damage.
        let gave_up = || Err(ShardError::Log { path, reason: "the database gave up reading it".to_owned() });
        let log = opened.await.unwrap_or_else(|_| gave_up())?;
        self.log_is_open()?;
        let disk = log.disk.clone();
        *self.log.lock().expect("no holder panics") = Some(log);
        Ok(Some(disk))
    }

    /// A log that is gone later is a loss, and never made anew.
    fn log_is_open(&self) -> Result<(), ShardError> {
        let mut papers = self.papers();
        if let Some(Papers::Joined(identity)) = &*papers {
            *papers = Some(self.keep(Papers::Member(identity.clone()))?);
        }
        Ok(())
    }

    /// Syncs the log and lets go of the directory. Again does nothing.
    pub(super) async fn close(&self, timeout: Duration) {
        let log = self.log.lock().expect("no holder panics").take();
        if let Some(log) = log {
            log.close(timeout).await;
        }
        self.lock.lock().expect("no holder panics").take();
    }

    fn papers(&self) -> MutexGuard<'_, Option<Papers>> {
        self.papers.lock().expect("no holder panics")
    }

    fn keep(&self, papers: Papers) -> Result<Papers, ShardError> {
        if let Some(folder) = &self.folder {
            papers.write(folder)?;
        }
        Ok(papers)
    }
}

fn open(data_dir: &Path, ram: Option<&RamDisk>) -> Result<(Option<FolderLock>, Option<Papers>), ShardError> {
    // What a simulated node that crashed has left open would lock it out.
    let lock = if ram.is_some() { None } else { Some(FolderLock::take(data_dir)?) };
    let papers = Papers::read(data_dir)?;
    let log = data_dir.join("log");
    match (&papers, ram.map_or_else(|| log.exists(), RamDisk::is_used)) {
        // A log without an identity belongs to a node that this one is not.
        (None, true) => {
            let reason = format!("it is missing, but {} exists", log.display());
            Err(ShardError::Identity { path: data_dir.join("node.json"), reason })
        }
        (Some(Papers::Member(_)), false) => Err(ShardError::LogMissing { path: log }),
        _ => Ok((lock, papers)),
    }
}

impl OpenLog {
    async fn close(self, timeout: Duration) {
        let OpenLog { disk, thread } = self;
        disk.committer.send(Request::Stop).await.ok();
        let closed = async move {
            thread.join().await;
            let store = disk.store;
            blocking::run(move || store.close()).await
        };
        if tokio::time::timeout(timeout, closed).await.is_err() {
            error!("the log did not stop in time");
        }
    }
}
