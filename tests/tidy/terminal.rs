//! A terminal to type into and to read from: one bash, line by line. It checks output in order and knows nothing of what is run in it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long a line may take to come.
const LINE_TIMEOUT: Duration = Duration::from_secs(60);
/// What stands for anything within a line; alone on a line, for any lines.
pub const ANYTHING: &str = "…";
/// Printed after each command, so that its end is seen.
const END: &str = "~~ end of command ~~";

pub struct Terminal {
    bash: Child,
    lines: Receiver<String>,
    /// All that was typed and read, to show when something is not as it should be.
    transcript: Vec<String>,
    state: State,
    /// Lines that don't match are passed over until one does.
    is_passing: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Prompt,
    Running,
}

impl Terminal {
    /// A bash in a folder, with those variables set. What is `hidden` is taken out of every line that it prints.
    pub fn open(folder: &Path, variables: &BTreeMap<String, String>, hidden: String) -> Terminal {
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc"]).current_dir(folder).envs(variables);
        // Its own process group, so that ^C and the end reach all that runs in it, and nothing else.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ENGAGE_") && !variables.contains_key(name)) {
            command.env_remove(name);
        }
        let mut bash = command.spawn().expect("bash can be started");
        let output = BufReader::new(bash.stdout.take().expect("its output is piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line.replace(&hidden, ""))));
        let mut terminal = Terminal { bash, lines, transcript: Vec::new(), state: State::Prompt, is_passing: false };
        terminal.write("exec 2>&1");
        terminal
    }

    /// Runs a command, when the one before it has ended.
    pub fn run(&mut self, command: &str) {
        self.end();
        self.transcript.push(format!("$ {command}"));
        self.write(command);
        self.write(&format!("echo; echo '{END}'"));
        self.state = State::Running;
    }

    /// Ctrl-C.
    pub fn interrupt(&mut self) {
        self.transcript.push("^C".to_owned());
        self.signal("INT");
    }

    /// The next line of output is this one.
    pub fn expect(&mut self, pattern: &str) {
        if pattern == ANYTHING {
            self.is_passing = true;
            return;
        }
        loop {
            let Some(line) = self.next_line() else { self.fail(&format!("{pattern:?} was due, and nothing came")) };
            if matches(pattern, &line) {
                self.is_passing = false;
                return;
            }
            if !self.is_passing || line == END {
                self.fail(&format!("the line before this one was due:\n{pattern}"));
            }
        }
    }

    /// The command has ended, or does so now, and has printed nothing that was not expected.
    pub fn end(&mut self) {
        while self.state == State::Running {
            let Some(line) = self.next_line() else { self.fail("the command does not end") };
            if line == END {
                self.state = State::Prompt;
            } else if !line.is_empty() && !self.is_passing {
                self.fail("this line was not expected");
            }
        }
        self.is_passing = false;
    }

    fn next_line(&mut self) -> Option<String> {
        let line = self.lines.recv_timeout(LINE_TIMEOUT).ok()?;
        self.transcript.push(line.clone());
        Some(line)
    }

    fn write(&mut self, line: &str) {
        let input = self.bash.stdin.as_mut().expect("its input is piped");
        writeln!(input, "{line}").expect("bash reads");
    }

    fn signal(&self, name: &str) {
        let group = format!("-{}", self.bash.id());
        // Where nothing runs any more there is nothing to signal.
        let _ = Command::new("kill").args([&format!("-{name}"), "--", &group]).stderr(Stdio::null()).status();
    }

    fn fail(&self, what: &str) -> ! {
        panic!("{}\n<<< {what}", self.transcript.join("\n"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.bash.wait();
    }
}

/// Whether a line is what the pattern says.
fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.trim_end().split(ANYTHING);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.trim_end().strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn an_ellipsis_stands_for_anything_within_a_line() {
    assert!(matches("a…c…e", "abcde") && matches("…", "x") && matches("a", "a "));
    assert!(!matches("a…c", "abcd") && !matches("a", "ab") && !matches("a…b…c", "acb"));
}

#[test]
fn output_is_checked_in_order_and_to_the_end() {
    let mut terminal = Terminal::open(Path::new("."), &BTreeMap::new(), "nothing of this".to_owned());
    terminal.run("echo one; echo noise; echo more noise; echo two >&2");
    terminal.expect("one");
    terminal.expect(ANYTHING);
    terminal.expect("t…o");
    terminal.run("printf 'no end of line'");
    terminal.expect("no end of line");
    terminal.end();
}

#[test]
#[should_panic(expected = "this line was not expected")]
fn a_line_too_many_is_a_failure() {
    let mut terminal = Terminal::open(Path::new("."), &BTreeMap::new(), "nothing of this".to_owned());
    terminal.run("echo one; echo two");
    terminal.expect("one");
    terminal.end();
}
