//! A process for one seed: this binary, started again. A run that panics, hangs or eats its memory harms no other, and nothing of one run is left in the next.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use engage::clock;

use crate::arguments::Arguments;
use crate::world::Report;

/// How often is looked whether a run has ended.
const LOOK: Duration = Duration::from_millis(5);
/// How much of what a run wrote to stderr is shown when it failed.
const SHOWN_LINES: usize = 30;

/// What became of a seed.
#[derive(Debug)]
pub struct Finished {
    pub seed: u64,
    pub report: Report,
    pub wall_ms: u64,
    /// The last lines that it wrote to stderr.
    pub stderr: String,
}

/// Runs a seed to its end.
pub fn run(arguments: &Arguments, seed: u64) -> Finished {
    let start = clock::monotonic();
    let elapsed_ms = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut child = start_child(arguments, seed);
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let mut has_hung = false;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child of ours can be waited for") {
            break status;
        }
        if elapsed_ms() > arguments.limit * 1_000 && !has_hung {
            has_hung = true;
            child.kill().expect("a child of ours can be ended");
        }
        thread::sleep(LOOK);
    };
    let (stdout, stderr) = (text_of(stdout), text_of(stderr));
    let report = match serde_json::from_str::<Report>(stdout.lines().last().unwrap_or_default()) {
        _ if has_hung => failed(format!("it hangs: not over after {} s", arguments.limit)),
        Ok(report) if status.success() => report,
        _ => failed(format!("it ended without a report, {status}")),
    };
    Finished { seed, report, wall_ms: elapsed_ms(), stderr: shown(&stderr) }
}

/// From the last panic on, or else what was written last.
fn shown(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().collect();
    let panicked = lines.iter().rposition(|line| line.contains("panicked at"));
    let from = panicked.unwrap_or(lines.len().saturating_sub(SHOWN_LINES));
    lines[from..].iter().take(SHOWN_LINES).copied().collect::<Vec<_>>().join("\n")
}

fn failed(violation: String) -> Report {
    Report { violations: vec![violation], ..Report::default() }
}

fn start_child(arguments: &Arguments, seed: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this binary has a path"));
    command.arg("--child").arg(seed.to_string()).args(arguments.of_the_run());
    if arguments.log {
        command.arg("--log");
    }
    for (name, path) in [("--history", &arguments.history), ("--trace-file", &arguments.trace_file)] {
        if let Some(path) = path {
            command.arg(name).arg(path);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(if arguments.log { Stdio::inherit() } else { Stdio::piped() });
    command.spawn().expect("this binary can be started again")
}

/// Reads in a thread of its own, since a pipe that nobody empties stops the one who writes.
fn drain<R: Read + Send + 'static>(pipe: Option<R>) -> Option<thread::JoinHandle<String>> {
    let mut pipe = pipe?;
    let read = move || {
        let mut bytes = Vec::new();
        // What was read before an error is still of use.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Some(thread::spawn(read))
}

fn text_of(reader: Option<thread::JoinHandle<String>>) -> String {
    reader.map_or_else(String::new, |reader| reader.join().expect("a reader doesn't panic"))
}
