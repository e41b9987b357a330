//! Backups, for the command line: the file that they are kept in, and the new cluster that is made of one. No node runs here.

use std::path::Path;

pub use crate::shard::backup_file::{FileError, Header, Writer};
pub use crate::shard::restore::{RestoreError, Summary, check};

use crate::config::Config;
use crate::shard::restore::{self, NewNode};

/// Makes the data directory of a new cluster of one, which `engage serve` with this configuration then starts. `done` is told the number of shards so far. Blocks.
///
/// # Errors
/// [`RestoreError`].
pub fn restore(file: &Path, config: &Config, done: impl FnMut(u16)) -> Result<Summary, RestoreError> {
    let node = NewNode { data_dir: &config.node.data_dir, shard_count: config.cluster.shards, name: &config.node.name };
    restore::restore(file, &node, done)
}
