//! The trace of a run: all that happened, in order, as one hash, so that two runs can be compared. Kept in a file it shows where they part. Also tells the log what time it
//! is, and on which host.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use xxhash_rust::xxh3::Xxh3;

thread_local! {
    /// A run has one thread.
    static TRACE: RefCell<Trace> = RefCell::new(Trace::default());
}

#[derive(Default)]
struct Trace {
    now_us: u64,
    host: String,
    hash: Xxh3,
    events: u64,
    file: Option<BufWriter<File>>,
}

/// Keeps every event of this run in a file too, a line each.
pub fn keep(path: &Path) {
    let file = File::create(path).unwrap_or_else(|error| panic!("{} can't be written: {error}", path.display()));
    TRACE.with_borrow_mut(|trace| trace.file = Some(BufWriter::new(file)));
}

/// From now on it is that time, on that host: a node's name, or `outside`.
pub fn enter(now_us: u64, host: &str) {
    TRACE.with_borrow_mut(|trace| {
        trace.now_us = now_us;
        if trace.host != host {
            host.clone_into(&mut trace.host);
        }
    });
}

/// Something happened: what kind of thing, and what it was.
pub fn note(what: &str, content: &[u8]) {
    TRACE.with_borrow_mut(|trace| {
        trace.events += 1;
        trace.hash.update(&trace.now_us.to_le_bytes());
        trace.hash.update(trace.host.as_bytes());
        trace.hash.update(what.as_bytes());
        trace.hash.update(content);
        let (now_us, host) = (trace.now_us, &trace.host);
        if let Some(file) = &mut trace.file {
            let text = String::from_utf8_lossy(content);
            writeln!(file, "{now_us} {host} {what} {text}").expect("the disk has room");
        }
    });
}

/// The hash of all events, and how many there were.
pub fn end() -> (u64, u64) {
    TRACE.with_borrow_mut(|trace| {
        if let Some(file) = &mut trace.file {
            file.flush().expect("the disk has room");
        }
        (trace.hash.digest(), trace.events)
    })
}

/// Writes the virtual time and the host where a log has the time.
pub struct Moment;

impl FormatTime for Moment {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        TRACE.with_borrow(|trace| write!(writer, "{:>12.6} {:<8}", trace.now_us as f64 / 1e6, trace.host))
    }
}
