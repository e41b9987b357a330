//! `engage restore`: makes the data directory of a new cluster of one from a backup. Starts nothing.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::output;
use super::progress::Shown;
use crate::config::{Config, Storage};
use crate::node::backup;

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup
    file: PathBuf,
    /// The configuration file of the node that is to serve it [default: what `ENGAGE_CONFIG` names; without it, none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print what was restored as JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let config = Config::load(self.config.as_deref())?;
        if config.node.storage == Storage::Memory {
            bail!("node.storage = \"memory\" keeps nothing that could be restored into; hint: set it to \"disk\"");
        }
        let data_dir = config.node.data_dir.display();
        output::note(format_args!("restoring {} into {data_dir}", self.file.display()));
        let mut shown = Shown::new();
        let all = config.cluster.shards;
        let restored = backup::restore(&self.file, &config, |done| shown.count(done.into(), all.into(), "shards restored"));
        drop(shown);
        let summary = restored?;
        let from = &summary.header;
        if self.json {
            output::json(
                &json!({ "data_dir": config.node.data_dir, "from_cluster_id": from.cluster_id, "made_at": from.made_at_ms, "shards": from.shards,
                "users": summary.users, "buffered_deliveries": summary.buffered_deliveries }),
            )?;
        }
        let file = self.config.as_ref().map(|file| format!(" --config {}", file.display())).unwrap_or_default();
        output::note(format_args!(
            "{data_dir} holds {} of cluster {}, as it was at {}, for a new cluster of one\nstart it: engage serve{file}; further nodes join it with empty data directories",
            output::count(summary.users, "user"),
            from.cluster_id,
            output::time(from.made_at_ms),
        ));
        Ok(())
    }
}
