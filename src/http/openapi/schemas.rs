//! The request bodies of publishers, and errors, as the document describes them; the messages of clients are `asyncapi::schemas`. `protocol::api` reads them; these types are never made (they
//! derive `Deserialize` because that is how the schema learns that it has no other fields).
#![expect(dead_code, reason = "they describe, and are not made")]

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::words;

/// An engagement, and how it is to be delivered. `null` counts as left out, but for `payload`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The publisher's name for it; 1 to 128 bytes.
    #[schema(schema_with = words::id, required = true)]
    id: String,
    /// Any JSON; up to 16 KiB of text. Handed to devices as it was sent.
    #[schema(schema_with = words::any_json, required = true)]
    payload: String,
    /// How many steps it has; 1 when left out.
    #[schema(minimum = 1, maximum = 100)]
    steps: Option<u8>,
    /// Which ack is the end of it; `shown` with one step, `completed` with more, when left out.
    #[schema(schema_with = words::settle_on_option)]
    settle_on: Option<String>,
    /// One delivery for the person, or one for each device; `user` when left out.
    #[schema(schema_with = words::scope_option)]
    scope: Option<String>,
    /// One holder at a time, or every connected device; `active` when left out.
    #[schema(schema_with = words::targets_option)]
    targets: Option<String>,
    /// `standard` when left out. `fire_and_forget` takes `id`, `payload` and `targets` only.
    #[schema(schema_with = words::mode_option)]
    mode: Option<String>,
    /// Its own window, 1s to 366d; the session window when left out.
    #[schema(schema_with = words::duration_option)]
    window: Option<String>,
    /// It expires that long after its publish; up to 366d.
    #[schema(schema_with = words::duration_option)]
    ttl: Option<String>,
    /// It is not offered earlier; ms since the epoch.
    #[schema(minimum = 0, maximum = 253_402_300_799_999_i64)]
    not_before: Option<i64>,
    /// Higher is offered first; 0 when left out.
    #[schema(minimum = -100, maximum = 100)]
    priority: Option<i8>,
    /// When it would be offered more often, it expires; 0, no limit, when left out.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_i64)]
    max_offers: Option<u32>,
    /// A dismiss puts it off for that long, up to 366d; it settles when left out.
    #[schema(schema_with = words::duration_option)]
    snooze: Option<String>,
}

/// An engagement for many users, or many items. Up to 10,000.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum PublishMany {
    Users(PublishToUsers),
    Items(PublishItems),
}

/// One engagement for each of these users.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishToUsers {
    #[schema(max_items = 10_000)]
    users: Vec<String>,
    engagement: Box<Publish>,
}

/// Items of one engagement for one user each.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishItems {
    #[schema(max_items = 10_000)]
    items: Vec<Item>,
}

/// A publish that names its user; it may have all other fields of a publish too.
#[derive(Deserialize, ToSchema)]
pub struct Item {
    #[schema(schema_with = words::id, required = true)]
    user: String,
    #[schema(schema_with = words::id, required = true)]
    id: String,
    #[schema(schema_with = words::any_json, required = true)]
    payload: String,
}

/// The path to a user.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserPath {
    /// The person; 1 to 128 bytes of UTF-8, percent-encoded.
    #[param(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    user: String,
}

/// The path to an engagement of a user.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct EngagementPath {
    /// The person; 1 to 128 bytes of UTF-8, percent-encoded.
    #[param(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    user: String,
    /// The engagement; 1 to 128 bytes of UTF-8, percent-encoded.
    #[param(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    id: String,
}

/// The path to a node.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct NodePath {
    /// The node's name: 1 to 64 letters, digits, dots, hyphens, underscores.
    #[param(min_length = 1, max_length = 64, pattern = r"^[A-Za-z0-9._-]+$")]
    name: String,
}

/// Bytes that are no text.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Octets(Vec<u8>);

/// An error (RFC 9457).
#[derive(ToSchema)]
pub struct Problem {
    r#type: String,
    title: String,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong here.
    detail: String,
    /// The stable word.
    #[schema(schema_with = words::code, required = true)]
    code: String,
    /// The field that it is about, by its path in the body.
    field: Option<String>,
    /// Of `different_engagement`: the delivery that stays, and its state.
    user: Option<String>,
    id: Option<String>,
    window: Option<String>,
    #[schema(schema_with = words::state)]
    state: Option<String>,
    /// Of `buffer_full`: the key of the configuration that bounds it.
    bound: Option<String>,
    /// Of a node that is not ready: why.
    reasons: Option<Vec<String>>,
}

/// How the process is.
#[derive(ToSchema)]
pub struct Health {
    #[schema(schema_with = words::health, required = true)]
    status: String,
}

/// An event of a connection over server-sent events.
#[derive(ToSchema)]
pub struct ClientEvent {
    /// A `ServerFrame`: one message of the server, or a list of them.
    #[schema(schema_with = words::json_text, required = true)]
    data: String,
}

/// An event of the feed of outcomes.
#[derive(ToSchema)]
pub struct OutcomeEvent {
    /// The cursor of the outcome, for `Last-Event-ID`.
    id: Option<String>,
    /// `error` where the feed ends: then `data` is a problem.
    event: Option<String>,
    /// An outcome.
    #[schema(schema_with = words::json_text, required = true)]
    data: String,
}
