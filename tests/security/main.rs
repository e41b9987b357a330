//! What a stranger, a forger or a careless operator may try, tested from outside: real nodes, real sockets, real commands. Every test here is a case of the table in
//! `docs/security.md`: its name reads as a sentence, and what it asserts is what the table says. A case that passes for everybody shows nothing, so each also shows
//! the same thing done rightly.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its part of the harness")]
mod support;

mod answer;
mod nodes;
mod raw;
mod issuer;
mod peer;
mod secure;

mod origins;
mod tokens;
mod issuers;
mod keys;
mod foreign;
mod rates;
mod places;
mod sizes;
mod links;
mod tls;
mod cluster_tls;
mod configuration;
mod shown;
mod table;
