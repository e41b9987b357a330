//! docs/history.md shows each kind of entry and names each rule, and its example is a history that keeps the promises.

use std::collections::BTreeSet;

use super::fault::Fault;
use super::{planted, read_files};

fn text() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/history.md")).unwrap()
}

/// The first words of the lines of the table under a heading.
fn table(text: &str, heading: &str) -> BTreeSet<String> {
    let section = text.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .skip(usize::from(heading.contains("Entries")))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_example_shows_every_kind_of_entry_and_keeps_the_promises() {
    let text = text();
    let example = text.split("```jsonl\n").nth(1).unwrap().split("```").next().unwrap();
    let path = tempfile::tempdir().unwrap().keep().join("example");
    std::fs::write(&path, example).unwrap();
    let entries = read_files(&[&path]).unwrap_or_else(|error| panic!("{error}"));
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    let verdict = super::judge(&entries);
    assert_eq!(verdict.violations, []);
    let shown: BTreeSet<String> = verdict.counts.keys().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(shown, table(&text, "\n## Entries"));
}

#[test]
fn every_rule_and_every_fault_is_named() {
    let text = text();
    assert_eq!(table(&text, "\n## Rules"), planted::NAMES.map(str::to_owned).into());
    let faults = Fault::ALL.map(|fault| serde_json::to_value(fault).unwrap());
    for fault in faults {
        assert!(text.contains(&format!("`{}`", fault.as_str().unwrap())), "{fault} is not named");
    }
}
