//! What the ledger says to a command: told to who asked, before the effects. A result that isn't known is told as such, and all connections start anew.

use actix::Context;
use metrics::{counter, histogram};

use super::User;
use crate::actors::admission::HelloAcks;
use crate::actors::outbox::Ending;
use crate::actors::step::Step;
use crate::actors::work::{AckAsker, Asker, Decided};
use crate::clock;
use crate::ledger::Applied;
use crate::ledger::command::Visibility;
use crate::ledger::ids::{ConnectionId, DeviceId};
use crate::ledger::reply::{AckReply, AttachReply, Reply};
use crate::ledger::window::Window;
use crate::ports::ProposeError;
use crate::protocol::code::Code;
use crate::protocol::refusal::Refusal;
use crate::protocol::server_message::{Answer, ServerMessage, Welcome};
use crate::telemetry::names;

impl User {
    pub(super) fn decided(&mut self, decided: Decided, context: &mut Context<Self>) {
        self.in_flight -= 1;
        match decided.result {
            Ok(applied) => self.applied(decided.asker, applied),
            Err(error) => self.failed(decided.asker, error, context),
        }
    }

    fn applied(&mut self, asker: Asker, applied: Applied) {
        self.last_at = applied.at;
        let mut step = Step::default();
        match (asker, applied.reply) {
            (Asker::Hello { connection, acks }, Reply::Attach(reply)) => self.attached(&mut step, connection, reply, acks),
            (Asker::Ack(asker), Reply::Ack(reply)) => self.acked(&mut step, &asker, reply),
            (Asker::Call { device, answer }, reply) => {
                if let (Some(device), Reply::Ack(AckReply::Confirm(confirm))) = (&device, &reply) {
                    self.settled.confirmed(confirm, device);
                }
                // A caller who is gone needs no answer.
                let _ = answer.send(Ok(Applied { at: applied.at, reply, effects: Vec::new() }));
            }
            (Asker::Visible { connection, visibility, .. }, _) => self.shown(connection, visibility),
            (Asker::Gone { .. } | Asker::Nobody, _) => {}
            (Asker::Hello { .. } | Asker::Ack(_), reply) => {
                unreachable!("the ledger answers each command in its own way, not with {reply:?}")
            }
        }
        self.carry_out(&mut step, applied.effects);
        self.speak(step);
    }

    fn attached(&mut self, step: &mut Step, connection: ConnectionId, reply: AttachReply, asked: HelloAcks) {
        // It may have gone meanwhile; then the ledger hears of that next.
        let Some(live) = self.live.get_mut(connection) else { return };
        let device = live.device.clone();
        match reply {
            AttachReply::Attached { window, acks } => {
                live.is_attached = true;
                let acks = self.answers(acks, asked, &device);
                self.welcome(step, connection, window, &acks);
            }
            AttachReply::TooManyDevices { acks } => {
                for (answer, reference) in self.answers(acks, asked, &device) {
                    step.tell(connection, &answer.message(reference));
                }
                counter!(names::LIMITED_TOTAL, "limit" => "connections_per_user").increment(1);
                let refusal = Refusal::new(Code::TooManyConnections, "this user has all the connections that one may have");
                step.end(connection, Ending::refused(&refusal));
            }
            AttachReply::Replaced => step.end(connection, Ending::internal()),
            AttachReply::Full => {
                counter!(names::LIMITED_TOTAL, "limit" => "ledger_bytes_per_shard").increment(1);
                step.end(connection, Ending::refused(&Refusal::new(Code::Unavailable, "the user's shard is full")));
            }
        }
    }

    fn welcome(&mut self, step: &mut Step, connection: ConnectionId, window: Window, acks: &[(Answer, Option<i64>)]) {
        let Some(live) = self.live.get(connection) else { return };
        let welcome = Welcome {
            user: &self.user,
            device: &live.device,
            connection,
            node: &self.shared.node,
            window,
            server_time: self.last_at,
            heartbeat_ms: self.shared.limits.heartbeat_ms,
            max_in_flight: live.max_in_flight,
            acks,
        };
        step.tell(connection, &ServerMessage::Welcome(welcome));
    }

    /// Puts the answers to a hello's acks back in order, with those that never went to the ledger in their places.
    fn answers(&mut self, replies: Vec<AckReply>, asked: HelloAcks, device: &DeviceId) -> Vec<(Answer, Option<i64>)> {
        let mut answers: Vec<Answer> = replies.into_iter().map(|reply| self.answer(reply, device)).collect();
        for (index, refusal) in asked.refused {
            counter!(names::ACKS_TOTAL, "result" => refusal.code.name()).increment(1);
            answers.insert(index.min(answers.len()), Answer::Error(refusal));
        }
        let references = asked.references.into_iter().chain(std::iter::repeat(None));
        answers.iter_mut().zip(references.clone()).for_each(|(answer, reference)| answer.refer_to(reference));
        answers.into_iter().zip(references).collect()
    }

    fn answer(&mut self, reply: AckReply, device: &DeviceId) -> Answer {
        let answer = Answer::from(reply);
        let result = match &answer {
            Answer::Confirm(confirm) => {
                self.settled.confirmed(confirm, device);
                "confirm"
            }
            Answer::Error(refusal) => refusal.code.name(),
        };
        counter!(names::ACKS_TOTAL, "result" => result).increment(1);
        answer
    }

    fn acked(&mut self, step: &mut Step, asker: &AckAsker, reply: AckReply) {
        let mut answer = self.answer(reply, &asker.device);
        answer.refer_to(asker.reference);
        step.tell(asker.connection, &answer.message(asker.reference));
        let took = clock::monotonic().saturating_duration_since(asker.taken_at);
        histogram!(names::ACK_SECONDS).record(took.as_secs_f64());
    }

    /// The ledger knows this of the device; perhaps the device has changed its mind since.
    fn shown(&mut self, connection: ConnectionId, told: Visibility) {
        let Some(live) = self.live.get_mut(connection) else { return };
        live.is_telling = live.visibility != told;
        if live.is_telling {
            self.tell_visible(connection, 0);
        }
    }

    fn failed(&mut self, asker: Asker, error: ProposeError, context: &mut Context<Self>) {
        match asker {
            Asker::Hello { connection, .. } if error == ProposeError::Unavailable => self.end(connection, Ending::unavailable()),
            // It may be attached: the ledger is told that it's gone.
            Asker::Hello { connection, .. } => self.cut(connection, Ending::unavailable()),
            Asker::Ack(asker) => self.not_acked(&asker),
            Asker::Call { answer, .. } => {
                let _ = answer.send(Err(error.into()));
            }
            again @ (Asker::Gone { .. } | Asker::Visible { .. }) => self.tell_again(again, context),
            Asker::Nobody => {}
        }
        if error == ProposeError::Unknown {
            self.start_anew();
        }
    }

    fn not_acked(&mut self, asker: &AckAsker) {
        let refusal = Refusal::new(Code::Unavailable, "the user's shard gave no answer; hint: keep the ack and send it again")
            .with_reference(asker.reference)
            .with_key(&asker.key.id, asker.key.window);
        counter!(names::ACKS_TOTAL, "result" => refusal.code.name()).increment(1);
        let mut step = Step::default();
        step.tell(asker.connection, &ServerMessage::Error(&refusal));
        self.speak(step);
    }

    /// A command whose result isn't known may have had effects that never came. Rather than guess which, all devices connect again and get what they miss.
    fn start_anew(&mut self) {
        for connection in self.live.connections() {
            self.cut(connection, Ending::unavailable());
        }
    }
}
