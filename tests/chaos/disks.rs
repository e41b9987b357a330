//! The disk of each node, made slow, or broken, while the node runs: a small library stands before its syncs (`slow_disk.c`, compiled here).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::seat::Seat;

/// How a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    Good,
    /// A sync takes so much longer.
    Slow {
        ms: u32,
    },
    /// No sync succeeds.
    Broken,
}

/// The disks of nodes, one file for each.
pub struct Disks {
    library: PathBuf,
    folder: PathBuf,
}

impl Disks {
    /// Compiles the library into a folder; the error says what the machine lacks.
    pub fn prepare(folder: &Path) -> Result<Disks, String> {
        let library = folder.join("slow_disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chaos/slow_disk.c");
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).args([source, "-ldl"]).output();
        let compiled = compiled.map_err(|error| format!("cc can't be run: {error}"))?;
        if !compiled.status.success() {
            return Err(format!("cc: {}", String::from_utf8_lossy(&compiled.stderr)));
        }
        Ok(Disks { library, folder: folder.to_owned() })
    }

    /// A seat whose processes write to the disk of this number.
    pub fn on(&self, seat: Seat, number: usize) -> Seat {
        self.set(number, Disk::Good);
        let file = self.file(number);
        seat.preload(self.library.to_str().expect("a path of UTF-8")).with("ENGAGE_TEST_DISK", file.to_str().expect("a path of UTF-8"))
    }

    /// Changes a disk, also of a node that runs.
    pub fn set(&self, number: usize, disk: Disk) {
        let text = match disk {
            Disk::Good => "0".to_owned(),
            Disk::Slow { ms } => ms.to_string(),
            Disk::Broken => "fails".to_owned(),
        };
        let (file, new) = (self.file(number), self.folder.join("disk.new"));
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &file)).expect("a disk can be set");
    }

    fn file(&self, number: usize) -> PathBuf {
        self.folder.join(format!("disk-{number}"))
    }
}
