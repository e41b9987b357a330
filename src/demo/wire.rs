//! A device's connection to the world, which can be cut. Says when; the lines do the cutting.

use tokio::sync::watch;

/// See the file's comment.
pub(super) struct Wire {
    strand: watch::Sender<Strand>,
}

/// How the wire is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Strand {
    is_cut: bool,
    /// How often what went over it was torn off, whether or not it was whole again at once.
    torn_count: u64,
}

/// What one connection knows of its wire.
pub(super) struct Watch {
    strand: watch::Receiver<Strand>,
    at_first: Strand,
}

impl Wire {
    pub(super) fn new() -> Wire {
        Wire { strand: watch::Sender::new(Strand::default()) }
    }

    /// Tears off every connection, and lets no other through until it is mended.
    pub(super) fn cut(&self) {
        self.strand.send_modify(|strand| *strand = Strand { is_cut: true, torn_count: strand.torn_count + 1 });
    }

    /// Tears off every connection; the next one gets through.
    pub(super) fn tear(&self) {
        self.strand.send_modify(|strand| strand.torn_count += 1);
    }

    /// Lets connections through again.
    pub(super) fn mend(&self) {
        self.strand.send_modify(|strand| strand.is_cut = false);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.strand.borrow().is_cut
    }

    pub(super) fn watch(&self) -> Watch {
        let strand = self.strand.subscribe();
        let at_first = *strand.borrow();
        Watch { strand, at_first }
    }
}

impl Watch {
    /// Whether nothing gets through from the start.
    pub(super) fn is_cut(&self) -> bool {
        self.at_first.is_cut
    }

    /// Comes back when a connection that began with this watch must end.
    pub(super) async fn torn(&mut self) {
        let torn_count = self.at_first.torn_count;
        // A wire that is gone is torn too.
        let _ = self.strand.wait_for(|strand| strand.is_cut || strand.torn_count != torn_count).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[test]
    fn what_goes_over_a_wire_ends_when_it_is_torn_and_the_next_gets_through() {
        let wire = Wire::new();
        let mut before = wire.watch();
        assert_eq!(before.torn().now_or_never(), None);
        wire.tear();
        assert_eq!(before.torn().now_or_never(), Some(()));
        let mut after = wire.watch();
        assert!(!after.is_cut());
        assert_eq!(after.torn().now_or_never(), None);
    }

    #[test]
    fn a_wire_that_is_cut_lets_nothing_through_until_it_is_mended() {
        let wire = Wire::new();
        let mut before = wire.watch();
        wire.cut();
        assert!(wire.watch().is_cut() && wire.is_cut());
        wire.mend();
        assert!(!wire.watch().is_cut());
        assert_eq!(before.torn().now_or_never(), Some(()), "it was cut in between");
    }
}
