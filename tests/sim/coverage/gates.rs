//! What must have happened at least once in a long run over many seeds. A gate that is missed fails the run, and is named: then the simulation has become too tame.

use super::Counts;
use crate::plan::fault::Kind;

/// Fewer seeds than this are not asked for all of it.
pub const SEEDS_MIN: usize = 50;

/// Panics on any thread, also those that a task's handle keeps.
pub const PANICS: &str = "panics";

/// Paths, and the least number of times that they must have been seen in so many seeds.
pub const PATHS: &[(&str, u64)] = &[
    // Owners change, and old ones don't know it yet.
    ("failover", 20),
    ("stale_owner", 1),
    ("leader_transferred", 1),
    ("log_truncated", 1),
    // Clients live through it.
    ("session_attaches_again", 20),
    ("leases_run_out", 1),
    ("withdraw_moved", 20),
    ("withdraw_done_elsewhere", 20),
    ("withdraw_expired", 5),
    ("withdraw_withdrawn", 5),
    ("hello_with_open", 20),
    ("ack_in_hello", 20),
    ("ack_again_after_loss", 5),
    ("reinstalled", 5),
    ("overlapped", 5),
    ("resumed", 20),
    ("offered_elsewhere", 20),
    ("confirm_of_another", 5),
    ("error_unavailable", 1),
    ("closed_1012", 1),
    ("closed_4409", 1),
    // Publishers meet what may happen to them.
    ("duplicate_after_unknown", 1),
    ("duplicate_of_settled", 5),
    ("carry_blocked", 1),
    ("published_409", 1),
    ("buffer_full", 1),
    ("call_unanswered", 5),
    ("proposals_unknown", 1),
    ("proposals_unavailable", 1),
    // Deliveries end in every way.
    ("window_rollover", 20),
    ("outcome_completed", 100),
    ("outcome_dismissed", 20),
    ("outcome_withdrawn_publisher", 5),
    ("outcome_expired_window_closed", 5),
    ("outcome_expired_ttl", 5),
    ("outcome_expired_max_offers", 1),
    ("outcome_dropped_buffer_full", 1),
    ("snoozed", 5),
    ("snooze_over", 1),
    // Replicas come and go.
    ("snapshots_installed", 1),
    ("learner_added", 1),
    ("voters_changed", 1),
    ("replica_removed", 1),
    ("node_joined", 1),
    ("node_removed", 1),
    ("node_drained", 1),
    // The world's own.
    ("unsynced_lost", 5),
    ("clock_jump_of_an_owner", 1),
];

/// The gates that were missed, in words.
#[must_use]
pub fn missed(counts: &Counts) -> Vec<String> {
    let faults = Kind::ALL.into_iter().map(|kind| (kind.counter(), 1));
    let is_missed = |(name, least): &(&str, u64)| counts.get(*name).copied().unwrap_or(0) < *least;
    let in_words = |(name, least): (&str, u64)| format!("{name} was seen {} times, not {least}", counts.get(name).copied().unwrap_or(0));
    faults.chain(PATHS.iter().copied()).filter(is_missed).map(in_words).collect()
}

/// What the product counts that must never happen, where it happened.
#[must_use]
pub fn broken(counts: &Counts) -> Vec<String> {
    let must_not = [("redelivery_after_ack", "a node offered what it had confirmed as settled"), (PANICS, "a part of the run panicked")];
    let has_happened = |(name, _): &(&str, &str)| counts.get(*name).is_some_and(|count| *count > 0);
    must_not.into_iter().filter(has_happened).map(|(_, text)| text.to_owned()).collect()
}
