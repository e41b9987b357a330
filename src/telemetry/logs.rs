//! The log: to standard error, as text or JSON, filtered by level.

use serde::{Deserialize, Serialize};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The variable that wins over the configured level.
pub const LOG_VARIABLE: &str = "ENGAGE_LOG";

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A filter that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{variable} = {filter:?} is not a level: {reason}; hint: error, warn, info, debug or trace", variable = LOG_VARIABLE)]
pub struct LogError {
    filter: String,
    reason: String,
}

/// Sets the log of this process up. A second call changes nothing: the first one's log stays.
///
/// # Errors
/// [`LogError`], when `ENGAGE_LOG` (or `level`, where it is not set) is no filter.
pub fn install_logs(level: &str, format: LogFormat) -> Result<(), LogError> {
    let set = std::env::var(LOG_VARIABLE).ok().filter(|filter| !filter.is_empty());
    let filter = filter_of(set.as_deref().unwrap_or(level))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that a log is set up already, by a test or by an earlier node in this process.
    let _ = match format {
        LogFormat::Text => subscriber.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// Whether a level or filter can be used.
///
/// # Errors
/// Why not.
pub fn judge_filter(filter: &str) -> Result<(), String> {
    filter_of(filter).map(drop).map_err(|error| error.reason)
}

/// A plain level is ours alone: other crates tell of their inner life at `info`, hundreds of lines for each start, and may print what they carry at `debug`.
/// openraft warns of every message that a newer vote overtook, so of it only errors are shown; and it calls it an error that a group which has stopped takes no messages. Who
/// wants more names the crates.
fn filter_of(filter: &str) -> Result<EnvFilter, LogError> {
    let named = match filter.parse::<LevelFilter>() {
        Ok(level) => {
            let (others, openraft) = (level.min(LevelFilter::WARN), level.min(LevelFilter::ERROR));
            format!("{others},openraft={openraft},openraft::raft::raft_inner=off,engage={level}")
        }
        // Taken as it stands, a misspelt level would name a crate that there isn't, and nothing would ever be logged.
        Err(_) if filter.chars().all(char::is_alphanumeric) => {
            return Err(LogError { filter: filter.to_owned(), reason: "there is no such level".to_owned() });
        }
        Err(_) => filter.to_owned(),
    };
    EnvFilter::try_new(named).map_err(|error| LogError { filter: filter.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_level_is_for_our_own_lines() {
        let text = |filter: &str| filter_of(filter).expect("it is a filter").to_string();
        assert!(text("debug").contains("engage=debug") && text("debug").contains("openraft=error") && text("debug").ends_with("warn"));
        assert!(text("off").contains("engage=off") && text("off").ends_with("off"));
        assert_eq!(text("openraft=debug"), "openraft=debug");
    }

    #[test]
    fn a_wrong_filter_is_named() {
        assert!(filter_of("info,engage::shard=debug").is_ok());
        let error = filter_of("engage=loud").unwrap_err().to_string();
        assert!(error.contains("ENGAGE_LOG = \"engage=loud\""), "{error}");
        assert!(filter_of("inf").unwrap_err().to_string().contains("there is no such level"));
    }
}
