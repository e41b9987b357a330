//! The verbs, and how one is run.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::{backup, bench, check, check_history, connect, demo, drain, join, output, publish, remove, restore, serve, status, token};
use crate::history::HistoryError;

/// A delivery node for live engagements: the first confirmed showing wins, on every device, through every failover.
#[derive(Debug, Parser)]
#[command(name = "engage", version = VERSION, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

/// Of a build that must serve nobody, it says so.
const VERSION: &str = if cfg!(feature = "mutants") { concat!(env!("CARGO_PKG_VERSION"), "+mutants") } else { env!("CARGO_PKG_VERSION") };

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a node; the first one bootstraps a cluster of one
    Serve(serve::Serve),
    /// Start a node that joins the cluster of a peer, and goes on serving
    Join(join::Join),
    /// Show nodes and shards
    Status(status::Status),
    /// Move leaders and connections off a node
    Drain(drain::Drain),
    /// Take a node, dead or drained, out for good
    Remove(remove::Remove),
    /// Copy all that the cluster holds into a file
    Backup(backup::Backup),
    /// Make the data directory of a new cluster from a backup
    Restore(restore::Restore),
    /// Make a token that a device connects with
    Token(token::Token),
    /// Publish an engagement to a user
    Publish(publish::Publish),
    /// Be a device: print what the node sends, and ack it with --ack
    Connect(connect::Connect),
    /// Try it: three nodes on this machine, and a page with a phone and a laptop
    ///
    /// Starts three real nodes, joined to one cluster, and a page with a phone and a laptop that connect to them. Publish a survey, answer half of it on the phone, cut the
    /// phone's network or kill the node that owns the user, and go on where you were on the laptop.
    ///
    /// It needs no configuration, and takes none: a file or environment variables for nodes of yours don't matter to it. Everything listens on 127.0.0.1, keeps its data in a
    /// temporary folder, and is gone when the demo ends (ctrl-c).
    Demo(demo::Demo),
    /// Put load on nodes of its own or on a cluster, and tell the figures that matter
    Bench(bench::Bench),
    /// Say what is wrong with a configuration
    Check(check::Check),
    /// Judge what clients saw by the guarantees: exits with 0 when they were kept, 1 when not
    CheckHistory(check_history::CheckHistory),
}

/// Runs what the command line asks for. Called wrongly, it says how to call it and exits with 2.
#[must_use]
pub fn run() -> ExitCode {
    let done = match Arguments::parse().verb {
        Verb::Serve(serve) => in_runtime(serve.run()),
        Verb::Join(join) => in_runtime(join.run()),
        Verb::Status(status) => in_runtime(status.run()),
        Verb::Drain(drain) => in_runtime(drain.run()),
        Verb::Remove(remove) => in_runtime(remove.run()),
        Verb::Backup(backup) => in_runtime(backup.run()),
        Verb::Restore(restore) => restore.run(),
        Verb::Token(token) => token.run(),
        Verb::Publish(publish) => in_runtime(publish.run()),
        Verb::Connect(connect) => in_runtime(connect.run()),
        Verb::Demo(demo) => in_runtime(demo.run()),
        Verb::Bench(bench) => in_runtime(bench.run()),
        Verb::Check(check) => check.run(),
        Verb::CheckHistory(check) => check.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads any more what it prints: it is done, not failed.
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format_args!("engage: {error:#}"));
            // Nothing was judged: neither kept nor broken.
            if error.is::<HistoryError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// Commands need one thread; a node has threads of its own.
fn in_runtime(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_is_given_as_key_or_token_is_not_shown() {
        let call = ["engage", "connect", "--user", "u", "--device", "d", "--token", "planted-token", "--key", "planted-key"];
        let arguments = Arguments::try_parse_from(call).expect("it is a call");
        assert!(!format!("{arguments:?}").contains("planted"), "{arguments:?}");
    }

    #[test]
    fn a_payload_that_is_not_json_is_a_wrong_call() {
        let called = Arguments::try_parse_from(["engage", "publish", "--user", "u", "--id", "x", "--payload", "{"]);
        assert_eq!(called.expect_err("the payload is no JSON").exit_code(), 2);
    }
}
