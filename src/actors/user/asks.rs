//! What comes in from connections and callers: made into commands, or refused where too much waits.

use metrics::counter;

use super::User;
use crate::actors::outbox::Ending;
use crate::actors::registry::CallError;
use crate::actors::step::Step;
use crate::actors::work::{AckAsker, Asker, Call, Connect, Notice, Said, Work};
use crate::clock;
use crate::ledger::Command;
use crate::ledger::command::{Departure, Key, Visibility};
use crate::ledger::ids::{ConnectionId, DeviceId, EngagementId};
use crate::ledger::outcome::NoticeOutcome;
use crate::ledger::time::LedgerTime;
use crate::protocol::code::Code;
use crate::protocol::refusal::Refusal;
use crate::protocol::server_message::ServerMessage;
use crate::telemetry::names;

impl User {
    pub(super) fn connect(&mut self, connect: Connect) {
        let Connect { live, attach, acks } = connect;
        let connection = live.connection;
        self.live.add(live);
        if self.queue_is_full() {
            return self.end(connection, Ending::refused(&Refusal::new(Code::RateLimited, TOO_MUCH_WAITS)));
        }
        let command = Command::Attach { user: self.user.clone(), attach };
        self.queue.push_back(Work { command, asker: Asker::Hello { connection, acks } });
    }

    pub(super) fn said(&mut self, connection: ConnectionId, messages: Vec<Said>) {
        let Some(live) = self.live.get(connection) else { return };
        let device = live.device.clone();
        let mut step = Step::default();
        for message in messages {
            let from = From { connection, device: &device };
            match message {
                Said::Ack { ack, reference } => {
                    let key = Key { id: ack.id.clone(), window: ack.window };
                    let command = Command::Ack { user: self.user.clone(), device: device.clone(), ack };
                    self.ask(&mut step, from, command, (key, reference));
                }
                Said::Dismiss { key, reference } => {
                    let (user, Key { id, window }) = (self.user.clone(), key.clone());
                    let command = Command::Dismiss { user, device: device.clone(), id, window };
                    self.ask(&mut step, from, command, (key, reference));
                }
                Said::Visible(visibility) => self.show(connection, visibility),
                Said::Seen(id) => self.seen(&device, id),
            }
        }
        self.speak(step);
    }

    /// Takes an ack or a dismiss on.
    fn ask(&mut self, step: &mut Step, from: From<'_>, command: Command, (key, reference): (Key, Option<i64>)) {
        if self.queue_is_full() {
            let refusal = Refusal::new(Code::RateLimited, TOO_MUCH_WAITS).with_reference(reference).with_key(&key.id, key.window);
            counter!(names::ACKS_TOTAL, "result" => refusal.code.name()).increment(1);
            step.tell(from.connection, &ServerMessage::Error(&refusal));
            return;
        }
        let taken_at = clock::monotonic();
        let asker = AckAsker { connection: from.connection, device: from.device.clone(), key, reference, taken_at };
        self.queue.push_back(Work { command, asker: Asker::Ack(Box::new(asker)) });
    }

    fn show(&mut self, connection: ConnectionId, visibility: Visibility) {
        if self.live.show(connection, visibility) {
            self.tell_visible(connection, 0);
        }
    }

    pub(super) fn gone(&mut self, connection: ConnectionId, departure: Departure) {
        // One that was ended from here has been told of already.
        if let Some(live) = self.live.remove(connection) {
            self.tell_gone(live.device.clone(), connection, departure, 0);
        }
    }

    pub(super) fn call(&mut self, call: Call) {
        let Call { command, answer } = call;
        if self.queue_is_full() {
            // A caller who is gone needs no answer.
            let _ = answer.send(Err(CallError::Overloaded));
            return;
        }
        let device = match &command {
            Command::Ack { device, .. } | Command::Dismiss { device, .. } => Some(device.clone()),
            _ => None,
        };
        self.queue.push_back(Work { command, asker: Asker::Call { device, answer } });
    }

    pub(super) fn posted(&mut self, device: &DeviceId, messages: Vec<Said>) {
        let connection = self.live.of_device(device).map(|live| live.connection);
        for message in messages {
            match (message, connection) {
                (Said::Visible(visibility), Some(connection)) => self.show(connection, visibility),
                (Said::Seen(id), _) => self.seen(device, id),
                // Acks without a connection come as calls.
                _ => {}
            }
        }
    }

    pub(super) fn renew(&mut self, device: &DeviceId, expires_at_ms: u64) {
        if let Some(live) = self.live.of_device(device) {
            live.outbox.renew(expires_at_ms);
        }
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        let Notice { id, payload, targets, answer } = notice;
        let at = LedgerTime(self.last_at.0.max(clock::wall_ms()));
        let mut step = Step::default();
        let targets = self.live.targets(targets);
        for connection in &targets {
            step.tell(*connection, &ServerMessage::Notice { id: &id, payload: &payload, at });
        }
        self.speak(step);
        let mut device_count = 0;
        for connection in targets {
            // Who was cut by it did not get it.
            let Some(live) = self.live.get(connection) else { continue };
            let device = live.device.clone();
            device_count += 1;
            counter!(names::NOTICES_SENT_TOTAL).increment(1);
            self.notices.sent(id.clone(), device.clone());
            self.report(id.clone(), device, NoticeOutcome::Sent);
        }
        let _ = answer.send(device_count);
    }

    fn seen(&mut self, device: &DeviceId, id: EngagementId) {
        if self.notices.seen(&id, device) {
            counter!(names::NOTICES_SEEN_TOTAL).increment(1);
            self.report(id, device.clone(), NoticeOutcome::Seen);
        }
    }

    /// For the feed of outcomes; the first thing to go when too much waits.
    fn report(&mut self, id: EngagementId, device: DeviceId, outcome: NoticeOutcome) {
        if !self.queue_is_full() {
            let command = Command::Notice { user: self.user.clone(), id, device: Some(device), outcome };
            self.queue.push_back(Work { command, asker: Asker::Nobody });
        }
    }
}

const TOO_MUCH_WAITS: &str = "too much waits for this user; hint: send it again in a second";

/// Who said something.
#[derive(Clone, Copy)]
struct From<'a> {
    connection: ConnectionId,
    device: &'a DeviceId,
}
