//! One connection of a person: what comes is noted and done, until it ends.

use std::time::{Duration, Instant};

use engage::clock;
use rand::RngExt;
use serde_json::{Value, json};

use super::person::{Pending, Person, Shown};
use super::{is_set, key_of};
use crate::support::device::{Device, Event};
use engage::history::record::{Key, Leave, Session, What, Window, is_settled};

/// How often a person looks up, when nothing comes.
const TICK: Duration = Duration::from_millis(500);

/// How long a lively person stays, in ms.
const STAY_MS: std::ops::Range<u64> = 2_000..20_000;

/// So long does a client listen on, when it can say nothing more.
const OVERHEAR: Duration = Duration::from_secs(1);

/// When nothing came for so long, a client asks whether anybody is there; and when nothing has come for so long, the line is dead to it.
const ASK_AFTER: Duration = Duration::from_secs(4);
const DEAD_AFTER: Duration = Duration::from_secs(12);

/// Nobody stays away longer because he was asked to: tests are short.
const AWAY_MAX_MS: u64 = 2_000;

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Stay,
    Over,
}

pub(super) struct Connection<'a> {
    person: &'a mut Person,
    device: Device,
    session: Session,
    is_visible: bool,
    /// How long it was asked to stay away.
    away: Duration,
    /// When something came last, and when it last asked whether anybody is there.
    heard: Instant,
    asked: Instant,
}

impl<'a> Connection<'a> {
    pub(super) fn new(person: &'a mut Person, device: Device, session: Session) -> Connection<'a> {
        let now = clock::monotonic();
        Connection { person, device, session, is_visible: true, away: Duration::ZERO, heard: now, asked: now }
    }

    /// Takes what comes until somebody ends it; how long to stay away.
    pub(super) async fn live(mut self) -> Duration {
        let until = clock::monotonic() + Duration::from_millis(self.person.random.random_range(STAY_MS));
        loop {
            let event = tokio::time::timeout(TICK, self.device.next_without_deadline()).await;
            let next = match event {
                Ok(Event::Message(message)) => {
                    self.heard = clock::monotonic();
                    self.take(&message).await
                }
                Ok(Event::Closed(code)) => return self.ended(Some(code)),
                Ok(Event::Broken) => return self.ended(None),
                Err(_) => self.is_anybody_there().await,
            };
            if next == Next::Over || self.look_up().await == Next::Over {
                let code = self.overhear().await;
                return self.ended(code);
            }
            let has_enough = self.person.is_lively() && clock::monotonic() > until;
            if has_enough || is_set(&self.person.shared.signals.over) {
                self.leave().await;
                return Duration::ZERO;
            }
        }
    }

    /// Asks, after a while of silence; a line on which nobody answers is given up.
    async fn is_anybody_there(&mut self) -> Next {
        let now = clock::monotonic();
        if now - self.heard > DEAD_AFTER {
            return Next::Over;
        }
        if now - self.heard.max(self.asked) > ASK_AFTER {
            self.asked = now;
            return self.send(&json!({"type": "ping"})).await;
        }
        Next::Stay
    }

    fn ended(self, code: Option<u16>) -> Duration {
        self.note(What::Ended { session: self.session, code });
        self.away
    }

    /// Ends it from this side. What was under way until the other side closed too was still seen.
    async fn leave(&mut self) {
        let leave = if self.person.chooses(0.3) { Leave::Lost } else { Leave::Closed };
        self.note(What::End { session: self.session, leave });
        if leave == Leave::Closed {
            self.device.start_close().await;
            self.overhear().await;
        }
    }

    /// Notes what still comes, and does nothing about it; the code, if the other side closes.
    async fn overhear(&mut self) -> Option<u16> {
        while let Ok(event) = tokio::time::timeout(OVERHEAR, self.device.next_without_deadline()).await {
            let message = match event {
                Event::Message(message) => message,
                Event::Closed(code) => return Some(code),
                Event::Broken => return None,
            };
            match message["type"].as_str() {
                Some("withdraw") => self.withdrawn(&message),
                Some("confirm") => self.confirmed(&message),
                Some("offer") => self.note(offer_of(self.session, &self.person.user, &message)),
                _ => {}
            }
        }
        None
    }

    async fn take(&mut self, message: &Value) -> Next {
        let session = self.session;
        match message["type"].as_str() {
            Some("welcome") => self.welcomed(message).await,
            Some("offer") => {
                self.note(offer_of(session, &self.person.user, message));
                let (step, steps) = (number(message, "step"), number(message, "steps"));
                self.person.screen.insert(key_of(&self.person.user, message), Shown { step, steps });
                if self.person.is_lively() && self.person.chooses(0.1) {
                    return Next::Stay;
                }
                self.act(&key_of(&self.person.user, message)).await
            }
            Some("caught_up") => {
                self.note(What::CaughtUp { session });
                Next::Stay
            }
            Some("withdraw") => {
                self.withdrawn(message);
                Next::Stay
            }
            Some("progress") => {
                let (key, step) = (key_of(&self.person.user, message), number(message, "step"));
                self.person.screen.entry(key).and_modify(|shown| shown.step = shown.step.max(step + 1));
                Next::Stay
            }
            Some("confirm") => {
                self.confirmed(message);
                let key = key_of(&self.person.user, message);
                if self.person.screen.contains_key(&key) { self.act(&key).await } else { Next::Stay }
            }
            Some("error") => {
                self.refused(message);
                Next::Stay
            }
            Some("bye") => {
                self.away = Duration::from_millis(message["after_ms"].as_u64().unwrap_or(0).min(AWAY_MAX_MS));
                Next::Stay
            }
            _ => Next::Stay,
        }
    }

    async fn welcomed(&mut self, message: &Value) -> Next {
        self.note(What::Welcome { session: self.session, window: Some(window_of(&message["window"])) });
        for answer in message["acks"].as_array().into_iter().flatten() {
            match answer["type"].as_str() {
                Some("confirm") => self.confirmed(answer),
                _ => self.refused(answer),
            }
        }
        // What is on its screen, and not told otherwise, it goes on with.
        let left: Vec<Key> = self.person.screen.keys().cloned().collect();
        for key in left {
            if !self.is_pending(&key) && self.act(&key).await == Next::Over {
                return Next::Over;
            }
        }
        Next::Stay
    }

    /// Now and then it is put away or taken up; what was refused is sent again, and what was left lying is done when everybody is to be attentive.
    async fn look_up(&mut self) -> Next {
        let is_lively = self.person.is_lively();
        let wants_visible = if is_lively && self.person.chooses(0.08) { !self.is_visible } else { self.is_visible || !is_lively };
        if wants_visible != self.is_visible {
            self.is_visible = wants_visible;
            self.note(What::Visible { session: self.session, visible: wants_visible });
            if self.send(&json!({"type": "visible", "visible": wants_visible})).await == Next::Over {
                return Next::Over;
            }
        }
        let refused: Vec<Key> =
            self.person.pending.iter().filter(|pending| pending.is_refused).map(|pending| pending.key.clone()).collect();
        self.person.pending.retain(|pending| !pending.is_refused);
        let mut to_do = refused;
        if !is_lively {
            to_do.extend(self.person.screen.keys().filter(|key| !self.is_pending(key)).cloned());
        }
        for key in to_do {
            if self.act(&key).await == Next::Over {
                return Next::Over;
            }
        }
        Next::Stay
    }

    /// Whether an answer is due on this connection.
    fn is_pending(&self, key: &Key) -> bool {
        self.person.pending.iter().any(|pending| pending.key == *key && pending.session == self.session)
    }

    /// Does the next step of what is on the screen, or, now and then, wants none of it.
    async fn act(&mut self, key: &Key) -> Next {
        let Some(Shown { step, steps }) = self.person.screen.get(key).cloned() else { return Next::Stay };
        if step > steps {
            return Next::Stay;
        }
        let reference = self.person.reference();
        let is_dismissed = self.person.is_lively() && self.person.chooses(0.05);
        let (step, data) = if is_dismissed { (None, Value::Null) } else { (Some(step), json!({"step": step})) };
        self.person.pending.retain(|earlier| earlier.key != *key);
        self.person.pending.push(Pending { key: key.clone(), step, reference, session: self.session, is_refused: false });
        self.note(What::Ack { session: self.session, key: key.clone(), step, data: data.clone(), reference: Some(reference) });
        let mut message = json!({"type": "ack", "id": key.id, "window": key.window, "ref": reference});
        match step {
            Some(step) => (message["step"], message["data"]) = (json!(step), data),
            None => message["type"] = json!("dismiss"),
        }
        self.send(&message).await
    }

    async fn send(&mut self, message: &Value) -> Next {
        match tokio::time::timeout(Duration::from_secs(5), self.device.try_send(message)).await {
            Ok(Ok(())) => Next::Stay,
            // A line that takes nothing for so long is dead to its user.
            _ => Next::Over,
        }
    }

    fn withdrawn(&mut self, message: &Value) {
        let key = key_of(&self.person.user, message);
        self.person.screen.remove(&key);
        let reason = message["reason"].as_str().unwrap_or_default().to_owned();
        self.note(What::Withdraw { session: self.session, key, reason, at: number(message, "at") });
    }

    fn confirmed(&mut self, message: &Value) {
        let key = key_of(&self.person.user, message);
        let state = message["state"].as_str().unwrap_or_else(|| panic!("no state in {message}")).to_owned();
        let (step, at, reference) = (number(message, "step"), number(message, "at"), message["ref"].as_i64());
        let is_over = is_settled(&state);
        self.person.pending.retain(|pending| pending.key != key || (!is_over && pending.step.is_none_or(|waits| waits > step)));
        if is_over {
            self.person.screen.remove(&key);
        } else if let Some(shown) = self.person.screen.get_mut(&key) {
            shown.step = shown.step.max(step + 1);
        }
        let yours = message["yours"].as_bool().unwrap_or_else(|| panic!("no yours in {message}"));
        self.note(What::Confirm { session: self.session, key, step, state, yours, at, reference });
    }

    fn refused(&mut self, message: &Value) {
        let (retry, reference) = (message["retry"] == true, message["ref"].as_i64());
        let code = message["code"].as_str().unwrap_or_else(|| panic!("no code in {message}")).to_owned();
        let is_meant = |pending: &Pending| {
            Some(pending.reference) == reference
                || (message["id"] == pending.key.id.as_str() && message["window"] == pending.key.window.as_str())
        };
        if retry {
            self.person.pending.iter_mut().filter(|pending| is_meant(pending)).for_each(|pending| pending.is_refused = true);
        } else {
            self.person.pending.retain(|pending| !is_meant(pending));
        }
        self.note(What::Error { session: self.session, code, retry, reference });
    }

    fn note(&self, what: What) {
        self.person.shared.history.note(what);
    }
}

fn offer_of(session: Session, user: &str, message: &Value) -> What {
    What::Offer {
        session,
        key: key_of(user, message),
        offer: number(message, "offer"),
        step: number(message, "step"),
        at: number(message, "at"),
        data: message["data"].clone(),
        payload: message["payload"].clone(),
    }
}

fn window_of(window: &Value) -> Window {
    serde_json::from_value(window.clone()).unwrap_or_else(|error| panic!("{error} in {window}"))
}

fn number(message: &Value, field: &str) -> u64 {
    message[field].as_u64().unwrap_or_else(|| panic!("no {field} in {message}"))
}
