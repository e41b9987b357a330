//! docs/history.md shows each kind of entry and names each rule and fault, and its example is a history that keeps the promises.

use std::collections::BTreeSet;

use super::fault::Fault;
use super::{planted, read_files};

fn text() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/history.md")).expect("the format is documented")
}

/// What stands between a text and the next one after it.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("there is no {begin:?}"));
    rest.split_once(end).map_or(rest, |(found, _)| found)
}

/// The first word of each line of the table under a heading, but for that of its head.
fn table(text: &str, heading: &str) -> BTreeSet<String> {
    let lines = between(text, heading, "\n## ").lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    lines.filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect()
}

#[test]
fn the_example_shows_every_kind_of_entry_and_keeps_the_promises() {
    let text = text();
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = folder.path().join("example");
    std::fs::write(&path, between(&text, "```jsonl\n", "```")).expect("there is room");
    let entries = read_files(&[&path]).unwrap_or_else(|error| panic!("{error}"));
    let verdict = super::judge(&entries);
    assert_eq!(verdict.violations, []);
    let shown: BTreeSet<String> = verdict.counts.keys().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(shown, table(&text, "\n## Entries"));
}

#[test]
fn every_rule_and_every_fault_is_named() {
    let text = text();
    assert_eq!(table(&text, "\n## Rules"), planted::NAMES.map(str::to_owned).into());
    for fault in Fault::ALL {
        let name = serde_json::to_string(&fault).expect("a fault has a name").replace('"', "`");
        assert!(text.contains(&name), "{name} is not named");
    }
}
