//! How the code handles what must not get out: secrets have types that show nothing and compare in constant time, and nobody compares their text by hand.

use crate::source::{Source, files, line_of, nothing_in};

/// Names of fields that hold a secret.
const SECRET_FIELDS: &[&str] = &["token", "secret", "jwt_secret", "api_key", "password", "credentials", "bearer"];
/// Shapes for the document, of which no value is ever made.
const SHAPES: &str = "src/http/openapi/schemas.rs";
/// Types that show what they hold.
const BARE_TYPES: &[&str] = &["String", "Option<String>", "&'a str", "Vec<u8>", "Bytes", "Option<&'a str>"];
/// What holds a secret's text, or a proof, in an expression.
const SECRET_TEXTS: &[&str] = &["expose()", "presented", "credentials", "proof", "mac", "signature"];
/// What compares byte by byte and stops at the first that differs.
const HASTY: &[&str] = &["==", "!=", ".eq(", ".ne(", ".cmp(", ".starts_with(", ".contains("];
/// Where secrets are compared, and by what.
const CONSTANT_TIME: &[(&str, &str)] =
    &[("src/config/secret.rs", ".ct_eq("), ("src/http/auth.rs", ".ct_eq("), ("src/cluster/links/proof.rs", ".verify_slice(")];

#[test]
fn no_field_holds_a_secret_that_its_debug_would_show() {
    let found: Vec<String> = sources().iter().filter(|source| source.path != SHAPES).flat_map(bare_secrets).collect();
    nothing_in(&found, "give it a type whose Debug shows nothing");
}

#[test]
fn no_secret_and_no_proof_is_compared_in_haste() {
    let found: Vec<String> = sources().iter().flat_map(hasty).collect();
    nothing_in(&found, "compare by subtle::ConstantTimeEq, or by the Mac's own verify");
}

#[test]
fn keys_secrets_and_proofs_are_compared_in_constant_time() {
    let sources = sources();
    let code_of = |path: &str| sources.iter().find(|source| source.path == path).map(Source::production_code).unwrap_or_default();
    let found: Vec<String> = CONSTANT_TIME
        .iter()
        .filter(|(path, call)| !code_of(path).contains(call))
        .map(|(path, call)| format!("{path}: no {call}"))
        .collect();
    nothing_in(&found, "say here by what it is compared now");
}

fn sources() -> Vec<Source> {
    files("src", ".rs")
}

fn bare_secrets(source: &Source) -> Vec<String> {
    let code = source.production_code();
    let lines = code.lines().enumerate();
    let is_bare = |line: &str| {
        let line = line.trim().trim_start_matches("pub(super) ").trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        let field = line.strip_suffix(',').and_then(|line| line.split_once(": "));
        field.is_some_and(|(name, kind)| SECRET_FIELDS.contains(&name) && BARE_TYPES.contains(&kind))
    };
    lines.filter(|(_, line)| is_bare(line)).map(|(at, line)| format!("{}:{}: {}", source.path, at + 1, line.trim())).collect()
}

fn hasty(source: &Source) -> Vec<String> {
    let code = source.production_code();
    let mut found = Vec::new();
    for text in SECRET_TEXTS {
        let places =
            code.match_indices(text).filter(|(at, _)| !code[..*at].ends_with(is_part) && !code[at + text.len()..].starts_with(is_part));
        let hasty = places.filter(|(at, _)| is_compared(&code, *at, at + text.len()));
        found.extend(hasty.map(|(at, _)| format!("{}:{}: {text}", source.path, line_of(&code, at))));
    }
    found
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether what stands there is an operand of a hasty comparison, on either side.
fn is_compared(code: &str, start: usize, end: usize) -> bool {
    let after = code[end..].trim_start_matches(".as_bytes()").trim_start_matches(".as_str()").trim_start();
    let before = code[..start].trim_end_matches(|c: char| is_part(c) || ".&*".contains(c)).trim_end();
    HASTY.iter().any(|hasty| after.starts_with(hasty) || before.ends_with(hasty))
}

#[test]
fn a_bare_secret_and_a_hasty_comparison_are_found() {
    let source = |code: &str| Source { path: "src/x.rs".to_owned(), text: code.to_owned(), code: code.to_owned() };
    assert_eq!(bare_secrets(&source("struct A {\n    pub token: Option<String>,\n    pub secret: Secret,\n}\n")).len(), 1);
    for line in [
        "if secret.expose() == other {}",
        "let x = proof != *given;",
        "key.expose().starts_with(x)",
        "other == key.secret.expose()",
        "a.eq(proof)",
    ] {
        assert_eq!(hasty(&source(line)).len(), 1, "{line}");
    }
    for line in [
        "if is_proof == 1 {}",
        "let x = secret == other;",
        "holds(secret, proof)",
        "let y = a == b;\nlet p = proof;",
        "find(|key| key.role == role).map(|key| key.expose())",
    ] {
        assert_eq!(hasty(&source(line)), Vec::<String>::new(), "{line}");
    }
}
