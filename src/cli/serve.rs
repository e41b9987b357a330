//! `engage serve`: runs a node until it is told to stop. Reads the configuration and greets; the rest is the node's.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;

use super::greeting::{Greeting, program};
use super::leash::Leash;
use super::output;
use crate::config::secrets::Origin;
use crate::config::{self, Config, Storage};
use crate::mutant;
use crate::node::{Ended, Node};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The configuration file [default: what `ENGAGE_CONFIG` names; without it, none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    leash: Leash,
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.leash.put_on()?;
        let config = load(self.config.as_deref())?;
        telemetry::install_logs(&config.log.level, config.log.format)?;
        let node = Node::start(config).await?;
        Started { node, file: file_of(self.config) }.serve().await
    }
}

/// The configuration of a node that is to start, with a word on what is unwise in it.
pub(super) fn load(file: Option<&Path>) -> anyhow::Result<Config> {
    if let Some(warning) = mutant::warning()? {
        output::note(format_args!("WARNING: {warning}"));
    }
    let config = Config::load(file)?;
    for advice in config.advice() {
        output::note(format_args!("advice: {advice}"));
    }
    Ok(config)
}

/// The configuration file that was given, or named by the environment.
pub(super) fn file_of(given: Option<PathBuf>) -> Option<PathBuf> {
    given.or_else(|| std::env::var_os(config::FILE_VARIABLE).map(PathBuf::from))
}

/// A node that runs.
pub(super) struct Started {
    pub(super) node: Node,
    /// Its configuration file, if there is one.
    pub(super) file: Option<PathBuf>,
}

impl Started {
    /// Greets, serves until a signal, and says what is then true.
    pub(super) async fn serve(self) -> anyhow::Result<()> {
        let Started { node, file } = self;
        let greeting = Greeting { config: node.config(), url: node.url(), file: file.as_deref(), program: program() };
        output::note(format_args!("{}", greeting.serves()));
        if matches!(node.secrets(), Origin::Made(_)) {
            output::note(format_args!("{}", greeting.first_start()));
        }
        let kept = match node.config().node.storage {
            Storage::Disk => format!("what it confirmed and accepted is kept in {}", node.config().node.data_dir.display()),
            Storage::Memory => "with storage = \"memory\" it starts empty next time".to_owned(),
        };
        let node_data_dir = node.config().node.data_dir.clone();
        let _pid_file = PidFile::write(&node.config().node.data_dir);
        match node.run_until_signal().await {
            Ended::Stopped => {
                output::note(format_args!("engage has stopped; {kept}"));
                Ok(())
            }
            Ended::Removed => {
                output::note(format_args!(
                    "this node was taken out of its cluster for good; wipe {} before it joins again",
                    node_data_dir.display()
                ));
                Ok(())
            }
            Ended::CutShort => bail!("stopping was cut short by a second signal; {kept}"),
            Ended::Failed => bail!("a part of the node has failed for good; hint: the log says which, and a restart may mend it"),
        }
    }
}

/// `<data_dir>/pid`: which process serves from there, for people and scripts. What guards the directory against a second node is the node's own lock.
struct PidFile(PathBuf);

impl PidFile {
    fn write(data_dir: &Path) -> PidFile {
        let path = data_dir.join("pid");
        if let Err(error) = std::fs::write(&path, format!("{}\n", std::process::id())) {
            output::note(format_args!("{} can't be written: {error}", path.display()));
        }
        PidFile(path)
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Where it isn't, there is nothing to take away.
        let _ = std::fs::remove_file(&self.0);
    }
}
