//! `POST /v1/messages`: client messages without a connection, answered in their order. It is what a client of a stream talks by, and what a page sends as it unloads.

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::poll;
use metrics::{counter, histogram};
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::again;
use super::client_edge::{ClientEdge, refuse};
use super::origin;
use super::problem::Problem;
use crate::actors::admission;
use crate::actors::rate::Verdict;
use crate::clock;
use crate::ledger::command::{By, Key};
use crate::ledger::ids::{DeviceId, UserId};
use crate::ledger::reply::Reply;
use crate::ledger::time::LedgerTime;
use crate::ledger::{Applied, Command};
use crate::ports::calls::CallError;
use crate::ports::session::{Said, ToOwner};
use crate::protocol::batch::Batch;
use crate::protocol::client_message::{ClientMessage, Token};
use crate::protocol::code::Code;
use crate::protocol::post::{self, Post};
use crate::protocol::refusal::Refusal;
use crate::protocol::server_message::{Answer, ServerMessage};
use crate::telemetry::names;

pub(super) async fn messages(request: HttpRequest, payload: web::Payload, edge: web::Data<ClientEdge>) -> Result<HttpResponse, Problem> {
    let origin = origin::check(&request, &edge.allowed_origins)?;
    let answers = match take(&request, payload, &edge).await {
        Ok(answers) => answers,
        Err(problem) => return Ok(origin.allow_error(&problem)),
    };
    let mut answer = HttpResponse::Ok();
    origin.allow(&mut answer);
    Ok(answer.content_type("application/json").body(answers.into_list().into_bytes()))
}

async fn take(request: &HttpRequest, payload: web::Payload, edge: &ClientEdge) -> Result<Batch, Problem> {
    let bearer = edge.bearer(request)?;
    let Post { token, device, messages } = post::parse(&edge.body(payload).await?)?;
    let claims = match (token, bearer) {
        (Some(token), _) => edge.edge.verifier.verify(&token.0, clock::wall_ms()).map_err(|error| refuse(admission::refusal(error)))?,
        (None, Some(claims)) => claims,
        (None, None) => return Err(refuse(Refusal::new(Code::Unauthorized, "there is no token; hint: put it into the body"))),
    };
    if claims.device.as_ref().is_some_and(|allowed| *allowed != device) {
        return Err(refuse(Refusal::new(Code::Forbidden, "the token is for another device")));
    }
    let poster = Poster { edge, user: claims.user, device };
    let deadline = clock::monotonic() + Duration::from_millis(edge.edge.limits.request_timeout_ms);
    // All are on their way before the first is waited for: the user's actor takes them in this order.
    let mut slots = Vec::with_capacity(messages.len());
    for message in messages {
        slots.push(poster.post(message).await);
    }
    let mut answers = Batch::default();
    for slot in slots {
        slot.finish((edge, deadline), &mut answers).await;
    }
    Ok(answers)
}

/// What becomes of one message.
enum Slot<'a> {
    /// No answer is due.
    Done,
    Refused(Refusal),
    Pong {
        reference: Option<i64>,
    },
    Asked {
        command: Command,
        key: Key,
        reference: Option<i64>,
        taken_at: Instant,
        answered: Asked<'a>,
    },
}

type Asked<'a> = Pin<Box<dyn Future<Output = Result<Applied, CallError>> + Send + 'a>>;

impl<'a> Slot<'a> {
    async fn finish(self, (edge, deadline): (&'a ClientEdge, Instant), answers: &mut Batch) {
        match self {
            Slot::Done => {}
            Slot::Refused(refusal) => answers.push(&ServerMessage::Error(&refusal)),
            Slot::Pong { reference } => answers.push(&ServerMessage::Pong { reference, server_time: LedgerTime(clock::wall_ms()) }),
            Slot::Asked { command, key, reference, taken_at, answered } => {
                // As on a connection, an owner that dies meanwhile is no news: the next one answers.
                let mut first = Some(answered);
                let attempt = || first.take().unwrap_or_else(|| edge.users.call(command.clone()));
                let result = again::until_known(attempt, deadline, |error| error == CallError::Overloaded).await;
                let answer = worded(result, &key, reference);
                let result = if let Answer::Error(refusal) = &answer { refusal.code.name() } else { "confirm" };
                counter!(names::ACKS_TOTAL, "result" => result).increment(1);
                histogram!(names::ACK_SECONDS).record(clock::monotonic().saturating_duration_since(taken_at).as_secs_f64());
                answers.push(&answer.message(reference));
            }
        }
    }
}

fn worded(result: Result<Applied, CallError>, key: &Key, reference: Option<i64>) -> Answer {
    let not_taken =
        |code, message: &'static str| Answer::Error(Refusal::new(code, message).with_reference(reference).with_key(&key.id, key.window));
    match result {
        Ok(Applied { reply: Reply::Ack(reply), .. }) => with_reference(reply.into(), reference),
        Ok(_) => not_taken(Code::Internal, "something went wrong in the server"),
        Err(CallError::Overloaded) => not_taken(Code::RateLimited, "too much waits for this user"),
        Err(_) => not_taken(Code::Unavailable, "the user's shard gave no answer; hint: keep the ack and send it again"),
    }
}

fn with_reference(answer: Answer, reference: Option<i64>) -> Answer {
    match answer {
        Answer::Error(refusal) => Answer::Error(refusal.with_reference(reference)),
        confirm @ Answer::Confirm(_) => confirm,
    }
}

/// The device that posts.
struct Poster<'a> {
    edge: &'a ClientEdge,
    user: UserId,
    device: DeviceId,
}

impl<'a> Poster<'a> {
    async fn post(&self, message: Result<ClientMessage, Refusal>) -> Slot<'a> {
        if self.edge.posts.take(&self.user, clock::monotonic_ms()) != Verdict::Taken {
            counter!(names::LIMITED_TOTAL, "limit" => "messages_per_second").increment(1);
            let named = message.map_or_else(|refusal| refusal, |message| message.refuse(Code::RateLimited, ""));
            return Slot::Refused(Refusal {
                code: Code::RateLimited,
                message: "too many messages; hint: send it again in a second".into(),
                ..named
            });
        }
        let message = match message {
            Ok(message) => message,
            Err(refusal) => return Slot::Refused(refusal),
        };
        counter!(names::MESSAGES_RECEIVED_TOTAL, "type" => message.kind()).increment(1);
        let (user, device) = (self.user.clone(), self.device.clone());
        match message {
            ClientMessage::Ack { ack, reference } => {
                let key = Key { id: ack.id.clone(), window: ack.window };
                self.ask(Command::Ack { user, by: By::posted(device), ack }, key, reference).await
            }
            ClientMessage::Dismiss { key, reference } => {
                let Key { id, window } = key.clone();
                self.ask(Command::Dismiss { user, by: By::posted(device), id, window }, key, reference).await
            }
            ClientMessage::Visible(visibility) => self.say(Said::Visible(visibility)),
            ClientMessage::Seen(id) => self.say(Said::Seen(id)),
            ClientMessage::Token(token) => self.renew(&token),
            ClientMessage::Ping { reference } => Slot::Pong { reference },
            ClientMessage::Hello(_) => Slot::Refused(Refusal::new(Code::BadMessage, "a hello can't be posted; hint: /v1/stream takes it")),
        }
    }

    async fn ask(&self, command: Command, key: Key, reference: Option<i64>) -> Slot<'a> {
        let taken_at = clock::monotonic();
        let mut answered = self.edge.users.call(command.clone());
        // Asked here, waited for later.
        if let Poll::Ready(result) = poll!(&mut answered) {
            answered = Box::pin(std::future::ready(result));
        }
        Slot::Asked { command, key, reference, taken_at, answered }
    }

    fn say(&self, said: Said) -> Slot<'a> {
        let (user, device) = (self.user.clone(), self.device.clone());
        self.edge.edge.sessions.post(ToOwner::Posted { user, device, said: vec![said] });
        Slot::Done
    }

    fn renew(&self, token: &Token) -> Slot<'a> {
        let claims = match self.edge.edge.verifier.verify(&token.0, clock::wall_ms()) {
            Ok(claims) => claims,
            Err(error) => return Slot::Refused(admission::refusal(error)),
        };
        let is_same_device = claims.device.as_ref().is_none_or(|device| *device == self.device);
        if claims.user != self.user || !is_same_device {
            return Slot::Refused(Refusal::new(Code::Forbidden, "the token is for another user or device"));
        }
        let (user, device, expires_at_ms) = (claims.user, self.device.clone(), claims.expires_at_ms);
        self.edge.edge.sessions.post(ToOwner::Renew { user, device, expires_at_ms });
        Slot::Done
    }
}
