//! `engage check`: says everything that is wrong with a configuration, as `serve` would. Starts nothing.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::output;
use crate::config::{Config, ConfigError};

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration file
    config: PathBuf,
    /// Print what is wrong as JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let checked = Config::load(Some(&self.config));
        if self.json {
            output::json(&json!({ "valid": checked.is_ok(), "problems": checked.as_ref().err().map(problems).unwrap_or_default() }))?;
        }
        match checked {
            Ok(config) => {
                for advice in config.advice() {
                    output::note(format_args!("advice: {advice}"));
                }
                output::note(format_args!("{}, with the environment of this shell, is valid", self.config.display()));
                Ok(())
            }
            Err(error) if self.json && !matches!(error, ConfigError::File { .. }) => {
                bail!("{} is not valid: {}", self.config.display(), count(&error))
            }
            Err(error @ ConfigError::File { .. }) => Err(error.into()),
            Err(error) => bail!("{} is not valid\n{error}", self.config.display()),
        }
    }
}

fn problems(error: &ConfigError) -> Vec<Value> {
    match error {
        ConfigError::Invalid(problems) => {
            problems.iter().map(|problem| json!({ "key": problem.key, "source": problem.source, "message": problem.message })).collect()
        }
        other => vec![json!({ "key": null, "source": null, "message": other.to_string() })],
    }
}

fn count(error: &ConfigError) -> String {
    output::count(problems(error).len() as u64, "problem")
}
