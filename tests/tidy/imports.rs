//! Who may import whom. The table is the architecture; an edge that is not in it is a wall that was broken through.

use crate::source::{Source, files, nothing_in};

/// Each room, and the rooms that its code may name. Tests inside a room may name any.
const TABLE: &[(&str, &[&str])] = &[
    ("mutant", &[]),
    ("ledger", &[]),
    ("clock", &["ledger"]),
    ("dice", &[]),
    ("blocking", &["clock"]),
    ("ports", &["ledger"]),
    ("telemetry", &[]),
    ("protocol", &["ledger"]),
    ("config", &["ledger", "protocol", "telemetry"]),
    ("shard", &["ledger", "ports", "clock", "telemetry", "dice", "blocking"]),
    ("cluster", &["shard", "protocol", "ledger", "ports", "clock", "telemetry", "dice"]),
    ("actors", &["ledger", "protocol", "ports", "clock", "telemetry", "dice"]),
    ("http", &["actors", "protocol", "ports", "ledger", "config", "clock", "telemetry", "dice"]),
    ("client", &[]),
    ("history", &["clock"]),
    // It starts nodes as processes and speaks to them as anybody does: nothing of the server's inside is its business.
    ("fleet", &["client", "config", "clock", "dice"]),
    ("demo", &["client", "clock", "dice", "fleet"]),
    // Its job `commit` leaves sockets and clients out, and so goes in where a node's own edge does.
    ("bench", &["client", "clock", "config", "fleet", "ledger", "node", "ports", "shard"]),
    ("cli", &["bench", "client", "config", "demo", "fleet", "history", "node", "clock", "telemetry", "mutant"]),
    ("node", &["ledger", "clock", "ports", "telemetry", "protocol", "config", "shard", "cluster", "actors", "http", "dice", "blocking"]),
    ("lib", &[]),
    ("main", &["cli"]),
];

#[test]
fn rooms_import_only_what_the_table_allows() {
    let mut found = Vec::new();
    let mut edges = 0;
    for source in files("src", ".rs") {
        let Some((_, allowed)) = TABLE.iter().find(|(room, _)| *room == source.room()) else {
            found.push(format!("{}: the room {} is not in the table", source.path, source.room()));
            continue;
        };
        for room in named_rooms(&source) {
            edges += 1;
            if room != source.room() && !allowed.contains(&room.as_str()) {
                found.push(format!("{}: {} may not import {room}", source.path, source.room()));
            }
        }
    }
    assert!(edges > 0, "no import was found: the scanner is broken");
    nothing_in(&found, "keep the walls");
}

/// The rooms that a file's code names, by `crate::room` or `engage::room`, alone or in a group.
fn named_rooms(source: &Source) -> Vec<String> {
    let code = source.production_code();
    let own_name = if source.path == "src/main.rs" { "engage::" } else { "crate::" };
    let mut rooms: Vec<String> = code.match_indices(own_name).flat_map(|(at, _)| first_names(&code[at + own_name.len()..])).collect();
    rooms.sort();
    rooms.dedup();
    rooms
}

fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut depth = 0_usize;
    let mut names = vec![name(group)];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn groups_of_imports_are_read() {
    assert_eq!(first_names("ledger::ids::{A, B};"), ["ledger"]);
    assert_eq!(first_names("{actors::{a, b}, ports, shard::x,\n};"), ["actors", "ports", "shard"]);
}
