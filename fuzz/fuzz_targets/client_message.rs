//! What clients send: frames of a WebSocket, and the body of `POST /v1/messages`. Whatever comes, it is read or refused, never a panic; and what is read lies within
//! the bounds of the contract.
#![no_main]

use engage_fuzz::ledger::command::Ack;
use engage_fuzz::ledger::engagement::DATA_MAX_BYTES;
use engage_fuzz::protocol::client_message::ClientMessage;
use engage_fuzz::protocol::frame::{self, FRAME_MESSAGES_MAX, Messages};
use engage_fuzz::protocol::hello::{HELLO_KEYS_MAX, MAX_IN_FLIGHT_MAX};
use engage_fuzz::protocol::post;
use engage_fuzz::protocol::refusal::Refusal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
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
});

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
        serde_json::from_slice::<serde_json::Value>(&data.0).expect("data is JSON");
    }
}

fn check_refusal(refusal: &Refusal) {
    let meaning = refusal.code.meaning();
    assert!((400..500).contains(&meaning.status), "what a client sends is never the server's fault");
    assert!(!refusal.message.is_empty());
}
