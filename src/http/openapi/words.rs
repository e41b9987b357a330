//! Schemas of the words that fields may hold. The ledger's own types know nothing of OpenAPI, so their words stand here, made from the types.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{Object, ObjectBuilder, Type};

use crate::ledger::engagement::{Scope, SettleOn, Targets};
use crate::ledger::outcome::{Reason, What};
use crate::ledger::reply::State;
use crate::ports::members::NodeState;
use crate::protocol::code::Code;

const STATES: [State; 9] = [
    State::Queued,
    State::Offered,
    State::Shown,
    State::InProgress,
    State::Completed,
    State::Dismissed,
    State::Expired,
    State::Withdrawn,
    State::Dropped,
];
const REASONS: [Reason; 6] =
    [Reason::WindowClosed, Reason::Ttl, Reason::MaxOffers, Reason::BufferFull, Reason::Publisher, Reason::UserForgotten];

/// An id as JSON Schema can say it; that its length counts in bytes it can't.
pub const ID_PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";

fn texts<T: Serialize>(words: &[T]) -> Vec<Value> {
    words.iter().map(|word| serde_json::to_value(word).expect("a word is a text")).collect()
}

fn one_of<T: Serialize>(words: &[T]) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(texts(words))).build()
}

fn one_of_or_null<T: Serialize>(words: &[T]) -> Object {
    let words = texts(words).into_iter().chain([Value::Null]);
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null])).enum_values(Some(words)).build()
}

/// An id.
pub fn id() -> Object {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(128)).pattern(Some(ID_PATTERN)).build()
}

/// The states of a delivery.
pub fn state() -> Object {
    one_of(&STATES)
}

/// How a node is.
pub fn node_state() -> Object {
    one_of(&NodeState::ALL)
}

/// Why a delivery ended without the person's doing; `null` when it didn't.
pub fn reason() -> Object {
    one_of_or_null(&REASONS)
}

/// What a key counts for.
pub fn scope() -> Object {
    one_of(&[Scope::User, Scope::Device])
}

/// Who is offered a delivery.
pub fn targets() -> Object {
    one_of(&[Targets::Active, Targets::All])
}

/// What a key counts for, in a publish.
pub fn scope_option() -> Object {
    one_of_or_null(&[Scope::User, Scope::Device])
}

/// Who is offered it, in a publish.
pub fn targets_option() -> Object {
    one_of_or_null(&[Targets::Active, Targets::All])
}

/// Which ack settles, in a publish.
pub fn settle_on_option() -> Object {
    one_of_or_null(&[SettleOn::Shown, SettleOn::Completed])
}

/// How it is delivered, in a publish.
pub fn mode_option() -> Object {
    one_of_or_null(&["standard", "fire_and_forget"])
}

/// What happened.
pub fn outcome() -> Object {
    one_of(&What::ALL)
}

/// What became of a publish.
pub fn publish_status() -> Object {
    one_of(&["queued", "duplicate", "sent"])
}

/// What `/healthz` and `/readyz` say.
pub fn health() -> Object {
    one_of(&["ok", "ready"])
}

/// A duration, in a publish.
pub fn duration_option() -> Object {
    let types = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(types).pattern(Some("^(0|[1-9][0-9]*)(ms|s|m|h|d)$")).examples([json!("90s"), json!("24h")]).build()
}

/// Any JSON.
pub fn any_json() -> Object {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).build()
}

/// JSON, as the text of an event.
pub fn json_text() -> Object {
    ObjectBuilder::new().schema_type(Type::String).content_media_type("application/json").build()
}

/// A device's id.
pub fn device_id() -> Object {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(64)).pattern(Some(ID_PATTERN)).build()
}

/// The codes of problems.
pub fn code() -> Object {
    one_of(&Code::ALL.map(Code::name))
}
