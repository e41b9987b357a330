//! One publish: `{"id", "payload", "steps", …}` (CONTRACT §7), read into what the ledger takes. Every bound of the contract is checked here and nowhere behind.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::ledger::engagement::{Engagement, PAYLOAD_MAX_BYTES, Payload, STEPS_MAX, Scope, SettleOn, Targets};
use crate::ledger::ids::EngagementId;
use crate::ledger::time::{LedgerTime, Millis};
use crate::protocol::duration::DAY;
use crate::protocol::json;

use super::fields::{BodyError, Fields};
use super::fingerprint::fingerprint;

/// The fields of one item of a publish to many.
pub const ITEM_FIELDS: &[&str] = &[
    "user",
    "id",
    "payload",
    "steps",
    "settle_on",
    "scope",
    "targets",
    "mode",
    "window",
    "ttl",
    "not_before",
    "priority",
    "max_offers",
    "snooze",
];
/// The fields of a publish.
pub const FIELDS: &[&str] = ITEM_FIELDS.split_at(1).1;
/// What a fire-and-forget publish may say.
const NOTICE_FIELDS: [&str; 5] = ["user", "id", "payload", "targets", "mode"];

/// The span that an engagement's own window may have.
pub const WINDOW: RangeInclusive<Millis> = Millis(1_000)..=Millis(366 * DAY);
/// The span that a `ttl` or a `snooze` may have.
pub const WAIT: RangeInclusive<Millis> = Millis(1)..=Millis(366 * DAY);
/// `priority`.
pub const PRIORITY: RangeInclusive<i64> = -100..=100;
/// `steps`.
pub const STEPS: RangeInclusive<i64> = 1..=STEPS_MAX as i64;
/// `max_offers`.
pub const MAX_OFFERS: RangeInclusive<i64> = 0..=u32::MAX as i64;
/// `not_before`: to the end of the year 9999.
pub const NOT_BEFORE: RangeInclusive<i64> = 0..=253_402_300_799_999;

/// What is published, by its mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publish {
    /// `mode: "standard"`: into the ledger. Shared, so that a publish to many has one payload.
    Standard(Arc<Engagement>),
    /// `mode: "fire_and_forget"`: to whom is connected, once.
    FireAndForget(Notice),
}

/// A fire-and-forget publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub id: EngagementId,
    pub payload: Payload,
    pub targets: Targets,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Standard,
    FireAndForget,
}

impl Publish {
    /// Reads the body of a publish to one user.
    ///
    /// # Errors
    /// [`BodyError`], which names the field.
    pub fn read(text: &[u8]) -> Result<Publish, BodyError> {
        Publish::from_fields(&Fields::read(text, FIELDS)?)
    }

    /// Makes a publish of the fields of an object.
    ///
    /// # Errors
    /// [`BodyError`], which names the field.
    pub fn from_fields(fields: &Fields<'_>) -> Result<Publish, BodyError> {
        let mode = fields.word("mode", &[("standard", Mode::Standard), ("fire_and_forget", Mode::FireAndForget)])?;
        if mode == Some(Mode::FireAndForget) {
            notice(fields).map(Publish::FireAndForget)
        } else {
            engagement(fields).map(|it| Publish::Standard(Arc::new(it)))
        }
    }

    /// The publisher's name for it.
    #[must_use]
    pub fn id(&self) -> &EngagementId {
        match self {
            Publish::Standard(engagement) => &engagement.id,
            Publish::FireAndForget(notice) => &notice.id,
        }
    }
}

fn engagement(fields: &Fields<'_>) -> Result<Engagement, BodyError> {
    let id = fields.id("id", EngagementId::parse)?;
    let (payload, meaning) = payload(fields.raw("payload"))?;
    let steps = fields.integer("steps", STEPS)?.map_or(1, |steps| u8::try_from(steps).expect("STEPS fits"));
    let settle_on = fields.word("settle_on", &[("shown", SettleOn::Shown), ("completed", SettleOn::Completed)])?;
    let mut engagement = Engagement {
        id,
        payload,
        fingerprint: 0,
        steps,
        settle_on: settle_on.unwrap_or(if steps == 1 { SettleOn::Shown } else { SettleOn::Completed }),
        scope: fields.word("scope", &[("user", Scope::User), ("device", Scope::Device)])?.unwrap_or(Scope::User),
        targets: targets(fields)?,
        window: fields.duration("window", WINDOW)?,
        ttl: fields.duration("ttl", WAIT)?,
        not_before: fields.integer("not_before", NOT_BEFORE)?.map(|at| LedgerTime(at.cast_unsigned())),
        priority: fields.integer("priority", PRIORITY)?.map_or(0, |priority| i8::try_from(priority).expect("PRIORITY fits")),
        max_offers: fields.integer("max_offers", MAX_OFFERS)?.map_or(0, |count| u32::try_from(count).expect("MAX_OFFERS fits")),
        snooze: fields.duration("snooze", WAIT)?,
    };
    engagement.fingerprint = fingerprint(&engagement, &meaning);
    Ok(engagement)
}

fn notice(fields: &Fields<'_>) -> Result<Notice, BodyError> {
    if let Some(name) = fields.given().find(|name| !NOTICE_FIELDS.contains(name)) {
        return Err(BodyError::bad(name, "means nothing with mode \"fire_and_forget\"; hint: leave it out"));
    }
    let id = fields.id("id", EngagementId::parse)?;
    let (payload, _) = payload(fields.raw("payload"))?;
    Ok(Notice { id, payload, targets: targets(fields)? })
}

fn targets(fields: &Fields<'_>) -> Result<Targets, BodyError> {
    let targets = fields.word("targets", &[("active", Targets::Active), ("all", Targets::All)])?;
    Ok(targets.unwrap_or(Targets::Active))
}

/// The payload as it was sent, and what it means. Parsing it finds what a reader of mere text lets pass (a lone surrogate, a number without end); its depth is bounded as that of
/// an ack's data is, since an offer puts it two levels down for a parser that may stop at 128.
fn payload(raw: Option<&RawValue>) -> Result<(Payload, Value), BodyError> {
    let text = raw.ok_or_else(|| BodyError::bad("payload", "is needed"))?.get();
    if text.len() > PAYLOAD_MAX_BYTES {
        let must = format!("has {} bytes of JSON text; it may have up to {PAYLOAD_MAX_BYTES}", text.len());
        return Err(BodyError::TooLarge { field: "payload".to_owned(), must });
    }
    let meaning =
        serde_json::from_str(text).map_err(|error| BodyError::bad("payload", format!("is not JSON that can be kept: {error}")))?;
    if !json::is_sound(text) {
        return Err(BodyError::bad("payload", format!("nests too deep; it may have up to {} levels", json::DEPTH_MAX)));
    }
    Ok((Payload(Bytes::copy_from_slice(text.as_bytes())), meaning))
}
