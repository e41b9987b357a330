//! The bounds of the room, as plain numbers. Their names in the configuration and how they relate are the configuration's business.

/// What bounds connections and user actors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest message of a client over WebSocket, and the longest body of a stream's hello or of posted messages.
    pub frame_max_bytes: usize,
    /// Most connections of this node.
    pub connections_max: usize,
    /// Messages that a client may send per second, on average; twice as many at once.
    pub messages_per_second: u32,
    /// How often the server pings. A connection silent for twice as long is closed.
    pub heartbeat_ms: u64,
    /// How long a new connection may take for its hello.
    pub hello_timeout_ms: u64,
    /// Most messages that wait for one client to read them. Past it, the client is cut as a slow consumer; the ledger still has what it misses.
    pub outbox_messages_max: usize,
    /// Most bytes of them. What one step says, such as the answer to a hello, always fits into an empty outbox.
    pub outbox_bytes_max: usize,
    /// Most commands that wait in a user actor, and most messages in its mailbox; past it they are refused as `rate_limited`.
    pub user_queue_max: usize,
    /// Most commands of one user that are proposed and not answered.
    pub user_in_flight_max: usize,
    /// Most user actors; past it, calls and connections of further users are refused.
    pub actors_max: usize,
    /// How long a user actor with nothing to do stays.
    pub actor_idle_ms: u64,
    /// How long a closing connection may take to send what waits and to hear the client's Close.
    pub close_timeout_ms: u64,
    /// How long the kernel keeps trying to deliver to a client that doesn't read or is gone.
    pub write_timeout_ms: u64,
    /// How long an ack waits for its confirm, and a hello for its welcome.
    pub request_timeout_ms: u64,
    /// How long a device keeps what it holds while no owner speaks for it.
    pub lease_ms: u64,
    /// The kernel's send buffer of a connection; small, so that a client that doesn't read shows early.
    pub send_buffer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            frame_max_bytes: 64 * 1024,
            connections_max: 100_000,
            messages_per_second: 50,
            heartbeat_ms: 25_000,
            hello_timeout_ms: 5_000,
            outbox_messages_max: 1024,
            outbox_bytes_max: 2 * 1024 * 1024,
            user_queue_max: 1024,
            user_in_flight_max: 64,
            actors_max: 500_000,
            actor_idle_ms: 10_000,
            close_timeout_ms: 2_000,
            write_timeout_ms: 10_000,
            request_timeout_ms: 5_000,
            lease_ms: 10_000,
            send_buffer_bytes: 64 * 1024,
        }
    }
}
