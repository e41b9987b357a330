//! The network of the harness does what it says, or the scenarios that cut it show nothing.

use std::net::SocketAddr;
use std::time::Duration;

use engage::clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::network::{Network, Way};

/// Nothing that is to come takes longer; nothing that is held back is waited for longer.
const MOMENT: Duration = Duration::from_millis(300);

/// A node that says back what it is told.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

/// What comes back for a byte, if something does in a moment.
async fn ask(stream: &mut TcpStream) -> Option<std::io::Result<u8>> {
    stream.write_all(b"x").await.expect("the proxy takes it");
    tokio::time::timeout(MOMENT, stream.read_u8()).await.ok()
}

#[tokio::test]
async fn a_cut_holds_back_one_way_or_both_and_lets_go_when_it_is_healed() {
    let network = Network::new();
    // The test itself is node 0, which dials node 1.
    network.is_run_by(0, std::process::id());
    let address = network.stand_before(1, echo().await);
    let mut stream = TcpStream::connect(address).await.expect("the proxy listens");
    assert!(matches!(ask(&mut stream).await, Some(Ok(b'x'))));
    for (from, to) in [(0, 1), (1, 0)] {
        network.set(from, to, Way::Cut);
        assert!(ask(&mut stream).await.is_none(), "nothing comes through from {from} to {to}");
        network.heal();
        let late = tokio::time::timeout(MOMENT, stream.read_u8()).await.expect("what was under way comes").expect("the line held");
        assert_eq!(late, b'x');
    }
    network.set_both(2, 1, Way::Cut);
    assert!(matches!(ask(&mut stream).await, Some(Ok(b'x'))), "the cut of another pair is none of ours");
    network.set(0, 1, Way::Slow(Duration::from_millis(100)));
    let start = clock::monotonic();
    assert!(matches!(ask(&mut stream).await, Some(Ok(b'x'))));
    assert!(clock::monotonic() - start >= Duration::from_millis(100));
    network.break_links(1, 0);
    assert!(matches!(tokio::time::timeout(MOMENT, stream.read_u8()).await, Ok(Err(_))), "the connection breaks");
}
