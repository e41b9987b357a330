//! What stands in a path, a query or a header: ids with their escapes, durations, cursors, tokens. See the check for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engage_fuzz::protocol::checks::request_text(data));
