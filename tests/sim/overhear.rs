//! What a client notes of what it hears, whatever it then does about it; and how it listens on where it does nothing about it any more.

use engage::history::key::Key;
use engage::history::record::{Leave, Session, What, Window};
use serde_json::Value;

use crate::crowd::{Crowd, key_on};
use crate::memory::{Confirmed, Memory, NEVER};
use crate::outside::{Heard, Wire};

/// So long does a connection that was left for another listen on.
const LISTEN_MS: u64 = 20_000;

/// A user and one of his devices.
pub type Who<'a> = (&'a str, &'a str);

/// A confirm that was noted.
pub struct Noted {
    pub key: Key,
    pub step: u64,
    pub state: String,
    pub reference: Option<i64>,
}

impl Noted {
    pub fn confirmed(&self) -> Confirmed<'_> {
        Confirmed { key: &self.key, step: self.step, state: &self.state, reference: self.reference }
    }

    /// Of one that came when nobody looks at the screen.
    pub fn settle(&self, memory: &mut Memory) {
        memory.confirmed(&self.confirmed(), NEVER);
    }
}

/// An error that was noted.
pub struct Refused {
    pub retry: bool,
    pub reference: Option<i64>,
    pub key: Option<Key>,
}

/// The messages of a frame.
pub fn messages(text: &str) -> Vec<Value> {
    let frame: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("a frame is not JSON: {error}: {text}"));
    match frame {
        Value::Array(messages) => messages,
        message => vec![message],
    }
}

/// Notes a confirm.
pub fn confirmed(crowd: &Crowd, who: Who<'_>, session: Session, message: &Value) -> Noted {
    let key = key_of(who, message);
    let state = text(message, "state").to_owned();
    let (step, at, reference) = (number(message, "step"), number(message, "at"), message["ref"].as_i64());
    crowd.heard_at(at);
    let yours = message["yours"].as_bool().unwrap_or_else(|| panic!("no yours in {message}"));
    crowd.note(What::Confirm { session, key: key.clone(), step, state: state.clone(), yours, at, reference });
    Noted { key, step, state, reference }
}

/// Notes an error; its code, whether to try again, and what it is about.
pub fn refused(crowd: &Crowd, (user, device): Who<'_>, session: Session, message: &Value) -> Refused {
    let (code, retry) = (text(message, "code").to_owned(), message["retry"] == true);
    let reference = message["ref"].as_i64();
    crowd.note(What::Error { session, code, retry, reference });
    Refused { retry, reference, key: key_on(user, device, message) }
}

/// Notes a welcome, and what it says of the acks of the hello.
pub fn welcomed(crowd: &Crowd, who: Who<'_>, session: Session, message: &Value) -> Vec<Result<Noted, Refused>> {
    crowd.note(What::Welcome { session, window: Some(window_of(message)) });
    let mut answers = Vec::new();
    for answer in message["acks"].as_array().into_iter().flatten() {
        answers.push(match answer["type"].as_str() {
            Some("confirm") => Ok(confirmed(crowd, who, session, answer)),
            _ => Err(refused(crowd, who, session, answer)),
        });
    }
    answers
}

/// Notes an offer.
pub fn offered(crowd: &Crowd, who: Who<'_>, session: Session, message: &Value) -> Key {
    let key = key_of(who, message);
    let at = number(message, "at");
    crowd.heard_at(at);
    let is_each = message["scope"] == "device";
    assert_eq!(is_each, key.device.is_some(), "an offer tells another scope than was published: {message}");
    crowd.note(What::Offer {
        session,
        key: key.clone(),
        offer: number(message, "offer"),
        step: number(message, "step"),
        at,
        data: message["data"].clone(),
        payload: message["payload"].clone(),
    });
    key
}

/// Notes a withdraw.
pub fn withdrawn(crowd: &Crowd, who: Who<'_>, session: Session, message: &Value) -> Key {
    let (key, at) = (key_of(who, message), number(message, "at"));
    crowd.heard_at(at);
    crowd.note(What::Withdraw { session, key: key.clone(), reason: text(message, "reason").to_owned(), at });
    key
}

/// Notes that the connection was ended by the other side.
pub fn ended(crowd: &Crowd, session: Session, code: Option<u16>) {
    crowd.note(What::Ended { session, code });
}

/// Listens on a connection that was left for another, until the other side ends it or it is dropped.
pub async fn until_it_ends(crowd: &Crowd, who: Who<'_>, session: Session, mut wire: Wire) {
    let until_us = crowd.now_us() + LISTEN_MS * 1_000;
    while crowd.now_us() < until_us {
        let left_us = until_us - crowd.now_us();
        let heard = tokio::time::timeout(std::time::Duration::from_micros(left_us), wire.hear()).await;
        match heard {
            Ok(Heard::Text(text)) => messages(&text).iter().for_each(|message| overheard(crowd, who, session, message)),
            Ok(Heard::Closed(code)) => return ended(crowd, session, Some(code)),
            Ok(Heard::Lost) => return ended(crowd, session, None),
            Err(_) => break,
        }
    }
    crowd.note(What::End { session, leave: Leave::Lost });
}

fn overheard(crowd: &Crowd, who: Who<'_>, session: Session, message: &Value) {
    match message["type"].as_str() {
        Some("offer") => drop(offered(crowd, who, session, message)),
        Some("withdraw") => drop(withdrawn(crowd, who, session, message)),
        Some("confirm") => drop(confirmed(crowd, who, session, message)),
        Some("welcome") => drop(welcomed(crowd, who, session, message)),
        Some("caught_up") => crowd.note(What::CaughtUp { session }),
        Some("window") => crowd.note(What::Window { session, window: window_of(message) }),
        Some("error") => drop(refused(crowd, who, session, message)),
        _ => {}
    }
}

pub fn window_of(message: &Value) -> Window {
    serde_json::from_value(message["window"].clone()).unwrap_or_else(|error| panic!("no window in {message}: {error}"))
}

fn key_of((user, device): Who<'_>, message: &Value) -> Key {
    key_on(user, device, message).unwrap_or_else(|| panic!("no key in {message}"))
}

pub fn number(message: &Value, field: &str) -> u64 {
    message[field].as_u64().unwrap_or_else(|| panic!("no {field} in {message}"))
}

pub fn text<'a>(message: &'a Value, field: &str) -> &'a str {
    message[field].as_str().unwrap_or_else(|| panic!("no {field} in {message}"))
}
