//! The documents don't point at what isn't there, and leave out no room of the house.

use std::collections::BTreeSet;
use std::path::Path;

use crate::source::{Source, files, line_of, nothing_in, root, top_files};

fn documents() -> Vec<Source> {
    let mut documents = files("docs", ".md");
    documents.extend(top_files(".md"));
    assert!(documents.iter().any(|source| source.path == "README.md"), "README.md was not found");
    documents
}

#[test]
fn every_link_leads_somewhere() {
    let mut found = Vec::new();
    for document in documents() {
        for (at, _) in document.text.match_indices("](") {
            let target = document.text[at + 2..].split(')').next().unwrap_or_default();
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let place = format!("{}:{}: {target}", document.path, line_of(&document.text, at));
            let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
            let folder = root().join(&document.path).parent().map(Path::to_path_buf).unwrap_or_default();
            let path = if file.is_empty() { root().join(&document.path) } else { folder.join(file) };
            let has_anchor = |anchor: &str| std::fs::read_to_string(&path).is_ok_and(|text| anchors(&text).contains(anchor));
            if !path.exists() || anchor.is_some_and(|anchor| !has_anchor(anchor)) {
                found.push(place);
            }
        }
    }
    nothing_in(&found, "mend the link");
}

#[test]
fn every_file_of_ours_that_a_document_names_is_there() {
    let mut found = Vec::new();
    for document in documents() {
        for (at, name) in document.text.split('`').scan(0, |at, part| {
            let start = *at;
            *at += part.len() + 1;
            Some((start, part))
        }) {
            let is_path = ["src/", "tests/", "docs/", "config/", "benches/", "fuzz/", ".ci/"].iter().any(|folder| name.starts_with(folder));
            let is_plain = !name.contains(|c: char| c.is_whitespace() || "*<>{}…".contains(c));
            if is_path && is_plain && !root().join(name.trim_end_matches('/')).exists() {
                found.push(format!("{}:{}: {name}", document.path, line_of(&document.text, at)));
            }
        }
    }
    nothing_in(&found, "name what is there");
}

#[test]
fn the_architecture_names_every_room() {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the architecture is written down");
    let rooms: BTreeSet<String> = files("src", ".rs").iter().map(|source| source.room().to_owned()).collect();
    let found: Vec<String> = rooms
        .into_iter()
        .filter(|room| !text.contains(&format!("`src/{room}/`")) && !text.contains(&format!("`src/{room}.rs`")))
        .filter(|room| room != "lib")
        .collect();
    nothing_in(&found, "say in docs/ARCHITECTURE.md what the room is for");
}

/// The names under which headings can be linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let slug = |heading: String| {
        heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}
