//! The temporary folder that everything is kept in. It goes when its program ends; where that was killed and could take nothing away, the next one does. A folder in use is told
//! by the lock that its program holds: the system lets go of it when the process ends.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::FleetError;

const LOCK: &str = "lock";

/// A folder that nobody else can read, and that goes with this value.
pub(crate) struct Folder {
    directory: TempDir,
    /// Held as long as the folder is in use.
    _lock: File,
}

impl Folder {
    /// Makes one, and takes away what others like it left behind.
    pub(crate) fn make(prefix: &str) -> Result<Folder, FleetError> {
        let place = std::env::temp_dir();
        let failed = |error| FleetError::Folder { place: place.clone(), error };
        take_away_what_was_left(&place, prefix);
        let directory = tempfile::Builder::new().prefix(prefix).tempdir_in(&place).map_err(failed)?;
        let lock = File::create(directory.path().join(LOCK)).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Folder { directory, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Only our own folders, and only those whose lock nobody holds. What can't be looked at or taken away stays: it is in nobody's way.
fn take_away_what_was_left(place: &Path, prefix: &str) {
    let own_user = rustix::process::geteuid().as_raw();
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)) {
        // Not through a link: of the entry itself.
        let is_ours = entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == own_user);
        if is_ours && is_left(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_left(folder: &Path) -> bool {
    // A folder without a lock may have been made a moment ago.
    let lock: PathBuf = folder.join(LOCK);
    File::open(lock).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "engage-fleet-test-";

    #[test]
    fn what_a_killed_program_left_is_taken_away_and_what_is_in_use_is_not() {
        let place = tempfile::tempdir().expect("a temporary directory");
        let folder = |name: &str| {
            let folder = place.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&folder).expect("it is made");
            folder
        };
        let (left, used, young) = (folder("left"), folder("used"), folder("young"));
        fs::write(left.join(LOCK), "").expect("it is written");
        let lock = File::create(used.join(LOCK)).expect("it is made");
        lock.lock().expect("nobody holds it");
        let other = place.path().join("other");
        fs::create_dir(&other).expect("it is made");
        take_away_what_was_left(place.path(), PREFIX);
        assert!(!left.exists() && used.exists() && young.exists() && other.exists());
    }

    #[test]
    fn a_folder_goes_with_its_program() {
        let folder = Folder::make(PREFIX).expect("there is room");
        let path = folder.path().to_owned();
        assert!(path.is_dir() && !is_left(&path));
        drop(folder);
        assert!(!path.exists());
    }
}
