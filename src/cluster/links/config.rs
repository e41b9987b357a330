//! What a node's links are made with: who the node is, the secret, certificates, times and bounds. Reads no file.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::tls::LinkTls;
use crate::ledger::ids::EdgeId;
use crate::ports::peers::NodeId;

/// The cluster's secret. Overwritten when the last copy goes; no log, error or `Debug` shows it.
#[derive(Clone)]
pub struct LinkSecret(Arc<Zeroizing<Vec<u8>>>);

impl LinkSecret {
    /// Takes the secret in.
    #[must_use]
    pub fn new(secret: impl Into<Vec<u8>>) -> LinkSecret {
        LinkSecret(Arc::new(Zeroizing::new(secret.into())))
    }

    /// The secret itself: to prove with, never to print.
    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Who a node is, and how it links.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// At most 64 bytes.
    pub cluster_id: String,
    pub me: NodeId,
    /// Made with the data directory, at most 64 bytes: two nodes that claim one id are told apart by it.
    pub node_uuid: String,
    /// This run of the node.
    pub run: EdgeId,
    /// At most 128 bytes.
    pub name: String,
    pub secret: LinkSecret,
    /// None: the handshake still proves the secret, but what follows can be read and changed by whoever sits on the wire.
    pub tls: Option<LinkTls>,
    pub tuning: LinkTuning,
}

/// How much one lane of one link may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneBound {
    /// Headers count too. A lane that is empty takes any frame.
    pub bytes: usize,
    pub frames: usize,
}

/// Times and bounds of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkTuning {
    pub connect_timeout_ms: u64,
    /// For all of it: TLS, hello, proof, verdict.
    pub handshake_timeout_ms: u64,
    /// The first wait before another dial is anything up to this; the bound doubles each time.
    pub backoff_first_ms: u64,
    pub backoff_max_ms: u64,
    /// Both sides ping this often.
    pub ping_ms: u64,
    /// A link on which nothing arrived for so long is broken.
    pub silent_ms: u64,
    /// So long may what was sent stay unacknowledged by the other machine, before its kernel connection is broken.
    pub user_timeout_ms: u32,
    /// So long may a link that is closed on purpose take to send what it holds.
    pub flush_ms: u64,
    /// How long the answer to a guest may take.
    pub guest_answer_ms: u64,
    /// Longest message, in either direction.
    pub frame_max_bytes: usize,
    pub raft_lane: LaneBound,
    pub session_lane: LaneBound,
    pub snapshot_lane: LaneBound,
    /// Questions of one link without an answer.
    pub asks_max: usize,
    /// Connections whose handshake is under way; one more makes the oldest of them give way.
    pub handshakes_max: usize,
    /// Guests that wait for their answer.
    pub guests_max: usize,
}

const MIB: usize = 1024 * 1024;

impl Default for LinkTuning {
    fn default() -> LinkTuning {
        LinkTuning {
            connect_timeout_ms: 1_000,
            handshake_timeout_ms: 3_000,
            backoff_first_ms: 50,
            backoff_max_ms: 1_000,
            ping_ms: 500,
            silent_ms: 2_000,
            user_timeout_ms: 5_000,
            flush_ms: 200,
            guest_answer_ms: 10_000,
            frame_max_bytes: 16 * MIB,
            raft_lane: LaneBound { bytes: 32 * MIB, frames: 65_536 },
            session_lane: LaneBound { bytes: 16 * MIB, frames: 65_536 },
            snapshot_lane: LaneBound { bytes: 8 * MIB, frames: 1_024 },
            asks_max: 65_536,
            handshakes_max: 32,
            guests_max: 32,
        }
    }
}

impl LinkTuning {
    /// The bounds, in the order of [`super::frame::LANES`].
    pub(super) const fn lane_bounds(&self) -> [LaneBound; 3] {
        [self.raft_lane, self.session_lane, self.snapshot_lane]
    }
}
