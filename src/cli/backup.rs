//! `engage backup`: copies every shard from the node that owns it into one file, and reads the file back before it says that it is there.

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::output;
use super::progress::Shown;
use super::target::{Need, Target};
use super::waiting::{Patience, may_pass};
use crate::client::{Api, Cluster, Copied, Pieces};
use crate::clock;
use crate::config::Span;
use crate::node::backup::{self, Header, Summary, Writer};

/// How long a shard may have no owner that answers, before a backup is given up.
const OWNER_TIMEOUT: Span = Span::from_secs(30);
/// How often one shard is asked for when each node says that another one owns it.
const HOPS_MAX: u32 = 10;

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to make
    file: PathBuf,
    /// Print what it holds as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Backup {
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        if self.file.exists() {
            bail!("{} exists; hint: a backup replaces nothing, give another name", self.file.display());
        }
        let api = self.target.api(Need::Admin)?;
        let cluster = api.cluster().await?;
        let shards = output::count(cluster.shards.len() as u64, "shard");
        output::note(format_args!("copying {shards} of cluster {} to {}", cluster.cluster_id, self.file.display()));
        let unfinished = Unfinished::beside(&self.file);
        copy(&api, &cluster, &unfinished.0).await?;
        let summary = read_back(unfinished.0.clone()).await?;
        let bytes = fs::metadata(&unfinished.0).map(|metadata| metadata.len()).context("the backup can't be looked at")?;
        fs::rename(&unfinished.0, &self.file).with_context(|| format!("{} can't be made", self.file.display()))?;
        if self.json {
            output::json(
                &json!({ "file": self.file, "cluster_id": cluster.cluster_id, "shards": summary.header.shards, "users": summary.users,
                "buffered_deliveries": summary.buffered_deliveries, "bytes": bytes }),
            )?;
        }
        let users = output::count(summary.users, "user");
        let (file, cluster_id, waiting) = (self.file.display(), &cluster.cluster_id, summary.buffered_deliveries);
        output::note(format_args!(
            "{file} holds {shards} of cluster {cluster_id}, whole: {users}, {waiting} of their deliveries not settled, {bytes} bytes\nit holds what users were sent: guard it as such"
        ));
        Ok(())
    }
}

/// A file that is removed again, unless it got another name.
struct Unfinished(PathBuf);

impl Unfinished {
    fn beside(file: &Path) -> Unfinished {
        let mut name = file.file_name().unwrap_or_default().to_os_string();
        name.push(".unfinished");
        Unfinished(file.with_file_name(name))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Where it was renamed there is nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}

async fn copy(api: &Api, cluster: &Cluster, path: &Path) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let file = file.with_context(|| format!("{} can't be written", path.display()))?;
    let all = u16::try_from(cluster.shards.len()).context("there are more shards than a cluster can have")?;
    let header = Header { cluster_id: cluster.cluster_id.clone(), shards: all, made_at_ms: clock::wall_ms() };
    let mut writer = Writer::begin(BufWriter::new(file), &header)?;
    let mut shown = Shown::new();
    for shard in 0..all {
        shown.count(shard.into(), all.into(), "shards copied");
        copy_shard(api, shard.into(), &mut writer).await.with_context(|| format!("shard {shard} can't be copied"))?;
    }
    let file = writer.finish()?.into_inner().map_err(|error| error.into_error())?;
    file.sync_all().with_context(|| format!("{} can't be written", path.display()))
}

async fn copy_shard(api: &Api, shard: u32, writer: &mut Writer<impl Write>) -> anyhow::Result<()> {
    let mut pieces = from_owner(api, shard).await?;
    while let Some(piece) = pieces.next().await? {
        writer.piece(&piece)?;
    }
    Ok(writer.end_shard()?)
}

/// Asks for the shard where it is, wherever that is told to be. A node that can't be reached may be a dead owner, whose successor the first node knows soon.
async fn from_owner(api: &Api, shard: u32) -> anyhow::Result<Pieces> {
    let patience = Patience::new(OWNER_TIMEOUT);
    for _ in 0..HOPS_MAX {
        let url = match patience.call(async || api.copy_shard(shard).await, may_pass).await? {
            Copied::Here(pieces) => return Ok(pieces),
            Copied::Elsewhere(url) => url,
        };
        match api.at(&url)?.copy_shard(shard).await {
            Ok(Copied::Here(pieces)) => return Ok(pieces),
            Ok(Copied::Elsewhere(_)) => {}
            Err(error) if may_pass(&error) => output::note(format_args!("{error}")),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    bail!("its owner changes all the time, or can't be reached from here; hint: engage status shows where it should be")
}

async fn read_back(path: PathBuf) -> anyhow::Result<Summary> {
    let read = tokio::task::spawn_blocking(move || {
        let mut shown = Shown::new();
        shown.say("reading it back");
        let summary = backup::check(&path, |_| {});
        drop(shown);
        summary
    });
    Ok(read.await??)
}
