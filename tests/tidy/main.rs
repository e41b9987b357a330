//! The house rules that a machine can check: sizes, who may import whom, banned words, the style of log lines, links in the docs; and README's walk, run as it
//! stands there. Plain text scanning, no parser: a rule that needs one belongs to a linter.

mod source;
mod sizes;
mod imports;
mod words;
mod logs;
mod secrets;
mod docs;
mod terminal;
mod walk;
mod mutants;
