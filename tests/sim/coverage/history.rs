//! What a history shows of the paths that were taken.

use std::collections::{BTreeMap, BTreeSet};

use engage::history::record::{Entry, Key, Leave, Session, What, is_settled};

use super::{Counts, note};

/// Counts the paths of a history.
pub fn count(entries: &[Entry], counts: &mut Counts) {
    let mut seen = Seen::default();
    for entry in entries {
        seen.look(entry, counts);
    }
    note(counts, "outage_max_ms", seen.outage_us / 1_000);
}

#[derive(Default)]
struct Seen {
    /// What was acked, and on which connection it was last.
    acked: BTreeMap<(Key, Option<u64>), Session>,
    lost: BTreeSet<Session>,
    unanswered: BTreeSet<u64>,
    holders: BTreeMap<Key, Session>,
    /// When something was last answered, and when something was first tried since.
    tried_us: Option<u64>,
    outage_us: u64,
}

impl Seen {
    fn look(&mut self, entry: &Entry, counts: &mut Counts) {
        self.time(entry);
        let mut count = |name: &str| note(counts, name, 1);
        match &entry.what {
            What::Published { call, status, state, .. } => {
                count(&format!("published_{status}"));
                if *status == 200 && self.unanswered.contains(call) {
                    count("duplicate_after_unknown");
                }
                if *status == 200 && state.as_deref().is_some_and(is_settled) {
                    count("duplicate_of_settled");
                }
            }
            What::Unanswered { call, .. } => {
                self.unanswered.insert(*call);
                count("call_unanswered");
            }
            What::GaveUp { .. } => count("call_given_up"),
            What::TakenBack { .. } => count("taken_back"),
            What::Hello { open, .. } if !open.is_empty() => count("hello_with_open"),
            What::Offer { session, key, offer, step, .. } => {
                let before = self.holders.insert(key.clone(), *session);
                [
                    (*offer > 1, "offered_again"),
                    (*step > 1, "resumed"),
                    (before.is_some_and(|other| other != *session), "offered_elsewhere"),
                ]
                .into_iter()
                .filter(|(has_happened, _)| *has_happened)
                .for_each(|(_, name)| count(name));
            }
            What::Withdraw { reason, .. } => count(&format!("withdraw_{reason}")),
            What::Ack { session, key, step, reference, .. } => {
                let before = self.acked.insert((key.clone(), *step), *session);
                if reference.is_none() {
                    count("ack_in_hello");
                }
                if reference.is_none() && before.is_some_and(|before| self.lost.contains(&before)) {
                    count("ack_again_after_loss");
                }
            }
            What::Confirm { state, yours, .. } => {
                count(&format!("confirm_{state}"));
                if is_settled(state) && !yours {
                    count("confirm_of_another");
                }
            }
            What::Error { code, .. } => count(&format!("error_{code}")),
            What::End { session, leave: Leave::Lost } | What::Ended { session, code: None } => {
                self.lost.insert(*session);
                count("lost_without_close");
            }
            What::Ended { code: Some(code), .. } => count(&format!("closed_{code}")),
            What::Outcome { outcome, .. } => count(&format!("outcome_{outcome}")),
            _ => {}
        }
    }

    /// Something was tried, and nothing was answered since: that is an outage, for as long as it lasts.
    fn time(&mut self, entry: &Entry) {
        match &entry.what {
            What::Publish { .. } | What::Unanswered { .. } => {
                let since = *self.tried_us.get_or_insert(entry.t);
                self.outage_us = self.outage_us.max(entry.t - since);
            }
            What::Published { .. } => {
                if let Some(since) = self.tried_us.take() {
                    self.outage_us = self.outage_us.max(entry.t - since);
                }
            }
            _ => {}
        }
    }
}
