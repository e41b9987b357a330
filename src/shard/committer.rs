//! The one thread that writes the logs of all groups: it takes what waits, writes it in one batch, syncs once, and answers every group. Strictly in order:
//! a vote or an entry is never on disk before what was asked earlier.
//!
//! In the simulation, where there is one thread for everything, it is a task.
//!
//! When the disk fails once, everything fails from then on: what was written is not known any more, so the node must end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::{io, thread};

use metrics::histogram;
use openraft::storage::IOFlushed;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::error::ShardError;
use super::log::LogShared;
use super::store::{Change, Durability, LogStore, Mark, Write};
use super::types::{Entry, LogId, TypeConfig, Vote};
use crate::ledger::ids::ShardId;
use crate::telemetry::names;
use crate::{blocking, clock};

/// Requests that may wait. A group that finds the queue full waits in turn.
const QUEUE_MAX: usize = 4096;
/// Most bytes of entries in one batch.
const BATCH_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Most deletions of purged entries in one batch, so that a purge never holds up the appends.
const DELETIONS_MAX: usize = 1024;

/// What a group wants written.
pub enum Request {
    Append {
        log: Arc<LogShared>,
        entries: Vec<Entry>,
        bytes: u64,
        flushed: IOFlushed<TypeConfig>,
    },
    Vote {
        log: Arc<LogShared>,
        vote: Vote,
        done: oneshot::Sender<io::Result<()>>,
    },
    Truncate {
        log: Arc<LogShared>,
        removed: Range<u64>,
    },
    Purge {
        log: Arc<LogShared>,
        upto: LogId,
        removed: Range<u64>,
    },
    /// Purged entries that an earlier run did not delete.
    Leftover {
        shard: ShardId,
        indexes: Range<u64>,
    },
    /// The group leaves this node, and its entries are about to be truncated: nothing asks for them from now on.
    ForgetCommitted {
        shard: ShardId,
        done: oneshot::Sender<io::Result<()>>,
    },
    /// All entries are truncated: done once those that were purged are deleted too. What is left is the vote.
    ForgetPurged {
        shard: ShardId,
        done: oneshot::Sender<io::Result<()>>,
    },
    /// Everything asked before is written, then the thread ends.
    Stop,
}

/// The way to the thread.
#[derive(Clone)]
pub struct Committer {
    requests: mpsc::Sender<Request>,
}

/// The thread, to be waited for.
pub enum CommitterThread {
    Thread(JoinHandle<()>),
    Task(tokio::task::JoinHandle<()>),
}

impl Committer {
    /// Starts the thread.
    pub fn start(store: Arc<dyn LogStore>) -> Result<(Committer, CommitterThread), ShardError> {
        let (requests, receiver) = mpsc::channel(QUEUE_MAX);
        let worker = Worker { store, receiver, deletions: BTreeMap::new(), leaving: Vec::new(), failure: None };
        if clock::is_simulated() {
            return Ok((Committer { requests }, CommitterThread::Task(tokio::spawn(worker.run_as_task()))));
        }
        let thread = thread::Builder::new().name("engage-log".to_owned()).spawn(move || worker.run()).map_err(|source| ShardError::Io {
            what: "starting the log's thread",
            path: PathBuf::new(),
            source,
        })?;
        Ok((Committer { requests }, CommitterThread::Thread(thread)))
    }

    /// Hands a request over; waits while the queue is full.
    pub async fn send(&self, request: Request) -> io::Result<()> {
        self.requests.send(request).await.map_err(|_| ShardError::Stopped.into())
    }
}

impl CommitterThread {
    /// Waits for the end that a [`Request::Stop`] brings.
    pub async fn join(self) {
        let is_sound = match self {
            CommitterThread::Thread(thread) => matches!(blocking::run(|| thread.join()).await, Ok(Ok(()))),
            CommitterThread::Task(task) => task.await.is_ok(),
        };
        if !is_sound {
            error!("the log's thread panicked");
        }
    }
}

struct Worker {
    store: Arc<dyn LogStore>,
    receiver: mpsc::Receiver<Request>,
    /// Purged entries that are still on disk, by shard.
    deletions: BTreeMap<ShardId, Range<u64>>,
    /// Groups that leave this node, once their deletions are done.
    leaving: Vec<(ShardId, oneshot::Sender<io::Result<()>>)>,
    /// What the disk said when it failed.
    failure: Option<String>,
}

/// What waits for the sync of a batch.
enum Waiting {
    Append { log: Arc<LogShared>, last_index: u64, flushed: IOFlushed<TypeConfig> },
    Mark(oneshot::Sender<io::Result<()>>),
}

/// A batch that is being put together. Later changes of an entry replace earlier ones: the database orders nothing within a batch.
#[derive(Default)]
struct Batch {
    entries: BTreeMap<(ShardId, u64), Change<Entry>>,
    votes: BTreeMap<ShardId, Vote>,
    purged: BTreeMap<ShardId, Option<LogId>>,
    /// Groups whose committed mark is taken away.
    uncommitted: Vec<ShardId>,
    /// Groups that append, and the last index of theirs.
    appended: BTreeMap<ShardId, (Arc<LogShared>, u64)>,
    waiting: Vec<Waiting>,
    bytes: u64,
}

impl Worker {
    fn run(mut self) {
        let mut is_stopping = false;
        while !is_stopping {
            let mut batch = Batch::default();
            // While there is something to delete, an empty queue is no reason to sleep.
            let next = match self.deletions.is_empty() {
                true => Some(self.receiver.blocking_recv().unwrap_or(Request::Stop)),
                false => self.receiver.try_recv().ok(),
            };
            is_stopping = self.gather(&mut batch, next);
            let waiting = self.write(batch);
            self.answer_all(waiting);
        }
    }

    /// The same, where nothing may block: a write takes as long as the disk says, and is done in the middle of it.
    async fn run_as_task(mut self) {
        let mut is_stopping = false;
        while !is_stopping {
            let mut batch = Batch::default();
            let next = match self.deletions.is_empty() {
                true => Some(self.receiver.recv().await.unwrap_or(Request::Stop)),
                false => self.receiver.try_recv().ok(),
            };
            is_stopping = self.gather(&mut batch, next);
            let half = self.store.pause() / 2;
            tokio::time::sleep(half).await;
            let waiting = self.write(batch);
            tokio::time::sleep(half).await;
            self.answer_all(waiting);
        }
    }

    /// Takes what waits, beginning with `next`. Tells whether it is to stop.
    fn gather(&mut self, batch: &mut Batch, mut next: Option<Request>) -> bool {
        while let Some(request) = next {
            if matches!(request, Request::Stop) {
                return true;
            }
            self.add(batch, request);
            next = if batch.bytes < BATCH_BYTES_MAX { self.receiver.try_recv().ok() } else { None };
        }
        false
    }

    fn add(&mut self, batch: &mut Batch, request: Request) {
        match request {
            Request::Append { log, entries, bytes, flushed } => {
                let shard = log.shard();
                let last_index = entries.last().map_or(0, |last| last.log_id.index);
                batch.bytes += bytes;
                batch.entries.extend(entries.into_iter().map(|entry| ((shard, entry.log_id.index), Change::Put(entry))));
                batch.appended.insert(shard, (log.clone(), last_index));
                batch.waiting.push(Waiting::Append { log, last_index, flushed });
            }
            Request::Vote { log, vote, done } => {
                batch.votes.insert(log.shard(), vote);
                batch.waiting.push(Waiting::Mark(done));
            }
            Request::Truncate { log, removed } => {
                let removed = if mutant!(TruncationNotWritten) { 0..0 } else { removed };
                batch.entries.extend(removed.map(|index| ((log.shard(), index), Change::Delete)));
            }
            Request::Purge { log, upto, removed } => {
                batch.purged.insert(log.shard(), Some(upto));
                self.delete_later(log.shard(), removed);
            }
            Request::Leftover { shard, indexes } => self.delete_later(shard, indexes),
            Request::ForgetCommitted { shard, done } => {
                batch.uncommitted.push(shard);
                batch.waiting.push(Waiting::Mark(done));
            }
            Request::ForgetPurged { shard, done } => self.leaving.push((shard, done)),
            Request::Stop => {}
        }
    }

    fn delete_later(&mut self, shard: ShardId, indexes: Range<u64>) {
        if indexes.is_empty() {
            return;
        }
        let all = self.deletions.entry(shard).or_insert_with(|| indexes.clone());
        *all = all.start.min(indexes.start)..all.end.max(indexes.end);
    }

    fn add_deletions(&mut self, batch: &mut Batch) {
        let mut room = DELETIONS_MAX;
        while room > 0
            && let Some(mut some) = self.deletions.first_entry()
        {
            let shard = *some.key();
            let end = some.get().end.min(some.get().start + room as u64);
            for index in some.get().start..end {
                batch.entries.insert((shard, index), Change::Delete);
                room -= 1;
            }
            some.get_mut().start = end;
            if some.get().is_empty() {
                some.remove();
            }
        }
    }

    /// The groups that leave, and of which nothing is left to delete.
    fn add_leavers(&mut self, batch: &mut Batch) {
        for (shard, done) in std::mem::take(&mut self.leaving) {
            if self.deletions.contains_key(&shard) {
                self.leaving.push((shard, done));
            } else {
                batch.purged.insert(shard, None);
                batch.waiting.push(Waiting::Mark(done));
            }
        }
    }

    /// Writes a batch; gives what waited for it.
    fn write(&mut self, mut batch: Batch) -> Vec<Waiting> {
        self.add_deletions(&mut batch);
        self.add_leavers(&mut batch);
        let is_unsynced = mutant!(AppendNotSynced) && !batch.appended.is_empty() || mutant!(VoteNotSynced) && !batch.votes.is_empty();
        let durability = if batch.waiting.is_empty() || is_unsynced { Durability::Later } else { Durability::Synced };
        let mut marks: Vec<_> = batch.votes.into_iter().map(|(shard, vote)| (shard, Mark::Vote(vote))).collect();
        marks.extend(batch.purged.into_iter().map(|(shard, upto)| (shard, Mark::Purged(upto))));
        for (shard, (log, last_index)) in &batch.appended {
            marks.extend(log.take_committed(*last_index).map(|committed| (*shard, Mark::Committed(Some(committed)))));
        }
        marks.retain(|(shard, mark)| !matches!(mark, Mark::Committed(_)) || !batch.uncommitted.contains(shard));
        marks.extend(batch.uncommitted.iter().map(|shard| (*shard, Mark::Committed(None))));
        let entries = batch.entries.into_iter().map(|((shard, index), change)| (shard, index, change)).collect();
        self.store(Write { entries, marks, durability });
        batch.waiting
    }

    fn answer_all(&self, waiting: Vec<Waiting>) {
        waiting.into_iter().for_each(|waiting| self.answer(waiting));
    }

    fn store(&mut self, write: Write) {
        if self.failure.is_some() || (write.entries.is_empty() && write.marks.is_empty()) {
            return;
        }
        let started = clock::monotonic();
        if let Err(error) = self.store.write(write) {
            error!(%error, "the log can't be written; this node can't go on");
            self.failure = Some(error.to_string());
        }
        histogram!(names::LOG_SYNC_SECONDS).record(clock::monotonic().saturating_duration_since(started));
    }

    fn answer(&self, waiting: Waiting) {
        let result = match &self.failure {
            None => Ok(()),
            Some(reason) => Err(io::Error::other(reason.clone())),
        };
        match waiting {
            Waiting::Append { log, last_index, flushed } => {
                if result.is_ok() {
                    log.synced(last_index);
                }
                flushed.io_completed(result);
            }
            // The group that asked may have been stopped; then nobody needs the answer.
            Waiting::Mark(done) => drop(done.send(result)),
        }
    }
}
