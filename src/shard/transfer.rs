//! Planned changes of a group's leader. openraft has no way back once it has begun one, so it is begun only where it will succeed; and where it does not, this node
//! gives its term up and runs for the next.

use std::time::Duration;

use openraft::Vote;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::VoteRequest;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::change_error::ChangeError;
use super::group::Group;
use super::members::Members;
use super::raft_group::RaftGroup;
use super::types::group_name;
use crate::clock;
use crate::ports::peers::NodeId;

/// A voter that is further behind is not ready to lead. What is in flight counts too.
const LAG_MAX: u64 = 64;
/// What is in flight must be applied by then, or the group has another problem than its leader.
const HOLD_TIMEOUT: Duration = Duration::from_millis(250);

impl Group {
    /// Has another voter lead, and waits until it does. Commands that come meanwhile wait, and are refused when the lead is gone: none is left unknown.
    pub async fn transfer(&self, to: NodeId) -> Result<(), ChangeError> {
        self.core.transfer(to, self.hold()).await
    }
}

impl RaftGroup {
    /// Has another voter lead, and waits until it does. `hold` waits until nothing is in flight.
    pub async fn transfer(&self, to: NodeId, hold: impl Future<Output = Option<oneshot::Sender<()>>>) -> Result<(), ChangeError> {
        let _one = self.changing.try_lock().map_err(|_| ChangeError::Busy)?;
        if to == self.me {
            return self.led_members().map(drop);
        }
        self.check_successor(&self.led_members()?, to)?;
        let held = tokio::time::timeout(HOLD_TIMEOUT, hold).await.map_err(|_| ChangeError::Busy)?;
        // Meanwhile it may have died, or a change of the members may have begun by itself.
        let members = self.led_members()?;
        self.check_successor(&members, to)?;
        let result = self.hand_over(&members, to).await;
        drop(held);
        result
    }

    /// The voters that could lead at once.
    pub fn successors(&self) -> Vec<NodeId> {
        let Ok(members) = self.led_members() else { return Vec::new() };
        let others = members.voters.iter().copied().filter(|node| *node != self.me);
        others.filter(|node| self.check_successor(&members, *node).is_ok()).collect()
    }

    fn check_successor(&self, members: &Members, to: NodeId) -> Result<(), ChangeError> {
        if !members.voters.contains(&to) {
            return Err(ChangeError::NotMember { node: to });
        }
        if members.is_joint {
            return Err(ChangeError::Busy);
        }
        let answered_max_ms = 3 * self.tuning.heartbeat_ms;
        let is_fresh = members.follower(to).and_then(|follower| follower.answered_ms_ago).is_some_and(|age_ms| age_ms <= answered_max_ms);
        if !is_fresh || !self.is_close(members, to, LAG_MAX) {
            return Err(ChangeError::Lagging { node: to });
        }
        Ok(())
    }

    async fn hand_over(&self, members: &Members, to: NodeId) -> Result<(), ChangeError> {
        let started = clock::monotonic();
        let (shard, me) = (group_name(self.id), self.me.0);
        let failed = |error: &dyn std::fmt::Display| ChangeError::Failed(error.to_string());
        self.raft.trigger().transfer_leader(to.0).await.map_err(|error| failed(&error))?;
        let timeout = Duration::from_millis(self.tuning.election_min_ms);
        let wait = self.raft.wait(Some(timeout));
        match wait.metrics(|metrics| metrics.current_leader.is_some_and(|leader| leader != me), "transfer").await {
            Ok(metrics) if metrics.current_leader == Some(to.0) => {
                let took_ms = clock::monotonic().saturating_duration_since(started).as_millis() as u64;
                info!(shard, to = to.0, took_ms, "lead handed over");
                Ok(())
            }
            Ok(metrics) => Err(ChangeError::NotTaken { to, leader: metrics.current_leader.map(NodeId) }),
            Err(_) => {
                warn!(shard, to = to.0, "the lead was not taken over; this node runs for it again");
                self.begin_anew(members.term, to).await.map_err(|error| failed(&error))?;
                Err(ChangeError::NotTaken { to, leader: None })
            }
        }
    }

    /// Gives up a term in which openraft waits for a successor, and runs for the one after the next. To vote for the successor in the next term is what ends this one;
    /// a vote is never given twice in a term, so this does no harm, whether or not it runs.
    async fn begin_anew(&self, term: u64, to: NodeId) -> Result<(), String> {
        let (is_waiting, last_log_id) = {
            let waits = self.look(|metrics| metrics.current_term == term && metrics.current_leader == Some(self.me.0));
            (waits, self.raft.data_metrics().borrow_watched().last_log)
        };
        if is_waiting {
            let request = VoteRequest { vote: Vote::new(term + 1, to.0), last_log_id, leadership_transfer: true };
            self.raft.vote(request).await.map_err(|error| error.to_string())?;
        }
        self.raft.trigger().elect(false).await.map_err(|error| error.to_string())
    }
}
