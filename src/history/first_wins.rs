//! G3: the first publish of a key wins. A later one is a duplicate, or, with other content, refused; it is told the state that the first is in. And nothing comes out of
//! thin air: what is offered was published, to this user, with this payload.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Violation;
use super::record::{Entry, Key, Publish, What, is_settled};

/// A call, as it was made.
struct Call<'a> {
    /// Its place in the history.
    place: usize,
    name: (&'a str, &'a str),
    payload: &'a Value,
}

#[derive(Default)]
struct Judge<'a> {
    calls: BTreeMap<u64, Call<'a>>,
    /// The payloads that were ever sent under a user and id.
    payloads: BTreeMap<(&'a str, &'a str), Vec<&'a Value>>,
    /// The call that was answered 201 under a user and id.
    created: BTreeMap<(&'a str, &'a str), u64>,
    /// The place of the first settling confirm, and the highest step confirmed by then.
    settled: BTreeMap<&'a Key, usize>,
    /// Place and step of each confirm.
    steps: BTreeMap<&'a Key, Vec<(usize, u64)>>,
    found: Vec<Violation>,
}

pub fn violations(entries: &[Entry]) -> Vec<Violation> {
    let mut judge = Judge::default();
    for (place, entry) in entries.iter().enumerate() {
        judge.take(place, entry);
    }
    judge.found
}

impl<'a> Judge<'a> {
    fn take(&mut self, place: usize, Entry { t, what, .. }: &'a Entry) {
        match what {
            What::Publish(Publish { call, user, id, payload, .. }) => {
                let name = (user.as_str(), id.as_str());
                self.calls.insert(*call, Call { place, name, payload });
                self.payloads.entry(name).or_default().push(payload);
            }
            What::Published { call, status, key, state, step, .. } => {
                self.answered(*t, *call, *status);
                if let (Some(key), Some(state)) = (key, state) {
                    self.reported(*t, *call, key, (state, step.unwrap_or(0)));
                }
            }
            What::Confirm { key, step, state, .. } => {
                self.steps.entry(key).or_default().push((place, *step));
                if is_settled(state) {
                    self.settled.entry(key).or_insert(place);
                }
            }
            What::Offer { session, key, payload, .. } => {
                let sent = self.payloads.get(&(key.user.as_str(), key.id.as_str()));
                if sent.is_none_or(|sent| !sent.contains(&payload)) {
                    let text = format!("{key} was offered to session {session} with a payload that nobody sent: {payload}");
                    self.found.push(Violation::new("thin air", *t, text));
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, t: u64, call: u64, status: u16) {
        let made = &self.calls[&call];
        if status == 201
            && let Some(first) = self.created.insert(made.name, call)
        {
            let text = format!("{}/{} was created by call {first} and again by call {call}", made.name.0, made.name.1);
            self.found.push(Violation::new("G3", t, text));
        }
        let others = self.payloads[&made.name].iter().any(|payload| *payload != made.payload);
        if status == 409 && !others {
            let text = format!("{}/{} was refused as different, but nobody sent another one", made.name.0, made.name.1);
            self.found.push(Violation::new("G3", t, text));
        }
    }

    /// A duplicate is told no less than was confirmed before it was sent.
    fn reported(&mut self, t: u64, call: u64, key: &Key, (state, step): (&str, u64)) {
        let sent = self.calls[&call].place;
        let was_settled = self.settled.get(key).is_some_and(|place| *place < sent);
        if was_settled && !is_settled(state) {
            self.found.push(Violation::new("G3", t, format!("call {call} was told that {key} is {state}, which was settled before")));
        }
        let confirmed = self.steps.get(key).and_then(|steps| steps.iter().filter(|(place, _)| *place < sent).map(|(_, step)| *step).max());
        if confirmed.is_some_and(|confirmed| confirmed > step) {
            let text = format!("call {call} was told that {key} is at step {step}, when {confirmed:?} was confirmed");
            self.found.push(Violation::new("G3", t, text));
        }
    }
}
