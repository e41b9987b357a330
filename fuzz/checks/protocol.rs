//! What comes in from clients and publishers as text: frames of the client protocol, bodies of the API, and what stands in paths, queries and headers. Whatever comes, it is
//! read or refused, never a panic; and what is read lies within the bounds of the contract.

use serde_json::Value;

use super::api::cursor::Cursor;
use super::api::fields::BodyError;
use super::api::many::{ITEMS_MAX, Many};
use super::api::publish::{PRIORITY, Publish, STEPS, WAIT, WINDOW};
use super::client_message::ClientMessage;
use super::frame::{self, FRAME_MESSAGES_MAX, Messages};
use super::hello::{HELLO_KEYS_MAX, MAX_IN_FLIGHT_MAX};
use super::refusal::Refusal;
use super::token::Verifier;
use super::{duration, percent, post};
use crate::ledger::command::Ack;
use crate::ledger::engagement::{DATA_MAX_BYTES, Engagement, PAYLOAD_MAX_BYTES};
use crate::ledger::ids::{EngagementId, UserId};

/// Frames of a WebSocket, and the body of `POST /v1/messages`.
pub fn client_message(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        match frame::parse(text) {
            Ok(messages) => check_messages(&messages),
            Err(refusal) => check_refusal(&refusal),
        }
    }
    match post::parse(data) {
        Ok(post) => check_messages(&post.messages),
        Err(refusal) => check_refusal(&refusal),
    }
}

fn check_messages(messages: &Messages) {
    assert!(messages.len() <= FRAME_MESSAGES_MAX);
    for message in messages {
        match message {
            Ok(message) => check_message(message),
            Err(refusal) => check_refusal(refusal),
        }
    }
}

fn check_message(message: &ClientMessage) {
    match message {
        ClientMessage::Ack { ack, .. } => check_ack(ack),
        ClientMessage::Hello(hello) => {
            assert!((1..=MAX_IN_FLIGHT_MAX).contains(&hello.max_in_flight));
            assert!(hello.acks.len() <= HELLO_KEYS_MAX && hello.open.len() <= HELLO_KEYS_MAX);
            hello.acks.iter().filter_map(|ack| ack.ack.as_ref().ok()).for_each(check_ack);
            hello.acks.iter().filter_map(|ack| ack.ack.as_ref().err()).for_each(check_refusal);
        }
        _ => {}
    }
}

/// Data is handed on as it came, so it must be whole JSON by itself.
fn check_ack(ack: &Ack) {
    if let Some(data) = &ack.data {
        assert!(data.0.len() <= DATA_MAX_BYTES);
        serde_json::from_slice::<Value>(&data.0).expect("data is JSON");
    }
}

fn check_refusal(refusal: &Refusal) {
    let meaning = refusal.code.meaning();
    assert!((400..500).contains(&meaning.status), "what a client sends is never the server's fault");
    assert!(!refusal.message.is_empty());
}

/// The body of a publish to one and to many. What is read means the same when it is written in another form.
pub fn publish_body(data: &[u8]) {
    match Publish::read(data) {
        Ok(publish) => {
            check_publish(&publish);
            check_other_form(data, &publish);
        }
        Err(error) => check_error(&error),
    }
    match Many::read(data) {
        Ok(many) => check_many(many),
        Err(error) => check_error(&error),
    }
}

fn check_many(many: Many) {
    let items = many.items();
    assert!(items.len() <= ITEMS_MAX);
    for item in items {
        match item.publish {
            Ok((user, publish)) => {
                assert_eq!((item.user, item.id.as_ref()), (Some(user), Some(publish.id())));
                check_publish(&publish);
            }
            Err(error) => check_error(&error),
        }
    }
}

fn check_publish(publish: &Publish) {
    let payload = match publish {
        Publish::Standard(engagement) => {
            check_bounds(engagement);
            &engagement.payload
        }
        Publish::FireAndForget(notice) => &notice.payload,
    };
    assert!(payload.0.len() <= PAYLOAD_MAX_BYTES);
    serde_json::from_slice::<Value>(&payload.0).expect("a payload is JSON");
}

fn check_bounds(engagement: &Engagement) {
    assert!(STEPS.contains(&i64::from(engagement.steps)));
    assert!(PRIORITY.contains(&i64::from(engagement.priority)));
    assert!(engagement.window.is_none_or(|span| WINDOW.contains(&span)));
    assert!(engagement.ttl.is_none_or(|span| WAIT.contains(&span)));
    assert!(engagement.snooze.is_none_or(|span| WAIT.contains(&span)));
}

/// The same body with its keys in order and no white space is the same publish, but for the text of the payload.
fn check_other_form(data: &[u8], publish: &Publish) {
    let value: Value = serde_json::from_slice(data).expect("a body that was read is JSON");
    let other = Publish::read(value.to_string().as_bytes());
    match (publish, other) {
        (Publish::Standard(one), Ok(Publish::Standard(other))) => assert_eq!(one.fingerprint, other.fingerprint),
        (Publish::FireAndForget(one), Ok(Publish::FireAndForget(other))) => assert_eq!((&one.id, one.targets), (&other.id, other.targets)),
        // Another spelling may pass the bound of the payload's text (`\u0001` for a byte, `1.0e0` for `1e0`).
        (_, Err(BodyError::TooLarge { .. })) => {}
        (one, other) => panic!("{one:?} became {other:?}"),
    }
}

fn check_error(error: &BodyError) {
    let meaning = error.code().meaning();
    assert!(meaning.status == 400 || meaning.status == 413);
    assert!(!error.to_string().is_empty());
}

/// What stands in a path, a query or a header: ids with their escapes, durations, cursors, tokens.
pub fn request_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(bytes) = percent::decoded(text) {
        assert!(bytes.len() <= text.len());
        if let Ok(decoded) = std::str::from_utf8(&bytes) {
            let ids = (UserId::parse(decoded), EngagementId::parse(decoded));
            assert!(ids.0.is_ok() == ids.1.is_ok() && ids.0.is_ok_and(|user| user.as_str() == decoded) != ids.1.is_err());
        }
    }
    if let Ok(span) = duration::parse(text) {
        assert_eq!(duration::parse(&duration::format(span)), Ok(span));
    }
    for shard_count in [1, 16, 1_024] {
        if let Ok(cursor) = Cursor::parse(text, shard_count) {
            assert_eq!(cursor.to_string(), text);
            assert!(cursor.shard().0 < shard_count && cursor.positions().len() == usize::from(shard_count));
        }
    }
    let verifier = Verifier::from_secret(&[7; 32]).expect("the secret is long enough");
    // Nobody can sign without the secret, and the corpus holds nothing that is signed with it.
    assert!(verifier.verify(text, 0).is_err());
    Verifier::from_jwks(text).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz_corpus::walk;
    use crate::ledger::ids::ShardId;

    #[test]
    fn client_messages_of_the_corpus_are_read_or_refused() {
        walk("client_message", Vec::new(), client_message);
    }

    #[test]
    fn publish_bodies_of_the_corpus_are_read_or_refused() {
        walk("publish_body", Vec::new(), publish_body);
    }

    #[test]
    fn texts_of_requests_of_the_corpus_are_read_or_refused() {
        let samples = vec![
            ("path", b"a%2Fb%C3%A4%20c".to_vec()),
            ("half_an_escape", b"a%2".to_vec()),
            ("duration", b"90s".to_vec()),
            ("cursor_of_one_shard", Cursor::new(ShardId(0), vec![300]).to_string().into_bytes()),
            ("cursor_of_16_shards", Cursor::new(ShardId(15), (0..16).map(|place| 1 << (4 * place)).collect()).to_string().into_bytes()),
            ("cursor_at_the_end_of_numbers", Cursor::new(ShardId(0), vec![u64::MAX]).to_string().into_bytes()),
            (
                "token",
                crate::protocol::token::mint_hs256(&[8; 32], &UserId::parse("u").unwrap(), None, 4_000_000_000).unwrap().into_bytes(),
            ),
            ("jwks", br#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"AA","y":"AA","alg":"ES256"}]}"#.to_vec()),
        ];
        walk("request_text", samples, request_text);
    }
}
