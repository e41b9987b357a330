//! The records of a log, as they may lie on a disk. See the check for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engage_fuzz::shard::checks::log_record(data));
