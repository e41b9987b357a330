//! The binary: hands its arguments to the command line.

use std::process::ExitCode;

/// Gives memory back after a storm of connections, and keeps the tail short.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    engage::cli::run()
}
