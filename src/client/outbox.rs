//! The acks that have no confirm yet, for the next hello (G9). Memory only: a client that must survive its own end keeps them on disk instead.

use super::hello::Ack;
use super::message::{Confirm, Refusal, ServerMessage};

/// Most acks kept, so that they fit into one hello.
pub const OUTBOX_MAX: usize = 256;

/// The outbox is full: stop showing things until something is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{OUTBOX_MAX} acks wait for a confirm; hint: connect, so that they can be confirmed")]
pub struct OutboxFull;

/// Unconfirmed acks, oldest first. Invariant: at most one for each key, and at most [`OUTBOX_MAX`].
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    acks: Vec<Ack>,
}

impl Outbox {
    /// Keeps an ack until it is answered. Acks of one key become one: the highest step, with the data sent last.
    ///
    /// # Errors
    /// [`OutboxFull`]; the ack is not kept.
    pub fn keep(&mut self, ack: Ack) -> Result<(), OutboxFull> {
        if let Some(kept) = self.acks.iter_mut().find(|kept| kept.id == ack.id && kept.window == ack.window) {
            if ack.step >= kept.step {
                let data = ack.data.clone().or_else(|| kept.data.take());
                *kept = Ack { data, ..ack };
            }
            return Ok(());
        }
        if self.acks.len() == OUTBOX_MAX {
            return Err(OutboxFull);
        }
        self.acks.push(ack);
        Ok(())
    }

    /// Takes note of an answer, also of those in a welcome; other messages change nothing.
    pub fn answered(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Confirm(confirm) => self.confirmed(confirm),
            ServerMessage::Error(refusal) => self.refused(refusal),
            ServerMessage::Welcome(welcome) => welcome.acks.iter().for_each(|answer| self.answered(answer)),
            _ => {}
        }
    }

    /// What to put into the next hello.
    #[must_use]
    pub fn unconfirmed(&self) -> &[Ack] {
        &self.acks
    }

    fn confirmed(&mut self, confirm: &Confirm) {
        self.acks.retain(|ack| ack.id != confirm.id || ack.window != confirm.window || (ack.step > confirm.step && !confirm.is_settled()));
    }

    /// What is refused for good goes; what may be sent again stays.
    fn refused(&mut self, refusal: &Refusal) {
        if !refusal.retry {
            self.acks.retain(|ack| refusal.id.as_ref() != Some(&ack.id) || refusal.window.as_ref() != Some(&ack.window));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn confirm(id: &str, step: u32, state: &str) -> ServerMessage {
        let (id, window, state) = (id.to_owned(), "w".to_owned(), state.to_owned());
        ServerMessage::Confirm(Confirm { id, window, step, steps: 3, state, yours: true, at: 1, reference: None })
    }

    #[test]
    fn an_ack_is_kept_until_its_step_is_confirmed() {
        let mut outbox = Outbox::default();
        outbox.keep(Ack::new("tour", "w", 1)).expect("there is room");
        outbox.keep(Ack::new("tour", "w", 2)).expect("there is room");
        outbox.answered(&confirm("tour", 1, "in_progress"));
        assert_eq!(outbox.unconfirmed(), [Ack::new("tour", "w", 2)]);
        outbox.answered(&confirm("tour", 2, "in_progress"));
        assert!(outbox.unconfirmed().is_empty());
    }

    #[test]
    fn a_settled_delivery_needs_no_more_acks() {
        let mut outbox = Outbox::default();
        outbox.keep(Ack::new("tour", "w", 3)).expect("there is room");
        outbox.answered(&confirm("tour", 1, "withdrawn"));
        assert!(outbox.unconfirmed().is_empty());
    }

    #[test]
    fn acks_of_one_key_become_one_that_loses_no_data() {
        let mut outbox = Outbox::default();
        outbox.keep(Ack { data: Some(json!({"q1": 9})), ..Ack::new("nps", "w", 1) }).expect("there is room");
        outbox.keep(Ack::new("nps", "w", 2)).expect("there is room");
        outbox.keep(Ack::new("nps", "w", 1)).expect("there is room");
        assert_eq!(outbox.unconfirmed(), [Ack { data: Some(json!({"q1": 9})), ..Ack::new("nps", "w", 2) }]);
    }

    #[test]
    fn a_refused_ack_stays_only_if_it_may_be_sent_again() {
        let mut outbox = Outbox::default();
        outbox.keep(Ack::new("nps", "w", 0)).expect("there is room");
        let refusal = |retry| Refusal {
            code: "unavailable".to_owned(),
            message: String::new(),
            retry,
            reference: None,
            id: Some("nps".to_owned()),
            window: Some("w".to_owned()),
        };
        outbox.answered(&ServerMessage::Error(refusal(true)));
        assert_eq!(outbox.unconfirmed().len(), 1);
        outbox.answered(&ServerMessage::Error(refusal(false)));
        assert!(outbox.unconfirmed().is_empty());
    }

    #[test]
    fn a_full_outbox_says_so() {
        let mut outbox = Outbox::default();
        for n in 0..OUTBOX_MAX {
            outbox.keep(Ack::new(n.to_string(), "w", 0)).expect("there is room");
        }
        assert_eq!(outbox.keep(Ack::new("one more", "w", 0)), Err(OutboxFull));
        assert_eq!(outbox.keep(Ack::new("0", "w", 1)), Ok(()));
    }
}
