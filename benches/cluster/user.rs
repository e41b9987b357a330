//! A connected user of the `kill` job: acks what it is offered, connects again elsewhere when its node dies, and notes what it is offered after its confirm.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::watch;

use crate::now;
use crate::socket::Socket;

/// How long a user waits at most before it connects again.
const BACK_OFF_MAX_MS: u64 = 250;

/// What all users share.
#[derive(Default)]
pub struct Counters {
    pub confirmed: AtomicU64,
    pub offered_again: AtomicU64,
    pub connected: AtomicU64,
    pub over: AtomicBool,
}

/// One user with one device.
pub struct User {
    pub number: usize,
    pub token: String,
    /// All nodes; its own is the one at `number` modulo their count, then the next.
    pub addresses: Vec<SocketAddr>,
    pub counters: Arc<Counters>,
    /// Set when the node is killed.
    pub killed: watch::Receiver<Option<Instant>>,
    /// What it acks step by step, to be seen to be served: its window, once known.
    pub window: String,
    pub step: u32,
    /// When it was first served after the kill.
    pub served: Option<Instant>,
    pub settled: HashSet<String>,
    pub place: usize,
}

/// What a server message says, as far as it matters here.
#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    window: serde_json::Value,
    #[serde(default)]
    state: String,
    #[serde(default)]
    steps: u32,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Frame {
    Many(Vec<Said>),
    One(Said),
}

/// The engagement that a user acks to see whether it is served.
pub const BEAT: &str = "beat";

impl User {
    /// Lives until it is over; how long after the kill it was served, if it was.
    pub async fn live(mut self) -> Option<Duration> {
        while !self.counters.over.load(Ordering::Relaxed) {
            let address = self.addresses[self.place % self.addresses.len()];
            if let Ok(socket) = Socket::try_connect(address, &self.token).await {
                self.counters.connected.fetch_add(1, Ordering::Relaxed);
                let _ = self.connected(socket).await;
                self.counters.connected.fetch_sub(1, Ordering::Relaxed);
            }
            self.place += 1;
            // Spread by the number: no randomness is needed for it.
            tokio::time::sleep(Duration::from_millis((self.number as u64 * 7_919) % BACK_OFF_MAX_MS)).await;
        }
        let killed = (*self.killed.borrow())?;
        Some(self.served? - killed)
    }

    async fn connected(&mut self, mut socket: Socket) -> std::io::Result<()> {
        let mut killed = self.killed.clone();
        let mut has_asked = false;
        while !self.counters.over.load(Ordering::Relaxed) {
            let is_killed = killed.borrow().is_some();
            if is_killed && !has_asked && self.served.is_none() && !self.window.is_empty() {
                has_asked = true;
                self.step += 1;
                socket.send(&format!(r#"{{"type":"ack","id":"{BEAT}","window":"{}","step":{}}}"#, self.window, self.step)).await?;
            }
            let text = tokio::select! {
                text = socket.next_text() => text?,
                _ = killed.changed(), if !is_killed => continue,
                () = tokio::time::sleep(Duration::from_secs(1)) => continue,
            };
            let said = match serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")) {
                Frame::Many(said) => said,
                Frame::One(said) => vec![said],
            };
            for message in said {
                if let Some(answer) = self.take(&message) {
                    socket.send(&answer).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes one message; what to say to it.
    fn take(&mut self, said: &Said) -> Option<String> {
        let window = said.window.as_str().unwrap_or_default();
        match said.kind.as_str() {
            "offer" if said.id == BEAT => {
                self.window = window.to_owned();
                None
            }
            "offer" => {
                if self.settled.contains(&said.id) {
                    self.counters.offered_again.fetch_add(1, Ordering::Relaxed);
                }
                Some(format!(r#"{{"type":"ack","id":"{}","window":"{window}","step":{}}}"#, said.id, said.steps))
            }
            "confirm" if said.id == BEAT => {
                self.served.get_or_insert_with(now);
                None
            }
            "confirm" if said.state == "completed" => {
                self.counters.confirmed.fetch_add(1, Ordering::Relaxed);
                self.settled.insert(said.id.clone());
                None
            }
            "error" if said.id == BEAT => {
                Some(format!(r#"{{"type":"ack","id":"{BEAT}","window":"{}","step":{}}}"#, self.window, self.step))
            }
            _ => None,
        }
    }
}
