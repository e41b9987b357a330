//! How a node that another program started ends with that program, however that one ends: the node is given a pipe as its stdin, and goes when the pipe closes. The system
//! closes it with its writer, also when that was killed and could do nothing itself.

use std::io::{self, Read as _};

use clap::Args;

/// See the file's comment. No option for people: `engage demo` starts its nodes with it.
#[derive(Debug, Args)]
pub(super) struct Leash {
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

impl Leash {
    /// From now on this process ends when its stdin does, if it was started so.
    pub(super) fn put_on(&self) -> io::Result<()> {
        if !self.until_stdin_closes {
            return Ok(());
        }
        std::thread::Builder::new().name("leash".to_owned()).spawn(wait_for_the_end).map(drop)
    }
}

fn wait_for_the_end() {
    let mut stdin = io::stdin().lock();
    let mut ignored = [0_u8; 64];
    // What comes means nothing; only its end does. A read that can't go on is an end too.
    while stdin.read(&mut ignored).is_ok_and(|count| count > 0) {}
    // Nobody is left to be told and nothing to be kept in order for: whoever held the pipe is gone. What was confirmed is on disk, as after any crash.
    std::process::exit(0);
}
