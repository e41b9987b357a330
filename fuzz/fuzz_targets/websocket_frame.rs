//! The bytes of a client's WebSocket: frames, and their fragments put together. See the check for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engage_fuzz::actors::checks::websocket_frame(data));
