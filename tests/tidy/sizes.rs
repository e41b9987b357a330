//! Files and functions stay small enough to be proofread in one sitting.

use crate::source::{closing_brace, line_of, nothing_in, rust};

const FILE_MAX_LINES: usize = 500;
const FUNCTION_MAX_LINES: usize = 70;
/// What a function only writes to (`&mut`) doesn't count.
const PARAMETERS_MAX: usize = 4;
/// Functions that take more all the same: a seam's question says to whom, by which lane, for whom, what, and for how long.
const MANY_TAKERS: &[(&str, &str)] = &[("src/ports/peers.rs", "ask"), ("src/cluster/links.rs", "ask"), ("src/shard/alone.rs", "ask")];
/// Functions that take a bool all the same: what is asserted is one, and serde hands one to a visitor.
const BOOL_TAKERS: &[(&str, &str)] = &[("src/ledger/invariants.rs", "hold"), ("src/protocol/json.rs", "visit_bool")];

/// A function, as text.
struct Function<'a> {
    name: &'a str,
    parameters: &'a str,
    line: usize,
    /// From its signature to its closing brace.
    lines: usize,
}

#[test]
fn no_file_has_more_than_500_lines() {
    let found: Vec<String> = rust()
        .iter()
        .map(|source| (&source.path, source.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_MAX_LINES)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    nothing_in(&found, "split the file");
}

#[test]
fn no_function_has_more_than_70_lines() {
    let mut found = Vec::new();
    let mut count = 0;
    for source in rust() {
        for function in functions(&source.code) {
            count += 1;
            if function.lines > FUNCTION_MAX_LINES {
                found.push(format!("{}:{}: {} has {} lines", source.path, function.line, function.name, function.lines));
            }
        }
    }
    assert!(count > 100, "only {count} functions were found: the scanner is broken");
    nothing_in(&found, "split the function");
}

#[test]
fn no_function_takes_more_than_four_parameters_or_a_bool() {
    let mut found = Vec::new();
    for source in rust().iter().filter(|source| source.path.starts_with("src/")) {
        let code = source.production_code();
        for function in functions(&code) {
            let parameters = split(function.parameters);
            let own: Vec<&String> = parameters.iter().filter(|text| !is_self(text)).collect();
            let read = own.iter().filter(|text| !text.contains(": &mut ")).count();
            let may_take_many = MANY_TAKERS.contains(&(source.path.as_str(), function.name));
            if !may_take_many && read > PARAMETERS_MAX {
                found.push(format!("{}:{}: {} takes {read}", source.path, function.line, function.name));
            }
            let may_take_bool = BOOL_TAKERS.contains(&(source.path.as_str(), function.name));
            if !may_take_bool && own.iter().any(|text| text.ends_with(": bool")) {
                found.push(format!("{}:{}: {} takes a bool", source.path, function.line, function.name));
            }
        }
    }
    nothing_in(&found, "make a struct or an enum of the parameters");
}

fn functions(code: &str) -> Vec<Function<'_>> {
    let starts = code.match_indices("fn ").filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    starts.filter_map(|(at, _)| function(code, at)).collect()
}

fn function(code: &str, at: usize) -> Option<Function<'_>> {
    let rest = &code[at + 3..];
    let name = &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_')?];
    if name.is_empty() {
        return None; // The type of a function, not a function.
    }
    let open = at + 3 + parameters_start(rest)?;
    let close = open + matching(&code[open..])?;
    let body = close + code[close..].find(['{', ';'])?;
    let end = if code[body..].starts_with('{') { closing_brace(code, body) } else { body };
    let lines = line_of(code, end) - line_of(code, at) + 1;
    Some(Function { name, parameters: &code[open + 1..close], line: line_of(code, at), lines })
}

/// Past the generics, which may hold parentheses of their own.
fn parameters_start(rest: &str) -> Option<usize> {
    let mut depth = 0_i32;
    let mut before = ' ';
    for (at, c) in rest.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            '(' if depth == 0 => return Some(at),
            _ => {}
        }
        before = c;
    }
    None
}

/// The place of the parenthesis that closes the first one.
fn matching(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Splits at the commas that separate parameters.
fn split(parameters: &str) -> Vec<String> {
    let mut depth = 0_i32;
    let mut out = vec![String::new()];
    let mut before = ' ';
    for c in parameters.chars() {
        match c {
            '(' | '<' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if before != '-' => depth -= 1,
            ',' if depth == 0 => {
                out.push(String::new());
                continue;
            }
            _ => {}
        }
        before = c;
        out.last_mut().expect("there is one").push(c);
    }
    out.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
}

fn is_self(parameter: &str) -> bool {
    parameter.split(':').next().is_some_and(|name| name.trim().split([' ', '&']).next_back() == Some("self"))
}

#[test]
fn functions_and_their_parameters_are_found() {
    let code = "impl A {\n fn a<F: Fn(u8) -> u8>(&mut self, f: F, (b, c): (u8, Map<u8, u8>)) -> u8\n {\n  1\n }\n}\ntype T = fn (u8);\nfn b(on: bool);";
    let found = functions(code);
    assert_eq!(found.iter().map(|function| (function.name, function.lines)).collect::<Vec<_>>(), [("a", 4), ("b", 1)]);
    assert_eq!(split(found[0].parameters), ["&mut self", "f: F", "(b, c): (u8, Map<u8, u8>)"]);
    assert!(is_self("&mut self") && is_self("self") && is_self("self: Box<Self>") && !is_self("itself: u8"));
}
