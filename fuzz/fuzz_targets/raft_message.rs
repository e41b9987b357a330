//! What replicas of a group say to each other. See the check for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engage_fuzz::shard::checks::raft_message(data));
