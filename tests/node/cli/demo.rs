//! `engage demo`: three nodes and a page, and nothing of them left behind.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{HOST, ORIGIN};
use reqwest::{Client, Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::support::runner::{Running, run};
use crate::support::wait::{until, until_or_tell};

/// A change of the owner, or the return of a node, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// A demo that runs, and what the page would ask of it.
struct Demo {
    running: Running,
    url: String,
    http: Client,
    folder: tempfile::TempDir,
}

impl Demo {
    /// Starts one in a temporary folder of its own, on whatever port it finds.
    fn start() -> Demo {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let place = folder.path().to_str().expect("a path of UTF-8");
        // A person's own settings don't matter to a demo; with these no node would start.
        let own = [("ENGAGE_CLUSTER__SHARDS", "none"), ("ENGAGE_CONFIG", "/nowhere/engage.toml"), ("ENGAGE_HTTP__LISTEN", "8.8.8.8:1")];
        let environment: Vec<(&str, &str)> = own.into_iter().chain([("TMPDIR", place)]).collect();
        let mut running = Running::start(&["demo", "--no-open"], &environment);
        let url = running.line();
        Demo { running, url, http: Client::builder().no_proxy().build().expect("a client"), folder }
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.http.request(method, format!("{}{path}", self.url)).header(ORIGIN, &self.url).json(body);
        let answer = request.send().await.expect("the demo answers");
        let status = answer.status();
        let text = answer.text().await.expect("it can be read");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn state(&self) -> Value {
        self.call(Method::GET, "/demo/state", &Value::Null).await.1
    }

    async fn press(&self, path: &str) {
        assert_eq!(self.call(Method::POST, path, &Value::Null).await.0, StatusCode::NO_CONTENT, "{path}");
    }

    /// Waits for the node that owns the user.
    async fn owner(&self) -> String {
        until("somebody owns the user", async || self.state().await["owner"].as_str().map(str::to_owned)).await
    }

    async fn node_is(&self, name: &str, state: &str) {
        let is_so = async || {
            self.state().await["nodes"].as_array()?.iter().any(|node| node["name"] == name && node["state"] == state).then_some(())
        };
        until_or_tell(DEADLINE, is_so, || format!("{name} is {state}")).await;
    }

    async fn node_ids(&self) -> Vec<i32> {
        let state = self.state().await;
        let nodes = state["nodes"].as_array().expect("nodes").iter();
        nodes.map(|node| i32::try_from(node["pid"].as_i64().expect("it runs")).expect("it fits")).collect()
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.running.id()).expect("it fits");
        kill_process(Pid::from_raw(id).expect("not 0"), signal).expect("it can be signalled");
    }
}

/// Whether a process runs; one that has ended and that nobody took note of doesn't.
fn runs(id: i32) -> bool {
    let is_there = test_kill_process(Pid::from_raw(id).expect("not 0")).is_ok();
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    is_there && !stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z'))
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("it can be read").next().is_none()
}

#[tokio::test]
async fn a_demo_starts_serves_kills_and_brings_back_and_leaves_nothing() {
    let mut demo = Demo::start();
    let page = demo.http.get(&demo.url).send().await.expect("the page is served");
    let policy = page.headers()["content-security-policy"].to_str().expect("it is text").to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'self'") && !policy.contains("unsafe"), "{policy}");
    assert!(page.text().await.expect("it is text").contains("<title>engage demo</title>"));

    let (status, published) = demo.call(Method::POST, "/demo/engagements", &json!({"id": "x", "payload": {}})).await;
    assert_eq!((status, &published["status"]), (StatusCode::CREATED, &json!("queued")));
    let owner = demo.owner().await;
    demo.press(&format!("/demo/nodes/{owner}/kill")).await;
    demo.node_is(&owner, "down").await;
    assert_ne!(demo.owner().await, owner, "another took over");
    let (_, again) = demo.call(Method::POST, "/demo/engagements", &json!({"id": "x", "payload": {}})).await;
    assert_eq!(again["status"], "duplicate", "what was accepted is known to the others");
    demo.press(&format!("/demo/nodes/{owner}/start")).await;
    demo.node_is(&owner, "up").await;

    let nodes = demo.node_ids().await;
    assert!(nodes.len() == 3 && nodes.iter().all(|id| runs(*id)));
    assert!(!is_empty(demo.folder.path()), "its data is there");
    demo.signal(Signal::TERM);
    assert_eq!(demo.running.wait_for_exit(), 0);
    assert!(!nodes.iter().any(|id| runs(*id)), "its nodes have ended with it");
    assert!(is_empty(demo.folder.path()), "its data is gone");
}

#[tokio::test]
async fn a_demo_that_is_killed_takes_its_nodes_along() {
    let demo = Demo::start();
    let nodes = demo.node_ids().await;
    demo.signal(Signal::KILL);
    until("its nodes end", async || (!nodes.iter().any(|id| runs(*id))).then_some(())).await;
}

#[tokio::test]
async fn a_demo_answers_to_its_own_page_alone() {
    let demo = Demo::start();
    let owner = demo.owner().await;
    let kill = format!("{}/demo/nodes/{owner}/kill", demo.url);
    let token = format!("{}/demo/devices/phone/token", demo.url);
    for url in [&kill, &token] {
        for request in [
            demo.http.post(url),
            demo.http.post(url).header(ORIGIN, "https://evil.example"),
            demo.http.post(url).header(ORIGIN, "null"),
            demo.http.post(url).header(HOST, "evil.example").header(ORIGIN, "http://evil.example"),
        ] {
            let answer = request.send().await.expect("it is answered");
            assert_eq!(answer.status(), StatusCode::FORBIDDEN);
            assert!(!answer.text().await.expect("it is text").contains("eyJ"), "no token is in it");
        }
    }
    let state = demo.http.get(format!("{}/demo/state", demo.url)).header(HOST, "evil.example").send().await.expect("it is answered");
    assert_eq!(state.status(), StatusCode::FORBIDDEN);
    let nodes = demo.node_ids().await;
    assert!(nodes.len() == 3 && nodes.iter().all(|id| runs(*id)), "nobody was killed");
    let (status, token) = demo.call(Method::POST, "/demo/devices/phone/token", &Value::Null).await;
    assert!(status == StatusCode::OK && token["token"].as_str().is_some_and(|token| token.starts_with("eyJ")));
}

#[test]
fn the_help_of_a_demo_says_what_it_is_and_that_it_needs_nothing() {
    let ran = run(&["demo", "--help"], &[]);
    ran.succeeds();
    for word in ["three real nodes", "no configuration", "--port", "--no-open", "127.0.0.1"] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
}
