//! What is published, and the ids by which it is known again. Writes JSON, and sends nothing.

use serde_json::json;

/// What a round's engagement is called; the number tells which round of its person it is.
pub(super) fn id(number: u64) -> String {
    format!("b{number}")
}

/// The number in such an id.
pub(super) fn number(id: &str) -> Option<u64> {
    id.strip_prefix('b').and_then(|number| number.parse().ok())
}

/// An engagement of one step, whose payload is about so long.
pub(super) fn engagement(id: &str, payload_bytes: usize) -> String {
    // What stands around the text.
    const FRAME_BYTES: usize = 11;
    let text = "x".repeat(payload_bytes.saturating_sub(FRAME_BYTES));
    format!(r#"{{"id":"{id}","payload":{{"text":"{text}"}}}}"#)
}

/// One item of a request with several.
pub(super) fn item(user: &str, engagement: &str) -> String {
    format!(r#"{{"user":"{user}",{}"#, &engagement[1..])
}

/// The same for many.
pub(super) fn many(users: &[String], engagement: &str) -> String {
    format!(r#"{{"users":{},"engagement":{engagement}}}"#, json!(users))
}

/// An ack that settles it.
pub(super) fn ack(id: &str, window: &str) -> String {
    format!(r#"{{"type":"ack","id":"{id}","window":"{window}","step":1}}"#)
}

/// A hello, with the acks that were not confirmed and the keys on the screen, both as (id, window).
pub(super) fn hello(token: &str, acks: &[(String, String)], open: &[(String, String)]) -> String {
    let acks: Vec<_> = acks.iter().map(|(id, window)| json!({"id": id, "window": window, "step": 1})).collect();
    let open: Vec<_> = open.iter().map(|(id, window)| json!({"id": id, "window": window})).collect();
    json!({"type": "hello", "token": token, "device": "phone", "max_in_flight": MAX_IN_FLIGHT, "acks": acks, "open": open, "client": "engage-bench"})
        .to_string()
}

/// More than anything that waits for one person here.
const MAX_IN_FLIGHT: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_as_long_as_was_asked() {
        let body: serde_json::Value = serde_json::from_str(&engagement("b1", 200)).unwrap();
        assert_eq!(body["payload"].to_string().len(), 200);
        assert_eq!(number(&id(7)), Some(7));
        assert_eq!(number("other"), None);
    }
}
