//! The binary: hands its arguments to the command line.

use std::process::ExitCode;

/// Gives memory back after a storm of connections, and keeps the tail short.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages, in which all of a buffer is resident when its first bytes are touched: an idle connection took half as much
    // again, while HTTP's two of 8 KiB lay beneath it. A system that can't do it only takes more memory.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    engage::cli::run()
}
