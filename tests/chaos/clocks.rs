//! The wall clock of each node, as libfaketime (Debian: `faketime`) shows it: ahead, behind, too fast, and jumping while the node runs. Monotonic time is left alone: no
//! machine shows a wrong one.

use std::path::{Path, PathBuf};

use crate::support::seat::Seat;

/// Where Debian, and others, keep it.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

/// What a wall clock does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clock {
    Right,
    /// So many seconds ahead; behind, where negative.
    Off(i64),
    /// Runs so many times as fast, from the moment of its start.
    Drifts(f64),
}

/// The clocks of nodes, one file for each.
pub struct Clocks {
    library: &'static str,
    folder: PathBuf,
}

impl Clocks {
    /// Keeps its files in a folder; the error says what the machine lacks.
    pub fn prepare(folder: &Path) -> Result<Clocks, String> {
        let library = LIBRARIES.into_iter().find(|path| Path::new(path).exists());
        let library = library.ok_or_else(|| "libfaketime is missing (Debian: apt-get install faketime)".to_owned())?;
        Ok(Clocks { library, folder: folder.to_owned() })
    }

    /// A seat whose processes go by the clock of this number.
    pub fn on(&self, seat: Seat, number: usize) -> Seat {
        self.set(number, Clock::Right);
        let file = self.file(number);
        seat.preload(self.library)
            .with("FAKETIME_TIMESTAMP_FILE", file.to_str().expect("a path of UTF-8"))
            .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            // Nothing of it outlives the process.
            .with("FAKETIME_DISABLE_SHM", "1")
            // A jump is seen a second later at most.
            .with("FAKETIME_CACHE_DURATION", "1")
    }

    /// Changes a clock, also of a node that runs.
    pub fn set(&self, number: usize, clock: Clock) {
        let text = match clock {
            Clock::Right => "+0s".to_owned(),
            Clock::Off(seconds) => format!("{seconds:+}s"),
            Clock::Drifts(rate) => format!("+0s x{rate}"),
        };
        // Put in its place as a whole: the node may be reading it.
        let (file, new) = (self.file(number), self.folder.join("clock.new"));
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &file)).expect("a clock can be set");
    }

    fn file(&self, number: usize) -> PathBuf {
        self.folder.join(format!("clock-{number}"))
    }
}
