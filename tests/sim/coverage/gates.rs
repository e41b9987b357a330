//! What must have happened at least once in a long run over many seeds. A gate that is missed fails the run, and is named: then the simulation has become too tame.

use super::Counts;
use crate::plan::fault::Kind;

/// Fewer seeds than this are not asked for all of it.
pub const SEEDS_MIN: usize = 50;

/// Paths, and the least number of times that they must have been seen for each 50 seeds.
pub const PATHS: &[(&str, u64)] = &[];

/// The gates that were missed, in words.
#[must_use]
pub fn missed(counts: &Counts) -> Vec<String> {
    let faults = Kind::ALL.into_iter().map(|kind| (kind.counter(), 1));
    let is_missed = |(name, least): &(&str, u64)| counts.get(*name).copied().unwrap_or(0) < *least;
    let in_words = |(name, least): (&str, u64)| format!("{name} was seen {} times, not {least}", counts.get(name).copied().unwrap_or(0));
    faults.chain(PATHS.iter().copied()).filter(is_missed).map(in_words).collect()
}
