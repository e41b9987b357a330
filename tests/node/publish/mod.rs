//! CONTRACT §7: what a publish is answered.

mod answers;
mod bulk;
mod ids;
mod notices;
mod refusals;
