//! CONTRACT §2: the first confirmed showing wins, also when the node is killed at any moment.

mod crowd;
mod history;
mod holders;
mod judge;
mod killed;
mod restarts;
