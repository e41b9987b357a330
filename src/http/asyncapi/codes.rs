//! The codes of the client protocol as the documents show them, made of the one table in `protocol::code`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::protocol::code::{Code, Meaning};

/// The codes that a client may meet in an `error` or a `bye`.
pub(super) fn of_clients() -> Value {
    let names: Vec<&str> = Code::ALL.into_iter().filter(|code| is_of_clients(*code)).map(Code::name).collect();
    json!({"type": "string", "enum": names, "description": "The stable word."})
}

/// Each close code of a WebSocket: the words that stand for it, and whether to come back.
pub(super) fn closes() -> Value {
    let mut closes: BTreeMap<u16, Vec<Meaning>> = BTreeMap::new();
    for meaning in Code::ALL.map(Code::meaning) {
        if let Some(close) = meaning.close {
            closes.entry(close).or_default().push(meaning);
        }
    }
    let line = |(close, meanings): (&u16, &Vec<Meaning>)| {
        let codes: Vec<Value> = meanings.iter().map(|it| json!({"code": it.name, "title": it.title, "reconnect": it.reconnect})).collect();
        json!({"close": close, "codes": codes})
    };
    closes.iter().map(line).collect()
}

/// What ends a connection is told on it first; these two answer a message.
fn is_of_clients(code: Code) -> bool {
    code.meaning().close.is_some() || matches!(code, Code::UnknownDelivery | Code::StepOutOfRange)
}
