//! CONTRACT §3, §4, §8: how a delivery is offered, acked, confirmed and settled.

mod acks;
mod endings;
mod offers;
mod resume;
mod windows;
