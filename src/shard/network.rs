//! openraft's way to the other nodes, over [`Peers`]: a question for each message, on the lane of its urgency.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::stream_append_sequential;
use openraft::network::{Backoff, RPCOption};
use openraft::raft::StreamAppendResult;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse};
use openraft::raft::{TransferLeaderRequest, TransferLeaderResponse};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::warn;

use super::postpone::Postponed;
use super::seldom::Seldom;
use super::sending::Sending;
use super::snapshot_data::SnapshotData;
use super::snapshot_sender::SnapshotSender;
use super::types::{META_GROUP, Node, TypeConfig, Vote, group_name};
use super::wire::{self, Kind, Refusal};
use crate::ledger::ids::ShardId;
use crate::ports::peers::{Lane, NodeId, PeerError, Peers, Service};

/// A node that can't be reached is tried again after that long; asking for the link costs nothing.
const BACKOFF: Duration = Duration::from_millis(50);
/// Appends that carry entries wait that many times longer than a heartbeat: a slow disk over there is no reason to send them twice.
const PATIENCE: u32 = 4;

/// A follower's answers to appends.
type Answers<'a> = BoxStream<'a, Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>>;

/// The network of one group.
#[derive(Clone)]
pub struct Network {
    pub group: ShardId,
    pub peers: Arc<dyn Peers>,
    /// Snapshots of the group that are on their way.
    pub sending: Sending,
    pub refused: Arc<Seldom>,
}

/// The way from one group to its replica on another node.
pub struct Client {
    network: Network,
    target: NodeId,
}

/// Why there is no answer to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: u64, _node: &Node) -> Client {
        Client { network: self.clone(), target: NodeId(target) }
    }
}

impl Network {
    /// Sends a message to the group's replica on another node, and reads the answer.
    pub async fn ask<R: DeserializeOwned>(
        &self,
        (target, lane): (NodeId, Lane),
        body: bytes::Bytes,
        timeout: Duration,
    ) -> Result<R, AskError> {
        let answer = self.peers.ask(target, lane, Service::Raft, body, timeout).await?;
        let answer = wire::parse_answer(&answer);
        if matches!(answer, Err(Refusal::Version)) && self.refused.is_due() {
            warn!(
                shard = group_name(self.group),
                node = target.0,
                "the other node speaks another version of the protocol; hint: run one version"
            );
        }
        Ok(answer?)
    }
}

impl Client {
    async fn ask<R: DeserializeOwned>(&self, kind: Kind, message: &impl Serialize, timeout: Duration) -> Result<R, RPCError<TypeConfig>> {
        let body = wire::question(self.network.group, kind, message);
        Ok(self.network.ask((self.target, Lane::Raft), body, timeout).await?)
    }
}

impl From<AskError> for RPCError<TypeConfig> {
    fn from(error: AskError) -> Self {
        match error {
            // It may have been done, and to do it again does no harm.
            AskError::Peer(PeerError::NoAnswer) => RPCError::Network(NetworkError::new(&error)),
            AskError::Peer(PeerError::NotSent) | AskError::Refused(_) => RPCError::Unreachable(Unreachable::new(&error)),
        }
    }
}

impl RaftNetworkV2<TypeConfig> for Client {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let patience = if rpc.entries.is_empty() { 1 } else { PATIENCE };
        self.ask(Kind::Append, &rpc, option.hard_ttl() * patience).await
    }

    fn stream_append<'s, S>(&'s mut self, input: S, option: RPCOption) -> BoxFuture<'s, Result<Answers<'s>, RPCError<TypeConfig>>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        // What the meta group has committed is waited for everywhere.
        if self.network.group == META_GROUP {
            return stream_append_sequential(self, input, option);
        }
        stream_append_sequential(self, Postponed::new(input), option)
    }

    async fn vote(&mut self, rpc: VoteRequest<TypeConfig>, option: RPCOption) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.ask(Kind::Vote, &rpc, option.hard_ttl()).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.ask(Kind::PreVote, &rpc, option.hard_ttl()).await
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.ask(Kind::TransferLeader, &req, option.hard_ttl()).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: openraft::alias::SnapshotOf<TypeConfig, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let sender = SnapshotSender::new(self.network.clone(), self.target, option.hard_ttl());
        sender.send(vote, snapshot, cancel).await
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff::new(std::iter::repeat(BACKOFF)))
    }
}
