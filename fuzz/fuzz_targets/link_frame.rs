//! The frames of a link between nodes. See the check for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engage_fuzz::cluster::links::checks::link_frame(data));
