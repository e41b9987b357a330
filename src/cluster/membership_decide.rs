//! What the leader of the meta group decides about a request: it adds what only the world outside knows, which is who answers and which shard has a majority, and proposes
//! the command.

use super::balancer_ops::GroupMembers;
use super::directory::Directory;
use super::membership_wire::{Decision, JoinRequest, NotDecided, Request};
use super::meta::{Standing, State};
use super::meta_command::{Command, Reach, Reply};
use super::meta_group::{MetaLog, propose};
use crate::ledger::ids::ShardId;
use crate::ports::peers::NodeId;

/// Decides, where this node leads the meta group.
pub(super) async fn decide(directory: &Directory, log: &dyn MetaLog, request: Request) -> Decision {
    let state = directory.meta().state();
    let command = match request {
        Request::Found { node, introduction, settings } => Command::Found { node, introduction, settings },
        Request::Announce { node, introduction, settings } => Command::Announce { node, introduction, settings },
        Request::Join(JoinRequest { introduction, settings }) => {
            let namesake = state.named(&introduction.name).map(|(node, _)| node);
            Command::AddNode { introduction, settings, replaces: namesake.filter(|node| !directory.is_reachable(*node)) }
        }
        Request::Drain { name } => Command::Drain { node: named(&state, &name)? },
        Request::Remove { name } => {
            let Ok(node) = named(&state, &name) else { return was_removed(&state, &name) };
            let reach = if directory.is_reachable(node) { Reach::Reachable } else { Reach::Unreachable };
            // One that is to be drained first is told so.
            let is_going = reach == Reach::Unreachable || state.standing(node) == Some(Standing::Draining);
            if is_going
                && !mutant!(RemovalRisksMajority)
                && let Some(shard) = loses_majority(directory, &state, node)
            {
                return Err(NotDecided::WouldLoseMajority { shard });
            }
            Command::Remove { node, reach }
        }
    };
    propose(log, &command).await.map_err(|_| NotDecided::Unavailable)
}

fn named(state: &State, name: &str) -> Result<NodeId, NotDecided> {
    state.named(name).map(|(node, _)| node).ok_or(NotDecided::UnknownName)
}

fn was_removed(state: &State, name: &str) -> Decision {
    let is_removed = state.nodes.values().any(|member| member.name == name && member.standing == Standing::Removed);
    if is_removed { Ok(Reply::Done) } else { Err(NotDecided::UnknownName) }
}

/// The first shard that could not do without a node.
fn loses_majority(directory: &Directory, state: &State, node: NodeId) -> Option<ShardId> {
    let fits = |(id, member): &(NodeId, &super::meta::Member)| member.standing == Standing::Ready && directory.is_reachable(*id);
    let spare: Vec<NodeId> = state.members().filter(fits).map(|(id, _)| id).collect();
    let held = state.placement.iter().filter(|(_, placed)| placed.voters.contains(&node)).map(|(shard, _)| *shard);
    held.into_iter().find(|shard| match directory.members_of(*shard) {
        Some((_, members)) => !does_without(directory, &members, node, &spare),
        None => true,
    })
}

/// Whether a group has a live majority without a node, and with one of the spare ones if it has not got them all.
fn does_without(directory: &Directory, members: &GroupMembers, node: NodeId, spare: &[NodeId]) -> bool {
    let rest: Vec<NodeId> = members.voters.iter().copied().filter(|voter| *voter != node).collect();
    let has_replacement = spare.iter().any(|spare| *spare != node && !rest.contains(spare));
    let (all, live) = (rest.len(), rest.iter().filter(|voter| directory.is_reachable(**voter)).count());
    let more = usize::from(has_replacement);
    (live + more) * 2 > all + more
}
