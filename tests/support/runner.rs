//! The binary under test, and running its client commands.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::DEADLINE;

/// The binary that cargo built for this test, or another one named by `ENGAGE_BIN` (a release build, say).
pub fn binary() -> String {
    std::env::var("ENGAGE_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_engage").to_owned())
}

/// The variable that says which deliberate bug is at work in a build for the mutants (docs/mutants.md); passed on to every process.
pub fn mutant() -> Option<(&'static str, String)> {
    const VARIABLE: &str = "ENGAGE_MUTANT";
    std::env::var(VARIABLE).ok().map(|name| (VARIABLE, name))
}

/// What a command left behind.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// It must have done what it was to do.
    #[track_caller]
    pub fn succeeds(&self) {
        assert_eq!(self.code, 0, "it said: {}{}", self.stdout, self.stderr);
    }
}

/// Runs `engage` with these arguments and this environment alone, to its end.
pub fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    run_for(arguments, environment, DEADLINE)
}

/// The same, of a command that may take longer than most.
pub fn run_for(arguments: &[&str], environment: &[(&str, &str)], deadline: Duration) -> Ran {
    let mut running = Running::start(arguments, environment);
    let ended = || running.process.try_wait().expect("its status can be read");
    let code = super::wait::until_blocking_for(deadline, &format!("{arguments:?} ends"), ended);
    let collect = |lines: &Receiver<String>| lines.iter().map(|line| line + "\n").collect();
    Ran { code: code.code().expect("it was not ended by a signal"), stdout: collect(&running.stdout), stderr: collect(&running.stderr) }
}

/// A command that goes on until it is ended; it ends with this value.
pub struct Running {
    process: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Running {
    /// Starts `engage` with these arguments and this environment alone.
    pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Running {
        let mut process = Command::new(binary())
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied())
            .envs(mutant())
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stdout = lines_of(process.stdout.take().expect("a pipe"));
        let stderr = lines_of(process.stderr.take().expect("a pipe"));
        Running { process, stdout, stderr }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it has ended by itself, and says with which code.
    pub fn wait_for_exit(&mut self) -> i32 {
        let ended = || self.process.try_wait().expect("its status can be read");
        super::wait::until_blocking("the command ends", ended).code().expect("it was not ended by a signal")
    }

    /// The next line that it prints on stdout.
    pub fn line(&mut self) -> String {
        self.stdout.recv_timeout(DEADLINE).unwrap_or_else(|_| {
            let _ = self.process.kill();
            panic!("no line came; it said: {}", self.stderr.iter().collect::<Vec<_>>().join("\n"))
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The lines of a pipe, read by a thread of their own so that no full pipe holds the command up.
fn lines_of(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
