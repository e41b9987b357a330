//! The process's bound on open files: each connection is one. Raised at the start as far as the system lets this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{info, warn};

/// Files that are no connections of clients: second handles on some of those, the log, its tables, the API, and some to spare.
const OTHER_FILES: u64 = 8_192;

/// Raises the limit to what `connections_max` needs, or at least to the hard limit, and warns where that is too low.
pub(super) fn raise_limit(connections_max: u64) {
    let needed = connections_max.saturating_add(OTHER_FILES);
    let limit = getrlimit(Resource::Nofile);
    // None stands for no limit.
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let is_enough = hard >= needed;
    // Only a privileged process may pass the hard limit; the others get as far as that.
    let beyond = Rlimit { current: Some(needed), maximum: Some(needed) };
    if is_enough || setrlimit(Resource::Nofile, beyond).is_err() {
        let up_to_hard = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, up_to_hard) {
            warn!(%error, "the limit of open files can't be raised");
        }
    }
    let open_files_max = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if open_files_max < needed {
        let connections_fit = open_files_max.saturating_sub(OTHER_FILES);
        info!(
            open_files_max,
            connections_max,
            connections_fit,
            "limits.connections is more than the limit of open files lets in; hint: raise the hard limit (ulimit -Hn)"
        );
    }
}
