//! README's walk, run as it stands there: every command is typed, and what it prints is compared with what README says it prints.
//!
//! Between `<!-- walk -->` and `<!-- /walk -->`, each block that begins with "```console N" goes on in terminal N. `$ ` begins a command, `^C` is Ctrl-C, every
//! other line is output; … stands for what differs from run to run, and alone on a line for any lines. The binary is the one that this test was built with, or
//! the one that `ENGAGE_BIN` names.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::source::root;
use crate::terminal::Terminal;

/// The address that README shows; the test takes a free one.
const ADDRESS: &str = "127.0.0.1:7400";

/// A line of the walk.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Command(String),
    Interrupt,
    Output(String),
}

#[test]
fn the_walk_in_readme_prints_what_readme_says() {
    let text = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let lines = read(&text);
    let commands = lines.iter().filter(|(_, line)| matches!(line, Line::Command(_))).count();
    assert!(commands >= 5, "only {commands} commands were found in README's walk");

    let folder = tempfile::tempdir().expect("there is room for a folder");
    let address = format!("127.0.0.1:{}", free_port());
    let variables = variables(&folder, &address);
    // A node on another port tells its reader so; README's is on the usual one.
    let hidden = format!(" --url http://{address}");
    let mut terminals: BTreeMap<String, Terminal> = BTreeMap::new();
    for (terminal, line) in lines {
        let terminal = terminals.entry(terminal).or_insert_with(|| Terminal::open(folder.path(), &variables, hidden.clone()));
        match line {
            Line::Command(command) => terminal.run(&command.replace(ADDRESS, &address)),
            Line::Interrupt => terminal.interrupt(),
            Line::Output(pattern) => terminal.expect(&pattern.replace(ADDRESS, &address)),
        }
    }
    terminals.values_mut().for_each(Terminal::end);
}

/// `engage` is found, and its node takes a port that nobody else has.
fn variables(folder: &tempfile::TempDir, address: &str) -> BTreeMap<String, String> {
    let binary = std::env::var_os("ENGAGE_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_engage")), |path| root().join(path));
    assert!(binary.exists(), "{} is not there", binary.display());
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).expect("the folder is empty");
    symlink(binary, bin.join("engage")).expect("the folder is empty");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let cluster = format!("127.0.0.1:{}", free_port());
    let variables = [("PATH", path.as_str()), ("ENGAGE_HTTP__LISTEN", address), ("ENGAGE_CLUSTER__LISTEN", &cluster)];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("there is a free port").port()
}

/// The lines of the walk, each with its terminal.
fn read(text: &str) -> Vec<(String, Line)> {
    let walk = text.split_once("<!-- walk -->").and_then(|(_, rest)| rest.split_once("<!-- /walk -->"));
    let (walk, _) = walk.expect("README has a walk between its two marks");
    let mut lines: Vec<(String, Line)> = Vec::new();
    let mut terminal: Option<String> = None;
    for line in walk.lines() {
        if let Some(info) = line.strip_prefix("```") {
            terminal = info.strip_prefix("console ").map(str::to_owned);
            continue;
        }
        let Some(terminal) = &terminal else { continue };
        if let Some((_, Line::Command(command))) = lines.last_mut()
            && command.ends_with('\\')
        {
            command.push('\n');
            command.push_str(line);
            continue;
        }
        let line = match line.strip_prefix("$ ") {
            Some(command) => Line::Command(command.to_owned()),
            None if line == "^C" => Line::Interrupt,
            None => Line::Output(line.to_owned()),
        };
        lines.push((terminal.clone(), line));
    }
    lines
}

#[test]
fn a_walk_is_read_from_its_marked_blocks() {
    let text = "```console 1\n$ not yet\n```\n<!-- walk -->\nprose\n```console 1\n$ a \\\n  b\nout\n```\n```sh\n$ other\n```\n```console 2\n^C\n```\n<!-- /walk -->";
    let one = |line| ("1".to_owned(), line);
    let expected = [one(Line::Command("a \\\n  b".to_owned())), one(Line::Output("out".to_owned())), ("2".to_owned(), Line::Interrupt)];
    assert_eq!(read(text), expected);
}
