//! The table of `docs/security.md` is what the tests say: every case by its name, with what it is answered with, in the order of the code. `UPDATE=1` writes it.

use std::path::{Path, PathBuf};

/// The chapters of the table, by file, each with its heading.
const CHAPTERS: &[(&str, &str)] = &[
    ("origins", "Pages"),
    ("tokens", "Tokens of clients"),
    ("issuers", "Tokens, verified with public keys"),
    ("keys", "Keys of the HTTP API"),
    ("foreign", "Deliveries of others"),
    ("rates", "Too fast"),
    ("places", "Too many at once"),
    ("sizes", "Too large"),
    ("links", "The cluster port"),
    ("cluster_tls", "TLS between nodes"),
    ("tls", "TLS on the HTTP port"),
    ("configuration", "Unsafe configurations"),
    ("shown", "Secrets, tokens, payloads"),
];
/// Files that hold no case.
const OTHERS: &[&str] = &["main", "answer", "nodes", "raw", "issuer", "peer", "secure", "table"];
const START: &str = "<!-- table -->";
const END: &str = "<!-- /table -->";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The cases of a file: name and answer, as two cells.
fn cases(text: &str) -> Vec<(String, String)> {
    let starts: Vec<usize> = text.match_indices("#[test]").chain(text.match_indices("#[tokio::test")).map(|(at, _)| at).collect();
    let mut starts = starts;
    starts.sort_unstable();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| case(&text[*start..end])).collect()
}

fn case(text: &str) -> (String, String) {
    let name = text.split("fn ").nth(1).and_then(|rest| rest.split('(').next()).expect("a test has a name");
    let mut answers: Vec<&str> = text.split("answered(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    answers.dedup();
    assert!(!answers.is_empty(), "{name} says with `answered` what it is answered with");
    (name.replace('_', " "), answers.iter().map(|answer| format!("`{answer}`")).collect::<Vec<_>>().join(", "))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{} can't be read: {error}", path.display()))
}

fn table() -> (String, usize) {
    let (mut table, mut count) = (String::new(), 0);
    for (file, heading) in CHAPTERS {
        let cases = cases(&read(&root().join(format!("tests/security/{file}.rs"))));
        assert!(!cases.is_empty(), "{file} holds no case");
        count += cases.len();
        table += &format!("\n### {heading}\n\n| case (`tests/security/{file}.rs`) | answer |\n|---|---|\n");
        for (name, answer) in cases {
            table += &format!("| {name} | {answer} |\n");
        }
    }
    (table + "\n", count)
}

#[test]
fn the_table_in_the_documents_is_that_of_the_tests() {
    let path = root().join("docs/security.md");
    let document = read(&path);
    let (before, rest) = document.split_once(START).expect("the table's start is marked");
    let (written, after) = rest.split_once(END).expect("the table's end is marked");
    let (table, count) = table();
    assert!(count >= 40, "only {count} cases were found: the scanner is broken");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{START}\n{table}{END}{after}")).expect("the document can be written");
        return;
    }
    assert!(written.trim() == table.trim(), "docs/security.md differs from the tests; hint: UPDATE=1 cargo test --test security table");
}

#[test]
fn every_file_of_cases_has_its_chapter() {
    for entry in std::fs::read_dir(root().join("tests/security")).expect("the folder can be listed") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let is_known = OTHERS.contains(&stem.as_str()) || CHAPTERS.iter().any(|(file, _)| *file == stem);
        assert!(is_known, "{stem}.rs has no chapter in the table");
    }
}

#[test]
fn cases_are_read_with_their_names_and_answers() {
    let text = "#[test]\nfn a_b() {\n answered(\"1 x\");\n}\nfn helper() {}\n#[tokio::test(flavor)]\nasync fn c() { answered(\"2 y\"); answered(\"3 z\"); }";
    let cell = |name: &str, answer: &str| (name.to_owned(), answer.to_owned());
    assert_eq!(cases(text), [cell("a b", "`1 x`"), cell("c", "`2 y`, `3 z`")]);
}
