//! The process's bound on open files: each connection is one. Raised at the start as far as the system lets this process; what does not fit is refused at the door,
//! because a log or a snapshot that finds no file left ends the node.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{info, warn};

/// Second handles on the sockets of some connections.
const HANDLE_FILES: u64 = 4_096;
/// The log, its tables, the snapshots, and some to spare.
const STORE_FILES: u64 = 2_048;
/// Connections of the API and the scrapers: at least so many fit beside those of clients, and at most that many more are taken.
const API_FILES: u64 = 2_048;
const API_FILES_MAX: u64 = 10_000;
/// Files that are no connections of clients.
pub(crate) const OTHER_FILES: u64 = HANDLE_FILES + STORE_FILES + API_FILES;

/// How many sockets may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Connections of clients.
    pub(super) connections_max: u64,
    /// All of them.
    pub(super) sockets_max: u64,
}

/// Raises the limit to what `connections_max` needs, or at least to the hard limit, says where that is too low, and tells what fits.
pub(super) fn make_room(connections_max: u64) -> Room {
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
    let room = room_in(open_files_max, connections_max);
    if room.connections_max < connections_max {
        info!(
            open_files_max,
            connections_max,
            connections_fit = room.connections_max,
            "limits.connections is more than the limit of open files lets in, fewer are taken; hint: raise the hard limit (ulimit -Hn)"
        );
    }
    room
}

fn room_in(open_files_max: u64, connections_max: u64) -> Room {
    if open_files_max < 2 * OTHER_FILES {
        // Each socket may have a second handle; the other half is for the log.
        let sockets_max = open_files_max / 4;
        return Room { connections_max: connections_max.min(sockets_max / 2), sockets_max };
    }
    let connections_max = connections_max.min(open_files_max - OTHER_FILES);
    let sockets_max = (connections_max + API_FILES_MAX).min(open_files_max - HANDLE_FILES - STORE_FILES);
    Room { connections_max, sockets_max }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_limit_is_all_sockets_with_their_handles_leave_files_for_the_log() {
        for open_files_max in [256, 1_024, 4_096, 16_383, 16_384, 20_000, 108_192, 1_048_576, u64::MAX] {
            for connections_max in [1, 100, 10_000, 100_000] {
                let Room { connections_max: fit, sockets_max } = room_in(open_files_max, connections_max);
                assert!(fit <= connections_max && fit < sockets_max, "{open_files_max} {connections_max}");
                let left = open_files_max - sockets_max - sockets_max.min(HANDLE_FILES);
                assert!(left >= STORE_FILES.min(open_files_max / 2), "{open_files_max} {connections_max}: {left} left");
            }
        }
        assert_eq!(room_in(u64::MAX, 100_000), Room { connections_max: 100_000, sockets_max: 110_000 });
        assert_eq!(room_in(20_000, 100_000).connections_max, 11_808);
    }
}
