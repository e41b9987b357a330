//! What replicas say and keep, without a database.

#[path = "../../src/shard/types.rs"]
pub mod types;
#[path = "../../src/shard/tempo.rs"]
pub mod tempo;
#[path = "../../src/shard/error.rs"]
pub mod error;
#[path = "../../src/shard/record.rs"]
pub mod record;
#[path = "../../src/shard/sizes.rs"]
pub mod sizes;
#[path = "../../src/shard/tail.rs"]
pub mod tail;
#[path = "../../src/shard/store.rs"]
pub mod store;
#[path = "../../src/shard/recovery.rs"]
pub mod recovery;
#[path = "../../src/shard/content.rs"]
pub mod content;
#[path = "../../src/shard/ledger_cell.rs"]
pub mod ledger_cell;
#[path = "../../src/shard/snapshot.rs"]
pub mod snapshot;
#[path = "../../src/shard/backup_file.rs"]
pub mod backup_file;
#[path = "../../src/shard/wire.rs"]
pub mod wire;
#[path = "../checks/shard.rs"]
pub mod checks;

pub mod machine {
    /// No group is started here.
    pub struct Machine;
}
