//! Histories as files: JSON lines, one entry each, one file for each process; read back whole, or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::record::Entry;

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
