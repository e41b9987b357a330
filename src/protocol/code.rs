//! Every code that a user can meet, in one table: its name on the wire, HTTP status, close code, and whether to try again.

/// A code of the contract (§7, §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    BadRequest,
    UnknownField,
    BadMessage,
    Unauthorized,
    TokenExpired,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    UnknownDelivery,
    StepOutOfRange,
    DifferentEngagement,
    NotDrained,
    LastNode,
    LosesMajority,
    CursorExpired,
    TooLarge,
    UnsupportedMediaType,
    RateLimited,
    TooManyConnections,
    HelloTimeout,
    Replaced,
    SlowConsumer,
    Draining,
    BufferFull,
    Unavailable,
    Internal,
}

/// What a code means to each kind of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The word on the wire.
    pub name: &'static str,
    /// The title of a problem document.
    pub title: &'static str,
    /// HTTP status, where it can be an answer over HTTP.
    pub status: u16,
    /// WebSocket close code, where it can end a connection.
    pub close: Option<u16>,
    /// Whether the same request may be sent again as it is.
    pub retry: bool,
    /// Whether a client whose connection ended with it should connect again.
    pub reconnect: bool,
}

const fn meaning(name: &'static str, title: &'static str, status: u16) -> Meaning {
    Meaning { name, title, status, close: None, retry: false, reconnect: true }
}

impl Meaning {
    const fn closes(mut self, close: u16) -> Meaning {
        self.close = Some(close);
        self
    }

    const fn for_good(mut self) -> Meaning {
        self.reconnect = false;
        self
    }

    const fn retried(mut self) -> Meaning {
        self.retry = true;
        self
    }
}

impl Code {
    /// Every one, in the order of the table.
    pub const ALL: [Code; 26] = [
        Code::BadRequest,
        Code::UnknownField,
        Code::BadMessage,
        Code::Unauthorized,
        Code::TokenExpired,
        Code::Forbidden,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::UnknownDelivery,
        Code::StepOutOfRange,
        Code::DifferentEngagement,
        Code::NotDrained,
        Code::LastNode,
        Code::LosesMajority,
        Code::CursorExpired,
        Code::TooLarge,
        Code::UnsupportedMediaType,
        Code::RateLimited,
        Code::TooManyConnections,
        Code::HelloTimeout,
        Code::Replaced,
        Code::SlowConsumer,
        Code::Draining,
        Code::BufferFull,
        Code::Unavailable,
        Code::Internal,
    ];

    /// The table.
    #[must_use]
    pub const fn meaning(self) -> Meaning {
        match self {
            Code::BadRequest => meaning("bad_request", "The request is not valid", 400),
            Code::UnknownField => meaning("unknown_field", "The request has an unknown field", 400),
            Code::BadMessage => meaning("bad_message", "The message is not valid", 400).closes(4400).for_good(),
            Code::Unauthorized => meaning("unauthorized", "Credentials are missing or wrong", 401).closes(4401).for_good(),
            Code::TokenExpired => meaning("token_expired", "The token has expired", 401).closes(4401).for_good(),
            Code::Forbidden => meaning("forbidden", "This is not allowed", 403).closes(4403).for_good(),
            Code::NotFound => meaning("not_found", "There is no such thing", 404),
            Code::MethodNotAllowed => meaning("method_not_allowed", "This route has no such method", 405),
            Code::UnknownDelivery => meaning("unknown_delivery", "The ledger knows no such delivery", 404),
            Code::StepOutOfRange => meaning("step_out_of_range", "The engagement has no such step", 400),
            Code::DifferentEngagement => meaning("different_engagement", "The key exists with other content", 409),
            Code::NotDrained => meaning("not_drained", "The node is alive and not drained", 409),
            Code::LastNode => meaning("last_node", "It is the last node that can hold the shards", 409),
            Code::LosesMajority => meaning("loses_majority", "A shard would lose its majority", 409),
            Code::CursorExpired => meaning("cursor_expired", "Outcomes after this cursor are no longer kept", 410),
            Code::TooLarge => meaning("too_large", "It is too large", 413).closes(4413),
            Code::UnsupportedMediaType => meaning("unsupported_media_type", "The body is not JSON", 415),
            Code::RateLimited => meaning("rate_limited", "Too many at once", 429).closes(4429).retried(),
            Code::TooManyConnections => meaning("too_many_connections", "Too many connections", 429).closes(4429).retried(),
            Code::HelloTimeout => meaning("hello_timeout", "No hello came in time", 408).closes(4408),
            Code::Replaced => meaning("replaced", "Another connection of this device took over", 409).closes(4409).for_good(),
            Code::SlowConsumer => meaning("slow_consumer", "The client reads too slowly", 408).closes(4440),
            Code::Draining => meaning("draining", "The node is going away", 503).closes(1012).retried(),
            Code::BufferFull => meaning("buffer_full", "The user's replay buffer is full", 507),
            Code::Unavailable => meaning("unavailable", "The shard can't be reached now", 503).closes(1011).retried(),
            Code::Internal => meaning("internal", "Something went wrong in the server", 500).closes(1011),
        }
    }

    /// The word on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.meaning().name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_codes_are_listed_once() {
        for (place, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, place, "{code:?}");
        }
        let meanings =
            include_str!("code.rs").lines().filter(|line| line.trim().starts_with("Code::") && line.contains("=> meaning(")).count();
        assert_eq!(Code::ALL.len(), meanings);
    }
}
