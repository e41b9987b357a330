//! Server messages that are ready together, written one after the other into one buffer: one of them goes out as an object, more as a list.

use bytestring::ByteString;

use super::server_message::ServerMessage;

/// The text of some server messages, in order.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// `[` and the messages, with commas between them. The bracket stands there from the first message on, so that neither form has to be copied together.
    text: String,
    count: usize,
}

impl Batch {
    /// With one message.
    #[must_use]
    pub fn of(message: &ServerMessage<'_>) -> Batch {
        let mut batch = Batch::default();
        batch.push(message);
        batch
    }

    /// Writes a message behind the others.
    pub fn push(&mut self, message: &ServerMessage<'_>) {
        // Or a large text would double its buffer for the few letters behind its payload.
        self.text.reserve(message.room_bytes() + 2);
        self.text.push(if self.count == 0 { '[' } else { ',' });
        message.write(&mut self.text);
        self.count += 1;
    }

    /// Puts the messages of `later` behind these.
    pub fn append(&mut self, later: &Batch) {
        if later.count == 0 {
            return;
        }
        self.text.push(if self.count == 0 { '[' } else { ',' });
        self.text.push_str(&later.text[1..]);
        self.count += later.count;
    }

    /// How many messages there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// About how long its frame is.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.text.len()
    }

    /// Gives back what it took and does not need: it is going to wait.
    pub fn fit(&mut self) {
        // One more, for the bracket that closes a list.
        let needed = self.text.len() + 1;
        if self.text.capacity() > needed + needed / 8 {
            self.text.shrink_to(needed);
        }
    }

    /// A list, however many there are.
    #[must_use]
    pub fn into_list(mut self) -> ByteString {
        self.text.push_str(if self.count == 0 { "[]" } else { "]" });
        ByteString::from(self.text)
    }

    /// The frame: an object where there is one message, a list of them otherwise.
    #[must_use]
    pub fn into_text(self) -> ByteString {
        if self.count == 1 {
            let text = ByteString::from(self.text);
            return text.slice_ref(&text[1..]);
        }
        self.into_list()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::engagement::Payload;
    use crate::ledger::ids::EngagementId;
    use crate::ledger::time::LedgerTime;
    use bytes::Bytes;

    #[test]
    fn one_message_is_an_object_and_more_are_a_list() {
        let message = ServerMessage::CaughtUp;
        let mut batch = Batch::of(&message);
        assert_eq!(batch.clone().into_text(), r#"{"type":"caught_up"}"#);
        assert_eq!(batch.clone().into_list(), r#"[{"type":"caught_up"}]"#);
        let later = batch.clone();
        batch.append(&later);
        batch.append(&Batch::default());
        batch.push(&message);
        assert_eq!(batch.count(), 3);
        assert_eq!(batch.into_text(), r#"[{"type":"caught_up"},{"type":"caught_up"},{"type":"caught_up"}]"#);
        assert_eq!(Batch::default().into_text(), "[]");
    }
    /// A hundred clients that didn't read took 3.4 MiB each, where 2 MiB were counted: each text stood in a buffer of twice its length.
    #[test]
    fn a_text_that_waits_takes_about_the_memory_that_is_counted() {
        let payload = Payload(Bytes::from(format!("\"{}\"", "x".repeat(8 * 1024))));
        let id = EngagementId::parse("noise").unwrap();
        let notice = ServerMessage::Notice { id: &id, payload: &payload, at: LedgerTime(1) };
        let many = |count: usize| {
            let mut batch = Batch::default();
            (0..count).for_each(|_| batch.push(&notice));
            batch.fit();
            batch
        };
        for count in [1, 2, 3, 16] {
            let batch = many(count);
            assert!(batch.text.capacity() <= batch.len_bytes() + batch.len_bytes() / 8 + 2, "{count}: {}", batch.text.capacity());
        }
        assert_eq!(many(2).into_list().len(), many(2).len_bytes() + 1);
    }
}
