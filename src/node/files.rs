//! The process's bound on open files: each connection is one. Raised at the start to what the system allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Files that are no connections of clients: the log, its tables, the API, and some to spare.
const OTHER_FILES: u64 = 2_048;

/// Raises the soft limit to the hard one, and warns where that is too low for `connections_max`.
pub(super) fn raise_limit(connections_max: u64) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        warn!(%error, "the limit of open files can't be raised");
    }
    // None stands for no limit.
    let open_files_max = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if open_files_max < connections_max.saturating_add(OTHER_FILES) {
        warn!(
            open_files_max,
            connections_max, "limits.connections is more than this process may have open; hint: raise the hard limit (ulimit -Hn)"
        );
    }
}
