//! Files are read whole, merged by time, or refused with their name and the line.

use std::path::PathBuf;

use super::super::judge;
use super::super::order::Order;
use super::super::record::{Leave, Overflow, What};
use super::super::samples::Sample;
use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write_text(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

const RUN: &str = r#"{"t":0,"e":"run","wall_ms":1000,"lease_ms":1,"request_timeout_ms":1,"seed":1}"#;

#[test]
fn what_is_written_reads_back() {
    let folder = folder();
    let path = folder.path().join("one");
    let entries = Sample::whole().replica("n1", 7, "aa").refused(1).entries;
    write(&path, &entries).unwrap();
    assert_eq!(read_files(&[path]).unwrap(), entries);
}

#[test]
fn files_are_merged_by_time_and_their_numbers_kept_apart() {
    let folder = folder();
    let later = RUN.replace("1000", "1002");
    let one = write_text(&folder, "one", &format!("{RUN}\n{}\n{}\n", at(500, 1), at(2_500, 2)));
    let two = write_text(&folder, "two", &format!("{later}\n{}\n{}\n", at(0, 1), at(500, 2)));
    let merged = read_files(&[one, two]).unwrap();
    let seen: Vec<(u64, u16, u64)> = merged
        .iter()
        .filter_map(|entry| match entry.what {
            What::CaughtUp { session } => Some((entry.t, entry.process, session)),
            _ => None,
        })
        .collect();
    assert_eq!(seen, [(500, 0, 1), (2_000, 1, 1_000_000_001), (2_500, 0, 2), (2_500, 1, 1_000_000_002)]);
    let order = Order::of(&merged);
    assert!(order.is_loose() && !order.is_before(500, 2_500) && order.is_before(500, 2_501), "{order:?}");
}

fn at(t: u64, session: u64) -> String {
    format!(r#"{{"t":{t},"e":"caught_up","session":{session}}}"#)
}

#[test]
fn what_is_no_history_is_refused_by_file_and_line() {
    let cases = [
        ("", "1: the file is empty"),
        ("{\n", "1: EOF while parsing"),
        (&at(0, 1), "1: it was cut"),
        (&format!("{}\n", at(0, 1)), "1: the first line is no `run`"),
        (&format!("{RUN}\n{RUN}\n"), "2: a second `run`"),
        (&format!("{RUN}\n{}\n{}\n", at(5, 1), at(4, 1)), "3: its `t` is before"),
        (&format!("{RUN}\n\n"), "2: EOF"),
        (&format!("{RUN}\n{{\"e\":\"caught_up\",\"session\":1}}\n"), "2: there is no `t`"),
        (&format!("{RUN}\n{{\"t\":-1,\"e\":\"caught_up\",\"session\":1}}\n"), "2: `t` is -1"),
        (&format!("{RUN}\n{{\"t\":1,\"e\":\"caught_up\"}}\n"), "2: missing field `session`"),
        (&format!("{RUN}\n{{\"t\":1,\"e\":\"caught_up\",\"session\":1,\"x\":1}}\n"), "2: unknown field `x`"),
        (&format!("{RUN}\n{{\"t\":1,\"e\":\"nothing\"}}\n"), "2: unknown variant `nothing`"),
        (&format!("{RUN}\n{{\"t\":1,\"e\":\"fault\",\"node\":\"n1\",\"kind\":\"nothing\"}}\n"), "2: unknown variant `nothing`"),
        (&format!("{RUN}\n{}\n", at(1, 1_000_000_000)), "2: the number 1000000000 is too large"),
        (&RUN.replace("\"seed\":1", "\"seed\":1,\"x\":1").as_str().to_owned().add_line(), "1: unknown field `x`"),
        (&format!("{RUN}\n{}\n", " ".repeat(1 << 20)), "2: it is too long"),
    ];
    for (text, said) in cases {
        let folder = folder();
        let path = write_text(&folder, "one", text);
        let error = read_files(&[&path]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}:{said}", path.display())), "{error}");
    }
    let error = read_files(&[folder().path().join("missing")]).unwrap_err().to_string();
    assert!(error.contains("missing can't be read: "), "{error}");
}

trait AddLine {
    fn add_line(self) -> String;
}

impl AddLine for String {
    fn add_line(self) -> String {
        self + "\n"
    }
}

#[test]
fn files_of_two_runs_are_not_mixed() {
    let folder = folder();
    let one = write_text(&folder, "one", &format!("{RUN}\n"));
    let two = write_text(&folder, "two", &format!("{}\n", RUN.replace("\"seed\":1", "\"seed\":2")));
    let error = read_files(&[one, two]).unwrap_err().to_string();
    assert!(error.contains("another seed"), "{error}");
}

/// Whatever comes from outside is refused or judged: neither reading nor judging panics.
#[test]
fn entries_that_make_no_sense_are_judged_and_not_panicked_at() {
    let whole = Sample::whole().confirm(1, u64::MAX, "shown").hello(3).offer(3, u64::MAX).hello(2).offer(2, 1).end(2, Leave::Lost);
    let whole = whole.dismiss(1).dismissed(1, "dismissed").taken_back(9, "withdrawn").with(|run| run.overflow = Overflow::DropOldest);
    let entries = whole.with(|run| (run.lease_ms, run.wall_ms, run.carry_ms) = (u64::MAX, u64::MAX, Some(u64::MAX))).entries;
    let later = entries.iter().map(|entry| Entry { t: entry.t.max(u64::MAX - 5), ..entry.clone() }).collect();
    let cases: [Vec<Entry>; 2] = [entries, later];
    for (entries, missing) in cases.iter().flat_map(|entries| (0..entries.len()).map(move |missing| (entries, missing))) {
        let mut rest = entries.clone();
        rest.remove(missing);
        let _ = judge(&rest);
        rest.reverse();
        let _ = judge(&rest);
    }
}
