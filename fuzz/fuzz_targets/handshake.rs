//! The handshake of a link, both sides of it. See the check for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engage_fuzz::cluster::links::checks::handshake(data));
