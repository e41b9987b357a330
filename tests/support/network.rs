//! The network between the nodes of a cluster, as a proxy in front of each node's cluster address: it can be cut, both ways or one way, slowed down, and have its
//! connections broken, for each pair of nodes. Needs no privileges: who dials is found out from the process that owns the other end of the connection.
//!
//! A cut is silent, as a firewall that drops packets is: connections stay open and nothing comes through; what was under way comes through when it is healed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use engage::clock;

use super::wait;

/// What is read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// So many chunks may be under way on a slow line; then it stops reading, as a full TCP window does.
const UNDER_WAY_MAX: usize = 256;

/// A node, by its place in the cluster.
pub type Place = usize;

/// How the way from one node to another is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    #[default]
    Open,
    /// Nothing comes through.
    Cut,
    /// All of it comes through, so much later.
    Slow(Duration),
}

/// How all ways are. Counts up where connections are to break.
#[derive(Clone, Debug, Default)]
struct Ways {
    ways: HashMap<(Place, Place), Way>,
    breaks: HashMap<(Place, Place), u64>,
}

impl Ways {
    fn way(&self, from: Place, to: Place) -> Way {
        self.ways.get(&(from, to)).copied().unwrap_or_default()
    }

    fn breaks(&self, one: Place, other: Place) -> u64 {
        self.breaks.get(&(one.min(other), one.max(other))).copied().unwrap_or_default()
    }
}

/// The network between nodes. It ends with this value.
pub struct Network {
    runtime: Option<Runtime>,
    ways: Arc<watch::Sender<Ways>>,
    /// The process of each node that runs.
    processes: Arc<Mutex<HashMap<Place, u32>>>,
}

impl Network {
    pub fn new() -> Network {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime can be made");
        Network { runtime: Some(runtime), ways: Arc::new(watch::Sender::default()), processes: Arc::default() }
    }

    /// Listens in front of a node; where the others reach it from now on.
    pub fn stand_before(&self, place: Place, node: SocketAddr) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket option");
        let address = listener.local_addr().expect("an address");
        let (ways, processes) = (Arc::clone(&self.ways), Arc::clone(&self.processes));
        let runtime = self.runtime.as_ref().expect("it runs until it is dropped");
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("the runtime takes it");
            while let Ok((dialer, from)) = listener.accept().await {
                let (ways, processes) = (Arc::clone(&ways), Arc::clone(&processes));
                tokio::spawn(async move {
                    let Some(dialing) = owner_of(from, address, &processes) else { return };
                    connect(dialer, node, Pair { dialing, dialed: place }, ways).await;
                });
            }
        });
        address
    }

    /// Tells which process a node is now.
    pub fn is_run_by(&self, place: Place, process: u32) {
        self.processes.lock().expect("no holder panics").insert(place, process);
    }

    /// Changes the way from one node to another, and leaves the way back as it is.
    pub fn set(&self, from: Place, to: Place, way: Way) {
        self.ways.send_modify(|ways| {
            ways.ways.insert((from, to), way);
        });
    }

    /// Changes both ways between two nodes.
    pub fn set_both(&self, one: Place, other: Place, way: Way) {
        self.set(one, other, way);
        self.set(other, one, way);
    }

    /// Breaks the connections between two nodes.
    pub fn break_links(&self, one: Place, other: Place) {
        self.ways.send_modify(|ways| *ways.breaks.entry((one.min(other), one.max(other))).or_default() += 1);
    }

    /// Opens all ways.
    pub fn heal(&self) {
        self.ways.send_modify(|ways| ways.ways.clear());
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The two ends of a connection.
#[derive(Clone, Copy)]
struct Pair {
    dialing: Place,
    dialed: Place,
}

/// The node whose process holds the end of a connection that has this address, if one does.
fn owner_of(end: SocketAddr, to: SocketAddr, processes: &Mutex<HashMap<Place, u32>>) -> Option<Place> {
    let inode = inode_of(end, to)?;
    let processes: Vec<(Place, u32)> = processes.lock().expect("no holder panics").iter().map(|(place, id)| (*place, *id)).collect();
    processes.into_iter().find(|(_, id)| holds(*id, inode)).map(|(place, _)| place)
}

/// The number that the system gives a socket, found by its two addresses.
fn inode_of(local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let ends_with = |text: &str, port: u16| text.ends_with(&format!(":{port:04X}"));
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (from, to) = (fields.next()?, fields.next()?);
        let inode = fields.nth(6)?.parse().ok()?;
        (ends_with(from, local.port()) && ends_with(to, remote.port())).then_some(inode)
    })
}

fn holds(process: u32, inode: u64) -> bool {
    let Ok(files) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    files.flatten().any(|file| std::fs::metadata(file.path()).is_ok_and(|metadata| metadata.ino() == inode))
}

async fn connect(dialer: TcpStream, node: SocketAddr, pair: Pair, ways: Arc<watch::Sender<Ways>>) {
    let mut changes = ways.subscribe();
    let breaks = changes.borrow_and_update().breaks(pair.dialing, pair.dialed);
    // While the way there is cut, nobody answers.
    if changes.wait_for(|ways| ways.way(pair.dialing, pair.dialed) != Way::Cut).await.is_err() {
        return;
    }
    let Ok(dialed) = TcpStream::connect(node).await else { return };
    let _ = (dialer.set_nodelay(true), dialed.set_nodelay(true));
    let ((from_dialer, to_dialer), (from_dialed, to_dialed)) = (dialer.into_split(), dialed.into_split());
    let there = carry(from_dialer, to_dialed, (pair.dialing, pair.dialed), ways.subscribe());
    let back = carry(from_dialed, to_dialer, (pair.dialed, pair.dialing), ways.subscribe());
    let broken = changes.wait_for(|ways| ways.breaks(pair.dialing, pair.dialed) != breaks);
    tokio::select! {
        () = there => {}
        () = back => {}
        _ = broken => {}
    }
}

/// Carries bytes one way until either end is gone.
async fn carry(mut from: OwnedReadHalf, to: OwnedWriteHalf, (start, end): (Place, Place), ways: watch::Receiver<Ways>) {
    let (sender, chunks) = mpsc::channel(UNDER_WAY_MAX);
    let delays = ways.clone();
    let read = async move {
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            match from.read(&mut chunk).await {
                Ok(count) if count > 0 => chunk.truncate(count),
                _ => return,
            }
            let delay = if let Way::Slow(delay) = delays.borrow().way(start, end) { delay } else { Duration::ZERO };
            if sender.send((clock::monotonic() + delay, chunk)).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, deliver(to, chunks, (start, end), ways));
}

async fn deliver(
    mut to: OwnedWriteHalf,
    mut chunks: mpsc::Receiver<(std::time::Instant, Vec<u8>)>,
    (start, end): (Place, Place),
    mut ways: watch::Receiver<Ways>,
) {
    while let Some((due, chunk)) = chunks.recv().await {
        wait::until_due(due).await;
        if ways.wait_for(|ways| ways.way(start, end) != Way::Cut).await.is_err() || to.write_all(&chunk).await.is_err() {
            return;
        }
    }
}
