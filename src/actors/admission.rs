//! Who may come in: a hello, judged by its token. Pure; the caller acts on it.

use crate::ledger::command::{Attach, Greeting};
use crate::ledger::ids::{ConnectionId, UserId};
use crate::protocol::code::Code;
use crate::protocol::hello::{Hello, HelloAck};
use crate::protocol::refusal::Refusal;
use crate::protocol::token::{Claims, TokenError, Verifier};

/// A hello that may be taken to the ledger.
#[derive(Clone, Debug)]
pub struct Admitted {
    pub user: UserId,
    pub attach: Attach,
    pub acks: HelloAcks,
    /// When the token ends, ms since the epoch.
    pub expires_at_ms: u64,
}

/// What is needed to answer the acks of a hello, beside what the ledger says to those that it was given.
#[derive(Clone, Debug, Default)]
pub struct HelloAcks {
    /// The acks that can't be taken, each with its place among the hello's.
    pub refused: Vec<(usize, Refusal)>,
    /// The client's own number for each, to be echoed.
    pub references: Vec<Option<i64>>,
}

/// Where a hello comes from.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    pub connection: ConnectionId,
    /// What the upgrade's token said, if it brought one. A token in the hello goes before it.
    pub bearer: Option<&'a Claims>,
    pub wall_ms: u64,
}

/// Judges a hello.
///
/// # Errors
/// The [`Refusal`] to send before the connection is closed.
pub fn admit(verifier: &Verifier, hello: Hello, arrival: &Arrival<'_>) -> Result<Admitted, Refusal> {
    let claims = match (&hello.token, arrival.bearer) {
        (Some(token), _) => verifier.verify(&token.0, arrival.wall_ms).map_err(refusal)?,
        (None, Some(claims)) if claims.expires_at_ms <= arrival.wall_ms => return Err(refusal(TokenError::Expired)),
        (None, Some(claims)) => claims.clone(),
        (None, None) => return Err(Refusal::new(Code::Unauthorized, "there is no token; hint: put it into the hello")),
    };
    if claims.device.as_ref().is_some_and(|device| *device != hello.device) {
        return Err(Refusal::new(Code::Forbidden, "the token is for another device"));
    }
    let mut acks = Vec::with_capacity(hello.acks.len());
    let mut answers = HelloAcks::default();
    for (index, HelloAck { ack, reference }) in hello.acks.into_iter().enumerate() {
        answers.references.push(reference);
        match ack {
            Ok(ack) => acks.push(ack),
            Err(refusal) => answers.refused.push((index, refusal)),
        }
    }
    let attach = Attach {
        device: hello.device,
        connection: arrival.connection,
        visibility: hello.visibility,
        max_in_flight: hello.max_in_flight,
        acks,
        open: hello.open,
        greeting: Greeting::Hello,
    };
    Ok(Admitted { user: claims.user, attach, acks: answers, expires_at_ms: claims.expires_at_ms })
}

/// A bad token, as an `error`.
#[must_use]
pub fn refusal(error: TokenError) -> Refusal {
    let code = if error == TokenError::Expired { Code::TokenExpired } else { Code::Unauthorized };
    Refusal::new(code, error.to_string())
}
