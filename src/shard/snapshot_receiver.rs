//! Takes snapshots in that other nodes send: a few at a time, chunk by chunk, checked as a whole before openraft may install it. One that stalls is dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use openraft::Snapshot;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tracing::{info, warn};

use super::machine::blocking;
use super::seat::Seat;
use super::snapshot::{self, ReadError};
use super::snapshot_data::{SnapshotData, Spool};
use super::types::group_name;
use super::wire::{self, Refusal, SnapshotBegin, SnapshotChunk, SnapshotEnd};
use crate::ledger::ids::ShardId;
use crate::ports::peers::{Answer, NodeId};

/// Snapshots that come in at the same time; each takes the room of a shard.
const INCOMING_MAX: usize = 2;
/// One of which nothing comes for that long is dropped.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// No snapshot is larger.
const LENGTH_MAX_BYTES: u64 = 64 * 1024 * 1024 * 1024;
/// A sender waits for each answer, so this is never full.
const STEPS_MAX: usize = 2;

/// The snapshots that come in. Clones share them.
#[derive(Clone)]
pub struct SnapshotReceiver {
    places: Arc<Semaphore>,
    /// At most one of a group: the latest that was announced.
    incoming: Arc<Mutex<BTreeMap<ShardId, Incoming>>>,
}

/// The way to one that is coming in.
struct Incoming {
    id: u64,
    from: NodeId,
    steps: mpsc::Sender<Step>,
}

enum Step {
    Chunk(SnapshotChunk, Answer),
    End(Answer),
}

/// One that is coming in.
struct Transfer {
    begin: SnapshotBegin,
    group: ShardId,
    seat: Seat,
    spool: Spool,
    received_bytes: u64,
    _place: OwnedSemaphorePermit,
}

impl SnapshotReceiver {
    pub fn new() -> SnapshotReceiver {
        SnapshotReceiver { places: Arc::new(Semaphore::new(INCOMING_MAX)), incoming: Arc::default() }
    }

    /// A node announces a snapshot. An earlier one of the group is dropped.
    pub async fn begin(&self, (from, group): (NodeId, ShardId), message: &[u8], seat: Seat) -> Result<Bytes, Refusal> {
        let begin: SnapshotBegin = wire::message(message)?;
        if begin.length_bytes > LENGTH_MAX_BYTES {
            return Err(Refusal::Damaged);
        }
        self.incoming().remove(&group);
        let place = self.places.clone().try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let snapshots = seat.snapshots.clone();
        let spool = blocking(move || snapshots.spool()).await.map_err(|error| {
            warn!(shard = group_name(group), %error, "a snapshot can't be taken in");
            Refusal::Stopped
        })?;
        let (steps, receiver) = mpsc::channel(STEPS_MAX);
        let id = begin.id;
        info!(shard = group_name(group), node = from.0, bytes = begin.length_bytes, "a snapshot comes in");
        let transfer = Transfer { begin, group, seat, spool, received_bytes: 0, _place: place };
        self.incoming().insert(group, Incoming { id, from, steps });
        tokio::spawn(self.clone().receive(transfer, receiver));
        Ok(wire::answer(&()))
    }

    /// A node sends a chunk of one that it has announced.
    pub fn chunk(&self, from: (NodeId, ShardId), message: &Bytes, answer: Answer) {
        match SnapshotChunk::decode(message) {
            Ok(chunk) => self.step(from, chunk.id, answer, |answer| Step::Chunk(chunk, answer)),
            Err(refusal) => answer.send(wire::refuse(refusal)),
        }
    }

    /// A node has sent all chunks.
    pub fn end(&self, from: (NodeId, ShardId), message: &[u8], answer: Answer) {
        match wire::message(message) {
            Ok(SnapshotEnd { id }) => self.step(from, id, answer, Step::End),
            Err(refusal) => answer.send(wire::refuse(refusal)),
        }
    }

    /// A node has given up.
    pub fn abort(&self, (from, group): (NodeId, ShardId), message: &[u8]) {
        if let Ok(SnapshotEnd { id }) = wire::message(message) {
            self.forget(group, |incoming| incoming.id == id && incoming.from == from);
        }
    }

    fn step(&self, (from, group): (NodeId, ShardId), id: u64, answer: Answer, step: impl FnOnce(Answer) -> Step) {
        let steps = self.incoming().get(&group).filter(|incoming| incoming.id == id && incoming.from == from).map(|one| one.steps.clone());
        match steps.as_ref().map(mpsc::Sender::try_reserve) {
            Some(Ok(place)) => place.send(step(answer)),
            Some(Err(_)) | None => answer.send(wire::refuse(Refusal::Damaged)),
        }
    }

    async fn receive(self, transfer: Transfer, steps: mpsc::Receiver<Step>) {
        let (id, group) = (transfer.begin.id, transfer.group);
        transfer.run(steps).await;
        self.forget(group, |incoming| incoming.id == id);
    }

    fn forget(&self, group: ShardId, which: impl FnOnce(&Incoming) -> bool) {
        let mut incoming = self.incoming();
        if incoming.get(&group).is_some_and(which) {
            incoming.remove(&group);
        }
    }

    fn incoming(&self) -> MutexGuard<'_, BTreeMap<ShardId, Incoming>> {
        self.incoming.lock().expect("no holder panics")
    }
}

impl Transfer {
    async fn run(mut self, mut steps: mpsc::Receiver<Step>) {
        loop {
            match tokio::time::timeout(IDLE_TIMEOUT, steps.recv()).await {
                Ok(Some(Step::Chunk(chunk, answer))) => match self.take(chunk).await {
                    Ok(transfer) => {
                        self = transfer;
                        answer.send(wire::answer(&()));
                    }
                    Err(refusal) => return answer.send(wire::refuse(refusal)),
                },
                Ok(Some(Step::End(answer))) => {
                    return answer.send(self.install().await.unwrap_or_else(wire::refuse));
                }
                // Aborted, replaced by a later one, or stalled.
                Ok(None) | Err(_) => return info!(shard = group_name(self.group), "a snapshot did not come to its end"),
            }
        }
    }

    async fn take(mut self, chunk: SnapshotChunk) -> Result<Transfer, Refusal> {
        let after = self.received_bytes + chunk.bytes.len() as u64;
        if chunk.offset_bytes != self.received_bytes || after > self.begin.length_bytes {
            return Err(Refusal::Damaged);
        }
        let group = self.group;
        let pushed = blocking(move || {
            self.spool.push(&chunk.bytes)?;
            self.received_bytes = after;
            Ok(self)
        });
        pushed.await.map_err(|error| {
            warn!(shard = group_name(group), %error, "a snapshot can't be kept");
            Refusal::Stopped
        })
    }

    /// Nothing that is not whole reaches openraft: there, it would be the end of the group.
    async fn install(self) -> Result<Bytes, Refusal> {
        let Transfer { begin, group, seat, spool, received_bytes, _place } = self;
        if received_bytes != begin.length_bytes {
            return Err(Refusal::Damaged);
        }
        let checked = blocking(move || spool.finish()?.read_ahead(|mut input| snapshot::verify(&mut input, group))).await;
        let (data, meta): (SnapshotData, Result<_, ReadError>) = checked.map_err(|error| {
            warn!(shard = group_name(group), %error, "a snapshot can't be read again");
            Refusal::Stopped
        })?;
        if let Some(reason) =
            meta.map_or_else(|error| Some(error.to_string()), |meta| (meta != begin.meta).then(|| "it is of another entry".to_owned()))
        {
            warn!(shard = group_name(group), reason, "a snapshot that came in is damaged");
            return Err(Refusal::Damaged);
        }
        let snapshot = Snapshot { meta: begin.meta, snapshot: data };
        let installed = seat.raft.install_full_snapshot(begin.vote, snapshot).await.map_err(|_| Refusal::Stopped)?;
        Ok(wire::answer(&installed.vote))
    }
}
