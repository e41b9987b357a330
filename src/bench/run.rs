//! Runs a job from its nodes to its report.

use std::fs;
use std::path::Path;

use super::ground::Ground;
use super::options::{Job, Options, Place};
use super::report::Report;
use super::{BenchError, absent, commit, deliver, failover, growth, idle, plot, recover};
use crate::fleet;

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The nodes of the bench start.
    Nodes(fleet::Progress),
    /// So many of all are done.
    Count { done: u64, all: u64, what: &'static str },
    /// Something goes on whose end isn't known.
    Say(String),
}

/// Shows how far it is.
pub type Show<'a> = &'a dyn Fn(Stage);

/// What a user is called.
pub(super) fn user_name(number: usize) -> String {
    format!("bench-{number}")
}

/// Runs a job. Own nodes are ended when it is done, and leave nothing behind.
///
/// # Errors
/// [`BenchError`].
pub async fn run(options: &Options, show: Show<'_>) -> Result<Report, BenchError> {
    if options.job == Job::Failover && matches!(options.place, Place::Given { .. }) {
        return Err(BenchError::NeedsOwnNodes { job: options.job.name() });
    }
    match options.job {
        Job::Commit => return commit::run(options, show).await,
        Job::Absent => return absent::run(options, show).await,
        Job::Growth => return growth::run(options, show).await,
        Job::Idle | Job::Deliver | Job::Recover | Job::Failover => {}
    }
    let ground = Ground::lay(options, &|progress| show(Stage::Nodes(progress))).await?;
    match options.job {
        Job::Idle => idle::run(&ground, options, show).await,
        Job::Deliver => deliver::run(&ground, options, show).await,
        Job::Recover => recover::run(&ground, options, show).await,
        Job::Failover => failover::run(&ground, options, show).await,
        Job::Commit | Job::Absent | Job::Growth => unreachable!("it was run above"),
    }
}

/// Draws latency over time into a file. Whether there was any.
///
/// # Errors
/// [`BenchError::Write`].
pub fn draw(report: &Report, path: &Path) -> Result<bool, BenchError> {
    let Some(svg) = plot::svg(report) else { return Ok(false) };
    fs::write(path, svg).map_err(|error| BenchError::Write { path: path.to_owned(), error })?;
    Ok(true)
}
