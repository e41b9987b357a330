//! What a device remembers and does: what is on its screen, and the acks that it has no confirm for. Both go into its next hello (CONTRACT §8, G9).

use crate::client::{Ack, ClientMessage, Connection, Credential, Hello, Key, Left, Offer, Outbox, ServerMessage};

/// What a device does with what it is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Nothing: it stays on the screen.
    Looks,
    /// Acks every step that is left, and answers notices.
    Acks,
}

/// A device of a user.
pub(super) struct Device {
    /// Without a token; `open` is what is on the screen.
    pub(super) hello: Hello,
    pub(super) outbox: Outbox,
    /// Invariant: none while it is not connected.
    pub(super) connection: Option<Connection>,
    habit: Habit,
}

impl Device {
    /// A device that has seen nothing yet.
    pub(super) fn new(name: &str, habit: Habit) -> Device {
        let client = Some(format!("engage-cli/{}", env!("CARGO_PKG_VERSION")));
        let hello = Hello { device: name.to_owned(), client, ..Hello::default() };
        Device { hello, outbox: Outbox::default(), connection: None, habit }
    }

    /// What to say on the next connection.
    pub(super) fn next_hello(&self, token: String) -> Hello {
        Hello { token: Some(Credential::new(token)), acks: self.outbox.unconfirmed().to_vec(), ..self.hello.clone() }
    }

    /// Takes note of a message, and answers it.
    pub(super) async fn react(&mut self, message: &ServerMessage) -> Result<(), Left> {
        let answers = self.note(message);
        match &mut self.connection {
            Some(connection) if !answers.is_empty() => connection.send_all(&answers).await,
            _ => Ok(()),
        }
    }

    /// What a message changes, and what to answer.
    fn note(&mut self, message: &ServerMessage) -> Vec<ClientMessage> {
        self.outbox.answered(message);
        match message {
            ServerMessage::Welcome(welcome) => {
                for answer in &welcome.acks {
                    self.note(answer);
                }
                Vec::new()
            }
            ServerMessage::Offer(offer) => self.offered(offer),
            ServerMessage::Confirm(confirm) if confirm.is_settled() => self.gone(&confirm.id, &confirm.window),
            ServerMessage::Withdraw(withdraw) => self.gone(&withdraw.id, &withdraw.window),
            ServerMessage::Notice(notice) if self.habit == Habit::Acks => vec![ClientMessage::Seen { id: notice.id.clone() }],
            _ => Vec::new(),
        }
    }

    fn offered(&mut self, offer: &Offer) -> Vec<ClientMessage> {
        let key = Key { id: offer.id.clone(), window: offer.window.clone() };
        if !self.hello.open.contains(&key) {
            self.hello.open.push(key);
        }
        if self.habit == Habit::Looks {
            return Vec::new();
        }
        let acks: Vec<Ack> = (offer.step..=offer.steps).map(|step| Ack::new(&offer.id, &offer.window, step)).collect();
        // What the outbox has no room for is neither kept nor sent: the offer comes again.
        acks.into_iter().filter(|ack| self.outbox.keep(ack.clone()).is_ok()).map(ClientMessage::Ack).collect()
    }

    fn gone(&mut self, id: &str, window: &str) -> Vec<ClientMessage> {
        self.hello.open.retain(|key| key.id != id || key.window != window);
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Received;
    use crate::client::message::parse_frame;

    fn message(json: &str) -> ServerMessage {
        let Received { message, .. } = parse_frame(json).expect("it is a message").remove(0);
        message
    }

    fn offer(step: u32) -> ServerMessage {
        message(&format!(
            r#"{{"type":"offer","id":"tour","window":"w","scope":"user","offer":1,"step":{step},"steps":3,"settle_on":"completed","data":null,"payload":{{}},"priority":0,"expires_in_ms":9,"at":1}}"#
        ))
    }

    fn confirm(step: u32, state: &str) -> ServerMessage {
        message(&format!(r#"{{"type":"confirm","id":"tour","window":"w","step":{step},"steps":3,"state":"{state}","yours":true,"at":1}}"#))
    }

    #[test]
    fn an_offer_is_acked_from_its_step_to_the_last() {
        let mut device = Device::new("phone", Habit::Acks);
        let steps: Vec<u32> = device
            .note(&offer(2))
            .iter()
            .map(|answer| match answer {
                ClientMessage::Ack(ack) => ack.step,
                other => panic!("an ack was due, not {other:?}"),
            })
            .collect();
        assert_eq!(steps, [2, 3]);
    }

    #[test]
    fn what_has_no_confirm_goes_into_the_next_hello() {
        let mut device = Device::new("phone", Habit::Acks);
        device.note(&offer(1));
        device.note(&confirm(2, "in_progress"));
        let hello = device.next_hello("t".to_owned());
        assert_eq!(hello.acks, [Ack::new("tour", "w", 3)]);
        assert_eq!(hello.open.len(), 1);
        device.note(&confirm(3, "completed"));
        let hello = device.next_hello("t".to_owned());
        assert!(hello.acks.is_empty() && hello.open.is_empty());
    }

    #[test]
    fn a_device_that_only_looks_keeps_offers_on_its_screen_until_they_are_withdrawn() {
        let mut device = Device::new("phone", Habit::Looks);
        assert!(device.note(&offer(1)).is_empty());
        assert_eq!(device.hello.open.len(), 1);
        device.note(&message(r#"{"type":"withdraw","id":"tour","window":"w","reason":"moved","at":2}"#));
        assert!(device.hello.open.is_empty());
    }
}
