//! Histories as files: JSON lines, one entry each, one file for each process. Read back whole and merged by time, or refused: an entry that is not understood might be the one that matters.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::HistoryError;
use super::record::{Entry, Run, What};

/// No history of ours comes near.
const ENTRIES_MAX: usize = 20_000_000;
const FILES_MAX: usize = 1_000;
/// An entry with the largest payload that a publish may bring takes a fraction of it.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// Sessions and calls are numbered by each process for itself: merged, the numbers of the second file begin here, those of the third at twice that.
const NUMBERS_OF_A_FILE: u64 = 1_000_000_000;

/// Writes the history of one process.
///
/// # Errors
/// The file can't be written.
pub fn write(path: &Path, entries: &[Entry]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for entry in entries {
        serde_json::to_writer(&mut file, entry)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

/// Reads the files of one run, each written by one process, and merges them: in the order of time, `t` counting from the earliest start.
///
/// # Errors
/// [`HistoryError`], which names the file and the line.
pub fn read_files(paths: &[impl AsRef<Path>]) -> Result<Vec<Entry>, HistoryError> {
    if paths.len() > FILES_MAX {
        return Err(HistoryError::TooMany { max: FILES_MAX });
    }
    let mut files: Vec<(PathBuf, Run, Vec<Entry>)> = Vec::new();
    let mut left = ENTRIES_MAX;
    for (process, path) in (0..).zip(paths) {
        let path = path.as_ref().to_owned();
        let (run, entries) = read_file(&path, process, left)?;
        left -= entries.len();
        if let Some((first_path, first, _)) = files.first() {
            same_run((first_path, first), (&path, &run))?;
        }
        files.push((path, run, entries));
    }
    let start_ms = files.iter().map(|(_, run, _)| run.wall_ms).min().unwrap_or(0);
    let mut merged = Vec::new();
    for (path, run, mut entries) in files {
        let later_us = (run.wall_ms - start_ms).checked_mul(1_000);
        for (line, entry) in entries.iter_mut().enumerate() {
            let t = later_us.and_then(|later_us| entry.t.checked_add(later_us));
            entry.t = t.ok_or_else(|| HistoryError::Line {
                path: path.clone(),
                line: line + 1,
                reason: "its time is out of all range".to_owned(),
            })?;
        }
        merged.extend(entries);
    }
    // Stable: entries of one process stay in their order.
    merged.sort_by_key(|entry| (entry.t, entry.process));
    Ok(merged)
}

/// What must be the same in all files of a run.
fn same_run((first_path, first): (&Path, &Run), (path, run): (&Path, &Run)) -> Result<(), HistoryError> {
    let differences = [
        ("lease_ms", first.lease_ms == run.lease_ms),
        ("request_timeout_ms", first.request_timeout_ms == run.request_timeout_ms),
        ("seed", first.seed == run.seed),
        ("clocks", first.clocks == run.clocks),
        ("buffer_max", first.buffer_max == run.buffer_max),
        ("overflow", first.overflow == run.overflow),
        ("carry_ms", first.carry_ms == run.carry_ms),
    ];
    match differences.into_iter().find(|(_, is_same)| !is_same) {
        None => Ok(()),
        Some((what, _)) => Err(HistoryError::OtherRun { path: path.to_owned(), first: first_path.to_owned(), what }),
    }
}

fn read_file(path: &Path, process: u16, most: usize) -> Result<(Run, Vec<Entry>), HistoryError> {
    let io = |error| HistoryError::Io { path: path.to_owned(), error };
    let wrong = |line: usize, reason: String| HistoryError::Line { path: path.to_owned(), line, reason };
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let (mut run, mut entries, mut text) = (None, Vec::new(), Vec::new());
    for line in 1.. {
        text.clear();
        let length = file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text).map_err(io)?;
        if length == 0 {
            break;
        }
        if text.pop() != Some(b'\n') {
            let reason = if length as u64 == LINE_BYTES_MAX { "it is too long" } else { "it was cut: its end is missing" };
            return Err(wrong(line, reason.to_owned()));
        }
        let mut entry = parse(&text).map_err(|reason| wrong(line, reason))?;
        match (&entry.what, line) {
            (What::Run(first), 1) => run = Some(first.clone()),
            (What::Run(_), _) => return Err(wrong(line, "a second `run`; hint: each process writes a file of its own".to_owned())),
            (_, 1) => return Err(wrong(line, "the first line is no `run`".to_owned())),
            _ => {}
        }
        if entries.last().is_some_and(|earlier: &Entry| earlier.t > entry.t) {
            return Err(wrong(line, "its `t` is before that of the line above".to_owned()));
        }
        if entries.len() == most {
            return Err(HistoryError::TooLong { max: ENTRIES_MAX });
        }
        entry.process = process;
        renumber(&mut entry.what, process).map_err(|number| wrong(line, format!("the number {number} is too large")))?;
        entries.push(entry);
    }
    let run = run.ok_or_else(|| wrong(1, "the file is empty; its first line is to be a `run`".to_owned()))?;
    Ok((run, entries))
}

fn parse(text: &[u8]) -> Result<Entry, String> {
    let mut fields: Map<String, Value> = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let t = fields.remove("t").ok_or("there is no `t`")?;
    let t = t.as_u64().ok_or_else(|| format!("`t` is {t}, which is no number of microseconds"))?;
    // Apart from `t`, since what is flattened can't refuse unknown fields.
    let what = What::deserialize(Value::Object(fields)).map_err(|error| error.to_string())?;
    Ok(Entry::at(t, what))
}

/// Makes numbers that are one process's own the history's own. The number that is too large, if one is.
fn renumber(what: &mut What, process: u16) -> Result<(), u64> {
    let number = match what {
        What::Publish(publish) => &mut publish.call,
        What::Published { call, .. }
        | What::Refused { call, .. }
        | What::Unanswered { call, .. }
        | What::GaveUp { call, .. }
        | What::TakeBack { call, .. }
        | What::TakenBack { call, .. } => call,
        What::Hello { session, .. }
        | What::Welcome { session, .. }
        | What::CaughtUp { session }
        | What::Window { session, .. }
        | What::Offer { session, .. }
        | What::Withdraw { session, .. }
        | What::Ack { session, .. }
        | What::Confirm { session, .. }
        | What::Error { session, .. }
        | What::Visible { session, .. }
        | What::End { session, .. }
        | What::Ended { session, .. } => session,
        What::Run(_) | What::Fault { .. } | What::Outcome { .. } | What::Last { .. } | What::Replica { .. } => return Ok(()),
    };
    if *number >= NUMBERS_OF_A_FILE {
        return Err(*number);
    }
    *number += u64::from(process) * NUMBERS_OF_A_FILE;
    Ok(())
}

#[cfg(test)]
mod tests;
