//! Reads the crate's own text, and tells code from comments, strings and tests. Knows as much of Rust's lexis as that needs, and no more.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the repository.
pub struct Source {
    /// From the root of the repository.
    pub path: String,
    pub text: String,
    /// The text with everything in comments, strings and characters blanked; the same lines, and the same columns.
    pub code: String,
}

impl Source {
    /// The one with this path from the root.
    pub fn of(path: &str) -> Source {
        Source::read(&root(), &root().join(path))
    }

    fn read(root: &Path, path: &Path) -> Source {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{} can't be read: {error}", path.display()));
        let path = path.strip_prefix(root).expect("it lies under the root").to_string_lossy().into_owned();
        let code = code_of(&text);
        Source { path, text, code }
    }

    /// The file is for tests only.
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let is_named_so = name == "fakes.rs" || name.trim_end_matches(".rs").ends_with("tests");
        !self.path.starts_with("src/") || is_named_so || self.path.contains("/tests/")
    }

    /// The code without what is compiled for tests only.
    pub fn production_code(&self) -> String {
        if self.is_test() { String::new() } else { without_tests(&self.code) }
    }

    /// The room that it belongs to: `src/ledger/user.rs` to `ledger`, `src/clock.rs` to `clock`.
    pub fn room(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files under `folder` with that ending, in order of path.
pub fn files(folder: &str, ending: &str) -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    collect(&root.join(folder), ending, &mut paths);
    paths.sort();
    paths.iter().map(|path| Source::read(&root, path)).collect()
}

/// The files with that ending that lie at the root itself.
pub fn top_files(ending: &str) -> Vec<Source> {
    let root = root();
    let entries = fs::read_dir(&root).expect("the root can be listed");
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.is_file() && path.to_string_lossy().ends_with(ending));
    paths.sort();
    paths.iter().map(|path| Source::read(&root, path)).collect()
}

/// All Rust code of ours.
pub fn rust() -> Vec<Source> {
    let all: Vec<Source> = ["src", "tests", "benches", "fuzz"].into_iter().flat_map(|folder| files(folder, ".rs")).collect();
    assert!(all.iter().any(|source| source.path == "src/lib.rs"), "the crate was not found");
    all
}

fn collect(folder: &Path, ending: &str, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            let is_ours = !path.ends_with("target") && !path.ends_with("node_modules");
            if is_ours {
                collect(&path, ending, paths);
            }
        } else if path.to_string_lossy().ends_with(ending) {
            paths.push(path);
        }
    }
}

/// Blanks comments, strings and characters.
fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skipped(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where what begins at `at` ends, if it isn't code; `at` if it is.
fn skipped(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let word_before = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match rest {
        ['/', '/', ..] => at + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => at + find(rest, &['*', '/']),
        ['r', '"' | '#', ..] if !word_before => raw_string(chars, at + 1).unwrap_or(at),
        ['b', 'r', '"' | '#', ..] if !word_before => raw_string(chars, at + 2).unwrap_or(at),
        ['"', ..] => at + quoted(rest, '"'),
        ['\'', '\\', ..] => at + quoted(rest, '\''),
        ['\'', _, '\'', ..] => at + 3,
        _ => at,
    }
}

fn find(chars: &[char], end: &[char]) -> usize {
    chars.windows(end.len()).position(|window| window == end).map_or(chars.len(), |start| start + end.len())
}

/// A string's length, with its quotes.
fn quoted(chars: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of a raw string whose hashes begin at `at`; none if it is no string.
fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + hashes) != Some(&'"') {
        return None;
    }
    let start = at + hashes + 1;
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    Some(start + find(&chars[start..], &end))
}

/// Blanks each item under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let body = out[start..].find(['{', ';']).map_or(out.len(), |at| start + at);
        let end = if out[body..].starts_with('{') { closing_brace(&out, body) } else { (body + 1).min(out.len()) };
        let blank: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blank);
    }
    out
}

/// The place after the brace that closes the one at `open`.
pub fn closing_brace(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return open + at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// The number of the line that holds a place.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Fails with all that was found.
pub fn nothing_in(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn comments_strings_and_characters_are_no_code() {
    let text = "let a = \"x // {\"; // {\nlet b = '{'; let c = '\\''; /* { */ let d = r#\"{\"#; fn f<'a>() {}";
    let code = code_of(text);
    assert_eq!(code.matches('{').count(), 1, "{code}");
    assert_eq!(code.len(), text.len());
    assert!(code.contains("fn f<'a>() {}"), "{code}");
}

#[test]
fn what_is_compiled_for_tests_only_is_not_production_code() {
    let code = without_tests("fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { c() }\n}\n#[cfg(test)]\nmod more;\nfn d() {}");
    assert!(code.contains("fn a") && code.contains("fn d") && !code.contains("fn b") && !code.contains("more"), "{code}");
}
