//! CONTRACT §7: reading, withdrawing, forgetting, the feed of outcomes, bounds, roles and errors.

mod bounds;
mod errors;
mod feed;
mod operations;
mod roles;
mod users;
mod withdraw;
