//! CONTRACT §5: a person's devices, who holds what, and what happens when one goes.

mod active;
mod all;
mod lease;
mod open;
mod own;
