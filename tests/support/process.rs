//! One run of the binary as a node: a real process that can be killed, paused and told to stop. Nothing of it outlives the test process, however that one ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use engage::clock;
use rustix::process::{Pid, Signal, kill_process};

use super::runner;
use super::seat::Seat;
use super::wait::until_blocking;

/// What a run is started with.
pub struct Start<'a> {
    /// `serve`, or `join` and the peer.
    pub arguments: &'a [&'a str],
    /// All of its environment.
    pub environment: &'a BTreeMap<String, String>,
    /// Its working directory, which holds its log, and which goes when the test process ends without taking it away.
    pub home: &'a Path,
    /// The limit of open files that it gets, if not the one of the tests.
    pub open_files: Option<u32>,
    /// Where it runs, if not among all others.
    pub seat: Option<&'a Seat>,
}

/// A running process, and the shell that ends it should the tests end without doing so.
pub struct Process {
    process: Child,
    watcher: Child,
}

impl Process {
    /// Starts it, with its output appended to the log.
    pub fn spawn(start: &Start) -> Process {
        let log = File::options().create(true).append(true).open(log_path(start.home)).expect("the log can be opened");
        let process = command(start)
            .env_clear()
            .envs(start.environment)
            .envs(start.seat.into_iter().flat_map(|seat| &seat.environment))
            .envs(runner::mutant())
            .env("RUST_BACKTRACE", "1")
            .current_dir(start.home)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let watcher = watch(process.id(), start.home);
        Process { process, watcher }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().expect("its status can be read")
    }

    /// Ends it at once, as a crash does.
    pub fn kill(mut self) {
        end(&mut self.watcher);
        end(&mut self.process);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).expect("a process id fits");
        kill_process(Pid::from_raw(id).expect("a process id is not 0"), signal).expect("the process can be signalled");
    }

    /// Waits until it has ended by itself; how it ended, and how long that took from the call.
    pub fn wait_for_exit(mut self) -> (ExitStatus, Duration) {
        let start = clock::monotonic();
        let status = until_blocking("the node ends", || self.ended());
        let took = clock::monotonic() - start;
        end(&mut self.watcher);
        (status, took)
    }
}

/// Where the runs in a home write what they have to say.
pub fn log_path(home: &Path) -> PathBuf {
    home.join("log")
}

/// The last lines of a log.
pub fn tail(log: &str, lines_max: usize) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(lines_max)..].join("\n")
}

fn command(start: &Start) -> Command {
    let Some(open_files) = start.open_files else {
        let launcher = start.seat.map_or(&[] as &[String], |seat| &seat.launcher);
        let binary = runner::binary();
        let mut words = launcher.iter().map(String::as_str).chain([binary.as_str()]).chain(start.arguments.iter().copied());
        let mut command = Command::new(words.next().expect("at least the binary"));
        command.args(words);
        return command;
    };
    let mut command = Command::new("/bin/sh");
    let limited = "limit=$1; shift; ulimit -n \"$limit\" && exec \"$0\" \"$@\"";
    command.args(["-c", limited]).arg(runner::binary()).arg(open_files.to_string()).args(start.arguments);
    command
}

/// A shell that waits for the end of the test process (then its stdin closes), and ends the node and its data after it.
fn watch(process: u32, home: &Path) -> Child {
    Command::new("sh")
        .args(["-c", "cat >/dev/null; kill -9 \"$1\"; rm -rf -- \"$2\"", "sh", &process.to_string()])
        .arg(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell starts")
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}
