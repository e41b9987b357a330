//! CONTRACT §2: the first confirmed showing wins, also when the node stops or dies, step by step. What a crowd sees of it, at any moment, `tests/cluster/one.rs` judges.

mod restarts;
