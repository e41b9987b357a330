//! The mutants: each is planted, and stands in the table of docs/mutants.md, with tests that there are.

use std::collections::BTreeSet;

use crate::source::{Source, files, nothing_in, root};

/// A line of the table: a mutant, and the tests that kill it.
struct Row {
    mutant: String,
    tests: Vec<String>,
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path} can't be read: {error}"))
}

fn rows() -> Vec<Row> {
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let table = text_of("docs/mutants.md");
    let lines = table.lines().filter(|line| line.starts_with("| `"));
    let cells = lines.map(|line| line.trim_matches('|').split('|').collect::<Vec<_>>());
    cells.map(|cells| Row { mutant: quoted(cells[0]).concat(), tests: quoted(cells[cells.len() - 1]) }).collect()
}

/// The mutants that the enum has, in its order.
fn declared() -> Vec<String> {
    let file = Source::of("src/mutant.rs");
    let list = file.code.split("\nmutants! {").nth(1).and_then(|rest| rest.split('}').next()).expect("the mutants are declared");
    list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn each_mutant_is_planted_and_has_its_place_in_the_table() {
    let declared = declared();
    assert!(declared.len() >= 12, "only {} mutants were found: the scanner is broken", declared.len());
    let code: String = files("src", ".rs").iter().filter(|file| file.path != "src/mutant.rs").map(Source::production_code).collect();
    let unplanted = declared.iter().filter(|name| !code.contains(&format!("mutant!({name})")));
    let mut found: Vec<String> = unplanted.map(|name| format!("{name} is not planted")).collect();
    let in_table: BTreeSet<String> = rows().into_iter().map(|row| row.mutant).collect();
    let in_code: BTreeSet<String> = declared.into_iter().collect();
    found.extend(in_code.symmetric_difference(&in_table).map(|name| format!("{name} stands in one of src/mutant.rs and docs/mutants.md")));
    nothing_in(&found, "plant it, and say in docs/mutants.md which tests kill it");
}

#[test]
fn the_tests_that_kill_mutants_are_there() {
    let mut found = Vec::new();
    for Row { mutant, tests } in rows() {
        if tests.is_empty() {
            found.push(format!("{mutant}: no test kills it"));
        }
        for test in tests {
            let suite = test.split("::").next().unwrap_or_default();
            let folder = if suite == "lib" { "src".to_owned() } else { format!("tests/{suite}") };
            let name = format!("fn {}(", test.rsplit("::").next().unwrap_or_default());
            if !files(&folder, ".rs").iter().any(|file| file.code.contains(&name)) {
                found.push(format!("{mutant}: {test} is not there"));
            }
        }
    }
    nothing_in(&found, "name a test that kills it");
}

#[test]
fn no_build_has_mutants_unasked() {
    let manifest = text_of("Cargo.toml");
    let features = manifest.split("[features]").nth(1).and_then(|rest| rest.split("\n[").next()).expect("the features are listed");
    assert!(features.contains("mutants = []"), "{features}");
    assert!(!features.lines().any(|line| line.starts_with("default") && line.contains("mutants")), "{features}");
}
