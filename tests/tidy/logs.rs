//! Log lines: fields, and a message that is one plain text.

use crate::source::{files, line_of, nothing_in};

const MACROS: &[&str] = &["trace!(", "debug!(", "info!(", "warn!(", "error!("];

#[test]
fn messages_are_lower_case_without_a_full_stop_or_formatting() {
    let mut found = Vec::new();
    for source in files("src", ".rs") {
        let code = source.production_code();
        for name in MACROS {
            for (at, _) in code.match_indices(name).filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_')) {
                // Columns are chars in both, so the text is found by counting them.
                let start = code[..at].chars().count() + name.len();
                let wrong = arguments(&source.text, start).and_then(|arguments| wrong(&arguments));
                found.extend(wrong.map(|wrong| format!("{}:{}: {wrong}", source.path, line_of(&code, at))));
            }
        }
    }
    nothing_in(&found, "write info!(shard, term, \"leader elected\")");
}

/// The text of a macro's arguments, which start at a char.
fn arguments(text: &str, start: usize) -> Option<String> {
    let mut depth = 1_usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut out = String::new();
    for c in text.chars().skip(start) {
        match c {
            '"' if !escaped => in_string = !in_string,
            '(' if !in_string => depth += 1,
            ')' if !in_string => depth -= 1,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        if depth == 0 {
            return Some(out);
        }
        out.push(c);
    }
    None
}

/// What is wrong with a line's arguments; the message is what stands last.
fn wrong(arguments: &str) -> Option<String> {
    let arguments = arguments.trim().trim_end_matches(',').trim_end();
    let message = arguments.strip_suffix('"').and_then(|rest| rest.rsplit_once('"')).map(|(_, message)| message);
    let Some(message) = message else { return Some(format!("no plain message at the end of ({arguments})")) };
    let first = message.split_whitespace().next().unwrap_or_default();
    // Raft and TLS are written so wherever they stand.
    let is_name = first.chars().nth(1).is_some_and(char::is_uppercase) || first == "Raft";
    let problem = if message.is_empty() {
        "is empty"
    } else if message.starts_with(char::is_uppercase) && !is_name {
        "begins with a capital"
    } else if message.ends_with(['.', '!']) {
        "ends with a full stop"
    } else if message.contains('{') {
        "formats values instead of giving them as fields"
    } else {
        return None;
    };
    Some(format!("{message:?} {problem}"))
}

#[test]
fn a_bad_line_is_told_from_a_good_one() {
    assert_eq!(wrong("shard, term = 3, \"leader elected\""), None);
    assert_eq!(wrong("%error, \"TLS is off\",\n"), None);
    for bad in ["\"Leader elected\"", "\"leader elected.\"", "\"leader {} elected\", shard", "\"leader {shard}\"", "shard"] {
        assert!(wrong(bad).is_some(), "{bad}");
    }
}
