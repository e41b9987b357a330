//! Why a client's message is not done: the `error` of the client protocol.

use std::borrow::Cow;

use super::code::Code;

/// An `error` to a client, with what is known of the message that it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// For people; never holds what a client sent.
    pub message: Cow<'static, str>,
    /// The client's own number for its message.
    pub reference: Option<i64>,
    /// The delivery, as the client named it.
    pub id: Option<String>,
    pub window: Option<String>,
}

impl Refusal {
    /// Of no message in particular.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { code, message: message.into(), reference: None, id: None, window: None }
    }

    /// With the client's number.
    #[must_use]
    pub fn with_reference(mut self, reference: Option<i64>) -> Refusal {
        self.reference = reference;
        self
    }

    /// With the delivery.
    #[must_use]
    pub fn with_key(mut self, id: impl ToString, window: impl ToString) -> Refusal {
        self.id = Some(id.to_string());
        self.window = Some(window.to_string());
        self
    }
}
