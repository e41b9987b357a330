//! The fingerprint of an engagement: one number for all that makes its content, so that a second publish of a key can be told to say the same or something else.
//! It goes into the ledger's log: what is hashed, and how, must not change between versions.

use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

use crate::ledger::engagement::{Engagement, Scope, SettleOn, Targets};

/// Hashes the content: the payload by its meaning (the order of keys and white space don't matter), and every option after its default.
/// The id is no part of it, and neither is `engagement.fingerprint`.
#[must_use]
pub fn fingerprint(engagement: &Engagement, payload: &Value) -> u64 {
    let mut hash = Xxh3::new();
    number(&mut hash, u64::from(engagement.steps));
    number(
        &mut hash,
        match engagement.settle_on {
            SettleOn::Shown => 0,
            SettleOn::Completed => 1,
        },
    );
    number(
        &mut hash,
        match engagement.scope {
            Scope::User => 0,
            Scope::Device => 1,
        },
    );
    number(
        &mut hash,
        match engagement.targets {
            Targets::Active => 0,
            Targets::All => 1,
        },
    );
    let times = [
        engagement.window.map(|span| span.0),
        engagement.ttl.map(|span| span.0),
        engagement.not_before.map(|at| at.0),
        engagement.snooze.map(|span| span.0),
    ];
    for time in times {
        // No time reaches the greatest number, so it can stand for none.
        number(&mut hash, time.unwrap_or(u64::MAX));
    }
    number(&mut hash, i64::from(engagement.priority).cast_unsigned());
    number(&mut hash, u64::from(engagement.max_offers));
    value(&mut hash, payload);
    hash.digest()
}

fn number(hash: &mut Xxh3, number: u64) {
    hash.update(&number.to_le_bytes());
}

fn text(hash: &mut Xxh3, text: &str) {
    number(hash, text.len() as u64);
    hash.update(text.as_bytes());
}

/// A tag before each value and a length before each text and list: no two values give the same bytes. The parser bounds how deep this goes.
fn value(hash: &mut Xxh3, json: &Value) {
    match json {
        Value::Null => hash.update(b"n"),
        Value::Bool(false) => hash.update(b"f"),
        Value::Bool(true) => hash.update(b"t"),
        Value::Number(figure) => {
            hash.update(b"#");
            text(hash, &figure.to_string());
        }
        Value::String(string) => {
            hash.update(b"s");
            text(hash, string);
        }
        Value::Array(list) => {
            hash.update(b"[");
            number(hash, list.len() as u64);
            for item in list {
                value(hash, item);
            }
        }
        Value::Object(object) => {
            hash.update(b"{");
            number(hash, object.len() as u64);
            // Sorted here, not trusted to be: the map keeps the order of the text when a dependency asks for that.
            let mut entries: Vec<(&String, &Value)> = object.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            for (key, item) in entries {
                text(hash, key);
                value(hash, item);
            }
        }
    }
}
