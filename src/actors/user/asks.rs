//! What comes in from edges and callers: made into commands, or refused where too much waits.

use metrics::counter;

use super::User;
use crate::actors::live::{Live, not_now};
use crate::actors::step::Step;
use crate::actors::work::{Arrival, Asker, AttachWord, Call, Notice, Poster, Work};
use crate::clock;
use crate::ledger::command::{By, Departure, Greeting, Key, Visibility};
use crate::ledger::ids::{ConnectionId, DeviceId, EngagementId};
use crate::ledger::outcome::{NoticeOutcome, Reason};
use crate::ledger::reply::{Ended, Reply, State};
use crate::ledger::time::LedgerTime;
use crate::ledger::{Applied, Command};
use crate::ports::calls::CallError;
use crate::ports::peers::NodeId;
use crate::ports::session::{AttachRefused, Attempt, Item, Said};
use crate::telemetry::names;

impl User {
    pub(super) fn attach(&mut self, arrival: Arrival) {
        let attempt = Attempt { connection: arrival.attach.connection, number: arrival.attempt };
        // The shard may have been lost since it came.
        if self.shared.terms.of(self.door.shard) != Some(arrival.term) {
            let _ = arrival.desk.deliver(not_now(attempt, self.door.shard, arrival.term));
            return;
        }
        if !self.live.add(Live::new(self.door.shard, &arrival)) {
            return;
        }
        let Arrival { attach, said, .. } = arrival;
        let word = if attach.greeting == Greeting::Hello { AttachWord::Welcome } else { AttachWord::Resumed };
        let room = self.shared.limits.user_queue_max.saturating_sub(self.queue.len());
        let command = Command::Attach { user: self.user.clone(), attach };
        let attach = Work { command, asker: Asker::Attach { attempt, word } };
        match word {
            AttachWord::Welcome if room == 0 => self.tell_one(attempt, Item::Refused { why: AttachRefused::Overloaded, acks: Vec::new() }),
            AttachWord::Welcome => {
                self.queue.push_back(attach);
                self.said(attempt, said);
            }
            AttachWord::Resumed if room <= said.len() => self.send_back(attempt.connection),
            AttachWord::Resumed => {
                // First what the client said, so that it is not told again what it has done with.
                self.said(attempt, said);
                self.queue.push_back(attach);
            }
        }
    }

    pub(super) fn said(&mut self, attempt: Attempt, said: Vec<Said>) {
        let Some(live) = self.live.of_attempt(attempt) else { return };
        let device = live.device.clone();
        let by = By { device: device.clone(), connection: Some(attempt.connection) };
        let mut step = Step::default();
        for said in said {
            let user = self.user.clone();
            match said {
                Said::Ack { ack, number } => {
                    let asker = Asker::Device { attempt, device: device.clone(), number };
                    self.ask(&mut step, Work { command: Command::Ack { user, by: by.clone(), ack }, asker });
                }
                Said::Dismiss { key: Key { id, window }, number } => {
                    let asker = Asker::Device { attempt, device: device.clone(), number };
                    self.ask(&mut step, Work { command: Command::Dismiss { user, by: by.clone(), id, window }, asker });
                }
                Said::Visible(visibility) => self.show(attempt.connection, visibility),
                Said::Seen(id) => self.seen(&device, id),
            }
        }
        self.speak(step);
    }

    /// Takes an ack or a dismiss on.
    fn ask(&mut self, step: &mut Step, work: Work) {
        match work.asker {
            Asker::Device { attempt, number, .. } if self.queue_is_full() => step.tell(attempt.connection, Item::NotTaken { number }),
            _ => self.queue.push_back(work),
        }
    }

    fn show(&mut self, connection: ConnectionId, visibility: Visibility) {
        if self.live.show(connection, visibility) {
            self.tell_visible(connection, 0);
        }
    }

    /// The ledger hears of it also where this actor knows nothing of the connection: it may have sent it back to its edge, or be a new one.
    pub(super) fn gone(&mut self, device: DeviceId, attempt: Attempt, departure: Departure) {
        if let Some(live) = self.live.remove(attempt.connection) {
            live.leave();
        }
        self.tell_gone(device, attempt.connection, departure, 0);
    }

    /// The link to a node broke.
    pub(super) fn edge_lost(&mut self, node: NodeId) {
        for live in self.live.take_of(node) {
            self.tell_gone(live.device.clone(), live.connection, Departure::Lost, 0);
            live.leave();
        }
    }

    /// Another node owns the user, or none: what is connected goes there by itself, and who waits is told what is known.
    pub(super) fn disowned(&mut self) {
        self.live.take().into_iter().for_each(Live::leave);
        for Work { asker, .. } in std::mem::take(&mut self.queue) {
            if let Asker::Call { answer, .. } = asker {
                // A caller who is gone needs no answer.
                let _ = answer.send(Err(CallError::Unavailable));
            }
        }
        self.reign += 1;
        (self.in_flight, self.retries) = (0, 0);
        self.unheard = Vec::new();
    }

    pub(super) fn call(&mut self, call: Call) {
        let Call { command, answer } = call;
        if self.queue_is_full() {
            // A caller who is gone needs no answer.
            let _ = answer.send(Err(CallError::Overloaded));
            return;
        }
        if mutant!(WithdrawBeforeCommit) && matches!(command, Command::Withdraw { .. }) {
            let ended = Ended { state: State::Withdrawn, reason: Some(Reason::Publisher), step: 0 };
            let _ = answer.send(Ok(Applied { at: self.last_at, reply: Reply::Withdraw(Some(ended)), effects: Vec::new() }));
            return self.queue.push_back(Work { command, asker: Asker::Nobody });
        }
        let device = match &command {
            Command::Ack { by, .. } => Some(Poster { device: by.device.clone(), is_dismiss: false }),
            Command::Dismiss { by, .. } => Some(Poster { device: by.device.clone(), is_dismiss: true }),
            _ => None,
        };
        self.queue.push_back(Work { command, asker: Asker::Call { device, answer } });
    }

    pub(super) fn posted(&mut self, device: &DeviceId, said: Vec<Said>) {
        let connection = self.live.of_device(device).map(|live| live.connection);
        for said in said {
            match (said, connection) {
                (Said::Visible(visibility), Some(connection)) => self.show(connection, visibility),
                (Said::Seen(id), _) => self.seen(device, id),
                // Acks without a connection come as calls.
                _ => {}
            }
        }
    }

    pub(super) fn renew(&mut self, device: &DeviceId, expires_at_ms: u64) {
        if let Some(attempt) = self.live.of_device(device).map(Live::attempt) {
            self.tell_one(attempt, Item::Renew { expires_at_ms });
        }
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        let Notice { id, payload, targets, answer } = notice;
        let at = LedgerTime(self.last_at.0.max(clock::wall_ms()));
        let mut step = Step::default();
        let targets = self.live.targets(targets);
        for connection in &targets {
            step.tell(*connection, Item::Notice { id: id.clone(), payload: payload.clone(), at });
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
