//! CONTRACT §8 from its dark side: bad input, forged tokens, floods, slow readers; and streams, renewal and draining.

mod crowded;
mod draining;
mod frames;
mod hellos;
mod keys;
mod messages;
mod origins;
mod silence;
mod slow;
mod streams;
mod tokens;
