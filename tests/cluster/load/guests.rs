//! People whose client is not ours to look into: the JS client, in a process of Node, among the others of a load. They write down what they see by themselves; merged with what the
//! others saw, the same checker judges it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use engage::history;
use engage::history::record::{Entry, What};
use serde_json::{Value, json};

use super::Shared;
use crate::support::token::token;
use crate::support::wait::until;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chaos/js/person.mjs");
/// The client as the binary carries it.
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/demo/page/engage.js");
/// What their devices' names begin with.
pub const DEVICES: &str = "js-";

/// What is wrong with their client, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    Nothing,
    /// Its outbox is lost with its page.
    Forgetful,
}

/// Who is invited.
#[derive(Clone, Copy, Debug)]
pub struct Invitation {
    /// One device of each of the first so many users; half of them on a WebSocket, half on a stream.
    pub people: usize,
    pub planted: Planted,
}

/// Those who came.
pub struct Guests {
    process: Child,
    folder: tempfile::TempDir,
}

impl Guests {
    /// Whether they can come; the error says what the machine lacks.
    pub fn can_come() -> Result<(), String> {
        let said = Command::new("node").arg("--version").output().map_err(|error| format!("node can't be run: {error}"))?;
        let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        let major = version.strip_prefix('v').and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
        if major.is_none_or(|major| major < 20) {
            return Err(format!("node is {version}, and 20 or newer is needed"));
        }
        if Path::new(CLIENT).exists() {
            Ok(())
        } else {
            Err(format!("the client is not built: {CLIENT}; hint: npm run build in clients/js"))
        }
    }

    /// They come to any of the nodes that the others know.
    pub(super) fn invite(invitation: Invitation, shared: &Shared, seed: u64) -> Guests {
        let folder = tempfile::Builder::new().prefix("engage-guests-").tempdir().expect("a temporary folder");
        let log = File::create(folder.path().join("log")).expect("a log");
        let process = Command::new("node")
            .arg(PROGRAM)
            .arg(plan(invitation, shared, (folder.path(), seed)).to_string())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("node starts");
        Guests { process, folder }
    }

    /// Tells them something. Whether they still listen, their end shows.
    pub(super) fn say(&mut self, word: &str) {
        let _ = self.process.stdin.as_mut().map(|stdin| writeln!(stdin, "{word}"));
    }

    /// Waits until they have gone; what they and the others saw, together.
    pub(super) async fn merged_with(mut self, others: &[Entry]) -> Vec<Entry> {
        let ended = until("the guests go home", || std::future::ready(self.ended())).await;
        assert!(ended.success(), "the guests ended with {ended}: {}", self.log());
        let ours = self.folder.path().join("ours.jsonl");
        history::file::write(&ours, others).expect("a history can be written");
        history::read_files(&[ours, theirs(self.folder.path())]).expect("what the guests wrote is a history")
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().expect("its status can be read")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn theirs(folder: &Path) -> PathBuf {
    folder.join("theirs.jsonl")
}

fn plan(invitation: Invitation, shared: &Shared, (folder, seed): (&Path, u64)) -> Value {
    let Some(Entry { what: What::Run(run), .. }) = shared.history.entries().into_iter().next() else {
        panic!("a history begins with its run")
    };
    let nodes: Vec<Value> =
        shared.roster.all().into_iter().map(|(name, address)| json!({"name": name, "url": format!("http://{}", address.0)})).collect();
    let person = |number: usize| {
        let user = format!("user-{number}");
        let transport = if number.is_multiple_of(2) { "websocket" } else { "stream" };
        json!({"token": token(&user), "user": user, "device": format!("{DEVICES}{number}"), "transport": transport})
    };
    json!({
        "client": CLIENT,
        "history": theirs(folder),
        "run": run,
        "nodes": nodes,
        "people": (0..invitation.people).map(person).collect::<Vec<_>>(),
        "seed": seed % u64::from(u32::MAX),
        "fault": (invitation.planted == Planted::Forgetful).then_some("forgets"),
    })
}
