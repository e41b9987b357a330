//! A node that has emptied its replica still knows how far it went: it gives its vote to nobody who lacks what it helped to commit.

use std::path::Path;
use std::time::Duration;

use openraft::raft::{VoteRequest, VoteResponse};

use super::cluster::*;
use super::net::Port;
use super::support::*;
use crate::ledger::ids::ShardId;
use crate::ports::peers::{Lane, NodeId, Peers, Service};
use crate::shard::types::{CommittedLeader, LogId, TypeConfig, Vote};
use crate::shard::wipe::Leave;
use crate::shard::wire::{self, Kind};

const SHARD: ShardId = ShardId(0);
const EMPTIED: NodeId = NodeId(2);
const BEHIND: NodeId = NodeId(3);

/// How far a node's log goes.
fn last(cluster: &Cluster, node: NodeId) -> Option<LogId> {
    cluster.node(node.0).group(SHARD).core.log.last()
}

/// Node 3 stands for election with a log that ends there.
async fn is_elected(cluster: &Cluster, kind: Kind, last: Option<LogId>) -> bool {
    let vote = Vote::new(cluster.node(1).shards.newest_term(SHARD) + 100, BEHIND.0);
    let port = Port { net: cluster.net.clone(), me: BEHIND };
    let request = wire::question(SHARD, kind, &VoteRequest::<TypeConfig>::new(vote, last));
    let answer = port.ask(EMPTIED, Lane::Raft, Service::Raft, request, Duration::from_secs(5)).await.unwrap();
    wire::parse_answer::<VoteResponse<TypeConfig>>(&answer).is_ok_and(|response| response.vote_granted)
}

/// Node 3 hears nothing while the others put node 4 in the place of nodes 2 and 3, commit more, and node 2 empties its replica. Where node 3's log ends, and that of
/// node 1.
async fn go_on_without_two(cluster: &Cluster) -> (Option<LogId>, Option<LogId>) {
    let name = user_of(&cluster.node(1).shards, SHARD);
    cluster.settle(SHARD).await;
    let behind = last(cluster, BEHIND);
    cluster.net.cut_off(BEHIND);
    cluster.propose(publish(&name, "committed without node 3")).await;
    let leader = cluster.owner(SHARD).await.id;
    assert_ne!(leader, BEHIND);
    if leader == EMPTIED {
        cluster.change("node 1 leads", SHARD, async |leader| leader.shards.transfer(SHARD, NodeId(1)).await).await;
    }
    cluster.change("1 and 4 are left", SHARD, async |leader| leader.shards.set_voters(SHARD, &[NodeId(1), NodeId(4)]).await).await;
    let held = last(cluster, EMPTIED);
    assert!(held > behind, "node 2 has nothing that node 3 lacks: the test shows nothing");
    let owner_index = cluster.node(1).group(SHARD).core.machine.applied_index();
    eventually("node 2 is empty", async || {
        let shards = &cluster.node(EMPTIED.0).shards;
        match shards.last_change(SHARD) {
            Some(last_change) => shards.wipe(SHARD, Leave { last_change, owner_index }).await.is_ok(),
            None => true,
        }
    })
    .await;
    cluster.net.heal();
    (behind, last(cluster, NodeId(1)))
}

async fn at_start(folder: Option<&Path>) -> Cluster {
    let cluster = Cluster::start(4, folder, |_| ()).await;
    cluster.widen(SHARD).await;
    cluster
        .change("three vote", SHARD, async |leader| {
            leader.shards.set_voters(SHARD, &[NodeId(1), EMPTIED, BEHIND]).await?;
            leader.shards.add_learner(SHARD, NodeId(4), "n4").await
        })
        .await;
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_replica_voted_for_one_that_lacked_what_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    for data_dir in [None, Some(folder.path())] {
        let mut cluster = at_start(data_dir).await;
        let (behind, all) = go_on_without_two(&cluster).await;
        for restart in [false, true] {
            if restart && data_dir.is_none() {
                continue;
            }
            if restart {
                cluster.restart(EMPTIED).await;
            }
            // Whoever has as much gets its vote, once the lease of its last leader is over: what is refused then is refused for the log alone.
            eventually("the lease is over", async || is_elected(&cluster, Kind::PreVote, all).await).await;
            assert!(!is_elected(&cluster, Kind::PreVote, behind).await, "restarted: {restart}");
            assert!(!is_elected(&cluster, Kind::Vote, behind).await, "restarted: {restart}");
            assert!(!is_elected(&cluster, Kind::Vote, None).await, "restarted: {restart}");
            let in_vain = LogId::new(CommittedLeader::new(0), all.unwrap().index + 100);
            assert!(!is_elected(&cluster, Kind::Vote, Some(in_vain)).await, "a longer log of an older term");
        }
        cluster.stop().await;
    }
}
