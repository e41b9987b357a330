//! What each command does to the state. Pure, and the same on every node.

use super::meta::{Member, NODES_MAX, Settings, Standing, State, TOMBSTONES_MAX};
use super::meta_command::{Command, Introduction, Reach, Refusal, Reply};
use crate::ports::peers::NodeId;

impl State {
    /// Does a command. A second time changes nothing.
    pub fn apply(&mut self, command: Command) -> Reply {
        let done = match command {
            Command::Found { node, introduction, settings } => self.found(node, introduction, settings),
            Command::AddNode { introduction, settings, replaces } => self.add(introduction, &settings, replaces),
            Command::Announce { node, introduction, settings } => self.announce(node, introduction, settings),
            Command::Drain { node } => self.drain(node),
            Command::Remove { node, reach } => self.remove(node, reach),
            Command::Gone { node } => self.gone(node),
            Command::SetPlacement { nodes_revision, .. } if nodes_revision != self.nodes_revision => Err(Refusal::Stale),
            Command::SetPlacement { nodes_revision, placement, meta_voters } => {
                self.placement = placement;
                self.meta_voters = meta_voters;
                self.placement_revision = nodes_revision;
                Ok(Reply::Done)
            }
        };
        done.unwrap_or_else(Reply::Refused)
    }

    fn found(&mut self, node: NodeId, introduction: Introduction, settings: Settings) -> Result<Reply, Refusal> {
        if self.settings.is_some() {
            return Ok(Reply::Done);
        }
        self.settings = Some(settings);
        self.last_node = node.0;
        self.meta_voters = vec![node];
        self.nodes.insert(node, member(introduction, Standing::Ready));
        self.nodes_revision += 1;
        Ok(Reply::Done)
    }

    fn add(&mut self, introduction: Introduction, settings: &Settings, replaces: Option<NodeId>) -> Result<Reply, Refusal> {
        let agreed = self.settings.as_ref().ok_or(Refusal::NotFounded)?;
        if let Some((node, known)) = self.nodes.iter().find(|(_, member)| member.uuid == introduction.uuid) {
            let is_removed = known.standing == Standing::Removed || known.standing == Standing::Leaving;
            return if is_removed { Err(Refusal::Removed) } else { Ok(Reply::Added { node: *node }) };
        }
        if let Some(difference) = agreed.difference(settings) {
            return Err(difference.into());
        }
        if self.members().count() >= NODES_MAX {
            return Err(Refusal::TooManyNodes { max: NODES_MAX });
        }
        self.free_name(&introduction.name, replaces)?;
        self.last_node = if mutant!(NodeIdReused) { self.members().map(|(id, _)| id.0).max().unwrap_or(0) + 1 } else { self.last_node + 1 };
        let node = NodeId(self.last_node);
        self.nodes.insert(node, member(introduction, Standing::Joining));
        self.nodes_revision += 1;
        Ok(Reply::Added { node })
    }

    /// A node that can't be reached gives its name to the one that comes instead of it, and leaves: it has lost its disk, or had none.
    fn free_name(&mut self, name: &str, replaces: Option<NodeId>) -> Result<(), Refusal> {
        let Some((node, old)) = self.named(name) else { return Ok(()) };
        if replaces != Some(node) {
            return Err(Refusal::NameTaken { name: name.to_owned() });
        }
        // What never was up holds nothing, so there is nothing to take off it.
        match old.standing {
            Standing::Joining => self.bury(node),
            Standing::Ready | Standing::Draining | Standing::Leaving | Standing::Removed => self.set_standing(node, Standing::Leaving),
        }
        Ok(())
    }

    fn announce(&mut self, node: NodeId, introduction: Introduction, settings: Settings) -> Result<Reply, Refusal> {
        let agreed = self.settings.as_ref().ok_or(Refusal::NotFounded)?;
        if self.is_removed(node) {
            return Err(Refusal::Removed);
        }
        if let Some(difference) = agreed.fixed_difference(&settings) {
            return Err(difference.into());
        }
        let changed = agreed.difference(&settings);
        let is_taken =
            self.members().any(|(id, other)| id != node && other.name == introduction.name && other.standing != Standing::Leaving);
        let known = self.nodes.get(&node).ok_or(Refusal::Unknown { node })?;
        if known.uuid != introduction.uuid {
            return Err(Refusal::Removed);
        }
        if is_taken && known.name != introduction.name {
            return Err(Refusal::NameTaken { name: introduction.name });
        }
        let standing = match known.standing {
            Standing::Joining => Standing::Ready,
            // It was restarted: whoever drained it wanted that.
            Standing::Draining if known.run != introduction.run => Standing::Ready,
            other => other,
        };
        let announced = member(introduction, standing);
        if *known != announced || changed.is_some() {
            self.nodes.insert(node, announced);
            self.settings = Some(settings);
            self.nodes_revision += 1;
        }
        Ok(Reply::Announced { changed })
    }

    fn drain(&mut self, node: NodeId) -> Result<Reply, Refusal> {
        let (name, standing) = self.name_and_standing(node)?;
        match standing {
            Standing::Draining | Standing::Leaving | Standing::Removed => Ok(Reply::Done),
            Standing::Joining | Standing::Ready if self.may_lead_without(node) => {
                self.set_standing(node, Standing::Draining);
                Ok(Reply::Done)
            }
            Standing::Joining | Standing::Ready => Err(Refusal::LastNode { name }),
        }
    }

    fn remove(&mut self, node: NodeId, reach: Reach) -> Result<Reply, Refusal> {
        let (name, standing) = self.name_and_standing(node)?;
        match standing {
            Standing::Leaving | Standing::Removed => return Ok(Reply::Done),
            Standing::Joining => {
                self.bury(node);
                return Ok(Reply::Done);
            }
            Standing::Ready | Standing::Draining if !self.may_lead_without(node) => return Err(Refusal::LastNode { name }),
            Standing::Ready if reach == Reach::Reachable => return Err(Refusal::NotDrained { name }),
            Standing::Ready | Standing::Draining => {}
        }
        self.set_standing(node, Standing::Leaving);
        Ok(Reply::Done)
    }

    fn gone(&mut self, node: NodeId) -> Result<Reply, Refusal> {
        match self.standing(node) {
            Some(Standing::Leaving) if self.is_placed(node) => Err(Refusal::Stale),
            Some(Standing::Leaving) => {
                self.bury(node);
                Ok(Reply::Done)
            }
            Some(Standing::Removed) => Ok(Reply::Done),
            None if self.is_removed(node) => Ok(Reply::Done),
            Some(_) | None => Err(Refusal::Unknown { node }),
        }
    }

    fn name_and_standing(&self, node: NodeId) -> Result<(String, Standing), Refusal> {
        let member = self.nodes.get(&node).ok_or(Refusal::Unknown { node })?;
        Ok((member.name.clone(), member.standing))
    }

    fn may_lead_without(&self, node: NodeId) -> bool {
        self.members().any(|(id, member)| id != node && member.standing == Standing::Ready)
    }

    fn set_standing(&mut self, node: NodeId, standing: Standing) {
        let member = self.nodes.get_mut(&node).expect("the caller has looked it up");
        if member.standing != standing {
            member.standing = standing;
            self.nodes_revision += 1;
        }
    }

    /// Keeps of a node what tells that it was one.
    fn bury(&mut self, node: NodeId) {
        let member = self.nodes.get_mut(&node).expect("the caller has looked it up");
        member.standing = Standing::Removed;
        member.http.clear();
        member.cluster.clear();
        self.nodes_revision += 1;
        let removed = |(id, member): (&NodeId, &Member)| (member.standing == Standing::Removed).then_some(*id);
        if self.nodes.iter().filter_map(removed).count() > TOMBSTONES_MAX {
            let oldest = self.nodes.iter().find_map(removed).expect("there are many");
            self.nodes.remove(&oldest);
        }
    }
}

fn member(introduction: Introduction, standing: Standing) -> Member {
    let Introduction { uuid, name, http, cluster, run } = introduction;
    Member { uuid, name, http, cluster, run, standing }
}

impl Reply {
    /// The reply, or why it was refused.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn accepted(self) -> Result<Reply, Refusal> {
        match self {
            Reply::Refused(refusal) => Err(refusal),
            reply => Ok(reply),
        }
    }
}

#[cfg(test)]
#[path = "meta_tests.rs"]
mod tests;
