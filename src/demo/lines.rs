//! The lines: for each device, and each node, a port that hands on bytes to that node as long as the device's wire is whole. Looks into nothing of what goes through. When the wire is torn
//! both ends are reset: neither hears a Close frame, which is what a lift, a tunnel or a dead battery looks like.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde::Serialize;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::DemoError;
use super::wire::{Watch, Wire};
use crate::fleet::Settings;

/// Connections that one line carries at once; others wait. A page has two or three.
const CONNECTIONS_MAX: usize = 64;

/// Where a device reaches a node.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    pub(super) node: String,
    pub(super) url: String,
}

/// A device's lines, one for each node, which share its wire.
pub(super) struct Device {
    pub(super) name: &'static str,
    pub(super) wire: Arc<Wire>,
    pub(super) lines: Vec<Line>,
}

/// All lines. They end with this value.
pub(super) struct Lines {
    devices: Vec<Device>,
    _tasks: JoinSet<()>,
}

impl Lines {
    /// Lays the lines of these devices to these nodes.
    pub(super) async fn lay(devices: &[&'static str], nodes: &[&Settings]) -> Result<Lines, DemoError> {
        let mut tasks = JoinSet::new();
        let mut laid = Vec::with_capacity(devices.len());
        for name in devices {
            let wire = Arc::new(Wire::new());
            let mut lines = Vec::with_capacity(nodes.len());
            for node in nodes {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(DemoError::NoPort)?;
                let address = listener.local_addr().map_err(DemoError::NoPort)?;
                lines.push(Line { node: node.name.clone(), url: format!("http://{address}") });
                tasks.spawn(carry_all(listener, SocketAddr::from((Ipv4Addr::LOCALHOST, node.http_port)), wire.clone()));
            }
            laid.push(Device { name, wire, lines });
        }
        Ok(Lines { devices: laid, _tasks: tasks })
    }

    pub(super) fn all(&self) -> &[Device] {
        &self.devices
    }

    pub(super) fn of(&self, device: &str) -> Option<&Device> {
        self.devices.iter().find(|known| known.name == device)
    }
}

async fn carry_all(listener: TcpListener, node: SocketAddr, wire: Arc<Wire>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut carried = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        // An error is one of that connection, gone before it was taken, or a lack that passes.
        match listener.accept().await {
            Ok((device, _)) => drop(carried.spawn(carry(device, node, wire.watch(), place))),
            Err(_) => tokio::task::yield_now().await,
        }
        while carried.try_join_next().is_some() {}
    }
}

/// Carries one connection. `place` is given back at its end.
async fn carry(mut device: TcpStream, node: SocketAddr, mut watch: Watch, place: OwnedSemaphorePermit) {
    if carry_until_torn(&mut device, node, &mut watch).await.is_err() {
        // Dropped now, it is reset.
        let _ = device.set_zero_linger();
    }
    drop(place);
}

async fn carry_until_torn(device: &mut TcpStream, node: SocketAddr, watch: &mut Watch) -> io::Result<()> {
    let torn = || io::Error::from(io::ErrorKind::ConnectionReset);
    if watch.is_cut() {
        return Err(torn());
    }
    let mut node = TcpStream::connect(node).await?;
    node.set_nodelay(true)?;
    device.set_nodelay(true)?;
    tokio::select! {
        done = copy_bidirectional(device, &mut node) => done.map(drop),
        () = watch.torn() => {
            node.set_zero_linger()?;
            Err(torn())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    /// A node that says back what it is told, and the lines of a device to it.
    async fn echo() -> (Lines, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let http_port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        let settings = Settings { name: "n1".to_owned(), http_port, cluster_port: 0, folder: PathBuf::new() };
        let lines = Lines::lay(&["phone"], &[&settings]).await.expect("there are ports");
        let url = &lines.of("phone").expect("it was laid").lines[0].url;
        let address = url.strip_prefix("http://").expect("a URL").parse().expect("an address");
        (lines, address)
    }

    async fn says_it_back(address: SocketAddr) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"x").await?;
        let back = timeout(DEADLINE, stream.read_u8()).await.expect("something comes back, or an end")?;
        assert_eq!(back, b'x');
        Ok(stream)
    }

    #[tokio::test]
    async fn a_cut_line_is_reset_at_both_ends_and_carries_nothing_until_it_is_mended() {
        let (lines, address) = echo().await;
        let wire = &lines.of("phone").expect("it was laid").wire;
        let mut stream = says_it_back(address).await.expect("the line is whole");
        wire.cut();
        let torn = timeout(DEADLINE, stream.read_u8()).await.expect("it ends").expect_err("nothing comes any more");
        assert_eq!(torn.kind(), io::ErrorKind::ConnectionReset);
        assert!(says_it_back(address).await.is_err());
        wire.mend();
        says_it_back(address).await.expect("the line is whole again");
    }
}
