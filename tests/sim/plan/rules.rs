//! What a schedule of faults keeps to, so that whatever a run breaks is ours to mend and not lost by right.
//!
//! # Why there are rules
//!
//! The contract promises that nothing accepted is lost while a majority of a shard's replicas is left *for good*. Anything may be gone for a while: all nodes may
//! crash at once, all links may be cut, and nothing is promised then but safety. But a disk that is gone doesn't come back, so
//!
//! 1. **at most one disk is lost at a time**: between two faults that destroy one ([`destroys`]) lie at least [`REPAIR_MS`], and in that time a stretch of [`CALM_MS`]
//!    without any fault that could hold the repair up; there are at most [`DESTROYED_MAX`] in a run;
//! 2. **the rest is a majority for good**: a disk is lost only where at least three nodes have been members for [`GROWN_MS`], a node is removed only where there are four;
//! 3. a fault names places that are open and not empty, from its begin to its end, and two different ones where it names two;
//! 4. faults that start and stop a node ([`holds`]) don't overlap in one place; all others overlap as they like;
//! 5. a fault begins after [`FIRST_MS`], and all of them have ended when the safety phase ends;
//! 6. lengths and jumps are within their bounds.
//!
//! Time alone proves no repair: how fast it is depends on the other faults. So the world looks before it makes a fault that destroys, and leaves it out (and counts it)
//! while a shard has not three voters that answer.

use super::Plan;
use super::cluster::{ClusterPlan, Storage};
use super::fault::{Fault, Kind, Place, Timed};

pub const DESTROYED_MAX: usize = 2;
pub const REPAIR_MS: u64 = 16_000;
pub const CALM_MS: u64 = 6_000;
pub const GROWN_MS: u64 = 8_000;
pub const FIRST_MS: u64 = 500;
pub const LENGTH_MAX_MS: u64 = 12_000;
pub const ROLLING_MAX_MS: u64 = 25_000;
pub const JUMP_MAX_MS: u64 = 3_600_000;
pub const FAULTS_MAX: usize = 40;

/// Checks all rules; the first that is broken, in words.
pub fn hold(plan: &Plan) -> Result<(), String> {
    hold_for(&plan.cluster, plan.safety_ms, &plan.faults)
}

/// The same for a schedule. It must be in the order of time.
pub fn hold_for(cluster: &ClusterPlan, safety_ms: u64, faults: &[Timed]) -> Result<(), String> {
    if faults.len() > FAULTS_MAX || !faults.is_sorted_by_key(|timed| timed.at_ms) {
        return Err(format!("{} faults, or not in the order of time", faults.len()));
    }
    for (index, timed) in faults.iter().enumerate() {
        let broken = |broken: String| format!("{timed:?}: {broken}");
        within_bounds(timed, safety_ms).map_err(broken)?;
        names_places(cluster, faults, timed).map_err(broken)?;
        is_alone(&faults[..index], timed).map_err(broken)?;
        is_affordable(cluster, faults, index).map_err(broken)?;
    }
    Ok(())
}

/// Whether a disk is lost for good by it, or a replica.
#[must_use]
pub fn destroys(cluster: &ClusterPlan, fault: &Fault) -> bool {
    let in_memory = |place: Place| cluster.nodes.get(place).is_some_and(|node| node.storage == Storage::Memory);
    match fault {
        Fault::Wipe { .. } | Fault::Remove { .. } => true,
        // Who comes back from a crash, or is started again, without a disk is a new node.
        Fault::Crash { node, .. } | Fault::Drain { node, .. } => in_memory(*node),
        Fault::CrashAll { .. } | Fault::Rolling { .. } => cluster.nodes.iter().any(|node| node.storage == Storage::Memory),
        _ => false,
    }
}

/// Whether it starts and stops nodes, and thus stands in the way of others that do, in these places; `None` in all.
#[must_use]
pub fn holds(fault: &Fault) -> Option<Option<Place>> {
    match fault {
        Fault::Crash { node, .. } | Fault::Pause { node, .. } | Fault::Drain { node, .. } | Fault::Wipe { node, .. } => Some(Some(*node)),
        Fault::Remove { node } => Some(Some(*node)),
        Fault::CrashAll { .. } | Fault::Rolling { .. } => Some(None),
        _ => None,
    }
}

/// The places that are open and not empty from one moment to another.
#[must_use]
pub fn places(cluster: &ClusterPlan, faults: &[Timed], from_ms: u64, to_ms: u64) -> Vec<Place> {
    let joined = faults.iter().filter(|timed| timed.fault == Fault::Join && timed.at_ms < from_ms).count();
    let is_removed = |place: Place| faults.iter().any(|timed| timed.fault == Fault::Remove { node: place } && timed.at_ms <= to_ms);
    (0..cluster.nodes.len() + joined).filter(|place| !is_removed(*place)).collect()
}

fn within_bounds(timed: &Timed, safety_ms: u64) -> Result<(), String> {
    let longest = if timed.fault.kind() == Kind::Rolling { ROLLING_MAX_MS } else { LENGTH_MAX_MS };
    let jumps_too_far = matches!(timed.fault, Fault::ClockJump { by_ms, .. } if by_ms.unsigned_abs() > JUMP_MAX_MS);
    let is_bounded = timed.at_ms >= FIRST_MS && timed.ends_ms() <= safety_ms && timed.fault.length_ms() <= longest && !jumps_too_far;
    if is_bounded { Ok(()) } else { Err("it begins too early, ends too late, or goes too far".to_owned()) }
}

fn names_places(cluster: &ClusterPlan, faults: &[Timed], timed: &Timed) -> Result<(), String> {
    let named = timed.fault.places();
    // A place may be emptied, once, and not in the middle of another fault.
    let others: Vec<Timed> = faults.iter().filter(|other| !std::ptr::eq(*other, timed)).cloned().collect();
    let open = places(cluster, &others, timed.at_ms, timed.ends_ms());
    let mut different = named.clone();
    different.sort_unstable();
    different.dedup();
    if different.len() != named.len() || named.iter().any(|place| !open.contains(place)) {
        return Err(format!("it names {named:?} of {open:?}"));
    }
    let needs = match timed.fault.kind() {
        Kind::Cut | Kind::CutBoth | Kind::BreakLink | Kind::Isolate => 2,
        Kind::Split | Kind::Partial => 3,
        _ => 1,
    };
    if open.len() < needs { Err(format!("it takes {needs} nodes")) } else { Ok(()) }
}

/// Nothing before it holds a node that it holds.
fn is_alone(before: &[Timed], timed: &Timed) -> Result<(), String> {
    let Some(held) = holds(&timed.fault) else { return Ok(()) };
    let stands_in_the_way = |other: &&Timed| {
        // A node that starts again needs a moment before it can be stopped again.
        let overlaps = other.ends_ms() + 100 > timed.at_ms;
        overlaps && holds(&other.fault).is_some_and(|other| other.is_none() || held.is_none() || other == held)
    };
    match before.iter().find(stands_in_the_way) {
        Some(other) => Err(format!("{other:?} holds the node")),
        None => Ok(()),
    }
}

/// Rules 1 and 2.
fn is_affordable(cluster: &ClusterPlan, faults: &[Timed], index: usize) -> Result<(), String> {
    let timed = &faults[index];
    if !destroys(cluster, &timed.fault) {
        return Ok(());
    }
    let earlier: Vec<&Timed> = faults[..index].iter().filter(|timed| destroys(cluster, &timed.fault)).collect();
    if earlier.len() >= DESTROYED_MAX {
        return Err("too many disks are lost".to_owned());
    }
    let grown = members(cluster, &faults[..index], timed.at_ms);
    let needs = if timed.fault.kind() == Kind::Remove { 4 } else { 3 };
    if grown < needs {
        return Err(format!("{grown} nodes are too few"));
    }
    match earlier.last() {
        Some(last) if last.ends_ms() + REPAIR_MS > timed.at_ms => Err(format!("too soon after {last:?}")),
        Some(last) if !has_calm(faults, last.ends_ms(), timed.at_ms) => Err(format!("no calm after {last:?}")),
        _ => Ok(()),
    }
}

/// How many nodes have been members for a while.
fn members(cluster: &ClusterPlan, before: &[Timed], at_ms: u64) -> usize {
    let joined = before.iter().filter(|timed| timed.fault == Fault::Join && timed.at_ms + GROWN_MS <= at_ms).count();
    let removed = before.iter().filter(|timed| timed.fault.kind() == Kind::Remove).count();
    (cluster.nodes.len() + joined).saturating_sub(removed)
}

/// Whether there is a stretch without faults that hold a repair up.
fn has_calm(faults: &[Timed], from_ms: u64, to_ms: u64) -> bool {
    let hinders = |timed: &&Timed| !matches!(timed.fault.kind(), Kind::Join | Kind::DropClients | Kind::ClockJump | Kind::BreakLink);
    let mut calm_since = from_ms;
    for timed in faults.iter().filter(hinders) {
        if timed.ends_ms() <= calm_since || timed.at_ms >= to_ms {
            continue;
        }
        if timed.at_ms >= calm_since + CALM_MS {
            return true;
        }
        calm_since = timed.ends_ms();
    }
    to_ms >= calm_since + CALM_MS
}
