//! README's walk, run as it stands there: every command is typed, and what it prints is compared with what README says it prints.
//!
//! Between `<!-- walk -->` and `<!-- /walk -->`, each block that begins with "```console N" goes on in terminal N. `$ ` begins a command, `^C` is Ctrl-C, every
//! other line is output; … stands for what differs from run to run, and alone on a line for any lines. A terminal doesn't wait for the others: where a
//! command needs what another terminal did, that one prints something that is waited for. The binary is the one that this test was built with, or
//! the one that `ENGAGE_BIN` names.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::source::root;
use crate::terminal::Terminal;

/// The addresses that README and the configurations of its three nodes show; the test takes free ones.
const ADDRESSES: [&str; 6] = ["127.0.0.1:7400", "127.0.0.1:7401", "127.0.0.1:7410", "127.0.0.1:7411", "127.0.0.1:7420", "127.0.0.1:7421"];

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
    let addresses = Addresses::free();
    let variables = prepare(folder.path(), &addresses);
    // A node whose configuration is named by the environment tells its reader so; README's needs none.
    let hidden = format!(" --config {}", variables["ENGAGE_CONFIG"]);
    let mut terminals: BTreeMap<String, Terminal> = BTreeMap::new();
    for (terminal, line) in lines {
        let terminal = terminals.entry(terminal).or_insert_with(|| Terminal::open(folder.path(), &variables, hidden.clone()));
        match line {
            Line::Command(command) => terminal.run(&addresses.put(&command)),
            Line::Interrupt => terminal.interrupt(),
            Line::Output(pattern) => terminal.expect(&addresses.put(&pattern)),
        }
    }
    terminals.values_mut().for_each(Terminal::end);
}

/// What stands for each of README's addresses.
struct Addresses(Vec<(&'static str, String)>);

impl Addresses {
    /// Ports that nobody has.
    fn free() -> Addresses {
        // All are taken before one is let go, so that no two are the same.
        let sockets: Vec<TcpListener> = ADDRESSES.iter().map(|_| TcpListener::bind("127.0.0.1:0").expect("there is a free port")).collect();
        let free = sockets.iter().map(|socket| socket.local_addr().expect("it is bound").to_string());
        Addresses(ADDRESSES.into_iter().zip(free).collect())
    }

    /// A text with the free addresses in it.
    fn put(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (shown, free)| text.replace(shown, free))
    }
}

/// Puts into the folder what README has its reader put there, and makes it so that `engage` is found, and that a node without a configuration takes a free port.
fn prepare(folder: &Path, addresses: &Addresses) -> BTreeMap<String, String> {
    let binary = std::env::var_os("ENGAGE_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_engage")), |path| root().join(path));
    assert!(binary.exists(), "{} is not there", binary.display());
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).expect("the folder is empty");
    symlink(binary, bin.join("engage")).expect("the folder is empty");
    for name in ["node1.toml", "node2.toml", "node3.toml"] {
        let shipped = std::fs::read_to_string(root().join("config").join(name)).expect("it is shipped");
        std::fs::write(folder.join(name), addresses.put(&shipped)).expect("the folder can be written to");
    }
    let listen = |section: &str, shown: &str| addresses.put(&format!("[{section}]\nlisten = \"{shown}\"\n"));
    let config = folder.join("bin/engage.toml");
    let text = listen("http", ADDRESSES[0]) + &listen("cluster", ADDRESSES[1]);
    std::fs::write(&config, text).expect("the folder can be written to");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    [("PATH", path), ("ENGAGE_CONFIG", config.display().to_string())].map(|(name, value)| (name.to_owned(), value)).into()
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
