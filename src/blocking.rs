//! Where work goes that blocks: a thread of its own, away from those that serve. In the simulation, where there is one thread and time stands still meanwhile, it
//! is done on the spot.

use tokio::task::JoinError;

use crate::clock;

/// Does work that blocks, and waits for it.
///
/// # Errors
/// Of work that panicked, or that was still waiting when the runtime ended.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    if clock::is_simulated() {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await
}
