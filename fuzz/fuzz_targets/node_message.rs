//! What nodes say to each other behind the frames, and the commands of the meta group. See the check for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engage_fuzz::cluster::checks::node_message(data));
