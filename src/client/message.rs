//! What the server says (CONTRACT §8). Unknown types and fields are no errors: a newer node may say more.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// A message as it came, with what it means.
#[derive(Clone, Debug)]
pub struct Received {
    pub message: ServerMessage,
    /// The JSON text, word for word.
    pub json: String,
}

/// A message from the server.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage {
    Welcome(Welcome),
    Offer(Offer),
    CaughtUp,
    Confirm(Confirm),
    Progress(Progress),
    Withdraw(Withdraw),
    Notice(Notice),
    Window(Window),
    Error(Refusal),
    Pong {
        reference: Option<u64>,
        server_time: u64,
    },
    Bye(Bye),
    /// A type that this client doesn't know.
    Unknown(String),
}

/// A session window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub id: String,
    pub opened_at: u64,
    pub closes_at: u64,
}

/// The answer to a hello.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Welcome {
    pub user: String,
    pub device: String,
    pub connection: String,
    pub node: String,
    pub window: Window,
    pub server_time: u64,
    pub heartbeat_ms: u64,
    pub max_in_flight: u16,
    /// A confirm or an error for each ack of the hello, in its order.
    #[serde(deserialize_with = "answers")]
    pub acks: Vec<ServerMessage>,
}

/// A delivery that is this device's to show from now on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Offer {
    pub id: String,
    pub window: String,
    pub scope: String,
    /// How often this key was offered.
    pub offer: u32,
    /// The step to show next.
    pub step: u32,
    pub steps: u32,
    pub settle_on: String,
    /// What was confirmed last; null when nothing was.
    pub data: Value,
    pub payload: Value,
    pub priority: i8,
    pub expires_in_ms: u64,
    pub at: u64,
}

/// The ack is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Confirm {
    pub id: String,
    pub window: String,
    pub step: u32,
    pub steps: u32,
    pub state: String,
    /// Whether this device's ack settled it.
    pub yours: bool,
    pub at: u64,
    #[serde(rename = "ref", default)]
    pub reference: Option<u64>,
}

impl Confirm {
    /// Whether the delivery is in a final state.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.state.as_str(), "completed" | "dismissed" | "expired" | "withdrawn" | "dropped")
    }
}

/// Another device went on with what this one shows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Progress {
    pub id: String,
    pub window: String,
    pub step: u32,
    #[serde(default)]
    pub data: Value,
}

/// Take it off the screen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Withdraw {
    pub id: String,
    pub window: String,
    /// `moved`, `done_elsewhere`, `withdrawn` or `expired`.
    pub reason: String,
    pub at: u64,
}

/// Fire-and-forget: show it if you can, and answer `seen`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Notice {
    pub id: String,
    pub payload: Value,
    pub at: u64,
}

/// A message of this client was refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    pub code: String,
    #[serde(default)]
    pub message: String,
    /// Whether to send the same again later.
    #[serde(default)]
    pub retry: bool,
    #[serde(rename = "ref", default)]
    pub reference: Option<u64>,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub window: Option<String>,
}

/// The server is about to close the connection.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Bye {
    pub code: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub reconnect: bool,
    #[serde(default)]
    pub after_ms: u64,
}

/// The messages of a text frame: one, or an array of them.
///
/// # Errors
/// When it is not JSON, or a message of a known type lacks a field of the contract.
pub fn parse_frame(text: &str) -> Result<Vec<Received>, serde_json::Error> {
    if text.trim_start().starts_with('[') {
        let messages: Vec<&RawValue> = serde_json::from_str(text)?;
        messages.into_iter().map(|message| parse(message.get())).collect()
    } else {
        Ok(vec![parse(text)?])
    }
}

fn parse(json: &str) -> Result<Received, serde_json::Error> {
    #[derive(Deserialize)]
    struct Tag {
        #[serde(rename = "type")]
        kind: String,
    }
    let tag: Tag = serde_json::from_str(json)?;
    Ok(Received { message: read(tag.kind, json)?, json: json.to_owned() })
}

fn read(kind: String, json: &str) -> Result<ServerMessage, serde_json::Error> {
    #[derive(Deserialize)]
    struct WindowMessage {
        window: Window,
    }
    #[derive(Deserialize)]
    struct Pong {
        #[serde(rename = "ref", default)]
        reference: Option<u64>,
        server_time: u64,
    }
    Ok(match kind.as_str() {
        "welcome" => ServerMessage::Welcome(serde_json::from_str(json)?),
        "offer" => ServerMessage::Offer(serde_json::from_str(json)?),
        "caught_up" => ServerMessage::CaughtUp,
        "confirm" => ServerMessage::Confirm(serde_json::from_str(json)?),
        "progress" => ServerMessage::Progress(serde_json::from_str(json)?),
        "withdraw" => ServerMessage::Withdraw(serde_json::from_str(json)?),
        "notice" => ServerMessage::Notice(serde_json::from_str(json)?),
        "window" => ServerMessage::Window(serde_json::from_str::<WindowMessage>(json)?.window),
        "error" => ServerMessage::Error(serde_json::from_str(json)?),
        "pong" => {
            let pong: Pong = serde_json::from_str(json)?;
            ServerMessage::Pong { reference: pong.reference, server_time: pong.server_time }
        }
        "bye" => ServerMessage::Bye(serde_json::from_str(json)?),
        _ => ServerMessage::Unknown(kind),
    })
}

/// The answers in a welcome are whole messages.
fn answers<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<ServerMessage>, D::Error> {
    let raw = Vec::<Box<RawValue>>::deserialize(deserializer)?;
    raw.iter().map(|one| parse(one.get()).map(|received| received.message).map_err(serde::de::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_holds_one_message_or_an_array_of_them() {
        let one = parse_frame(r#"{"type":"caught_up"}"#).expect("it is JSON");
        assert_eq!(one[0].message, ServerMessage::CaughtUp);
        let two = parse_frame(r#" [{"type":"caught_up"},{"type":"pong","ref":9,"server_time":5}]"#).expect("it is JSON");
        assert_eq!(two.len(), 2);
        assert_eq!(two[1].message, ServerMessage::Pong { reference: Some(9), server_time: 5 });
    }

    #[test]
    fn an_unknown_type_is_kept_and_unknown_fields_are_ignored() {
        let frame = r#"{"type":"confetti","b":1,"a":2}"#;
        let received = parse_frame(frame).expect("it is JSON");
        assert_eq!(received[0].message, ServerMessage::Unknown("confetti".to_owned()));
        assert_eq!(received[0].json, frame);
        assert!(parse_frame(r#"{"type":"bye","code":"draining","mood":"sad"}"#).is_ok());
    }

    #[test]
    fn the_acks_of_a_welcome_are_confirms_and_errors() {
        let frame = r#"{"type":"welcome","user":"u","device":"d","connection":"c","node":"n1","window":{"id":"w","opened_at":1,"closes_at":2},"server_time":1,
            "heartbeat_ms":25000,"max_in_flight":16,"acks":[{"type":"confirm","id":"nps","window":"w","step":1,"steps":1,"state":"completed","yours":true,"at":1},
            {"type":"error","code":"unknown_delivery","message":"no such delivery","retry":false,"id":"x","window":"w"}]}"#;
        let received = parse_frame(frame).expect("it is a welcome");
        let ServerMessage::Welcome(welcome) = &received[0].message else { panic!("it is a welcome: {received:?}") };
        assert!(matches!(&welcome.acks[0], ServerMessage::Confirm(confirm) if confirm.yours && confirm.is_settled()));
        assert!(matches!(&welcome.acks[1], ServerMessage::Error(refusal) if refusal.code == "unknown_delivery" && !refusal.retry));
    }
}
