//! What becomes of an owner's words: written into the session's books, and told to the client in the words of the protocol.

use metrics::{counter, histogram};
use std::time::Instant;

use super::{Hello, Session, Stage, too_much_waits};
use crate::actors::admission::HelloAcks;
use crate::actors::limits::Limits;
use crate::actors::outbox::Ending;
use crate::actors::says::Says;
use crate::ledger::command::Key;
use crate::ledger::effect::{Action, CloseReason};
use crate::ledger::reply::AckReply;
use crate::ledger::time::LedgerTime;
use crate::ledger::window::Window;
use crate::ports::session::{AttachRefused, Hold, Item};
use crate::protocol::code::Code;
use crate::protocol::refusal::Refusal;
use crate::protocol::server_message::{Answer, Bye, ServerMessage, Welcome};
use crate::telemetry::names;

/// What a client is told besides what the owner says.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The name of the node that holds the connection.
    pub node: &'a str,
    pub limits: &'a Limits,
    pub now: Instant,
}

impl Session {
    /// Takes the words of its owner, said to this attempt.
    pub fn take(&mut self, items: Vec<Item>, told: &Told<'_>, says: &mut Says) {
        for item in items {
            if self.owner().is_none() {
                break;
            }
            self.take_one(item, told, says);
        }
        self.is_resuming = false;
    }

    fn take_one(&mut self, item: Item, told: &Told<'_>, says: &mut Says) {
        match item {
            Item::Welcome { window, at, acks } => {
                self.settle_in();
                self.hear(at, told);
                // Said to a session that has been welcomed, it would be an owner's mistake.
                if let Some(hello) = self.hello.take() {
                    self.welcome(*hello, (window, acks), told, says);
                }
            }
            Item::Resumed => {
                self.settle_in();
                self.is_resuming = true;
            }
            Item::Refused { why, acks } => self.refused(why, acks, says),
            Item::NotNow => self.back_off(told.now),
            Item::Answer { number, reply } => self.answered(number, reply, told, says),
            Item::NotTaken { number } => self.not_taken(number, says),
            Item::Noted { key, step, hold } => self.books.noted(&key, step, hold),
            Item::Do(action) => self.act(&action, told, says),
            Item::Notice { id, payload, at } => says.tell(&ServerMessage::Notice { id: &id, payload: &payload, at }),
            Item::Renew { expires_at_ms } => says.expires_at_ms = Some(expires_at_ms),
        }
    }

    /// The owner has it.
    fn settle_in(&mut self) {
        if let Stage::Attaching { owner, .. } = self.stage {
            self.stage = Stage::Attached(owner);
            self.vouched = Some(owner);
        }
        self.is_astray = false;
        self.kept_until = None;
        self.tries = 0;
    }

    fn hear(&mut self, at: LedgerTime, told: &Told<'_>) {
        self.heard_at = (self.heard_at.0.max(at), told.now);
    }

    fn welcome(&mut self, hello: Hello, (window, acks): (Window, Vec<AckReply>), told: &Told<'_>, says: &mut Says) {
        self.books.open(hello.open);
        self.books.window = Some(window.id);
        for ack in &acks {
            if let AckReply::Confirm(confirm) = ack {
                self.books.confirmed(confirm, Hold::Kept);
            }
        }
        let acks = answers(acks, hello.answers);
        let welcome = Welcome {
            user: &self.user,
            device: &self.device,
            connection: self.connection,
            node: told.node,
            window,
            server_time: self.heard_at.0,
            heartbeat_ms: told.limits.heartbeat_ms,
            max_in_flight: self.max_in_flight,
            acks: &acks,
        };
        says.tell(&ServerMessage::Welcome(welcome));
    }

    fn refused(&mut self, why: AttachRefused, acks: Vec<AckReply>, says: &mut Says) {
        if let Some(hello) = self.hello.take() {
            // Only who was told of too many devices has had its acks taken.
            if why == AttachRefused::TooManyDevices {
                for (answer, reference) in answers(acks, hello.answers) {
                    says.tell(&answer.message(reference));
                }
            }
        }
        self.stage = Stage::Ended;
        let limited = |limit: &'static str, refusal: Refusal| {
            counter!(names::LIMITED_TOTAL, "limit" => limit).increment(1);
            Ending::refused(&refusal)
        };
        says.end(match why {
            AttachRefused::TooManyDevices => {
                let refusal = Refusal::new(Code::TooManyConnections, "this user has all the connections that one may have");
                limited("connections_per_user", refusal)
            }
            AttachRefused::Full => limited("ledger_bytes_per_shard", Refusal::new(Code::Unavailable, "the user's shard is full")),
            AttachRefused::Overloaded => limited("user_queue", too_much_waits()),
            AttachRefused::Replaced => Ending::bye(bye(CloseReason::Replaced)),
        });
    }

    fn answered(&mut self, number: u64, reply: AckReply, told: &Told<'_>, says: &mut Says) {
        let asked = self.pending.answered(number);
        if let AckReply::Confirm(confirm) = &reply {
            self.hear(confirm.at, told);
            // A dismiss that settles nothing puts the delivery off: nobody holds it then.
            let hold = if asked.as_ref().is_some_and(|asked| asked.is_dismiss()) { Hold::Over } else { Hold::Kept };
            self.books.confirmed(confirm, hold);
        }
        // Who was told that it is not available keeps the ack, and sends it again.
        let Some(asked) = asked else { return };
        let mut answer = Answer::from(reply);
        answer.refer_to(asked.reference);
        count(&answer);
        says.tell(&answer.message(asked.reference));
        histogram!(names::ACK_SECONDS).record(told.now.saturating_duration_since(asked.taken_at).as_secs_f64());
    }

    fn not_taken(&mut self, number: u64, says: &mut Says) {
        let Some(asked) = self.pending.answered(number) else { return };
        let key = asked.key();
        let refusal = too_much_waits().with_reference(asked.reference).with_key(&key.id, key.window);
        counter!(names::LIMITED_TOTAL, "limit" => "user_queue").increment(1);
        counter!(names::ACKS_TOTAL, "result" => refusal.code.name()).increment(1);
        says.tell(&ServerMessage::Error(&refusal));
    }

    fn act(&mut self, action: &Action, told: &Told<'_>, says: &mut Says) {
        match action {
            Action::Offer(offer) => {
                self.hear(offer.at, told);
                if !self.books.offered(offer) {
                    counter!(names::SESSION_DROPPED_TOTAL, "reason" => "offered").increment(1);
                    return;
                }
                counter!(names::OFFERS_TOTAL).increment(1);
                says.tell(&ServerMessage::Offer(offer));
            }
            Action::Progress { id, window, step, data } => {
                self.books.progressed(&Key { id: id.clone(), window: *window }, *step);
                says.tell(&ServerMessage::Progress { id, window: *window, step: *step, data: data.as_ref() });
            }
            Action::Withdraw { id, window, reason, at } => {
                self.hear(*at, told);
                let was_held = self.books.withdrawn(&Key { id: id.clone(), window: *window });
                // The attach named it, and an ack that came before was confirmed since: the client knows.
                if self.is_resuming && !was_held {
                    return;
                }
                says.tell(&ServerMessage::Withdraw { id, window: *window, reason: *reason, at: *at });
            }
            Action::Window(window) => {
                self.books.window = Some(window.id);
                says.tell(&ServerMessage::Window(*window));
            }
            Action::CaughtUp => {
                self.books.is_caught_up = true;
                says.tell(&ServerMessage::CaughtUp);
            }
            Action::Close(reason) => {
                self.stage = Stage::Ended;
                says.end(Ending::bye(bye(*reason)));
            }
        }
    }
}

/// Puts the answers to a hello's acks back in order, with those that never went to the ledger in their places.
fn answers(replies: Vec<AckReply>, asked: HelloAcks) -> Vec<(Answer, Option<i64>)> {
    let mut answers: Vec<Answer> = replies.into_iter().map(Answer::from).collect();
    for (index, refusal) in asked.refused {
        answers.insert(index.min(answers.len()), Answer::Error(refusal));
    }
    answers.iter().for_each(count);
    let references = asked.references.into_iter().chain(std::iter::repeat(None));
    answers.iter_mut().zip(references.clone()).for_each(|(answer, reference)| answer.refer_to(reference));
    answers.into_iter().zip(references).collect()
}

fn count(answer: &Answer) {
    let result = if let Answer::Error(refusal) = answer { refusal.code.name() } else { "confirm" };
    counter!(names::ACKS_TOTAL, "result" => result).increment(1);
}

fn bye(reason: CloseReason) -> Bye {
    match reason {
        CloseReason::Replaced => Bye { code: Code::Replaced, reason: "another connection of this device took over", after_ms: 0 },
        CloseReason::Forgotten => Bye { code: Code::Forbidden, reason: "the user was forgotten", after_ms: 0 },
    }
}
