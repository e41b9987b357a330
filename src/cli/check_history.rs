//! `engage check-history`: judges what clients saw and publishers were answered by the guarantees of the contract. Asks no node: a history is all that it needs.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::output;
use crate::history::record::Entry;
use crate::history::{self, Verdict, Violation};

/// Violations that are shown with all that is known of their key.
const EXPLAINED_MAX: usize = 5;
/// Entries that are shown of one.
const SHOWN_MAX: usize = 200;

#[derive(Debug, Args)]
pub(super) struct CheckHistory {
    /// The files of one run, one for each process that took something down
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print the verdict as JSON
    #[arg(long)]
    json: bool,
}

impl CheckHistory {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let entries = history::read_files(&self.files)?;
        let verdict = history::judge(&entries);
        if self.json {
            output::json(&as_json(&entries, &verdict))?;
        } else {
            print(&entries, &verdict)?;
        }
        match verdict.violations.len() {
            0 => {
                output::note(format_args!("every promise was kept, as far as these entries show ({} of them)", entries.len()));
                Ok(())
            }
            count => bail!("the promises were not kept: {}", output::count(count as u64, "violation")),
        }
    }
}

fn print(entries: &[Entry], verdict: &Verdict) -> anyhow::Result<()> {
    let list = |counts: &mut dyn Iterator<Item = (String, usize)>| {
        counts.map(|(word, count)| format!("{word} {count}")).collect::<Vec<_>>().join(", ")
    };
    output::data(format_args!("entries: {}", list(&mut verdict.counts.iter().map(|(kind, count)| ((*kind).to_owned(), *count)))))?;
    output::data(format_args!("deliveries: {}", list(&mut verdict.balance.iter().map(|(end, count)| (end.clone(), *count)))))?;
    let Verdict { moves, longest_publish_ms, longest_ack_ms, .. } = verdict;
    output::data(format_args!("moves: {moves}; longest publish: {longest_publish_ms} ms; longest ack: {longest_ack_ms} ms"))?;
    let mut explained = Vec::new();
    for violation in &verdict.violations {
        output::data(violation)?;
        let about = (&violation.key, violation.session.filter(|_| violation.key.is_none()));
        if explained.len() < EXPLAINED_MAX && !explained.contains(&about) {
            explained.push(about);
            for entry in shown(entries, violation) {
                output::data(format_args!("  {}", serde_json::to_string(entry)?))?;
            }
        }
    }
    Ok(())
}

/// What is known of a violation's key or connection.
fn shown<'a>(entries: &'a [Entry], violation: &Violation) -> Vec<&'a Entry> {
    history::about(entries, violation).into_iter().take(SHOWN_MAX).collect()
}

fn as_json(entries: &[Entry], verdict: &Verdict) -> Value {
    let explained = verdict.violations.iter().take(EXPLAINED_MAX).map(|violation| json!(shown(entries, violation)));
    let mut value = json!(verdict);
    value["kept"] = json!(verdict.violations.is_empty());
    value["about"] = explained.collect();
    value
}
