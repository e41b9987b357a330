//! What publishers send: the body of a publish to one and to many. See the check for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engage_fuzz::protocol::checks::publish_body(data));
