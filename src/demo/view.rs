//! What the page is told of the nodes, the lines and the person, a few times a second. Asks the nodes; decides nothing.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;

use super::lines::Line;
use super::person::{self, USER};
use super::site::Shared;
use super::start::LEASE;
use crate::client::{Api, Cluster, UserDevice};
use crate::fleet::{ANSWER_TIMEOUT, Fleet, Process, is_ready};

/// See the file's comment.
#[derive(Debug, Serialize)]
pub(super) struct View {
    user: &'static str,
    lease_ms: u64,
    nodes: Vec<NodeView>,
    /// The node that owns the user; none while there is none, or nobody can say.
    owner: Option<String>,
    shard: Option<u32>,
    devices: Vec<DeviceView>,
    /// When the user was last forgotten, ms since the epoch.
    forgotten_at: u64,
    /// The user's connected devices, as the owner sees them; none while nobody can say.
    connected: Option<Vec<UserDevice>>,
}

#[derive(Debug, Serialize)]
struct NodeView {
    name: String,
    url: String,
    state: NodeState,
    pid: Option<u32>,
    /// Shards that it leads.
    leads: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum NodeState {
    Up,
    /// It runs, and does not serve yet.
    Starting,
    Down,
}

#[derive(Debug, Serialize)]
struct DeviceView {
    device: &'static str,
    is_cut: bool,
    lines: Vec<Line>,
}

/// Looks at everything.
pub(super) async fn look(shared: &Shared) -> View {
    let nodes = &shared.nodes;
    let states = join_all(nodes.all().map(|(process, api)| state(process, api))).await;
    let first_up = nodes.all().zip(&states).find(|(_, state)| **state == NodeState::Up).map(|((_, api), _)| api);
    let (cluster, user) = match first_up {
        Some(api) => {
            let (cluster, user) = tokio::join!(timeout(ANSWER_TIMEOUT, api.cluster()), timeout(ANSWER_TIMEOUT, api.user(USER)));
            (cluster.ok().and_then(Result::ok), user.ok().and_then(Result::ok))
        }
        None => (None, None),
    };
    // A user stays on one shard: what was said once holds while nobody can say.
    let shard = user.as_ref().map(|user| *shared.shard.get_or_init(|| user.shard)).or_else(|| shared.shard.get().copied());
    View {
        user: USER,
        lease_ms: u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX),
        nodes: views(nodes, &states, cluster.as_ref()),
        owner: cluster.as_ref().zip(shard).and_then(|(cluster, shard)| owner(nodes, cluster, shard)),
        shard,
        devices: devices(shared),
        forgotten_at: shared.forgotten_at.load(Ordering::Relaxed),
        connected: user.map(|user| user.devices),
    }
}

async fn state(process: &Process, api: &Api) -> NodeState {
    match process.runs() {
        false => NodeState::Down,
        true if is_ready(api).await => NodeState::Up,
        true => NodeState::Starting,
    }
}

/// The leader of the shard. The others may still believe in one that was killed a moment ago; the demo knows better.
fn owner(nodes: &Fleet, cluster: &Cluster, shard: u32) -> Option<String> {
    let leader = cluster.shards.iter().find(|known| known.shard == shard)?.leader.clone()?;
    nodes.named(&leader)?.runs().then_some(leader)
}

fn views(nodes: &Fleet, states: &[NodeState], cluster: Option<&Cluster>) -> Vec<NodeView> {
    let view = |(process, state): (&Process, NodeState)| {
        let settings = process.settings();
        let leads = |cluster: &Cluster| cluster.nodes.iter().find(|node| node.name == settings.name).map(|node| node.leaders);
        NodeView {
            name: settings.name.clone(),
            url: settings.url(),
            state,
            pid: process.id(),
            leads: cluster.filter(|_| state == NodeState::Up).and_then(leads),
        }
    };
    nodes.all().map(|(process, _)| process).zip(states.iter().copied()).map(view).collect()
}

fn devices(shared: &Shared) -> Vec<DeviceView> {
    let view =
        |device: &super::lines::Device| DeviceView { device: device.name, is_cut: device.wire.is_cut(), lines: device.lines.clone() };
    shared.lines.all().iter().map(view).collect()
}

/// The shard of the user, where the cluster can say it: asked once at the start.
pub(super) async fn shard(nodes: &Fleet) -> Option<u32> {
    let (_, api) = nodes.running().next()?;
    timeout(ANSWER_TIMEOUT, person::shard(api)).await.ok().flatten()
}
