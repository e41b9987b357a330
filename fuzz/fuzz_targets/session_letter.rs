//! What an edge and an owner say to each other. See the check for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engage_fuzz::actors::checks::session_letter(data));
