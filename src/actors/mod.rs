//! The actix shell around the ledger: an actor for each active user and one for each connection. It hands commands on and carries effects out, and decides nothing.
