//! What a history shows of the paths that were taken.

use std::collections::{BTreeMap, BTreeSet};

use engage::history::record::{Entry, Key, Leave, Session, What, Window, is_settled};

use super::{Counts, note};

/// Counts the paths of a history.
pub fn count(entries: &[Entry], counts: &mut Counts) {
    let mut seen = Seen::new(counts);
    entries.iter().for_each(|entry| seen.look(entry));
    let outage_ms = seen.outage_us / 1_000;
    note(counts, "outage_max_ms", outage_ms);
}

struct Seen<'a> {
    counts: &'a mut Counts,
    users: BTreeMap<Session, String>,
    /// The session window that a user was last told of, and all others before it.
    windows: BTreeMap<String, (String, BTreeSet<String>)>,
    /// On which connection an ack was sent last.
    acked: BTreeMap<(Key, Option<u64>), Session>,
    dismissed: BTreeSet<Key>,
    snoozed: BTreeSet<Key>,
    offered: BTreeMap<Key, Session>,
    lost: BTreeSet<Session>,
    unanswered: BTreeSet<u64>,
    /// Since when nothing that was tried was answered.
    tried_us: Option<u64>,
    outage_us: u64,
}

impl<'a> Seen<'a> {
    fn new(counts: &'a mut Counts) -> Seen<'a> {
        Seen {
            counts,
            users: BTreeMap::new(),
            windows: BTreeMap::new(),
            acked: BTreeMap::new(),
            dismissed: BTreeSet::new(),
            snoozed: BTreeSet::new(),
            offered: BTreeMap::new(),
            lost: BTreeSet::new(),
            unanswered: BTreeSet::new(),
            tried_us: None,
            outage_us: 0,
        }
    }

    fn look(&mut self, entry: &Entry) {
        self.time(entry);
        match &entry.what {
            What::Publish(_) | What::Published { .. } | What::Refused { .. } | What::Unanswered { .. } | What::GaveUp { .. } => {
                self.publisher(&entry.what);
            }
            What::Hello { session, user, open, .. } => {
                self.users.insert(*session, user.clone());
                self.count_if(!open.is_empty(), "hello_with_open");
            }
            What::Welcome { session, window: Some(window) } => self.window(*session, window),
            What::Window { session, window } => {
                self.count("window_told");
                self.window(*session, window);
            }
            What::Offer { session, key, offer, step, .. } => {
                let before = self.offered.insert(key.clone(), *session);
                self.count_if(*offer > 1, "offered_again");
                self.count_if(*step > 1, "resumed");
                self.count_if(before.is_some_and(|before| before != *session), "offered_elsewhere");
                let was_snoozed = self.snoozed.remove(key);
                self.count_if(was_snoozed, "snooze_over");
            }
            What::Withdraw { reason, .. } => self.count(&format!("withdraw_{reason}")),
            What::Ack { session, key, step, reference, .. } => self.ack(*session, (key, *step), *reference),
            What::Confirm { key, state, yours, .. } => self.confirm(key, state, *yours),
            What::Error { code, .. } => self.count(&format!("error_{code}")),
            What::End { session, leave: Leave::Lost } | What::Ended { session, code: None } => {
                self.lost.insert(*session);
                self.count("lost_without_close");
            }
            What::Ended { code: Some(code), .. } => self.count(&format!("closed_{code}")),
            What::Outcome { outcome, reason, .. } => {
                let reason = reason.as_ref().map(|reason| format!("_{reason}")).unwrap_or_default();
                self.count(&format!("outcome_{outcome}{reason}"));
            }
            _ => {}
        }
    }

    fn publisher(&mut self, what: &What) {
        match what {
            What::Published { call, status, key, state, .. } => {
                self.count(&format!("published_{status}"));
                self.count_if(*status == 200 && self.unanswered.contains(call), "duplicate_after_unknown");
                self.count_if(*status == 200 && state.as_deref().is_some_and(is_settled), "duplicate_of_settled");
                let is_old = |key: &Key| self.windows.get(&key.user).is_some_and(|(_, old)| old.contains(&key.window));
                let is_carried = *status == 200 && key.as_ref().is_some_and(is_old);
                self.count_if(is_carried, "carry_blocked");
            }
            What::Refused { code, .. } => self.count(&format!("refused_{code}")),
            What::Unanswered { call, .. } => {
                self.unanswered.insert(*call);
                self.count("call_unanswered");
            }
            What::GaveUp { .. } => self.count("call_given_up"),
            _ => {}
        }
    }

    fn ack(&mut self, session: Session, (key, step): (&Key, Option<u64>), reference: Option<i64>) {
        let before = self.acked.insert((key.clone(), step), session);
        if step.is_none() {
            self.dismissed.insert(key.clone());
        }
        self.count_if(reference.is_none(), "ack_in_hello");
        self.count_if(reference.is_none() && before.is_some_and(|before| self.lost.contains(&before)), "ack_again_after_loss");
    }

    fn confirm(&mut self, key: &Key, state: &str, yours: bool) {
        self.count(&format!("confirm_{state}"));
        self.count_if(is_settled(state) && !yours, "confirm_of_another");
        if !is_settled(state) && self.dismissed.remove(key) {
            self.snoozed.insert(key.clone());
            self.count("snoozed");
        }
    }

    fn window(&mut self, session: Session, window: &Window) {
        let Some(user) = self.users.get(&session) else { return };
        let (current, old) = self.windows.entry(user.clone()).or_default();
        if *current != window.id {
            let before = std::mem::replace(current, window.id.clone());
            let is_first = before.is_empty();
            old.insert(before);
            self.count_if(!is_first, "window_rollover");
        }
    }

    /// Something was tried, and nothing was answered since: that is an outage, for as long as it lasts.
    fn time(&mut self, entry: &Entry) {
        match &entry.what {
            What::Publish(_) | What::Unanswered { .. } => {
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

    fn count(&mut self, name: &str) {
        note(self.counts, name, 1);
    }

    fn count_if(&mut self, has_happened: bool, name: &str) {
        note(self.counts, name, u64::from(has_happened));
    }
}
