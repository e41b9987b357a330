//! The binary under test, and running its client commands to their end.

use std::process::{Command, Output, Stdio};

/// The binary that cargo built for this test, or another one named by `ENGAGE_TEST_BINARY` (a release build, say).
pub fn binary() -> String {
    std::env::var("ENGAGE_TEST_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_engage").to_owned())
}

/// What a command left behind.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `engage` with these arguments and this environment alone, to its end.
pub fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let output: Output = command(arguments, environment).stdin(Stdio::null()).output().expect("the binary runs");
    Ran {
        code: output.status.code().expect("it was not ended by a signal"),
        stdout: String::from_utf8(output.stdout).expect("its output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("its messages are UTF-8"),
    }
}

/// The command, for those that go on until they are ended.
pub fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env_clear().envs(environment.iter().copied()).current_dir(std::env::temp_dir());
    command
}
