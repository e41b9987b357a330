//! One connection of a device: what comes is noted and done, after some thinking, until somebody ends it.

use engage::history::key::Key;
use engage::history::record::{Leave, Session, What};
use rand::RngExt;
use serde_json::{Value, json};
use std::time::Duration;

use crate::coverage;
use crate::crowd::Phase;
use crate::device::Device;
use crate::memory::{NEVER, Pending, Shown};
use crate::outside::{Heard, Wire, token};
use crate::overhear::{self, Noted, Refused, number};
use crate::population::around;

/// How often a device looks up, when nothing comes.
const LOOK_US: u64 = 500_000;
/// A client that waits so long for an answer takes its line for dead.
const PATIENCE_MS: std::ops::Range<u64> = 6_000..20_000;
/// So long does it wait before it sends again what was refused for now.
const AGAIN_MS: std::ops::Range<u64> = 100..1_500;
/// So long does somebody who is attentive think.
const ATTENTIVE_MS: std::ops::Range<u64> = 10..150;

/// How a connection ended, as far as what comes next depends on it.
#[derive(Default)]
pub struct Left {
    /// 0 when there was none.
    pub session: Session,
    pub was_welcomed: bool,
    pub was_own_wish: bool,
    /// Of the other side's Close frame.
    pub code: Option<u16>,
    /// So long it was asked to stay away.
    pub after_ms: u64,
    /// It is left open for a second one of the same device.
    pub stays_open: Option<Wire>,
}

/// How a device ends its connection by itself.
enum Parting {
    Leave(Leave),
    Overlap,
}

/// See the head of the file.
pub struct Connection<'a> {
    device: &'a mut Device,
    wire: Wire,
    session: Session,
    is_visible: bool,
    began_us: u64,
    leaves_us: u64,
    /// When it thinks of itself next, whatever comes.
    looks_us: u64,
    patience_us: u64,
    was_welcomed: bool,
    after_ms: u64,
}

impl<'a> Connection<'a> {
    pub fn new(device: &'a mut Device, wire: Wire, session: Session, is_visible: bool) -> Connection<'a> {
        let began_us = device.crowd.now_us();
        let stay_ms = device.crowd.population().stay_ms;
        let leaves_us = began_us + around(&mut device.random, stay_ms) * 1_000;
        let patience_us = device.random.random_range(PATIENCE_MS) * 1_000;
        let looks_us = began_us + LOOK_US;
        Connection { device, wire, session, is_visible, began_us, leaves_us, looks_us, patience_us, was_welcomed: false, after_ms: 0 }
    }

    /// Takes what comes until somebody ends it.
    pub async fn live(mut self) -> Left {
        loop {
            let now_us = self.device.crowd.now_us();
            let due_us = self.device.memory.next_due().unwrap_or(NEVER).min(self.looks_us);
            let pause = Duration::from_micros(due_us.saturating_sub(now_us).max(1_000));
            match tokio::time::timeout(pause, self.wire.hear()).await {
                Ok(Heard::Text(text)) => overhear::messages(&text).iter().for_each(|message| self.take(message)),
                Ok(Heard::Closed(code)) => return self.ended(Some(code)),
                Ok(Heard::Lost) => return self.ended(None),
                Err(_) => {}
            }
            if let Some(parting) = self.look_up() {
                return self.part(parting);
            }
        }
    }

    fn ended(self, code: Option<u16>) -> Left {
        overhear::ended(&self.device.crowd, self.session, code);
        self.left(code)
    }

    fn left(self, code: Option<u16>) -> Left {
        let Connection { session, was_welcomed, after_ms, .. } = self;
        Left { session, was_welcomed, was_own_wish: false, code, after_ms, stays_open: None }
    }

    fn part(self, parting: Parting) -> Left {
        let (session, was_welcomed) = (self.session, self.was_welcomed);
        let left = Left { session, was_welcomed, was_own_wish: true, ..Left::default() };
        match parting {
            Parting::Overlap => return Left { stays_open: Some(self.wire), ..left },
            Parting::Leave(leave) => {
                self.device.crowd.note(What::End { session, leave });
                match leave {
                    Leave::Closed => self.wire.close(),
                    Leave::Lost => drop(self.wire),
                }
            }
        }
        left
    }

    fn who(&self) -> (String, String) {
        (self.device.user.clone(), self.device.name.clone())
    }

    fn take(&mut self, message: &Value) {
        let (crowd, session, (user, device)) = (self.device.crowd.clone(), self.session, self.who());
        let who = (user.as_str(), device.as_str());
        match message["type"].as_str() {
            Some("welcome") => {
                self.was_welcomed = true;
                for answer in overhear::welcomed(&crowd, who, session, message) {
                    match answer {
                        Ok(noted) => self.confirmed(&noted),
                        Err(refused) => self.refused(&refused),
                    }
                }
                self.take_up();
            }
            Some("offer") => {
                let key = overhear::offered(&crowd, who, session, message);
                self.offered(key, message);
            }
            Some("caught_up") => crowd.note(What::CaughtUp { session }),
            Some("withdraw") => {
                let key = overhear::withdrawn(&crowd, who, session, message);
                self.device.memory.take_off(&key);
            }
            Some("progress") => {
                let key = crate::crowd::key_on(who.0, who.1, message).expect("a progress names its key");
                self.device.memory.progressed(&key, number(message, "step"));
            }
            Some("confirm") => {
                let noted = overhear::confirmed(&crowd, who, session, message);
                self.confirmed(&noted);
            }
            Some("error") => {
                let refused = overhear::refused(&crowd, who, session, message);
                self.refused(&refused);
            }
            Some("window") => crowd.note(What::Window { session, window: overhear::window_of(message) }),
            Some("notice") => self.noticed(message),
            Some("bye") => self.after_ms = message["after_ms"].as_u64().unwrap_or(0),
            _ => {}
        }
    }

    /// What stands on the screen from before is gone on with.
    fn take_up(&mut self) {
        let due_us = self.after_thinking();
        let session = self.session;
        let (screen, outbox) = (&mut self.device.memory.screen, &self.device.memory.outbox);
        let is_pending = |key: &Key| outbox.iter().any(|pending| pending.key == *key && pending.session == session);
        screen.iter_mut().filter(|(key, _)| !is_pending(key)).for_each(|(_, shown)| shown.due_us = due_us);
    }

    fn offered(&mut self, key: Key, message: &Value) {
        let leaves_lying = self.device.crowd.population().manners.leaves_lying;
        let due_us = if self.device.claims {
            self.device.crowd.now_us()
        } else if self.device.likes(leaves_lying) {
            NEVER
        } else {
            self.after_thinking()
        };
        self.device.memory.show(key, Shown { step: number(message, "step"), steps: number(message, "steps"), due_us, is_seen: false });
    }

    fn confirmed(&mut self, noted: &Noted) {
        let due_us = self.after_thinking();
        self.device.memory.confirmed(&noted.confirmed(), due_us);
    }

    fn refused(&mut self, refused: &Refused) {
        let again_us = self.device.crowd.now_us() + self.device.random.random_range(AGAIN_MS) * 1_000;
        self.device.memory.refused((refused.reference, refused.key.as_ref()), refused.retry.then_some(again_us));
    }

    fn noticed(&mut self, message: &Value) {
        coverage::count("notice");
        if self.device.chooses(0.7) {
            self.wire.say(json!({"type": "seen", "id": message["id"]}).to_string());
        }
    }

    fn after_thinking(&mut self) -> u64 {
        let think_ms = self.device.crowd.population().think_ms;
        let is_lively = self.device.crowd.is_lively();
        let ms = if is_lively { around(&mut self.device.random, think_ms) } else { self.device.random.random_range(ATTENTIVE_MS) };
        self.device.crowd.now_us() + ms * 1_000
    }

    /// Does what is due; how to part, if it is time to.
    fn look_up(&mut self) -> Option<Parting> {
        let now_us = self.device.crowd.now_us();
        if self.device.crowd.phase() == Phase::Over {
            return Some(Parting::Leave(Leave::Closed));
        }
        if self.is_dead(now_us) {
            coverage::count("gave_up_on_line");
            return Some(Parting::Leave(Leave::Lost));
        }
        if self.was_welcomed {
            self.turn(now_us);
            self.say_again(now_us);
            self.act_on_what_is_due(now_us);
        }
        let manners = &self.device.crowd.population().manners;
        let (loses, overlaps) = (manners.loses, manners.overlaps);
        if now_us < self.leaves_us || !self.device.crowd.is_lively() {
            return None;
        }
        Some(if self.was_welcomed && self.device.chooses(overlaps) {
            Parting::Overlap
        } else if self.device.chooses(loses) {
            Parting::Leave(Leave::Lost)
        } else {
            Parting::Leave(Leave::Closed)
        })
    }

    fn is_dead(&self, now_us: u64) -> bool {
        let since = if self.was_welcomed { self.device.memory.waits_since(self.session) } else { Some(self.began_us) };
        since.is_some_and(|since| now_us > since + self.patience_us)
    }

    /// Now and then it is put away or taken up, and says what changes nothing.
    fn turn(&mut self, now_us: u64) {
        if now_us < self.looks_us {
            return;
        }
        self.looks_us = now_us + LOOK_US;
        let turns = self.device.crowd.population().manners.turns;
        let is_to_be = if self.device.likes(turns) { !self.is_visible } else { self.is_visible || !self.device.crowd.is_lively() };
        if is_to_be != self.is_visible {
            self.is_visible = is_to_be;
            coverage::count("turned");
            self.device.crowd.note(What::Visible { session: self.session, visible: is_to_be });
            self.wire.say(json!({"type": "visible", "visible": is_to_be}).to_string());
        }
        if self.device.chooses(0.01) {
            self.wire.say(json!({"type": "ping", "ref": 1}).to_string());
        }
        if self.device.chooses(0.01) {
            self.wire.say(json!({"type": "token", "token": token(&self.device.user)}).to_string());
        }
    }

    /// What was refused for now is sent again as it was.
    fn say_again(&mut self, now_us: u64) {
        let is_due = |pending: &&mut Pending| pending.again_us.is_some_and(|again| again <= now_us);
        let session = self.session;
        let mut again = Vec::new();
        for pending in self.device.memory.outbox.iter_mut().filter(is_due) {
            (pending.again_us, pending.session, pending.sent_us) = (None, session, now_us);
            again.push(pending.clone());
        }
        for mut pending in again {
            coverage::count("ack_again");
            // A number of its own, so that answers can be told apart.
            pending.reference = self.device.memory.next_reference();
            self.say(pending);
        }
    }

    fn act_on_what_is_due(&mut self, now_us: u64) {
        let is_attentive = !self.device.crowd.is_lively();
        let (memory, session) = (&self.device.memory, self.session);
        let is_due = |key: &Key, shown: &Shown| {
            shown.due_us <= now_us || (is_attentive && shown.due_us == NEVER && !memory.is_pending(key, session))
        };
        let due: Vec<Key> = memory.screen.iter().filter(|(key, shown)| is_due(key, shown)).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.act(&key);
        }
    }

    /// Does the next step of what is on the screen, or, now and then, something else.
    fn act(&mut self, key: &Key) {
        let Some(Shown { step, steps, is_seen, .. }) = self.device.memory.screen.get(key).cloned() else { return };
        if step > steps {
            // All was said; it stands there until the other side takes it off.
            self.device.memory.screen.entry(key.clone()).and_modify(|shown| shown.due_us = NEVER);
            return;
        }
        let step = self.choose_step(step, steps, is_seen);
        let data = if step.is_some() { json!({"step": step, "by": self.device.name, "n": self.session}) } else { Value::Null };
        let reference = self.device.memory.next_reference();
        let sent_us = self.device.crowd.now_us();
        let pending = Pending { key: key.clone(), step, data, reference, session: self.session, sent_us, again_us: None };
        let stutters = self.device.crowd.population().manners.stutters;
        if self.device.likes(stutters) {
            coverage::count("ack_twice");
            let reference = self.device.memory.next_reference();
            self.note_and_send(&pending, reference);
        }
        self.say(pending);
    }

    /// None: it is dismissed.
    fn choose_step(&mut self, step: u64, steps: u64, is_seen: bool) -> Option<u64> {
        let manners = self.device.crowd.population().manners.clone();
        if self.device.likes(manners.dismisses) {
            coverage::count("dismissed");
            return None;
        }
        if step == 1 && !is_seen && self.device.chooses(0.3) {
            return Some(0);
        }
        if self.device.likes(manners.repeats) {
            coverage::count("ack_repeats");
            return Some(self.device.random.random_range(0..step));
        }
        if self.device.likes(manners.skips) {
            return Some(self.device.random.random_range(step..=steps));
        }
        Some(step)
    }

    fn say(&mut self, pending: Pending) {
        let reference = pending.reference;
        self.note_and_send(&pending, reference);
        self.device.memory.sent(pending);
    }

    fn note_and_send(&self, pending: &Pending, reference: i64) {
        let Pending { key, step, data, .. } = pending.clone();
        self.device.crowd.note(What::Ack { session: self.session, key, step, data, reference: Some(reference) });
        self.wire.say(pending.numbered(reference).to_string());
    }
}
