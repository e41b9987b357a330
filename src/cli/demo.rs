//! `engage demo`: puts the demo up, says where it is, opens its page, and takes it down at the end. What a demo is stands in [`crate::demo`].

use std::cell::RefCell;
use std::process::{Command, Stdio};

use clap::{Args, value_parser};
use tokio::signal::unix::{SignalKind, signal};

use super::greeting::program;
use super::output;
use super::progress::Shown;
use crate::demo::{Demo as Running, Wish};
use crate::fleet::Progress;

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The port of the page [default: 7480, or a free one where that is taken]
    #[arg(long, value_parser = value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Don't open the page in a browser
    #[arg(long)]
    no_open: bool,
}

impl Demo {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let end = async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
        };
        tokio::pin!(end);
        output::note(format_args!("starting three nodes on this machine; ctrl-c ends everything"));
        let shown = RefCell::new(Shown::new());
        let started = Running::start(Wish { port: self.port }, |progress| show(&mut shown.borrow_mut(), &progress));
        let demo = tokio::select! {
            started = started => started?,
            () = &mut end => return Ok(()),
        };
        shown.borrow().end();
        output::note(format_args!("{}", self.greeting(&demo)));
        // Data, so that a script can read it; the rest is for people.
        output::data(demo.url())?;
        if !self.no_open && has_display() {
            open(&demo.url());
        }
        demo.run(end).await?;
        output::note(format_args!("the demo has ended; its nodes and their data are gone"));
        Ok(())
    }

    fn greeting(&self, demo: &Running) -> String {
        let nodes: Vec<String> = demo.nodes().iter().map(|(name, url)| format!("{name} {url}")).collect();
        let taken = if self.port.is_none() && !demo.has_usual_port() { "; port 7480 is taken, so the page is on a free one" } else { "" };
        let file = demo.folder().join("n1.toml");
        format!(
            "three nodes serve as one cluster: {}{taken}\n\nOpen the page, and try this:\n\n  \
             1. publish a survey, and answer its first question on the phone\n  \
             2. kill the node that owns the user: the phone doesn't notice\n  \
             3. cut the phone's network: the laptop goes on at the second question\n  \
             4. lose an ack, kill a tab, bring the node back: nothing is shown twice\n\n\
             The other commands work on these nodes too: {} status --config {}\n",
            nodes.join(", "),
            program(),
            file.display()
        )
    }
}

fn show(shown: &mut Shown, progress: &Progress) {
    match progress {
        Progress::First => shown.say("n1 starts, and makes a cluster of one"),
        Progress::Joining => shown.say("n2 and n3 join it"),
        Progress::Spreading { done, all } => {
            shown.count(u64::try_from(*done).unwrap_or(0), u64::try_from(*all).unwrap_or(0), "shards are on all three");
        }
    }
}

/// Whether there is a screen that a browser could come up on.
fn has_display() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(target_os = "macos") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

/// Asks the desktop to open a page. Where it can't, the address has been printed.
fn open(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let opened = Command::new(program).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Ok(mut opening) = opened {
        // It may go on as long as the browser does; somebody has to take note of its end.
        let _ = std::thread::Builder::new().name("browser".to_owned()).spawn(move || opening.wait());
    }
}
