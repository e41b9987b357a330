//! Real faults: real processes, and what disks do to them.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its part of the harness")]
mod support;

mod damage;
