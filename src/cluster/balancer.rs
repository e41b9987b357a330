//! Brings replicas and leaders to where the placement wants them, a bounded step at a time. It runs on every node and works on the one that leads the meta group; it keeps
//! nothing: whoever leads next goes on from what it sees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::balancer_ops::{Group, GroupMembers, Leaders, OpError};
use super::balancer_step::{Live, Next, Wanted, next_step};
use super::directory::Directory;
use super::meta::{Member, Standing, State};
use super::meta_command::{Command, Refusal, Reply};
use super::meta_group::{MetaLog, propose};
use super::placement::{self, Nodes, Size};
use crate::clock;
use crate::ledger::ids::ShardId;
use crate::ports::members::NodeState;
use crate::ports::owners::Owners;
use crate::ports::peers::NodeId;

/// Groups that are changed at the same time.
const GROUPS_AT_ONCE: usize = 4;
/// A group is worked on for that long at a stretch; then others have a turn.
const STRETCH: Duration = Duration::from_secs(5);
/// A group is left alone for that long after a stretch: until its owner's word is fresh.
const REST: Duration = Duration::from_millis(200);
/// The same after its leader was moved, or could not be: where machines are too busy to keep a leader, to move it about makes that worse.
const REST_OF_LEADER: Duration = Duration::from_secs(3);
/// How often a learner is looked at.
const CATCH_UP_TICK: Duration = Duration::from_millis(50);
const BUSY_TICK: Duration = Duration::from_millis(250);
const IDLE_TICK: Duration = Duration::from_secs(2);
const PROPOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// See the file's head.
pub struct Balancer {
    desk: Arc<Desk>,
    working: JoinSet<(Group, Duration)>,
    /// Groups that are being worked on.
    busy: BTreeSet<Group>,
    /// Until when each group is left alone.
    rested: BTreeMap<Group, Instant>,
    /// The group that was begun last: the next ones come first.
    last: Option<Group>,
}

/// What a stretch of work needs.
struct Desk {
    directory: Arc<Directory>,
    log: Arc<dyn MetaLog>,
    leaders: Leaders,
}

impl Balancer {
    /// Nothing happens before [`Balancer::run`].
    #[must_use]
    pub fn new(directory: Arc<Directory>, log: Arc<dyn MetaLog>, leaders: Leaders) -> Balancer {
        let desk = Arc::new(Desk { directory, log, leaders });
        Balancer { desk, working: JoinSet::new(), busy: BTreeSet::new(), rested: BTreeMap::new(), last: None }
    }

    /// Works for as long as it is polled.
    pub async fn run(mut self) {
        let desk = Arc::clone(&self.desk);
        let mut state = desk.directory.meta().watch();
        let mut owners = desk.directory.changed();
        let mut leading = desk.log.leading();
        loop {
            state.mark_unchanged();
            owners.mark_unchanged();
            leading.mark_unchanged();
            let has_work = desk.leads() && self.round().await;
            let tick = if has_work { BUSY_TICK } else { IDLE_TICK };
            tokio::select! {
                Some(ended) = self.working.join_next() => self.note_end(ended.ok()),
                Ok(()) = state.changed() => {}
                Ok(()) = owners.changed() => {}
                Ok(()) = leading.changed() => {}
                () = tokio::time::sleep(tick) => {}
            }
        }
    }

    fn note_end(&mut self, ended: Option<(Group, Duration)>) {
        match ended {
            Some((group, rest)) => {
                self.busy.remove(&group);
                self.rested.insert(group, clock::monotonic() + rest);
            }
            // A stretch that panicked does not say which it was.
            None if self.working.is_empty() => self.busy.clear(),
            None => {}
        }
    }

    /// Plans, and begins what there is room for. True while there is anything to do.
    async fn round(&mut self) -> bool {
        let state = self.desk.directory.meta().state();
        if self.desk.plan(&state).await {
            return true;
        }
        let meta = self.desk.leaders.members(self.desk.directory.node(), Group::Meta).await.ok();
        let has_leaving = self.desk.take_leave(&state, meta.as_ref()).await;
        let live = self.desk.live(&state);
        let to_do: Vec<Group> = self.desk.groups(&state).filter(|group| self.desk.has_work(*group, &state, meta.as_ref(), &live)).collect();
        let now = clock::monotonic();
        let first = to_do.iter().position(|group| Some(*group) > self.last).unwrap_or(0);
        for group in to_do.iter().cycle().skip(first).take(to_do.len()).copied() {
            let is_rested = self.rested.get(&group).is_none_or(|rested| *rested <= now);
            if self.busy.len() < GROUPS_AT_ONCE && is_rested && self.busy.insert(group) {
                self.last = Some(group);
                self.working.spawn(Arc::clone(&self.desk).stretch(group));
            }
        }
        has_leaving || !to_do.is_empty()
    }
}

impl Desk {
    fn leads(&self) -> bool {
        self.log.leader() == Some(self.directory.node())
    }

    async fn propose(&self, command: Command) -> Option<Reply> {
        tokio::time::timeout(PROPOSE_TIMEOUT, propose(self.log.as_ref(), &command)).await.ok()?.ok()
    }

    /// Has the placement follow the nodes. True if it did not.
    async fn plan(&self, state: &State) -> bool {
        let Some(settings) = &state.settings else { return false };
        let nodes = Nodes::of(state);
        let size = Size { shards: settings.shards, replication: settings.replication };
        let placement = placement::place(&nodes, size, &state.placement);
        let meta_voters = placement::meta_voters(&nodes, &state.meta_voters);
        let is_same = placement == state.placement && meta_voters == state.meta_voters;
        if is_same && state.placement_revision == state.nodes_revision {
            return false;
        }
        let command = Command::SetPlacement { nodes_revision: state.nodes_revision, placement, meta_voters };
        match self.propose(command).await {
            Some(Reply::Done) => info!(nodes_revision = state.nodes_revision, "replicas are placed anew"),
            // The next round makes another one.
            Some(Reply::Refused(Refusal::Stale)) | None => {}
            Some(reply) => warn!(?reply, "the placement was refused"),
        }
        true
    }

    /// Lets nodes go that hold nothing any more. True while some still do.
    async fn take_leave(&self, state: &State, meta: Option<&GroupMembers>) -> bool {
        let leaving: Vec<NodeId> =
            state.members().filter(|(_, member)| member.standing == Standing::Leaving).map(|(node, _)| node).collect();
        for node in &leaving {
            if !state.is_placed(*node) && self.is_nowhere(*node, meta) {
                info!(node = node.0, "the node holds nothing any more and is removed");
                let _ = self.propose(Command::Gone { node: *node }).await;
            }
        }
        !leaving.is_empty()
    }

    /// Whether every group has said that a node is not in it.
    fn is_nowhere(&self, node: NodeId, meta: Option<&GroupMembers>) -> bool {
        let is_out = |members: &GroupMembers| !members.voters.contains(&node) && !members.learners.contains(&node) && !members.is_changing;
        let shards = (0..self.directory.shard_count()).map(ShardId);
        meta.is_some_and(is_out)
            && shards.into_iter().all(|shard| self.directory.members_of(shard).is_some_and(|(_, members)| is_out(&members)))
    }

    fn groups(&self, state: &State) -> impl Iterator<Item = Group> + use<> {
        let shards: Vec<Group> = state.placement.keys().map(|shard| Group::Shard(*shard)).collect();
        [Group::Meta].into_iter().chain(shards)
    }

    fn live(&self, state: &State) -> Live {
        let is_ready = |(node, member): &(NodeId, &Member)| member.standing == Standing::Ready && !self.is_going_away(*node);
        let may_lead = state.members().filter(is_ready).map(|(node, _)| node).collect();
        let names = state.members().map(|(node, member)| (node, member.name.clone())).collect();
        Live { reachable: self.directory.reachable(), may_lead, names }
    }

    /// Whether a node is about to stop, whatever the cluster wants of it: it hands its lead over, and is not to get it back.
    fn is_going_away(&self, node: NodeId) -> bool {
        if node == self.directory.node() {
            return self.directory.is_stopping();
        }
        self.directory.neighbour(node).is_some_and(|neighbour| neighbour.about.state == NodeState::Draining)
    }

    /// Whether a group is not as it should be, by the last word of its owner.
    fn has_work(&self, group: Group, state: &State, meta: Option<&GroupMembers>, live: &Live) -> bool {
        let Some(wanted) = wanted(group, state) else { return false };
        let known = match group {
            Group::Meta => meta.map(|members| (self.directory.node(), members.clone())),
            Group::Shard(shard) => self.directory.members_of(shard),
        };
        known.is_some_and(|(leader, members)| next_step(&wanted, leader, &members, live) != Next::Done)
    }

    /// Works on one group until it is as it should be, or its turn is over.
    async fn stretch(self: Arc<Self>, group: Group) -> (Group, Duration) {
        let mut rest = REST;
        let end = clock::monotonic() + STRETCH;
        while clock::monotonic() < end && self.leads() {
            match self.step(group, &mut rest).await {
                Ok(Pace::GoOn) => {}
                Ok(Pace::Wait) => tokio::time::sleep(CATCH_UP_TICK).await,
                Ok(Pace::Stop) => break,
                Err(error) => {
                    debug!(%group, %error, "a step of the balancer was not done");
                    break;
                }
            }
        }
        (group, rest)
    }

    async fn step(&self, group: Group, rest: &mut Duration) -> Result<Pace, OpError> {
        let state = self.directory.meta().state();
        let leader = match group {
            Group::Meta => self.directory.node(),
            Group::Shard(shard) => self.directory.owner_of(shard).ok_or(OpError::NotLeader)?.node,
        };
        let Some(wanted) = wanted(group, &state) else { return Ok(Pace::Stop) };
        let members = self.leaders.members(leader, group).await?;
        let step = match next_step(&wanted, leader, &members, &self.live(&state)) {
            Next::Done => return Ok(Pace::Stop),
            Next::Wait => return Ok(Pace::Wait),
            Next::Do(step) => step,
        };
        info!(%group, leader = leader.0, ?step, "balancing");
        let pace = if step.moves_leader() { Pace::Stop } else { Pace::GoOn };
        if step.moves_leader() {
            *rest = REST_OF_LEADER;
        }
        self.leaders.perform(leader, group, step).await?;
        Ok(pace)
    }
}

/// How a stretch goes on.
enum Pace {
    GoOn,
    Wait,
    Stop,
}

/// How a group should be; none for a shard that is placed nowhere yet.
fn wanted(group: Group, state: &State) -> Option<Wanted> {
    match group {
        Group::Shard(shard) => {
            let placed = state.placement.get(&shard)?;
            Some(Wanted { voters: placed.voters.clone(), learners: BTreeSet::new(), leader: placed.leader })
        }
        Group::Meta => {
            let stays = state.members().filter(|(_, member)| member.standing != Standing::Leaving).map(|(node, _)| node);
            let learners = stays.filter(|node| !state.meta_voters.contains(node)).collect();
            Some(Wanted { voters: state.meta_voters.clone(), learners, leader: None })
        }
    }
}

#[cfg(test)]
#[path = "balancer_tests.rs"]
mod tests;
