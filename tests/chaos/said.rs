//! What is said past the capture of the test runner: that something was skipped, and why. A skip never looks like a pass.

use std::io::Write;

/// Set where nothing may be skipped, as in `tests/chaos/run`.
const MUST: &str = "ENGAGE_CHAOS_MUST";

/// A line on the real stderr, also of a test that passes.
pub fn aloud(line: &str) {
    // A closed stderr is no reason to fail.
    let _ = writeln!(std::io::stderr(), "chaos: {line}");
}

/// Says that a test can't run here; it fails where `ENGAGE_CHAOS_MUST` is set.
pub fn skipped(test: &str, why: &str) {
    assert!(std::env::var_os(MUST).is_none(), "{test} can't run here, and {MUST} is set: {why}");
    aloud(&format!("SKIPPED {test}: {why}"));
}
