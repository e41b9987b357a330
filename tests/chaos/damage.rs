//! One place in the files of a stopped or killed node is damaged, drawn at random: the binary starts with the same answers for every user, or ends with code 1 and a word
//! on which file it is. It never panics its way out, never hangs, and loses nothing in silence.
//!
//! `ENGAGE_DAMAGE=30 cargo test --test chaos damage -- --nocapture` is the full set; `ENGAGE_SEED` draws other places. The shards' own tests do the same 500 times
//! within one process.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::node::{ADMIN_KEY, Address, Settings, free_port, is_ready};
use crate::support::process::{Process, Start, log_path, tail};
use crate::support::runner::run;
use crate::support::wait::until_blocking_for;

/// A start that takes longer hangs.
const START_MAX: Duration = Duration::from_secs(120);
const USERS: usize = 20;
const LOG_LINES: usize = 30;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect("a number"))
}

/// A node of which the directory is looked after here.
struct Served {
    home: PathBuf,
    address: Address,
    process: Option<Process>,
}

/// How a start came out.
#[derive(Debug, PartialEq, Eq)]
enum Started {
    Ready,
    Ended(Option<i32>),
}

impl Served {
    /// A home with nothing in it.
    fn new() -> Served {
        let home = tempfile::Builder::new().prefix("engage-test-").tempdir().expect("a temporary directory").keep();
        Served { home, address: Address(format!("127.0.0.1:{}", free_port())), process: None }
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// The secrets of tokens and of the cluster are the node's own, in its directory.
    fn settings(&self) -> Settings {
        Settings::new()
            .without("auth.jwt_secret")
            .with("node.data_dir", self.data().to_str().expect("a path of UTF-8"))
            .with("http.listen", &self.address.0)
            .with("cluster.listen", &format!("127.0.0.1:{}", free_port()))
    }

    fn start(&mut self) -> Started {
        let settings = self.settings();
        let start = Start { arguments: &["serve"], environment: settings.environment(), home: &self.home, open_files: None, seat: None };
        let process = self.process.insert(Process::spawn(&start));
        until_blocking_for(START_MAX, "the node is ready or ends", || match process.ended() {
            Some(status) => Some(Started::Ended(status.code())),
            None => is_ready(&self.address.0).then_some(Started::Ready),
        })
    }

    fn stop(&mut self) {
        let process = self.process.take().expect("it runs");
        process.signal(Signal::TERM);
        let (status, _) = process.wait_for_exit();
        assert!(status.success(), "a stopped node exits with 0, not {status}: {}", self.log());
    }

    fn api(&self) -> Api {
        Api::at(&self.address, Some(ADMIN_KEY))
    }

    fn log(&self) -> String {
        tail(&fs::read_to_string(log_path(&self.home)).unwrap_or_default(), LOG_LINES)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
        let _ = fs::remove_dir_all(&self.home);
    }
}

async fn publish(api: &Api, stem: &str) {
    for number in 0..3 * USERS {
        let engagement = json!({"id": format!("{stem}{number}"), "payload": {"of": stem}});
        api.queue(&format!("u{}", number % USERS), &engagement).await;
    }
}

/// What the API says of every user.
async fn answers(api: &Api) -> Vec<Value> {
    let mut all = Vec::new();
    for number in 0..USERS {
        all.push(api.get(&format!("/v1/users/u{number}/engagements")).await.ok(200)["deliveries"].clone());
    }
    all
}

/// The files of a node, and what it answered when they were as they should be.
struct Image {
    name: &'static str,
    files: Vec<(PathBuf, Vec<u8>, u64)>,
    answers: Vec<Value>,
}

impl Image {
    fn of(name: &'static str, data: &Path, answers: Vec<Value>) -> Image {
        let mut files = Vec::new();
        collect(data, data, &mut files);
        files.sort();
        Image { name, files, answers }
    }

    fn unpack(&self, to: &Path) {
        use std::os::unix::fs::PermissionsExt as _;
        for (path, content, length) in &self.files {
            let path = to.join(path);
            fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder can be made");
            fs::write(&path, content).expect("it can be written");
            fs::File::options().write(true).open(&path).and_then(|file| file.set_len(*length)).expect("its length can be set");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode can be set");
        }
    }
}

/// Without the zeros at the end of files that were set aside for more.
fn collect(root: &Path, folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>, u64)>) {
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            collect(root, &path, files);
            continue;
        }
        let mut content = fs::read(&path).expect("it can be read");
        let length = content.len() as u64;
        content.truncate(content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        files.push((path.strip_prefix(root).expect("it lies under it").to_owned(), content, length));
    }
}

/// A node that was restored from a backup, so that it has snapshots, and took more since: once stopped, once killed.
async fn images() -> [Image; 2] {
    let mut first = Served::new();
    assert_eq!(first.start(), Started::Ready, "{}", first.log());
    publish(&first.api(), "first").await;
    let mut node = Served::new();
    let file = first.home.join("backup");
    let file = file.to_str().expect("a path of UTF-8");
    run(&["backup", file, "--url", &format!("http://{}", first.address.0)], &[("ENGAGE_API_KEY", ADMIN_KEY)]).succeeds();
    let data = node.data();
    let data_dir = data.to_str().expect("a path of UTF-8");
    run(&["restore", file], &[("ENGAGE_CLUSTER__SHARDS", "4"), ("ENGAGE_NODE__DATA_DIR", data_dir)]).succeeds();
    drop(first);

    assert_eq!(node.start(), Started::Ready, "{}", node.log());
    publish(&node.api(), "second").await;
    let before = answers(&node.api()).await;
    node.stop();
    let stopped = Image::of("stopped", &data, before);
    assert!(stopped.files.iter().any(|(path, ..)| path.ends_with("secrets.toml")), "the node made no secrets");
    assert!(stopped.files.iter().any(|(path, ..)| path.ends_with("snapshot")), "the node has no snapshot");

    assert_eq!(node.start(), Started::Ready, "{}", node.log());
    publish(&node.api(), "third").await;
    let before = answers(&node.api()).await;
    node.process.take().expect("it runs").kill();
    [stopped, Image::of("killed", &data, before)]
}

/// Damages one file at one place; says what it did.
fn damage(image: &Image, data: &Path, random: &mut StdRng) -> (PathBuf, String) {
    let with_content: Vec<_> = image.files.iter().filter(|(_, content, _)| !content.is_empty()).collect();
    let (file, content, _) = with_content[random.random_range(0..with_content.len())];
    let at = random.random_range(0..content.len());
    let path = data.join(file);
    let mut bytes = fs::read(&path).expect("it can be read");
    let what = match random.random_range(0..10) {
        0..4 => {
            let bit = random.random_range(0..8);
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} flipped")
        }
        4..6 => {
            bytes[at] = bytes[at].wrapping_add(77);
            format!("byte {at} is another one")
        }
        6..8 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        8 => {
            let end = content.len().min(at + 3_000);
            bytes[at..end].fill(0);
            format!("zeros from {at} to {end}")
        }
        _ => {
            fs::remove_file(&path).expect("it can be removed");
            return (file.clone(), "removed".to_owned());
        }
    };
    fs::write(&path, bytes).expect("it can be written");
    (file.clone(), what)
}

#[tokio::test]
async fn a_damaged_file_is_refused_by_name_or_loses_nothing() {
    let (seed, places) = (number("ENGAGE_SEED", 1), number("ENGAGE_DAMAGE", 3));
    println!("seed {seed}, {places} places");
    let images = images().await;
    let mut random = StdRng::seed_from_u64(seed);
    let mut refused_count = 0;
    for number in 0..places {
        let image = &images[random.random_range(0..images.len())];
        let mut node = Served::new();
        image.unpack(&node.data());
        let (file, what) = damage(image, &node.data(), &mut random);
        let place = format!("seed {seed}, place {number}, {}: {}: {what}", image.name, file.display());
        let started = node.start();
        println!("{place}: {started:?}");
        match started {
            Started::Ready => {
                assert_eq!(answers(&node.api()).await, image.answers, "{place}: it started, and lost something in silence");
                node.stop();
            }
            Started::Ended(code) => {
                let log = node.log();
                assert_eq!(code, Some(1), "{place}: {log}");
                let last = log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
                println!("    {last}");
                assert!(log.contains(node.data().to_str().expect("a path of UTF-8")), "{place}: no file is named: {log}");
                refused_count += 1;
            }
        }
    }
    println!("{refused_count} of {places} were refused, the others lost nothing");
}
