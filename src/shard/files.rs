//! Files that are whole or not there: written beside, synced, renamed, the folder synced.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file that is written beside the one it is to replace.
pub struct Unfinished<'p> {
    path: &'p Path,
}

impl<'p> Unfinished<'p> {
    /// Writes and syncs it. What was there before stays.
    pub fn write<T>(path: &'p Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>) -> io::Result<(Unfinished<'p>, T)> {
        let mut out = BufWriter::with_capacity(256 * 1024, File::create(beside(path))?);
        let value = write(&mut out)?;
        out.flush()?;
        out.get_ref().sync_all()?;
        Ok((Unfinished { path }, value))
    }

    /// Puts it in the place of the one before.
    pub fn publish(self) -> io::Result<()> {
        std::fs::rename(beside(self.path), self.path)?;
        sync_folder(self.path)
    }
}

/// Replaces `path` by what `write` writes. Where anything fails, what was there before stays.
pub fn replace<T>(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>) -> io::Result<T> {
    let (unfinished, value) = Unfinished::write(path, write)?;
    unfinished.publish()?;
    Ok(value)
}

/// Removes a file, if it is there, for good.
pub fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes what a crash left of an unfinished [`replace`].
pub fn remove_unfinished(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(beside(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".unfinished");
    path.with_file_name(name)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}
