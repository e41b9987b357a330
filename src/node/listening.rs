//! Where other nodes reach this one. A node that nobody told where to listen for them takes the usual place, or, where another node of this machine has it, any.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use tracing::warn;

use super::NodeError;
use crate::config::Cluster;

/// Takes the address.
///
/// # Errors
/// [`NodeError::ClusterListen`].
pub(super) fn bind(cluster: &Cluster) -> Result<TcpListener, NodeError> {
    let address = cluster.listen;
    let refused = |error| NodeError::ClusterListen { address, error };
    match TcpListener::bind(address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && address == Cluster::default().listen => {
            let listener = TcpListener::bind(SocketAddr::new(address.ip(), 0)).map_err(refused)?;
            let taken = listener.local_addr().map_err(refused)?;
            warn!(%address, %taken, "the usual port for other nodes is in use, so this node takes another; hint: set cluster.listen");
            Ok(listener)
        }
        bound => bound.map_err(refused),
    }
}
