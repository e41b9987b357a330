//! Where commands print: data to stdout, the rest to stderr. Never panics when nobody reads.

use std::fmt::{Arguments, Display};
use std::io::{self, ErrorKind, Write};
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

/// Prints a line of data.
pub(super) fn data(line: impl Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// Prints data as one line of JSON.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    data(serde_json::to_string(value)?)
}

/// Tells a person something.
pub(super) fn note(text: Arguments<'_>) {
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether a command failed only because its reader went away.
pub(super) fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// So many of something, as people say it.
pub(super) fn count(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A server's time as people read it.
pub(super) fn time(ms: u64) -> String {
    match UNIX_EPOCH.checked_add(Duration::from_millis(ms)) {
        // Beyond the year 9999 there is no such text.
        Some(at) if ms < 253_402_300_800_000 => humantime::format_rfc3339_seconds(at).to_string(),
        _ => format!("{ms} ms"),
    }
}

/// Rows under headings, each column as wide as its widest cell.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["NODE".to_owned(), "STATE".to_owned()],
            vec!["n1".to_owned(), "up".to_owned()],
            vec!["långt".to_owned(), "up".to_owned()],
        ];
        assert_eq!(table(&rows), "NODE   STATE\nn1     up\nlångt  up");
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|n| count(n, "ack")), ["0 acks", "1 ack", "2 acks"]);
    }

    #[test]
    fn any_time_of_a_server_can_be_shown() {
        assert_eq!(time(1_700_000_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(time(u64::MAX), format!("{} ms", u64::MAX));
    }
}
