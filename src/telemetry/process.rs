//! What the kernel says of this process, where it says it in files.

use std::fs;

/// Memory that is resident.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())?;
    Some(kib * 1024)
}

/// File descriptors that are open.
#[must_use]
pub fn open_files() -> Option<u64> {
    fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64)
}
