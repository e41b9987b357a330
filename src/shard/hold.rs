//! Holding back what comes for a shard, until nothing is in flight: so that a planned change of its leader leaves no command's fate unknown.

use tokio::sync::oneshot;

/// While it lasts, commands wait and none is proposed.
pub struct Hold {
    /// None once it was told that nothing is in flight.
    held: Option<oneshot::Sender<()>>,
    released: oneshot::Receiver<()>,
}

/// Who asked for a hold. It ends when this is dropped.
pub struct Holder {
    is_held: oneshot::Receiver<()>,
    release: oneshot::Sender<()>,
}

impl Hold {
    pub fn new() -> (Hold, Holder) {
        let (held, is_held) = oneshot::channel();
        let (release, released) = oneshot::channel();
        (Hold { held: Some(held), released }, Holder { is_held, release })
    }

    /// Nothing is in flight.
    pub fn tell(&mut self) {
        if let Some(held) = self.held.take() {
            // Who asked may have given up.
            held.send(()).ok();
        }
    }

    /// Waits until it ends. Can be dropped and called again.
    pub async fn released(&mut self) {
        // Nothing is sent: the other end is dropped.
        (&mut self.released).await.ok();
    }
}

impl Holder {
    /// Waits until nothing is in flight. The hold lasts as long as what this gives; none where there is nobody who holds.
    pub async fn held(self) -> Option<oneshot::Sender<()>> {
        let Holder { is_held, release } = self;
        is_held.await.ok()?;
        Some(release)
    }
}
