//! A snapshot, as a file and as the chunks of a ledger. See the check for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engage_fuzz::shard::checks::snapshot(data));
