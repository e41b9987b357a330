//! The bodies of the HTTP API (CONTRACT §7): what a publisher may send, read strictly. Unknown fields are refused by name, values by the range that is allowed.
//!
//! [`publish`] reads one publish, [`many`] the two forms of a publish to many; both stand on [`fields`], the strict reader of a JSON object, and make the
//! fingerprint by [`fingerprint`]. [`cursor`] is the cursor of the outcome feed.

pub mod fields;
pub mod fingerprint;
pub mod publish;
pub mod many;
pub mod cursor;
#[cfg(test)]
mod tests;
