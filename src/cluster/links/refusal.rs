//! Why a node is not let in, and the count and the log line of it. Strangers can cause refusals at will, so at most one line a second is written.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::warn;

use crate::clock;
use crate::telemetry::names;

/// Why a connection is refused, or a link is ended. The numbers go over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it is not a member of this cluster; hint: engage join")]
    Stranger = 1,
    #[error("it could not prove the cluster's secret; hint: cluster.secret must be the same on all nodes")]
    WrongSecret = 2,
    #[error("it belongs to another cluster; hint: check the peer's address")]
    WrongCluster = 3,
    #[error("there is no protocol version that both speak; hint: upgrade one release at a time")]
    Version = 4,
    #[error("it was removed from the cluster; hint: empty its data directory, then engage join")]
    Removed = 5,
    #[error("it sent a frame that is too long")]
    TooLong = 6,
    #[error("it sent what is no frame or handshake of this protocol, or broke off")]
    Broken = 7,
    #[error("it did not finish the handshake in time")]
    Timeout = 8,
    #[error("TLS failed; hint: cluster.tls_cert, tls_key and tls_ca must be set on all nodes, and fit")]
    Tls = 9,
    #[error("another node than the expected one lives at that address")]
    WrongNode = 10,
    #[error("two nodes claim one id with different data directories; hint: stop one of them")]
    WrongUuid = 11,
    #[error("too many connections wait to be let in")]
    Busy = 12,
}

impl Refusal {
    pub const ALL: [Refusal; 12] = [
        Refusal::Stranger,
        Refusal::WrongSecret,
        Refusal::WrongCluster,
        Refusal::Version,
        Refusal::Removed,
        Refusal::TooLong,
        Refusal::Broken,
        Refusal::Timeout,
        Refusal::Tls,
        Refusal::WrongNode,
        Refusal::WrongUuid,
        Refusal::Busy,
    ];

    /// The one with a number; for a number that only a later version knows, [`Refusal::Broken`].
    #[must_use]
    pub fn of(number: u8) -> Refusal {
        Refusal::ALL.into_iter().find(|refusal| *refusal as u8 == number).unwrap_or(Refusal::Broken)
    }

    /// The word in metrics and logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Refusal::Stranger => "stranger",
            Refusal::WrongSecret => "wrong_secret",
            Refusal::WrongCluster => "wrong_cluster",
            Refusal::Version => "version",
            Refusal::Removed => "removed",
            Refusal::TooLong => "too_long",
            Refusal::Broken => "broken",
            Refusal::Timeout => "timeout",
            Refusal::Tls => "tls",
            Refusal::WrongNode => "wrong_node",
            Refusal::WrongUuid => "wrong_uuid",
            Refusal::Busy => "busy",
        }
    }
}

const LINE_EVERY_MS: u64 = 1_000;

/// Counts refusals, and logs at most one a second.
#[derive(Debug, Default)]
pub struct Refusals {
    /// When the next line may be written.
    next_line_ms: AtomicU64,
    /// Refusals since the last line that had none of their own.
    unsaid_count: AtomicU64,
    /// In the order of [`Refusal::ALL`].
    counts: [AtomicU64; Refusal::ALL.len()],
}

impl Refusals {
    /// Counts one that is logged elsewhere.
    pub fn count(&self, refusal: Refusal) {
        metrics::counter!(names::LINK_REFUSED_TOTAL, "reason" => refusal.word()).increment(1);
        self.counts[refusal as usize - 1].fetch_add(1, Ordering::Relaxed);
    }

    /// How often this node refused for a reason.
    #[must_use]
    pub fn count_of(&self, refusal: Refusal) -> u64 {
        self.counts[refusal as usize - 1].load(Ordering::Relaxed)
    }

    /// This node refused a peer.
    pub fn refused(&self, peer: SocketAddr, refusal: Refusal) {
        self.count(refusal);
        let now_ms = clock::monotonic_ms();
        let next_ms = self.next_line_ms.load(Ordering::Relaxed);
        let is_mine = now_ms >= next_ms
            && self.next_line_ms.compare_exchange(next_ms, now_ms + LINE_EVERY_MS, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_mine {
            let unsaid = self.unsaid_count.swap(0, Ordering::Relaxed);
            warn!(%peer, reason = refusal.word(), why = %refusal, unsaid, "a peer was refused");
        } else {
            self.unsaid_count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_known_by_its_number() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::of(refusal as u8), refusal);
        }
        assert_eq!(Refusal::of(200), Refusal::Broken);
    }

    #[test]
    fn a_storm_of_refusals_is_counted_and_logged_once_a_second() {
        let refusals = Refusals::default();
        let peer = "127.0.0.1:9".parse().unwrap();
        for _ in 0..1_000 {
            refusals.refused(peer, Refusal::Stranger);
        }
        assert!(refusals.unsaid_count.load(Ordering::Relaxed) >= 990);
        assert_eq!(refusals.count_of(Refusal::Stranger), 1_000);
    }
}
