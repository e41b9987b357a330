//! Takes openraft's messages from other nodes to their groups, and answers. Called on a link's own task, so each runs on the Raft runtime; too many at a time are
//! dropped, which their senders take for a lost message.

use std::sync::Arc;

use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tracing::warn;

use super::groups::Groups;
use super::left::Left;
use super::seat::Seat;
use super::seldom::Seldom;
use super::snapshot_receiver::SnapshotReceiver;
use super::types::TypeConfig;
use super::wire::{self, Kind, Refusal};
use crate::ledger::ids::ShardId;
use crate::ports::peers::{Answer, NodeId, Serve};

/// Messages under way at a time, for each group: a heartbeat, an append and a vote of several nodes.
const MESSAGES_PER_GROUP: usize = 32;

/// The service [`crate::ports::peers::Service::Raft`].
pub struct RaftService(Arc<Inner>);

struct Inner {
    groups: Arc<Groups>,
    runtime: Handle,
    places: Arc<Semaphore>,
    snapshots: SnapshotReceiver,
    is_full: Seldom,
    unread: Seldom,
}

impl RaftService {
    pub fn new(groups: Arc<Groups>, runtime: Handle) -> RaftService {
        let places = Arc::new(Semaphore::new(MESSAGES_PER_GROUP * groups.count()));
        let (is_full, unread) = (Seldom::default(), Seldom::default());
        RaftService(Arc::new(Inner { groups, runtime, places, snapshots: SnapshotReceiver::new(), is_full, unread }))
    }
}

impl Serve for RaftService {
    fn told(&self, from: NodeId, body: Bytes) {
        if let Ok((group, Kind::SnapshotAbort, message)) = wire::parse(&body) {
            self.0.snapshots.abort((from, group), &message);
        }
    }

    fn asked(&self, from: NodeId, body: Bytes, answer: Answer) {
        let inner = &self.0;
        let Ok(place) = inner.places.clone().try_acquire_owned() else {
            if inner.is_full.is_due() {
                warn!(node = from.0, "more messages between replicas than can be taken are dropped");
            }
            return;
        };
        let serving = inner.clone();
        inner.runtime.spawn(async move {
            serving.serve(from, &body, answer).await;
            drop(place);
        });
    }
}

impl Inner {
    async fn serve(&self, from: NodeId, body: &Bytes, answer: Answer) {
        let (group, kind, message) = match wire::parse(body) {
            Ok(parsed) => parsed,
            Err(refusal) => return self.refuse(from, refusal, answer),
        };
        // These wait for the disk, so they are answered by others.
        match kind {
            Kind::SnapshotChunk => return self.snapshots.chunk((from, group), &message, answer),
            Kind::SnapshotEnd => return self.snapshots.end((from, group), &message, answer),
            _ => {}
        }
        match self.answer((from, group), kind, &message).await {
            Ok(body) => answer.send(body),
            Err(refusal) => self.refuse(from, refusal, answer),
        }
    }

    fn refuse(&self, from: NodeId, refusal: Refusal, answer: Answer) {
        if matches!(refusal, Refusal::Version | Refusal::Unreadable) && self.unread.is_due() {
            warn!(node = from.0, %refusal, "a message between replicas is refused; hint: run one version on all nodes");
        }
        answer.send(wire::refuse(refusal));
    }

    async fn answer(&self, (from, group): (NodeId, ShardId), kind: Kind, message: &[u8]) -> Result<Bytes, Refusal> {
        let seat = self.groups.seat(group).ok_or(Refusal::NoGroup)?;
        let Seat { raft, left, .. } = &seat;
        match kind {
            Kind::Append => {
                let request: AppendEntriesRequest<TypeConfig> = wire::message(message)?;
                finish(raft.append_entries(request).await)
            }
            Kind::Vote => {
                let request: VoteRequest<TypeConfig> = wire::message(message)?;
                may_be_voted_for(&request, left)?;
                finish(raft.vote(request).await)
            }
            Kind::PreVote => {
                let request: VoteRequest<TypeConfig> = wire::message(message)?;
                may_be_voted_for(&request, left)?;
                finish(raft.pre_vote(request).await)
            }
            Kind::TransferLeader => {
                let request: TransferLeaderRequest<TypeConfig> = wire::message(message)?;
                finish(raft.handle_transfer_leader(request).await)
            }
            Kind::SnapshotBegin => self.snapshots.begin((from, group), message, seat).await,
            Kind::SnapshotChunk | Kind::SnapshotEnd | Kind::SnapshotAbort => Err(Refusal::Unreadable),
        }
    }
}

/// Refuses a candidate that has less than the group had when this node left it: an empty log is no measure of who has all.
fn may_be_voted_for(request: &VoteRequest<TypeConfig>, left: &Left) -> Result<(), Refusal> {
    let has_all = left.far().is_none_or(|far| far.is_reached_by(request.last_log_id));
    if has_all { Ok(()) } else { Err(Refusal::NoGroup) }
}

/// A group that fails says why by itself.
fn finish<T: Serialize, E>(result: Result<T, E>) -> Result<Bytes, Refusal> {
    result.map(|value| wire::answer(&value)).map_err(|_| Refusal::Stopped)
}

#[test]
fn who_has_less_than_there_was_when_the_node_left_gets_no_vote() {
    use super::left::Far;
    use super::types::{CommittedLeader, LogId};
    let id = |(term, index)| LogId::new(CommittedLeader::new(term), index);
    let may = |left: Option<u64>, last: Option<(u64, u64)>| {
        let far = left.map(|index| Far { index, held: Some(id((3, 30))) });
        let vote = openraft::alias::VoteOf::<TypeConfig>::new(9, 1);
        let request = VoteRequest { vote, last_log_id: last.map(id), leadership_transfer: false };
        may_be_voted_for(&request, &Left::in_memory(far)).is_ok()
    };
    assert!(may(None, None) && may(Some(41), Some((3, 41))) && may(Some(41), Some((4, 41))));
    assert!(!may(Some(41), None) && !may(Some(41), Some((3, 40))));
    assert!(!may(Some(41), Some((2, 90))), "a long log of an older term, that nobody else had");
}
