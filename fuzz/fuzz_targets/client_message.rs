//! What clients send: frames of a WebSocket, and the body of `POST /v1/messages`. See the check for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engage_fuzz::protocol::checks::client_message(data));
