//! The messages of the client protocol as JSON Schema: what `protocol` reads and writes, field for field. One source for both documents: `/asyncapi.json` and `/openapi.json`
//! hold the same schemas under the same names. They leave out what readers must ignore anyway: fields that are not named may come.

use serde_json::{Map, Value, json};

use super::codes;
use crate::http::openapi::words;
use crate::ledger::engagement::{STEPS_MAX, Scope, SettleOn};
use crate::protocol::frame::FRAME_MESSAGES_MAX;
use crate::protocol::hello::{HELLO_KEYS_MAX, MAX_IN_FLIGHT_DEFAULT, MAX_IN_FLIGHT_MAX};

/// The largest number that every JSON reader holds exactly.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// Where both documents keep schemas.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// All schemas, by name.
pub fn all() -> Map<String, Value> {
    let mut all: Map<String, Value> =
        from_client().into_iter().chain(from_server()).chain(parts()).map(|(name, schema)| (name.to_owned(), schema)).collect();
    all.insert("ClientMessage".to_owned(), one_of("One message of a client.", &from_client()));
    all.insert("ServerMessage".to_owned(), one_of("One message of the server.", &from_server()));
    all
}

/// The messages of a client, in the order of the contract.
pub fn from_client() -> Vec<(&'static str, Value)> {
    vec![
        ("Hello", hello()),
        (
            "Ack",
            message(
                "ack",
                &["id", "window", "step"],
                json!({"id": id(), "window": window_id(), "step": ack_step(), "data": data(), "ref": optional(number_of_client())}),
            ),
        ),
        ("Dismiss", message("dismiss", &["id", "window"], json!({"id": id(), "window": window_id(), "ref": optional(number_of_client())}))),
        ("Visible", message("visible", &["visible"], json!({"visible": {"type": "boolean"}}))),
        ("Seen", message("seen", &["id"], json!({"id": id()}))),
        ("Token", message("token", &["token"], json!({"token": token()}))),
        ("Ping", message("ping", &[], json!({"ref": optional(number_of_client())}))),
    ]
}

/// The messages of the server, in the order of the contract.
pub fn from_server() -> Vec<(&'static str, Value)> {
    let window = || reference("Window");
    vec![
        ("Welcome", welcome()),
        ("Offer", offer()),
        ("CaughtUp", message("caught_up", &[], json!({}))),
        ("Confirm", confirm()),
        (
            "Progress",
            message(
                "progress",
                &["id", "window", "step", "data"],
                json!({"id": id(), "window": window_id(), "step": step(), "data": data()}),
            ),
        ),
        (
            "Withdraw",
            message(
                "withdraw",
                &["id", "window", "reason", "at"],
                json!({"id": id(), "window": window_id(), "reason": withdraw_reason(), "at": time()}),
            ),
        ),
        ("Notice", message("notice", &["id", "payload", "at"], json!({"id": id(), "payload": payload(), "at": time()}))),
        ("WindowOpened", message("window", &["window"], json!({"window": window()}))),
        ("Error", error()),
        ("Pong", message("pong", &["server_time"], json!({"ref": number_of_client(), "server_time": time()}))),
        ("Bye", bye()),
    ]
}

/// What messages are made of, and what carries them.
fn parts() -> Vec<(&'static str, Value)> {
    let key = || json!({"id": id(), "window": window_id()});
    let frame = |of: &str| {
        json!({
            "description": "What one text frame, or one event of a stream, holds: a message, or a list of them.",
            "oneOf": [reference(of), {"type": "array", "items": reference(of), "maxItems": FRAME_MESSAGES_MAX}],
        })
    };
    vec![
        ("Key", object("A delivery, as a client names it.", &["id", "window"], key())),
        ("HelloAck", hello_ack()),
        (
            "Window",
            object(
                "A session window.",
                &["id", "opened_at", "closes_at"],
                json!({"id": window_id(), "opened_at": time(), "closes_at": time()}),
            ),
        ),
        ("Post", post()),
        (
            "Answers",
            json!({"description": "A confirm, an error or a pong for each message that has one coming, in order.", "type": "array", "items": answer(&["Confirm", "Error", "Pong"])}),
        ),
        ("ClientFrame", frame("ClientMessage")),
        ("ServerFrame", frame("ServerMessage")),
    ]
}

fn hello() -> Value {
    let fields = json!({
        "token": optional(token()),
        "device": about(words::device_id(), "Made and kept by the client."),
        "visible": {"type": ["boolean", "null"], "description": "True when left out."},
        "max_in_flight": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_IN_FLIGHT_MAX, "description": format!("How many unsettled offers the connection holds at once; {MAX_IN_FLIGHT_DEFAULT} when left out.")},
        "acks": {"type": ["array", "null"], "maxItems": HELLO_KEYS_MAX, "items": reference("HelloAck"), "description": "Acks that have no confirm yet. One that can't be taken is answered in its place."},
        "open": {"type": ["array", "null"], "maxItems": HELLO_KEYS_MAX, "items": reference("Key"), "description": "What the device has on its screen."},
        "client": {"description": "The client's name and version, as a text. Nothing depends on it."},
    });
    message("hello", &["device"], fields)
}

fn hello_ack() -> Value {
    let fields = json!({"id": id(), "window": window_id(), "step": ack_step(), "data": data(), "ref": optional(number_of_client())});
    object("An ack of a hello.", &["id", "window", "step"], fields)
}

fn post() -> Value {
    let messages: Vec<Value> = from_client().iter().map(|(name, _)| *name).filter(|name| *name != "Hello").map(reference).collect();
    let fields = json!({
        "token": optional(token()),
        "device": about(words::device_id(), "Made and kept by the client."),
        "messages": {"type": "array", "maxItems": FRAME_MESSAGES_MAX, "items": {"oneOf": messages}, "description": "One that can't be taken is answered by an `error` in its place."},
    });
    object("Messages of a client without an open connection.", &["device", "messages"], fields)
}

fn welcome() -> Value {
    let fields = json!({
        "user": id(),
        "device": words::device_id(),
        "connection": {"type": "string", "description": "The name of this connection, never used again."},
        "node": {"type": "string", "description": "The node that holds it."},
        "window": reference("Window"),
        "server_time": time(),
        "heartbeat_ms": {"type": "integer", "minimum": 1, "description": "How often the server pings. A connection that is silent for two of them is closed."},
        "max_in_flight": {"type": "integer", "minimum": 1, "maximum": MAX_IN_FLIGHT_MAX},
        "acks": {"type": "array", "items": answer(&["Confirm", "Error"]), "description": "One for each ack of the hello, in its order."},
    });
    message("welcome", &["user", "device", "connection", "node", "window", "server_time", "heartbeat_ms", "max_in_flight", "acks"], fields)
}

fn offer() -> Value {
    let fields = json!({
        "id": id(),
        "window": window_id(),
        "scope": one_of_words(&[Scope::User, Scope::Device]),
        "offer": {"type": "integer", "minimum": 1, "description": "How often this key was offered, this time included."},
        "step": {"type": "integer", "minimum": 1, "maximum": STEPS_MAX, "description": "The step to show next; 1 when none is done."},
        "steps": steps(),
        "settle_on": one_of_words(&[SettleOn::Shown, SettleOn::Completed]),
        "data": data(),
        "payload": payload(),
        "priority": {"type": "integer", "minimum": -100, "maximum": 100},
        "expires_in_ms": {"type": "integer", "minimum": 0, "description": "How long it is worth showing, by the server's clock."},
        "at": time(),
    });
    message(
        "offer",
        &["id", "window", "scope", "offer", "step", "steps", "settle_on", "data", "payload", "priority", "expires_in_ms", "at"],
        fields,
    )
}

fn confirm() -> Value {
    let fields = json!({
        "id": id(),
        "window": window_id(),
        "step": step(),
        "steps": steps(),
        "state": words::state(),
        "yours": {"type": "boolean", "description": "Whether this device's ack settled it."},
        "at": time(),
        "ref": number_of_client(),
    });
    message("confirm", &["id", "window", "step", "steps", "state", "yours", "at"], fields)
}

fn error() -> Value {
    let fields = json!({
        "code": codes::of_clients(),
        "message": {"type": "string", "description": "For people."},
        "retry": {"type": "boolean", "description": "Whether the same message may be sent again as it is."},
        "ref": number_of_client(),
        "id": {"type": "string", "description": "The delivery, as the client named it."},
        "window": {"type": "string", "description": "Its window, as the client named it."},
    });
    message("error", &["code", "message", "retry"], fields)
}

fn bye() -> Value {
    let fields = json!({
        "code": codes::of_clients(),
        "reason": {"type": "string", "description": "For people."},
        "reconnect": {"type": "boolean", "description": "Whether to come back."},
        "after_ms": {"type": "integer", "minimum": 0, "description": "How long to wait before that, at least."},
    });
    message("bye", &["code", "reason", "reconnect", "after_ms"], fields)
}

/// A message with its type, the other fields that it must have, and all others that it may.
fn message(kind: &str, required: &[&str], mut fields: Value) -> Value {
    fields["type"] = json!({"type": "string", "enum": [kind]});
    let required: Vec<&str> = ["type"].into_iter().chain(required.iter().copied()).collect();
    json!({"type": "object", "required": required, "properties": fields})
}

fn object(description: &str, required: &[&str], fields: Value) -> Value {
    json!({"description": description, "type": "object", "required": required, "properties": fields})
}

/// Of a client's message: `null` counts as left out.
fn optional(mut schema: Value) -> Value {
    let kind = schema["type"].take();
    schema["type"] = json!([kind, "null"]);
    schema
}

/// Told apart by `type`, of which each knows one word.
fn one_of(description: &str, messages: &[(&str, Value)]) -> Value {
    let all: Vec<Value> = messages.iter().map(|(name, _)| reference(name)).collect();
    json!({"description": description, "oneOf": all})
}

fn answer(names: &[&str]) -> Value {
    json!({"oneOf": names.iter().map(|name| reference(name)).collect::<Vec<_>>()})
}

fn one_of_words<T: serde::Serialize>(words: &[T]) -> Value {
    json!({"type": "string", "enum": words})
}

fn about(schema: impl serde::Serialize, description: &str) -> Value {
    let mut schema = json!(schema);
    schema["description"] = description.into();
    schema
}

fn id() -> Value {
    json!(words::id())
}

fn window_id() -> Value {
    json!({"type": "string", "description": "A window's id, as the server gave it out."})
}

fn token() -> Value {
    json!({"type": "string", "description": "The user's JWT, unless it came in the `Authorization` header."})
}

fn data() -> Value {
    json!({"description": "Any JSON, up to 4 KiB of text; null when none was confirmed."})
}

fn payload() -> Value {
    json!({"description": "Any JSON, as it was published."})
}

fn steps() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": STEPS_MAX})
}

fn step() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": STEPS_MAX, "description": "The highest confirmed step."})
}

fn ack_step() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": STEPS_MAX, "description": "0: it is shown. k: steps 1 to k are done."})
}

fn time() -> Value {
    json!({"type": "integer", "minimum": 0, "description": "Ledger time, ms since the epoch."})
}

fn number_of_client() -> Value {
    json!({"type": "integer", "minimum": -i64::try_from(EXACT_MAX).unwrap_or(i64::MAX), "maximum": EXACT_MAX, "description": "The client's own number for its message, echoed with the answer."})
}

fn withdraw_reason() -> Value {
    json!({
        "type": "string",
        "enum": ["moved", "done_elsewhere", "withdrawn", "expired"],
        "description": "`moved`: another device has it, or may get it. `done_elsewhere`: it is settled by another device. `withdrawn`: the publisher took it back. `expired`: its time is over.",
    })
}
