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
}
