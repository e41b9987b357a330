//! The first message of a connection: who, what it has on its screen, and the acks that it holds no confirm for.

use serde_json::value::RawValue;

use super::client_message::{Fields, Token, bad, fields, text};
use super::code::Code;
use super::refusal::Refusal;
use crate::ledger::command::{Ack, Key, Visibility};
use crate::ledger::ids::DeviceId;

/// Most acks, and most open deliveries, that a hello may carry.
pub const HELLO_KEYS_MAX: usize = 256;
/// How many unsettled offers a connection holds at once, when its hello does not say.
pub const MAX_IN_FLIGHT_DEFAULT: u16 = 16;
/// The most that a hello may ask for.
pub const MAX_IN_FLIGHT_MAX: u16 = 256;

/// What a hello says. An ack that can't be taken does not make the hello fail, or a client that keeps it could never connect again: it is answered in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// None where the token came with the upgrade.
    pub token: Option<Token>,
    pub device: DeviceId,
    pub visibility: Visibility,
    /// 1 to [`MAX_IN_FLIGHT_MAX`].
    pub max_in_flight: u16,
    pub acks: Vec<HelloAck>,
    pub open: Vec<Key>,
}

/// An ack that the client has no confirm for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelloAck {
    pub ack: Result<Ack, Refusal>,
    /// The client's own number for it, echoed with the answer.
    pub reference: Option<i64>,
}

pub(super) fn read(fields: &Fields<'_>) -> Result<Hello, Refusal> {
    let token = match fields.token {
        None => None,
        Some(raw) => Some(Token(text(raw).ok_or_else(|| bad("token must be a text"))?.into_owned())),
    };
    let device = fields.device.and_then(text).ok_or_else(|| bad("device must be a text"))?;
    let device = DeviceId::parse(&device).map_err(|error| Refusal::new(Code::BadMessage, format!("device is not valid: {error}")))?;
    let visibility = match fields.visible.map(RawValue::get) {
        None | Some("true") => Visibility::Visible,
        Some("false") => Visibility::Hidden,
        Some(_) => return Err(bad("visible must be true or false")),
    };
    Ok(Hello { token, device, visibility, max_in_flight: max_in_flight(fields)?, acks: acks(fields)?, open: open(fields)? })
}

fn max_in_flight(fields: &Fields<'_>) -> Result<u16, Refusal> {
    let Some(raw) = fields.max_in_flight else { return Ok(MAX_IN_FLIGHT_DEFAULT) };
    match raw.get().parse::<u16>() {
        Ok(number) if (1..=MAX_IN_FLIGHT_MAX).contains(&number) => Ok(number),
        _ => Err(Refusal::new(Code::BadMessage, format!("max_in_flight must be an integer from 1 to {MAX_IN_FLIGHT_MAX}"))),
    }
}

fn acks(hello: &Fields<'_>) -> Result<Vec<HelloAck>, Refusal> {
    let items = list(hello.acks, "acks must be a list of at most 256 acks")?;
    let read = |item| object(item).map_or_else(|refusal| HelloAck { ack: Err(refusal), reference: None }, |fields| fields.hello_ack());
    Ok(items.into_iter().map(read).collect())
}

/// A key that is none of ours is left out: no ledger can have given it to the client.
fn open(hello: &Fields<'_>) -> Result<Vec<Key>, Refusal> {
    let mut keys = Vec::new();
    for item in list(hello.open, "open must be a list of at most 256 deliveries")? {
        match object(item).and_then(|fields| fields.key()) {
            Ok(key) => keys.push(key),
            Err(refusal) if refusal.code == Code::UnknownDelivery => {}
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(keys)
}

fn list<'a>(raw: Option<&'a RawValue>, wrong: &'static str) -> Result<Vec<&'a RawValue>, Refusal> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| bad(wrong))?;
    if items.len() > HELLO_KEYS_MAX {
        return Err(bad(wrong));
    }
    Ok(items)
}

fn object(item: &RawValue) -> Result<Fields<'_>, Refusal> {
    fields(item.get()).unwrap_or_else(|_| Err(bad("it must be an object")))
}
