//! A Rust client of the HTTP API and of the client protocol. The command line, the tests and the benches use it.
//!
//! Its types are written from the contract, not taken from the server's: it is a second opinion on what the wire says. So this room must import nothing of the
//! server. [`Api`] is what a publisher or an operator calls; [`Connection`] is one device's WebSocket; [`Outbox`] and [`Backoff`] are what a device needs to
//! survive a lost connection: it keeps its unconfirmed acks, and puts them into its next [`Hello`] (G9).

pub mod error;
pub mod credential;
pub mod publish;
pub mod answer;
pub mod api;
pub mod members;
pub mod raw;
pub mod hello;
pub mod message;
pub mod connection;
pub mod stream;
pub mod outbox;
pub mod backoff;
pub mod claims;
mod address;

pub use address::AddressError;
pub use answer::{Cluster, ClusterNode, Deliveries, Delivery, Ended, Event, Outcome, Shard, Timeline, User, UserDevice};
pub use api::{Api, OutcomesQuery};
pub use backoff::Backoff;
pub use claims::Claims;
pub use connection::{Connection, Dial, Left};
pub use credential::Credential;
pub use error::{ApiError, ConnectError, Problem};
pub use hello::{Ack, ClientMessage, Hello, Key};
pub use members::{Copied, Pieces};
pub use message::{Bye, Confirm, Notice, Offer, Progress, Received, Refusal, ServerMessage, Welcome, Window, Withdraw};
pub use outbox::{Outbox, OutboxFull};
pub use publish::{ManyItem, Publish, Published};
pub use raw::{Answer, Verb};
pub use stream::EventStream;
